"""Summaries: quantiles by hand, censored times, failed rows left out."""

import numpy as np
import pytest
import xarray as xr
from example_results import end, example_result

from jaxattn.analysis.intervals import interval
from jaxattn.analysis.summary import own_rule, summary
from jaxattn.core.contracts import InputError, Status


@pytest.fixture
def ds() -> xr.Dataset:
    return example_result()


def _line(ds: xr.Dataset, **at: object) -> dict:
    table = summary(ds)
    for name, value in at.items():
        table = table[table[name].isna() if value is None else table[name] == value]
    assert len(table) == 1
    return table.iloc[0].to_dict()


def test_median_and_band_are_quantiles_over_the_seeds_at_the_last_save(ds: xr.Dataset) -> None:
    rate = float(ds["learning_rate"][0])
    at = {"paradigm": "soft", "dynamics": "train", "learning_rate": rate, "split": "test"}
    values = ds["attention_foreground"].sel(at).isel(save=-1).values
    line = _line(ds, **at, measure="attention_foreground")
    expected = np.quantile(values, [0.5, 0.1, 0.9])
    np.testing.assert_allclose([line["median"], line["low"], line["high"]], expected, rtol=1e-12)
    assert line["seeds"] == ds.sizes["seed"]


def test_rows_that_failed_are_left_out(ds: xr.Dataset) -> None:
    rate = float(ds["learning_rate"][0])
    seeds = ds["seed"].values
    failed = end(ds, Status.DIVERGED, paradigm="soft", seed=seeds[0])
    at = {"paradigm": "soft", "dynamics": "train", "learning_rate": rate, "split": "test"}
    values = failed["attention_foreground"].sel(at).isel(save=-1, seed=slice(1, None)).values
    line = _line(failed, **at, measure="attention_foreground")
    assert line["seeds"] == len(seeds) - 1
    np.testing.assert_allclose(line["median"], np.median(values), rtol=1e-12)


def test_a_time_that_most_seeds_never_reach_has_no_median_but_a_count(ds: xr.Dataset) -> None:
    rate = float(ds["learning_rate"][0])
    at = {"paradigm": "soft", "dynamics": "train", "learning_rate": rate, "split": "test"}
    ds = ds.copy(deep=True)
    times = np.full(ds.sizes["seed"], np.nan)
    times[0] = 3.0
    dims = ("paradigm", "dynamics", "learning_rate", "seed", "split")
    if "time_to_focus" not in ds:
        ds["time_to_focus"] = (dims, np.ones([ds.sizes[dim] for dim in dims]))
    ds["time_to_focus"].loc[at] = times
    line = _line(ds, **at, measure="time_to_focus")
    assert np.isnan(line["median"])
    assert line["censored"] == ds.sizes["seed"] - 1


def _times(ds: xr.Dataset, *times: float) -> dict:
    """The line of time_to_focus when the seeds of one row of the table focus at these times."""
    rate = float(ds["learning_rate"][0])
    at = {"paradigm": "soft", "dynamics": "train", "learning_rate": rate, "split": "test"}
    dims = ("paradigm", "dynamics", "learning_rate", "seed", "split")
    made = ds.assign(time_to_focus=(dims, np.ones([ds.sizes[dim] for dim in dims])))
    made["time_to_focus"].loc[at] = list(times)
    return _line(made, **at, measure="time_to_focus")


def test_censored_times_lie_above_all_others() -> None:
    ds = example_result(seeds=5)
    never = np.nan
    # In order 1, 2, 4 and two that never come: the median is the third, and the 10 % quantile is
    # 0.4 of the way from the first to the second.
    line = _times(ds, never, 4.0, 1.0, never, 2.0)
    assert line["median"] == 4.0
    np.testing.assert_allclose(line["low"], 1.4, rtol=1e-15)
    assert np.isnan(line["high"])
    assert (line["seeds"], line["censored"]) == (5, 2)


def test_a_median_between_a_time_and_never_is_unknown() -> None:
    line = _times(example_result(seeds=4), 1.0, np.nan, 2.0, np.nan)
    assert np.isnan(line["median"])
    assert line["low"] == pytest.approx(1.3)
    line = _times(example_result(seeds=4), 1.0, 3.0, 2.0, np.nan)
    assert line["median"] == 2.5
    assert _times(example_result(seeds=4), *[np.nan] * 4)["censored"] == 4


def test_without_censoring_the_band_is_numpys() -> None:
    values = np.random.default_rng(0).exponential(size=7)
    line = _times(example_result(seeds=7), *values)
    expected = np.quantile(values, [0.5, 0.1, 0.9])
    np.testing.assert_allclose([line["median"], line["low"], line["high"]], expected, rtol=1e-14)


def test_a_paradigm_without_a_single_finished_row_has_no_lines() -> None:
    ds = end(example_result(), Status.DIVERGED, paradigm="hard")
    assert set(summary(ds)["paradigm"]) == {"soft", "lvml", "hybrid"}


def test_rows_that_were_not_asked_for_do_not_count() -> None:
    table = summary(example_result(seeds=6, flow_seeds=2, theory=True))
    by_dynamics = table.groupby("dynamics")["seeds"].unique()
    assert by_dynamics["train"].tolist() == [6]
    assert by_dynamics["flow"].tolist() == [2]
    theory = table[table["dynamics"] == "theory"]
    assert set(theory["measure"]) == {"attention_foreground"}


def test_error_cells_are_lines_of_their_own_under_each_inference_rule(ds: xr.Dataset) -> None:
    table = summary(ds)
    cells = table[table["measure"].isin(["FTPT", "FFPT", "FTPF", "FFPF"])]
    lines = cells.groupby(["paradigm", "learning_rate", "split", "inference"]).size()
    assert (lines == 4).all()
    assert len(lines) == 4 * 2 * 2 * 3
    assert "error_cell" not in set(table["measure"])


def test_every_swept_hyperparameter_is_a_column_and_has_lines_of_its_own() -> None:
    table = summary(example_result(temperatures=(0.5, 1.0)))
    at = ["paradigm", "dynamics", "learning_rate", "temperature", "split", "inference", "measure"]
    assert list(table.columns[: len(at)]) == at
    assert not table.duplicated(at).any()
    assert set(table["temperature"]) == {0.5, 1.0}


def test_quantiles_out_of_order_and_other_datasets_are_refused(ds: xr.Dataset) -> None:
    with pytest.raises(InputError, match="quantiles"):
        summary(ds, low=0.9, high=0.1)
    with pytest.raises(InputError, match=r"jaxattn\.compare"):
        summary(xr.Dataset({"a": 1}))


def test_means_and_their_intervals_are_those_of_the_seeds_that_finished(ds: xr.Dataset) -> None:
    rate = float(ds["learning_rate"][0])
    failed = end(ds, Status.DIVERGED, paradigm="soft", seed=[1])
    at = {"paradigm": "soft", "dynamics": "train", "learning_rate": rate, "split": "test"}
    values = np.delete(failed["attention_foreground"].sel(at).isel(save=-1).values, 1)
    line = _line(failed, **at, measure="attention_foreground")
    shown = [line[name] for name in ("mean", "mean_low", "mean_high")]
    np.testing.assert_allclose(shown, interval(values)[:3], rtol=1e-12)


def test_where_one_seed_never_got_there_no_mean_is_known(ds: xr.Dataset) -> None:
    dims = ("paradigm", "dynamics", "learning_rate", "seed", "split")
    times = np.ones([ds.sizes[dim] for dim in dims])
    times[0, :, :, 0] = np.nan
    table = summary(ds.assign(time_to_focus=(dims, times)))
    means = table[table["measure"] == "time_to_focus"].set_index("paradigm")["mean"]
    assert means[["soft"]].isna().all()
    assert (means.drop("soft") == 1).all()


def test_under_its_own_rule_a_paradigm_has_one_line_a_measure() -> None:
    ds = example_result(paradigms=("soft", "hard"), learning_rates=(0.1,))
    table = own_rule(summary(ds), ds)
    rules = dict(zip(ds["paradigm"].values, ds["natural_inference"].values, strict=True))
    by_rule = table.dropna(subset="inference")
    assert (by_rule["inference"] == by_rule["paradigm"].map(rules)).all()
    assert not table.duplicated(["paradigm", "dynamics", "split", "measure"]).any()
    assert set(table["measure"]) == set(summary(ds)["measure"])
