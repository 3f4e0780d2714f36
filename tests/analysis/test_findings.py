"""Results made to order: the sentences say what was put in, and nothing else."""

from collections.abc import Sequence

import numpy as np
import pytest
import xarray as xr
from made_to_order import NAMES, result

from jaxattn.analysis.findings import Finding, failures, findings
from jaxattn.analysis.wording import Lead, compared
from jaxattn.core.contracts import Status
from jaxattn.problems.result_measures import KNOWN

SEEDS = 16
SPOKEN = [spec for spec in [*KNOWN.values(), *KNOWN["error_cell"].parts] if spec.wording]


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
    level = ("attention_foreground", "accuracy")
    return [one.text for one in found if one.sure or one.measure not in level]


def test_soft_first_and_hard_last_is_said_of_the_time_and_of_nothing_else(rng):
    found = findings(made(rng, [0, 2, 1], measures=["time_to_focus"]))
    assert [one.measure for one in found if one.sure] == ["time_to_focus"]
    (text,) = texts(found)
    assert text.startswith("soft is first to have 0.5 of its attention on the foreground (median ")
    assert ": sooner than hard by 2" in text
    assert " and lvml by 1" in text
    assert "Also lvml sooner than hard by " in text
    assert "no difference" not in text


def test_where_more_is_better_the_largest_leads(rng):
    (text,) = texts(findings(made(rng, [0, 2, 1], measures=["accuracy"])))
    assert text.startswith("hard ends most accurate (median ")
    assert ": more than soft by 2" in text


def test_what_two_leaders_have_on_the_third_is_said_and_that_they_cannot_be_told_apart(rng):
    ds = made(rng, [0, 2, 0], measures=["time_to_focus"])
    (text,) = texts(findings(ds))
    other = "lvml" if text.startswith("soft") else "soft"
    assert "sooner than hard by 2" in text
    assert f"no difference found from {other} (" in text
    assert f"Also {other} sooner than hard by " in text


def test_a_tie_is_called_no_difference_and_no_one_leads(rng):
    ds = made(rng, [0, 0, 0])
    ds["time_to_focus"][:] = ds["time_to_focus"][0]
    ds["accuracy"][:] = ds["accuracy"][0]
    found = findings(ds)
    (text,) = texts(found)
    assert not found[0].sure
    assert text.startswith("No difference found between any two of soft, hard and lvml in the ti")
    for words in ("leads", "first", "Closest", "than", " by "):
        assert words not in text


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
    assert not any(one.measure == "seeds" for one in found)


def test_one_paradigm_has_nothing_to_be_compared_with(rng):
    assert findings(made(rng, [0])) == []


def test_what_failed_is_counted_where_it_failed_and_the_rest_is_judged(rng):
    ds = made(rng, [0, 2, 1], measures=["time_to_focus"])
    ds["status"].loc[{"paradigm": "hard", "seed": [0, 1]}] = int(Status.DIVERGED)
    ds["status"].loc[{"paradigm": "lvml", "seed": 3}] = int(Status.INTERRUPTED)
    first, last = texts(findings(ds))
    assert first.startswith("soft is first")
    assert last == (
        "3 of 48 training runs did not finish and are left out: hard at learning rate 0.1 "
        "(2 diverged) and lvml at learning rate 0.1 (1 interrupted)."
    )


def test_rows_that_were_never_asked_for_did_not_fail(rng):
    ds = made(rng, [0, 2])
    ds["status"].loc[{"seed": [4, 5]}] = -1
    assert failures(ds) == []


def test_a_time_that_no_run_reached_has_no_leader(rng):
    ds = made(rng, [0, 2, 1], measures=["time_to_focus"])
    ds["time_to_focus"][:] = np.nan
    (text,) = texts(findings(ds))
    assert text == "No run came to have 0.5 of its attention on the foreground."


def test_one_that_never_gets_there_is_behind_without_a_size(rng):
    ds = made(rng, [0, 2], measures=["time_to_focus"])
    ds["time_to_focus"].loc[{"paradigm": "hard"}] = np.nan
    (text,) = texts(findings(ds))
    assert text.startswith("soft is first")
    assert "sooner than hard" in text
    assert "nan" not in text


def test_best_rates_come_first_and_name_what_chose_them(rng):
    rates = [0.1, 0.2, 0.4]
    ds = made(rng, [0, 2, 1], measures=["accuracy", "loss"], rates=rates)
    # Apart by the rate: soft does best at the middle one, the others at the largest.
    shape = [[1, 0, 1], [2, 1, 0], [2, 1, 0]]
    ds["loss"] = ds["loss"] + 10 * xr.DataArray(shape, dims=["paradigm", "learning_rate"])
    found = findings(ds)
    assert found[0].text.startswith("Best learning rates: soft 0.2, hard 0.4 and lvml 0.4 (least")
    assert (
        "At the edge of those tried for hard and lvml: a better one may lie beyond."
        in texts(found)[0]
    )
    settings = list(dict.fromkeys(one.setting for one in found))
    assert settings == [
        "each at its own best learning rate",
        *(f"learning rate {rate}" for rate in rates),
    ]


def test_the_levels_of_the_run_are_named(rng):
    ds = made(rng, [0, 2], measures=["time_to_fit"]).assign_attrs(spec='{"fit_level": 75}')
    (text,) = texts(findings(ds))
    assert "is first to be 75 % accurate" in text


@pytest.mark.parametrize("measure", SPOKEN, ids=lambda spec: spec.name)
def test_who_stands_first_in_a_pair_does_not_matter(rng, measure):
    for difference in (*rng.normal(size=8), 0.0):
        pair = {
            "paradigm_a": "soft", "paradigm_b": "hard", "unit": "1", "interval_of": "mean",
            "mean_difference": difference, "median_difference": np.nan, "effect_size": difference,
            "low": difference - 1, "high": difference + 1, "p_holm": 0.01, "verdict": "differs",
        }  # fmt: skip
        turned = pair | {
            "paradigm_a": "hard", "paradigm_b": "soft", "mean_difference": -difference,
            "low": -difference - 1, "high": -difference + 1, "effect_size": -difference,
        }  # fmt: skip
        least = measure.better == "less"
        one, other = Lead.of(pair, least), Lead.of(turned, least)
        assert one.size == abs(difference)
        assert one.turned().turned() == one
        if difference:
            assert one == other
            assert compared(measure, [pair], {}, {"focus_level": 0.5, "fit_level": 90}) == compared(
                measure, [turned], {}, {"focus_level": 0.5, "fit_level": 90}
            )


def test_every_paradigm_may_have_a_name_of_its_own(rng):
    ds = made(rng, [0, 2]).assign_coords(paradigm=["<script>", "hard"])
    assert any("<script>" in text for text in texts(findings(ds)))
    assert NAMES[0] not in " ".join(texts(findings(ds)))
