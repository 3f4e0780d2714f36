"""Rows that were stopped as converged are read at their stop, by all who read the end of a run."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from example_results import STEPS, example_result

from jaxattn.analysis.findings import failures, findings
from jaxattn.analysis.paired_differences import differences
from jaxattn.analysis.summary import summary
from jaxattn.core.contracts import Status
from jaxattn.plots.finished_rows import runs
from jaxattn.plots.selection import choose
from jaxattn.results.stopped_rows import hold_last, known_until

PLACE = 7
STOPPED = {"dynamics": "train", "paradigm": "hard", "seed": [1, 4]}


def stopped(ds: xr.Dataset, place: int = PLACE) -> xr.Dataset:
    """A copy in which the rows of `STOPPED` converged at this save."""
    ds = ds.copy(deep=True)
    ds["status"].loc[STOPPED] = int(Status.CONVERGED)
    ds["steps"].loc[STOPPED] = float(ds["step"][place])
    ds["time_reached"].loc[STOPPED] = ds["time"][:, [place]].values
    for name, values in ds.data_vars.items():
        if "save" in values.dims:
            ds[name].loc[{**STOPPED, "save": slice(place + 1, None)}] = np.nan
    return ds


def kept_on(ds: xr.Dataset, place: int = PLACE) -> xr.Dataset:
    """The same rows, as if they had run on and nothing had changed any more."""
    ds = ds.copy(deep=True)
    for name, values in ds.data_vars.items():
        if "save" in values.dims:
            later = {**STOPPED, "save": slice(place + 1, None)}
            ds[name].loc[later] = values.loc[{**STOPPED, "save": [place]}].values
    return ds


@pytest.fixture(scope="module")
def ds() -> xr.Dataset:
    return example_result(flow_seeds=2)


def test_values_are_held_from_the_stop_on_and_nothing_else_changes(ds):
    cut, whole = stopped(ds), kept_on(ds)
    for name in ("objective", "accuracy", "error_cell", "gradient_norm"):
        xr.testing.assert_identical(hold_last(cut[name], cut), whole[name])
        assert cut[name].isnull().any()
    for values, one in ((ds["accuracy"], ds), (cut["status"], cut)):
        assert hold_last(values, one) is values


def test_a_value_that_is_nan_at_the_stop_stays_nan(ds):
    cut = stopped(ds)
    cut["nu"].loc[{**STOPPED, "save": PLACE}] = np.nan
    assert hold_last(cut["nu"], cut).isel(save=-1).sel(STOPPED).isnull().all()


def test_a_row_is_known_until_its_stop(ds):
    until = known_until(stopped(ds)).sel(dynamics="train", learning_rate=0.05)
    assert (until.sel(paradigm="hard", seed=[1, 4]) == 0.05 * STEPS * PLACE / 10).all()
    assert (until.sel(paradigm="hard", seed=[0, 2, 3, 5]) == 0.05 * STEPS).all()
    assert (until.sel(paradigm="soft") == 0.05 * STEPS).all()


def test_flows_on_times_of_their_own_hold_their_values_already(ds):
    alone = kept_on(stopped(ds)).drop_vars("step")
    xr.testing.assert_identical(hold_last(alone["objective"], alone), alone["objective"])
    assert (known_until(alone) == alone["time"].isel(save=-1)).all()


def test_the_end_of_a_run_that_converged_is_its_stop(ds):
    cut, whole = stopped(ds), kept_on(ds)
    pd.testing.assert_frame_equal(summary(cut), summary(whole))
    pd.testing.assert_frame_equal(differences(cut), differences(whole))
    drawn, expected = (runs(choose(one), "accuracy", "hard") for one in (cut, whole))
    np.testing.assert_array_equal(drawn.values, expected.values)
    assert drawn.missing == ()
    assert drawn.asked == len(drawn.seeds) == 6


def test_it_is_said_that_runs_were_stopped_and_it_is_no_failure(ds):
    cut = stopped(ds)
    assert failures(cut) == failures(ds) == []
    found = [one.text for one in findings(cut)]
    (said,) = [text for text in found if "stopped" in text]
    assert said.startswith("4 of 48 training runs converged and were stopped before their last")
    assert not any("stopped" in one.text for one in findings(ds))


def test_a_time_not_reached_before_the_stop_is_censored_there(ds):
    """Of one pair whose order the end of the run would tell, and an earlier stop does not."""
    dims = ("paradigm", "dynamics", "learning_rate", "seed", "split")
    times = xr.DataArray(np.ones([ds.sizes[dim] for dim in dims]), dims=dims)
    ds = ds.assign(time_to_focus=times.assign_attrs(units="time"))
    rate = float(ds["learning_rate"][0])
    end = rate * STEPS
    ds["time_to_focus"].loc[{"paradigm": "soft"}] = 0.9 * end
    ds["time_to_focus"].loc[{"paradigm": "hard"}] = 0.8 * end
    ds["time_to_focus"].loc[STOPPED] = np.nan

    def balance(one: xr.Dataset) -> float:
        table = differences(one[[*ds.data_vars]], "test")
        at = (table["measure"] == "time_to_focus") & (table["comparison"] != "best")
        at &= (table["paradigm_a"] == "soft") & (table["paradigm_b"] == "hard")
        return float(table[at & (table["learning_rate_a"] == rate)]["effect_size"].iloc[0])

    # Soft is later in four pairs. In two hard never comes, so soft is earlier, unless hard was
    # watched only until 0.7 of the run.
    assert balance(ds) == pytest.approx((4 - 2) / 6, rel=1e-12)
    assert balance(stopped(ds)) == pytest.approx(4 / 6, rel=1e-12)
