"""Labelled images in memory, and what every reader refuses."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxattn.core.contracts import InputError

__all__ = ["DENSEST", "ImageSet", "Images", "checked", "inside"]

DENSEST = 1032
"""Bytes that one byte of deflate unpacks to at most (zlib's documentation, Technical Details)."""


class Images(NamedTuple):
    """Images as they are published, and the class of each."""

    pixels: np.ndarray
    """uint8 ``[image, height, width]``, or ``[image, height, width, 3]``: red, green, blue."""
    kinds: np.ndarray
    """Number of the class, from 0, ``[image]``."""


class ImageSet(NamedTuple):
    """A data set: images to learn from, and its official test images where it has some."""

    train: Images
    test: Images | None
    classes: tuple[str, ...]
    """What the classes are called, by number."""
    layout: str
    """How its files were laid out, in words."""


def checked(whole: ImageSet, where: Path) -> ImageSet:
    """`whole`, if its parts fit each other.

    Args:
        whole: what was read.
        where: from there, for messages.

    Raises:
        InputError: no images; as many labels as images are not there; images of two sizes, of no
            size or that are no bytes; a label that names no class.
    """
    parts = {"train": whole.train, "test": whole.test}
    shapes = set()
    for name, part in parts.items():
        if part is None:
            continue
        pixels, kinds = part
        if pixels.dtype != np.uint8 or pixels.ndim not in (3, 4) or 0 in pixels.shape:
            raise InputError(
                f"{where}, {name}: got images of type {pixels.dtype} and shape {pixels.shape}, "
                "expected bytes [image, height, width] or [image, height, width, 3], one or more"
            )
        if pixels.ndim == 4 and pixels.shape[-1] != 3:
            raise InputError(
                f"{where}, {name}: got images of {pixels.shape[-1]} channels, expected 3, or an "
                "array without an axis for them"
            )
        if kinds.shape != pixels.shape[:1]:
            raise InputError(
                f"{where}, {name}: got {len(pixels)} images and labels of shape {kinds.shape}, "
                "expected one label for each image; is a file from another set?"
            )
        low, high = int(kinds.min()), int(kinds.max())
        if low < 0 or high >= len(whole.classes):
            raise InputError(
                f"{where}, {name}: got labels from {low} to {high}, expected 0 to "
                f"{len(whole.classes) - 1}, as there are {len(whole.classes)} classes"
            )
        shapes.add(pixels.shape[1:])
    if len(shapes) > 1:
        raise InputError(
            f"{where}: got train and test images of shapes {sorted(shapes)}, expected one shape"
        )
    return whole


def inside(folder: Path, path: Path) -> Path:
    """`path`, if it is a file that lies in `folder`, also where links lead.

    Raises:
        InputError: a link leads out of the folder, or to what is no file.
    """
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise InputError(f"{path}: got a link that leads nowhere, expected a file") from error
    if not real.is_relative_to(folder.resolve()):
        raise InputError(
            f"{path}: got a link out of {folder}, expected files of the folder itself; copy what "
            "it points to"
        )
    if not real.is_file():
        raise InputError(f"{path}: got what is no file, expected a file")
    return path
