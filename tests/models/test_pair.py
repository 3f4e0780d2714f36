"""Flax modules of one's own as a pair: right in training and measured, or refused in one line."""

import inspect
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from helpers import (
    CLASSES,
    EPS,
    FEATURES,
    PRECISION,
    SEGMENTS,
    assert_same_bits,
    bags,
    distance,
    hyper,
    jit,
    one_of,
    splits,
    task_of,
)

from jaxattn.core.contracts import Context, InputError, Paradigm
from jaxattn.core.streams import streams
from jaxattn.models import pair
from jaxattn.models.convolution import Conv
from jaxattn.problems.attention_problem import attention_problem
from jaxattn.problems.minibatches import Order
from jaxattn.training import judge
from jaxattn.training.optimisers import as_optimiser
from jaxattn.training.train import make_train

BATCH = bags(np.random.default_rng(4), 6)
TASK = task_of(BATCH)
# As a person gets it: without the check of argument types that tests have on top.
stated = partial(inspect.unwrap(attention_problem), TASK, precision=PRECISION)
made = inspect.unwrap(pair)


class Plain(nn.Module):
    features: int
    inner: nn.Module | None = None

    @nn.compact
    def __call__(self, segment):
        hidden = segment if self.inner is None else self.inner(segment)
        return nn.Dense(self.features)(hidden)


class Dropping(nn.Module):
    """`Plain` behind dropout of what it reads."""

    features: int
    rate: float = 0.5

    @nn.compact
    def __call__(self, segment, deterministic):
        kept = nn.Dropout(self.rate)(segment, deterministic=deterministic)
        return nn.Dense(self.features)(kept)


def module(body, features=CLASSES, **flags):
    """A classifier of one's own whose hidden layer goes through `body(module, hidden, flags)`."""

    class Mine(nn.Module):
        @nn.compact
        def __call__(self, segment):
            return nn.Dense(features)(body(self, segment))

    return Mine()


class Told(nn.Module):
    """Told of training by the word that it has been given, and another one there."""

    @nn.compact
    def __call__(self, segment, train: bool = False):
        return nn.Dense(CLASSES)(2 * segment if train else segment)


class Counting(nn.Module):
    @nn.compact
    def __call__(self, segment, train: bool = True):
        return nn.Dense(CLASSES)(nn.BatchNorm(use_running_average=not train)(segment))


class Nnx(nnx.Module):
    def __init__(self, features, rngs):
        self.dense = nnx.Linear(FEATURES, features, rngs=rngs)

    def __call__(self, segment):
        return self.dense(segment)


def cached(self, hidden):
    count = self.variable("cache", "count", jnp.zeros, ())
    return hidden + count.value


def noisy(self, hidden):
    noise = jax.random.normal(self.make_rng("dropout"), hidden.shape)
    return hidden + noise


def noisy_if_it_may(self, hidden):
    return noisy(self, hidden) if self.has_rng("dropout") else hidden


def sown(self, hidden):
    self.sow("losses", "penalty", jnp.sum(hidden))
    return hidden


REFUSED = {
    "dropout": (Dropping(CLASSES), "classifier: got a module that is another one in training"),
    "in training": (Told(), "classifier: got .* another one in training .*stochastic=True"),
    "always": (
        module(lambda self, h: nn.Dropout(0.5, deterministic=False)(h)),
        "draws on its key.*stochastic=True",
    ),
    "noise": (module(noisy), "draws on its key.*stochastic=True"),
    "noise if it may": (module(noisy_if_it_may), "model: got a function that draws on its key"),
    "untold": (module(lambda self, h: nn.Dropout(0.5)(h)), "model.init: got ValueError .Parameter"),
    "batch norm": (
        module(lambda self, h: nn.BatchNorm(use_running_average=True)(h)),
        "classifier: got a module with variables in batch_stats, .*nn.LayerNorm or nn.GroupNorm",
    ),
    "batch norm in training": (Counting(), "variables in batch_stats"),
    "spectral norm": (
        module(lambda self, h: nn.SpectralNorm(nn.Dense(4))(h, update_stats=False)),
        "variables in batch_stats",
    ),
    "a cache": (module(cached), "variables in cache, which nothing here updates"),
    "a loss on the side": (module(sown), "variables in losses"),
    "a perturbation": (module(lambda self, h: self.perturb("h", h)), "variables in perturbations"),
    "numpy": (module(lambda self, h: h + np.random.normal()), "model.init: got .* a pure one"),
    "too many classes": (Plain(CLASSES + 1), r"model.classify: got float\d+ of shape \(4,\)"),
    "integers": (
        module(lambda self, h: h * self.param("n", lambda key: jnp.ones((), int))),
        r"model.init: got int\d+ of shape \(\) at \['classify'\]\['n'\], expected float",
    ),
    "complex": (
        module(lambda self, h: jnp.abs(nn.Dense(4, param_dtype=jnp.complex64)(h))),
        r"model.init: got complex\d+ of shape",
    ),
    "half of it": (
        module(lambda self, h: nn.Dense(4, param_dtype=jnp.bfloat16)(h)),
        r"model.init: got bfloat16 of shape \(4,\) at .*expected float\d+.*leave param_dtype out",
    ),
    "the class": (Plain, "classifier: got the class Plain, expected an instance of flax.linen"),
    "a number": (3, "classifier: got int, expected an instance of flax.linen.Module"),
    "nnx": (Nnx(CLASSES, nnx.Rngs(0)), r"got Nnx, .*nnx.bridge.to_linen\(Nnx, ...\)"),
    "nnx, the class": (Nnx, r"got the class Nnx, .*nnx.bridge.to_linen\(Nnx, ...\)"),
    "a function": (lambda segment: segment, "got function, .*a Model of your own .docs/models.md"),
}


@pytest.mark.parametrize(("classifier", "words"), REFUSED.values(), ids=REFUSED)
def test_a_module_that_would_be_trained_as_another_is_refused_in_one_line(classifier, words):
    with pytest.raises(InputError, match=words) as refusal:
        stated(made(Plain(1), classifier), "soft")
    assert len(str(refusal.value)) < 300
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("classifier", "words"),
    [
        (Plain(CLASSES), "modules that cannot be told whether they are in training"),
        (module(lambda self, h: nn.Dropout(0.5, deterministic=True)(h)), "cannot be told"),
        (nn.Sequential([nn.Dense(CLASSES), nn.Dropout(0.5)]), "cannot be told"),
        (module(noisy), "cannot be told"),
    ],
)
def test_stochastic_modules_can_be_told_whether_they_are_in_training(classifier, words):
    with pytest.raises(InputError, match=words):
        pair(Plain(1), classifier, stochastic=True)


def test_a_module_that_draws_outside_training_too_is_refused():
    model = pair(Dropping(1), module(noisy), stochastic=True)
    with pytest.raises(InputError, match="classifier: got a module that draws although it is not"):
        stated(model, "soft")


def test_one_module_inside_both_is_refused():
    inner = nn.Dense(4)
    one = Plain(1)
    for focus, classifier in ((Plain(1, inner), Plain(CLASSES, inner)), (one, one)):
        with pytest.raises(InputError, match=r"got one (Dense|Plain) inside both modules"):
            pair(focus, classifier)
    pair(Plain(1, nn.Dense(4)), Plain(CLASSES, nn.Dense(4)))


class Attentive(nn.Module):
    @nn.compact
    def __call__(self, segment):
        rows = segment.reshape(-1, 1)
        rows = nn.MultiHeadDotProductAttention(num_heads=1, qkv_features=2)(rows)
        return nn.Dense(CLASSES)(nn.RNN(nn.SimpleCell(3, param_dtype=PRECISION))(rows)[-1])


RIGHT = {
    "layer norm": module(lambda self, h: nn.LayerNorm()(h)),
    "group norm": module(lambda self, h: nn.GroupNorm(num_groups=1)(h)),
    "weight norm": module(lambda self, h: nn.WeightNorm(nn.Dense(4))(h)),
    "attention and a recurrent network": Attentive(),
    "nnx": nnx.bridge.to_linen(Nnx, CLASSES),
    "what is looked at": module(lambda self, h: (self.sow("intermediates", "h", h), h)[1]),
    "never": module(lambda self, h: nn.Dropout(0.5, deterministic=True)(h)),
    "told, and the same": Dropping(CLASSES, rate=0.0),
    "wider parameters": module(lambda self, h: nn.Dense(4, param_dtype=float)(h)),
}


@pytest.mark.parametrize("classifier", RIGHT.values(), ids=RIGHT)
def test_what_depends_on_parameters_and_segments_alone_passes(classifier):
    problem = stated(made(Plain(1), classifier), "soft")
    assert not problem.stochastic
    params = jax.eval_shape(problem.init, jax.random.key(0), {})
    assert {leaf.dtype.name for leaf in jax.tree.leaves(params)} == {PRECISION}


class Picture(nn.Module):
    features: int

    @nn.compact
    def __call__(self, segment):
        return nn.Dense(self.features)(Conv(2, (3, 3))(segment).reshape(-1))


def test_images_are_read_as_the_modules_read_them_one_by_one():
    segments = np.random.default_rng(0).normal(size=(6, SEGMENTS, 4, 4, 3)).astype(PRECISION)
    pictures = BATCH._replace(segments=segments)
    focus, classifier = Picture(1), Picture(CLASSES)
    model, example = pair(focus, classifier), one_of(pictures)
    attention_problem(task_of(pictures), model, "soft", precision=PRECISION)

    params = jit(model.init)(jax.random.key(0), example, {})

    @jit
    def both(params):
        of_focus, of_classifier = ({"params": params[part]} for part in ("focus", "classify"))
        alone = [
            jnp.append(focus.apply(of_focus, one), classifier.apply(of_classifier, one))
            for one in example.segments
        ]
        scores = model.score(params, example, example.segments)
        logits = jax.vmap(model.classify, in_axes=(None, 0))(params, example.segments)
        return jnp.append(scores[:, None], logits, axis=1), jnp.stack(alone)

    np.testing.assert_allclose(*both(params), atol=1000 * EPS)


class Slow(Picture):
    @nn.compact
    def __call__(self, segment):
        return nn.Dense(self.features)(nn.Conv(2, (3, 3))(segment).reshape(-1))


def test_a_convolution_that_a_cpu_is_slow_at_is_told_of_once():
    segments = np.zeros((6, SEGMENTS, 4, 4, 3), PRECISION)
    task = task_of(BATCH._replace(segments=segments))
    model = pair(Picture(1), Slow(CLASSES))
    with pytest.warns(UserWarning, match=r"slow on a CPU.*take Conv of jaxattn\.models\.conv"):
        attention_problem(task, model, "soft", precision=PRECISION)
    # Another paradigm of it says nothing more, and ours nothing at all.
    attention_problem(task, model, "hard", precision=PRECISION)
    attention_problem(task, pair(Picture(1), Picture(CLASSES)), "soft", precision=PRECISION)


class Below(nn.Module):
    rate: float = 0.0

    @nn.compact
    def __call__(self, segment, deterministic=True):
        kept = nn.Dropout(self.rate)(segment, deterministic=deterministic)
        return nn.tanh(nn.Dense(3)(kept))


def test_what_attention_averages_is_what_represent_makes_of_a_segment():
    example = one_of(BATCH)
    below, model = Below(), pair(Plain(1), Plain(CLASSES), represent=Below())
    params = jit(model.init)(jax.random.key(0), example, {})
    values = model.represent(params, example, None)
    expected = below.apply({"params": params["shared"]}, example.segments)
    np.testing.assert_allclose(values, expected, atol=100 * EPS)
    assert params["classify"]["Dense_0"]["kernel"].shape == (3, CLASSES)
    # The focus reads the segments themselves.
    scores = Plain(1).apply({"params": params["focus"]}, example.segments)[:, 0]
    np.testing.assert_allclose(model.score(params, example, values), scores, atol=100 * EPS)
    found, of_mean = (
        model.classify(params, jnp.mean(values, axis=0)),
        Plain(CLASSES).apply({"params": params["classify"]}, jnp.mean(expected, axis=0)),
    )
    np.testing.assert_allclose(found, of_mean, atol=100 * EPS)


def test_represent_draws_in_training_and_shares_no_module():
    example = one_of(BATCH)
    model = pair(Plain(1), Plain(CLASSES), represent=Below(0.5), stochastic=True)
    params = jit(model.init)(jax.random.key(0), example, {})
    drawn = [model.draw(params, jax.random.key(seed)) for seed in (1, 1, 2)]
    one, again, other = (model.represent(each, example, None) for each in drawn)
    assert distance(one, again) == 0 < distance(one, other)
    assert distance(one, model.represent(params, example, None)) > 0
    attention_problem(TASK, model, "soft", precision=PRECISION)
    below = Below()
    with pytest.raises(InputError, match="got one Below inside both modules"):
        pair(Plain(1), Plain(CLASSES, below), represent=below)


@pytest.mark.needs_x64
def test_what_rounds_to_fewer_bits_has_no_place_in_a_flow():
    for where, modules in {
        "model.score": (nn.Dense(1, dtype=jnp.float32), Plain(CLASSES)),
        "model.classify": (Plain(1), nn.Dense(CLASSES, dtype=jnp.bfloat16)),
    }.items():
        model = pair(*modules)
        with pytest.raises(InputError, match=rf"{where}: got b?float\d+ .*expected float64; leave"):
            attention_problem(TASK, model, "soft", precision="float64")
        # What is asked for is had where it is asked for.
        attention_problem(TASK, model, "soft", precision="float32")


# ---- dropout done right


def drops(rate):
    return pair(Dropping(1, rate), Dropping(CLASSES, rate), stochastic=True)


PLAIN = pair(Plain(1), Plain(CLASSES))


@pytest.fixture(scope="module")
def start():
    return stated(PLAIN, "hard").init(jax.random.key(1), {})


def loss_of(model, paradigm="hard"):
    problem = stated(model, paradigm)
    time = jnp.zeros((), PRECISION)

    @jit
    def loss(params, key):
        return problem.loss(params, BATCH, hyper(), time, key, ())[0]

    return loss


@pytest.mark.slow
def test_dropout_at_rate_0_trains_as_none_does_bit_for_bit(monkeypatch):
    # An objective that draws nothing is found by the steps' own code, which is another program.
    monkeypatch.setattr(judge, "_MOST_TURNS", 0)
    saves, order, optimiser = (0, 2, 3), Order("shuffled", 2), as_optimiser("sgd")
    seen = []
    for model in (PLAIN, drops(0.0), drops(0.5)):
        problem = stated(model, "soft")
        train = jit(make_train(problem, optimiser, saves, order, keep_params=True))
        params = problem.init(streams(0).init, hyper())
        seen.append(train(params, hyper(), splits(BATCH), streams(0)))
    plain, none, half = seen
    assert_same_bits(none, plain)
    # From the same start, measured without dropout, on another path.
    assert distance(half.params, plain.params) > 1e-3
    for name in ("loss", "accuracy", "attention_foreground"):
        assert_same_bits(half.measures[name][0], plain.measures[name][0])


def test_every_step_draws_anew_and_what_is_measured_draws_nothing(start):
    loss = loss_of(drops(0.5))
    draws = [float(loss(start, jax.random.key(seed))) for seed in (0, 0, 1, 2)]
    assert draws[0] == draws[1]
    assert len(set(draws)) == 3
    measured = [
        jit(stated(model, "hard").measure)(start, BATCH, hyper()) for model in (drops(0.5), PLAIN)
    ]
    assert_same_bits(*measured)


def test_dropout_keeps_the_mean_of_what_is_linear(start):
    model, rate, count = drops(0.25), 0.25, 4000
    example = one_of(BATCH)
    segment = example.segments[0]

    @jit
    def look(key):
        drawn = model.draw(start, key)
        return model.classify(drawn, segment), model.score(drawn, example, example.segments)

    logits, scores = jax.vmap(look)(jax.random.split(jax.random.key(3), count))
    dense = start["classify"]["Dense_0"]["kernel"]
    # Each input is x / (1 - rate) with chance 1 - rate, else 0: variance x^2 rate / (1 - rate).
    error = np.sqrt((segment[:, None] * dense) ** 2 * rate / (1 - rate) / count).sum(0)
    assert np.all(np.abs(logits.mean(0) - PLAIN.classify(start, segment)) < 5 * error)
    plain = PLAIN.score(start, example, example.segments)
    each = np.abs(example.segments) @ np.abs(start["focus"]["Dense_0"]["kernel"][:, 0])
    assert np.all(np.abs(scores.mean(0) - plain) < 5 * each * np.sqrt(rate / (1 - rate) / count))


def test_segments_of_one_example_share_a_draw_and_examples_and_modules_do_not(start):
    model = pair(Dropping(CLASSES), Dropping(CLASSES), stochastic=True)
    example = one_of(BATCH)
    alike = example._replace(segments=jnp.ones_like(example.segments))
    same = start | {"focus": {"Dense_0": {"kernel": jnp.eye(FEATURES, 1), "bias": jnp.zeros(1)}}}
    one_score = drops(0.5)
    scores = [one_score.score(one_score.draw(same, key), alike, None) for key in KEYS]
    assert all(np.ptp(each) == 0 for each in scores)
    assert {float(each[0]) for each in scores} == {0.0, 2.0}
    drawn = [model.draw({"shared": {}, "focus": 0, "classify": 0}, key) for key in KEYS]
    keys = [jax.random.key_data(key) for each in drawn for key in each["keys"].values()]
    assert len({tuple(np.asarray(key).tolist()) for key in keys}) == 2 * len(KEYS)


KEYS = [jax.random.key(seed) for seed in range(8)]


def test_the_loss_of_a_batch_is_the_mean_over_examples_that_draw_for_themselves(start):
    alike = jax.tree.map(lambda leaf: np.broadcast_to(leaf[:1], leaf.shape), BATCH)
    one = jax.tree.map(lambda leaf: leaf[:1], BATCH)
    problem = stated(drops(0.5), "hard")
    time = jnp.zeros((), PRECISION)
    batch = problem.loss(start, alike, hyper(), time, KEYS[0], ())[0]
    first = problem.loss(start, one, hyper(), time, KEYS[0], ())[0]
    assert abs(batch - first) > 1e-3


def test_a_model_and_a_paradigm_that_draw_do_not_draw_the_same():
    def represent(params, example, key):
        shape = example.segments.shape
        noise = 0.0 if key is None else jax.random.uniform(key, shape, example.segments.dtype)
        return {"read": example.segments, "noise": jnp.broadcast_to(noise, shape).astype(PRECISION)}

    mine = PLAIN._replace(
        represent=represent,
        classify=lambda params, value: PLAIN.classify(params, value["read"]),
        stochastic=True,
    )

    def apart(log_attention, values, read, label, context: Context):
        assert context.key is not None
        own = jax.random.uniform(context.key, (SEGMENTS, FEATURES), values["noise"].dtype)
        return jnp.max(jnp.abs(own - values["noise"])), ()

    def alone(log_attention, values, read, label, context: Context):
        assert context.key is None
        return jnp.mean(values["noise"]), ()

    params = stated(mine, "soft").init(KEYS[0], {})
    problem = stated(mine, Paradigm("apart", apart, stochastic=True))
    time = jnp.zeros((), PRECISION)
    assert problem.loss(params, BATCH, hyper(), time, KEYS[0], ())[0] > 0.1
    # Alone it has the key of its example, as before.
    mean = stated(mine, Paradigm("alone", alone)).loss(params, BATCH, hyper(), time, KEYS[0], ())[0]
    draws = [
        jax.random.uniform(key, (SEGMENTS, FEATURES), PRECISION)
        for key in jax.random.split(KEYS[0], len(BATCH.label))
    ]
    np.testing.assert_allclose(mean, np.mean(draws), rtol=20 * EPS)
