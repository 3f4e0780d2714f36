"""What a comparison is asked. Nothing heavy is imported: the command line reads it too."""

from dataclasses import dataclass

__all__ = ["Question"]


@dataclass(frozen=True)
class Question:
    """What is asked of a comparison, before it is run: two paradigms at a time, of one measure.

    Several of one name are one question. See `jaxattn.analysis.questions` for those that every
    comparison is asked.
    """

    name: str
    measure: str
    """A measure of the result, a time such as ``time_to_focus``, or a part such as ``FTPT``."""
    at: str | float = "end"
    """``end``: its value at the end of training. ``late gain``: how much of it was gained over the
    last half of the run's time, of a share in log odds. ``late exponent``: the power of time at
    which the rest falls over that half (of a share, what is missing to the whole). A number from 0
    to 1: its value after that share of the run's time."""
    delta: float | None = None
    """Two paradigms no further apart than this are called equal; None: as the measure says."""
    between: tuple[tuple[str, str], ...] = ()
    """Pairs of paradigms that it is asked of; none: all."""
    title: str = ""
    """As a reader asks it; by default the name."""
