"""The best schedule: which mixture of soft and hard attention ends with most focus at a horizon.

In the solvable setting, lambda(t) of ``lambda(t) L_soft + (1 - lambda(t)) L_hard`` is constant on
cells of time and climbs from several starts by Adam, through the flow
(`jaxattn.reduced.optimal_schedule`); then again, from the same starts, on cells that are fine where
the best one changes most. The best is then held against Pontryagin's principle and against the best
hybrid, which the closed form gives. Times are in units of segments x classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float

from jaxattn import plots, theory
from jaxattn.core.contracts import Status
from jaxattn.core.precision import needs_x64
from jaxattn.core.streams import streams
from jaxattn.experiments.cases import CASES, UNIT, dataset_of_cases
from jaxattn.experiments.labels import labelled
from jaxattn.experiments.schedule.figures import schedule_shares, schedule_switching
from jaxattn.experiments.schedule.findings import findings, numbers
from jaxattn.reduced.optimal_schedule import Climb, cell_edges, climb, costate, recut, within
from jaxattn.reports.experiment import Experiment, Listeners, Tally
from jaxattn.theory.switches import best_switch, curve_at

__all__ = ["SCHEDULE", "Schedule", "run"]

_FINE = 4
"""Looks at the switching function, and switches of the hybrid that are tried, for each cell."""


@dataclass(frozen=True)
class Schedule:
    """Sizes, horizons and starts; the defaults are those of the scale `small`.

    There are four starts that are chosen (mostly soft, mostly hard, half and half, and from hard
    to soft, the wrong way round) and `seeds` more whose logits are drawn.
    """

    segments: tuple[int, ...] = (2, 5, 20, 100)
    classes: tuple[int, ...] = (2, 20, 1000)
    horizons: tuple[float, ...] = (1.0, 1.5, 2.0, 4.0, 16.0)
    """They are in units of segments x classes."""
    cells: int = 24
    steps: int = 300
    rate: float = 0.3
    """The learning rate of Adam, in logits."""
    seeds: int = 4

    @property
    def starts(self) -> dict[str, np.ndarray]:
        """Logits by cell; the key says what they are."""
        level = np.ones(self.cells)
        chosen = {
            "soft": 2.0 * level,
            "hard": -2.0 * level,
            "half": 0.0 * level,
            "hard to soft": np.linspace(-3.0, 3.0, self.cells),
        }
        drawn = {
            f"random {seed}": 2.0
            * np.asarray(jax.random.normal(streams(seed).init, (self.cells,), float))
            for seed in range(self.seeds)
        }
        return chosen | drawn


@partial(jax.jit, static_argnames="steps")
def _climbs(
    logits: Float[Array, "start cell"],
    edges: Array,
    segments: Array,
    classes: Array,
    rate: Array,
    steps: int,
) -> Climb:
    """All starts of one size and horizon."""
    size = {"segments": segments, "classes": classes}
    return jax.vmap(lambda start: climb(start, edges, rate, **size, steps=steps))(logits)


def _best(climbs: Climb) -> int:
    """The place of the start that ended best, of those that were solved."""
    return int(np.argmax(np.where(climbs.status == Status.DONE, climbs.nu, -np.inf)))


@jax.jit
def _seen(
    share: Float[Array, "cell"], edges: Array, segments: Array, classes: Array
) -> dict[str, Array]:
    """The best schedule of one size and horizon by Pontryagin, and beside hybrids."""
    size, end = {"segments": segments, "classes": classes}, edges[-1]
    times = within(edges, _FINE)
    path = costate(share, edges, times, **size)
    gathered = path.gathered[::_FINE]

    curve = curve_at(times[1:], **size)
    best = best_switch(curve, **size)
    hard = theory.trajectory("hard", end, **size).nu
    return {
        "time": times,
        "path_mu": path.mu,
        "path_nu": path.nu,
        "switching": path.switching,
        "determinant": path.determinant,
        "by_share": gathered[:-1] - gathered[1:],
        "hybrid_switch": best.switch,
        "hybrid_nu": best.nu,
        "edge_nu": jnp.maximum(jnp.max(curve.nu[_FINE - 1 :: _FINE]), hard),
        "soft_nu": curve.nu[-1],
        "hard_nu": hard,
        "seen": path.status,
    }


def check(config: Schedule) -> None:
    """Refuse to solve in float32.

    Raises:
        InputError: JAX runs with x64 off.
    """
    del config
    needs_x64("schedule")


def run(config: Schedule, to: Listeners) -> xr.Dataset:
    """Every size and horizon, all starts of one at once.

    Returns:
        A Dataset with the dims segments, classes, horizon; start and cell for the shares; save for
        the path of the best start. Where that one's costate was not solved, it counts as failed.

    Raises:
        InputError: JAX runs with x64 off.
    """
    check(config)
    starts = config.starts
    logits = jnp.asarray(np.stack(list(starts.values())))
    axes = (config.segments, config.classes, config.horizons)
    solved: list[dict[str, Any]] = []
    tally = Tally(to, "theory", prod(map(len, axes)) * len(starts))
    for case in product(*axes):
        segments, classes, horizon = (jnp.asarray(float(value)) for value in case)
        size = {"segments": segments, "classes": classes}
        with to.watch.compiling("climb"), to.watch.running("climb"):
            edges = cell_edges(horizon * segments * classes, config.cells, **size)
            for cut_anew in (True, False):
                climbs = _climbs(
                    logits, edges, segments, classes, jnp.asarray(config.rate), config.steps
                )
                climbs = jax.tree.map(np.array, climbs)
                best = _best(climbs)
                if cut_anew:
                    edges = recut(jnp.asarray(climbs.share[best]), edges)
        with to.watch.compiling("costate"), to.watch.running("costate"):
            seen = _seen(jnp.asarray(climbs.share[best]), edges, segments, classes)
            seen = jax.tree.map(np.asarray, seen)
        if seen.pop("seen") != Status.DONE:
            climbs.status[best] = Status.SOLVER_FAILED
        row = {**climbs._asdict(), **seen, "best": best, "edge_time": edges}
        unit = float(segments * classes)
        for name in ("edge_time", "time", "hybrid_switch"):
            row[name] = np.asarray(row[name]) / unit
        solved.append(row)
        tally.add("mixture", row["status"])
    return _labelled(config, list(starts), solved)


_VARIABLES: dict[str, tuple[str, str, str]] = {
    "share": ("start cell", "1", "lambda: share of soft attention"),
    "nu": ("start", "1", "nu at the horizon"),
    "status": ("start", "1", "how the row ended"),
    "best": ("", "1", "place of the start that ended best"),
    "path_mu": ("save", "1", "mu on the best path"),
    "path_nu": ("save", "1", "nu on the best path"),
    "switching": ("save", "1/time", "switching function p . (f_soft - f_hard)"),
    "determinant": ("save", "1", "det(g, [f_hard, g]), normalised"),
    "by_share": ("cell", "1", "derivative of nu at the horizon by the share of a cell"),
    "hybrid_switch": ("", UNIT, "best switch of a hybrid"),
    "hybrid_nu": ("", "1", "nu at the horizon, best hybrid"),
    "edge_nu": ("", "1", "nu at the horizon, best hybrid of those that switch between cells"),
    "soft_nu": ("", "1", "nu at the horizon, soft attention to the end"),
    "hard_nu": ("", "1", "nu at the horizon, hard attention from the start"),
    "edge_time": ("edge", UNIT, "edges of cells"),
    "time": ("save", UNIT, "time"),
}
"""Dims beside those of a case, unit and words of each variable."""


def _labelled(config: Schedule, starts: list[str], solved: Sequence[dict[str, Any]]) -> xr.Dataset:
    shape = (len(config.segments), len(config.classes), len(config.horizons))

    def whole(name: str) -> np.ndarray:
        values = np.stack([np.asarray(row[name]) for row in solved])
        values = values.reshape(*shape, *values.shape[1:])
        return values.astype(np.int8) if name == "status" else values

    variables = {
        name: labelled(f"{CASES} {dims}", whole(name), unit, words)
        for name, (dims, unit, words) in _VARIABLES.items()
    }
    coords = {name: variables.pop(name) for name in ("edge_time", "time")}
    return dataset_of_cases("schedule", config, variables, {"start": starts, **coords})


def drawings(ds: xr.Dataset) -> list[plots.Drawing]:
    """The best schedules, and their switching functions."""
    shares = (
        "The share of soft attention by time under the best schedule of all starts (thick) and "
        "under all others (thin), in units of segments x classes. A panel for each size, a colour "
        "for each horizon, where its line ends. Triangles at the top: the best switch of a hybrid, "
        "by the closed form. A share in between is that of the one cell that holds the switch."
    )
    switching = (
        "Pontryagin's switching function along the best schedule's path, times t and over its "
        "largest value: soft attention is right where it is positive, hard attention where it is "
        "negative. Thick where the schedule agrees, red where it does not."
    )
    return [
        plots.Drawing(
            "schedule_shares", "The best schedules", shares, partial(schedule_shares, ds)
        ),
        plots.Drawing(
            "schedule_switching",
            "Their switching functions",
            switching,
            partial(schedule_switching, ds),
        ),
    ]


SCHEDULE = Experiment(
    name="schedule",
    summary="the best mixture of soft and hard attention over time, for a horizon",
    scales={
        "smoke": Schedule((5, 100), (3, 1000), (1.5, 4.0), cells=16, steps=120, seeds=1),
        "small": Schedule(),
        "paper": Schedule(
            (2, 5, 20, 100, 1000), (2, 5, 20, 100, 1000), cells=36, steps=400, seeds=8
        ),
    },
    run=run,
    figures=drawings,
    numbers=numbers,
    findings=findings,
    check=check,
)
