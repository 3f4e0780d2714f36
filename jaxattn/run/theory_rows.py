"""Rows of exact theory beside training, where what is trained is the solvable setting."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
import xarray as xr

from jaxattn.problems.paradigms import PARADIGMS
from jaxattn.reduced import solve_reduced
from jaxattn.study.groups import Group
from jaxattn.study.subject import AttentionNetwork

__all__ = ["theory_rows"]


def theory_rows(
    group: Group, axes: Mapping[str, Any], hypers: Mapping[str, np.ndarray]
) -> xr.Dataset:
    """The reduced (mu, nu) system at the times of training, of one paradigm; in float64.

    Args:
        group: of exact rows.
        axes: names and labels of the axes of `hypers`.
        hypers: of each row.
    """
    study, whose = group.study, group.study.exact[group.paradigm]
    assert isinstance(study.subject, AttentionNetwork)
    task = study.subject.task
    clock = study.clock(hypers)
    # Whether a hybrid is among the paradigms or not, the solver saves at its switch.
    switch = study.with_shares_of_run(hypers, PARADIGMS["hybrid"].hypers)["switch_time"]
    with jax.enable_x64(True):
        paths = [
            solve_reduced(
                # A switch that a run does not reach leaves it soft attention.
                "soft" if whose == "hybrid" and at > times[-1] else whose,
                times,
                segments=task.segments,
                classes=task.classes,
                switch_time=at,
            )
            for times, at in zip(
                clock.reshape(-1, clock.shape[-1]), switch.reshape(-1), strict=True
            )
        ]
        return _block(axes, clock.shape, paths)


def _block(axes: Mapping[str, Any], shape: tuple[int, ...], paths: list[Any]) -> xr.Dataset:
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
