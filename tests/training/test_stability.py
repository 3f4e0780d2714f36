"""The optimisers leave a quadratic at the edges that `jaxattn.training.stability` says."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import EPS, PRECISION, jit

from jaxattn.core.contracts import InputError
from jaxattn.core.part_rates import rate_scale
from jaxattn.probes.curvature import top_eigenvalues
from jaxattn.training.optimisers import OPTIMISERS
from jaxattn.training.stability import EDGES, edge, growth

TURN, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))
HESSIAN = jnp.asarray((TURN * [4.0, 3.0, 1.0, 0.5]) @ TURN.T, PRECISION)

MOMENT = jnp.asarray([0.01, 4.0, 1.0, 0.25], PRECISION)
"""What the second moment of Adam is held at. It is not along the eigenvectors of the Hessian."""
LATE = jnp.asarray(2**31 - 2, jnp.int32)
"""A step so late that both moments are those of a run without a beginning."""

HALF, HALVINGS, START = 300, 50, 1e-9
FURTHER = 40
"""Steps over which growth is measured: even, as signs alternate and parameters are no mode."""


def parts(vector):
    return {"shared": {}, "focus": vector[:2], "classify": vector[2:]}


def flat(params):
    return jnp.concatenate([params["focus"], params["classify"]])


def loss(params):
    return flat(params) @ HESSIAN @ flat(params) / 2


def held(state):
    """An optimiser's state with Adam's second moment, if it has one, back where it is held."""

    def is_adam(node):
        return isinstance(node, optax.ScaleByAdamState)

    def hold(node):
        return node._replace(nu=parts(MOMENT), count=LATE) if is_adam(node) else node

    return jax.tree.map(hold, state, is_leaf=is_adam)


def sizes(name, hyper, rate, further):
    """How large parameters are after HALF steps from a small start, and after some further ones."""
    optimiser = OPTIMISERS[name].make(hyper | {"learning_rate": rate}, lambda count: rate)

    def step(_, carry):
        params, state = carry
        updates, state = optimiser.update(jax.grad(loss)(params), held(state), params)
        return optax.apply_updates(params, updates), state

    start = parts(jnp.full(4, START, PRECISION))
    half = jax.lax.fori_loop(0, HALF, step, (start, optimiser.init(start)))
    end = jax.lax.fori_loop(0, further, step, half)
    return (jnp.max(jnp.abs(flat(params))) for params, _ in (half, end))


@partial(jit, static_argnums=0)
def rate_of_departure(name, hyper):
    """The learning rate beyond which steps from a small start grow, found by halving."""

    def grows(rate):
        early, late = sizes(name, hyper, rate, HALF)
        # Adam's steps are bounded where gradients are no longer small: it cannot grow for ever.
        # Numbers that are not finite have grown.
        return ~((late <= early) & (late < 1e6 * START))

    def halve(_, bracket):
        low, high = bracket
        middle = (low + high) / 2
        left = grows(middle)
        return jnp.where(left, low, middle), jnp.where(left, middle, high)

    low, high = jnp.asarray(0, PRECISION), jnp.asarray(8, PRECISION)
    return jax.lax.fori_loop(0, HALVINGS, halve, (low, high))[0]


@jit
def sharpness_of(scale):
    return top_eigenvalues(loss, parts(jnp.zeros(4, PRECISION)), scale)[0]


ADAM = {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-3}


@pytest.mark.parametrize(
    ("name", "hyper", "known"),
    [
        ("sgd", {}, 2.0),
        ("sgd", {"focus_rate": 3.0}, 2.0),
        ("momentum", {"momentum": 0.5}, 3.0),
        ("momentum", {"momentum": 0.9}, 3.8),
        ("momentum", {"momentum": 0.9, "focus_rate": 0.0}, 3.8),
        ("momentum", {"momentum": 0.9, "friction": 0.5}, None),
        ("adam", ADAM, 38.0),
        ("adam", ADAM | {"tau1": 5.0}, None),
        ("adam", ADAM | {"beta1": 0.5, "focus_rate": 3.0}, 6.0),
        ("adamw", ADAM | {"weight_decay": 0.0}, 38.0),
        ("adamw", ADAM | {"weight_decay": 0.5}, None),
    ],
)
def test_steps_on_a_quadratic_grow_exactly_from_the_edge_on(name, hyper, known):
    hyper = {key: jnp.asarray(value, PRECISION) for key, value in hyper.items()}
    rate = rate_of_departure(name, hyper)
    scale = rate_scale(parts(MOMENT), hyper)
    if name.startswith("adam"):
        # A step first takes its share of the (here vanishing) square gradient into the moment.
        root = jnp.sqrt(hyper["beta2"] * MOMENT) + hyper["epsilon"]
        scale = jax.tree.map(jnp.divide, scale, parts(root))
    found = float(rate * sharpness_of(scale))
    # At (1 + d) times the edge, |z| is 1 + s d with s = 2 for gradient descent and more for the
    # others, so over HALF steps growth is 1 + HALF s d. What can hide it: rounding, a few EPS a
    # step, and modes that have not died out, 0.95^HALF (Adam's; squared, where they are
    # orthogonal) of the one that counts. So d is at most a few EPS, which leaves the rounding of
    # the sharpness itself (see the tests of curvature).
    close = partial(pytest.approx, rel=4 * EPS**0.75 + 20 * EPS)
    assert found == close(float(edge(name, hyper | {"learning_rate": rate})))
    if known is not None:
        assert found == close(known)


@pytest.mark.parametrize(
    ("name", "hyper"),
    [
        ("sgd", {"focus_rate": 3.0}),
        ("momentum", {"momentum": 0.5}),
        ("adam", ADAM),
        ("adamw", ADAM | {"weight_decay": 0.5}),
    ],
)
def test_beyond_the_edge_steps_on_a_quadratic_grow_by_the_factor_that_is_said(name, hyper):
    hyper = {key: jnp.asarray(value, PRECISION) for key, value in hyper.items()}
    scale = rate_scale(parts(MOMENT), hyper)
    if name.startswith("adam"):
        root = jnp.sqrt(hyper["beta2"] * MOMENT) + hyper["epsilon"]
        scale = jax.tree.map(jnp.divide, scale, parts(root))
    # So little that growth over all steps leaves Adam's second moment what it is held at.
    beyond = 0.0005
    rate = jnp.asarray((1 + beyond) * rate_of_departure(name, hyper), PRECISION)
    early, late = jit(sizes_after(name))(hyper, rate)
    found = float(late / early) ** (1 / FURTHER)
    product = rate * sharpness_of(scale)
    expected = float(growth(name, hyper | {"learning_rate": rate}, product))
    assert 1.0005 < expected < 1.1
    # Other modes have died out to 0.95^HALF of the one that counts. The sharpness is exact to a
    # rounding, see the tests of curvature, and growth moves with it by this slope.
    slope = (expected - 1) / beyond
    assert found == pytest.approx(expected, rel=0.95**HALF + slope * (4 * EPS**0.75 + 20 * EPS))


def sizes_after(name):
    return lambda hyper, rate: tuple(sizes(name, hyper, rate, FURTHER))


def test_growth_is_one_at_the_edge_more_above_and_less_below():
    values = {"learning_rate": 0.01, "momentum": 0.7, "beta1": 0.8, "weight_decay": 0.3}
    for name in EDGES:
        level = edge(name, values)
        found = [float(growth(name, values, share * level)) for share in (0.9, 1.0, 1.1)]
        assert found[0] < 1 < found[2], name
        assert found[1] == pytest.approx(1, abs=20 * EPS), name
    # Two roots that are not real are of one size, whose square is what momentum keeps.
    product = np.linspace(0.1, 3, 7)
    np.testing.assert_allclose(growth("momentum", {"momentum": 0.81}, product), 0.9, rtol=4 * EPS)
    np.testing.assert_allclose(growth("sgd", {}, product), abs(1 - product), atol=4 * EPS)
    with pytest.raises(InputError, match="got 'lion', expected one of"):
        growth("lion", {}, product)


def test_optimisers_of_the_package_have_their_edges_and_another_has_none():
    # Normalised steps never shrink; the scale of RMSprop's is not measured along training.
    assert OPTIMISERS.keys() - EDGES.keys() == {"rmsprop", "normalised"}
    with pytest.raises(InputError, match=r"got 'lion', expected one of adam, adamw, momentum, sgd"):
        edge("lion", {})


def test_edges_of_a_sweep_are_those_of_its_points():
    momenta = jnp.array([0.0, 0.5, 0.9])
    np.testing.assert_allclose(edge("momentum", {"momentum": momenta}), [2, 3, 3.8], rtol=4 * EPS)
    np.testing.assert_array_equal(edge("sgd", {"learning_rate": momenta}), [2, 2, 2])
    # Without momentum the edges are one.
    assert edge("adam", {"beta1": 0.0}) == 2
