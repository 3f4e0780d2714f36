"""What holds of every experiment: how it is run, labelled, kept, and called by its command."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import xarray as xr
from commands import SCRIPT, run

from jaxattn.reports.experiment import Listeners
from jaxattn.results.files import open_run, write_results
from jaxattn.run.compare import Progress
from jaxattn.run.stopwatch import Stopwatch


def heard(
    run: Callable[[Any, Listeners], xr.Dataset], config: Any
) -> tuple[xr.Dataset, list[Progress], list[xr.Dataset]]:
    """Results, what was told on the way, and the parts that were kept."""
    told: list[Progress] = []
    kept: list[xr.Dataset] = []
    return run(config, Listeners(told.append, kept.append, Stopwatch())), told, kept


def assert_labelled_and_kept(ds: xr.Dataset, folder: Path) -> None:
    for name, variable in ds.data_vars.items():
        assert "long_name" in variable.attrs, name
        assert {"units", "flag_meanings"} & set(variable.attrs), name
    write_results(ds, folder)
    assert open_run(folder).equals(ds)


def smoke(name: str, folder: Path, figures: Iterable[str]) -> dict[str, Any]:
    """What the smoke command prints, which solves everything and draws these figures."""
    words = f"reproduce {name} --scale smoke --json --out run"
    code, out, err = run([SCRIPT, *words.split()], folder)
    assert code == 0, err
    said: dict[str, Any] = json.loads(out)
    assert said["failed"] == 0
    assert said["findings"]
    drawn = {path.name: path.read_bytes() for path in (folder / "run" / "figures").iterdir()}
    assert set(drawn) == {f"{figure}.{kind}" for figure in figures for kind in ("png", "svg")}
    assert all(drawn[f"{figure}.png"].startswith(b"\x89PNG") for figure in figures)
    return said
