"""What one size of the fixed-focus experiment is: its data, its model and how long it learns."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from jaxattn.core.contracts import Model, Task
from jaxattn.models import linear, mlp
from jaxattn.tasks import TASKS, orthogonal

__all__ = ["ALPHAS", "MOMENTUM", "FixedFocus", "FixedFocusImages", "Size"]

ALPHAS = (0.2, 0.4, 0.6, 0.8, 1.0)
MOMENTUM = 0.9
"""As published, of every version (PAPER 3.1, 3.2)."""


@dataclass(frozen=True)
class Size(ABC):
    """What the versions of the experiment share.

    Seeds vary the initial parameters alone. The bags are the published ones for every seed: their
    thousands average over what another draw would change, and a minibatch that all rows share is
    one matrix product.
    """

    segments: int
    bags: int
    seeds: int = 64
    epochs: int = 100
    batch_size: int = 256

    name: ClassVar[str]
    """Of the experiment."""
    network: ClassVar[str]
    """What the model is called."""
    rates: ClassVar[Mapping[str, float]]
    """Learning rate by paradigm, as published."""
    limit: ClassVar[str]
    """What the limits of loss and gap are, in words that follow "loss"."""

    @property
    @abstractmethod
    def task(self) -> Task:
        """The bags; the one test bag that a task must have is not looked at.

        Raises:
            InputError: images that are nowhere to be found.
        """

    @property
    @abstractmethod
    def model(self) -> Model:
        """The classification model, beside a focus that is not asked."""

    @property
    def steps_per_epoch(self) -> int:
        """Minibatches of an epoch, the short last one included."""
        return -(-self.bags // self.batch_size)

    @property
    def saves(self) -> tuple[int, ...]:
        """Steps at the start and at the end of every epoch."""
        return tuple(self.steps_per_epoch * epoch for epoch in range(self.epochs + 1))

    @property
    def rows(self) -> int:
        """How many rows all paradigms have."""
        return len(self.rates) * len(ALPHAS) * self.seeds


@dataclass(frozen=True)
class FixedFocus(Size):
    """Linear classification of orthogonal bags (PAPER 3.1); by default its size, with 64 seeds."""

    segments: int = 20
    bags: int = 5000
    classes: int = 20
    points: int = 2000

    name = "fixed-focus"
    network = "linear"
    rates: ClassVar[Mapping[str, float]] = {"soft": 0.05, "hard": 0.01, "lvml": 0.05}
    limit = "as time goes to infinity"

    @property
    def task(self) -> Task:
        """See `Size`."""
        return orthogonal(self.classes, self.segments, self.bags, 1, self.points)

    @property
    def model(self) -> Model:
        """With bias, started as PyTorch does."""
        return linear(self.classes, bias=True, start="uniform")


@dataclass(frozen=True)
class FixedFocusImages(Size):
    """A perceptron on mosaics whose first image is foreground (PAPER 3.2, 3.3), with 64 seeds.

    The published model is a convolutional network. All else is as published, for CIFAR-10; for
    CIFAR-100 LVML has the learning rate of CIFAR-10, as the published script has two and runs not.
    """

    segments: int = 5
    bags: int = 10_000
    images: str = "cifar10"
    """The task by name, of data on disk."""
    width: int = 64
    """Units of the one hidden layer."""

    name = "fixed-focus-images"
    network = "mlp"
    rates: ClassVar[Mapping[str, float]] = {"soft": 0.004, "hard": 0.01, "lvml": 0.05}
    limit = "of a classifier that is perfect on the foreground and uniform on the background"

    @property
    def task(self) -> Task:
        """See `Size`: all training images, none set aside."""
        return TASKS[self.images](
            segments=self.segments, train=self.bags, test=1, validation=0, position="first"
        )

    @property
    def model(self) -> Model:
        """As `jaxattn.models.mlp` starts it."""
        return mlp(self.task.classes, self.width)
