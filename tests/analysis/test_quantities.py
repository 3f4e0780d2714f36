"""What a question is about: values, late gains and late exponents of curves that are known."""

import numpy as np
import pytest
import xarray as xr
from example_results import example_result

from jaxattn.analysis.quantities import quantity, theory_of_quantity
from jaxattn.core.question import Question

TIMES = np.linspace(0, 10, 41)


def curved(curve, measure: str = "attention_foreground", theory: bool = False) -> xr.Dataset:
    """A result in which one measure of training, and of theory, runs along a curve of time."""
    ds = example_result(("soft", "hard"), (0.1,), seeds=3, saves=41, theory=theory)
    ds = ds.assign_coords(time=("save", TIMES))
    values = np.where(TIMES > 0, curve(np.maximum(TIMES, 1e-9)), 0.0)
    ds[measure] = ds[measure] * 0 + xr.DataArray(values, dims="save")
    return ds


def asked(ds: xr.Dataset, measure: str, at: str | float) -> float:
    of = quantity(ds, Question("q", measure, at), "test")
    assert of is not None
    assert of.values.dims == ("paradigm", "learning_rate", "seed")
    assert np.ptp(of.values.values) < 1e-9
    return float(of.values.values.flat[0])


@pytest.mark.parametrize("power", [0.2, 1.0, 2.5])
def test_the_late_exponent_of_a_power_law_is_its_power(power):
    ds = curved(lambda t: 1 - 0.5 * t**-power)
    assert asked(ds, "attention_foreground", "late exponent") == pytest.approx(power, rel=1e-6)
    # Of what is no share it is that of the measure itself.
    ds = curved(lambda t: 3 * t**-power, "attention_entropy")
    assert asked(ds, "attention_entropy", "late exponent") == pytest.approx(power, rel=1e-6)


def test_the_late_gain_of_a_share_is_in_log_odds_and_of_all_else_in_its_unit():
    ds = curved(lambda t: 1 / (1 + np.exp(-0.3 * t)))
    assert asked(ds, "attention_foreground", "late gain") == pytest.approx(0.3 * 5)
    assert quantity(ds, Question("q", "attention_foreground", "late gain"), "test").unit == (
        "log odds"
    )
    ds = curved(lambda t: 100 / (1 + np.exp(-0.3 * t)), "focus_accuracy")
    assert asked(ds, "focus_accuracy", "late gain") == pytest.approx(0.3 * 5)
    ds = curved(lambda t: 2 * t, "attention_entropy")
    assert asked(ds, "attention_entropy", "late gain") == pytest.approx(10)
    assert quantity(ds, Question("q", "attention_entropy", "late gain"), "test").unit == "nat"


def test_a_share_of_the_run_lies_between_its_saves():
    ds = curved(lambda t: 0.01 * t)
    for share in (0.0, 0.1, 0.333, 0.5, 1.0):
        assert asked(ds, "attention_foreground", share) == pytest.approx(0.1 * share)
    assert asked(ds, "attention_foreground", "end") == pytest.approx(0.1)


def test_a_share_that_is_whole_but_for_rounding_has_a_gain_that_is_finite():
    ds = curved(lambda t: np.where(t > 4, 1.0, 0.5))
    assert asked(ds, "attention_foreground", "late gain") == 0
    # How it approaches the whole is no longer seen.
    assert quantity(ds, Question("q", "attention_foreground", "late exponent"), "test") is None


def test_between_saves_far_apart_nothing_is_known():
    ds = curved(lambda t: 0.01 * t).isel(save=[0, -1])
    for at in ("late gain", "late exponent", 0.3):
        assert quantity(ds, Question("q", "attention_foreground", at), "test") is None
    assert asked(ds, "attention_foreground", "end") == pytest.approx(0.1)


def test_rows_that_failed_are_nan_and_what_is_not_measured_is_none():
    ds = curved(lambda t: 0.01 * t)
    ds["status"][{"paradigm": 0, "seed": 1, "dynamics": 0}] = 2
    values = quantity(ds, Question("q", "attention_foreground", 0.5), "test").values
    assert np.isnan(values.sel(paradigm="soft", seed=1)).all()
    assert np.isfinite(values.sel(paradigm="hard")).all()
    assert quantity(ds, Question("q", "reward"), "test") is None
    assert quantity(ds, Question("q", "answer_map"), "test") is None


def test_the_exact_theory_is_asked_the_same():
    ds = curved(lambda t: 1 - 0.5 * t**-0.7, theory=True)
    question = Question("q", "attention_foreground", "late exponent")
    exact = theory_of_quantity(ds, question)
    np.testing.assert_allclose(exact.values, 0.7, rtol=1e-6)
    assert theory_of_quantity(ds, Question("q", "attention_foreground")) is None
    assert theory_of_quantity(ds.sel(dynamics=["train"]), question) is None
