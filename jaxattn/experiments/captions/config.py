"""What one size of the experiment on captions is, and the sweep that it is of one set of images."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from jaxattn.study.parse import from_plain
from jaxattn.study.spec import Spec

__all__ = ["SCALES", "Captions", "sweep_of"]


@dataclass(frozen=True)
class Captions:
    """One size; seeds vary the initial parameters alone."""

    images: tuple[str, ...] = ("digits",)
    data: str | None = None
    """Folder of photographs with captions, as COCO has them, in place of mosaics of `images`."""
    longest: int = 16
    least: int = 5
    """Of captions of photographs: see `jaxattn.tasks.coco`."""
    train: int = 5000
    test: int = 1000
    validation: int = 500
    segments: int = 6
    width: int = 32
    learning_rate: float = 0.05
    steps: int = 1600
    batch_size: int = 128
    evaluate: int = 512
    saves: int = 41
    seeds: int = 8
    paradigms: tuple[str, ...] = ("soft", "hard", "lvml", "hybrid")

    @property
    def sets(self) -> tuple[str, ...]:
        """What is learnt from, by name."""
        return self.images if self.data is None else ("coco",)

    def task(self, images: str) -> dict[str, Any]:
        """The task of one of the sets, by name with its arguments."""
        if self.data is not None:
            sizes = {"longest": self.longest, "least": self.least}
            return {"name": "coco", "data": self.data, **sizes}
        names = ("train", "test", "validation", "segments")
        drawn = {name: getattr(self, name) for name in names}
        return {"name": "captions", "images": images, **drawn}


def sweep_of(
    config: Captions, images: str, measures: Iterable[str], *, params: bool = False
) -> Spec:
    """The sweep of captions of one set of images.

    Args:
        config: of the experiment.
        images: the set, by its name.
        measures: to keep.
        params: whether parameters at the end of every run are kept.

    Raises:
        InputError: images that are not there, or anything else that cannot be run.
    """
    asked = ("steps", "saves", "batch_size", "evaluate")
    tables = {
        "task": config.task(images),
        "model": {"name": "captioner", "width": config.width},
        "settings": {name: getattr(config, name) for name in asked} | {"optimiser": "sgd"},
        "axes": {
            "paradigm": list(config.paradigms),
            "learning_rate": [config.learning_rate],
            "seed": {"count": config.seeds},
        },
        "output": {"measures": list(measures), "params": params},
    }
    return from_plain(tables)


SCALES: Mapping[str, Captions] = {
    "smoke": Captions(
        train=256,
        test=128,
        validation=64,
        width=16,
        steps=40,
        batch_size=64,
        evaluate=64,
        saves=3,
        seeds=3,
        paradigms=("soft", "hard"),
    ),
    "small": Captions(),
    "paper": Captions(
        images=("cifar10",), train=30000, test=10000, width=512, steps=6000, evaluate=5000
    ),
}
