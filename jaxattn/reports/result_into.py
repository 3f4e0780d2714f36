"""A result that is there already, written to a directory with its figures and its page."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from jaxattn.core.contracts import InputError
from jaxattn.reports.compare_into import count_failed
from jaxattn.reports.comparison import report_into
from jaxattn.reports.late import after_results
from jaxattn.reports.run_folder import run_folder
from jaxattn.results.files import content_hash, refuse_taken, write_json, write_results
from jaxattn.run.provenance import PACKAGES

__all__ = ["result_into"]

_DIMS = ("paradigm", "dynamics", "seed", "save")


def result_into(folder: Path, ds: xr.Dataset, overwrite: bool) -> Path:
    """Write ``results.nc``, ``run.json``, ``figures/`` and ``report.html`` of a result.

    Args:
        folder: new or empty, unless `overwrite`.
        ds: of a comparison or a sweep, whole or selected by lists; one that is read lazily is read
            whole.
        overwrite: replace what an earlier run wrote there.

    Returns:
        Where the page is.

    Raises:
        InputError: not a result, or `folder` holds something; nothing is written then.
        LateError: what comes after ``results.nc`` failed, such as a figure.
    """
    missing = [dim for dim in _DIMS if dim not in ds.dims]
    if missing or "schema_version" not in ds.attrs:
        lacking = f"without {', '.join(missing)}" if missing else "without its attributes"
        raise InputError(
            f"report: got a Dataset {lacking}, expected a result of jaxattn.compare or "
            'jaxattn.open; select from one by lists, as in ds.sel(paradigm=["soft"]).'
        )
    refuse_taken(folder, overwrite)
    # Before anything is removed: it may be read from this very folder. Copied into one file it is
    # no sweep any more, and how its file was packed is that file's own affair.
    whole = ds.compute().drop_encoding()
    whole.attrs = {name: at for name, at in ds.attrs.items() if name != "spec_hash"}
    with run_folder(folder, overwrite):
        write_results(whole, folder)
        with after_results("what comes with the results", folder):
            write_json(folder / "run.json", _facts(whole))
            page, _ = report_into(folder)
    return page


def _facts(ds: xr.Dataset) -> dict[str, Any]:
    """What a result knows of its run: no command, and no time."""
    made_with = json.loads(ds.attrs.get("made_with") or "{}")
    return {
        "rows": int((ds["status"] >= 0).sum()),
        "failed": count_failed(ds),
        "content_hash": content_hash(ds),
        **(_environment(made_with) if made_with else {}),
    }


def _environment(made_with: Mapping[str, Any]) -> dict[str, Any]:
    """What it ran on, in the words of a run, and all that its bits depend on."""
    return {
        "versions": {name: made_with[name] for name in PACKAGES if name in made_with},
        "x64": made_with.get("jax_enable_x64"),
        "made_with": dict(made_with),
    }
