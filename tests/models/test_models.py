from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import CLASSES, EPS, FEATURES, PRECISION, SEGMENTS, bags, distance, jit, one_of

from jaxattn.core.contracts import HyperSpec, InputError, Model
from jaxattn.core.vocabulary import Vocabulary
from jaxattn.models import MODELS, linear, mlp
from jaxattn.models.linear import is_linear_from_zero

EVERY = {
    "linear": linear(CLASSES),
    "linear, normal start": linear(CLASSES, start="normal"),
    "linear, bias": linear(CLASSES, bias=True),
    "linear, bias, uniform start": linear(CLASSES, bias=True, start="uniform"),
    "mlp": mlp(CLASSES, width=7, depth=2),
    "mlp, depth 0": mlp(CLASSES, depth=0),
}
OF_WORDS = ("text", "text-attention")
KEYS = [jax.random.key(seed) for seed in range(2)]

# Compiled once for each model and shape of its segments.
start = jit(lambda model, key, example: model.init(key, example, {}), static_argnums=0)


def look(model, params, example):
    """Scores of the segments, and the logits of each."""
    values = model.represent(params, example, None)
    each = jax.vmap(model.classify, in_axes=(None, 0))(params, values)
    return model.score(params, example, values), each


outputs = jit(look, static_argnums=0)


def shapes(model, example):
    return jax.eval_shape(lambda: model.init(KEYS[0], example, {}))


every_model = pytest.mark.parametrize("model", EVERY.values(), ids=EVERY.keys())


@pytest.fixture
def example(rng):
    return one_of(bags(rng))


@every_model
def test_segments_are_scored_and_read_alike_at_every_place(model, example):
    params = start(model, KEYS[0], example)
    assert params.keys() == {"shared", "focus", "classify"}
    order = np.array([2, 0, 3, 1])
    scores, logits = outputs(model, params, example)
    assert scores.shape == (SEGMENTS,)
    assert logits.shape == (SEGMENTS, CLASSES)
    moved = outputs(model, params, example._replace(segments=example.segments[order]))
    # A matrix product may sum in another order for another row: FEATURES roundings.
    np.testing.assert_allclose(moved[0], scores[order], atol=100 * EPS)
    np.testing.assert_allclose(moved[1], logits[order], atol=100 * EPS)


@every_model
def test_a_model_that_says_its_start_is_random_varies_it_by_the_key_and_no_other_does(
    model, example
):
    first, again, other = (start(model, key, example) for key in (KEYS[0], *KEYS))
    assert distance(first, again) == 0
    assert (distance(first, other) > 0) == model.random_start


@every_model
@pytest.mark.parametrize(
    "precision", ["float32", pytest.param("float64", marks=pytest.mark.needs_x64)]
)
def test_parameters_scores_and_logits_have_the_type_of_the_segments(model, example, precision):
    example = example._replace(segments=example.segments.astype(precision))
    params = shapes(model, example)
    found = jax.eval_shape(partial(look, model), params, example)
    assert {leaf.dtype.name for leaf in jax.tree.leaves((params, found))} == {precision}


def test_linear_is_linear_and_starts_at_zero(rng, example):
    model = linear(CLASSES)
    params = start(model, KEYS[0], example)
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(params))
    assert sorted(leaf.shape for leaf in jax.tree.leaves(params)) == [
        (FEATURES, 1),
        (FEATURES, CLASSES),
    ]
    u, w = rng.normal(size=(FEATURES, 1)), rng.normal(size=(FEATURES, CLASSES))
    (layer,) = params["focus"]
    params = {
        "shared": {},
        "focus": {layer: {"kernel": jnp.asarray(u, PRECISION)}},
        "classify": {layer: {"kernel": jnp.asarray(w, PRECISION)}},
    }
    x = np.asarray(example.segments)
    tolerance = {"rtol": 0, "atol": 100 * EPS}  # FEATURES products of numbers of order one
    scores, logits = outputs(model, params, example)
    np.testing.assert_allclose(scores, x @ u[:, 0], **tolerance)
    np.testing.assert_allclose(logits, x @ w, **tolerance)


def test_linear_has_a_bias_only_in_the_classifier_and_only_when_asked(example):
    without, with_bias = (shapes(linear(CLASSES, bias=bias), example) for bias in (False, True))
    assert with_bias["focus"] == without["focus"]
    assert [leaf.shape for leaf in jax.tree.leaves(without["classify"])] == [(FEATURES, CLASSES)]
    assert (CLASSES,) in [leaf.shape for leaf in jax.tree.leaves(with_bias["classify"])]


def test_starts_have_variance_one_over_the_inputs(example):
    wide = example._replace(segments=jnp.zeros((SEGMENTS, 400), PRECISION))
    for model in (linear(50, start="normal"), mlp(50, depth=0)):
        params = start(model, KEYS[0], wide)
        first = next(leaf for leaf in jax.tree.leaves(params["classify"]) if leaf.ndim == 2)
        assert first.shape == (400, 50)
        # 20,000 draws: their standard deviation is known to 1 / sqrt(40,000) = 0.5 %.
        np.testing.assert_allclose(np.std(first) * np.sqrt(400), 1, atol=0.03)


def test_a_uniform_start_fills_weights_and_bias_up_to_one_over_the_root_of_the_inputs(example):
    wide = example._replace(segments=jnp.zeros((SEGMENTS, 400), PRECISION))
    params = start(linear(2000, bias=True, start="uniform"), KEYS[0], wide)["classify"]["Dense_0"]
    for leaf in (params["kernel"], params["bias"]):
        # Of 2,000 draws and more, the largest is within 10 / 2000 of the bound but by e^-5.
        scaled = np.asarray(leaf).ravel() * np.sqrt(400)
        assert 0.99 < np.max(scaled) <= 1
        assert -1 <= np.min(scaled) < -0.99
        # A uniform law's standard deviation, known to 1.5 % of itself by 2,000 draws.
        np.testing.assert_allclose(np.std(scaled), 1 / np.sqrt(3), rtol=0.05)


def test_focus_and_classification_start_from_draws_of_their_own(example):
    params = start(EVERY["mlp"], KEYS[0], example)
    # The first layers have the same shape, so equal keys would give equal weights.
    focus, classify = (params[part]["Dense_0"]["kernel"] for part in ("focus", "classify"))
    assert focus.shape == classify.shape
    assert not np.any(focus == classify)


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_mlp_has_the_asked_width_and_depth(example, depth):
    params = shapes(mlp(CLASSES, width=7, depth=depth), example)
    sizes = [FEATURES, *[7] * depth]
    for part, last in (("focus", 1), ("classify", CLASSES)):
        count = sum(a * b + b for a, b in zip(sizes, [*sizes[1:], last], strict=True))
        assert sum(leaf.size for leaf in jax.tree.leaves(params[part])) == count


def test_images_are_read_as_vectors(rng):
    images = rng.normal(size=(SEGMENTS, 2, 3)).astype(PRECISION)
    flat = images.reshape(SEGMENTS, 6)
    model, scores = linear(CLASSES, start="normal"), []
    for segments in (images, flat):
        example = one_of(bags(rng))._replace(segments=jnp.asarray(segments))
        scores.append(outputs(model, start(model, KEYS[0], example), example)[0])
    np.testing.assert_array_equal(*scores)


def test_factories_by_name_take_the_number_of_classes_and_are_cached():
    words = Vocabulary(("", "?", "word"))
    for name, factory in MODELS.items():
        make = partial(factory, vocabulary=words) if name in OF_WORDS else factory
        made = make(CLASSES)
        assert isinstance(made, Model), name
        assert made is make(CLASSES)
        assert made is not make(CLASSES + 1)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: linear(3, start="ones"), "got 'ones', expected one of zeros, normal"),
        (lambda: mlp(3, width=0), "got width 0"),
        (lambda: mlp(3, depth=-1), "depth -1"),
    ],
)
def test_an_impossible_model_is_refused(make, words):
    with pytest.raises(InputError, match=words):
        make()


def test_the_pair_that_theory_solves_is_known_by_what_it_computes():
    mine = linear(3)
    for same in (
        linear(classes=3),
        linear(3, False, "zeros"),
        mine._replace(tile=1, hypers=(HyperSpec("gain", 1.0),)),
    ):
        assert is_linear_from_zero(same, 3)
    for other in (
        linear(4),
        linear(3, bias=True),
        linear(3, start="normal"),
        mlp(3),
        mlp(3, depth=0),
        mine._replace(init=linear(3, start="normal").init),
        mine._replace(score=lambda params, example, values: jnp.zeros(len(example.mask))),
        mine._replace(draw=lambda params, key: params),
    ):
        assert not is_linear_from_zero(other, 3)
    for number in range(4, 200):  # however many others there are
        linear(number)
    assert is_linear_from_zero(mine, 3)
