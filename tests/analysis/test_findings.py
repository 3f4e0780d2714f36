"""Results made to order: the sentences say what was put in, and nothing else."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from made_to_order import NAMES, result

from jaxattn.analysis.findings import Finding, failures, findings
from jaxattn.core.contracts import Status

SEEDS = 16


def made(
    rng: np.random.Generator,
    steps: Sequence[float],
    seeds: int = SEEDS,
    measures: Sequence[str] = ("time_to_focus", "accuracy"),
    rates: Sequence[float] = (0.1,),
) -> xr.Dataset:
    """Paradigms `steps` apart in each measure, seeds alike in all but a little noise."""
    common = rng.normal(size=seeds)
    shape = (len(steps), len(rates), seeds)
    return result(
        {
            name: 5 + np.reshape(steps, (-1, 1, 1)) + common + 0.1 * rng.normal(size=shape)
            for name in measures
        },
        rates=rates,
        last=[100.0] * len(rates),
    )


def texts(found: Sequence[Finding]) -> list[str]:
    """What is said, but of the measure that a time is taken from: it is level by construction."""
    level = ("most-attention", "late-gain", "accuracy", "hybrid")
    return [one.text for one in found if one.sure or one.measure not in level]


def test_soft_first_and_hard_last_is_said_of_the_time_and_of_nothing_else(rng):
    found = findings(made(rng, [0, 2, 1], measures=["time_to_focus"]))
    assert [one.measure for one in found if one.sure] == ["first-to-focus"]
    (text,) = texts(found)
    assert text.startswith(
        "Who finds the segment first? soft is first to have 0.5 of its attention on the "
        "foreground: sooner than hard by "
    )
    assert "sooner than lvml by " in text
    assert text.count("(16 of 16 seeds)") == 2
    assert "median" not in text


def test_where_more_is_better_the_largest_leads(rng):
    (text,) = texts(findings(made(rng, [0, 2, 1], measures=["accuracy"])))
    assert text.startswith("Who answers best? hard ends most accurate: more than soft by ")


def test_all_failed_says_so_and_nothing_else(rng):
    ds = made(rng, [0, 2, 1])
    ds["status"][:] = int(Status.DIVERGED)
    (text,) = texts(findings(ds))
    assert text.startswith("No training run of 48 finished, so nothing is said of them: soft at")
    assert text.count("16 diverged") == 3


def test_one_seed_says_that_nothing_can_be_told_and_nothing_else(rng):
    (text,) = texts(findings(made(rng, [0, 2, 1], seeds=1)))
    assert text.startswith("One seed finished: what differs between paradigms cannot be told")


def test_two_seeds_are_few_but_speak(rng):
    found = findings(made(rng, [0, 2, 1], seeds=2))
    assert found
    assert not any(one.measure == "seeds" or one.sure for one in found)


def test_one_paradigm_has_nothing_to_be_compared_with(rng):
    assert findings(made(rng, [0])) == []


def test_what_failed_is_counted_where_it_failed_and_the_rest_is_judged(rng):
    ds = made(rng, [0, 2, 1], measures=["time_to_focus"])
    ds["status"].loc[{"paradigm": "hard", "seed": [0, 1]}] = int(Status.DIVERGED)
    ds["status"].loc[{"paradigm": "lvml", "seed": 3}] = int(Status.INTERRUPTED)
    first, last = texts(findings(ds))
    assert "soft is first" in first
    assert "(14 of 14 seeds)" in first
    assert last == (
        "3 of 48 training runs did not finish and are left out: hard at learning rate 0.1 "
        "(2 diverged) and lvml at learning rate 0.1 (1 interrupted)."
    )


def test_why_limits_were_not_solved_is_said_with_the_times_at_which_they_ended(rng):
    ds = made(rng, [0, 2])
    ds["status"].loc[{"paradigm": "hard", "seed": [0, 1, 2, 4]}] = int(Status.SOLVER_FAILED)
    ds["status"].loc[{"paradigm": "hard", "seed": 3}] = int(Status.INTERRUPTED)
    ds["reason"] = xr.zeros_like(ds["status"])
    ds["time_reached"] = xr.full_like(ds["status"], 0.5, dtype=float)
    for seed, reason, time in ((0, 1, 3.0), (1, 1, 2.25), (2, 3, 0.0)):
        ds["reason"].loc[{"paradigm": "hard", "seed": seed}] = reason
        ds["time_reached"].loc[{"paradigm": "hard", "seed": seed}] = time
    (lost,) = failures(ds)
    assert lost.text.endswith(
        "(4 not solved: steps used up at t = 2.25 to 3 and not finite at t = 0, 1 interrupted)."
    )


def test_rows_that_were_never_asked_for_did_not_fail(rng):
    ds = made(rng, [0, 2])
    ds["status"].loc[{"seed": [4, 5]}] = -1
    assert failures(ds) == []


def test_best_rates_are_named_with_what_chose_them(rng):
    rates = [0.1, 0.2, 0.4]
    ds = made(rng, [0, 2, 1], measures=["accuracy", "loss"], rates=rates)
    # Apart by the rate: soft does best at the middle one, the others at the largest.
    shape = [[1, 0, 1], [2, 1, 0], [2, 1, 0]]
    ds["loss"] = ds["loss"] + 10 * xr.DataArray(shape, dims=["paradigm", "learning_rate"])
    (text,) = (one.text for one in findings(ds) if one.measure == "learning_rate")
    assert text.startswith("Best learning rates: soft 0.2, hard 0.4 and lvml 0.4 (least mean train")
    assert "At the edge of those tried for hard and lvml: a better one may lie beyond." in text


def test_the_levels_of_the_run_are_named(rng):
    ds = made(rng, [0, 2], measures=["time_to_focus"]).assign_attrs(spec='{"focus_level": 0.75}')
    (text,) = texts(findings(ds))
    assert "is first to have 0.75 of its attention" in text


def test_every_paradigm_may_have_a_name_of_its_own(rng):
    ds = made(rng, [0, 2]).assign_coords(paradigm=["<script>", "hard"])
    assert any("<script>" in text for text in texts(findings(ds)))
    assert NAMES[0] not in " ".join(texts(findings(ds)))
