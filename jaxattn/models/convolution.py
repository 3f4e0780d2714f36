"""Convolution that is fast inside a loop on a CPU: patches, then one matrix product.

`Conv` is Flax's `nn.Conv` in all that it means: its arguments, its parameters, its values. How it
is computed follows from the backend (`METHODS`). XLA convolves well on a CPU, but not for a
gradient, in a loop least of all; of patches that is a matrix product again, and slices put back.
Everything is made of JAX's own operations, so derivatives of any order and mode are JAX's.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from types import MappingProxyType
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from jaxattn.core.errors import InputError

__all__ = ["METHODS", "Conv", "convolve_patches"]

METHODS: Mapping[str, str] = MappingProxyType({"cpu": "patches", "gpu": "lax", "tpu": "lax"})
"""How each backend convolves; lax on others. What a CPU takes was measured (benchmarks/README.md);
a GPU and a TPU have kernels of their makers. Timed at run time, other work would decide bits."""


def convolve_patches(
    lhs: Array,
    rhs: Array,
    window_strides: Sequence[int],
    padding: Any,
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: Any = None,
    feature_group_count: int = 1,
    precision: Any = None,
) -> Array:
    """`lax.conv_general_dilated` of channels-last arrays, by patches and a matrix product.

    Args:
        lhs: inputs ``[example, *space, channel]``.
        rhs: kernels ``[*window, channel / group, feature]``.
        window_strides: one step an axis of space.
        padding: as of `lax.conv_general_dilated`: a name, or a pair an axis of space.
        lhs_dilation: of the inputs; None: 1.
        rhs_dilation: of the kernels; None: 1.
        dimension_numbers: those of channels-last arrays.
        feature_group_count: groups of channels.
        precision: of the matrix product.

    Returns:
        ``[example, *space, feature]``.
    """
    count = lhs.ndim - 2
    strides, window = tuple(window_strides), rhs.shape[:-2]
    inner, spread = (tuple(by or (1,) * count) for by in (lhs_dilation, rhs_dilation))
    # What it refuses is refused likewise.
    how = (strides, padding, inner, spread, dimension_numbers, feature_group_count)
    out = jax.eval_shape(lambda a, b: lax.conv_general_dilated(a, b, *how), lhs, rhs).shape
    if 0 in out:
        return jnp.zeros(out, lhs.dtype)
    if isinstance(padding, str):
        widths = [(size - 1) * by + 1 for size, by in zip(window, spread, strict=True)]
        padding = lax.padtype_to_pads(lhs.shape[1:-1], widths, strides, padding)
    edges = [(*pads, by - 1) for pads, by in zip(padding, inner, strict=True)]
    padded = lax.pad(lhs, jnp.zeros((), lhs.dtype), [(0, 0, 0), *edges, (0, 0, 0)])
    groups = feature_group_count
    patches = padded.reshape(*padded.shape[:-1], groups, -1)
    # One axis after the other, so that most of what is copied is longer than the channels.
    for axis in reversed(range(count)):
        reach = (out[axis + 1] - 1) * strides[axis] + 1
        starts = [place * spread[axis] for place in range(window[axis])]
        patches = jnp.concatenate(
            [
                lax.slice_in_dim(patches, start, start + reach, strides[axis], axis + 1)
                for start in starts
            ],
            axis=-1,
        )
    if groups == 1:
        return jnp.matmul(patches[..., 0, :], rhs.reshape(-1, out[-1]), precision=precision)
    kernels = rhs.reshape(prod(rhs.shape[:-1]), groups, -1)
    by_group = jnp.einsum("...gp,pgf->...gf", patches, kernels, precision=precision)
    return by_group.reshape(out)


@dataclass(frozen=True)
class _Chosen:
    """What `nn.Conv` asks for the function that it convolves by."""

    method: str | None

    def __call__(self) -> Callable[..., Array]:
        # Of where it is traced: all devices of a process are of one kind.
        usual = METHODS.get(jax.local_devices()[0].platform, "lax")
        return _FUNCTIONS[self.method or usual]


_FUNCTIONS: Mapping[str, Callable[..., Array]] = MappingProxyType(
    {"patches": convolve_patches, "lax": lax.conv_general_dilated}
)


class Conv(nn.Conv):
    """`flax.linen.Conv`, computed in the way that is fastest where it runs.

    Its arguments, parameters and their names are those of `nn.Conv`, so that either reads what the
    other has kept; values and derivatives are equal but for rounding.

    Attributes:
        method: ``patches`` or ``lax`` (`lax.conv_general_dilated`); None: what `METHODS` has for
            the backend. Either is a program, and so a fingerprint, of its own.

    Raises:
        InputError: an unknown method, or a convolution of one's own beside it.
    """

    # As Flax has it, whose types cannot be checked at run time.
    promote_dtype: Any = nn.Conv.promote_dtype
    conv_general_dilated: Any = None
    method: str | None = None

    def __post_init__(self) -> None:
        if self.method not in (None, *_FUNCTIONS):
            raise InputError(
                f"Conv: got method {self.method!r}, expected one of {', '.join(_FUNCTIONS)}; leave "
                "it out to have the backend's own."
            )
        given = self.conv_general_dilated or self.conv_general_dilated_cls
        # A copy of it is given what this one has.
        if not (given is None or isinstance(given, _Chosen)):
            raise InputError(
                "Conv: got a convolution of your own, expected none, as this is one; give yours to "
                "flax.linen.Conv."
            )
        object.__setattr__(self, "conv_general_dilated_cls", _Chosen(self.method))
        super().__post_init__()
