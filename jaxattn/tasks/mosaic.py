"""Mosaics: one foreground image hidden among background images, from any labelled arrays."""

import hashlib
from collections.abc import Hashable, Iterable
from typing import Any, NamedTuple, SupportsIndex
from weakref import WeakValueDictionary

import numpy as np

from jaxattn.core.arrays import refuse_missing
from jaxattn.core.contracts import Data, Example, InputError, Task
from jaxattn.tasks.arguments import as_int, as_list, bag_length
from jaxattn.tasks.bags import template, unpadded
from jaxattn.tasks.draws import generators

__all__ = ["mosaic"]

# Equal calls share one task, hence one compilation, for as long as somebody holds it. Arrays
# have no hash for lru_cache, and it would keep every data set alive.
_TASKS: WeakValueDictionary[Hashable, Task] = WeakValueDictionary()


_TRAIN, _VALIDATION, _TEST = range(3)
"""Parts of the pool, in their order."""


class _Rows(NamedTuple):
    """Pool rows of one split that mosaics draw from, and the label of each foreground row."""

    foreground: np.ndarray
    label: np.ndarray
    background: np.ndarray


def mosaic(
    X: Any,
    y: Any,
    foreground: Iterable[Any],
    segments: SupportsIndex = 5,
    train: SupportsIndex = 2048,
    test: SupportsIndex = 1024,
    validation: SupportsIndex = 512,
    test_fraction: float = 0.25,
    validation_fraction: float = 0.125,
    name: str = "mosaic",
) -> Task:
    """Mosaics of one foreground and ``segments - 1`` background images (PAPER 3.4).

    The label of a mosaic is the rank of its foreground image's class among the sorted foreground
    classes; images of all other classes are background.

    The *images* are divided first: of each class, every few images in order go to the test pool
    and, of the rest, every few to the validation pool, the same ones for every dataset seed. So no
    split shows an image of another. (The published code draws all sets from the same images.)
    Near-duplicates in `X` are the caller's business, and so is its scale: pixels are used as
    given; PAPER 3.2 uses ``(x / 255 - 0.5) / 0.5``.

    Mosaic ``i`` of dataset seed 0 is drawn as published: ``np.random.seed(i)``, then
    ``randint(0, n_bg, segments - 1)``, ``randint(0, n_fg)``, ``randint(0, segments)`` for its
    background, foreground and foreground position, with the split's images in their original
    order; background images fill the other positions in order. Test mosaics go on counting
    where the training mosaics end, and validation mosaics where those end: a longer training set
    keeps all its earlier mosaics and shifts the others (same images, other mosaics of them).

    Args:
        X: images or vectors ``[image, ...]``, copied. float32 stays float32, anything else
            becomes float64; a segment keeps the shape ``[...]``, and is shown as a picture where
            that is ``[height, width]`` or ``[height, width, 3]``.
        y: class of each image ``[image]``, integers or strings.
        foreground: the classes to tell apart, at least 2, and not all there are.
        segments: images of a mosaic, at least 2.
        train: training mosaics.
        test: test mosaics.
        validation: validation mosaics, which choose between settings without touching the test;
            0 for none, which leaves their images to training.
        test_fraction: share of each class's images kept for the test mosaics, in (0, 1).
        validation_fraction: share of the others kept for the validation mosaics, in (0, 1).
        name: of the task.

    Returns:
        A task with splits "train", "validation" (unless 0) and "test" over one pool: training,
        validation, then test images, each in original order. Equal calls give the same object
        while it is in use.

    Raises:
        InputError: lengths of `X` and `y` differ, `X` is not numeric or not finite, a class has
            fewer images than there are splits, `foreground` names no class of `y` or leaves no
            background, or a number is out of its range.
    """
    X, y = _images(X, y)
    kinds, counts = np.unique(y, return_counts=True)
    chosen = _foreground(foreground, kinds)
    sizes = (
        as_int("train", train, low=1),
        as_int("test", test, low=1),
        as_int("validation", validation, low=0),
    )
    fractions = _fractions(test_fraction, validation_fraction)
    needed = 3 if sizes[-1] else 2
    if counts.min() < needed:
        kind = kinds[counts.argmin()].item()
        without = "" if needed == 2 else ", or say validation=0"
        raise InputError(
            f"images: got {counts.min()} of class {kind!r}, expected at least {needed} of each "
            f"class to divide among the splits; add some or drop the class{without}"
        )
    arrays = (_digest(X), X.shape, X.dtype.str, _digest(y), y.dtype.str)
    settings = (bag_length(segments), sizes, fractions, name)
    key = (arrays, tuple(chosen.tolist()), settings)
    task = _TASKS.get(key)
    if task is None:
        task = _TASKS[key] = _build(X, y, chosen, *settings)
    return task


def _fractions(test: float, validation: float) -> tuple[float, float]:
    for name, value in (("test_fraction", test), ("validation_fraction", validation)):
        if not 0 < value < 1:
            raise InputError(
                f"{name}: got {value!r}, expected a number between 0 and 1; 0.25 keeps a quarter "
                "of the images"
            )
    return test, validation


def _build(
    images: np.ndarray,
    y: np.ndarray,
    chosen: np.ndarray,
    segments: int,
    sizes: tuple[int, int, int],
    fractions: tuple[float, float],
    name: str,
) -> Task:
    train, test, validation = sizes
    part = np.full(len(y), _TRAIN)
    part[_held_out(y, fractions[0])] = _TEST
    if validation:
        rest = np.flatnonzero(part == _TRAIN)
        part[rest[_held_out(y[rest], fractions[1])]] = _VALIDATION
    order = np.argsort(part, kind="stable")
    pool, kind, part = images[order], y[order], part[order]
    pool.flags.writeable = False
    rows = {which: _split_rows(kind, chosen, part == which) for which in set(part.tolist())}
    spans = {"train": (_TRAIN, 0, train), "test": (_TEST, train, test)}
    if validation:
        spans["validation"] = (_VALIDATION, train + test, validation)

    def make(seed: SupportsIndex) -> dict[str, Data]:
        return {
            split: Data(_mosaics(rows[which], segments, seed, start, count), pool)
            for split, (which, start, count) in spans.items()
        }

    def told(split: str) -> str:
        which, _, count = spans[split]
        return f"{count} {split} mosaics of {np.count_nonzero(part == which)} images"

    return Task(
        name=name,
        segments=segments,
        classes=len(chosen),
        make=make,
        template=template(Data(_mosaics(rows[_TRAIN], segments, 0, 0, 1), pool)),
        summary=(
            f"{segments} images a mosaic, one of them of class "
            f"{', '.join(map(str, chosen.tolist()))}; {', '.join(map(told, spans))}"
        ),
        picture=_picture(images.shape[1:]),
    )


def _picture(shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """Shapes of segments that are pictures: grey, or of three colours."""
    return shape if len(shape) == 2 or (len(shape) == 3 and shape[-1] == 3) else None


def _mosaics(rows: _Rows, segments: int, seed: SupportsIndex, start: int, count: int) -> Example:
    """Mosaics ``start .. start + count - 1`` of one split, as pool indices."""
    n_foreground, n_background = len(rows.foreground), len(rows.background)
    background = np.empty((count, segments - 1), np.int64)
    chosen = np.empty(count, np.int64)
    position = np.empty(count, np.int64)
    for bag, stream in enumerate(generators(seed, start, count)):
        background[bag] = stream.randint(0, n_background, segments - 1)
        chosen[bag] = stream.randint(0, n_foreground)
        position[bag] = stream.randint(0, segments)
    foreground = np.arange(segments) == position[:, None]
    indices = np.empty((count, segments), np.int32)
    indices[foreground] = rows.foreground[chosen]
    # A boolean mask is filled row by row, left to right: the background stays in order.
    indices[~foreground] = rows.background[background].ravel()
    return unpadded(indices, rows.label[chosen], foreground)


def _split_rows(kind: np.ndarray, chosen: np.ndarray, split: np.ndarray) -> _Rows:
    is_foreground = np.isin(kind, chosen)
    foreground = np.flatnonzero(is_foreground & split)
    return _Rows(
        foreground=foreground,
        label=np.searchsorted(chosen, kind[foreground]),
        background=np.flatnonzero(~is_foreground & split),
    )


def _held_out(y: np.ndarray, fraction: float) -> np.ndarray:
    """Images of each class, spread evenly over its own; at least one on either side."""
    held_out = np.zeros(len(y), bool)
    for kind in np.unique(y):
        members = np.flatnonzero(y == kind)
        count = min(max(round(fraction * len(members)), 1), len(members) - 1)
        held_out[members[(2 * np.arange(count) + 1) * len(members) // (2 * count)]] = True
    return held_out


def _digest(array: np.ndarray) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(array).data).digest()


def _images(X: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    for name, values in (("X", X), ("y", y)):
        refuse_missing(name, values)
    try:
        images, kinds = np.asarray(X), np.asarray(y)
    except ValueError as error:
        raise InputError(
            "X and y: got items of different shapes, expected numbers [image, ...] and classes "
            "[image]; bring all images to one shape"
        ) from error
    if kinds.dtype.kind == "O":
        # All of one type: NumPy would make text of a number, and of a class that is missing.
        types = (str, bytes, int | np.integer)
        alike = any(all(isinstance(kind, of) for kind in kinds.flat) for of in types)
        kinds = np.asarray(kinds.tolist()) if alike else kinds
    if images.dtype.kind not in "biuf" or images.ndim < 2:
        raise InputError(
            f"X: got {images.dtype} of shape {images.shape}, expected numbers [image, ...]; pass "
            "one array with an axis of images in front"
        )
    if kinds.dtype.kind not in "biuUS" or kinds.ndim != 1:
        raise InputError(
            f"y: got {kinds.dtype} of shape {kinds.shape}, expected integers or strings [image]; "
            "pass one class for each image"
        )
    if len(images) != len(kinds) or len(kinds) == 0:
        raise InputError(
            f"X and y: got {len(images)} images and {len(kinds)} classes, expected one class for "
            "each image; pass arrays of equal length"
        )
    finite = np.isfinite(images).reshape(len(images), -1).all(-1)
    if not finite.all():
        raise InputError(
            f"X: got NaN or infinity in image {int(np.argmin(finite))}, expected finite numbers; "
            "remove or repair the image"
        )
    dtype = np.float32 if images.dtype == np.float32 else np.float64
    return images.astype(dtype, copy=False), kinds


def _foreground(foreground: Iterable[Any], kinds: np.ndarray) -> np.ndarray:
    """The foreground classes, sorted, in the type of `kinds`."""
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
