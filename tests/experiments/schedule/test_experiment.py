"""The schedule experiment: what is run, how it is labelled, and what is said of it."""

import numpy as np
import pytest
from example_hybrids import example_schedule
from experiment_runs import assert_labelled_and_kept, heard

from jaxattn.core.contracts import Status
from jaxattn.experiments.schedule.experiment import Schedule, run
from jaxattn.experiments.schedule.findings import findings, numbers, switches


@pytest.mark.parametrize(
    ("share", "words"),
    [
        ([1, 1, 0, 0], "soft, hard"),
        ([1, 0.4, 0, 0], "soft, hard"),
        ([1, 1, 1, 1], "soft"),
        ([0, 1, 0.5, 1, 0], "hard, soft, hard"),
        ([0.5, 0.6], ""),
    ],
)
def test_a_schedule_in_words_is_what_is_in_force_one_after_the_other(share, words):
    assert switches(np.asarray(share, float)) == words


def test_starts_are_chosen_and_drawn_by_the_value_of_their_seed():
    few, more = Schedule(seeds=1).starts, Schedule(seeds=3).starts
    assert list(more)[:5] == list(few) == ["soft", "hard", "half", "hard to soft", "random 0"]
    assert all(np.array_equal(few[name], more[name]) for name in few)
    assert not np.array_equal(more["random 1"], more["random 2"])
    assert {start.shape for start in more.values()} == {(Schedule().cells,)}


def test_numbers_are_of_the_best_start_and_of_those_that_were_solved():
    lines = numbers(example_schedule(failed=1))
    assert len(lines) == 12
    line = next(x for x in lines if (x["segments"], x["classes"], x["horizon"]) == (10, 4, 4))
    assert (line["starts"], line["cells"], line["between"]) == (2, 5, 1)
    assert (line["switches"], line["agrees"], line["crossings"]) == ("soft, hard", 5, 1)
    expected = {
        "at_ends": 5 / 6,
        "over_hybrid": 1e-5 - 1e-3,
        "over_edge": 1e-5 + 1e-2,
        "spread": 1e-5,
        "determinant": -0.4,
    }
    for name, value in expected.items():
        assert line[name] == pytest.approx(value, rel=1e-9), name
    nu = 2 * np.log(5) + np.log(10) + 1e-5
    assert line["missing"] == pytest.approx(9 / (9 + np.exp(nu)))
    assert line["missing_hard"] == pytest.approx(9 / (9 + np.exp(nu - 1e-5) / 2))


def test_findings_say_whether_it_is_bang_bang_the_hybrid_and_by_pontryagin():
    bang, forms, hybrid, pontryagin, worth = findings(example_schedule())
    assert bang == (
        "The best lambda(t) is bang-bang: 64 of 72 cells in 12 cases end at 0 or 1, and in 8 "
        "cases one cell in between, which leaves at least 83.3 % of the time at an end. All of up "
        "to 3 starts agree in nu to 1e-05."
    )
    assert forms == "Of 12 best schedules the order is soft, then hard in 8; soft to the end in 4."
    assert hybrid.startswith("No schedule beats the best hybrid: its nu at the horizon less")
    assert "is -0.00099 to -0.00099" in hybrid
    assert "in 64 of 64 cells at an end, and crosses zero at most 1 time." in pontryagin
    assert pontryagin.endswith("(at most -0.4), so there is no singular arc.")
    assert "At horizon 16 soft attention alone leaves" in worth


def test_findings_say_what_speaks_against_it():
    ds = example_schedule(wrong=True)
    ds["hybrid_nu"] = ds["hybrid_nu"] - 1
    ds["determinant"] = -ds["determinant"]
    share = ds["share"].values
    share[0, 0, 1, -1] = 0.5
    _, _, hybrid, pontryagin, _ = findings(ds)
    assert hybrid.startswith("12 schedules beat the best hybrid")
    assert "singular arcs are not ruled out" in pontryagin
    assert findings(ds)[0].startswith("The best lambda(t) is not always bang-bang")
    # The cell whose derivative has the wrong sign is in between now; put it back.
    assert "in 63 of 64 cells" in findings(example_schedule(wrong=True))[3]
    assert findings(example_schedule(failed=3)) == []


@pytest.mark.slow
@pytest.mark.needs_x64
def test_a_run_is_labelled_bang_bang_and_the_hybrid(tmp_path):
    config = Schedule((4,), (3,), (1.0, 6.0), cells=8, steps=120, seeds=1)
    ds, told, _ = heard(run, config)
    assert [(x.done, x.total, x.failed) for x in told] == [(5, 10, 0), (10, 10, 0)]
    assert np.all(ds["status"] == Status.DONE)
    assert_labelled_and_kept(ds, tmp_path)
    early, late = numbers(ds)
    assert (early["switches"], late["switches"]) == ("soft", "soft, hard")
    for line in (early, late):
        assert line["agrees"] == line["cells"]
        assert line["over_hybrid"] < 1e-6
        assert line["over_edge"] > -1e-6
        assert line["spread"] < 1e-4
        assert line["determinant"] < -0.1
    assert abs(early["over_hybrid"]) < 1e-6
    assert late["crossings"] == 1
