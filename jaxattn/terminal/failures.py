"""Rows that did not end well, in one line."""

from jaxattn.analysis.wording import listed, setting_words
from jaxattn.core.contracts import Status
from jaxattn.run.failures import Failed

__all__ = ["failure_words"]

_ENDED = {
    Status.DIVERGED: "diverged",
    Status.SOLVER_FAILED: "not solved",
    Status.INTERRUPTED: "cut short",
}


def failure_words(failed: Failed) -> str:
    """Such as: 8 of 8 rows of 'mine' at learning rate 10 diverged, first at step 12."""
    where = setting_words(failed.setting)
    whose = f"{failed.paradigm!r}{f' at {where}' if where else ''}"
    if failed.dynamics != "train":
        whose += f" ({failed.dynamics})"
    return f"{_ends(failed, whose)}{_when(failed)}{_why(failed)}{_more(failed)}."


def _ends(failed: Failed, whose: str) -> str:
    if len(failed.ended) == 1:
        ((how, count),) = failed.ended.items()
        was = "" if how is Status.DIVERGED else "was " if count == 1 else "were "
        return f"{count} of {failed.rows} rows of {whose} {was}{_ENDED[how]}"
    each = listed(f"{count} {_ENDED[how]}" for how, count in failed.ended.items())
    count = sum(failed.ended.values())
    return f"{count} of {failed.rows} rows of {whose} did not finish: {each}"


def _when(failed: Failed) -> str:
    good, bad = failed.good, failed.bad
    if good is None or bad is None:
        return ""
    if bad - good <= 1:
        # At step 0 nothing is known of what was before: what is seen there is bad by step 1.
        return f", first by step {bad}" if good == 0 else f", first at step {bad}"
    return f", first between steps {good} and {bad}"


def _why(failed: Failed) -> str:
    if not failed.reason:
        return ""
    at = "" if failed.time is None else f" at t = {failed.time:.3g}"
    return f" ({failed.reason.words}{at})"


def _more(failed: Failed) -> str:
    if not failed.more:
        return ""
    return f"; so did rows at {failed.more} more setting{'s' if failed.more > 1 else ''}"
