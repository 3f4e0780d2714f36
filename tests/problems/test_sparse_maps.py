"""Maps with exact zeros: what they are, their limits, and their derivatives of two orders."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import EPS, PRECISION, bags, hyper, jit, task_of
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jaxattn.core.contracts import Example, InputError
from jaxattn.models import linear
from jaxattn.problems.attention import ATTENTION_MAPS, softmax, with_entropy_penalty
from jaxattn.problems.attention_problem import attention_problem
from jaxattn.problems.log_attention import log_of
from jaxattn.problems.sparse_maps import entmax_of

SEGMENTS = 6
FULL = np.ones(SEGMENTS, bool)
MAPS = {"entmax": 1.5, "nearly softmax": 1.1, "nearly sparsemax": 1.9, "sparsemax": 2.0}
"""Alpha of each."""

# A step of Newton's method from the root changes it by the rounding of a sum of SEGMENTS shares.
ROUNDED = 20 * SEGMENTS * EPS

scores = arrays(PRECISION, SEGMENTS, elements=st.floats(-8, 8, width=32))
masks = arrays(bool, SEGMENTS).filter(np.any)
alphas = st.floats(1.0625, 2, width=32)
needs_x64 = pytest.mark.needs_x64


def bag(mask=FULL) -> Example:
    blank = jnp.zeros((SEGMENTS, 1), PRECISION)
    none = jnp.zeros(SEGMENTS, bool)
    weight = jnp.ones((), PRECISION)
    return Example(blank, jnp.asarray(mask), jnp.asarray(0, jnp.int32), none, weight)


compiled = {name: jit(ATTENTION_MAPS[name].apply) for name in ("entmax", "sparsemax", "spherical")}
log_softmax = jit(softmax.apply)


def attention_of(name, values, mask=FULL, alpha=1.5):
    settings = hyper(entmax_alpha=alpha)
    return np.exp(np.asarray(compiled[name](values, bag(mask), settings), float))


# ---- what they are


@given(scores, masks, alphas)
def test_entmax_satisfies_the_conditions_of_its_maximum(values, mask, alpha):
    """On the support ``s - a^(alpha - 1) / (alpha - 1)`` is one number; off it no score is above.

    These, and a sum of 1, are all that the maximum of a concave function on the simplex must obey.
    """
    attention = attention_of("entmax", values, mask, alpha)
    assert abs(attention.sum() - 1) <= ROUNDED
    assert np.all(attention[~mask] == 0)
    order = float(np.asarray(alpha, PRECISION)) - 1
    multiplier = values.astype(float) - attention**order / order
    there = attention > 0
    level = multiplier[attention.argmax()]
    # Scores of up to 8, and a power of at most 1 divided by at least 1/16, rounded a few times.
    bound = 50 * 24 * EPS
    assert np.all(np.abs(multiplier[there] - level) <= bound)
    assert np.all(values[mask & ~there] <= level + bound)


@given(scores, masks)
def test_sparsemax_is_the_projection_on_the_simplex(values, mask):
    """By Held, Wolfe and Crowder's threshold from sorted scores; its zeros are exact."""
    attention = attention_of("sparsemax", values, mask)
    ordered = np.sort(values[mask].astype(float))[::-1]
    thresholds = (np.cumsum(ordered) - 1) / np.arange(1, ordered.size + 1)
    exact = np.where(mask, np.maximum(values - thresholds.max(), 0), 0)
    np.testing.assert_allclose(attention, exact, rtol=0, atol=8 * ROUNDED)
    assert np.all(attention[exact == 0] <= 8 * ROUNDED)
    clear = np.abs(values - thresholds.max()) > 8 * ROUNDED
    np.testing.assert_array_equal((attention > 0)[clear], (exact > 0)[clear])


@given(scores, masks, st.sampled_from([-4.0, 0.5, 2.0, 1024.0]))
def test_spherical_attention_is_the_share_of_squares_of_any_size_and_sign(values, mask, size):
    assume(np.abs(values[mask]).max() > 1e-3)
    squares = np.where(mask, values.astype(float), 0) ** 2
    attention = attention_of("spherical", values, mask)
    np.testing.assert_allclose(attention, squares / squares.sum(), rtol=100 * EPS, atol=1e-37)
    # A power of two rounds nothing.
    np.testing.assert_array_equal(attention, attention_of("spherical", size * values, mask))


@pytest.mark.parametrize("name", compiled)
@given(values=scores, mask=masks, order=st.permutations(range(SEGMENTS)))
def test_permuting_segments_permutes_attention_and_padding_has_none(name, values, mask, order):
    assume(np.abs(values[mask]).max() > 1e-3)
    attention = attention_of(name, values, mask)
    moved = attention_of(name, values[order], mask[order])
    np.testing.assert_allclose(moved, attention[np.array(order)], rtol=0, atol=8 * ROUNDED)
    np.testing.assert_array_equal(attention[~mask], 0)
    padded = np.where(mask, values, 7.5).astype(PRECISION)
    np.testing.assert_array_equal(attention, attention_of(name, padded, mask))


# ---- limits


@given(scores, masks)
def test_entmax_is_softmax_as_alpha_falls_to_one_and_sparsemax_at_two(values, mask):
    """With ``a = exp(x) (1 - (alpha - 1) x^2 / 2 + ...)``, at scores that differ by up to 16."""
    near = 2.0**-12
    nearly = attention_of("entmax", values, mask, 1 + near)
    alike = np.exp(np.asarray(log_softmax(values, bag(mask), hyper()), float))
    # x^2 exp(x) / 2 is at most 0.28 of any segment, and the threshold moves by their sum.
    rounding = 100 * 16 * EPS / near
    np.testing.assert_allclose(nearly, alike, rtol=0, atol=2 * SEGMENTS * 0.28 * near + rounding)
    np.testing.assert_array_equal(
        attention_of("entmax", values, mask, 2.0), attention_of("sparsemax", values, mask)
    )


@pytest.mark.parametrize("alpha", MAPS.values(), ids=MAPS)
def test_large_scores_give_the_argmax_and_small_ones_equal_shares(alpha, rng):
    values = rng.normal(size=SEGMENTS).astype(PRECISION)
    mask = np.array([1, 1, 1, 1, 0, 1], bool)
    gap = np.diff(np.sort(values[mask]))[-1]
    # The best takes all once it leads by 1 / (alpha - 1).
    large = attention_of("entmax", (values * 1.001 / (gap * (alpha - 1))), mask, alpha)
    one_hot = np.arange(SEGMENTS) == np.argmax(np.where(mask, values, -np.inf))
    np.testing.assert_array_equal(large, one_hot.astype(float))
    small = attention_of("entmax", values * 1e-4, mask, alpha)
    # The derivative by a score is at most 1.
    np.testing.assert_allclose(small[mask], 1 / 5, rtol=0, atol=2e-4 * np.abs(values).max())


def test_scores_that_overflow_the_precision_change_nothing_but_the_argmax():
    values = np.array([1e30, -1e30, 0, 3e30, 1, 2e30], "float32")
    for name in compiled:
        attention = np.asarray(compiled[name](values, bag(), hyper("float32", entmax_alpha=1.5)))
        assert not np.isnan(attention).any()
        np.testing.assert_allclose(np.exp(attention).sum(), 1, rtol=1e-6)


def test_nan_stays_nan(rng):
    values = rng.normal(size=SEGMENTS).astype(PRECISION)
    values[2] = np.nan
    for name in compiled:
        assert np.isnan(attention_of(name, values)).any()
    assert np.isnan(attention_of("spherical", np.zeros(SEGMENTS, PRECISION))).all()


# ---- derivatives

H = 2.0**-17
"""Central differences of functions of order one: an error of H^2 and one of EPS / H, 1e-10 both."""


def lookers(name):
    """Value, gradient, and HVP forwards and backwards, of a sum by attention and its entropy."""
    towards = jnp.asarray(np.random.default_rng(5).normal(size=SEGMENTS))

    def value(values, alpha):
        log_attention = ATTENTION_MAPS[name].apply(values, bag(), {"entmax_alpha": alpha})
        return jnp.sum(jnp.exp(log_attention) * towards)

    gradient = jax.grad(value)

    def looked(values, alpha, along):
        forward = jax.jvp(lambda x: gradient(x, alpha), (values,), (along,))[1]
        backward = jax.grad(lambda x: jnp.sum(gradient(x, alpha) * along))(values)
        by_alpha = jax.grad(value, argnums=1)(values, alpha)
        directed = jax.jvp(lambda x: value(x, alpha), (values,), (along,))[1]
        given = (value(values, alpha), gradient(values, alpha))
        return (*given, directed, forward, backward, by_alpha)

    return jit(looked)


LOOKERS = {name: lookers(name) for name in compiled} if PRECISION == "float64" else {}


def settled(rng, alpha):
    """Scores with zeros of attention, none of whose segments is near to being let in or out."""
    while True:
        values = 1.5 * rng.normal(size=SEGMENTS)
        attention = attention_of("entmax", values, alpha=alpha)
        moved = [attention_of("entmax", values + 0.05 * e, alpha=alpha) for e in np.eye(SEGMENTS)]
        same = all(((one > 0) == (attention > 0)).all() for one in moved)
        if same and 1 < (attention > 0).sum() < SEGMENTS and attention[attention > 0].min() > 0.03:
            return values


@needs_x64
@pytest.mark.parametrize("case", [*MAPS, "spherical"])
def test_derivatives_of_both_orders_agree_with_finite_differences(case, rng):
    alpha = MAPS.get(case, 1.5)
    looked = LOOKERS["spherical" if case == "spherical" else "entmax"]
    values = settled(rng, 2.0 if case == "spherical" else max(alpha, 1.5))
    along = rng.normal(size=SEGMENTS)
    value, gradient, directed, forward, backward, by_alpha = looked(values, alpha, along)
    del value
    up, down = (looked(values + sign * H * along, alpha, along) for sign in (1, -1))
    # Third derivatives of powers of numbers above 0.03, times directions of length 3.
    atol = 1e-6
    np.testing.assert_allclose(directed, (up[0] - down[0]) / (2 * H), rtol=0, atol=atol)
    np.testing.assert_allclose(gradient @ along, directed, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(forward, (up[1] - down[1]) / (2 * H), rtol=0, atol=atol)
    np.testing.assert_allclose(forward, backward, rtol=1e-10, atol=1e-10)
    if case not in ("spherical", "sparsemax"):
        high, low = (looked(values, alpha + sign * H, along)[0] for sign in (1, -1))
        np.testing.assert_allclose(by_alpha, (high - low) / (2 * H), rtol=0, atol=atol)


@needs_x64
def test_sparsemax_has_the_derivatives_of_entmax_at_two(rng):
    values, along = settled(rng, 2.0), rng.normal(size=SEGMENTS)
    for own, other in zip(
        *(LOOKERS[name](values, 2.0, along)[:5] for name in ("sparsemax", "entmax")), strict=True
    ):
        np.testing.assert_allclose(own, other, rtol=1e-12, atol=1e-12)


def test_jacobians_by_columns_and_by_rows_are_the_same(rng):
    values, alpha = rng.normal(size=SEGMENTS).astype(PRECISION), jnp.asarray(1.5, PRECISION)

    def both(values):
        return jax.jacfwd(entmax_of)(values, alpha), jax.jacrev(entmax_of)(values, alpha)

    columns, rows = jit(both)(values)
    np.testing.assert_allclose(columns, rows, rtol=0, atol=10 * EPS)
    np.testing.assert_allclose(columns, columns.T, rtol=0, atol=10 * EPS)


def test_the_log_of_no_attention_has_no_derivative(rng):
    attention = jnp.asarray([0.25, 0.0, 0.75], PRECISION)
    gradient = jax.grad(lambda one: jnp.sum(jnp.exp(log_of(one)) * 3))(attention)
    np.testing.assert_allclose(gradient, [3, 0, 3], rtol=10 * EPS)
    curvature = jax.hessian(lambda one: jnp.sum(jnp.exp(log_of(one))))(attention)
    np.testing.assert_allclose(curvature, 0, atol=10 * EPS)


# ---- within a problem

BATCH = bags(np.random.default_rng(1), 6)
TASK = task_of(BATCH)


def lossy(paradigm, attention, **hypers):
    """Loss, gradient and HVP along a direction, as one function of parameters and direction."""
    problem = attention_problem(TASK, linear(3, start="normal"), paradigm, attention, PRECISION)
    settings = hyper(entmax_alpha=1.5, **hypers)

    def loss(params):
        return problem.loss(params, BATCH, settings, settings["learning_rate"], None, ())[0]

    def looked(params, along):
        gradient, turned = jax.jvp(jax.grad(loss), (params,), (along,))
        return loss(params), gradient, turned

    params = jax.tree.map(lambda leaf: 3 * leaf, problem.init(jax.random.key(3), settings))
    return problem, params, jit(looked)


def dot(a, b):
    return sum(jax.tree.leaves(jax.tree.map(lambda x, y: float(jnp.sum(x * y)), a, b)))


@needs_x64
@pytest.mark.parametrize("paradigm", ["soft", "hard", "lvml", "hybrid"])
def test_each_paradigm_learns_by_attention_that_is_zero_in_places(paradigm, rng):
    problem, params, looked = lossy(paradigm, "sparsemax", switch_time=0.05)
    measured = jit(problem.measure)(params, BATCH, hyper())
    assert (np.asarray(measured["attention_shown"]) == 0).any()
    assert all(
        np.isfinite(values).all() for name, values in measured.items() if name != "attention_shown"
    )
    along = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape), params)
    sides = [
        looked(jax.tree.map(lambda x, d, s=s: x + s * H / 8 * d, params, along), along)
        for s in (1, -1)
    ]
    _, gradient, turned = looked(params, along)
    by_difference = (sides[0][0] - sides[1][0]) / (H / 4)
    np.testing.assert_allclose(dot(gradient, along), by_difference, rtol=1e-6)
    of_gradient = (dot(sides[0][1], along) - dot(sides[1][1], along)) / (H / 4)
    np.testing.assert_allclose(dot(turned, along), of_gradient, rtol=1e-5)


def test_em_and_lvml_have_one_gradient_where_attention_is_zero_too(rng):
    _, params, of_em = lossy("em", "sparsemax")
    _, _, of_lvml = lossy("lvml", "sparsemax")
    along = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype(leaf.dtype), params)
    for one, other in zip(of_em(params, along)[1:], of_lvml(params, along)[1:], strict=True):
        jax.tree.map(
            lambda x, y: np.testing.assert_allclose(x, y, rtol=1e3 * EPS, atol=1e4 * EPS),
            one,
            other,
        )


def test_a_penalty_takes_its_share_of_any_loss_and_leaves_the_measures(rng):
    """``(1 - k) loss + k H``, and so its gradient; at k = 0 the loss alone."""
    problem, params, looked = lossy("lvml", "entmax+entropy", entropy_weight=0.25)
    bare_problem, _, of_loss = lossy("lvml", "entmax")
    _, _, of_entropy = lossy("lvml", "entmax+entropy", entropy_weight=1.0)
    _, _, of_nothing = lossy("lvml", "entmax+entropy", entropy_weight=0.0)
    along = jax.tree.map(jnp.zeros_like, params)
    found, bare, entropy, nothing = (
        one(params, along)[:2] for one in (looked, of_loss, of_entropy, of_nothing)
    )
    mixed = jax.tree.map(lambda a, b: 0.75 * a + 0.25 * b, bare, entropy)
    for one, other in ((found, mixed), (nothing, bare)):
        jax.tree.map(
            lambda x, y: np.testing.assert_allclose(x, y, rtol=0, atol=1e3 * EPS), one, other
        )
    settings = hyper(entmax_alpha=1.5, entropy_weight=0.25)
    measured, of_bare = (
        jit(one.measure)(params, BATCH, settings) for one in (problem, bare_problem)
    )
    np.testing.assert_allclose(entropy[0], measured["attention_entropy"], rtol=100 * EPS)
    np.testing.assert_array_equal(measured["loss"], of_bare["loss"])
    mine = with_entropy_penalty(lambda *given: softmax.apply(*given))
    assert [spec.name for spec in mine.hypers] == ["entropy_weight"]


def test_a_model_that_starts_at_zero_scores_has_no_spherical_attention():
    from_zero = attention_problem(TASK, linear(3), "soft", "spherical", PRECISION)
    with pytest.raises(InputError, match=r"NaN of scores that are all zero, .* such as mlp"):
        from_zero.verify()
    at_random = linear(3, start="normal")
    attention_problem(TASK, at_random, "soft", "spherical", PRECISION).verify()
    attention_problem(TASK, linear(3), "soft", "sparsemax", PRECISION).verify()
