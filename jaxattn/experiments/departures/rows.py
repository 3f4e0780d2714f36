"""What the departures experiment solves: its sizes, and one row for each flow."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from jaxattn.core.contracts import Data, Example
from jaxattn.tasks import orthogonal
from jaxattn.tasks.bags import unpadded
from jaxattn.tasks.population import gram_population, quasi_normal

__all__ = [
    "DEPARTURES",
    "STEPS",
    "Departures",
    "Row",
    "frequencies_at",
    "gram_at",
    "imbalances_of",
    "rows_of",
]

DEPARTURES = {
    "frequency": "imbalance of class frequencies",
    "chain": "correlation of neighbouring classes",
    "equal": "correlation of all classes",
    "noise": "noise on the background, sigma",
    "sample": "1 / sqrt(bags)",
}
"""What is departed from, and in what its size is measured."""

STEPS, SAVES = 2000, 40
"""Steps of the clock to the last time, and how many of them are saved at, log-spaced."""


@dataclass(frozen=True)
class Departures:
    """One size of the experiment.

    - ``imbalances``: root mean square over classes of their excess in frequency, ``C pi_c - 1``, at
      most 0.57; ``correlations`` of foregrounds; ``noises``: sigma of the background; ``bags`` of a
      sample
    - ``points``: quasi-random draws of a class, with as many negatives; ``scrambles`` of them
    - ``seeds``: samples of each size
    - ``horizon``: the last time in units of segments times classes; the hybrid switches at a tenth
    - ``least``: fewer bags are filled up to so many, so that one program can serve all rows
    - ``tile``: rows of one call
    """

    classes: int = 5
    segments: int = 5
    imbalances: tuple[float, ...] = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
    correlations: tuple[float, ...] = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
    noises: tuple[float, ...] = (0.025, 0.05, 0.1, 0.2, 0.4)
    bags: tuple[int, ...] = (64, 256, 1024, 4096)
    points: int = 256
    scrambles: int = 4
    seeds: int = 16
    horizon: float = 20.0
    least: int = 0
    tile: int = 8

    @property
    def end(self) -> float:
        """The last time."""
        return self.horizon * self.segments * self.classes

    @property
    def switch_time(self) -> float:
        """When the hybrid goes over."""
        return 0.1 * self.end

    @property
    def saves(self) -> tuple[int, ...]:
        """The steps that are saved at."""
        spaced = np.rint(np.geomspace(1, STEPS, SAVES)).astype(int)
        return tuple(sorted({0, *spaced.tolist()}))

    @property
    def amounts(self) -> dict[str, tuple[float, ...]]:
        """The sizes of each departure, increasing."""
        shrinking = tuple(count**-0.5 for count in sorted(self.bags, reverse=True))
        exact = (self.imbalances, self.correlations, self.correlations)
        return dict(zip(DEPARTURES, (*exact, self.noises, shrinking), strict=True))


class Row(NamedTuple):
    """A flow to be solved: where it belongs, what it learns from, one silent bag of each class."""

    departure: str
    size: int
    seed: int
    bags: Example
    silent: Example


def frequencies_at(amount: float, classes: int) -> Float[np.ndarray, " class"]:
    """Frequencies pi that rise from class to class in equal steps.

    Args:
        amount: root mean square of ``C pi_c - 1``, below 0.57.
        classes: C.
    """
    ramp = np.linspace(-1, 1, classes)
    return (1 + amount * ramp / np.sqrt(np.mean(ramp**2))) / classes


def gram_at(departure: str, amount: float, classes: int) -> Float[np.ndarray, "class class"]:
    """``rho^|c - c'|`` for a chain of classes; rho between any two that are equally correlated."""
    apart = np.abs(np.subtract.outer(np.arange(classes), np.arange(classes)))
    return np.asarray(amount ** (apart if departure == "chain" else np.minimum(apart, 1)))


def rows_of(config: Departures) -> Iterator[Row]:
    """Every row; segments have the foregrounds' coordinates and one more, 0 but in a sample."""
    classes, segments = config.classes, config.segments
    for departure in ("frequency", "chain", "equal"):
        for size, amount in enumerate(config.amounts[departure]):
            unequal = departure == "frequency"
            task = gram_population(
                frequencies_at(amount if unequal else 0.0, classes),
                None if unequal else gram_at(departure, amount, classes),
                segments,
            )
            bags = _with_axis(task.make(0)["train"].examples)
            yield Row(departure, size, 0, _filled(bags, config.least), bags)
    plain = gram_population(np.ones(classes), None, segments).make(0)["train"].examples
    silent = _with_axis(plain)
    for seed in range(config.scrambles):
        noise = quasi_normal(classes, segments, config.points, seed)
        for size, amount in enumerate(config.noises):
            yield Row("noise", size, seed, _filled(_noisy(amount * noise), config.least), silent)
    # Size by size: rows of one shape stand together.
    for size, count in enumerate(sorted(config.bags, reverse=True)):
        for seed in range(config.seeds):
            data = _sample(config, count, seed)
            pool: Any = data.pool
            sample = data.examples._replace(segments=pool[np.asarray(data.examples.segments)])
            yield Row("sample", size, seed, _filled(sample, config.least), silent)


def imbalances_of(config: Departures) -> Float[np.ndarray, "size seed"]:
    """The root mean square of ``C p_c - 1`` in each sample, p the shares of its classes."""

    def of_one(count: int, seed: int) -> float:
        label = np.asarray(_sample(config, count, seed).examples.label)
        share = np.bincount(label, minlength=config.classes) / count
        return float(np.sqrt(np.mean((config.classes * share - 1) ** 2)))

    sizes = sorted(config.bags, reverse=True)
    return np.array([[of_one(count, seed) for seed in range(config.seeds)] for count in sizes])


def _sample(config: Departures, count: int, seed: int) -> Data:
    task = orthogonal(config.classes, config.segments, count, 1, validation=0)
    return task.make(seed)["train"]


def _with_axis(bags: Example) -> Example:
    wider: Any = np.pad(np.asarray(bags.segments), ((0, 0), (0, 0), (0, 1)))
    return bags._replace(segments=wider)


def _noisy(noise: Float[np.ndarray, "class bag segment class"]) -> Example:
    classes, count, others, _ = noise.shape
    bags = np.zeros((classes, count, others + 1, classes + 1))
    bags[:, :, 0, :classes] = np.eye(classes)[:, None]
    bags[:, :, 1:, :classes] = noise
    flat = bags.reshape(classes * count, others + 1, classes + 1)
    first = np.broadcast_to(np.arange(others + 1) == 0, flat.shape[:2])
    return unpadded(flat, np.repeat(np.arange(classes), count), first)


def _filled(bags: Example, least: int) -> Example:
    """The bags and, up to `least`, the last one again at weight 0."""
    count = len(bags.weight)
    rows = np.minimum(np.arange(max(count, least)), count - 1)
    filled: Any = [np.asarray(leaf)[rows] for leaf in bags]
    weight: Any = np.where(np.arange(len(rows)) < count, filled[-1], 0.0)
    return Example(*filled)._replace(weight=weight)
