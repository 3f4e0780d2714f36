import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import EPS, PRECISION, all_finite, hyper
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jaxattn.core.contracts import Context, HyperSpec, InputError, Paradigm, Reader
from jaxattn.problems.paradigms import (
    PARADIGMS,
    as_paradigm,
    em,
    hard,
    hybrid,
    known_as,
    lvml,
    soft,
)

SEGMENTS, FEATURES, CLASSES = 5, 4, 3
ALL = (soft, hard, lvml)

small = st.floats(-8, 8, width=32)
scores = arrays(PRECISION, SEGMENTS, elements=small)
values = arrays(PRECISION, (SEGMENTS, FEATURES), elements=st.floats(-3, 3, width=32))
weights = arrays(PRECISION, (FEATURES, CLASSES), elements=st.floats(-3, 3, width=32))
labels = st.integers(0, CLASSES - 1)
masks = arrays(bool, SEGMENTS).filter(np.any)

# |logit| <= FEATURES 3 3 = 36, so no loss exceeds 2 * 36 + log CLASSES = 74. A loss is a sum of
# SEGMENTS products and exponentials of numbers of that size, each rounded once or twice.
LOSS_EPS = 74 * 4 * SEGMENTS * EPS


def context(time=0.0, **values) -> Context:
    settings = hyper(**values)
    return Context(settings, jnp.asarray(time, PRECISION), None, ())


def reader(weights):
    return Reader(lambda value: value @ weights)


def loss_of(paradigm, log_attention, values, weights, label, context):
    return paradigm.loss(log_attention, values, reader(weights), jnp.asarray(label), context)[0]


@jax.jit
def losses(log_attention, values, weights, label):
    """[paradigm] of soft, hard, LVML."""
    return jnp.stack([loss_of(p, log_attention, values, weights, label, context()) for p in ALL])


@jax.jit
def score_gradients(scores, values, weights, label):
    """By autodiff, [paradigm, segment]; and what PAPER 1.2 says, in the same order."""

    def at(scores):
        return losses(jax.nn.log_softmax(scores), values, weights, label)

    a = jax.nn.softmax(scores)
    each = -jax.vmap(reader(weights))(values)[:, label]
    mean = a @ values
    pull = jax.grad(lambda value: -reader(weights)(value)[label])(mean)
    likelihood = a * jnp.exp(-each)
    said = [
        a * ((values - mean[None, :]) @ pull),
        a * (each - a @ each),
        a - likelihood / jnp.sum(likelihood),
    ]
    return jax.jacobian(at)(scores), jnp.stack(said)


@given(scores, masks, values, weights, labels)
def test_lvml_never_exceeds_hard_attention(scores, mask, values, weights, label):
    log_attention = jax.nn.log_softmax(jnp.where(mask, scores, -jnp.inf))
    _, of_hard, of_lvml = losses(log_attention, values, weights, label)
    assert of_lvml <= of_hard + LOSS_EPS


@given(st.integers(0, SEGMENTS - 1), values, weights, labels)
def test_the_three_losses_coincide_at_one_hot_attention(place, values, weights, label):
    one_hot = jnp.where(jnp.arange(SEGMENTS) == place, 0.0, -jnp.inf).astype(PRECISION)
    of_soft, of_hard, of_lvml = losses(one_hot, values, weights, label)
    np.testing.assert_allclose([of_soft, of_lvml], of_hard, rtol=0, atol=LOSS_EPS)
    alone = -reader(weights)(values[place])[label]
    np.testing.assert_allclose(of_hard, alone, rtol=0, atol=LOSS_EPS)


@given(scores, values, weights, labels)
def test_the_three_losses_coincide_for_a_single_segment(scores, values, weights, label):
    log_attention = jax.nn.log_softmax(scores[:1])
    of_soft, of_hard, of_lvml = losses(log_attention, values[:1], weights, label)
    np.testing.assert_allclose([of_soft, of_lvml], of_hard, rtol=0, atol=LOSS_EPS)


@given(scores, values, weights, labels)
def test_score_gradients_are_those_of_the_paper(scores, values, weights, label):
    automatic, said = score_gradients(scores, values, weights, label)
    # Gradients are sums of products of attention with losses, or with <pull, x>: pull is a
    # difference of columns of the weights, at most 6 an entry, times |x - mean| <= 6.
    np.testing.assert_allclose(automatic, said, rtol=0, atol=max(LOSS_EPS, 144 * 20 * EPS))


@jax.jit
def em_and_lvml(scores, values, weights, label):
    """Loss and its gradients by scores, values and weights of both; and the responsibilities."""

    def at(paradigm):
        def loss(scores, values, weights):
            log_attention = jax.nn.log_softmax(scores)
            return loss_of(paradigm, log_attention, values, weights, label, context())

        return jax.value_and_grad(loss, argnums=(0, 1, 2))(scores, values, weights)

    a = jax.nn.softmax(scores)
    likelihood = a * jnp.exp(jax.vmap(reader(weights))(values)[:, label])
    return at(em), at(lvml), likelihood / jnp.sum(likelihood)


@given(scores, values, weights, labels)
def test_em_has_the_gradient_of_lvml_and_its_loss_plus_the_doubt_about_the_segment(
    scores, values, weights, label
):
    (of_em, by_em), (of_lvml, by_lvml), share = em_and_lvml(scores, values, weights, label)
    doubt = -np.sum(np.where(share > 0, share * np.log(np.where(share > 0, share, 1)), 0))
    np.testing.assert_allclose(of_em, of_lvml + doubt, rtol=0, atol=LOSS_EPS)
    # Both weigh the same slopes by the same shares, rounded in another order.
    for mine, other in zip(by_em, by_lvml, strict=True):
        np.testing.assert_allclose(mine, other, rtol=0, atol=100 * SEGMENTS * EPS)


def test_em_gives_no_weight_to_a_segment_without_attention(rng):
    x = rng.normal(size=(SEGMENTS, FEATURES)).astype(PRECISION)
    w = rng.normal(size=(FEATURES, CLASSES)).astype(PRECISION)
    scores = rng.normal(size=SEGMENTS).astype(PRECISION)
    blind = jnp.where(jnp.arange(SEGMENTS) < 3, scores, -jnp.inf)

    def loss(scores, x):
        return loss_of(em, jax.nn.log_softmax(scores), x, w, 0, context())

    value, slopes = jax.value_and_grad(loss, argnums=(0, 1))(blind, x)
    kept, kept_slopes = jax.value_and_grad(loss, argnums=(0, 1))(scores[:3], x[:3])
    np.testing.assert_allclose(value, kept, rtol=20 * EPS)
    for all_of_them, those in zip(slopes, kept_slopes, strict=True):
        np.testing.assert_allclose(all_of_them[:3], those, rtol=0, atol=20 * EPS)
        assert not np.any(all_of_them[3:])


@given(scores, values, weights, labels, st.permutations(range(SEGMENTS)))
def test_permuting_segments_changes_no_loss(scores, values, weights, label, order):
    order = np.array(order)
    log_attention = np.asarray(jax.nn.log_softmax(scores))
    np.testing.assert_allclose(
        losses(log_attention[order], values[order], weights, label),
        losses(log_attention, values, weights, label),
        rtol=0,
        atol=LOSS_EPS,
    )


@given(values, weights, labels)
def test_one_class_is_read_as_all_are(values, weights, label):
    read, value, label = reader(weights), values[0], jnp.asarray(label)

    def of_one(weights):
        return reader(weights).log_probability(value, label)

    def of_all(weights):
        return reader(weights)(value)[label]

    np.testing.assert_allclose(
        read.log_probability(value, label), read(value)[label], rtol=0, atol=LOSS_EPS
    )
    # A gradient is a probability times an entry of the value, at most 3.
    np.testing.assert_allclose(
        jax.grad(of_one)(weights), jax.grad(of_all)(weights), rtol=0, atol=3 * LOSS_EPS
    )


def test_a_loss_below_the_rounding_of_the_logits_keeps_its_digits():
    logits = jnp.asarray([1000.0, 985.0, 985.0], "float32")
    found = Reader(lambda value: value).log_probability(logits, jnp.asarray(0))
    # Two additions to 1 lose half a unit each; the logits' own rounding is a hundred times that.
    np.testing.assert_allclose(found, -np.log1p(2 * np.exp(-15.0)), rtol=0, atol=2**-23)


def test_the_losses_are_what_their_formulas_say(rng):
    a = rng.dirichlet(np.ones(SEGMENTS))
    x, w = rng.normal(size=(SEGMENTS, FEATURES)), rng.normal(size=(FEATURES, CLASSES))
    x, w = x.astype(PRECISION), w.astype(PRECISION)

    def chance(value):
        return np.exp(value @ w) / np.sum(np.exp(value @ w))

    each = np.array([chance(row)[2] for row in x])
    expected = [-np.log(chance(a @ x)[2]), -a @ np.log(each), -np.log(a @ each)]
    found = losses(jnp.log(a).astype(PRECISION), x, w, 2)
    np.testing.assert_allclose(found, expected, rtol=100 * EPS)


@pytest.mark.parametrize("paradigm", PARADIGMS.values(), ids=lambda p: p.name)
def test_extreme_scores_and_logits_give_finite_losses_and_gradients(paradigm):
    zero = jnp.asarray(0, "float32")
    settings = Context(hyper("float32"), zero, jax.random.key(0), zero)
    x = jnp.asarray(np.linspace(-1, 1, SEGMENTS * FEATURES).reshape(SEGMENTS, -1), "float32")

    @jax.jit
    def slope(scores, weights):
        def loss(scores, weights):
            log_attention = jax.nn.log_softmax(scores)
            return loss_of(paradigm, log_attention, x, weights, 1, settings)

        return jax.value_and_grad(loss, argnums=(0, 1))(scores, weights)

    for size in (1e4, 1e30):
        for scale in (1.0, size):
            for sign in (1, -1):
                scores = jnp.asarray(sign * np.linspace(-size, size, SEGMENTS), "float32")
                value, gradient = slope(scores, scale * jnp.eye(FEATURES, CLASSES, dtype="float32"))
                assert value.dtype == jnp.float32
                assert all_finite((value, gradient))


@jax.jit
def hybrid_loss(time, switch_time, *arguments):
    of_hybrid = context()._replace(time=time)
    of_hybrid.hyper["switch_time"] = switch_time
    return jax.value_and_grad(loss_of, argnums=1)(hybrid, *arguments, of_hybrid)


@jax.jit
def soft_and_hard_losses(*arguments):
    return [jax.value_and_grad(loss_of, argnums=1)(p, *arguments, context()) for p in (soft, hard)]


# The same when every row has a time of its own, where the branch becomes a select.
hybrid_rows = jax.jit(jax.vmap(hybrid_loss, in_axes=(0, None, None, None, None, None)))


def test_hybrid_is_soft_before_the_switch_and_hard_from_it_on(rng):
    log_attention = jnp.log(rng.dirichlet(np.ones(SEGMENTS))).astype(PRECISION)
    x = rng.normal(size=(SEGMENTS, FEATURES)).astype(PRECISION)
    w = rng.normal(size=(FEATURES, CLASSES)).astype(PRECISION)
    switch = jnp.asarray(2.0, PRECISION)
    times = jnp.asarray([0.0, 1.999, 2.0, 2.001, 1e9], PRECISION)
    of_soft, of_hard = soft_and_hard_losses(log_attention, x, w, 0)
    expected = [of_soft, of_soft, of_hard, of_hard, of_hard]
    values, gradients = hybrid_rows(times, switch, log_attention, x, w, 0)
    for row, (value, gradient) in enumerate(expected):
        one = hybrid_loss(times[row], switch, log_attention, x, w, 0)
        for found in (one, (values[row], gradients[row])):
            np.testing.assert_allclose(found[0], value, rtol=0, atol=LOSS_EPS)
            np.testing.assert_allclose(found[1], gradient, rtol=0, atol=LOSS_EPS)
    assert abs(of_soft[0] - of_hard[0]) > 0.01


def test_hybrid_alone_has_a_discontinuity_and_it_is_the_switch():
    np.testing.assert_array_equal(hybrid.discontinuities(hyper(switch_time=3.0)), [3.0])
    assert [p.name for p in PARADIGMS.values() if p.discontinuities] == ["hybrid"]


def test_a_plain_loss_is_a_paradigm_named_after_itself():
    def certain(log_attention, values, read, label, context):
        return -jnp.max(log_attention)

    made = as_paradigm(certain)
    assert isinstance(made, Paradigm)
    assert made.name == "certain"
    assert as_paradigm(certain, "sure").name == "sure"
    value, aux = made.loss(jnp.log(jnp.array([0.25, 0.75])), None, None, None, None)
    assert aux == ()
    np.testing.assert_allclose(value, -np.log(0.75), rtol=10 * EPS)
    assert as_paradigm(hard) is hard


def test_a_plain_loss_may_hand_on_what_update_reads():
    made = as_paradigm(lambda *arguments: (jnp.zeros(()), "aux"), "with_aux")
    assert made.loss(None, None, None, None, None)[1] == "aux"


def test_a_plain_loss_says_by_a_parameter_that_it_draws_and_by_an_attribute_what_it_reads():
    def noisy(log_attention, values, read, label, context, key):
        return context.hyper["noise"] * jax.random.uniform(key)

    noisy.hypers = {"noise": 2.0}
    made = as_paradigm(noisy)
    assert made.stochastic
    assert made.hypers == (HyperSpec("noise", 2.0),)
    key = jax.random.key(3)
    given = context(noise=2.0)._replace(key=key)
    assert made.loss(None, None, None, None, given)[0] == 2 * jax.random.uniform(key)
    noisy.hypers = 2.0
    with pytest.raises(InputError, match="paradigm 'other', hypers: got float, expected numbers"):
        as_paradigm(noisy, "other")


# ---- known by what they are


def test_a_paradigm_is_known_by_its_loss_and_not_by_its_name():
    for name, paradigm in PARADIGMS.items():
        assert known_as(paradigm) == name
        assert known_as(paradigm._replace(name="mine")) == name
    assert known_as(Paradigm("soft", lambda *arguments: (jnp.zeros(()), ()))) is None
    # A function of its own around a loss may change it.
    assert known_as(as_paradigm(soft.loss, "mine")) is None


def test_a_loss_of_ones_own_does_not_borrow_the_name_of_a_paradigm():
    def lvml(log_attention, values, read, label, context):
        return -jnp.max(log_attention)

    refused = "paradigm: got one of your own called 'lvml', .*a built-in's name.*rename yours"
    for mine in (lvml, Paradigm("lvml", lvml), PARADIGMS["lvml"]._replace(stochastic=True)):
        with pytest.raises(InputError, match=refused):
            as_paradigm(mine)
    with pytest.raises(InputError, match=refused):
        as_paradigm(lambda *arguments: jnp.zeros(()), "lvml")
    assert as_paradigm(lvml, "mine").name == "mine"
