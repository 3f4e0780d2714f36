"""`jaxattn theory`: paths of any paradigms and sizes, as JSON and as a figure."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from jaxattn import plots
from jaxattn.core.contracts import InputError
from jaxattn.core.lookup import resolve
from jaxattn.experiments.theory.figures import panels
from jaxattn.experiments.theory.paths import DYNAMICS, of_paradigms, solve_paths
from jaxattn.plots.canvas import own_figures
from jaxattn.reduced import PARADIGMS
from jaxattn.reports.late import after_results
from jaxattn.reports.run_folder import run_folder
from jaxattn.results.files import write_json
from jaxattn.theory.checks import LARGEST_TIME

__all__ = ["METHODS", "solve_published", "theory_into", "theory_json"]

METHODS = {"ode": ("ode",), "closed-form": ("closed-form",), "both": DYNAMICS}
"""The all_dynamics that solve, by the name of a method; the first one is shown.

The solver is the default: it has a status, while the closed form has a domain (sizes to 1e9, times
to 1e15).
"""


def solve_published(
    paradigms: Sequence[str],
    segments: int,
    classes: int,
    times: np.ndarray,
    switch_time: float | None = None,
    method: str = "ode",
) -> xr.Dataset:
    """The reduced system of each paradigm at `times`, as `jaxattn.experiments.theory.paths` says.

    Args:
        paradigms: soft, hard, lvml, hybrid.
        segments: m, 2 or more.
        classes: C, 2 or more.
        times: see `jaxattn.reduced.log_times`.
        switch_time: when the hybrid turns hard, within the horizon; by default after a quarter.
        method: "ode" solves it, "closed-form" needs no solver, "both" gives both.

    Raises:
        InputError: fewer than 2 segments or classes, no or an unknown paradigm, an unknown method,
            a switch outside the horizon; for a closed form, what is outside its domain.
    """
    all_dynamics = resolve("method", METHODS, method)
    if not paradigms:
        raise InputError(f"paradigms: got none, expected at least one of {', '.join(PARADIGMS)}.")
    size = {"segments": segments, "classes": classes}
    for name, value in size.items():
        if value < 2:
            raise InputError(f"{name}: got {value}, expected at least 2.")
    if method != "ode" and times[-1] > LARGEST_TIME:
        raise InputError(
            f"t_end: got {times[-1]:g}, expected at most {LARGEST_TIME:g} for a closed form."
        )
    switch_time = times[-1] / 4 if switch_time is None else switch_time
    if not 0 <= switch_time <= times[-1]:
        raise InputError(
            f"switch time: got {switch_time}, expected a number in [0, {times[-1]:g}], the horizon."
        )
    for name in paradigms:
        resolve("paradigm", PARADIGMS, name)
    return of_paradigms(
        {name: solve_paths(name, times, size, switch_time, all_dynamics) for name in paradigms},
        size,
    )


def theory_json(ds: xr.Dataset) -> dict[str, Any]:
    """The paths as plain lists; where both methods were asked for, with their difference.

    ``ode_vs_closed_form`` is the largest difference of mu or of nu at any of the times.
    """
    all_dynamics = tuple(ds["dynamics"].values)
    paths: dict[str, dict[str, Any]] = {}
    for name in ds["paradigm"].values:
        both = ds.sel(paradigm=name)
        shown = both.isel(dynamics=0)
        paths[str(name)] = {
            "t": ds["time"].values.tolist(),
            **{what: shown[what].values.tolist() for what in ("mu", "nu", "alpha", "beta")},
            "invariant_drift": float(shown["invariant_drift"]),
        }
        if all_dynamics == DYNAMICS:
            gaps = [np.abs(np.subtract(*both[what].values)) for what in ("mu", "nu")]
            paths[str(name)]["ode_vs_closed_form"] = float(np.max(gaps))
    method = next(name for name, those in METHODS.items() if those == all_dynamics)
    size = {name: ds.attrs[name] for name in ("segments", "classes")}
    return {**size, "method": method, "paradigms": paths}


def theory_into(folder: Path, ds: xr.Dataset, overwrite: bool) -> list[Path]:
    """Write ``theory.json`` and the figure of mu, nu and alpha; return its files.

    Raises:
        InputError: the folder is in use.
        LateError: the figure could not be drawn or written; ``theory.json`` is.
    """
    with run_folder(folder, overwrite), own_figures():
        write_json(folder / "theory.json", theory_json(ds))
        with after_results("figure theory", folder, []):
            return plots.save(panels(ds), folder / "figures", "theory")
