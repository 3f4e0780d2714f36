"""Rows that did not end well: told of as soon as all rows of their group are back."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from jaxattn.core.contracts import Status
from jaxattn.core.reasons import Reason
from jaxattn.study.groups import Group
from jaxattn.study.plan import Plan
from jaxattn.training.saves import OwnTimes

__all__ = ["MOST", "Failed", "Failures"]

MOST = 3
"""Settings of a group that are told of one by one."""

_BAD = (Status.DIVERGED, Status.SOLVER_FAILED, Status.INTERRUPTED)


class Failed(NamedTuple):
    """Rows of one paradigm, dynamics and setting of which some did not end well."""

    paradigm: str
    dynamics: str
    setting: Mapping[str, Any]
    """Values by name of what varies beside the seed; empty where nothing does."""
    rows: int
    """How many there are."""
    ended: Mapping[Status, int]
    """How many ended otherwise than well, by how."""
    good: int | None = None
    """The last save, by its step, at which all were well; None: unknown."""
    bad: int | None = None
    """The save at which the first was not, by its step; the last one where none came after."""
    more: int = 0
    """Further settings of the same paradigm and dynamics with such rows, not told of."""
    reason: Reason = Reason.NONE
    """Why the first of them was not solved, where it is a limit's."""
    time: float | None = None
    """The time that it reached; None: unknown."""


@dataclass
class _Point:
    """The rows of one point of the axes that are back."""

    rows: int = 0
    ended: Counter[int] = field(default_factory=Counter)
    reached: float = np.inf
    """The earliest time of a last good save among the rows that failed."""
    reason: Reason | None = None
    """Of that row; None: no row failed."""

    def add(self, status: np.ndarray, reached: np.ndarray, reason: np.ndarray) -> None:
        """Rows that failed, if there are any."""
        self.ended.update(status.tolist())
        times = np.where(np.isnan(reached), np.inf, reached)
        for found in zip(times.tolist(), reason.tolist(), strict=True):
            # Whatever the order in which rows come back, the same one is the first.
            if self.reason is None or found < (self.reached, self.reason):
                self.reached, self.reason = found[0], Reason(found[1])


class Failures:
    """Collects how the rows of groups ended, chunk by chunk, in any order."""

    def __init__(self, rows: Mapping[int, int], tell: Callable[[Failed], None] | None) -> None:
        """Nothing is back yet.

        Args:
            rows: how many will come back, by number of their group.
            tell: hears of a group's failures, once, when all of its rows are back; None: nobody.
        """
        self._left, self._tell = dict(rows), tell
        self._points: dict[int, dict[int, _Point]] = {}

    def add(
        self,
        group: Group,
        plan: Plan,
        rows: np.ndarray,
        status: np.ndarray,
        reached: np.ndarray,
        at: Mapping[str, Any] | None = None,
        reason: np.ndarray | None = None,
    ) -> None:
        """Rows came back.

        Args:
            group: whose.
            plan: all rows of the group.
            rows: numbers of these ``[row]``.
            status: how each ended.
            reached: time of its last good save; NaN: unknown.
            at: what tells the group from others of its paradigm and dynamics.
            reason: why each was not solved; None: unknown.
        """
        if self._tell is None:
            return
        points = self._points.setdefault(group.number, {})
        reason = np.zeros(rows.shape, int) if reason is None else reason
        places = rows // len(plan.seeds)
        for place in np.unique(places).tolist():
            here = places == place
            bad = here & np.isin(status, _BAD)
            point = points.setdefault(place, _Point())
            point.rows += int(here.sum())
            point.add(status[bad], reached[bad], reason[bad])
            if point.rows == len(plan.seeds) and not point.ended:
                del points[place]  # of many points, what is well is soon forgotten
        self._left[group.number] -= rows.size
        if not self._left[group.number]:
            for failed in _failed(group, plan, self._points.pop(group.number), at or {}):
                self._tell(failed)


def _failed(
    group: Group, plan: Plan, points: Mapping[int, _Point], at: Mapping[str, Any]
) -> Iterator[Failed]:
    failing = sorted(place for place, point in points.items() if point.ended)
    for number, place in enumerate(failing[:MOST]):
        point = points[place]
        good, bad = _between(group, plan, place, point.reached)
        yield Failed(
            group.paradigm,
            group.dynamics,
            {**at, **_setting(plan, place)},
            point.rows,
            {code: point.ended[code] for code in _BAD if point.ended[code]},
            good,
            bad,
            more=len(failing) - MOST if number == MOST - 1 else 0,
            reason=point.reason or Reason.NONE,
            time=point.reached if point.reason and np.isfinite(point.reached) else None,
        )


def _setting(plan: Plan, place: int) -> dict[str, Any]:
    """The values at a point of the axes that vary."""
    index = np.unravel_index(place, plan.shape[:-1])
    return {
        name: value
        for axis, here in zip(plan.axes, index, strict=True)
        if len(axis) > 1
        for name, value in axis.at(int(here)).items()
    }


def _between(group: Group, plan: Plan, place: int, reached: float) -> tuple[int | None, int | None]:
    """The steps of the saves before and after the time that the first failing row reached."""
    study, problem = group.study, group.problem
    if not np.isfinite(reached) or isinstance(study.saves, OwnTimes):
        return None, None
    row = np.asarray([place * len(plan.seeds)])
    # In the precision of the run, so that the clock reads what it read there.
    hypers = {
        name: values.astype(problem.precision)
        for name, values in plan.hypers_of(row).items()
        if name in study.hypers
    }
    clock, steps = study.clock(hypers)[0], study.steps_at(hypers)[0]
    # Training ends at a save, but for rounding; a flow between two.
    near = 1e-3 * float(np.min(np.diff(clock)))
    save = max(int(np.sum(clock <= reached + near)) - 1, 0)
    return int(steps[save]), int(steps[min(save + 1, len(steps) - 1)])
