import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import (
    CLASSES,
    EPS,
    FEATURES,
    PRECISION,
    SEGMENTS,
    all_finite,
    assert_same_bits,
    bags,
    distance,
    hyper,
    jit,
    task_of,
)

import jaxattn
from jaxattn.core.contracts import HyperSpec, InputError, Model, Status
from jaxattn.models import linear, mlp
from jaxattn.models.pair import pair
from jaxattn.problems.attention_problem import attention_problem
from jaxattn.problems.paradigms import PARADIGMS
from jaxattn.tasks import orthogonal

HUGE = float(np.finfo(PRECISION).max)

# Losses here are below 10 and gradients below 100: sums over segments, features, units and
# bags, each number rounded a few dozen times.
TOLERANCE = 2000 * EPS


@pytest.fixture(scope="module")
def batch():
    return bags(np.random.default_rng(1))


@pytest.fixture(scope="module")
def task(batch):
    return task_of(batch)


class Compiled:
    """The loss with its gradient, and the measures, of one problem; and a random start."""

    def __init__(self, problem):
        self.problem = problem
        self.params = jit(problem.init)(jax.random.key(0), hyper())
        self._slope = jit(jax.value_and_grad(problem.loss, has_aux=True))
        self.measure = jit(problem.measure)

    def slope(self, batch, **hypers):
        time = jnp.zeros((), PRECISION)
        state = self.problem.state(self.params)
        key = jax.random.key(0) if self.problem.stochastic else None
        (loss, _), gradient = self._slope(self.params, batch, hyper(**hypers), time, key, state)
        return loss, gradient


@pytest.fixture(scope="module", params=PARADIGMS)
def compiled(request, task):
    model = mlp(CLASSES, width=6)
    return Compiled(attention_problem(task, model, request.param, precision=PRECISION))


@pytest.fixture(scope="module")
def soft(task):
    return Compiled(attention_problem(task, linear(CLASSES), "soft", precision=PRECISION))


@pytest.fixture(scope="module")
def measured(task):
    """What is measured depends on the parameters, not on the paradigm that found them."""
    return Compiled(attention_problem(task, mlp(CLASSES, width=6), "soft", precision=PRECISION))


def lengthen(leaf, value, extra=3):
    widths = [(0, 0), (0, extra)] + [(0, 0)] * (leaf.ndim - 2)
    return np.pad(leaf, widths, constant_values=value)


def masked_out(batch, filling, extra=3):
    """The same bags with `extra` more segments that are not real."""
    return batch._replace(
        segments=lengthen(batch.segments, filling, extra),
        mask=lengthen(batch.mask, False, extra),
        foreground=lengthen(batch.foreground, False, extra),
    )


def assert_alike(a, b):
    for one, other in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        # Percentages are a hundred times larger than losses.
        np.testing.assert_allclose(one, other, rtol=0, atol=10 * TOLERANCE)


ORDER = np.array([2, 0, 3, 1])


def permuted(batch):
    return batch._replace(
        segments=batch.segments[:, ORDER],
        mask=batch.mask[:, ORDER],
        foreground=batch.foreground[:, ORDER],
    )


def test_permuting_segments_changes_no_loss_or_gradient(compiled, batch):
    if compiled.problem.stochastic:
        pytest.skip("what is drawn by a key goes by places")
    assert_alike(compiled.slope(batch), compiled.slope(permuted(batch)))


def test_padding_changes_no_loss_or_gradient(compiled, batch):
    assert_alike(compiled.slope(batch), compiled.slope(masked_out(batch, 0.0)))


@pytest.mark.parametrize(
    ("change", "follow"),
    [
        (permuted, lambda attention: attention[:, ORDER]),
        (lambda batch: masked_out(batch, 0.0), lambda attention: lengthen(attention, 0)),
    ],
    ids=["permuted", "padded"],
)
def test_permuting_or_padding_segments_changes_no_measure(measured, batch, change, follow):
    a, b = (measured.measure(measured.params, each, hyper()) for each in (batch, change(batch)))
    # What is said of each segment goes with it, and nothing of it to the padding.
    assert_alike(a | {"attention_shown": follow(a["attention_shown"])}, b)


@pytest.mark.default_xla
def test_what_lies_in_the_padding_changes_no_bit(compiled, measured, batch):
    zeros = masked_out(batch, 0.0)
    expected = compiled.slope(zeros), measured.measure(measured.params, zeros, hyper())
    for filling in (1.0, -1e30, HUGE, -HUGE):
        other = masked_out(batch, filling)
        found = compiled.slope(other), measured.measure(measured.params, other, hyper())
        assert all_finite(found)
        assert_same_bits(found, expected)


def test_the_loss_is_the_weighted_mean_of_the_examples(soft, batch, rng):
    count = batch.label.size
    ones = [
        soft.slope(jax.tree.map(lambda leaf, i=i: leaf[i : i + 1], batch))[0] for i in range(count)
    ]
    weight = rng.uniform(0, 2, count).astype(PRECISION)
    loss, _ = soft.slope(batch._replace(weight=weight))
    np.testing.assert_allclose(loss, np.average(ones, weights=weight), atol=TOLERANCE)


def test_a_batch_that_nothing_counts_in_has_no_gradient(compiled, batch):
    # Bags of weight 0 are allowed, and a minibatch may happen to hold no others.
    loss, gradient = compiled.slope(batch._replace(weight=np.zeros_like(batch.weight)))
    assert loss == 0
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(gradient))


def test_under_imposed_attention_only_the_classifier_learns(task, batch):
    problem = attention_problem(task, mlp(CLASSES, width=6), "hard", "imposed", PRECISION)
    fixed = Compiled(problem)
    for alpha in (0.0, 0.3, 1.0):
        _, gradient = fixed.slope(batch, alpha=alpha)
        assert all_finite(gradient)
        assert not any(np.any(leaf) for leaf in jax.tree.leaves(gradient["focus"]))
        assert any(np.any(leaf) for leaf in jax.tree.leaves(gradient["classify"]))
        found = fixed.measure(fixed.params, batch, hyper(alpha=alpha))
        np.testing.assert_allclose(found["attention_foreground"], alpha, atol=20 * EPS)


@pytest.mark.parametrize("model", ["linear", "mlp"])
def test_a_problem_is_checked_without_a_device(batch, model, monkeypatch):
    # Several hosts join after a sweep is read: whoever looks a device up before shuts them out.
    def devices(*_):
        raise AssertionError

    monkeypatch.setattr(jax, "local_devices", devices)
    monkeypatch.setattr(jax, "devices", devices)
    monkeypatch.setattr(jax, "default_backend", devices)
    assert attention_problem(task_of(batch), model, "soft", precision=PRECISION).name == "soft"


@pytest.mark.filterwarnings("ignore:Explicitly requested dtype float64")
def test_what_was_checked_in_32_bits_is_checked_again_in_64(batch):
    single = {"segments": np.float32(batch.segments), "weight": np.float32(batch.weight)}
    task = task_of(batch._replace(**single))
    # A "float64" of 32 bits is a float32: what was seen of the model then does not hold later.
    for wide, paradigm in ((False, "soft"), (True, "hard")):
        with jax.enable_x64(wide):
            problem = attention_problem(task, "linear", paradigm, precision="float64")
            params = jax.eval_shape(problem.init, jax.random.key(0), {})
            assert {leaf.dtype.itemsize for leaf in jax.tree.leaves(params)} == {8 if wide else 4}


@pytest.mark.needs_x64
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_everything_has_the_precision_of_the_problem(task, batch, precision):
    problem = attention_problem(task, "linear", "hybrid", precision=precision)
    settings = hyper(precision)
    params = problem.init(jax.random.key(0), settings)
    batch = jax.tree.map(
        lambda leaf: leaf.astype(precision) if leaf.dtype.kind == "f" else leaf, batch
    )
    time = jnp.zeros((), precision)

    def outputs(params, batch):
        slope = jax.value_and_grad(problem.loss, has_aux=True)
        return slope(params, batch, settings, time, None, ()), problem.measure(
            params, batch, settings
        )

    leaves = [*jax.tree.leaves(jax.eval_shape(outputs, params, batch)), *jax.tree.leaves(params)]
    assert {leaf.dtype.name for leaf in leaves} == {precision}


def test_equal_arguments_give_the_same_problem(task):
    made = attention_problem(task, "mlp", "soft")
    assert attention_problem(task, mlp(CLASSES), PARADIGMS["soft"], "softmax", "float32") is made
    assert attention_problem(task, "mlp", "hard") is not made
    assert attention_problem(task, "mlp", "soft", precision="float16") is not made


def test_a_problem_declares_what_its_components_read(task):
    def names(problem):
        return {spec.name for spec in problem.hypers}

    assert names(attention_problem(task, "mlp", "soft")) == {"temperature"}
    assert names(attention_problem(task, "mlp", "hybrid", "imposed")) == {"alpha", "switch_time"}
    hybrid = attention_problem(task, "mlp", "hybrid")
    np.testing.assert_array_equal(hybrid.discontinuities(hyper(switch_time=3.0)), [3.0])
    soft = attention_problem(task, "mlp", "soft")
    assert soft.discontinuities(hyper()).shape == (0,)
    assert (hybrid.name, hybrid.natural_inference) == ("hybrid", "argmax-segment")
    assert (soft.name, soft.natural_inference) == ("soft", "average-input")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("lineal", "soft"), "unknown model: got 'lineal'.*did you mean 'linear'"),
        (("linear", "softt"), "unknown paradigm: got 'softt'.*did you mean 'soft'"),
        (("linear", "soft", "sofmax"), "unknown attention map: got 'sofmax'.*'softmax'"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_one(task, arguments, words):
    with pytest.raises(InputError, match=words):
        attention_problem(task, *arguments)


def test_a_loss_an_attention_map_and_a_model_of_ones_own_need_no_registration(task, batch):
    """LVML at attention of one's own, by a model of two plain arrays, in plain functions."""

    def init(key, example, hyper):
        return {"focus": jnp.ones(FEATURES), "classify": 2 * jnp.ones((FEATURES, CLASSES))}

    mine = Model(
        init=init,
        represent=lambda params, example, key: example.segments,
        score=lambda params, example, values: values @ params["focus"],
        classify=lambda params, value: value @ params["classify"],
        hypers=(HyperSpec("mine", 1.0),),
    )

    def squared(log_attention, values, read, label, context):
        chance = jnp.exp(jax.vmap(read)(values)[:, label])
        return context.hyper["mine"] * (1 - jnp.exp(log_attention) @ chance) ** 2

    def uniform(scores, example, hyper):
        return jnp.where(example.mask, -jnp.log(jnp.sum(example.mask)), -jnp.inf)

    problem = attention_problem(task, mine, squared, uniform, PRECISION)
    assert problem.name == "squared"
    assert [spec.name for spec in problem.hypers] == ["mine"]
    own = Compiled(problem)
    loss, _ = own.slope(batch, mine=3.0)
    # Equal columns of the classifier make every class equally likely.
    np.testing.assert_allclose(loss, 3 * (1 - 1 / CLASSES) ** 2, atol=TOLERANCE)
    assert attention_problem(task, lambda classes: mine, squared, uniform, PRECISION) is problem


def test_a_stochastic_loss_sees_a_key_of_its_own_for_every_example(task, batch):
    def noise(log_attention, values, read, label, context, key):
        return jax.random.uniform(key, dtype=PRECISION)

    from jaxattn.problems.paradigms import as_paradigm

    paradigm = as_paradigm(noise)
    problem = attention_problem(task, linear(CLASSES), paradigm, precision=PRECISION)
    params, settings, key = problem.init(jax.random.key(0), hyper()), hyper(), jax.random.key(1)
    mean, _ = problem.loss(params, batch, settings, settings["alpha"], key, ())
    draws = [
        jax.random.uniform(one, dtype=PRECISION) for one in jax.random.split(key, batch.label.size)
    ]
    np.testing.assert_allclose(mean, np.mean(draws), rtol=10 * EPS)


def test_state_is_updated_by_the_aux_of_the_whole_batch(task, batch):
    from jaxattn.problems.paradigms import as_paradigm

    def loss(log_attention, values, read, label, context):
        return context.state * jnp.sum(jnp.exp(log_attention)), label

    counting = as_paradigm(loss, "counting")._replace(
        init=lambda params: jnp.asarray(2.0, PRECISION),
        update=lambda state, aux, weight: state + jnp.sum(weight * aux),
    )
    problem = attention_problem(task, linear(CLASSES), counting, precision=PRECISION)
    params = problem.init(jax.random.key(0), hyper())
    state = problem.state(params)
    value, state = problem.loss(params, batch, hyper(), hyper()["alpha"], None, state)
    np.testing.assert_allclose(value, 2, rtol=10 * EPS)
    assert state == 2 + batch.label.sum()


def test_parameters_start_from_shapes_alone(task):
    """What the template holds does not matter, only its shapes."""
    problem = attention_problem(task, linear(CLASSES, start="normal"), "soft", precision=PRECISION)
    a, b = (problem.init(jax.random.key(seed), hyper()) for seed in (0, 1))
    assert distance(a, b) > 0
    assert a["focus"]["Dense_0"]["kernel"].shape == (FEATURES, 1)
    assert SEGMENTS not in a["focus"]["Dense_0"]["kernel"].shape


@pytest.mark.needs_x64
def test_modules_that_say_nothing_of_their_types_are_in_float64_where_the_problem_is(rng):
    plain = pair(nn.Dense(1), nn.Dense(CLASSES))
    task = task_of(bags(rng, 4))
    starts = [
        attention_problem(task, plain, "soft", precision=precision).init(jax.random.key(3), hyper())
        for precision in ("float32", "float64")
    ]
    types = [{leaf.dtype.name for leaf in jax.tree.leaves(params)} for params in starts]
    assert types == [{"float32"}, {"float64"}]
    assert distance(*starts) == 0


@pytest.mark.slow
@pytest.mark.needs_x64
def test_such_modules_follow_their_flow():
    plain = pair(nn.Dense(1), nn.Dense(3))
    small = {"seeds": 1, "steps": 8, "saves": 3, "evaluate": 8, "flow_examples": 16}
    task = orthogonal(classes=3, segments=4, train=16, test=4, validation=4)
    ds = jaxattn.compare(task, plain, "soft", {"learning_rate": 0.1}, against="flow", **small)
    assert (ds["status"] == Status.DONE).all()
    assert 0 < ds["distance"].sel(dynamics="flow").max() < 0.1 * ds["moved"].max()
