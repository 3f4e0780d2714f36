"""A convolution of a person's own that a CPU is slow at is told of, and how to have a fast one."""

import warnings
from collections.abc import Callable
from typing import Any

import jax

from jaxattn.core.programs import primitives_of

__all__ = ["warn_of_slow_convolution"]


def warn_of_slow_convolution(owner: str, function: Callable[..., Any], *arguments: Any) -> None:
    """Warn where a function convolves by `lax.conv_general_dilated` on a CPU.

    XLA's gradient of it takes ten to fifty times as long there as one of patches; nothing else is
    wrong with it, so it runs.

    Args:
        owner: what to call it in the warning.
        function: whose arguments and results are pytrees of arrays.
        arguments: shapes and dtypes of what it is given.
    """
    if "conv_general_dilated" not in primitives_of(function, *arguments):
        return
    # Not before: several hosts join after a sweep is read, and devices are looked up then.
    if jax.local_devices()[0].platform == "cpu":
        warnings.warn(
            f"{owner}: got a convolution by lax.conv_general_dilated, as of flax.linen.Conv, whose "
            "gradient is slow on a CPU, expected one by patches; take Conv of "
            "jaxattn.models.convolution, which has the same arguments and parameters.",
            stacklevel=2,
        )
