"""What experiments on mosaics of images share: their sizes, and the sweep that each is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from jaxattn.study.parse import from_plain
from jaxattn.study.spec import Spec

__all__ = ["PUBLISHED", "SMOKE", "Mosaics", "sweep_of"]


@dataclass(frozen=True)
class Mosaics:
    """One size of an experiment; seeds vary the initial parameters alone."""

    task: str
    model: str
    learning_rates: tuple[float, ...]
    train: int
    test: int
    steps: int
    segments: tuple[int, ...] = (5,)
    foreground: tuple[int, ...] = ()
    """Classes to tell apart; by default those of the task."""
    new_mosaics: int = 0
    downsample: int = 1
    validation: int = 512
    batch_size: int = 256
    evaluate: int = 1024
    optimiser: str = "momentum"
    paradigms: tuple[str, ...] = ("soft", "hard", "lvml", "hybrid")
    saves: int = 11
    seeds: int = 8


SMOKE = Mosaics(
    task="digits",
    model="linear",
    paradigms=("soft", "hard"),
    learning_rates=(0.1,),
    train=256,
    test=256,
    validation=128,
    steps=40,
    batch_size=64,
    evaluate=128,
    saves=3,
    seeds=3,
)
"""Seconds on a CPU, of images that need no download."""

PUBLISHED = Mosaics(
    task="cifar10",
    model="cnn-cifar10",
    learning_rates=(0.05,),
    train=30000,
    test=10000,
    steps=150 * 118,
    evaluate=10000,
    saves=151,
)
"""The published images, nets, sizes, optimiser, batches and epochs (PAPER 3.4)."""


def sweep_of(
    sizes: Mosaics,
    measures: Iterable[str],
    axes: Mapping[str, Any] | None = None,
    own: Mapping[str, str] | None = None,
) -> Spec:
    """The sweep that it is.

    Args:
        sizes: of the experiment.
        measures: to keep.
        axes: further ones by name, before that of learning rates.
        own: measures of the experiment itself by name, each an import path.

    Raises:
        InputError: images that are not there, or anything else that cannot be run.
    """
    drawn = {name: getattr(sizes, name) for name in ("train", "test", "validation")}
    # Digits, which are few and small, have no second set of mosaics and are made no smaller.
    drawn |= {"new_mosaics": sizes.new_mosaics} if sizes.new_mosaics else {}
    drawn |= {"downsample": sizes.downsample} if sizes.downsample > 1 else {}
    drawn |= {"foreground": list(sizes.foreground)} if sizes.foreground else {}
    asked = ("steps", "saves", "batch_size", "evaluate", "optimiser")
    tables = {
        "task": {"name": sizes.task, **drawn},
        "model": {"name": sizes.model},
        "settings": {name: getattr(sizes, name) for name in asked},
        "axes": {
            "paradigm": list(sizes.paradigms),
            "segments": list(sizes.segments),
            **(axes or {}),
            "learning_rate": list(sizes.learning_rates),
            "seed": {"count": sizes.seeds},
        },
        "output": {"measures": list(measures)},
        **({"measures": dict(own)} if own else {}),
    }
    return from_plain(tables)
