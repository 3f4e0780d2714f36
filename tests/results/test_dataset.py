"""Blocks of problems that differ in size make one Dataset."""

import numpy as np
import pytest
import xarray as xr

from jaxattn.core.contracts import Status
from jaxattn.results.dataset import assemble
from jaxattn.results.derived import with_distances

SIZES = {"small": 2, "large": 5}


def block(rng: np.random.Generator, size: int, finished: bool) -> xr.Dataset:
    """One seed at three saves, where so many parameters are, and the sharpest direction there."""
    status = Status.DONE if finished else Status.DIVERGED
    at = rng.normal(size=(2, 1, 3, size)) * (1 if finished else np.nan)
    dims = ("seed", "save", "coordinate")
    return xr.Dataset(
        {
            "position": (dims, at[0]),
            "top_direction": (dims, at[1]),
            "status": ("seed", [np.int8(status)]),
        },
        {"seed": [0]},
    )


@pytest.mark.parametrize("finished", [True, False])
def test_problems_of_different_sizes_have_the_distances_that_each_has_alone(
    rng: np.random.Generator, finished: bool
) -> None:
    blocks = {
        (name, dynamics): block(rng, size, finished)
        for name, size in SIZES.items()
        for dynamics in ("train", "flow")
    }
    both = with_distances(assemble(blocks, {"seed": [0]}, {}))
    for name in SIZES:
        alone = {at: one for at, one in blocks.items() if at[0] == name}
        expected = with_distances(assemble(alone, {"seed": [0]}, {}))
        for measure in ("distance", "moved", "distance_along_top"):
            xr.testing.assert_allclose(
                both[measure].sel(paradigm=[name]), expected[measure], rtol=1e-15
            )
        assert bool(np.isfinite(expected["moved"]).all()) == finished
