"""Labelled images that a person hands in, and what is refused of them."""

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from jaxattn.core.arrays import refuse_missing
from jaxattn.core.contracts import InputError
from jaxattn.core.pixels import Scale
from jaxattn.tasks.arguments import as_list

__all__ = ["digest", "foreground_of", "labelled", "scale_of", "test_set"]


def labelled(X: Any, y: Any, names: tuple[str, str] = ("X", "y")) -> tuple[np.ndarray, np.ndarray]:
    """Images and the class of each as arrays: bytes and float32 as they are, others as float64.

    Args:
        X: numbers ``[image, ...]``.
        y: integers or strings ``[image]``.
        names: what the two are called in messages.

    Raises:
        InputError: lengths differ, or something is missing, not finite or of another kind.
    """
    x, of = names
    for name, values in zip(names, (X, y), strict=True):
        refuse_missing(name, values)
    try:
        images, kinds = np.asarray(X), np.asarray(y)
    except ValueError as error:
        raise InputError(
            f"{x} and {of}: got items of different shapes, expected numbers [image, ...] and "
            "classes [image]; bring all images to one shape"
        ) from error
    if kinds.dtype.kind == "O":
        # All of one type: NumPy would make text of a number, and of a class that is missing.
        types = (str, bytes, int | np.integer)
        alike = any(all(isinstance(kind, of) for kind in kinds.flat) for of in types)
        kinds = np.asarray(kinds.tolist()) if alike else kinds
    if images.dtype.kind not in "biuf" or images.ndim < 2:
        raise InputError(
            f"{x}: got {images.dtype} of shape {images.shape}, expected numbers [image, ...]; pass "
            "one array with an axis of images in front"
        )
    if kinds.dtype.kind not in "biuUS" or kinds.ndim != 1:
        raise InputError(
            f"{of}: got {kinds.dtype} of shape {kinds.shape}, expected integers or strings "
            "[image]; pass one class for each image"
        )
    if len(images) != len(kinds) or len(kinds) == 0:
        raise InputError(
            f"{x} and {of}: got {len(images)} images and {len(kinds)} classes, expected one "
            "class for each image; pass arrays of equal length"
        )
    if images.dtype.kind == "f":
        finite = np.isfinite(images).reshape(len(images), -1).all(-1)
        if not finite.all():
            raise InputError(
                f"{x}: got NaN or infinity in image {int(np.argmin(finite))}, expected finite "
                "numbers; remove or repair the image"
            )
    as_it_is = images.dtype in (np.uint8, np.float32)
    return images if as_it_is else images.astype(np.float64, copy=False), kinds


def test_set(
    X: Any, y: Any, images: np.ndarray, chosen: np.ndarray, kinds: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """Official test images and the class of each, if there are some.

    Args:
        X: as for `labelled`; None with `y` where there are none.
        y: as for `labelled`.
        images: those that are learnt from, whose type and shape these must have.
        chosen: the foreground classes, sorted.
        kinds: the classes of those that are learnt from, sorted.

    Raises:
        InputError: one of the two without the other, what `labelled` refuses, another shape, bytes
            beside floats, a class that is not learnt, a foreground class without an image, or no
            background.
    """
    if X is None and y is None:
        return None
    if X is None or y is None:
        there, missing = ("y_test", "X_test") if X is None else ("X_test", "y_test")
        raise InputError(f"{missing}: got none beside {there}, expected both; give the other too")
    pixels, classes = labelled(X, y, ("X_test", "y_test"))
    if pixels.shape[1:] != images.shape[1:] or (pixels.dtype == np.uint8) != (
        images.dtype == np.uint8
    ):
        raise InputError(
            f"X_test: got {pixels.dtype} of shape {pixels.shape[1:]} an image, expected "
            f"{images.dtype} of {images.shape[1:]} as in X; bring both to one"
        )
    known, shown = kinds.tolist(), set(classes.tolist())
    if strange := shown.difference(known):
        raise InputError(
            f"y_test: got class {min(strange)!r}, expected classes of y: "
            f"{', '.join(map(repr, known))}; leave its images out"
        )
    missed = [kind for kind in chosen.tolist() if kind not in shown]
    if missed or len(shown) == len(chosen):
        got = f"no image of class {missed[0]!r}" if missed else "no background image"
        raise InputError(
            f"X_test: got {got}, expected some of every foreground class and some background; "
            "add them"
        )
    return pixels.astype(images.dtype, copy=False), classes.astype(kinds.dtype, copy=False)


def scale_of(given: Any, images: np.ndarray) -> tuple[Scale, Scale] | None:
    """Mean and standard deviation on which images of bytes are read; None for floats.

    Args:
        given: both, each a number or one for each colour; None: a half, as PAPER 3.2 has it.
        images: ``[image, ...]``.

    Raises:
        InputError: given beside floats, or no two such.
    """
    if images.dtype != np.uint8:
        if given is not None:
            raise InputError(
                f"scale: got {given} beside images of {images.dtype}, expected none, as floats are "
                "used as given; give bytes (uint8), or leave scale out"
            )
        return None
    pair = (0.5, 0.5) if given is None else given
    try:
        mean, std = (np.asarray(one, np.float64) for one in pair)
    except (TypeError, ValueError):
        mean = std = np.full((0, 0), np.nan)
    shapes = ((), images.shape[-1:]) if images.ndim > 2 else ((),)
    fits = mean.shape in shapes and std.shape in shapes
    if not fits or not np.isfinite([*mean.flat, *std.flat]).all() or not (std > 0).all():
        raise InputError(
            f"scale: got {given!r}, expected (mean, std) of x / 255, each a number or one for each "
            "colour, std above 0; write (0.5, 0.5)"
        )
    mean_, std_ = (
        float(one) if one.ndim == 0 else tuple(map(float, one.tolist())) for one in (mean, std)
    )
    return mean_, std_


def digest(array: np.ndarray) -> bytes:
    """What an array holds, as a hash of its bytes."""
    return hashlib.blake2b(np.ascontiguousarray(array).data).digest()


def foreground_of(foreground: Iterable[Any], kinds: np.ndarray) -> np.ndarray:
    """The foreground classes, sorted, in the type of `kinds`.

    Args:
        foreground: as they were asked for.
        kinds: the classes there are, sorted.

    Raises:
        InputError: fewer than 2, one twice, one that is not there, or all there are.
    """
    known = kinds.tolist()
    listed = ", ".join(map(repr, known))
    wanted = as_list("foreground", foreground)
    for kind in wanted:
        if kind not in known:
            raise InputError(
                f"foreground: got class {kind!r}, expected classes of the data: {listed}; pick "
                "among them"
            )
    if len(set(wanted)) != len(wanted) or len(wanted) < 2:
        raise InputError(
            f"foreground: got {tuple(wanted)}, expected at least 2 different classes (with one "
            f"there is nothing to predict); pick among {listed}"
        )
    if len(wanted) == len(known):
        raise InputError(
            f"foreground: got all {len(known)} classes, expected some left as background; leave "
            "one out or more"
        )
    return np.asarray(sorted(wanted), kinds.dtype)
