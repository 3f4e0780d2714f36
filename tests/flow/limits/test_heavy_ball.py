"""Heavy ball beside its second-order equation and its modified flow, each with its control.

The test problem of THEORY section 6: the orthogonal population with 5 segments and 3 classes, soft
attention, all 12 parameters at a random start. At fixed momentum a step is ``eta / (1 - momentum)``
of time; at fixed friction ``sqrt(eta) / friction``.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flow_cases import Case, assert_order, distances, even_times, halved, repeated, settings
from helpers import EPS, hyper

from jaxattn.core.contracts import InputError, Splits, Status
from jaxattn.flow import LIMITS, RunContext, limit_for
from jaxattn.flow.limits.base import tree_add_scaled
from jaxattn.problems.attention_problem import attention_problem
from jaxattn.problems.minibatches import Order
from jaxattn.tasks import orthogonal_population
from jaxattn.training.decays import momentum_of
from jaxattn.training.optimisers import as_optimiser

pytestmark = pytest.mark.needs_x64

MOMENTUM = as_optimiser("momentum")
TASK = orthogonal_population(classes=3, segments=5)
CASE = Case(
    attention_problem(TASK, "linear", "soft", precision="float64"),
    Splits(TASK.make(0)["train"], TASK.make(0)),
    even_times(32.0),
)
POINT = np.random.default_rng(0).normal(size=12)
START = {
    "shared": {},
    "focus": {"Dense_0": {"kernel": jnp.asarray(POINT[:3].reshape(3, 1))}},
    "classify": {"Dense_0": {"kernel": jnp.asarray(POINT[3:].reshape(3, 3))}},
}
# The sharpness is 0.05, and 32 to 512 steps at fixed momentum are 32 of time.
RATES, FIXED = halved(0.5, 5), 0.5
SLOW_RATES, FRICTION = halved(0.25, 5, by=4.0), 0.25
PAST_LAYER = slice(12, None)  # of the times: momentum^steps is at most 1e-7

# At fixed momentum the friction is what makes it so: one program for both.
AT_MOMENTUM = [{"learning_rate": rate, "friction": (1 - FIXED) / rate**0.5} for rate in RATES]
AT_FRICTION = [{"learning_rate": rate, "friction": FRICTION} for rate in SLOW_RATES]


ROWS = AT_MOMENTUM + AT_FRICTION


@pytest.fixture(scope="module")
def trained():
    found = CASE.train(MOMENTUM, 512)(repeated(START, len(ROWS)), settings(ROWS))
    assert np.all(found.status == Status.DONE)
    assert found.step[:, -1].tolist() == [32, 64, 128, 256, 512, 16, 32, 64, 128, 256]
    return found


def beside(trained, limit, controls, rows=ROWS):
    """Distances ``[control, row, save]`` of training from a limit under each of these controls.

    A control turns a row into the hypers that `limit` reads beside the usual ones.
    """
    each = [row | control(row) for control in controls for row in rows]
    found = CASE.solve(MOMENTUM, limit, solver="dopri8")(repeated(START, len(each)), settings(each))
    assert np.all(found.status == Status.DONE)
    alike = jax.tree.map(lambda leaf: np.concatenate([leaf[: len(rows)]] * len(controls)), trained)
    return distances(alike, found).reshape(len(controls), len(rows), -1)


@pytest.mark.slow
def test_the_second_order_equation_has_its_orders_and_loses_them_without_mass_or_velocity(trained):
    shipped = LIMITS["heavy-ball"]

    def equation(context, params, origin):
        made = shipped.equation(context, params, origin)
        position, velocity = made.start

        def field(time, state):
            moves, pushes = made.field(time, state)
            return moves, times(context.hyper["lightness"], pushes)

        return made._replace(
            start=(position, times(context.hyper["moving"], velocity)), field=field
        )

    controls = (
        lambda row: {"lightness": 1.0, "moving": 1.0},
        # Mass 1 for (1+b)/2.
        lambda row: (
            {"lightness": 1 - row["friction"] * row["learning_rate"] ** 0.5 / 2} | {"moving": 1.0}
        ),
        lambda row: {"lightness": 1.0, "moving": 0.0},
    )
    error = beside(trained, shipped._replace(equation=equation), controls)
    # At fixed momentum, after the start layer.
    for found, order in zip(error[:, :5, PAST_LAYER].max(axis=-1), (2, 1, 1), strict=True):
        assert_order(RATES, found, order, 0.1)
    # At fixed friction, from the start on.
    for found, order in zip(error[:, 5:].max(axis=-1), (1, 0.5, 0.5), strict=True):
        assert_order(SLOW_RATES, found, order, 0.1)


# By default the quadratic below stands for it.
@pytest.mark.slow
def test_the_modified_flow_has_order_2_from_the_first_step_and_1_without_its_shifted_start(trained):
    shipped = LIMITS["modified"]

    def equation(context, params, origin):
        made = shipped.equation(context, params, origin)
        shift = jax.tree.map(lambda a, b: context.hyper["shift"] * (a - b), made.start, params)

        def read(time, state):
            layer = jax.tree.map(lambda a, b: a - b, made.read(time, state), state)
            return tree_add_scaled(state, context.hyper["shift"], layer)

        return made._replace(start=tree_add_scaled(params, 1.0, shift), read=read)

    controls = (lambda row: {"shift": 1.0}, lambda row: {"shift": 0.0})
    error = beside(trained, shipped._replace(equation=equation), controls, AT_MOMENTUM)
    error = error.max(axis=-1)
    assert_order(RATES, error[0], 2, 0.1)
    assert_order(RATES, error[1], 1, 0.1)


def times(factor, tree):
    return jax.tree.map(lambda leaf: factor * leaf, tree)


def quadratic(hessian, **values):
    """Downhill is ``-hessian @ point``."""
    return RunContext(
        descent_direction=lambda time, point: -hessian @ point,
        gradient=lambda time, point: hessian @ point,
        per_example_losses=lambda time, point: jnp.zeros(1),
        per_example_gradients=lambda time, point: jnp.zeros((1, 2)),
        measure=lambda point: {},
        scale=lambda tree: tree,
        family="momentum",
        hyper=hyper("float64", **values),
        order=Order("fixed", None),
        examples=1,
    )


HESSIAN = jnp.asarray([[0.8, 0.3], [0.3, 0.4]])


def test_on_the_optimisers_clock_the_second_order_equation_is_that_of_the_theory(rng):
    # THEORY 6: ((1+b)/2) x'' + ((1-b)/s) x' = -g from x'(0) = -s g0/(1+b), at time s k.
    rate, b = 0.3, 0.7
    s = rate**0.5
    place, speed = jnp.asarray(rng.normal(size=2)), jnp.asarray(rng.normal(size=2))
    made = LIMITS["heavy-ball"].equation(
        quadratic(HESSIAN, learning_rate=rate, momentum=b), place, jnp.zeros(())
    )
    own = s / (1 - b)  # the optimiser's clock, eta k / (1-b), goes by so much a unit of s k
    moves, pushes = made.field(jnp.zeros(()), (place, speed))
    balance = (1 + b) / 2 * own**2 * pushes + (1 - b) / s * own * moves
    np.testing.assert_allclose(balance, -HESSIAN @ place, rtol=100 * EPS)
    np.testing.assert_array_equal(moves, speed)
    np.testing.assert_allclose(own * made.start[1], -s * HESSIAN @ place / (1 + b), rtol=10 * EPS)
    np.testing.assert_array_equal(made.read(jnp.zeros(()), made.start), place)


@pytest.mark.parametrize("b", [0.0, 0.5, 0.9])
def test_the_start_layer_of_the_modified_flow_is_exact_where_the_gradient_is_constant(b):
    slope, rate, origin = np.array([1.0, -2.0]), 0.1, 3.0
    context = quadratic(jnp.zeros((2, 2)), learning_rate=rate, momentum=b)._replace(
        descent_direction=lambda time, point: -jnp.asarray(slope)
    )
    point, trace = np.array([0.4, 0.2]), np.zeros(2)
    made = LIMITS["modified"].equation(context, jnp.asarray(point), jnp.asarray(origin))
    step = rate / (1 - b)
    for at in range(40):
        time = at * step
        smooth = made.start + time * made.field(jnp.asarray(origin), made.start)
        found = made.read(jnp.asarray(origin + time), smooth)
        # Sums of 40 numbers of order one.
        np.testing.assert_allclose(found, point, rtol=0, atol=400 * EPS, err_msg=f"step {at}")
        trace = b * trace + slope
        point = point - rate * trace


def test_beside_a_quadratic_the_modified_flow_is_of_order_2_at_every_single_step():
    # Its field is linear: solved in closed form, in the basis of the Hessian.
    b, horizon, start = 0.6, 4.0, np.array([1.0, -0.7])
    values, vectors = np.linalg.eigh(HESSIAN)
    rates, error = halved(0.01, 5), []
    for rate in rates:
        step = rate / (1 - b)
        made = LIMITS["modified"].equation(
            quadratic(HESSIAN, learning_rate=rate, momentum=b), jnp.asarray(start), jnp.zeros(())
        )
        speed = np.array([v @ made.field(jnp.zeros(()), jnp.asarray(v)) for v in vectors.T])
        np.testing.assert_array_less(speed, -values)  # momentum is faster descent_direction
        point, trace, off = start, np.zeros(2), []
        for at in range(round(horizon / step) + 1):
            decay = vectors @ np.diag(np.exp(speed * at * step)) @ vectors.T
            found = made.read(jnp.asarray(at * step), jnp.asarray(decay @ np.asarray(made.start)))
            off.append(np.linalg.norm(found - point))
            trace = b * trace + np.asarray(HESSIAN) @ point
            point = point - rate * trace
        assert off[0] < 10 * EPS
        error.append((off[1], off[2], max(off)))
    # The first steps are at times that fall with the rate, and so does their error once more.
    for found in np.transpose(error):
        assert_order(rates, found, 2, 0.1)


def test_a_friction_is_a_momentum_that_goes_to_1_as_the_rate_goes_to_0():
    rate, friction = 0.04, 1.5
    given = hyper("float64", learning_rate=rate, momentum=0.2, friction=friction)
    assert momentum_of(given) == pytest.approx(0.7, abs=EPS)
    assert momentum_of(hyper("float64", momentum=0.2)) == 0.2
    plain = hyper("float64", learning_rate=rate, momentum=float(momentum_of(given)))
    assert jnp.all(MOMENTUM.clock(given, 3) == MOMENTUM.clock(plain, 3))
    point = {"focus": jnp.ones(2), "classify": jnp.arange(3.0)}
    for one, other in zip(*(walk(MOMENTUM, row, point) for row in (given, plain)), strict=True):
        jax.tree.map(np.testing.assert_array_equal, one, other)


def walk(optimiser, row, point):
    """Three updates along the same gradient."""
    made = optimiser.make(row, lambda count: row["learning_rate"])
    state, seen = made.init(point), []
    for _ in range(3):
        updates, state = made.update(point, state, point)
        seen.append(updates)
    return seen


def test_gradient_descent_has_no_second_order_equation():
    with pytest.raises(InputError, match=r"heavy-ball: got the optimiser 'sgd'.*expected momentum"):
        limit_for("heavy-ball", as_optimiser("sgd"), Order("fixed", None))
