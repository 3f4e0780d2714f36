"""The reduced system against time by closed form, by ODE or by both, with labels."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float

from jaxattn.experiments.labels import labelled
from jaxattn.reduced import solve_reduced
from jaxattn.results.dataset import status_attributes
from jaxattn.theory.closed_form_path import exact_path

__all__ = ["DYNAMICS", "of_paradigms", "solve_paths"]

DYNAMICS = ("closed-form", "ode")

_WORDS = {
    "mu": "mu: logit of the right class above the others'",
    "nu": "nu: score of the foreground above the background's",
    "alpha": "alpha: attention on the foreground",
    "beta": "beta: probability of the right class, read in full",
    "invariant_drift": "largest distance from the exact orbit, in units of nu",
}
_NAMES = {"alpha": "attention", "beta": "right_class"}
"""What a path calls them."""


def solve_paths(
    paradigm: str,
    times: Float[np.ndarray, " save"],
    size: Mapping[str, int],
    switch_time: float | None = None,
    all_dynamics: Sequence[str] = DYNAMICS,
    **how: Any,
) -> xr.Dataset:
    """mu, nu, alpha and beta ``[dynamics, save]``; drift of the invariant and status of each.

    Args:
        paradigm: soft, hard, lvml, hybrid; by ODE alone also em.
        times: see `jaxattn.reduced.log_times`.
        size: ``segments`` and ``classes``.
        switch_time: when a hybrid turns hard; others ignore it.
        all_dynamics: some of `DYNAMICS`.
        how: ``rtol``, ``atol``, ``solver`` of `jaxattn.reduced.solve_reduced`.

    Raises:
        InputError: as `jaxattn.reduced.solve_reduced` and `jaxattn.theory.trajectory`.
    """
    turn = switch_time if paradigm == "hybrid" else None
    paths: list[Any] = [
        solve_reduced(paradigm, times, **size, switch_time=turn, **how)
        if dynamics == "ode"
        else exact_path(paradigm, times, **size, switch_time=turn)
        for dynamics in all_dynamics
    ]

    def stacked(name: str) -> np.ndarray:
        return np.stack([np.asarray(getattr(path, name)) for path in paths])

    variables: dict[str, Any] = {}
    for name, words in _WORDS.items():
        values = stacked(_NAMES.get(name, name))
        variables[name] = labelled(
            "dynamics save" if values.ndim > 1 else "dynamics", values, "1", words
        )
    variables["status"] = ("dynamics", stacked("status").astype(np.int8), status_attributes())
    time = labelled("save", times, "time", "step times learning rate")
    return xr.Dataset(variables, {"dynamics": list(all_dynamics), "time": time})


def of_paradigms(paths: Mapping[str, xr.Dataset], size: Mapping[str, int]) -> xr.Dataset:
    """The paths of several paradigms of one size, which it says as attributes."""
    ds = xr.concat(paths.values(), dim=xr.Variable("paradigm", list(paths)))
    return ds.assign_attrs(**size)
