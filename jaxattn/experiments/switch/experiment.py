"""The hybrid's switch: how much focus it ends with by when it turns from soft to hard attention.

In the solvable setting, by the closed form alone: nu at the horizon on a grid of switch times, and
the best switch as the root of its derivative (`jaxattn.theory.switches`). Times and horizons are
in units of segments x classes, in which focus takes off at about the same time for every size.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array

from jaxattn import plots, theory
from jaxattn.core.contracts import Status
from jaxattn.core.precision import needs_x64
from jaxattn.experiments.cases import CASES, UNIT, dataset_of_cases, missing
from jaxattn.experiments.labels import labelled
from jaxattn.experiments.switch.figures import switch_curves, switch_scaling
from jaxattn.experiments.switch.findings import findings, numbers
from jaxattn.reports.experiment import Experiment, Listeners, Tally
from jaxattn.theory.switches import best_switch, overtaking, switch_curve

__all__ = ["SWITCH", "Switch", "run"]


@dataclass(frozen=True)
class Switch:
    """Sizes and horizons; the defaults are those of the scale `small`. Nothing is random."""

    segments: tuple[int, ...] = (2, 5, 20, 100, 1000)
    classes: tuple[int, ...] = (2, 5, 20, 100, 1000)
    horizons: tuple[float, ...] = (0.5, 1.0, 1.5, 2.0, 4.0, 16.0, 64.0)
    """They are in units of segments x classes."""
    points: int = 96
    """How many switch times the grid has."""


def _row(segments: Array, classes: Array, horizon: Array, points: int) -> dict[str, Array]:
    """Everything of one size and horizon; times in its own unit."""
    unit = segments * classes
    size, end = {"segments": segments, "classes": classes}, horizon * unit
    curve = switch_curve(end, **size, points=points)
    best = best_switch(curve, **size)
    # When hard attention from the start gets as far as the best hybrid does.
    as_far = theory.time_of_mu("hard", theory.mu_of_nu("hard", best.nu, **size), **size)
    hard = theory.trajectory("hard", end, **size).nu
    # The derivative vanishes inside to the rounding of nu, and nothing of the grid is higher.
    flat = jnp.abs(best.slope * best.switch) < 1e-6 * best.nu
    rises = curve.nu[1] > curve.nu[0]
    solved = (flat | ~best.inside) & rises & (best.nu >= jnp.max(curve.nu))
    return {
        "switch_time": curve.switch / unit,
        "nu": curve.nu,
        "best_switch": best.switch / unit,
        "best_nu": best.nu,
        "inside": best.inside,
        "soft_nu": curve.nu[-1],
        "hard_nu": hard,
        "saved": as_far / unit - horizon,
        "overtaking": overtaking(**size) / unit,
        "status": jnp.where(solved, int(Status.DONE), int(Status.SOLVER_FAILED)),
    }


@partial(jax.jit, static_argnames="points")
def _rows(segments: Array, classes: Array, horizon: Array, points: int) -> dict[str, Array]:
    return jax.vmap(lambda m, c: _row(m, c, horizon, points))(segments, classes)


def check(config: Switch) -> None:
    """Refuse to solve in float32.

    Raises:
        InputError: JAX runs with x64 off.
    """
    del config
    needs_x64("switch")


def run(config: Switch, to: Listeners) -> xr.Dataset:
    """Every size at one horizon after the other, in calls of one compiled program.

    Returns:
        A Dataset with the dims segments, classes, horizon and, for the grid, switch.

    Raises:
        InputError: JAX runs with x64 off.
    """
    check(config)
    sizes = np.meshgrid(config.segments, config.classes, indexing="ij")
    segments, classes = (np.ravel(size).astype(float) for size in sizes)
    solved: list[dict[str, np.ndarray]] = []
    tally = Tally(to, "theory", len(config.horizons) * segments.size)
    for horizon in config.horizons:
        with to.watch.compiling("hybrid"), to.watch.running("hybrid"):
            rows = _rows(segments, classes, jnp.asarray(horizon), config.points)
            solved.append(jax.tree.map(np.asarray, rows))
        tally.add("hybrid", solved[-1]["status"])
        ds = _labelled(config, solved)
        to.keep(ds)
    return ds


_VARIABLES: dict[str, tuple[str, str, str]] = {
    "nu": (f"{CASES} switch", "1", "nu at the horizon"),
    "best_switch": (CASES, UNIT, "best switch time"),
    "best_nu": (CASES, "1", "nu at the horizon, best switch"),
    "soft_nu": (CASES, "1", "nu at the horizon, soft attention to the end"),
    "hard_nu": (CASES, "1", "nu at the horizon, hard attention from the start"),
    "saved": (CASES, UNIT, "how much later hard attention alone gets as far as the best hybrid"),
    "overtaking": (
        "segments classes",
        UNIT,
        "time from which hard attention would move the focus faster than soft",
    ),
    "inside": (CASES, "1", "whether the best switch is before the horizon"),
    "status": (CASES, "1", "how the row ended"),
}
"""Dims, unit and words of each variable."""


def _labelled(config: Switch, solved: Sequence[dict[str, np.ndarray]]) -> xr.Dataset:
    """The horizons solved so far."""
    sizes = (len(config.segments), len(config.classes))

    def whole(name: str) -> np.ndarray:
        each = [rows[name].reshape(*sizes, *rows[name].shape[1:]) for rows in solved]
        values = np.stack(each, axis=2)
        if name == "overtaking":  # the same at every horizon
            return values[:, :, 0]
        return values.astype(np.int8) if name in ("inside", "status") else values

    variables = {
        name: labelled(dims, whole(name), unit, words)
        for name, (dims, unit, words) in _VARIABLES.items()
    }
    for name in ("", "best_", "soft_", "hard_"):
        dims, nu, _ = variables[f"{name}nu"]
        off = missing(nu, np.reshape(config.segments, (-1, *[1] * (nu.ndim - 1))))
        words = "1 - alpha: attention off the foreground"
        variables[f"{name}missing"] = labelled(" ".join(dims), off, "1", words)
    # The grid is the same for every size: it is in their units.
    grid = labelled("horizon switch", whole("switch_time")[0, 0], UNIT, "switch time")
    return dataset_of_cases("switch", config, variables, {"switch_time": grid})


def drawings(ds: xr.Dataset) -> list[plots.Drawing]:
    """Focus by switch time, and how the best switch scales."""
    curves = (
        "The attention that is off the foreground at the horizon, 1 - alpha, against the time at "
        "which the hybrid turns from soft to hard attention, in units of segments x classes. A "
        "panel for each size, a colour for each horizon. Dots: the best switch, the root of the "
        "derivative of the closed form; on the last point of a curve it is soft attention to the "
        "end. The left end of a curve is hard attention, all but from the start."
    )
    scaling = (
        "The best switch in units of segments x classes. Left: against the horizon; on the dotted "
        "diagonal soft attention to the end is best. Right: at the longest horizon against the "
        "number of segments; dashed, what it tends to with many segments, the square root of "
        "pi C / (2 (C - 1))."
    )
    return [
        plots.Drawing("switch_curves", "Focus by switch time", curves, partial(switch_curves, ds)),
        plots.Drawing(
            "switch_scaling", "The best switch by size", scaling, partial(switch_scaling, ds)
        ),
    ]


_MANY = (2, 3, 5, 10, 20, 50, 100, 1000, 10_000, 1_000_000)

SWITCH = Experiment(
    name="switch",
    summary="when a hybrid should turn from soft to hard attention, and how that scales",
    scales={
        "smoke": Switch((5, 20, 100), (3, 20, 1000), (1.0, 1.5, 4.0, 16.0), points=48),
        "small": Switch(),
        "paper": Switch(
            _MANY,
            _MANY,
            (0.5, 1.0, 1.25, 1.5, 1.75, 2.0, 3.0, 4.0, 8.0, 16.0, 64.0, 256.0),
            points=160,
        ),
    },
    run=run,
    figures=drawings,
    numbers=numbers,
    findings=findings,
    check=check,
)
