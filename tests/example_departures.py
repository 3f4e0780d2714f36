"""A made-up result of the departures experiment, in milliseconds: powers of each size.

Nothing is solved. What figures and sentences are tested on.
"""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from jaxattn.core.contracts import Status, Trajectory
from jaxattn.experiments.departures.experiment import dataset_of
from jaxattn.experiments.departures.rows import DEPARTURES, Departures, frequencies_at

CONFIG = Departures(
    classes=3,
    imbalances=(0.01, 0.1, 0.4),
    correlations=(0.02, 0.08, 0.4),
    noises=(0.05, 0.1),
    bags=(16, 64, 256),
    scrambles=2,
    seeds=4,
)
FACTOR = 2.0
"""Of the imbalance, by which nu is off: ``FACTOR (C pi_c - 1)`` and half as much for hard."""

AVERAGE = 0.5
"""Times the square of the imbalance: by how much all classes are off beside that."""


def example_departures(
    paradigms: Sequence[str] = ("soft", "hard"), config: Departures = CONFIG, failed: int = 0
) -> xr.Dataset:
    """Distances that grow in time to known powers of the size.

    Args:
        paradigms: the first is off by twice as much as the others.
        config: sizes.
        failed: how many of the samples, the first seeds, failed at every size.
    """
    found = {name: _made(config, 1.0 if name == paradigms[0] else 0.5) for name in paradigms}
    for flow, _ in found.values():
        lost = (list(DEPARTURES).index("sample"), slice(None), slice(failed))
        flow.status[lost] = int(Status.SOLVER_FAILED) if failed else flow.status[lost]
        for values in flow.measures.values():
            values[lost] = np.nan
    return dataset_of(config, found)


def _made(config: Departures, scale: float) -> tuple[Trajectory, dict[str, np.ndarray]]:
    amounts, saves = config.amounts, np.asarray(config.saves, float)
    most, seeds = max(map(len, amounts.values())), max(config.scrambles, config.seeds)
    shape = (len(DEPARTURES), most, seeds)
    grown = saves / saves[-1]
    off = np.full((*shape, len(saves), config.classes), np.nan)
    planar = np.full((*shape[:2], len(saves)), np.nan)
    excess = config.classes * frequencies_at(0.1, config.classes) / 0.1 - 10
    each = {"noise": config.scrambles, "sample": config.seeds}
    for place, (departure, sizes) in enumerate(amounts.items()):
        for size, amount in enumerate(sizes):
            for seed in range(each.get(departure, 1)):
                moved = _law(departure, amount * (1 + 0.1 * seed), excess)
                off[place, size, seed] = scale * grown[:, None] * moved
            if departure in ("equal", "noise"):
                planar[place, size] = scale * grown * _law(departure, amount, excess)[0]
    known = np.isfinite(off[..., 0, 0])
    status = np.where(known, int(Status.DONE), -1)
    reduced = 3 * grown
    measures = {
        "objective": np.zeros(off.shape[:-1]),
        "gradient_norm": np.zeros((*off.shape[:-1], 2)),
        **{name: (reduced[:, None] + off)[..., None, :] for name in ("mu", "nu", "attention")},
    }
    whole = np.broadcast_to(saves, off.shape[:-1])
    work = dict.fromkeys(("gradients", "steps", "rejected"), 0 * status)
    flow = Trajectory(whole, whole, measures, status, whole[..., -1], work)
    beside = {f"reduced_{name}": reduced for name in ("mu", "nu", "attention")}
    beside |= {f"planar_{name}": reduced + planar for name in ("mu", "nu", "attention")}
    return flow, beside


def _law(departure: str, amount: float, excess: np.ndarray) -> np.ndarray:
    """By how much each class is off at the end."""
    if departure in ("frequency", "sample"):
        return FACTOR * amount * excess - AVERAGE * amount**2
    return np.full(len(excess), -(amount ** (2 if departure == "noise" else 1)))
