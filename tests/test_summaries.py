"""Summaries: quantiles by hand, censored times, failed rows left out."""

import numpy as np
import pytest
import xarray as xr
from example_results import end, example_result

from jaxattn.contracts import InputError, Status
from jaxattn.summaries import best_and_first, summary


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
    at = {"paradigm": "soft", "process": "train", "learning_rate": rate, "split": "test"}
    values = ds["attention_foreground"].sel(at).isel(save=-1).values
    line = _line(ds, **at, measure="attention_foreground")
    expected = np.quantile(values, [0.5, 0.1, 0.9])
    np.testing.assert_allclose([line["median"], line["low"], line["high"]], expected, rtol=1e-12)
    assert line["seeds"] == ds.sizes["seed"]


def test_rows_that_failed_are_left_out(ds: xr.Dataset) -> None:
    rate = float(ds["learning_rate"][0])
    seeds = ds["seed"].values
    failed = end(ds, Status.DIVERGED, paradigm="soft", seed=seeds[0])
    at = {"paradigm": "soft", "process": "train", "learning_rate": rate, "split": "test"}
    values = failed["attention_foreground"].sel(at).isel(save=-1, seed=slice(1, None)).values
    line = _line(failed, **at, measure="attention_foreground")
    assert line["seeds"] == len(seeds) - 1
    np.testing.assert_allclose(line["median"], np.median(values), rtol=1e-12)


def test_a_time_that_most_seeds_never_reach_has_no_median_but_a_count(ds: xr.Dataset) -> None:
    rate = float(ds["learning_rate"][0])
    at = {"paradigm": "soft", "process": "train", "learning_rate": rate, "split": "test"}
    ds = ds.copy(deep=True)
    times = np.full(ds.sizes["seed"], np.nan)
    times[0] = 3.0
    dims = ("paradigm", "process", "learning_rate", "seed", "split")
    if "time_to_focus" not in ds:
        ds["time_to_focus"] = (dims, np.ones([ds.sizes[dim] for dim in dims]))
    ds["time_to_focus"].loc[at] = times
    line = _line(ds, **at, measure="time_to_focus")
    assert np.isnan(line["median"])
    assert line["censored"] == ds.sizes["seed"] - 1


def test_quantiles_out_of_order_and_other_datasets_are_refused(ds: xr.Dataset) -> None:
    with pytest.raises(InputError, match="quantiles"):
        summary(ds, low=0.9, high=0.1)
    with pytest.raises(InputError, match=r"jaxattn\.compare"):
        summary(xr.Dataset({"a": 1}))


def test_the_best_is_the_one_with_the_best_median(ds: xr.Dataset) -> None:
    rate = float(ds["learning_rate"][0])
    ds = ds.copy(deep=True)
    at = {"process": "train", "learning_rate": rate, "split": "test"}
    ds["attention_foreground"].loc[{**at, "paradigm": "hard"}] = 0.999
    assert best_and_first(summary(ds), ds)[rate]["focus"] == "hard"
