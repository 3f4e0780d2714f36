"""What is said to be seen at a save is seen at one that there is."""

import numpy as np
import pytest
import xarray as xr
from example_limits import example_limits

import jaxattn
from jaxattn.analysis.edge_of_stability import edge_times
from jaxattn.analysis.first_saves import NEVER, first_save, lower_median, value_at
from jaxattn.analysis.limit_departures import departure_records
from jaxattn.analysis.limit_gaps import departures


def test_the_first_save_is_the_first_at_which_it_is_so_whatever_comes_after():
    seen = np.array([[0, 1, 0, 1], [1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]], dtype=bool)
    assert first_save(seen).tolist() == [1, 0, NEVER, 3]
    assert first_save(seen[0]) == 1


@pytest.mark.parametrize(
    ("saves", "expected"),
    [
        ([5, 6], 5),
        ([2, 9], 2),
        ([6, 5, NEVER], 5),
        ([9, 2, 4], 4),
        ([1, 2, 3, 9], 2),
        ([NEVER], NEVER),
    ],
)
def test_the_lower_median_is_one_of_them_by_which_half_have_come(saves, expected):
    assert lower_median(np.asarray(saves)) == expected


def test_what_stands_at_a_save_is_of_the_rows_own_clock():
    times = xr.DataArray([[0.0, 1.0, 2.0], [0.0, 5.0, 9.0]], dims=("rate", "save"))
    saves = xr.DataArray([[1, 2], [NEVER, 0]], dims=("seed", "rate"))
    found = value_at(times, saves)
    assert found.dims == ("seed", "rate")
    np.testing.assert_array_equal(found, [[1.0, 9.0], [np.nan, 0.0]])


@pytest.mark.parametrize("seeds", [1, 2, 3, 4])
@pytest.mark.parametrize("saves", [21, 8])
def test_every_time_and_step_that_is_told_is_that_of_one_save(seeds, saves):
    ds = example_limits(
        powers={"flow": (0.031, 1.0), "modified": (0.037, 1.3)},
        seeds=seeds,
        saves=saves,
        sharpest=8.0,
    )
    told = 0
    for line in departure_records(ds):
        there = ds.sel(learning_rate=line["learning_rate"])
        clock = list(zip(there["time"].values, there["step"].values, strict=True))
        for kind in ("", "within_", "edge_"):
            save = (line[f"{kind}time"], line[f"{kind}step"])
            assert save in clock or np.isnan(save).all()
            told += save in clock
        if line["left"]:
            at = clock.index((line["time"], line["step"]))
            assert clock[at - 1] == (line["within_time"], line["within_step"])
    assert told > 8
    times = {*ds["time"].values.ravel(), np.nan}
    for found in (departures(ds, "flow"), edge_times(ds)):
        assert {*found.values[np.isfinite(found.values)]} <= times
    assert jaxattn.departures(ds)["step"].notnull().sum() > 1


def test_of_two_seeds_that_leave_at_two_saves_the_earlier_one_is_told():
    ds = example_limits(("soft",), powers={"flow": (0.03, 1.0)}, seeds=2)
    assert departures(ds, "flow").sel(learning_rate=0.4)["step"].values.tolist() == [[17, 16]]
    first = departure_records(ds)[0]
    assert (first["step"], first["within_step"]) == (16, 15)
    assert first["time"] == pytest.approx(6.4)
