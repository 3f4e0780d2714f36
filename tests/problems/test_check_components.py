"""What a person hands in is refused in one line, or right; by shapes alone, nothing is trained."""

import inspect
import itertools
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import CLASSES, EPS, EXACT, FEATURES, PRECISION, SEGMENTS, bags, task_of
from word_posts import WORDS

from jaxattn.core.contracts import AttentionMap, HyperSpec, InputError, Model, Paradigm
from jaxattn.models import MODELS, linear
from jaxattn.problems.attention import ATTENTION_MAPS, softmax
from jaxattn.problems.attention_problem import attention_problem
from jaxattn.problems.paradigms import PARADIGMS, as_paradigm
from jaxattn.problems.sparse_maps import entmax_of

TASK = task_of(bags(np.random.default_rng(1), 3))


def init(key, example, hyper):
    return {"focus": jnp.zeros(FEATURES), "classify": jnp.zeros((FEATURES, CLASSES))}


MINE = Model(
    init=init,
    represent=lambda params, example, key: example.segments,
    score=lambda params, example, values: values @ params["focus"],
    classify=lambda params, value: value @ params["classify"],
)


def loss(log_attention, values, read, label, context):
    return -jax.nn.logsumexp(log_attention + jax.vmap(read)(values)[:, label])


def uniform(scores, example, hyper):
    return jnp.where(example.mask, -jnp.log(jnp.sum(example.mask)), -jnp.inf)


# As a person gets it: without the check of argument types that tests have on top.
stated = partial(inspect.unwrap(attention_problem), TASK, precision=PRECISION)


def then(change, function=loss):
    """`function`, its result changed; as a plain function that says which one it is."""

    def mine(*arguments):
        return change(function(*arguments))

    return mine


def reading(name):
    def mine(log_attention, values, read, label, context):
        return context.hyper[name] * loss(log_attention, values, read, label, context)

    return mine


def drawing(log_attention, values, read, label, context):
    return loss(log_attention, values, read, label, context) * jax.random.uniform(context.key)


def drawing_if_it_may(log_attention, values, read, label, context):
    one = loss(log_attention, values, read, label, context)
    return one if context.key is None else one * jax.random.uniform(context.key)


def deciding(log_attention, values, read, label, context):
    return log_attention[0] if log_attention[0] > 0 else log_attention[1]


def of_paradigm(**parts):
    return as_paradigm(loss, "mine")._replace(**parts)


SHOWN = "paradigm 'mine': got "
LOSSES = {
    "shape (1,)": (then(lambda found: found[None]), r"float\d+ of shape \(1,\), expected the loss"),
    "by segment": (then(lambda found: found + jnp.zeros(SEGMENTS)), r"of shape \(4,\), expected"),
    "integer": (then(lambda found: found.astype(int)), r"int\d+ of shape \(\), .* floats of shape"),
    "Python integer": (then(lambda found: 1), r"int\d+ of shape \(\), expected the loss"),
    "bool": (then(lambda found: found > 0), r"bool of shape \(\), expected the loss"),
    "complex": (then(lambda found: found + 1j), r"complex\d+ of shape \(\), expected the loss"),
    "nothing": (then(lambda found: None), "NoneType, expected the loss of one example"),
    "text": (then(lambda found: "high"), "TypeError .*, expected a loss of one example"),
    "dictionary": (then(lambda found: {"loss": found}), "dict, expected the loss of one example"),
    "list": (then(lambda found: [found, ()]), "list of 2, expected the loss of one example"),
    "three": (then(lambda found: (found, 1, 2)), "tuple of 3 from its loss, expected a pair"),
    "text as aux": (then(lambda found: (found, "aux")), "TypeError"),
    "no aux": (of_paradigm(loss=loss), r"float\d+ of shape \(\) from its loss, expected a pair"),
    "a branch": (deciding, "paradigm 'deciding': got TracerBoolConversionError .*try it on one"),
    "another axis": (
        then(lambda found: jnp.ones(3) @ jnp.ones(4) * found),
        "TypeError .dot_general.*expected a loss of one example",
    ),
    "undeclared": (reading("gain"), r"hyper\['gain'\] read, which no .*HyperSpec\('gain', default"),
    "switched off": (
        as_paradigm(reading("gain"))._replace(hypers=(HyperSpec("gain", None),)),
        r"hyper\['gain'\] read, which no component of the problem has a value for",
    ),
    "a key of its own": (drawing, "paradigm 'drawing': got .* draws on its key.*stochastic=True"),
    "a key if there is one": (
        drawing_if_it_may,
        "paradigm 'drawing_if_it_may': got .* draws on its key.*stochastic=True",
    ),
    "NumPy's numbers": (
        then(lambda found: found * np.random.normal()),
        "paradigm 'mine': got a function that is another one each time it is traced, .*a pure one",
    ),
    "NumPy's numbers at the start": (
        of_paradigm(init=lambda params: np.random.normal(size=2)),
        "paradigm 'mine': got a function that is another one",
    ),
    "a missing part": (then(lambda found: {}["part"]), r"KeyError \('part'\), expected a loss"),
    "state": (
        of_paradigm(init=lambda params: jnp.zeros(2), update=lambda state, *_: state[:1]),
        "another kind of state than its init gave",
    ),
    "dtype of the state": (
        of_paradigm(init=lambda params: jnp.zeros(2), update=lambda state, *_: state.astype(int)),
        "another kind of state than its init gave",
    ),
    "update": (
        of_paradigm(update=lambda state, aux: state),
        r"TypeError .*positional argument.*expected its update\(state, aux, weight\) to give",
    ),
    "jumps": (
        of_paradigm(discontinuities=lambda hyper: hyper["learning_rate"]),
        r"float\d+ of shape \(\), expected discontinuities, floats of shape \(1,\)",
    ),
    "jumps of integers": (
        of_paradigm(discontinuities=lambda hyper: jnp.arange(2)),
        r"int\d+ of shape \(2,\), expected discontinuities, floats of shape \(2,\)",
    ),
    "another temperature": (
        of_paradigm(hypers=(HyperSpec("temperature", 2.0),)),
        "'temperature': got default 1 from attention map 'softmax' and 2 from paradigm 'mine'",
    ),
    "inference": (
        of_paradigm(natural_inference="average-ouput"),
        "natural_inference 'average-ouput', .*did you mean 'average-output'",
    ),
}


def of_model(function=MINE, **parts):
    return function._replace(**parts)


def changed(part, change, model=MINE):
    """The model, what one of its functions returns changed."""
    return model._replace(**{part: then(change, getattr(model, part))})


def drawn(params, example, key):
    return example.segments + jax.random.normal(key, example.segments.shape)


def drawn_if_it_may(params, example, key):
    return example.segments if key is None else drawn(params, example, key)


CALLS = itertools.count(1)


def counted(found):
    return found * next(CALLS)


def noisy_params(params, key):
    return jax.tree.map(lambda leaf: leaf + jax.random.normal(key, leaf.shape, leaf.dtype), params)


MODELS_REFUSED = {
    "a logit too many": (
        changed("classify", lambda found: jnp.append(found, 0)),
        r"model.classify: got float\d+ of shape \(4,\), expected logits, floats of shape \(3,\)",
    ),
    "an axis of one": (changed("classify", lambda found: found[None]), r"of shape \(1, 3\)"),
    "chances as integers": (changed("classify", jnp.argsort), r"int\d+ of shape \(3,\), expected"),
    "logits and more": (changed("classify", lambda found: (found, 1)), "tuple of 2, expected log"),
    "made for more classes": (linear(CLASSES + 1), r"model.classify: got float\d+ of shape \(4,\)"),
    "scores in a column": (
        changed("score", lambda found: found[:, None]),
        r"model.score: got float\d+ of shape \(4, 1\), expected scores, .*reshape\(-1\)",
    ),
    "one score": (changed("score", jnp.sum), r"of shape \(\), expected scores"),
    "whole scores": (changed("score", lambda found: found.astype(int)), r"int\d+ of shape \(4,\)"),
    "summed values": (
        changed("represent", lambda found: jnp.sum(found, axis=0)),
        r"model.represent: got float\d+ of shape \(5,\), expected leaves \(4, ...\)",
    ),
    "a value beside": (changed("represent", lambda found: (found, jnp.ones(()))), r"shape \(\)"),
    "no values": (changed("represent", lambda found: ()), "tuple of 0 without arrays"),
    "a key": (of_model(represent=drawn), "represent: got .*draws on its key.*stochastic=True"),
    "a key if there is one": (
        of_model(represent=drawn_if_it_may),
        "model: got a function that draws on its key, .*declare it: stochastic=True",
    ),
    "parameters that are drawn": (
        of_model(draw=noisy_params),
        "model: got a function that draws on its key, .*declare it: stochastic=True",
    ),
    "parameters that are not drawn": (
        of_model(draw=lambda params: params, stochastic=True),
        "model.draw: got TypeError .*give params with noise or keys",
    ),
    "parameters that are lost": (
        of_model(draw=lambda params, key: {}, stochastic=True),
        "model.score: got KeyError",
    ),
    "a counter": (changed("represent", counted), "model.represent: got .* another one each time"),
    "NumPy's scores": (
        changed("score", lambda found: found + np.random.normal(size=SEGMENTS)),
        "model.score: got a function that is another one each time .*a pure one; draw by jax",
    ),
    "NumPy's logits": (
        changed("classify", lambda found: found + np.random.normal()),
        "model.classify: got a function that is another one each time",
    ),
    "NumPy's start": (
        changed("init", lambda found: found | {"focus": np.random.normal(size=FEATURES)}),
        "model.init: got a function that is another one each time",
    ),
    "half of it": (
        changed("init", lambda found: jax.tree.map(lambda leaf: leaf.astype("float16"), found)),
        r"model.init: got float16 of shape .* at \['classify'\], expected float",
    ),
    "a key when measured": (
        of_model(represent=drawn, stochastic=True),
        "model.represent: got TypeError.*without a key too, as when it is measured",
    ),
    "a counter among the parameters": (
        changed("init", lambda found: found | {"shared": {"steps": jnp.zeros((), int)}}),
        r"model.init: got int\d+ of shape \(\) at \['shared'\]\['steps'\], expected float",
    ),
    "no parameters": (changed("init", lambda found: {"focus": {}}), "dict without arrays"),
    "no init": (of_model(init=lambda key: 0), "model.init: got TypeError"),
    "parameters that it lacks": (
        of_model(classify=lambda params, value: params["head"]),
        r"model.classify: got KeyError \('head'\), expected logits \(3,\)",
    ),
    "values of another size for flax": (
        changed("represent", lambda found: jnp.concatenate([found, found], -1), linear(CLASSES)),
        "model.classify: got ScopeParamShapeError",
    ),
    "no model": (
        lambda classes: "linear",
        r"model: got str, expected Model; see help\(jaxattn.Mod",
    ),
    "a number": (3, r"model: got int, expected Model; see help\(jaxattn.Model"),
    "a factory that fails": (lambda: MINE, "model: got TypeError .*from the number of classes"),
    "a list": (of_model(hypers=[HyperSpec("a", 1.0)]), "unhashable type: 'list'.*as a tuple"),
}


def at(change):
    return then(change, uniform)


MAPS_REFUSED = {
    "NumPy's numbers": (
        lambda scores, example, hyper: uniform(scores + np.random.normal(), example, hyper),
        "attention map '<lambda>': got a function that is another one each time",
    ),
    "a column": (at(lambda found: found[:, None]), r"attention map 'mine': got .* \(4, 1\), expe"),
    "a sum": (at(jnp.sum), r"of shape \(\), expected log attention, floats of shape \(4,\)"),
    "integers": (at(lambda found: found.astype(int)), r"int\d+ of shape \(4,\)"),
    "undeclared": (
        lambda scores, example, hyper: hyper["heat"] * uniform(scores, example, hyper),
        r"attention map '<lambda>': got hyper\['heat'\] read",
    ),
    "no map": (3, "attention map: got int, expected AttentionMap, or a function"),
    "no function in it": (AttentionMap(3), "attention map 'custom': got TypeError"),
}


def refused(words, **parts):
    with pytest.raises(InputError, match=words) as refusal:
        stated(**{"model": MINE, "paradigm": loss, **parts})
    said = str(refusal.value)
    assert len(said) < 300
    assert "\n" not in said
    return refusal.value


@pytest.mark.parametrize(("mine", "words"), LOSSES.values(), ids=LOSSES)
def test_a_loss_of_ones_own_is_refused_in_one_line(mine, words):
    refused(words, paradigm=mine)


@pytest.mark.parametrize(("mine", "words"), MODELS_REFUSED.values(), ids=MODELS_REFUSED)
def test_a_model_of_ones_own_is_refused_in_one_line(mine, words):
    refused(words, model=mine)


@pytest.mark.parametrize(("mine", "words"), MAPS_REFUSED.values(), ids=MAPS_REFUSED)
def test_an_attention_map_of_ones_own_is_refused_in_one_line(mine, words):
    refused(words, attention=mine)


def test_the_error_of_ones_own_function_is_the_cause():
    error = refused("dot_general", paradigm=LOSSES["another axis"][0])
    assert isinstance(error.__cause__, TypeError)


# ---- what looks strange and is right


def test_a_loss_may_be_less_precise_or_a_number_or_not_finite():
    stated(MINE, then(lambda found: found.astype("float32")))
    stated(MINE, then(lambda found: 0.0))
    # Not finite is a status of the row, not a mistake in its request.
    stated(changed("classify", lambda found: found * jnp.nan), loss)


def test_what_draws_on_no_key_may_be_given_one_and_may_say_that_it_draws():
    def ignoring(params, example, key):
        if key is not None:
            jax.random.split(key)
        return example.segments

    for represent in (ignoring, jax.jit(ignoring)):
        assert not stated(of_model(represent=represent), loss).stochastic
    assert stated(of_model(stochastic=True), loss).stochastic
    assert stated(of_model(represent=drawn_if_it_may, stochastic=True), loss).stochastic
    assert stated(of_model(draw=noisy_params, stochastic=True), loss).stochastic


def test_a_paradigm_has_no_key_of_a_model_that_draws():
    refused("draws on its key", paradigm=drawing_if_it_may, model=of_model(stochastic=True))


@pytest.mark.needs_x64
def test_parameters_are_in_the_precision_of_the_problem_whatever_their_own():
    for start in (np.float64, np.float32):
        mine = changed("init", lambda found, t=start: jax.tree.map(lambda at: at.astype(t), found))
        for precision in ("float32", "float64"):
            problem = stated(mine, loss, precision=precision)
            params = jax.eval_shape(problem.init, jax.random.key(0), {})
            assert {leaf.dtype.name for leaf in jax.tree.leaves(params)} == {precision}


def test_a_component_may_read_what_another_one_declares_and_the_learning_rate():
    for name in ("temperature", "learning_rate"):
        problem = stated(MINE, reading(name))
        assert [spec.name for spec in problem.hypers] == ["temperature"]
    as_it_is = AttentionMap(softmax.apply)
    declared = as_paradigm(loss, "mine")._replace(hypers=softmax.hypers)
    stated(MINE, declared, as_it_is).verify()


def test_a_model_may_start_from_what_is_there_in_the_template():
    def start(key, example, hyper):
        real = int(np.asarray(example.mask).sum())  # no tracer
        return {
            "focus": jnp.zeros(FEATURES),
            "classify": jnp.zeros((FEATURES, CLASSES * real // real)),
        }

    stated(of_model(init=start), loss)


def test_every_component_by_name_passes():
    batch = bags(np.random.default_rng(1), 3)
    images = np.zeros((*batch.segments.shape[:2], 32, 32, 3), PRECISION)
    of_images = task_of(batch._replace(segments=images))
    # What ends in +entropy reads as what it is made of, and no paradigm asks which map it is given.
    maps = [name for name in ATTENTION_MAPS if not name.endswith("+entropy")]
    words = np.zeros(batch.segments.shape[:2], np.int32)
    of_words = replace(task_of(batch._replace(segments=words)), vocabulary=WORDS)
    for model in MODELS:
        task = {"cnn": of_images, "text": of_words}.get(model.split("-")[0], TASK)
        # What is sampled asks a model for nothing that hard attention does not.
        for paradigm in PARADIGMS if model == "linear" else EXACT:
            attention_problem(task, model, paradigm, precision=PRECISION)
    for attention in maps:
        attention_problem(TASK, "linear", "soft", attention, PRECISION)
    assert set(PARADIGMS) == {*EXACT, "reinforce", "straight-through", "gumbel-softmax"}


# ---- what only computing shows: whether a map is log attention


def _spread(scores, example, hyper):
    return jax.nn.log_softmax(scores)


def _low(scores, example, hyper):
    return jax.nn.log_softmax(jnp.where(example.mask, scores, -1e9))


def _chances(scores, example, hyper):
    return jnp.exp(uniform(scores, example, hyper))


def _naive(scores, example, hyper):
    real = jnp.where(example.mask, scores, -jnp.inf)
    return jnp.log(entmax_of(real, jnp.asarray(2, scores.dtype)))


def _rooted(scores, example, hyper):
    kinked = scores + jnp.sqrt(jnp.maximum(scores, 0)) * 0
    return jax.nn.log_softmax(jnp.where(example.mask, kinked, -jnp.inf))


EVALUATED = {
    "the log of zeros": (_naive, r"got a gradient that is NaN, .*log_of\(attention\)"),
    "a root of zero": (_rooted, "got a gradient that is NaN, expected a finite one"),
    "scores": (lambda scores, example, hyper: scores, "sum to .*, expected 1; end it by jax.nn"),
    "masked scores": (
        lambda scores, example, hyper: jnp.where(example.mask, scores, -jnp.inf),
        r"attention map '<lambda>': got log attention whose exponentials sum to .*log_softmax",
    ),
    "attention itself": (
        lambda *given: jnp.where(given[1].mask, _chances(*given), -jnp.inf),
        "sum to .*, expected 1; it looks like attention itself: take its log",
    ),
    "attention itself with zeros": (_chances, "at a masked-out segment|take its log"),
    "everything": (_spread, "got log attention .* at a masked-out segment, expected -inf"),
    "a low number": (_low, r"got log attention -1e\+09 at a masked-out segment, expected -inf"),
    "NaN": (at(lambda found: found * jnp.nan), "got NaN, expected log attention"),
    "a little less": (at(lambda found: found - 300 * EPS), r"sum to (1|0\.9999\d+), expected 1"),
    "one segment alone": (
        lambda scores, example, hyper: (
            jnp.where(jnp.sum(example.mask) < SEGMENTS, jnp.nan, 0.0)
            + uniform(scores, example, hyper)
        ),
        "got NaN",
    ),
}


@pytest.mark.parametrize(("mine", "words"), EVALUATED.values(), ids=EVALUATED)
def test_a_map_that_is_not_log_attention_is_refused_before_it_is_run(mine, words):
    problem = stated(MINE, loss, mine)
    with pytest.raises(InputError, match=words) as refusal:
        problem.verify()
    assert len(str(refusal.value)) < 300


def _sparse(scores, example, hyper):
    best = jnp.where(example.mask, scores, -jnp.inf)
    return jnp.where(jnp.arange(SEGMENTS) == jnp.argmax(best), 0.0, -jnp.inf)


@pytest.mark.parametrize("attention", ["imposed", "entmax", "sparsemax", uniform, _sparse])
def test_a_map_that_is_log_attention_passes(attention):
    stated(MINE, loss, attention).verify()


def test_a_map_is_evaluated_with_the_segments_that_the_template_masks_out():
    batch = bags(np.random.default_rng(2), 2)
    mask = np.arange(SEGMENTS) < 2
    task = task_of(batch._replace(mask=np.broadcast_to(mask, batch.mask.shape).copy()))

    def pairs_alone(scores, example, hyper):
        found = uniform(scores, example, hyper)
        return jnp.where(jnp.sum(example.mask) == 2, found, jnp.nan)

    for attention in (uniform, pairs_alone):
        attention_problem(task, MINE, loss, attention, PRECISION).verify()
    with pytest.raises(InputError, match="masked-out"):
        attention_problem(task, MINE, loss, _spread, PRECISION).verify()


def test_a_map_sees_a_foreground_and_a_background_whatever_the_template_holds():
    batch = bags(np.random.default_rng(2), 2)
    alone = np.broadcast_to(np.arange(SEGMENTS) == 0, batch.mask.shape).copy()
    for changed_bags in (batch._replace(mask=alone), batch._replace(foreground=batch.mask)):
        attention_problem(task_of(changed_bags), MINE, loss, "imposed", PRECISION).verify()


# ---- names


def named(name, function=loss):
    def mine(*arguments):
        return function(*arguments)

    mine.__name__ = name
    return mine


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"paradigm": named("soft")}, "paradigm: got one of your own called 'soft'.*rename"),
        ({"paradigm": Paradigm("em", PARADIGMS["soft"].loss)}, "one of your own called 'em'"),
        ({"paradigm": PARADIGMS["hard"]._replace(stochastic=True)}, "own called 'hard'"),
        (
            {"model": named("linear", lambda classes: MINE)},
            "model: got one of your own called 'lin",
        ),
        ({"attention": named("softmax", uniform)}, "attention map: got one of your own called"),
    ],
)
def test_a_component_of_ones_own_does_not_borrow_a_name(parts, words):
    refused(words, **parts)


def test_a_task_is_made_before_a_problem_is_stated_of_it():
    with pytest.raises(InputError, match="task: got str, expected a Task"):
        inspect.unwrap(attention_problem)("digits", MINE, loss)
