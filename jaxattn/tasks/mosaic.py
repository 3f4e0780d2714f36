"""Mosaics: one foreground image hidden among background images, from any labelled arrays."""

from collections.abc import Hashable, Iterable
from typing import Any, NamedTuple, SupportsIndex
from weakref import WeakValueDictionary

import numpy as np

from jaxattn.core.arrays import aligned
from jaxattn.core.contracts import Data, Example, InputError, Task
from jaxattn.core.pixels import Pixels, Scale
from jaxattn.tasks.arguments import as_int, bag_length
from jaxattn.tasks.bags import template, unpadded
from jaxattn.tasks.draws import generators
from jaxattn.tasks.labelled import digest, foreground_of, labelled, scale_of, test_set

__all__ = ["mosaic"]

# Equal calls share one task, hence one compilation, for as long as somebody holds it. Arrays
# have no hash for lru_cache, and it would keep every data set alive.
_TASKS: WeakValueDictionary[Hashable, Task] = WeakValueDictionary()
# Tasks of the same images share one pool, of however many segments their mosaics are.
_POOLS: WeakValueDictionary[Hashable, np.ndarray] = WeakValueDictionary()


_TRAIN, _VALIDATION, _TEST = range(3)
"""Parts of the pool, in their order."""

_NEW = "new-mosaics"
"""The split of other mosaics of the training images."""


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
    *,
    X_test: Any = None,
    y_test: Any = None,
    scale: Any = None,
    position: str = "random",
    new_mosaics: SupportsIndex = 0,
) -> Task:
    """Mosaics of one foreground and ``segments - 1`` background images (PAPER 3.4).

    The label of a mosaic is the rank of its foreground image's class among the sorted foreground
    classes; images of all other classes are background.

    The *images* are divided first: of each class, every few images in order go to the test pool
    and, of the rest, every few to the validation pool, the same ones for every dataset seed. So no
    split shows an image of another. Official test images are given as `X_test`: then test mosaics
    are of those, and all of `X` is for training and validation. The published code draws its
    second set from the training images; that is the split "new-mosaics", where it is asked for.
    Near-duplicates in `X` are the caller's business.

    Images of bytes (uint8) stay bytes, also on a device, and are read on the scale of PAPER 3.2,
    ``(x / 255 - 0.5) / 0.5``, or another. Others are used as given, and cast to the precision of a
    run once, before they are put on a device.

    Mosaic ``i`` of dataset seed 0 is drawn as published: ``np.random.seed(i)``, then
    ``randint(0, n_bg, segments - 1)``, ``randint(0, n_fg)``, ``randint(0, segments)`` for its
    background, foreground and foreground position, with the split's images in their original
    order; background images fill the other positions in order. Test mosaics go on counting
    where the training mosaics end, and validation mosaics where those end: a longer training set
    keeps all its earlier mosaics and shifts the others (same images, other mosaics of them). New
    mosaics of the training images go on where the training mosaics end, too, as published.

    Args:
        X: images or vectors ``[image, ...]``, copied. uint8 and float32 stay what they are,
            anything else becomes float64; a segment keeps the shape ``[...]``, and is shown as a
            picture where that is ``[height, width]`` or ``[height, width, 3]``.
        y: class of each image ``[image]``, integers or strings.
        foreground: the classes to tell apart, at least 2, and not all there are.
        segments: images of a mosaic, at least 2.
        train: training mosaics.
        test: test mosaics.
        validation: validation mosaics, which choose between settings without touching the test;
            0 for none, which leaves their images to training.
        test_fraction: share of each class's images kept for the test mosaics, in (0, 1); of no
            effect beside `X_test`.
        validation_fraction: share of the others kept for the validation mosaics, in (0, 1).
        name: of the task.
        X_test: official test images, as `X`.
        y_test: class of each, as `y`.
        scale: of bytes: ``(mean, std)`` of ``(x / 255 - mean) / std``, each a number or one for
            each colour.
        position: of the foreground image: "random", or "first" (PAPER 3.2 and 3.3), where the third
            draw is left out.
        new_mosaics: other mosaics of the training images (PAPER 3.4); 0 for none.

    Returns:
        A task with splits "train", "test", "validation" and "new-mosaics" (unless 0) over one pool:
        training, validation, then test images, each in original order. Equal calls give the same
        object while it is in use.

    Raises:
        InputError: lengths of `X` and `y` differ, `X` is not numeric or not finite, a class has
            fewer images than there are splits, `foreground` names no class of `y` or leaves no
            background, test images do not fit the others, or a number is out of its range.
    """
    X, y = labelled(X, y)
    kinds, counts = np.unique(y, return_counts=True)
    chosen = foreground_of(foreground, kinds)
    held_out = test_set(X_test, y_test, X, chosen, kinds)
    sizes = (
        as_int("train", train, low=1),
        as_int("test", test, low=1),
        as_int("validation", validation, low=0),
        as_int("new_mosaics", new_mosaics, low=0),
    )
    fractions = _fractions(test_fraction, validation_fraction)
    needed = 1 + (held_out is None) + (sizes[2] > 0)
    if counts.min() < needed:
        kind = kinds[counts.argmin()].item()
        without = ", or say validation=0" if sizes[2] else ""
        raise InputError(
            f"images: got {counts.min()} of class {kind!r}, expected at least {needed} of each "
            f"class to divide among the splits; add some or drop the class{without}"
        )
    given = (X, y, *(held_out or ()))
    arrays = tuple((digest(array), array.shape, array.dtype.str) for array in given)
    drawing = _Drawing(bag_length(segments), *sizes, _is_random(position))
    settings = (drawing, fractions, scale_of(scale, X), name)
    key = (arrays, tuple(chosen.tolist()), settings)
    task = _TASKS.get(key)
    if task is None:
        task = _TASKS[key] = _build(X, y, held_out, arrays, chosen, *settings)
    return task


class _Drawing(NamedTuple):
    """Which mosaics are drawn: segments of each, how many of each split, and the foreground."""

    segments: int
    train: int
    test: int
    validation: int
    new: int
    is_random: bool


def _is_random(position: str) -> bool:
    if position not in ("random", "first"):
        raise InputError(
            f"position: got {position!r}, expected random or first; choose where the foreground is"
        )
    return position == "random"


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
    held_out: tuple[np.ndarray, np.ndarray] | None,
    given: Hashable,
    chosen: np.ndarray,
    drawing: _Drawing,
    fractions: tuple[float, float],
    scale: tuple[Scale, Scale] | None,
    name: str,
) -> Task:
    part = np.full(len(y), _TRAIN)
    if held_out is None:
        part[_held_out(y, fractions[0])] = _TEST
    if drawing.validation:
        rest = np.flatnonzero(part == _TRAIN)
        part[rest[_held_out(y[rest], fractions[1])]] = _VALIDATION
    order = np.argsort(part, kind="stable")
    kind, part = y[order], part[order]
    last, key = len(y), (given, fractions, drawing.validation > 0)
    pixels = _POOLS.get(key)
    if pixels is None:
        pixels = _POOLS[key] = _pool(images, order, None if held_out is None else held_out[0])
    if held_out is not None:
        kind = np.concatenate([kind, held_out[1]])
        part = np.concatenate([part, np.full(len(kind) - last, _TEST)])
    pool = pixels if scale is None else Pixels(pixels, *scale)
    rows = {which: _split_rows(kind, chosen, part == which) for which in set(part.tolist())}
    spans = _spans(drawing)

    def make(seed: SupportsIndex) -> dict[str, Data]:
        return {
            split: Data(_mosaics(rows[which], drawing, seed, start, count), pool)
            for split, (which, start, count) in spans.items()
        }

    def told(split: str) -> str:
        which, _, count = spans[split]
        word = "new" if split == _NEW else split
        return f"{count} {word} mosaics of {np.count_nonzero(part == which)} images"

    return Task(
        name=name,
        segments=drawing.segments,
        classes=len(chosen),
        make=make,
        template=template(Data(_mosaics(rows[_TRAIN], drawing, 0, 0, 1), pool)),
        summary=(
            f"{drawing.segments} images a mosaic, one of them of class "
            f"{', '.join(map(str, chosen.tolist()))}; {', '.join(map(told, spans))}"
        ),
        picture=_picture(images.shape[1:]),
    )


def _pool(images: np.ndarray, order: np.ndarray, held_out: np.ndarray | None) -> np.ndarray:
    """`images` in this order, then those held out: the one copy, which a CPU takes as it is."""
    count = len(images) + (0 if held_out is None else len(held_out))
    pool = aligned((count, *images.shape[1:]), images.dtype)
    # Any mode but NumPy's own writes straight into `out`.
    np.take(images, order, axis=0, out=pool[: len(images)], mode="clip")
    if held_out is not None:
        pool[len(images) :] = held_out
    pool.flags.writeable = False
    return pool


def _spans(drawing: _Drawing) -> dict[str, tuple[int, int, int]]:
    """By split: the part of the pool it shows, the number of its first mosaic, how many."""
    train, test = drawing.train, drawing.test
    spans = {"train": (_TRAIN, 0, train), "test": (_TEST, train, test)}
    if drawing.validation:
        spans["validation"] = (_VALIDATION, train + test, drawing.validation)
    if drawing.new:
        spans[_NEW] = (_TRAIN, train, drawing.new)
    return spans


def _picture(shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """Shapes of segments that are pictures: grey, or of three colours."""
    return shape if len(shape) == 2 or (len(shape) == 3 and shape[-1] == 3) else None


def _mosaics(
    rows: _Rows, drawing: _Drawing, seed: SupportsIndex, start: int, count: int
) -> Example:
    """Mosaics ``start .. start + count - 1`` of one split, as pool indices."""
    segments = drawing.segments
    n_foreground, n_background = len(rows.foreground), len(rows.background)
    background = np.empty((count, segments - 1), np.int64)
    chosen = np.empty(count, np.int64)
    position = np.zeros(count, np.int64)
    for bag, stream in enumerate(generators(seed, start, count)):
        background[bag] = stream.randint(0, n_background, segments - 1)
        chosen[bag] = stream.randint(0, n_foreground)
        if drawing.is_random:
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
