"""Made-up results of problems of one's own, in the layout of `jaxattn.compare`, in milliseconds.

Modes of linear networks that learn three targets: a shallow one approaches them, a deep one rises
from near 0 one mode after the other (Saxe, McClelland & Ganguli, 2014). Training is Euler's
steps of these equations, its flow their solution, and the theory ``saxe`` that of the deep one,
without the spread of the seeds' starts.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from jaxattn.core.canonical_json import canonical_json
from jaxattn.core.contracts import MeasureSpec, Status, Trajectory
from jaxattn.problems.result_measures import OBJECTIVE, attributes_of
from jaxattn.results.dataset import assemble, block
from jaxattn.results.derived import distances_of, own_error_of

TARGETS = np.array([3.0, 2.0, 1.0])
START = 1e-3
END = 8.0
"""Time at which all runs end."""

MODES = MeasureSpec("modes", ("mode",), ((0, 1, 2),), long_name="strength of each mode")
OVERLAP = MeasureSpec("overlap", long_name="overlap with the target", better="more", delta=0.01)
ERROR = MeasureSpec("error", unit="V", long_name="error of the map")
W = MeasureSpec("params.W", ("W_0", "W_1"), long_name="parameters W")
BIAS = MeasureSpec("params.bias", ("bias_0",), long_name="parameters bias")


def solved(problem: str, time: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Modes ``[..., save, mode]`` from starts ``[...]``."""
    start = np.asarray(start)[..., None, None]
    if problem == "shallow":
        return TARGETS + (start - TARGETS) * np.exp(-time[:, None])
    grown = np.exp(2 * TARGETS * time[:, None])
    return TARGETS * grown / (grown - 1 + TARGETS / start)


def stepped(problem: str, rate: float, time: np.ndarray, start: np.ndarray) -> np.ndarray:
    """The same by Euler's steps of this size, at the nearest steps."""
    modes = np.repeat(np.asarray(start)[..., None], 3, axis=-1)
    path = [modes]
    for _ in range(round(time[-1] / rate)):
        gain = 2 * modes if problem != "shallow" else 1.0
        modes = modes + rate * gain * (TARGETS - modes)
        path.append(modes)
    return np.stack([path[round(at / rate)] for at in time], axis=-2)


def own_result(
    problems: Sequence[str] = ("shallow", "deep"),
    rates: Sequence[float] = (0.05, 0.1),
    seeds: int = 4,
    splits: Sequence[str] = ("train", "test"),
    limits: Sequence[str] = ("flow", "modified"),
    theory: bool = True,
    saves: int = 41,
) -> xr.Dataset:
    """Training at every rate, beside it its limits and ``saxe``; every row done."""
    time, starts = np.linspace(0, END, saves), START * (1 + 0.3 * np.arange(seeds))
    blocks = {}
    for problem in problems:
        train = np.stack([stepped(problem, rate, time, starts) for rate in rates])
        flow = np.broadcast_to(solved(problem, time, starts), train.shape)
        paths = {"train": train, "flow": flow}
        paths["modified"] = train + 0.3 * (train - flow) ** 2
        axes = {"learning_rate": list(rates), "seed": range(seeds)}
        for name in ("train", *limits):
            of_limit = name != "train"
            blocks[problem, name] = _block(paths[name], time, axes, splits, train, of_limit)
        if theory:
            exact = np.broadcast_to(solved(problem, time, np.full(seeds, START)), train.shape)
            told = _block(exact, time, axes, splits, None, False)
            known = ["modes", "error"] if problem == "deep" else ["modes"]
            blocks[problem, "saxe"] = told[[*known, "objective", "status"]]
    spec = {
        **{"task": "own data", "model": "", "optimiser": "sgd", "schedule": "constant"},
        **{"attention": "", "focus_level": 0.5, "fit_level": 90.0, "questions": []},
        **{"order": "shuffled", "batch_size": None, "vary": ["init"], "precision": "float64"},
        **{"paradigms": list(problems), "seeds": list(range(seeds)), "against": list(limits)},
        **{"steps": round(END / min(rates)), "hypers": {"learning_rate": list(rates)}},
    }
    ds = assemble(
        blocks,
        {"learning_rate": list(rates), "seed": range(seeds)},
        {"spec": canonical_json(spec)},
    )
    steps = np.round(time / np.asarray(rates)[:, None]).astype(int)
    return ds.assign_coords(
        step=(("learning_rate", "save"), steps, {"units": "step", "long_name": "training step"}),
        gradients=(("learning_rate", "save"), 8.0 * steps, {"long_name": "gradients taken"}),
        time=(("learning_rate", "save"), np.tile(time, (len(rates), 1)), _TIME),
        natural_inference=("paradigm", [""] * len(problems)),
    )


def own_flows(
    problems: Sequence[str] = ("separate",), seeds: int = 3, theory: bool = True, saves: int = 49
) -> xr.Dataset:
    """A flow alone, on times of its own over 12 decades, which slows down like 1 / time."""
    time, seed = np.geomspace(1.0, 1e12, saves), np.arange(seeds)
    axes = {"learning_rate": [1.0], "seed": range(seeds)}
    blocks = {}
    for place, problem in enumerate(problems):
        modes = (1 + place + seed)[None, :, None, None] * np.log1p(time)[:, None] * [1.0, 0.5, 0.2]
        made = _block(modes, time, axes, ["train"], None, False)
        left = (1 + place + 0.2 * seed)[None, :, None] / (1 + time)
        made["objective"] = made["objective"].copy(data=left)
        blocks[problem, "flow"] = made
        if theory:
            law = made[["objective", "status"]].copy(deep=True)
            law["objective"] = law["objective"].copy(data=np.broadcast_to(1 / time, left.shape))
            blocks[problem, "late law"] = law
    spec = {
        **{"task": "own data", "optimiser": "sgd", "paradigms": list(problems)},
        **{"seeds": list(range(seeds)), "vary": ["init"], "hypers": {"learning_rate": [1.0]}},
    }
    ds = assemble(blocks, axes, {"spec": canonical_json(spec)})
    return ds.assign_coords(
        time=("save", time, _TIME), natural_inference=("paradigm", [""] * len(problems))
    )


_TIME = {"units": "time", "long_name": "time"}


def _block(
    modes: np.ndarray,
    time: np.ndarray,
    axes: Mapping[str, Sequence[Any]],
    splits: Sequence[str],
    train: np.ndarray | None,
    of_limit: bool,
) -> xr.Dataset:
    """One dynamics of one problem, from its modes ``[rate, seed, save, mode]``."""
    shape = modes.shape[:2]
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0][:, :3]
    matrix = turn * modes[..., None, :]
    error = np.sqrt(np.sum((TARGETS - modes) ** 2, axis=-1))
    overlap = modes @ TARGETS / np.linalg.norm(TARGETS) / np.linalg.norm(modes, axis=-1)
    grown = 1 + 0.1 * np.arange(len(splits))
    measures = {
        "objective": error**2 / 2,
        "gradient_norm": np.stack([error, 0.5 * error], axis=-1),
        "modes": np.stack([modes] * len(splits), axis=3),
        "overlap": np.stack([overlap] * len(splits), axis=3),
        "error": error[..., None] * grown,
        "params.W": matrix,
        "params.bias": matrix[..., 0],
    }
    done, ones = np.full(shape, int(Status.DONE)), np.ones(shape, dtype=int)
    work = {"gradients": ones, "steps": ones, "rejected": 0 * ones}
    ends = np.broadcast_to(time[-1], shape)
    labels = [spec.over_splits(tuple(splits)) for spec in (MODES, OVERLAP, ERROR)]
    made = Trajectory(time, time, measures, done, ends, work)
    ds = block(made, axes, [*labels, W, BIAS], ["first", "second"])
    ds["objective"].attrs = attributes_of(OBJECTIVE) | {"units": "V", "long_name": "objective"}
    if train is None:
        return ds
    dims = (*axes, "save", "coordinate")
    far = distances_of(xr.DataArray(modes, dims=dims), xr.DataArray(train, dims=dims))
    ds = ds.assign(far)
    ds["sharpness"] = ((*axes, "save"), 2 * modes[..., 0] + 1, {"units": "1/time"})
    if of_limit:
        error_there = np.full(modes.shape[2], 1e-9)
        ds["own_error"] = own_error_of((*axes, "save"), modes.shape[:3], 0, error_there)
    return ds
