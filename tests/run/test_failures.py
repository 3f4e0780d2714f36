"""Rows that did not end well: counted by setting, dated by saves, told of once and in order."""

import numpy as np
import pytest
from helpers import study_of

from jaxattn.core.contracts import Status
from jaxattn.core.reasons import Reason
from jaxattn.run.failures import MOST, Failed, Failures
from jaxattn.study.groups import Group, groups_of
from jaxattn.study.plan import Plan, make_plan

DONE, DIVERGED = int(Status.DONE), int(Status.DIVERGED)
NOT_SOLVED, CUT = int(Status.SOLVER_FAILED), int(Status.INTERRUPTED)


def group_of(*rates: float, seeds: int = 2, **asked) -> tuple[Group, Plan]:
    """Training of one paradigm, measured at the steps 0, 2, 4, 6 and 8."""
    study = study_of(
        "orthogonal-population",
        paradigms="soft",
        hypers={"learning_rate": rates},
        seeds=seeds,
        vary="data",
        **{"steps": 8, "saves": 5, **asked},
    )
    group = groups_of(study)[0]
    return group, make_plan(group.axes, group.seeds, group.constants, tile=2)


def tell_of(
    group: Group,
    plan: Plan,
    status: list[int],
    reached: list[float],
    order: list[int] | None = None,
) -> list[Failed]:
    """What is told when the rows come back one by one."""
    told: list[Failed] = []
    failures = Failures({group.number: plan.size}, told.append)
    for row in range(plan.size) if order is None else order:
        assert not told, "all rows are to be back first"
        at = np.asarray([row])
        failures.add(group, plan, at, np.asarray(status)[at], np.asarray(reached)[at])
    return told


def test_the_first_to_fail_is_dated_by_the_saves_around_it() -> None:
    group, plan = group_of(0.5, seeds=4)
    # At a rate of 1/2 the times of the saves are 0, 1, 2, 3 and 4.
    (told,) = tell_of(group, plan, [DIVERGED, DONE, DIVERGED, DIVERGED], [3.0, 4.0, 2.0, 3.0])
    assert told == Failed("soft", "train", {}, 4, {Status.DIVERGED: 3}, good=4, bad=6)


@pytest.mark.parametrize(
    ("reached", "good", "bad"),
    [
        (0.0, 0, 2),
        (4.0, 8, 8),
        (2.7, 4, 6),
        (1.0000001, 2, 4),
        (0.9999999, 2, 4),
        (np.nan, None, None),
    ],
)
def test_what_is_known_of_the_time_is_said_and_no_more(reached, good, bad) -> None:
    group, plan = group_of(0.5, seeds=1)
    (told,) = tell_of(group, plan, [DIVERGED], [reached])
    assert (told.good, told.bad) == (good, bad)


@pytest.mark.needs_x64
def test_times_are_those_of_the_precision_that_ran() -> None:
    steps, rate = 100_000, 0.9
    group, plan = group_of(rate, seeds=1, steps=steps, saves=(0, steps - 1, steps))
    single, double = (
        float(group.study.clock({"learning_rate": np.full(1, rate, kind)})[0, 1])
        for kind in (np.float32, float)
    )
    # In 32 bits the save is sooner, by more than a thousandth of what lies between two.
    assert single < double - 1e-3 * rate
    (told,) = tell_of(group, plan, [DIVERGED], [single])
    assert (told.good, told.bad) == (steps - 1, steps)


def test_each_setting_has_its_own_and_only_those_that_failed_are_told_of() -> None:
    group, plan = group_of(0.25, 0.5, 1.0)
    status = [DONE, DONE, DONE, NOT_SOLVED, DIVERGED, CUT]
    told = tell_of(group, plan, status, [2.0, 2.0, 4.0, 1.0, 4.0, 6.0])
    assert [(one.setting, one.rows, dict(one.ended), one.good) for one in told] == [
        ({"learning_rate": 0.5}, 2, {Status.SOLVER_FAILED: 1}, 2),
        ({"learning_rate": 1.0}, 2, {Status.DIVERGED: 1, Status.INTERRUPTED: 1}, 4),
    ]


def test_why_the_first_row_of_a_limit_was_not_solved_is_told_in_whatever_order() -> None:
    group, plan = group_of(0.5, seeds=4)
    reason = np.asarray([Reason.NONE, Reason.NOT_FINITE, Reason.STEPS_USED_UP, Reason.NOT_FINITE])
    status, reached = np.asarray([DONE, NOT_SOLVED, NOT_SOLVED, NOT_SOLVED]), [4.0, 2.0, 1.5, 1.5]
    for order in ([0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2]):
        told: list[Failed] = []
        failures = Failures({group.number: plan.size}, told.append)
        for row in order:
            at = np.asarray([row])
            failures.add(group, plan, at, status[at], np.asarray(reached)[at], reason=reason[at])
        assert (told[0].reason, told[0].time) == (Reason.STEPS_USED_UP, 1.5)


def test_rows_may_come_back_in_any_order_and_nothing_is_said_before_all_are() -> None:
    group, plan = group_of(0.25, 0.5)
    status, reached = [DIVERGED, DONE, DONE, DIVERGED], [1.0, 2.0, 4.0, 1.0]
    in_order = tell_of(group, plan, status, reached)
    assert tell_of(group, plan, status, reached, order=[3, 0, 2, 1]) == in_order
    assert len(in_order) == 2


def test_of_many_settings_some_are_told_of_and_the_others_counted() -> None:
    rates = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
    group, plan = group_of(*rates, seeds=1)
    told = tell_of(group, plan, [DIVERGED] * 6, [0.0] * 6)
    assert [one.setting["learning_rate"] for one in told] == list(rates[:MOST])
    assert [one.more for one in told] == [0] * (MOST - 1) + [len(rates) - MOST]


def test_what_tells_a_group_from_others_comes_first_and_rows_that_end_well_are_no_news() -> None:
    group, plan = group_of(0.25, 0.5, seeds=1)
    told: list[Failed] = []
    failures = Failures({group.number: 2}, told.append)
    good, bad = np.asarray([DONE]), np.asarray([DIVERGED])
    failures.add(group, plan, np.asarray([0]), good, np.zeros(1), {"optimiser": "sgd"})
    failures.add(group, plan, np.asarray([1]), bad, np.zeros(1), {"optimiser": "sgd"})
    assert [one.setting for one in told] == [{"optimiser": "sgd", "learning_rate": 0.5}]
    assert not tell_of(group, plan, [DONE, int(Status.CONVERGED)], [2.0, 1.0])
