"""Mosaics of real handwritten digits, bundled with scikit-learn: no download."""

import dataclasses
import functools
import gzip
from collections.abc import Iterable
from importlib.util import find_spec
from typing import Any, SupportsIndex

import numpy as np

from jaxattn.core.contracts import Task
from jaxattn.tasks.arguments import as_int, as_list, bag_length
from jaxattn.tasks.mosaic import mosaic

__all__ = ["TASKS", "digits"]


def digits(
    foreground: Iterable[SupportsIndex] = (0, 1, 2),
    segments: SupportsIndex = 5,
    train: SupportsIndex = 2048,
    test: SupportsIndex = 1024,
    validation: SupportsIndex = 512,
) -> Task:
    """Find and name the one foreground digit among background digits.

    The 1,797 real 8x8 images of scikit-learn (UCI Optical Recognition of Handwritten Digits,
    Alpaydin and Kaynak 1998) in mosaics as PAPER 3.4 draws them; a quarter of the images of
    each class are in test mosaics only, an eighth of the others in validation mosaics only.
    Pixels 0..16 are scaled as in PAPER 3.2, ``(x / 16 - 0.5) / 0.5``, to [-1, 1], and flattened
    to 64 numbers.

    Args:
        foreground: digits to tell apart, at least 2 and at most 9.
        segments: images of a mosaic.
        train: training mosaics.
        test: test mosaics.
        validation: validation mosaics; 0 for none.

    Returns:
        A task with splits "train", "validation" and "test"; see `mosaic`. Equal
        arguments give the same object, in whatever order the digits are named.

    Raises:
        InputError: a foreground that is not 2 to 9 different digits, fewer than 2 segments, or a
            size below 1.
    """
    wanted = [as_int("foreground", digit, low=0) for digit in as_list("foreground", foreground)]
    return _digits(
        tuple(sorted(wanted)),
        bag_length(segments),
        as_int("train", train, low=1),
        as_int("test", test, low=1),
        as_int("validation", validation, low=0),
    )


TASKS = {"digits": digits}

_FILE = "datasets/data/digits.csv.gz"
"""Where scikit-learn has them: a line an image, 64 pixels and the digit."""


@functools.lru_cache(maxsize=32)
def _digits(
    foreground: tuple[int, ...], segments: int, train: int, test: int, validation: int
) -> Task:
    images, labels = _images()
    pixels = (images / 16 - 0.5) / 0.5
    task = mosaic(pixels, labels, foreground, segments, train, test, validation, name="digits")
    summary = f"handwritten digits, 8x8: {task.summary}"
    return dataclasses.replace(task, summary=summary, picture=(8, 8))


def _images() -> tuple[np.ndarray, np.ndarray]:
    """The images ``[image, pixel]`` as floats, 0 to 16, and their digits ``[image]``.

    From the file itself: importing scikit-learn takes 0.6 s, as long as jax and optax together.
    Where another release keeps it elsewhere, or otherwise, scikit-learn is asked.
    """
    package: Any = find_spec("sklearn")
    try:
        (folder,) = package.submodule_search_locations
        packed = package.loader.get_data(f"{folder}/{_FILE}")
        words = gzip.decompress(packed).replace(b"\n", b",").rstrip(b",").split(b",")
        table = np.array(words, dtype=float).reshape(-1, 65)
    except (AttributeError, OSError, ValueError):
        from sklearn.datasets import load_digits

        return load_digits(return_X_y=True)
    return table[:, :-1], table[:, -1].astype(int)
