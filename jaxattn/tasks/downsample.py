"""Smaller images: each block of points becomes its mean."""

import numpy as np

from jaxattn.core.contracts import InputError

__all__ = ["downsampled"]

_TOGETHER = 4096
"""Images whose sums, four bytes a point, are held at a time."""


def downsampled(pixels: np.ndarray, block: int) -> np.ndarray:
    """Means over blocks of ``block x block`` points, of each colour alone, to the nearest byte.

    Args:
        pixels: uint8 ``[image, height, width]`` or ``[image, height, width, colour]``.
        block: points along one side of a block.

    Returns:
        uint8 ``[image, height / block, width / block, ...]``, halves rounded up; `pixels` itself
        where a block is one point.

    Raises:
        InputError: `block` does not divide height and width.
    """
    if block == 1:
        return pixels
    count, height, width, *colours = pixels.shape
    if height % block or width % block:
        raise InputError(
            f"downsample: got blocks of {block} x {block}, expected those that divide images of "
            f"{height} x {width}; take a divisor of both"
        )
    means = np.empty((count, height // block, width // block, *colours), np.uint8)
    for first in range(0, count, _TOGETHER):
        together = slice(first, first + _TOGETHER)
        # Whole numbers have the same sums in any order.
        sums = np.full(means[together].shape, block**2 // 2, np.uint32)
        for row in range(block):
            for column in range(block):
                sums += pixels[together, row::block, column::block]
        means[together] = sums // block**2
    return means
