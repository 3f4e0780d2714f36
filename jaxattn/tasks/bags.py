"""Bags as NumPy arrays: `Example` and `Data` before anything is put on a device."""

from typing import Any

import numpy as np

from jaxattn.core.contracts import Data, Example

__all__ = ["template", "unpadded"]


def unpadded(segments: Any, label: Any, foreground: Any = None) -> Example:
    """Bags whose segments are all real and that all count alike.

    Args:
        segments: values or pool indices, ``[bag, segment, ...]``.
        label: integers ``[bag]``.
        foreground: which segment decides the label, ``[bag, segment]``; by default the first.
    """
    if foreground is None:
        foreground = np.zeros(segments.shape[:2], bool)
        foreground[:, 0] = True
    mask: Any = np.ones(foreground.shape, bool)
    weight: Any = np.ones(len(label))
    return Example(segments, mask, label.astype(np.int32), foreground, weight)


def template(data: Data) -> Example:
    """The first bag of `data`, an array of segments, with its pool rows filled in."""
    first: list[Any] = [np.asarray(leaf[0]) for leaf in data.examples]
    if data.pool is not None:
        first[0] = data.pool[first[0]]
    return Example(*first)
