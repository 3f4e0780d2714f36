"""A sweep's results: labelled, lazy, the same to every reader, and honest about what is broken."""

from pathlib import Path

import pytest
import xarray as xr
from example_sweeps import expected, write_sweep

import jaxattn


@pytest.mark.parametrize("without", [(), (1, 4), (0, 1, 2, 3, 4, 5)])
@pytest.mark.parametrize("rows", [1, 5, 12])
def test_the_results_are_every_row_at_its_place(
    tmp_path: Path, rows: int, without: tuple[int, ...]
) -> None:
    write_sweep(tmp_path / "sweep", without=without, rows=rows)
    wanted = expected(without=without, rows=rows)
    xr.testing.assert_identical(jaxattn.open(tmp_path / "sweep").load(), wanted)
    with xr.open_dataset(tmp_path / "sweep" / "results.nc", engine="h5netcdf") as plain:
        xr.testing.assert_identical(plain.load(), wanted)
