"""Exact populations beyond the solvable setting: unequal classes, correlated foregrounds, noise.

The population loss of a linear pair is an expectation over the class alone while the background is
0, as where the foreground stands does not matter: one bag a class, weighted by its frequency, is
exact. Gradient flow from zero stays in the span of the foregrounds and turns with them, so that
their Gram matrix says all there is to say about them. Isotropic background noise makes the
expectation an integral; quasi-random bags give it with an error that their scrambles state.
"""

import functools
from typing import Any, SupportsIndex

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from jaxattn.core.arrays import as_array
from jaxattn.core.contracts import Data, InputError, Task
from jaxattn.tasks.arguments import as_int, bag_length, class_count
from jaxattn.tasks.bags import template, unpadded

__all__ = ["foregrounds", "gram_population", "noisy_population", "quasi_normal"]


def foregrounds(gram: ArrayLike) -> Float[np.ndarray, "class class"]:
    """One vector a class, in rows, with these inner products: the symmetric root of `gram`.

    The closest vectors to the orthonormal ones that have this Gram matrix; any others with it learn
    the same. Singular matrices are allowed: equal foregrounds of two classes, say.

    Args:
        gram: symmetric and positive semidefinite, to rounding.

    Raises:
        InputError: another matrix.
    """
    matrix = as_array("gram", gram, float)
    square = matrix.ndim == 2 and matrix.shape[0] == matrix.shape[1]
    if not (square and np.isfinite(matrix).all()):
        raise InputError(
            f"gram: got {_shown(gram)}, expected a square matrix of finite numbers; give the "
            "inner products of the classes' foregrounds"
        )
    rounding = 8 * len(matrix) * np.finfo(float).eps * np.abs(matrix).max()
    if np.abs(matrix - matrix.T).max() > rounding:
        raise InputError("gram: got a matrix that is not symmetric; expected inner products")
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    if values[0] < -rounding:
        raise InputError(
            f"gram: got a smallest eigenvalue of {values[0]:.3g}, expected 0 or more; no vectors "
            "have these inner products"
        )
    root: np.ndarray = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    return root


def gram_population(
    frequencies: ArrayLike, gram: ArrayLike | None = None, segments: SupportsIndex = 5
) -> Task:
    """The population of classes of any frequency and foregrounds of any Gram matrix.

    Bag ``c`` holds the foreground of class ``c`` as segment 0 and exact zeros elsewhere, and weighs
    what the class is frequent. With equal frequencies and orthonormal foregrounds it is
    `orthogonal_population`. Nothing is random: every dataset seed gives the same arrays.

    Args:
        frequencies: of each class, positive; only their ratios matter, so counts will do.
        gram: inner products of the foregrounds; orthonormal ones by default.
        segments: segments of a bag.

    Returns:
        A task with the split "train" only. Equal arguments give the same object.

    Raises:
        InputError: fewer than 2 classes or segments; a frequency that is not positive and finite;
            a `gram` of another size, or of no vectors.
    """
    share = as_array("frequencies", frequencies, float)
    if share.ndim != 1 or not (np.isfinite(share).all() and (share > 0).all()):
        raise InputError(
            f"frequencies: got {_shown(frequencies)}, expected one positive number a class; leave "
            "out classes that do not occur"
        )
    classes = class_count(len(share))
    vectors = np.eye(classes) if gram is None else foregrounds(gram)
    if len(vectors) != classes:
        raise InputError(
            f"gram: got {len(vectors)} foregrounds for {classes} frequencies; give one of each "
            "for every class"
        )
    return _gram_population(
        tuple((share / share.sum()).tolist()),
        tuple(map(tuple, vectors.tolist())),
        bag_length(segments),
    )


def noisy_population(
    classes: SupportsIndex = 3,
    segments: SupportsIndex = 5,
    noise: float = 0.1,
    points: SupportsIndex = 256,
) -> Task:
    """The population under isotropic noise on the background, by quasi-Monte Carlo.

    Background segments are ``N(0, noise^2 I)`` on the foregrounds' own coordinates. Each class has
    `points` draws and their negatives, so that all odd orders in the noise are exact; class ``c``
    has those of class 0 with their coordinates moved on by ``c``, so that no class is favoured.
    Another dataset seed is another scramble: the spread between a few says how large the error is.

    Args:
        classes: orthogonal foreground classes.
        segments: segments of a bag.
        noise: standard deviation of each coordinate, 0 or more.
        points: a power of 2.

    Returns:
        A task with the split "train" only, of ``2 * classes * points`` bags. Equal arguments give
        the same object.

    Raises:
        InputError: an argument out of its range.
    """
    if not (np.isfinite(noise) and noise >= 0):
        raise InputError(f"noise: got {noise}, expected a finite number, 0 or more")
    return _noisy_population(
        class_count(classes), bag_length(segments), float(noise), as_int("points", points, low=1)
    )


def quasi_normal(
    classes: int, segments: int, points: int, seed: SupportsIndex
) -> Float[np.ndarray, "class bag segment class"]:
    """The noise of `noisy_population` at standard deviation 1, ``2 * points`` bags a class.

    Scrambled Sobol points (scipy.stats.qmc; Owen's scrambling by a random linear map and shift)
    through the inverse normal distribution, in ``(segments - 1) * classes`` dimensions.

    Raises:
        InputError: `points` is no power of 2, which Sobol points need to be balanced.
    """
    if points & (points - 1):
        raise InputError(
            f"points: got {points}, expected a power of 2; use {1 << points.bit_length()}"
        )
    from scipy.stats import qmc  # 1 s to import; only this task needs it

    dimension = (segments - 1) * classes
    generator = np.random.default_rng(as_int("dataset seed", seed, low=0))
    half = qmc.MultivariateNormalQMC(np.zeros(dimension), rng=generator).random(points)
    first = np.concatenate([half, -half]).reshape(2 * points, segments - 1, classes)
    return np.stack([np.roll(first, label, axis=-1) for label in range(classes)])


@functools.lru_cache(maxsize=32)
def _gram_population(
    share: tuple[float, ...], vectors: tuple[tuple[float, ...], ...], segments: int
) -> Task:
    classes = len(share)

    def make(seed: SupportsIndex) -> dict[str, Data]:
        as_int("dataset seed", seed, low=0)
        points = np.zeros((classes, segments, classes))
        points[:, 0] = vectors
        weight: Any = np.array(share)
        bags = unpadded(points, np.arange(classes))
        return {"train": Data(bags._replace(weight=weight))}

    return Task(
        name="gram-population",
        default_model="linear",
        segments=segments,
        classes=classes,
        make=make,
        template=template(make(0)["train"]),
        summary=(
            f"one bag for each of {classes} classes, weighted by its frequency, {segments} "
            "segments, background exactly zero"
        ),
    )


@functools.lru_cache(maxsize=32)
def _noisy_population(classes: int, segments: int, noise: float, points: int) -> Task:
    def make(seed: SupportsIndex) -> dict[str, Data]:
        background = noise * quasi_normal(classes, segments, points, seed)
        bags = np.zeros((*background.shape[:2], segments, classes))
        bags[:, :, 0] = np.eye(classes)[:, None]
        bags[:, :, 1:] = background
        count = classes * 2 * points
        label = np.repeat(np.arange(classes), 2 * points)
        flat = bags.reshape(count, segments, classes)
        return {"train": Data(unpadded(flat, label))}

    return Task(
        name="noisy-population",
        default_model="linear",
        segments=segments,
        classes=classes,
        make=make,
        template=template(make(0)["train"]),
        summary=(
            f"{2 * points} quasi-random bags for each of {classes} orthogonal classes, {segments} "
            f"segments, background N(0, {noise:g}^2) on every coordinate"
        ),
    )


def _shown(value: Any) -> str:
    return " ".join(repr(value).split())[:60]
