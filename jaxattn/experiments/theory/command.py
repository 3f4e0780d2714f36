"""The published theory figure: the reduced system of every paradigm against time."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxattn import plots
from jaxattn.core.contracts import InputError
from jaxattn.core.lookup import resolve
from jaxattn.experiments.theory.panels import theory_panels
from jaxattn.reduced import PARADIGMS, ReducedPath, solve_reduced
from jaxattn.results.files import prepare, write_json
from jaxattn.theory.checks import LARGEST_TIME
from jaxattn.theory.closed_form_path import ExactPath, exact_path

__all__ = ["METHODS", "Compared", "solve_published", "theory_into", "theory_json"]

METHODS = {"ode": "ode", "closed-form": "closed-form", "both": "both"}
"""The solver is the default: it has a status, while the closed form has a domain (sizes to 1e9,
times to 1e15); ``both`` says how far they are apart."""


class Compared(NamedTuple):
    """The closed form along time, and how far from it the ODE solver's path is.

    `ode_vs_closed_form` is the largest difference of mu or of nu at any of the times; the status is
    that of the solver.
    """

    time: np.ndarray
    mu: np.ndarray
    nu: np.ndarray
    attention: np.ndarray
    right_class: np.ndarray
    loss: np.ndarray
    invariant_drift: float
    status: int
    ode_vs_closed_form: float


Solution = ReducedPath | ExactPath | Compared


def solve_published(
    paradigms: Sequence[str],
    segments: int,
    classes: int,
    times: np.ndarray,
    switch_time: float | None = None,
    method: str = "ode",
) -> dict[str, Solution]:
    """The reduced system of each paradigm at `times`.

    Args:
        paradigms: soft, hard, lvml, hybrid.
        segments: m, 2 or more.
        classes: C, 2 or more.
        times: see `jaxattn.reduced.log_times`.
        switch_time: when the hybrid turns hard, within the horizon; by default after a quarter.
        method: "ode" solves it, "closed-form" needs no solver, "both" gives the closed form and
            how far the solver is from it.

    Raises:
        InputError: fewer than 2 segments or classes, no or an unknown paradigm, an unknown method,
            a switch outside the horizon; for a closed form, what is outside its domain.
    """
    resolve("method", METHODS, method)
    if not paradigms:
        raise InputError(f"paradigms: got none, expected at least one of {', '.join(PARADIGMS)}.")
    for name, value in (("segments", segments), ("classes", classes)):
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
        resolve("paradigm", dict.fromkeys(PARADIGMS, name), name)
    return {name: _solve(name, segments, classes, times, switch_time, method) for name in paradigms}


def _solve(
    name: str, segments: int, classes: int, times: np.ndarray, switch_time: float, method: str
) -> Solution:
    size = {"segments": segments, "classes": classes}
    if method == "ode":
        return solve_reduced(name, times, **size, switch_time=switch_time)
    exact = exact_path(name, times, **size, switch_time=switch_time if name == "hybrid" else None)
    if method == "closed-form":
        return exact
    ode = solve_reduced(name, times, **size, switch_time=switch_time)
    gaps = [np.abs(np.subtract(ode.mu, exact.mu)), np.abs(np.subtract(ode.nu, exact.nu))]
    return Compared(**{**exact._asdict(), "status": ode.status}, ode_vs_closed_form=np.max(gaps))


def theory_json(
    paths: Mapping[str, Solution], segments: int, classes: int, method: str = "ode"
) -> dict[str, Any]:
    """The paths as plain lists; where both methods were asked for, with their difference."""
    found: dict[str, dict[str, Any]] = {
        name: {
            "t": np.asarray(path.time).tolist(),
            "mu": np.asarray(path.mu).tolist(),
            "nu": np.asarray(path.nu).tolist(),
            "alpha": np.asarray(path.attention).tolist(),
            "beta": np.asarray(path.right_class).tolist(),
            "invariant_drift": float(path.invariant_drift),
        }
        for name, path in paths.items()
    }
    for name, path in paths.items():
        if isinstance(path, Compared):
            found[name]["ode_vs_closed_form"] = float(path.ode_vs_closed_form)
    return {"segments": segments, "classes": classes, "method": method, "paradigms": found}


def theory_into(
    folder: Path,
    paths: Mapping[str, Solution],
    segments: int,
    classes: int,
    overwrite: bool,
    method: str = "ode",
) -> list[Path]:
    """Write ``theory.json`` and the figure of mu, nu and alpha; return its files.

    Time is drawn on a logarithmic axis where the horizon is so long that all of the rise would lie
    at its left end.
    """
    prepare(folder, overwrite)
    write_json(folder / "theory.json", theory_json(paths, segments, classes, method))
    horizon = max(float(path.time[-1]) for path in paths.values())
    figure = theory_panels(
        paths,
        log=horizon > 100.0 * segments * classes,
        title=f"{segments} segments, {classes} classes",
    )
    return plots.save(figure, folder / "figures", "theory")
