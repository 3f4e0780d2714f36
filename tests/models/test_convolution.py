"""Our convolution is Flax's in value and derivatives; how it is computed is part of a program."""

from operator import itemgetter

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import PRECISIONS, jit
from jax import lax

from jaxattn.core.errors import InputError
from jaxattn.core.programs import program_of
from jaxattn.models.convolution import METHODS, Conv

IMAGE = (2, 9, 8, 4)
CASES = {
    "same": (IMAGE, {}),
    "valid": (IMAGE, {"padding": "VALID"}),
    "circular": (IMAGE, {"padding": "CIRCULAR"}),
    "reflect": (IMAGE, {"padding": "REFLECT"}),
    "an int": (IMAGE, {"padding": 2}),
    "ints": (IMAGE, {"padding": (2, 0)}),
    "pairs, one negative": (IMAGE, {"padding": ((0, 3), (-1, 2))}),
    "strides": (IMAGE, {"strides": (2, 3)}),
    "strides, valid": (IMAGE, {"strides": 2, "padding": "VALID"}),
    "kernel dilation": (IMAGE, {"kernel_dilation": (2, 1), "padding": "CIRCULAR"}),
    "kernel dilation, same": (IMAGE, {"kernel_dilation": 2, "strides": (1, 2)}),
    "input dilation": (IMAGE, {"input_dilation": (2, 3), "padding": ((1, 1), (0, 2))}),
    "groups": (IMAGE, {"feature_group_count": 2}),
    "depthwise": (IMAGE, {"feature_group_count": 4, "features": 8, "padding": "VALID"}),
    "kernel 1 x 1": (IMAGE, {"kernel_size": (1, 1), "strides": 2}),
    "kernel 2 x 4": (IMAGE, {"kernel_size": (2, 4)}),
    "kernel of all": (IMAGE, {"kernel_size": (9, 8), "padding": "VALID"}),
    "no bias": (IMAGE, {"use_bias": False}),
    "a mask": (IMAGE, {"mask": np.arange(3 * 2 * 4 * 6).reshape(3, 2, 4, 6) % 3 > 0}),
    "one example": (IMAGE[1:], {}),
    "two axes of examples": ((2, *IMAGE), {"padding": "VALID"}),
    "no space": ((2, 7, 3), {"kernel_size": (3,), "padding": "CAUSAL", "kernel_dilation": 2}),
    "three axes": ((2, 4, 5, 4, 2), {"kernel_size": (2, 3, 2), "strides": (1, 2, 1)}),
    "nothing left": (IMAGE, {"kernel_size": (10, 2), "padding": "VALID"}),
}
precisions = pytest.mark.parametrize("precision", PRECISIONS)


def both(shape, given, precision):
    """Ours and Flax's, the parameters of one start, and inputs."""
    given = {"features": 6, "kernel_size": (3, 2), "param_dtype": precision} | given
    values = jnp.asarray(np.random.default_rng(1).normal(size=shape), precision)
    theirs = nn.Conv(**given)
    return Conv(**given, method="patches"), theirs, theirs.init(jax.random.key(0), values), values


def derivatives(module):
    """Value, gradient, and the Hessian along a direction, of a curved loss of all there is."""

    def loss(at):
        return jnp.sum(jnp.sin(module.apply(*at)))

    def look(at, along):
        slope = jax.grad(loss)
        return module.apply(*at), slope(at), jax.jvp(slope, (at,), (along,))[1]

    return look


@precisions
@pytest.mark.parametrize(("shape", "given"), CASES.values(), ids=CASES.keys())
def test_value_gradient_and_hessian_are_those_of_flax(shape, given, precision):
    ours, theirs, params, values = both(shape, given, precision)
    at = (params, values)
    along = jax.tree.map(lambda leaf: jnp.cos(jnp.arange(leaf.size)).reshape(leaf.shape), at)
    along = jax.tree.map(lambda leaf: leaf.astype(precision), along)
    found, expected = (jit(derivatives(module))(at, along) for module in (ours, theirs))
    # Sums of some hundred products in another order, at most.
    tolerance = 1e-5 if precision == "float32" else 1e-12
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert one.dtype == other.dtype
        scale = np.max(np.abs(other), initial=1)
        np.testing.assert_allclose(one / scale, other / scale, rtol=0, atol=tolerance)


def test_parameters_have_flaxs_names_shapes_and_start():
    ours, _, params, values = both(IMAGE, {}, "float32")
    again = ours.init(jax.random.key(0), values)
    jax.tree.map(np.testing.assert_array_equal, again, params)
    whole, theirs = (
        nn.Sequential([kind(5, (3, 3)), kind(2, (3, 3), name="last")]) for kind in (Conv, nn.Conv)
    )
    starts = [module.init(jax.random.key(0), values) for module in (whole, theirs)]
    jax.tree.map(np.testing.assert_array_equal, *starts)


@pytest.mark.parametrize("groups", [1, 2])
def test_kernels_of_many_rows_are_those_of_each(groups):
    ours, _, _, values = both(IMAGE, {"feature_group_count": groups}, "float32")
    rows = jax.vmap(lambda key: ours.init(key, values))(jax.random.split(jax.random.key(0), 3))
    slope = jit(jax.vmap(jax.grad(lambda p: jnp.sum(ours.apply(p, values) ** 2))))(rows)
    for row in range(3):
        params = jax.tree.map(itemgetter(row), rows)
        alone = jax.grad(lambda p: jnp.sum(ours.apply(p, values) ** 2))(params)
        for one, other in zip(jax.tree.leaves(slope), jax.tree.leaves(alone), strict=True):
            # Sums of 100 squares or so, in another order.
            np.testing.assert_allclose(one[row], other, rtol=1e-4, atol=1e-4)


def test_forward_mode_is_the_gradient_along_a_direction():
    ours, _, params, values = both(IMAGE, {}, "float32")

    def loss(values):
        return jnp.sum(jnp.sin(ours.apply(params, values)))

    along = jnp.cos(values)
    _, slope = jax.jvp(loss, (values,), (along,))
    # A sum of 600 terms of order one.
    np.testing.assert_allclose(slope, jnp.vdot(jax.grad(loss)(values), along), rtol=1e-4)


def test_what_flax_refuses_is_refused():
    for given in ({"input_dilation": 2}, {"padding": "OTHER"}, {"feature_group_count": 4}):
        said = []
        for kind in (Conv, nn.Conv):
            module = kind(6, (3, 3), **given)
            with pytest.raises((ValueError, RuntimeError)) as caught:
                module.init(jax.random.key(0), jnp.zeros(IMAGE))
            said.append(str(caught.value))
        assert said[0] == said[1]


def test_the_method_is_the_backends_own_unless_it_is_said():
    params = nn.Conv(2, (3, 3)).init(jax.random.key(0), jnp.zeros(IMAGE))

    def program(method):
        return program_of(Conv(2, (3, 3), method=method).apply, params, jnp.zeros(IMAGE))

    assert program(None).fingerprint == program(METHODS["cpu"]).fingerprint
    # So resuming a run by the other one is refused, as by other flags.
    assert program("patches").fingerprint != program("lax").fingerprint
    assert "patches" in METHODS.values()
    with pytest.raises(InputError, match=r"got method 'fast', expected one of patches, lax"):
        Conv(2, (3, 3), method="fast")
    with pytest.raises(InputError, match="got a convolution of your own"):
        Conv(2, (3, 3), conv_general_dilated=lax.conv_general_dilated)


def test_equal_modules_are_equal_and_copies_keep_the_method():
    module = Conv(2, (3, 3), method="lax")
    assert module == Conv(2, (3, 3), method="lax")
    assert module != Conv(2, (3, 3))
    assert module.clone().method == "lax"
    assert module.copy(method="patches") == Conv(2, (3, 3), method="patches")
