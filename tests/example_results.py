"""A made-up result in the layout of `jaxattn.compare`, in milliseconds: what figures are tested on.

The curves mean nothing. They are drawn from one seeded generator, and put together by the same
`block` and `assemble` that a comparison uses.
"""

from collections.abc import Sequence
from itertools import product

import numpy as np
import xarray as xr

from jaxattn.core.canonical_json import canonical_json
from jaxattn.core.contracts import Status, Trajectory
from jaxattn.problems.measures import SHOWN, task_measures
from jaxattn.results.dataset import assemble, block

NATURAL = {"soft": "average-input", "lvml": "average-output"}
STEPS = 200
SEGMENTS = 5
SHARES = {"error_cell": -1, "answer_map": (-2, -1), "attention_shown": -1}
"""Measures that are parts of a whole, and the axes along which they add up to it."""
BY_CLASS = np.array([[0.5, 0.1, 0.3, 0.2], [0.3, 0.2, 0.3, 0.2], [0.2, 0.7, 0.4, 0.6]])
"""Which share of each cell a class has: of the second one the last class most."""
LABELS = task_measures(SEGMENTS, len(BY_CLASS))


def example_result(
    paradigms: Sequence[str] = ("soft", "hard", "lvml", "hybrid"),
    learning_rates: Sequence[float] = (0.02, 0.05),
    seeds: int = 6,
    flow_seeds: int = 0,
    theory: bool = False,
    temperatures: Sequence[float] = (),
    splits: Sequence[str] = ("train", "test"),
    saves: int = 11,
    picture: tuple[int, ...] = (8, 8),
    vary: Sequence[str] = ("init",),
) -> xr.Dataset:
    """Every asked row done; `end` makes some of them end otherwise. No `picture`: no pictures."""
    axes: dict[str, Sequence[float]] = {"learning_rate": list(learning_rates)}
    if temperatures:
        axes["temperature"] = list(temperatures)
    step = np.linspace(0, STEPS, saves).round().astype(int)
    rng = np.random.default_rng(0)
    blocks = {}
    for paradigm in paradigms:
        blocks[paradigm, "train"] = _block(rng, axes, range(seeds), splits, step)
    for paradigm in paradigms if flow_seeds else ():
        blocks[paradigm, "flow"] = _block(rng, axes, range(flow_seeds), splits, step)
    for paradigm in paradigms if theory else ():
        made = _block(rng, axes, range(1), ["train"], step).isel(seed=0, drop=True)
        blocks[paradigm, "theory"] = made[["mu", "nu", "attention_foreground", "status"]]
    spec = {
        "task": "digits",
        "model": "mlp",
        "optimiser": "sgd",
        "schedule": "constant",
        "order": "shuffled",
        "batch_size": 256,
        "vary": list(vary),
        "paradigms": list(paradigms),
        "seeds": list(range(seeds)),
        "hypers": {**axes, "switch_time": None},
    }
    ds = assemble(blocks, {**axes, "seed": range(seeds)}, {"spec": canonical_json(spec)})
    time = np.multiply.outer(np.asarray(learning_rates), step.astype(float))
    natural = [NATURAL.get(name, "argmax-segment") for name in paradigms]
    ds = ds.assign_coords(
        step=("save", step, {"units": "step", "long_name": "training step"}),
        gradients=("save", 256.0 * step, {"units": "1", "long_name": "gradients of one example"}),
        time=(("learning_rate", "save"), time, {"units": "time", "long_name": "time"}),
        natural_inference=("paradigm", natural),
    )
    if picture:
        ds = ds.assign(
            _pictures(rng, splits, picture, [i == 0 or "data" not in vary for i in range(seeds)])
        )
    if "hybrid" in paradigms:
        ds = ds.assign_coords(switch_time=("learning_rate", 0.25 * time[:, -1]))
    return ds


def end(ds: xr.Dataset, status: Status, **at: object) -> xr.Dataset:
    """A copy in which the training rows `at` these labels ended so, their measures NaN."""
    ds = ds.copy(deep=True)
    where = {"dynamics": "train", **at}
    ds["status"].loc[where] = int(status)
    for name, values in ds.data_vars.items():
        if "save" in values.dims:
            ds[name].loc[where] = np.nan
    return ds


def _pictures(
    rng: np.random.Generator, splits: Sequence[str], picture: tuple[int, ...], seen: list[bool]
) -> dict[str, tuple]:
    shape = (len(splits), SHOWN, SEGMENTS)
    dims = ("split", "shown", "segment")
    pixel = ("height", "width", "colour")[: len(picture)]
    return {
        "picture": ((*dims, *pixel), rng.normal(size=(*shape, *picture)).astype(np.float32)),
        "picture_foreground": (dims, np.arange(SEGMENTS) == rng.integers(0, 5, (*shape[:2], 1))),
        "picture_seen": ("seed", seen),
    }


def _block(
    rng: np.random.Generator,
    axes: dict[str, Sequence[float]],
    seeds: range,
    splits: Sequence[str],
    step: np.ndarray,
) -> xr.Dataset:
    lead = {**axes, "seed": seeds}
    shape = tuple(len(values) for values in lead.values())

    def curves(*further: int) -> np.ndarray:
        """Rising from 0 to 1, earlier or later by row."""
        centre = rng.uniform(0.2, 0.7, shape + (1,) * (1 + len(further)))
        along = (step / STEPS).reshape(-1, *(1,) * len(further))
        drawn = 1 / (1 + np.exp(-12 * (along - centre)))
        return drawn * rng.uniform(0.95, 1.0, (*shape, step.size, *further))

    scale = {"%": 100.0, "nat": 2.0}
    measures = {"objective": 2 - 2 * curves(), "gradient_norm": 1 - curves(2)}
    labels = [spec for spec in LABELS if spec.name != "error_cell_by_class"]
    drawn: dict[str, list[np.ndarray]] = {spec.name: [] for spec in labels}
    for _, spec in product(splits, labels):
        values = curves(*(len(labels) for labels in spec.coords))
        if spec.name in SHARES:
            values = values / values.sum(axis=SHARES[spec.name], keepdims=True)
        drawn[spec.name].append(scale.get(spec.unit, 1.0) * values)
    at = len(shape) + 1
    measures |= {name: np.stack(values, axis=at) for name, values in drawn.items()}
    measures["error_cell_by_class"] = measures["error_cell"][..., None, :] * BY_CLASS
    done = np.full(shape, int(Status.DONE))
    ones = np.ones(shape, dtype=int)
    work = {"gradients": STEPS * ones, "steps": STEPS * ones, "rejected": 0 * ones}
    made = Trajectory(step, step, measures, done, done.astype(float), work)
    over_splits = [spec.over_splits(tuple(splits)) for spec in LABELS]
    return block(made, lead, over_splits, ["classify", "focus"])
