"""Why a continuous row was not solved."""

from enum import IntEnum

__all__ = ["Reason"]


class Reason(IntEnum):
    """What ended a solve before its last time; it ended at the time that the row reached."""

    NONE = 0
    STEPS_USED_UP = 1
    STEP_SIZE_UNDERFLOW = 2
    """No step is short enough: at a singularity, or where a path slides along a kink."""
    NOT_FINITE = 3

    @property
    def words(self) -> str:
        """As a person reads it; nothing where there is none."""
        return "" if self is Reason.NONE else self.name.lower().replace("_", " ")
