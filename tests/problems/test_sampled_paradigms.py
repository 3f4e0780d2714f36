"""Estimators of hard attention by samples, against its exact expectation and their own limits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import CLASSES, EPS, PRECISION, all_finite, bags, hyper, jit, task_of

from jaxattn.core.contracts import Context, Reader
from jaxattn.models import linear
from jaxattn.problems.attention_problem import attention_problem
from jaxattn.problems.paradigms import hard, soft
from jaxattn.problems.sampled_paradigms import SAMPLED, gumbel_softmax, reinforce, straight_through

DRAWS = 20000
LABEL = jnp.asarray(1)
MASK = np.array([True, True, False, True])
"""The third segment is padding."""
SPREAD = 4.5
"""Standard errors: of all coordinates of a test, below 100, none is beyond them but once in 1500
seeds; the seed is fixed."""


def setting(rng):
    """Scores, values and a classifier, of order one."""
    shapes = ((4,), (4, 3), (3, CLASSES))
    return tuple(jnp.asarray(rng.normal(size=shape), PRECISION) for shape in shapes)


def loss_of(paradigm, scores, values, weights, key, state=0.0, mask=MASK, **hypers):
    context = Context(hyper(**hypers), jnp.asarray(0.0, PRECISION), key, jnp.asarray(state))
    log_attention = jax.nn.log_softmax(jnp.where(mask, scores, -jnp.inf))
    return paradigm.loss(log_attention, values, Reader(lambda v: v @ weights), LABEL, context)[0]


def derivatives(paradigm, *arguments, **more):
    """The gradient by scores, values and weights, flat; and the Hessian by scores."""

    def of(scores, values, weights, key):
        return loss_of(paradigm, scores, values, weights, key, **more)

    slopes = jax.grad(of, argnums=(0, 1, 2))(*arguments)
    gradient = jnp.concatenate([jnp.ravel(slope) for slope in slopes])
    return of(*arguments), gradient, jax.hessian(of)(*arguments)


def sampled(paradigm, given, **more):
    """`derivatives` of so many draws, an axis of draws in front."""
    keys = jax.random.split(jax.random.key(7), DRAWS)
    many = jax.vmap(lambda key: derivatives(paradigm, *given, key, **more))
    return [np.asarray(found, np.float64) for found in jit(many)(keys)]


def errors(draws, exact):
    """How many standard errors the mean of draws is away, by coordinate; 0 where both are equal."""
    gap = draws.mean(axis=0) - np.asarray(exact, np.float64)
    spread = draws.std(axis=0) / np.sqrt(len(draws))
    # Where draws do not vary but by rounding, no more than rounding may be between the two.
    return np.abs(gap) / np.maximum(spread, 1000 * EPS)


@pytest.mark.parametrize("baseline", [0.0, 1.3])
def test_reinforce_has_the_loss_gradient_and_hessian_of_hard_attention_on_average(rng, baseline):
    given = setting(rng)
    exact = jit(lambda *given: derivatives(hard, *given, None))(*given)
    for found, one in zip(sampled(reinforce, given, state=baseline), exact, strict=True):
        assert np.max(errors(found, one)) <= SPREAD


@pytest.mark.parametrize(
    ("paradigm", "hypers"),
    [
        (straight_through, {}),
        (gumbel_softmax, {"gumbel_temperature": 1.0}),
        (gumbel_softmax, {"gumbel_temperature": 0.3}),
    ],
)
def test_the_other_estimators_are_biased(rng, paradigm, hypers):
    given = setting(rng)
    exact = jit(lambda *given: derivatives(hard, *given, None))(*given)
    _, gradient, _ = sampled(paradigm, given, **hypers)
    assert np.max(errors(gradient, exact[1])) > 4 * SPREAD


def test_a_baseline_at_the_mean_loss_takes_all_variance_where_all_segments_lose_alike(rng):
    scores, values, weights = setting(rng)
    # A classifier of zeros gives every class the same probability.
    given = (scores, values, 0 * weights)
    alone, beside = (
        sampled(reinforce, given, state=state)[1][:, :4] for state in (0.0, np.log(CLASSES))
    )
    # Of one draw, by score k: log(C)^2 a_k (1 - a_k).
    attention = np.asarray(jax.nn.softmax(jnp.where(MASK, scores, -jnp.inf)), np.float64)
    variance = np.log(CLASSES) ** 2 * attention * (1 - attention)
    # The standard error of a variance of draws of two values is at most 1 / sqrt(DRAWS) here.
    np.testing.assert_allclose(alone.var(axis=0), variance, atol=SPREAD / np.sqrt(DRAWS))
    assert variance.max() > 0.1
    np.testing.assert_allclose(beside, 0, atol=10 * EPS)


@pytest.mark.parametrize("paradigm", SAMPLED, ids=lambda one: one.name)
def test_a_segment_without_attention_is_never_seen_and_makes_no_nan(rng, paradigm):
    scores, values, weights = setting(rng)
    blind = (scores, values.at[2].set(1e30), weights)
    with_it, without = (sampled(paradigm, given) for given in ((scores, values, weights), blind))
    assert all_finite(without)
    for found, expected in zip(without, with_it, strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=100 * EPS)
    _, gradient, _ = without
    # XLA turns some products with 0 into choices, which plain JAX does not.
    plain = jax.grad(lambda *given: loss_of(paradigm, *given, jax.random.key(0)), (0, 1, 2))(*blind)
    assert all_finite(plain)
    by_segment = gradient[:, 4:16].reshape(DRAWS, 4, 3)
    assert not np.any(by_segment[:, 2])
    assert not np.any(gradient[:, 2])
    assert np.all(np.any(by_segment[:, MASK], axis=(0, 2)))


@pytest.mark.parametrize("paradigm", SAMPLED, ids=lambda one: one.name)
def test_of_a_single_segment_all_are_soft_attention(rng, paradigm):
    given, mask = setting(rng), np.array([False, True, False, False])
    key = jax.random.key(0)
    found, expected = (
        jit(lambda *given, one=one: derivatives(one, *given, key, mask=mask))(*given)
        for one in (paradigm, soft)
    )
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=100 * EPS)


def test_straight_through_sees_the_sample_and_learns_by_the_attention(rng):
    scores, values, weights = given = setting(rng)
    losses = -jax.nn.log_softmax(values @ weights)[:, LABEL]
    pulls = jax.vmap(jax.grad(lambda value: -jax.nn.log_softmax(value @ weights)[LABEL]))(values)
    attention = np.asarray(jax.nn.softmax(jnp.where(MASK, scores, -jnp.inf)))
    found, gradient, _ = sampled(straight_through, given)
    # Which segment was drawn, by its loss.
    drawn = np.abs(found[:, None] - np.asarray(losses)[None]).argmin(axis=1)
    np.testing.assert_allclose(found, np.asarray(losses)[drawn], rtol=0, atol=20 * EPS)
    values, pulls = np.asarray(values), np.asarray(pulls)
    expected = attention * (pulls[drawn] @ (values - attention @ values).T)
    np.testing.assert_allclose(gradient[:, :4], expected, rtol=0, atol=100 * EPS)
    # A share of so many draws has a standard error of at most 1 / (2 sqrt(DRAWS)).
    shares = np.bincount(drawn, minlength=4) / DRAWS
    np.testing.assert_allclose(shares, attention, atol=SPREAD / (2 * np.sqrt(DRAWS)))


def test_gumbel_softmax_is_a_sample_when_cold_and_the_mean_segment_when_hot(rng):
    given = setting(rng)
    # Both take the same noise of a key. Two segments are within 1e-2 of the largest once in 50.
    cold = sampled(gumbel_softmax, given, gumbel_temperature=1e-4)[0]
    sample = sampled(straight_through, given)[0]
    assert np.mean(np.abs(cold - sample) < 100 * EPS) > 0.95
    _, values, weights = given
    even = loss_of(soft, jnp.zeros(4, PRECISION), values, weights, None)
    hot = sampled(gumbel_softmax, given, gumbel_temperature=1e5)[0]
    # Noise is below 20 and scores below 5, so weights are within 25e-5 of each other.
    np.testing.assert_allclose(hot, even, rtol=0, atol=5e-3)


@pytest.fixture(scope="module")
def batch():
    return jax.tree.map(jnp.asarray, bags(np.random.default_rng(3), 6))


@pytest.fixture(scope="module")
def after(batch):
    """Loss, state and gradient of REINFORCE on these examples, by baseline and decay."""
    problem = attention_problem(task_of(batch), linear(CLASSES, start="normal"), "reinforce")
    params = problem.init(jax.random.key(0), hyper("float32"))

    @jit
    def found(weight, state, decay):
        given = batch._replace(weight=weight)
        one = jax.tree.map(lambda x: x.astype("float32") if x.dtype.kind == "f" else x, given)
        settings = hyper("float32") | {"baseline_decay": decay}
        slope = jax.value_and_grad(problem.loss, has_aux=True)
        time = jnp.zeros((), "float32")
        return slope(params, one, settings, time, jax.random.key(1), state)

    return lambda weight, *rest: found(
        jnp.asarray(weight, "float32"), *(jnp.asarray(number, "float32") for number in rest)
    )


def test_the_baseline_moves_by_the_mean_loss_of_a_minibatch_after_it_was_used(after):
    tolerance = 20 * float(np.finfo("float32").eps)
    for weight in ([1, 1, 1, 1, 1, 1], [1, 2, 0.5, 1, 0, 0], [0, 0, 0, 0, 3, 0]):
        (loss, state), gradient = after(weight, 2.0, 0.75)
        np.testing.assert_allclose(state, 0.75 * 2.0 + 0.25 * loss, rtol=tolerance)
        # What it becomes has no part in the gradient of the step.
        (_, kept), other = after(weight, 2.0, 1.0)
        assert kept == 2.0
        jax.tree.map(np.testing.assert_array_equal, gradient, other)
    # Examples that fill up a batch count for nothing, and where nothing counts nothing moves.
    assert after([0] * 6, 2.0, 0.75)[0] == (0.0, 2.0)


def test_examples_that_fill_up_a_batch_change_no_baseline(rng):
    moved, weight = (jnp.asarray(rng.uniform(size=5), "float32") for _ in range(2))
    alone = reinforce.update(jnp.float32(0.3), moved, weight)
    filled = (jnp.pad(x, (0, 3), constant_values=fill) for x, fill in ((moved, 9.0), (weight, 0.0)))
    np.testing.assert_allclose(reinforce.update(jnp.float32(0.3), *filled), alone, rtol=1e-6)


def test_the_baseline_starts_at_nothing_in_the_type_of_the_parameters():
    start = reinforce.init({"focus": jnp.ones(2, "float32"), "classify": {}})
    assert start == 0
    assert start.dtype == "float32"
