"""What one size of the experiment on text is, and the sweep that it is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from jaxattn.study.parse import from_plain
from jaxattn.study.spec import Spec

__all__ = ["SCALES", "Rationales", "sweep_of"]


@dataclass(frozen=True)
class Rationales:
    """One size; seeds vary the initial parameters alone."""

    steps: int
    seeds: int = 8
    data: str | None = None
    """Folder of the posts; None: invented ones."""
    label: str = "first"
    rationale: str = "annotator"
    model: str = "text"
    paradigms: tuple[str, ...] = ("soft", "hard", "lvml", "hybrid")
    learning_rate: float = 0.1
    optimiser: str = "momentum"
    order: str = "by-length"
    batch_size: int = 256
    evaluate: int = 512
    saves: int = 11
    focus_level: float = 0.2
    """Of `time_to_focus`: attention that is even puts a seventh on the rationale of people's posts,
    and no paradigm ends with a half."""

    @property
    def task(self) -> dict[str, Any]:
        """The task with its arguments."""
        folder = {} if self.data is None else {"data": self.data}
        return {**folder, "label": self.label, "rationale": self.rationale}


def sweep_of(size: Rationales, measures: Iterable[str]) -> Spec:
    """The sweep, of which these measures are kept.

    Raises:
        InputError: posts that are not there, or anything else that cannot be run.
    """
    asked = ("steps", "saves", "batch_size", "evaluate", "optimiser", "order", "focus_level")
    tables = {
        "task": {"name": "rationales", **size.task},
        "model": {"name": size.model},
        "settings": {name: getattr(size, name) for name in asked},
        "axes": {
            "paradigm": list(size.paradigms),
            "learning_rate": [size.learning_rate],
            "seed": {"count": size.seeds},
        },
        "output": {"measures": list(measures)},
    }
    return from_plain(tables)


SCALES: Mapping[str, Rationales] = {
    "smoke": Rationales(steps=60, seeds=3, batch_size=64, saves=4, evaluate=128),
    "small": Rationales(steps=720),
    "paper": Rationales(steps=550 * 61, saves=56, evaluate=2048, order="shuffled"),
}
"""Small: 60 epochs of 2,984 posts; paper: 550 of HateXplain's 15,383 (PAPER 3.6)."""
