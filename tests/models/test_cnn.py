"""The convolutional pairs by name: their sizes, their start, attention at any of their layers."""

from math import prod

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import PRECISION, bags, distance, jit, one_of, slow_but, task_of

from jaxattn.core.contracts import InputError
from jaxattn.models import MODELS, cnn_cifar10, cnn_cifar100, cnn_small
from jaxattn.problems.attention_problem import attention_problem

# PAPER 2: Focus_cnn, Classification_cnn(3), Focus_cnn1, Classification_cnn1(50), of 32 x 32; then
# images of 16 x 16, of which 5 x 5, maxima, 3 x 3 and maxima leave 2 x 2.
COUNTS = {
    "cnn-cifar10": (32, 3, 613_866, 62_039),
    "cnn-cifar100": (32, 50, 613_280, 116_218),
    "cnn-small": (
        *(16, 3, 25 * 3 * 24 + 9 * 24 * 48 + 4 * 48 * 128 + 128),
        (25 * 3 + 1) * 8 + (9 * 8 + 1) * 16 + (4 * 16 + 1) * 64 + (64 + 1) * 3,
    ),
}
LAYERS = {cnn_cifar10: 6, cnn_cifar100: 4, cnn_small: 4}


def images(count=2, side=32):
    """Bags of pictures as of CIFAR."""
    batch = bags(np.random.default_rng(0), count)
    shape = (*batch.segments.shape[:2], side, side, 3)
    values = np.random.default_rng(1).normal(size=shape).astype(PRECISION)
    return batch._replace(segments=values)


def shapes(model, side):
    return jax.eval_shape(lambda: model.init(jax.random.key(0), one_of(images(side=side)), {}))


def sizes(tree):
    return sum(prod(leaf.shape) for leaf in jax.tree.leaves(tree))


@pytest.mark.parametrize("name", COUNTS)
def test_networks_have_as_many_parameters_as_their_layers_say(name):
    side, classes, focus, classifier = COUNTS[name]
    params = shapes(MODELS[name](classes), side)
    assert (sizes(params["shared"]), sizes(params["focus"]), sizes(params["classify"])) == (
        *(0, focus),
        classifier,
    )
    biases = {part: "bias" in str(jax.tree.structure(params[part])) for part in params}
    assert biases == {"shared": False, "focus": False, "classify": True}


@pytest.mark.parametrize("make", slow_but([cnn_small], LAYERS))
def test_attention_after_any_layer_moves_parameters_and_changes_no_start(make):
    example, key = one_of(images()), jax.random.key(3)
    whole = make(3).init(key, example, {})
    layers = list(whole["classify"])
    assert len(layers) == LAYERS[make]
    for average in range(1, len(layers)):
        params = make(3, average).init(key, example, {})
        assert list(params["shared"]) == layers[:average]
        assert list(params["classify"]) == layers[average:]
        joined = params["shared"] | params["classify"]
        assert distance((joined, params["focus"]), (whole["classify"], whole["focus"])) == 0


def test_weights_start_from_xaviers_law_and_biases_from_zero():
    params = cnn_cifar10(3).init(jax.random.key(0), one_of(images()), {})
    kernel = params["focus"]["Dense_3"]["kernel"]
    # 524,288 draws: their standard deviation is known to 0.1 %; a truncated law ends at 2.3 of it.
    np.testing.assert_allclose(np.std(kernel), np.sqrt(2 / (1024 + 512)), rtol=5e-3)
    assert np.max(np.abs(kernel)) > 4 * np.std(kernel)
    kernel = params["focus"]["Conv_1"]["kernel"]
    np.testing.assert_allclose(np.std(kernel), np.sqrt(2 / (9 * 32 + 9 * 64)), rtol=0.03)
    assert not any(np.any(layer["bias"]) for layer in params["classify"].values())


def by_hand(params, value, first, last):
    """Classification_cnn from one layer to another, as PyTorch's forward says it."""
    for number in range(first, last):
        if number < 2:
            layer = params[f"Conv_{number}"]
            conv = nn.Conv(layer["kernel"].shape[-1], (5, 5), padding="VALID")
            value = nn.relu(conv.apply({"params": layer}, value))
            value = nn.max_pool(value, (2, 2), strides=(2, 2))
        else:
            layer = params[f"Dense_{number}"]
            value = value.reshape(-1) @ layer["kernel"] + layer["bias"]
            value = nn.relu(value) if number < 5 else value
    return value


@pytest.mark.parametrize("average", range(6))
def test_attention_after_a_layer_is_that_by_hand(average):
    model, example = cnn_cifar10(3, average), one_of(images())
    params = model.init(jax.random.key(0), example, {})
    attention = jax.nn.softmax(jnp.arange(len(example.segments), dtype=PRECISION))

    @jit
    def both(params):
        network = params["shared"] | params["classify"]
        values = model.represent(params, example, None)
        found = model.classify(params, jnp.tensordot(attention, values, 1))
        each = [by_hand(network, segment, 0, average) for segment in example.segments]
        mean = sum(share * value for share, value in zip(attention, each, strict=True))
        return found, by_hand(network, mean, average, 6)

    # Six layers, sums of up to 400 products of order one.
    np.testing.assert_allclose(*both(params), rtol=1e-4, atol=1e-5)


def test_hard_attention_does_not_see_after_which_layer_it_averages():
    batch = images()
    task, losses = task_of(batch), []
    for average in (0, 2, 5):
        problem = attention_problem(
            task, cnn_cifar10(task.classes, average), "hard", precision=PRECISION
        )
        assert (problem.tile, problem.piece) == (1, 8)
        params = problem.init(jax.random.key(0), {})
        hyper = {"temperature": jnp.ones((), PRECISION)}
        losses.append(jit(problem.loss)(params, batch, hyper, jnp.zeros(()), None, ())[0])
    np.testing.assert_allclose(losses, losses[0], rtol=1e-5)


@pytest.mark.parametrize("average", [-1, 6])
def test_a_layer_that_is_not_there_is_refused(average):
    with pytest.raises(InputError, match=rf"got {average}, expected a number of layers"):
        cnn_cifar10(3, average)


@pytest.mark.parametrize("shape", [(7,), (32, 32), (8, 8, 1)])
def test_segments_that_are_no_images_of_that_size_are_refused(shape):
    batch = images()
    batch = batch._replace(segments=np.zeros((*batch.segments.shape[:2], *shape), PRECISION))
    with pytest.raises(InputError, match=r"cnn: got .*expected an image \[height, width, channel"):
        attention_problem(task_of(batch), "cnn-cifar10", "soft", precision=PRECISION)
