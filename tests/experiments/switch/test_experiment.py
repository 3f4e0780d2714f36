"""The switch experiment: what is run, how it is labelled, and what is said of it."""

import numpy as np
import pytest
from example_hybrids import CLASSES, HORIZONS, SEGMENTS, example_switch
from experiment_runs import assert_labelled_and_kept, heard

from jaxattn import theory
from jaxattn.core.contracts import Status
from jaxattn.experiments.switch.experiment import Switch, run
from jaxattn.experiments.switch.findings import findings, law, numbers


def test_the_law_is_the_time_in_which_focus_takes_off_with_many_segments():
    # The midpoint rule on a Gaussian is right to rounding.
    mu = np.arange(0.005, 20, 0.01)
    for classes in (2, 5, 1000):
        waited = 0.01 * np.sum(np.exp(-(classes - 1) / (2 * classes) * mu**2))
        assert law(classes) == pytest.approx(waited, rel=1e-9)


def test_numbers_are_those_of_the_best_switch_and_of_where_it_costs_ten_percent():
    lines = numbers(example_switch())
    assert len(lines) == len(SEGMENTS) * len(CLASSES) * len(HORIZONS)
    line = next(x for x in lines if (x["segments"], x["classes"], x["horizon"]) == (10, 4, 16))
    assert (line["switch"], line["inside"]) == (3.0, True)
    # nu falls by log(distance)^2, and 1 - alpha grows with e^nu but for its own size.
    missing = line["missing"]
    odds = 1.1 * missing / (1 - 1.1 * missing) / (missing / (1 - missing))
    width = np.exp(np.sqrt(np.log(odds)))
    # Between points of the grid, straight in logarithms.
    np.testing.assert_allclose([3 / line["good_from"], line["good_to"] / 3], width, rtol=0.03)
    early = next(x for x in lines if x["horizon"] == 1)
    assert (early["inside"], early["switch"], early["good_to"]) == (False, 1.0, 1.0)


def test_sizes_that_were_not_solved_are_in_no_line():
    lines = numbers(example_switch(failed=1))
    assert len(lines) == len(SEGMENTS) * len(CLASSES) * len(HORIZONS) - 1
    assert (10, 4, 1.0) not in {(x["segments"], x["classes"], x["horizon"]) for x in lines}


def test_findings_say_where_soft_alone_is_best_how_it_scales_and_what_it_is_worth():
    said = findings(example_switch())
    ends, lies, scales, tends, settles, worth, moment, most = said
    assert ends == (
        "Soft attention to the end, with no switch, is best in 4 of 12 cases, at horizons up to 1 "
        "times segments x classes; in all others the best hybrid turns hard before the end. Hard "
        "attention from the start is never best."
    )
    assert lies == "At horizon 16 the best switch lies at 1.2 to 3 times segments x classes."
    # 3 m C at 10 segments and 1.2 m C at 100: their exponent is 1 + log10(1.2 / 3).
    power = 1 + np.log10(1.2 / 3)
    assert f"segments^{power:.3f} classes^1.000" in scales
    assert f"segments is {power:.2f} and that of classes 1.00" in scales
    assert f"is {100 * abs(1.2 / law(4) - 1):.2g} % at 100 segments" in tends
    assert "at most 0 % at 4" in settles
    assert "by a time of 2 times the number of segments" in worth
    assert moment.startswith("The exact moment matters little")
    assert "gains most at horizon" in most


def test_nothing_is_said_of_nothing_and_of_one_size_no_exponent():
    assert findings(example_switch().isel(horizon=slice(0, 0))) == []
    one = findings(example_switch().isel(segments=[0], classes=[0]))
    assert not any("classes^" in sentence for sentence in one)


@pytest.mark.slow
@pytest.mark.needs_x64
def test_a_run_is_labelled_and_agrees_with_the_closed_form(tmp_path):
    config = Switch((3, 50), (2, 30), (1.0, 4.0), points=24)
    ds, told, kept = heard(run, config)
    assert [(x.done, x.total, x.failed) for x in told] == [(4, 8, 0), (8, 8, 0)]
    assert [one.sizes["horizon"] for one in kept] == [1, 2]
    assert np.all(ds["status"] == Status.DONE)
    assert_labelled_and_kept(ds, tmp_path)
    one = ds.sel(segments=50, classes=30, horizon=4.0)
    size, unit = {"segments": 50, "classes": 30}, 50 * 30
    nu = [
        theory.trajectory("hybrid", 4.0 * unit, **size, switch_time=float(at) * unit).nu
        for at in one["switch_time"][[0, 12, 23]]
    ]
    np.testing.assert_allclose(one["nu"][[0, 12, 23]], nu, rtol=1e-12)
    alpha = theory.attention(float(one["best_nu"]), 50)
    np.testing.assert_allclose(one["best_missing"], 1 - alpha, rtol=1e-12)
    hard = theory.trajectory("hard", (4.0 + float(one["saved"])) * unit, **size)
    np.testing.assert_allclose(hard.nu, one["best_nu"], rtol=1e-10)
    assert float(one["best_nu"]) > max(float(one["soft_nu"]), float(one["hard_nu"]))
    assert all(findings(ds))
