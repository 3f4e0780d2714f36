"""Tasks whose classes are orthogonal directions: the published one and its population limit."""

import functools
import zlib
from typing import SupportsIndex

import numpy as np

from jaxattn.core.contracts import Data, Task
from jaxattn.tasks.arguments import as_int, bag_length, class_count
from jaxattn.tasks.bags import template, unpadded
from jaxattn.tasks.draws import generators

__all__ = ["TASKS", "orthogonal", "orthogonal_population"]

FOREGROUND_STD = 1e-5
BACKGROUND_STD = 0.1


def orthogonal(
    classes: SupportsIndex = 20,
    segments: SupportsIndex = 20,
    train: SupportsIndex = 5000,
    test: SupportsIndex = 1000,
    points: SupportsIndex = 2000,
    validation: SupportsIndex = 1000,
) -> Task:
    """Orthogonal foreground classes and a background on an axis of its own (PAPER 3.1).

    A point of foreground class ``c`` is ``N(e_c, 1e-5^2)`` along axis ``c`` and exact elsewhere;
    a background point is ``N(0, 0.1^2)`` along the last axis and 0 elsewhere. The foreground is
    always segment 0.

    The base points are the same for every dataset seed (the authors left theirs unseeded). Bag
    ``j`` of dataset seed 0 is the published bag ``j``, drawn by ``np.random.seed(j)``. Test bags
    go on counting where the training bags end, and validation bags where those end, so a longer
    training set keeps all its earlier bags and shifts the others. All splits draw from the same
    base points.

    Args:
        classes: foreground classes; a point has ``classes + 1`` coordinates.
        segments: segments of a bag.
        train: training bags.
        test: test bags.
        points: base points of each class.
        validation: validation bags; 0 for none.

    Returns:
        A task with splits "train", "validation" and "test". Equal arguments give the same object.

    Raises:
        InputError: fewer than 2 classes or segments, or a size below 1.
    """
    return _orthogonal(
        class_count(classes),
        bag_length(segments),
        as_int("train", train, low=1),
        as_int("test", test, low=1),
        as_int("points", points, low=1),
        as_int("validation", validation, low=0),
    )


def orthogonal_population(classes: SupportsIndex = 3, segments: SupportsIndex = 5) -> Task:
    """The population of the orthogonal task without noise: one bag a class, solved by theory.

    Bag ``c`` holds ``e_c`` as segment 0 and exact zeros elsewhere. With a linear model that
    starts at zero, gradient flow stays on the two parameters (mu, nu) of PAPER 4. Nothing is
    random: every dataset seed gives the same arrays.

    Args:
        classes: foreground classes, which is also the number of coordinates.
        segments: segments of a bag.

    Returns:
        A task with the split "train" only. Equal arguments give the same object.

    Raises:
        InputError: fewer than 2 classes or segments.
    """
    return _orthogonal_population(class_count(classes), bag_length(segments))


TASKS = {"orthogonal": orthogonal, "orthogonal-population": orthogonal_population}


@functools.lru_cache(maxsize=32)
def _orthogonal(
    classes: int, segments: int, train: int, test: int, points: int, validation: int
) -> Task:
    pool = _base_points(classes, points)

    def bags(seed: SupportsIndex, start: int, count: int) -> Data:
        label = np.empty(count, np.int32)
        choice = np.empty((count, segments), np.int64)
        for bag, stream in enumerate(generators(seed, start, count)):
            # The published draws of one bag. Its randint(20, 21) before every background patch
            # reads nothing from the stream, and m choices of size 1 read what one randint of
            # size m reads; the tests hold this against the procedure spelt out.
            label[bag] = stream.randint(0, classes)
            choice[bag] = stream.randint(0, points, segments)
        kind = np.full((count, segments), classes)
        kind[:, 0] = label
        indices = (kind * points + choice).astype(np.int32)
        return Data(unpadded(indices, label), pool)

    def make(seed: SupportsIndex) -> dict[str, Data]:
        splits = {"train": bags(seed, 0, train), "test": bags(seed, train, test)}
        return splits | ({"validation": bags(seed, train + test, validation)} if validation else {})

    return Task(
        name="orthogonal",
        default_model="linear",
        segments=segments,
        classes=classes,
        make=make,
        template=template(bags(0, 0, 1)),
        summary=(
            f"{classes} orthogonal classes and a background axis; {train} training, {test} test "
            f"and {validation} validation bags of {segments} segments, foreground first; {points} "
            "points a class"
        ),
    )


@functools.lru_cache(maxsize=32)
def _orthogonal_population(classes: int, segments: int) -> Task:
    def make(seed: SupportsIndex) -> dict[str, Data]:
        generators(seed, 0, 0)  # refuses what is no seed
        points = np.zeros((classes, segments, classes))
        points[:, 0] = np.eye(classes)
        return {"train": Data(unpadded(points, np.arange(classes)))}

    return Task(
        name="orthogonal-population",
        default_model="linear",
        segments=segments,
        classes=classes,
        make=make,
        template=template(make(0)["train"]),
        summary=(
            f"one bag for each of {classes} orthogonal classes, {segments} segments, background "
            "exactly zero: the solvable setting"
        ),
        solvable=True,
    )


@functools.lru_cache(maxsize=4)
def _base_points(classes: int, points: int) -> np.ndarray:
    """All points class by class, background last; float32 numbers in float64, read-only.

    Returns:
        ``[(classes + 1) * points, classes + 1]``.
    """
    # A stream apart from every bag's: crc32 of a name, in an array of length 1.
    stream = np.random.RandomState([zlib.crc32(b"orthogonal base points")])
    noise = stream.standard_normal((classes + 1, points))
    coordinates = np.zeros((classes + 1, points, classes + 1))
    for kind in range(classes):
        coordinates[kind, :, kind] = 1 + FOREGROUND_STD * noise[kind]
    coordinates[classes, :, classes] = BACKGROUND_STD * noise[classes]
    pool = coordinates.astype(np.float32).astype(np.float64).reshape(-1, classes + 1)
    pool.flags.writeable = False
    return pool
