"""Online learning: every batch is drawn anew, and no example is seen twice."""

from dataclasses import dataclass
from typing import Any

from jaxattn.core.contracts import InputError

__all__ = ["Fresh"]


@dataclass(frozen=True, eq=False)
class Fresh:
    """Examples without end, for `jaxattn.compare`: each step learns from a batch of its own.

    Limits of training stand for the mean over all examples there are by that over `evaluate`; those
    that know the noise of batches take batches of `size` drawn independently (c = 1/B).

    Raises:
        InputError: `sample` is no function, or `size` no positive integer.
    """

    sample: Any
    """``sample(key) -> batch``: `size` examples, along the leading axis of every leaf; pure, as it
    runs within the compiled loop."""
    size: int
    """Examples of a batch."""
    evaluate: Any = 1024
    """What runs are measured on: a pytree, ``{"train": tree, "test": tree}``, ``seed -> that``, or
    how many examples to draw, once."""

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn from."""
        if not callable(self.sample):
            raise InputError(
                f"Fresh: got {type(self.sample).__name__}, expected a function sample(key) -> "
                "batch."
            )
        whole = isinstance(self.size, int) and not isinstance(self.size, bool)
        if not whole or self.size < 1:
            raise InputError(f"Fresh: got the size {self.size!r}, expected an integer, 1 or more.")
