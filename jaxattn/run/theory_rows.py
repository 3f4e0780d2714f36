"""Rows of exact theory beside training, where what is trained is the solvable setting."""

from typing import Any

import jax
import numpy as np
import xarray as xr

from jaxattn.models import MODELS
from jaxattn.problems.attention import ATTENTION_MAPS
from jaxattn.problems.paradigms import PARADIGMS
from jaxattn.reduced import PARADIGMS as SOLVED
from jaxattn.reduced import solve_reduced
from jaxattn.study.study import Study

__all__ = ["is_solvable", "solved_paradigms", "theory_blocks"]


def solved_paradigms(study: Study) -> tuple[str, ...]:
    """Names of those whose own flow theory has: what they are counts, not what they are called."""
    return tuple(
        name for name, one in study.paradigms.items() if name in SOLVED and one is PARADIGMS[name]
    )


def is_solvable(study: Study) -> bool:
    """Whether the reduced (mu, nu) system is exact.

    It is plain gradient flow of the linear model from zero under softmax attention, at temperature
    1, on a task that says so.
    """
    return (
        study.task.solvable
        and study.model == MODELS["linear"](study.task.classes)
        and study.attention is ATTENTION_MAPS["softmax"]
        and study.constants.get("temperature", 1.0) == 1.0
        and not {"temperature", "focus_rate"} & set(study.settings.hypers)
    )


def theory_blocks(study: Study) -> dict[tuple[str, str], xr.Dataset]:
    """The reduced (mu, nu) system at the times of training, where it is exact; in float64."""
    if not is_solvable(study):
        return {}
    axes, grid = study.axes, study.grid
    clock = study.clock(grid)
    flat = clock.reshape(-1, clock.shape[-1])
    hypers = study.with_shares_of_run(grid, PARADIGMS["hybrid"].hypers)
    switch = hypers["switch_time"].reshape(-1)
    blocks = {}
    for name in solved_paradigms(study):
        with jax.enable_x64(True):
            paths = [
                solve_reduced(
                    # A switch that a run does not reach leaves it soft attention.
                    "soft" if name == "hybrid" and at > times[-1] else name,
                    times,
                    segments=study.task.segments,
                    classes=study.task.classes,
                    switch_time=at,
                )
                for times, at in zip(flat, switch, strict=True)
            ]
            blocks[name, "theory"] = _theory_block(axes, clock.shape, paths)
    return blocks


def _theory_block(axes: Any, shape: tuple[int, ...], paths: list[Any]) -> xr.Dataset:
    dims = (*axes, "save")

    def stacked(name: str) -> np.ndarray:
        return np.stack([np.asarray(getattr(path, name)) for path in paths]).reshape(shape)

    split = {"split": ["train"]}
    measured = {"mu": "mu", "nu": "nu", "attention_foreground": "attention"}
    variables: dict[str, Any] = {
        name: ((*dims, "split"), stacked(source)[..., None]) for name, source in measured.items()
    }
    variables["objective"] = (dims, stacked("loss"))
    status = np.asarray([int(path.status) for path in paths], dtype=np.int8)
    variables["status"] = (tuple(axes), status.reshape(shape[:-1]))
    return xr.Dataset(variables, {**{k: np.asarray(v) for k, v in axes.items()}, **split})
