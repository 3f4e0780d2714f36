"""Distances from continuous limits: on numbers made up, so that every answer is known."""

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from example_limits import END, POWERS, RATES, example_limits
from example_results import end
from helpers import EPS

import jaxattn
from jaxattn.analysis.edge_of_stability import edge_in, edge_saves, edge_times, products
from jaxattn.analysis.limit_gaps import (
    TOLERANCE,
    departure_saves,
    departures,
    fit_order,
    gap,
    limits_in,
    orders,
    orders_by_name,
    own_errors,
    watched,
)
from jaxattn.core.contracts import InputError, Status, Trajectory

TIME = np.asarray([0.0, 1.0, 2.0, 4.0])


def trajectory(params: dict | None, time: np.ndarray = TIME) -> Trajectory:
    rows = time.shape[:-1]
    status = np.full(rows, int(Status.DONE))
    return Trajectory(np.arange(time.shape[-1]), time, {}, status, time[..., -1], {}, params)


def line(slope: float, *rows: int, offset: float = 0.0, time: np.ndarray = TIME) -> Trajectory:
    """A path of 3 parameters in two parts: all at slope * t, the first one `offset` * t further."""
    along = np.broadcast_to(time, (*rows, time.size))
    part = slope * along[..., None] * np.ones(2)
    params = {"focus": part + offset * along[..., None] * np.eye(2)[0], "classify": slope * along}
    return trajectory(params, along)


# --- gap of two trajectories


def test_a_distance_is_euclids_over_all_parts_of_the_parameters_at_each_save():
    found = gap(line(2.0), line(1.0))
    np.testing.assert_allclose(found.distance, np.sqrt(3) * TIME, rtol=1e-15)
    np.testing.assert_allclose(found.way, np.sqrt(3) * 4, rtol=1e-15)
    np.testing.assert_array_equal(found.time, TIME)


def test_a_departure_is_at_the_first_save_at_which_it_is_seen():
    # The way is 4 sqrt(3) and the distance 0.02 t sqrt(3): 1 % of the way a little before t = 2,
    # and 1.5 % at 3, where there is no save.
    train, flow = line(1.0201), line(1.0)
    assert gap(train, flow).departure == 2.0
    assert gap(train, flow, tolerance=0.015).departure == 4.0
    assert np.isnan(gap(train, flow, tolerance=0.03).departure)
    assert np.isnan(gap(flow, flow).departure)


def test_rows_are_held_apart_each_by_itself():
    offsets = np.asarray([[0.0, 0.1], [0.2, 0.4]])[..., None]
    flow = line(1.0, 2, 2)
    params = {"focus": flow.params["focus"], "classify": flow.params["classify"] + offsets * TIME}
    found = gap(flow._replace(params=params), flow)
    np.testing.assert_allclose(found.distance, offsets * TIME, atol=1e-14)
    assert found.departure.shape == (2, 2)
    assert np.isnan(found.departure[0, 0])
    # 0.1 t reaches 1 % of 4 sqrt(3) at 0.4 sqrt(3) = 0.69, which the save at 1 is the first to see.
    assert found.departure[0, 1] == 1.0


REFUSED = {
    "no parameters of training": (trajectory(None), line(1.0)),
    "no parameters of the flow": (line(1.0), trajectory(None)),
    "a flow that goes on": (line(1.0), line(1.0, time=np.asarray([0.0, 1.0, 2.0, 8.0]))),
    "other times": (line(1.0), line(1.0, time=np.asarray([0.0, 1.0, 3.0, 4.0]))),
    "fewer saves": (line(1.0), line(1.0, time=TIME[:3])),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_gap_of_what_does_not_belong_together_is_refused_in_one_line(case):
    with pytest.raises(InputError, match=r"^gap: got .*, expected ") as caught:
        gap(*REFUSED[case])
    assert "\n" not in str(caught.value)
    assert ("keep_params=True" if "no param" in case else "same saves") in str(caught.value)


# --- orders


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0, 3.0])
def test_the_order_of_a_power_law_is_its_power_whatever_the_seeds_factors(power, rng):
    rates = np.asarray(RATES)[[2, 0, 4, 1, 3]]  # in any order
    found = fit_order(rates, rng.uniform(0.5, 2, (4, 1)) * rates**power)
    # Logarithms of numbers of order 1 to rounding, over a range of log 16.
    np.testing.assert_allclose([found.fit.mean, *found.local], power, atol=1e-13)
    np.testing.assert_array_equal(found.rates, RATES)
    assert found.seeds == 4


def test_local_slopes_show_a_coefficient_that_crosses_zero():
    rates = np.asarray(RATES)
    found = fit_order(rates, np.abs(rates - 0.15 * rates**0.5)[None])
    assert np.ptp(found.local) > 0.5


def test_seeds_that_lack_a_rate_are_left_out_and_change_nothing_else(rng):
    rates = np.asarray(RATES)
    errors = rng.uniform(1, 2, (5, 1)) * rates**2
    errors[1, 0], errors[3, 2] = np.nan, 0.0
    found, alone = fit_order(rates, errors), fit_order(rates, errors[[0, 2, 4]])
    assert found.seeds == 3
    np.testing.assert_array_equal(found.local, alone.local)
    assert found.fit == alone.fit


def test_a_rate_that_most_seeds_lack_is_left_out_and_takes_no_seed_with_it(rng):
    rates = np.asarray(RATES)
    errors = rng.uniform(1, 2, (4, 1)) * rates
    errors[:, 0] = np.inf
    errors[:3, 1] = np.nan
    found = fit_order(rates, errors)
    np.testing.assert_array_equal(found.rates, RATES[2:])
    assert (found.seeds, found.local.size) == (4, 2)
    assert found.fit.mean == pytest.approx(1)


def test_one_seed_has_a_slope_without_an_interval_and_no_seed_has_none():
    one = fit_order(np.asarray(RATES), np.asarray(RATES)[None])
    assert one.fit.mean == pytest.approx(1)
    assert np.isnan(one.fit.low)
    none = fit_order(np.asarray(RATES), np.full((2, 5), np.nan))
    assert np.isnan(none.fit.mean)
    assert (none.seeds, none.rates.size) == (0, 0)


def test_one_rate_has_no_order():
    with pytest.raises(InputError, match="got 1 learning rates, expected two or more"):
        fit_order(np.ones(1), np.ones((2, 1)))
    ds = example_limits(rates=(0.4,))
    assert orders(ds).empty
    assert orders_by_name(ds) == {}


# --- of a result


def test_a_result_has_its_orders_by_limit_and_paradigm():
    found = orders_by_name(example_limits())
    assert {limit: list(by) for limit, by in found.items()} == {
        limit: ["soft", "hard"] for limit in POWERS
    }
    for limit, (_, power) in POWERS.items():
        for said in found[limit].values():
            assert set(said) >= {"slope", "low", "high", "local", "seeds", "rates"}
            # Of a result from before own errors were known.
            assert np.isnan(said["own_error"])
            assert said["rates_within_it"] == 0
            assert said["slope"] == pytest.approx(power)
            assert said["low"] <= said["slope"] <= said["high"]
            assert (said["seeds"], said["rates"]) == (3, 5)


def test_a_stochastic_limit_has_no_order():
    ds = example_limits(powers={"flow": (0.1, 1.0), "sde": (0.1, 0.0)})
    assert limits_in(ds) == ["flow", "sde"]
    assert list(orders_by_name(ds)) == ["flow"]


def test_rows_that_diverge_at_one_rate_leave_the_order_of_the_others():
    ds = end(example_limits(), Status.DIVERGED, paradigm="soft", learning_rate=0.4)
    said = orders_by_name(ds)["flow"]
    assert said["soft"]["slope"] == pytest.approx(1)
    assert (said["soft"]["rates"], said["hard"]["rates"]) == (4, 5)


def test_a_distance_that_is_not_well_above_the_own_error_of_its_limit_is_in_no_order():
    # Distances at the end are 0.03 times the rate, 0.00075 to 0.012 times 1, 1.1 and 1.2.
    ds = example_limits(own_error=1.3e-4)
    ds["distance"].loc[{"learning_rate": 0.025}] += 1e-4  # its solver's
    said = orders_by_name(ds)["flow"]["soft"]
    assert said["slope"] == pytest.approx(1)
    assert (said["own_error"], said["rates"], said["rates_within_it"]) == (1.3e-4, 4, 1)
    # Second order is less far: all but one rate are lost, and nothing is left to fit.
    said = orders_by_name(ds)["modified"]["soft"]
    assert np.isnan(said["slope"])
    assert said["rates_within_it"] == 4
    assert jaxattn.orders(ds)["own_error"].tolist() == [1.3e-4] * 4


def test_an_own_error_holds_for_all_rows_of_its_limit_and_point_of_a_static_axis():
    ds = example_limits(own_error=1e-6)
    ds = xr.concat([ds, ds], xr.Variable("segments", [3, 4]), data_vars="all", coords="minimal")
    ds["own_error"].loc[{"segments": 4}] *= 2
    found = own_errors(ds, "flow").isel(save=-1)
    assert found.sel(segments=3, paradigm="soft") == 1e-6
    assert found.sel(segments=4, paradigm="soft") == 2e-6
    # Of a traced axis only the first point is known: it stands for all.
    ds["own_error"].loc[{"segments": 4}] = np.nan
    assert (own_errors(ds, "flow").isel(save=-1) == 1e-6).all()


def test_departures_are_a_table_with_the_own_error_of_each_limit():
    ds = example_limits(own_error=1e-6)
    lines = jaxattn.departures(ds)
    assert set(lines["limit"]) == {"flow", "modified"}
    assert lines["own_error"].tolist() == [1e-6] * len(lines)
    assert "own error" not in set(lines["why"])
    first = jaxattn.departures(ds, "flow").iloc[0]
    assert (first["learning_rate"], first["why"]) == (0.4, "finite steps")
    # 1 % of a way of 1 has to be ten times the own error.
    rough = jaxattn.departures(example_limits(own_error=1.1e-3), "flow").iloc[0]
    assert rough["why"] == "own error"
    with pytest.raises(InputError, match="departures: got 'adam', expected one of flow, modified"):
        jaxattn.departures(ds, "adam")


def test_a_rate_at_which_training_reaches_the_edge_of_stability_is_in_no_order():
    ds = example_limits(sharpest=8.0)
    ds["distance"].loc[{"learning_rate": 0.4}] *= 3
    for limit, (_, power) in POWERS.items():
        said = orders_by_name(ds)[limit]["soft"]
        assert said["slope"] == pytest.approx(power)
        assert said["rates"] == 4
    assert orders_by_name(ds.drop_vars("sharpness"))["flow"]["soft"]["rates"] == 5


def test_departures_are_at_the_first_save_further_than_one_per_cent_of_the_way():
    ds = example_limits()
    found = departures(ds, "flow")
    assert found.dims == ("paradigm", "learning_rate", "seed")
    # 0.03 * 0.4 * (t / END) (1 + 0.1 seed) = 0.01; at 0.2 the end is 0.006 away.
    exact = END * TOLERANCE / (0.03 * 0.4) / (1 + 0.1 * np.arange(3))
    saves = np.ceil(exact / 0.4)  # a step, and a save, every 0.4
    one = found.sel(paradigm="soft", learning_rate=0.4)
    np.testing.assert_allclose(one, 0.4 * saves)
    np.testing.assert_array_equal(one["step"], saves)
    np.testing.assert_array_equal(one["within_step"], saves - 1)
    np.testing.assert_allclose(one["within_time"], 0.4 * (saves - 1))
    np.testing.assert_array_equal(departure_saves(ds, "flow")[0, 0], saves)
    assert found.sel(learning_rate=list(RATES[1:])).isnull().all()
    assert departures(ds, "modified").isnull().all()
    assert watched(ds, "modified").all()


def test_training_that_diverges_has_left_its_limit_and_an_unsolved_limit_tells_nothing():
    ds = end(example_limits(), Status.DIVERGED, paradigm="soft", learning_rate=0.2)
    last = {"paradigm": "soft", "learning_rate": 0.2, "dynamics": "flow", "save": slice(8, None)}
    ds["distance"].loc[last] = np.nan
    ds["status"].loc[{"dynamics": "flow", "seed": 0}] = int(Status.SOLVER_FAILED)
    found = departures(ds, "flow").sel(paradigm="soft", learning_rate=0.2)
    time = ds["time"].sel(learning_rate=0.2).values
    # At the first save at which there is no number.
    assert (found[1:] == time[8]).all()
    assert (found["within_time"][1:] == time[7]).all()
    assert np.isnan(found[0])
    assert watched(ds, "flow").sel(paradigm="soft", learning_rate=0.2).values.tolist() == [
        False,
        True,
        True,
    ]


def test_a_limit_that_is_not_there_is_refused():
    with pytest.raises(InputError, match="got 'adam', expected one of flow, modified"):
        departures(example_limits(), "adam")


# --- the edge of stability


def test_the_edge_is_two_for_gradient_descent_and_further_for_heavy_ball():
    ds = example_limits()
    np.testing.assert_array_equal(edge_in(ds), np.full(5, 2.0))
    # 2 (1 + b), b = 0.5.
    np.testing.assert_allclose(edge_in(example_limits(optimiser="momentum")), 3.0, rtol=1e-6)
    # 2 (1 + b1) / (1 - b1), b1 = 0.5, of the sharpness that is scaled as Adam's steps are.
    np.testing.assert_allclose(edge_in(example_limits(optimiser="adam")), 6.0, rtol=1e-6)
    # With its time constant held fixed, beta1 = (2 tau1 - eta) / (2 tau1 + eta): 2 tau1 / eta times
    # the edge of gradient descent. What beta1 is rounded by, 1 - beta1 has lost.
    held = edge_in(example_limits(optimiser="adam", constants={"tau1": 1.5}))
    times = 3.0 / np.asarray(RATES)
    np.testing.assert_allclose(held, 2 * times, rtol=2 * times.max() * EPS)
    assert edge_in(ds.sel(learning_rate=0.4)) == 2.0


@pytest.mark.parametrize("spec", [{"optimiser": "rmsprop"}, {"schedule": "cosine"}])
def test_no_edge_is_claimed_where_none_holds_of_what_was_measured(spec):
    ds = example_limits(**spec)
    assert edge_in(ds) is None
    assert edge_times(ds) is None
    assert (products(ds) is None) == ("schedule" in spec)
    assert edge_in(example_limits().drop_vars("sharpness")) is None


def test_training_reaches_the_edge_where_rate_times_sharpness_is_two():
    found = edge_times(example_limits(sharpest=8.0))
    assert found is not None
    assert found.dims == ("paradigm", "learning_rate", "seed")
    # 0.4 (1 + 7 t / END) = 2 at t = 4/7 END = 4.57, which the save at 4.8 is the first to see.
    np.testing.assert_allclose(found.sel(learning_rate=0.4), 4.8)
    assert found.sel(learning_rate=list(RATES[1:])).isnull().all()
    assert (edge_saves(example_limits(sharpest=8.0)).sel(learning_rate=0.4) == 12).all()
    assert jnp.isfinite(products(example_limits()).values).all()
