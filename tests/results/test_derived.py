"""Times at which a level is reached, and distances: of numbers made up."""

import numpy as np
import pytest
import xarray as xr
from example_limits import example_limits

from jaxattn.results.derived import first_crossing, with_distances

TIME = np.array([0.0, 1.0, 3.0, 4.0])


@pytest.mark.parametrize(
    ("values", "level", "expected"),
    [
        ([0.0, 0.2, 0.6, 0.9], 0.5, 1 + 2 * 0.3 / 0.4),
        ([0.0, 0.2, 0.6, 0.9], 0.6, 3.0),
        ([0.0, 0.2, 0.6, 0.9], 0.95, np.nan),
        ([0.7, 0.2, 0.6, 0.9], 0.5, 0.0),
        ([0.5, 0.5, 0.5, 0.5], 0.5, 0.0),
        ([0.0, 0.6, 0.1, 0.9], 0.5, 0.5 / 0.6),
        ([np.nan, np.nan, np.nan, np.nan], 0.5, np.nan),
        ([0.0, np.nan, 0.6, 0.9], 0.5, 3.0),
        ([0.0, 0.2, np.nan, 0.9], 0.5, 4.0),
        ([np.nan, 0.2, 0.6, 0.9], 0.5, 1 + 2 * 0.3 / 0.4),
        ([0.0, 0.2, 0.6, np.nan], 0.9, np.nan),
        ([-np.inf, np.inf, 0.0, 0.0], 0.5, 1.0),
    ],
    ids=[
        "between two saves",
        "at a save",
        "never",
        "from the start on, though it falls again",
        "constant at the level",
        "the first of two crossings",
        "all NaN",
        "NaN just before",
        "NaN in the place of the crossing",
        "NaN at the start",
        "NaN at the end",
        "infinite",
    ],
)
def test_the_first_crossing_is_interpolated_and_nan_where_there_is_none(values, level, expected):
    found = first_crossing(TIME, np.array(values), level)
    # Two divisions and a sum of float64 numbers of order one.
    np.testing.assert_allclose(found, expected, rtol=4 * np.finfo(float).eps)


def test_first_crossing_takes_rows_with_times_of_their_own(rng):
    values = rng.normal(size=(3, 2, 20)).cumsum(axis=-1)
    time = rng.uniform(0.1, 1, size=(3, 2, 20)).cumsum(axis=-1)
    found = first_crossing(time, values, 1.0)
    assert found.shape == (3, 2)
    for at in np.ndindex(3, 2):
        np.testing.assert_array_equal(found[at], first_crossing(time[at], values[at], 1.0))
    shared = first_crossing(time[0, 0], values, 1.0)
    np.testing.assert_array_equal(shared[0, 0], found[0, 0])
    assert shared.shape == (3, 2)


def test_positions_become_distances_from_training_and_from_the_start():
    ds = example_limits(("soft",), (0.4,), seeds=1)
    at = ds["distance"].expand_dims(coordinate=3, axis=-1).copy()
    at[:] = 0.0
    at.loc[{"dynamics": "train"}] = 1.0
    at.loc[{"dynamics": "flow", "save": 16}] = 2.0
    found = with_distances(ds.drop_vars(["distance", "moved"]).assign(position=at))
    assert "position" not in found
    root = np.sqrt(3)
    np.testing.assert_allclose(found["distance"].sel(dynamics="flow").max("save"), root)
    assert (found["distance"].sel(dynamics="train") == 0).all()
    np.testing.assert_allclose(found["moved"].sel(dynamics="flow").isel(save=16), 2 * root)
    assert (found["moved"].sel(dynamics="train") == 0).all()
    assert "distance_along_top" not in found


@pytest.mark.parametrize("sign", [1, -1])
def test_the_part_of_a_distance_along_the_top_eigenvector_of_training_has_no_sign(sign):
    ds = example_limits(("soft",), (0.4,), seeds=1)
    at = ds["distance"].expand_dims(coordinate=2, axis=-1).copy()
    at[:] = 0.0
    at.loc[{"dynamics": "flow"}] = [3.0, 4.0]
    top = xr.full_like(at, np.nan)
    top.loc[{"dynamics": "train"}] = [0.6 * sign, -0.8 * sign]
    ds = ds.drop_vars(["distance", "moved"]).assign(position=at, top_direction=top)
    found = with_distances(ds)
    assert not {"position", "top_direction"} & set(found)
    np.testing.assert_allclose(found["distance"].sel(dynamics="flow"), 5.0)
    np.testing.assert_allclose(found["distance_along_top"].sel(dynamics="flow"), 1.4)
    assert (found["distance_along_top"].sel(dynamics=["train", "modified"]) == 0).all()
