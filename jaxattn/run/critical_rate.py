"""The largest learning rate at which training stays near a limit, between two rates, by bisection.

Every seed has a bracket of its own. All seeds at all rates go through one compiled program of
training and one of the limit: rates are traced, and so are the numbers of steps.
"""

from collections.abc import Callable
from dataclasses import replace
from math import ceil, log, log2
from typing import NamedTuple

import jax
import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from jaxattn.core.contracts import InputError, Status, Trajectory
from jaxattn.results.derived import WELL_ABOVE
from jaxattn.run.data_source import Sources
from jaxattn.run.job import Job, make_job, refuse_without_x64, tiles_at_once, usual_tile
from jaxattn.run.own_error import CLOSER, distance_between
from jaxattn.run.tiles import fetch
from jaxattn.study.groups import Group, groups_of
from jaxattn.study.plan import make_plan
from jaxattn.study.study import Study

__all__ = ["Bracket", "OnBracket", "find_critical_rates"]

_Floats = Float[np.ndarray, " seed"]


class Bracket(NamedTuple):
    """Where the bisection stands.

    - ``within [seed]``: the largest rate at which training is known to stay within
    - ``left [seed]``: the smallest above it at which it is known to leave
    """

    number: int
    """Bisections that were made."""
    total: int
    """Of how many."""
    within: _Floats
    left: _Floats


OnBracket = Callable[[Bracket], None]


class _Rows:
    """Training of one paradigm and its limit beside it, a row a seed, at any learning rate."""

    def __init__(self, study: Study, limit: str) -> None:
        """Nothing is compiled yet.

        Args:
            study: of one paradigm, its learning rates an axis of the two ends.
            limit: by name.
        """
        study.refuse_decays()
        group = next(one for one in groups_of(study) if one.dynamics == "train")
        beside = replace(group, dynamics=limit)
        refuse_without_x64((group, beside))
        self.seeds = np.asarray(study.seeds)
        self._sources = Sources(study)
        self._train, self._limit = self._job(group), self._job(beside)

    def _job(self, group: Group) -> Job:
        at_once = tiles_at_once(tuple(jax.local_devices()))
        plan = make_plan(
            group.axes, group.seeds, group.constants, tile=usual_tile(group), at_once=at_once
        )
        return make_job(group, plan, measures=frozenset())

    def _run(self, job: Job, rates: _Floats, share: float = 1.0) -> Trajectory:
        # The seeds at the first rate, which is then put aside.
        rows = np.arange(self.seeds.size).reshape(-1, job.plan.tile)
        given = {"learning_rate": rates.reshape(rows.shape)}
        hypers, data = job.hypers_of(rows, share, given), self._sources.of(job, rows)
        out = fetch(job.run(job.plan.seed_of(rows), hypers, data, put=self._sources.put))
        return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), out)

    def shares(self, rates: _Floats) -> _Floats:
        """The largest distance of training from the limit, over the way of the limit.

        Infinite where training diverges, NaN where the limit was not solved.
        """
        train, limit = self._run(self._train, rates), self._run(self._limit, rates)
        share = self._share(train, limit)
        ended = Status.ended_well(train.status)
        share = np.where(ended, share, np.inf)
        return np.where(Status.ended_well(limit.status), share, np.nan)

    def own_errors(self, rates: _Floats) -> _Floats:
        """The same of the limit from itself, solved more closely; NaN where that is not known."""
        if not self._limit.is_solved_twice:
            return np.full(rates.shape, np.nan)
        return self._share(self._run(self._limit, rates, CLOSER), self._run(self._limit, rates))

    @staticmethod
    def _share(one: Trajectory, limit: Trajectory) -> _Floats:
        ours, theirs = (np.asarray(each.measures["position"]) for each in (one, limit))
        way = distance_between(theirs, theirs[:, :1]).max(axis=-1)
        far = distance_between(ours, theirs).max(axis=-1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(far == 0, 0.0, far / way)

    def steps(self, rates: _Floats) -> _Floats:
        """How many steps training takes at these rates."""
        study = self._train.group.study
        fixed = {name: np.full(rates.shape, at) for name, at in study.constants.items()}
        steps = study.steps_at({**fixed, "learning_rate": rates})
        return steps[..., -1].astype(float)


def find_critical_rates(
    study: Study,
    limit: str,
    tolerance: float,
    width: float,
    on_bracket: OnBracket | None = None,
) -> pd.DataFrame:
    """See `jaxattn.critical_rate`.

    Args:
        study: of one paradigm beside the limit, between two learning rates.
        limit: by name.
        tolerance: share of the limit's way at which training has left it.
        width: bisect until the rates of a bracket are no further apart, relative to the smaller.
        on_bracket: called with every bracket, the one that was asked for before anything runs.

    Raises:
        InputError: the two rates are no bracket, or the tolerance is not well above the limit's
            own error.
    """
    rows = _Rows(study, limit)
    low, high = (np.full(rows.seeds.shape, rate) for rate in sorted(study.axes["learning_rate"]))
    total = max(0, ceil(log2(log(high[0] / low[0]) / log(1 + width))))
    bracket = Bracket(0, total, low, high)
    tell = on_bracket or (lambda _: None)
    tell(bracket)
    own = rows.own_errors(low)
    _refuse_rough(own, tolerance, limit)
    at_low, at_high = rows.shares(low), rows.shares(high)
    known = np.isfinite(at_low) & ~np.isnan(at_high)
    _refuse_no_bracket("low", at_low, at_low < tolerance, rows.seeds, low[0], tolerance)
    _refuse_no_bracket("high", at_high, ~(at_high < tolerance), rows.seeds, high[0], tolerance)
    for number in range(1, total + 1):
        middle = np.sqrt(bracket.within * bracket.left)
        share = rows.shares(middle)
        known &= ~np.isnan(share)
        inside = share < tolerance
        at_low, at_high = np.where(inside, share, at_low), np.where(inside, at_high, share)
        within = np.where(inside, middle, bracket.within)
        bracket = Bracket(number, total, within, np.where(inside, bracket.left, middle))
        tell(bracket)
    found = {
        "within": bracket.within,
        "left": bracket.left,
        "share_within": at_low,
        "share_left": at_high,
        "own_error": own,
        "steps": rows.steps(bracket.within),
    }
    table = pd.DataFrame({name: np.where(known, at, np.nan) for name, at in found.items()})
    status = [Status.DONE if is_known else Status.SOLVER_FAILED for is_known in known]
    table.insert(0, "seed", rows.seeds)
    return table.assign(status=[each.name.lower() for each in status])


def _refuse_rough(own: _Floats, tolerance: float, limit: str) -> None:
    worst = np.max(own, initial=0.0, where=np.isfinite(own))
    if tolerance < WELL_ABOVE * worst:
        raise InputError(
            f"tolerance: got {tolerance:g}, expected at least {WELL_ABOVE} times the own error of "
            f"{limit}, {worst:.1e} of its way; take a larger one, or a smaller flow_rtol."
        )


def _refuse_no_bracket(
    name: str,
    shares: _Floats,
    holds: Bool[np.ndarray, " seed"],
    seeds: np.ndarray,
    rate: float,
    tolerance: float,
) -> None:
    wrong = ~holds & ~np.isnan(shares)
    if not wrong.any():
        return
    first = int(np.argmax(wrong))
    is_low = name == "low"
    got = "leaves" if is_low else "stays within"
    expected = "stays within" if is_low else "leaves"
    share = f"{shares[first]:.2g} of its way" if np.isfinite(shares[first]) else "it diverges"
    raise InputError(
        f"{name}: got {rate:g}, at which training of seed {seeds[first]} {got} ({share}), expected "
        f"a rate at which every seed {expected} {tolerance:g}; take a "
        f"{'smaller low' if is_low else 'larger high, or a longer length'}."
    )
