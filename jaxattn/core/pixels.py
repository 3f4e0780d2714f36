"""Images as bytes: kept as they are, and put on their scale where a segment is read."""

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import jax
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Float, PyTree

__all__ = ["Pixels", "Scale", "arrays_of", "is_pixels"]

Scale: TypeAlias = float | tuple[float, ...]
"""A number for all of a segment, or one for each entry of its last axis, as of each colour."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Pixels:
    """Rows of a pool as bytes, of which a segment is ``(x / 255 - mean) / std``.

    A byte a pixel, where floats take 4 or 8, on the host and on every device. The scale is no
    array: it is part of the program that reads, and of the fingerprint of the data.
    """

    values: Any
    """uint8 ``[row, ...]``, as they are published."""
    mean: Scale = field(default=0.5, metadata={"static": True})
    std: Scale = field(default=0.5, metadata={"static": True})

    def scaled(self, rows: Any, dtype: DTypeLike) -> Any:
        """Bytes as segments: floats of `dtype`.

        Computed as ``(x - 255 mean) / (255 std)``: of bytes that is right to one rounding where
        the mean is a half.

        Args:
            rows: bytes ``[..., *segment]``, of NumPy or JAX.
            dtype: of the floats.
        """

        def beside(scale: Scale) -> np.ndarray:
            array = np.asarray(255 * np.asarray(scale, np.float64), dtype)
            # One for each colour has the rank of the rows, as nothing is promoted in silence.
            return array.reshape((1,) * (rows.ndim - 1) + array.shape) if array.ndim else array

        return (rows.astype(dtype) - beside(self.mean)) / beside(self.std)

    def __getitem__(self, rows: Any) -> Float[np.ndarray, "..."]:
        """The segments with these row numbers, as a pool of floats gives them: float64."""
        segments: np.ndarray = self.scaled(np.asarray(self.values)[rows], np.float64)
        return segments


def is_pixels(part: Any) -> bool:
    """Whether a part of a pool is `Pixels`: a leaf to who reads segments from it."""
    return isinstance(part, Pixels)


def arrays_of(pool: PyTree) -> PyTree:
    """`pool` with bytes in place of `Pixels`: as many arrays as there are arrays of segments."""

    def array(part: Any) -> Any:
        return part.values if isinstance(part, Pixels) else part

    return jax.tree.map(array, pool, is_leaf=is_pixels)
