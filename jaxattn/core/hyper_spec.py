"""A hyperparameter that a component reads, as it is declared."""

from dataclasses import dataclass

__all__ = ["HyperSpec"]


@dataclass(frozen=True)
class HyperSpec:
    """A traced scalar that a component reads from `Hyper`.

    `default` None means off: the component reads it only where the `Hyper` has it. `of_run` is a
    default that depends on the run instead: this share of the time at its last save. `low` and
    `high` bound the values a person may ask for (``low`` itself excluded when `open_low`); the
    core never clips.
    """

    name: str
    default: float | None
    low: float = float("-inf")
    high: float = float("inf")
    unit: str = "1"
    doc: str = ""
    open_low: bool = False
    of_run: float | None = None
