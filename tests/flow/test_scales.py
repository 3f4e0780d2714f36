"""No scale is assumed: of parameters, of gradients, of time."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import assert_same_bits, bags, hyper, jit, slow_but, splits

from jaxattn.core.contracts import Problem, Status
from jaxattn.core.streams import streams
from jaxattn.flow import LIMITS, make_flow, stationary
from jaxattn.flow.units import of_new_start, of_state
from jaxattn.training.optimisers import as_optimiser

pytestmark = pytest.mark.needs_x64

SAVES, RATE = (0, 3, 9, 20), 0.1
SWITCH_TIME = 0.7
SCALES = 2.0 ** np.asarray([0, -40, 30])
BATCH = splits(bags(np.random.default_rng(0)))


def coupled(params, batch, hyper, time, key, state):
    """Of degree 2 in the parameters; a start at 0 of one part is moved by the other."""
    focus, classify = params["focus"], params["classify"]
    pull = jnp.where(time < hyper["switch_time"], 1.0, 3.0)
    loss = pull * jnp.sum(classify**2) + jnp.sum((focus - jnp.asarray([1.0, 2.0]) * classify) ** 2)
    return hyper["steepness"] * loss / 2, state


def saddle(params, batch, hyper, time, key, state):
    """Linear attention of one weight: the output is the product of both parts, the label 1."""
    return hyper["steepness"] * jnp.sum((1 - params["focus"] * params["classify"]) ** 2) / 2, state


def problem_of(loss, switch_time=True):
    return Problem(
        init=lambda key, hyper: {},
        loss=loss,
        measure=lambda *_: {},
        discontinuities=lambda hyper: hyper["switch_time"][None] if switch_time else jnp.zeros(0),
        precision="float64",
    )


def solved(made, starts, rows):
    """One program for all rows, which differ in their units alone."""
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *rows)
    run = jit(jax.vmap(lambda start, row: made(start, row, BATCH, streams(0))))
    return run(starts, stacked)


def row(size, time, steep, **more):
    """Settings of parameters of this size, in times of this length, on a loss this steep."""
    return hyper(learning_rate=RATE * time, switch_time=SWITCH_TIME * time, steepness=steep, **more)


# Limits whose steps have the size of a gradient, and those whose steps have the size of the rate.
BY_GRADIENT = {"flow": {}, "modified": {}, "third-order": {}, "heavy-ball": {"momentum": 0.5}}
BY_RATE = {"adam": (1.0, {"beta1": 0.5, "beta2": 0.8}), "rmsprop": (2.0, {"decay": 0.7})}


def rows_of(limit):
    if limit in BY_GRADIENT:
        # The unit of time is that of 1/steepness: here it varies against that of parameters.
        return [row(s, 1 / s, s, **BY_GRADIENT[limit]) for s in SCALES]
    power, more = BY_RATE.get(limit, (None, {}))
    own = [{} if power is None else {"epsilon": 1e-3 * s**power} for s in SCALES]
    # A normalised flow is at the minimum after the length of its way.
    part = 0.25 if limit == "normalised" else 1.0
    return [row(s, part * s, 1.0, **more, **each) for s, each in zip(SCALES, own, strict=True)]


@pytest.mark.parametrize("focus", slow_but([0.0], [0.0, 0.3]))
@pytest.mark.parametrize("limit", slow_but(["heavy-ball"], [*BY_GRADIENT, *BY_RATE, "normalised"]))
def test_a_limit_from_a_scaled_start_is_the_scaled_limit_to_the_bit(limit, focus):
    family = (LIMITS[limit].families or ("sgd",))[-1 if limit == "heavy-ball" else 0]
    made = make_flow(problem_of(coupled), as_optimiser(family), SAVES, True, limit=limit)
    start = {"focus": np.full(2, focus), "classify": np.asarray([0.5, -1.1])}
    starts = jax.tree.map(lambda leaf: jnp.multiply.outer(SCALES, leaf), start)
    found = solved(made, starts, rows_of(limit))
    assert np.all(found.status == Status.DONE)
    assert len(set(found.work["steps"].tolist())) == 1
    for at, scale in enumerate(SCALES):
        first, other = (
            jax.tree.map(lambda leaf, n=n: np.asarray(leaf[n]), found.params) for n in (0, at)
        )
        assert_same_bits(jax.tree.map(lambda leaf, by=scale: leaf / by, other), first)
    assert float(jnp.max(jnp.abs(found.params["focus"][0, -1] - focus))) > 0.05


# Up to where the product is 1/2: u = v solve (u^2)' = 2 u^2 (1 - u^2).
@pytest.mark.parametrize("size", [1e-6, 1e-12])
def test_the_drop_of_linear_attention_comes_when_it_should_from_a_start_however_small(size):
    drop = np.log(1 / size**2 - 1) / 2
    made = make_flow(problem_of(saddle, False), as_optimiser("sgd"), (0, 1), True)
    run = jit(lambda start, rate: made(start, rate, BATCH, streams(0)))
    start = {"focus": np.full(1, size), "classify": np.full(1, size)}
    found = run(start, hyper(learning_rate=drop, steepness=1.0))
    assert found.status == Status.DONE
    product = float(np.prod([leaf[-1] for leaf in found.params.values()]))
    # Each step is right to 1e-6 of both factors, and an error that is made early stays as large.
    np.testing.assert_allclose(product, 0.5, rtol=2e-6 * float(found.work["steps"]))
    # While it grows, as many steps for each factor of e.
    assert found.work["steps"] < 6 * drop


def test_a_leaf_of_zeros_has_the_smallest_unit_of_its_kind_and_1_where_all_are_zeros():
    zeros, ones, small = np.zeros(3), np.full(3, 1.2), np.full(3, 1e-6)
    params = {"classify": ones, "focus": zeros, "shared": small}
    near = 2.0 ** round(np.log2(1e-6))
    mixed = of_state((params, {**params, "shared": 1e-9 * ones}), params)
    assert mixed[0] == {"classify": 1, "focus": near, "shared": near}
    assert mixed[1]["focus"] == mixed[1]["shared"] == 2.0 ** round(np.log2(1.2e-9))
    still = jax.tree.map(np.zeros_like, params)
    assert of_state((params, still), params)[1] == dict.fromkeys(params, 1.0)
    # Squares that no float holds are no reason to take 1.
    tiny = jax.tree.map(lambda leaf: 1e-250 * leaf, params)
    assert of_state(tiny, tiny)["classify"] == 2.0 ** round(np.log2(1.2e-250))
    # What is not finite has no unit, and fails by itself.
    lost = {**params, "focus": np.full(3, np.nan)}
    assert of_state(lost, lost)["focus"] == near
    # Of the parameters those of the run count, also where the limit starts beside them.
    assert of_state(tiny, params) == of_state(params, params)


def test_what_starts_anew_is_solved_no_less_closely_and_parameters_as_before():
    params, moment = {"focus": np.full(2, 0.5)}, {"focus": np.full(2, 4.0)}
    units = of_state((params, moment), params)
    moved, other = {"focus": np.full(2, 8.0)}, {"focus": np.full(2, 2.0**-9)}
    again = of_new_start(units, (moved, other), params)
    assert (again[0]["focus"], again[1]["focus"]) == (0.5, 2.0**-9)
    larger = of_new_start(units, (moved, {"focus": np.full(2, 64.0)}), params)
    assert larger[1]["focus"] == 4.0


# Of bits: told to be quick, XLA joins the factor 1 of one program to other sums than the other's.
@pytest.mark.default_xla
def test_log_time_and_an_event_know_no_scale_either():
    level, size = 1e-3, SCALES[1]
    ends, paths = [], []
    for scale in (1.0, size):
        # Time is in units of 1 / scale.
        until = stationary(level * scale**2)
        made = make_flow(
            problem_of(coupled), as_optimiser("sgd"), (0, 400), "last", until=until,
            log_time_unit=1 / scale,
        )  # fmt: skip
        start = {"focus": np.zeros(2), "classify": scale * np.asarray([0.5, -1.1])}
        found = jit(made)(start, row(scale, 1 / scale, scale), BATCH, streams(0))
        assert found.status == Status.CONVERGED
        ends.append(float(found.time_reached) * scale)
        paths.append(jax.tree.map(lambda leaf, by=scale: leaf / by, found.params))
    assert ends[0] == ends[1]
    assert_same_bits(*paths)
