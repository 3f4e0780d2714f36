"""The published theory figure: the reduced system by closed form, with an ODE solver beside it.

``mu(t)`` and ``nu(t)`` as published (PAPER 4), what follows from them (alpha, beta, the loss), and
the phase portrait: the vector field of each paradigm and its exact orbits from several starts.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import numpy as np
import xarray as xr
from jaxtyping import Array, Float

from jaxattn import plots, theory
from jaxattn.core.precision import needs_x64
from jaxattn.experiments.labels import labelled, spec_json
from jaxattn.experiments.theory.figures import closed_forms, late_focus
from jaxattn.experiments.theory.findings import findings, numbers
from jaxattn.experiments.theory.paths import DYNAMICS, of_paradigms, solve_paths
from jaxattn.experiments.theory.phase_portrait import phase_portrait
from jaxattn.reduced import log_times
from jaxattn.reports.experiment import Experiment, Listeners, Tally
from jaxattn.results.dataset import SCHEMA_VERSION
from jaxattn.theory.last_crossing import last_pass

__all__ = ["PARADIGMS", "THEORY", "Published", "run"]

PARADIGMS = ("soft", "hard", "lvml")
THRESHOLDS = (0.5, 0.9, 0.99)
"""Levels of the attention whose times are told."""

_RTOL, _SOLVER = 1e-12, "tsit5"
"""How the ODE is solved. A solver of order 8 takes fewer steps, and longer to compile."""

Curve = Float[np.ndarray, " save"]


@dataclass(frozen=True)
class Published:
    """One size of the experiment; the defaults are the published one.

    The times are spread evenly in their logarithm: the published 4000 marks are even in time, and
    leave the take-off of the focus to a few of them.
    """

    segments: int = 100
    classes: int = 1000
    t_end: float = 4e5
    points: int = 4000
    grid: int = 90
    orbit_points: int = 1000

    @property
    def times(self) -> Curve:
        """0, and then evenly in the logarithm."""
        return log_times(self.t_end, self.points)

    @property
    def size(self) -> dict[str, int]:
        """What the closed forms call their sizes."""
        return {"segments": self.segments, "classes": self.classes}


def check(config: Published) -> None:
    """Refuse to solve in float32.

    Raises:
        InputError: JAX runs with x64 off.
    """
    del config
    needs_x64("the theory figure")


def run(config: Published, to: Listeners) -> xr.Dataset:
    """Every paradigm by both ways, then what needs all of them; heard of after each paradigm.

    Raises:
        InputError: JAX runs with x64 off.
    """
    check(config)
    solved: dict[str, xr.Dataset] = {}
    tally = Tally(to, "theory", len(DYNAMICS) * len(PARADIGMS))
    for name in PARADIGMS:
        with to.watch.compiling(name):
            solved[name] = _in_time(name, config)
        tally.add(name, solved[name]["status"])
        spec = spec_json(
            "theory",
            config,
            task="orthogonal-population",
            paradigms=list(solved),
            solver=_SOLVER,
            rtol=_RTOL,
            precision="float64",
        )
        ds = of_paradigms(solved, config.size)
        ds = ds.assign_attrs(schema_version=SCHEMA_VERSION, spec=spec)
        to.keep(ds)
    with to.watch.running("events"):
        ds = ds.assign(_events(config))
    with to.watch.compiling("portrait"):
        return ds.assign(_portrait(config, _corner(ds)))


def _in_time(paradigm: str, config: Published) -> xr.Dataset:
    """The paths, the loss on them, and the late law."""
    how: dict[str, Any] = {"rtol": _RTOL, "atol": _RTOL, "solver": _SOLVER}
    ds = solve_paths(paradigm, config.times, config.size, **how)
    size = (float(config.segments), float(config.classes))
    states = (ds[["mu", "nu"]].sel(dynamics=dynamics) for dynamics in DYNAMICS)
    losses = [theory.LOSSES[paradigm](at["mu"].values, at["nu"].values, *size) for at in states]
    # Traced, so that times before the law means anything give NaN and are not refused.
    law = jax.jit(partial(theory.leading_background, paradigm, **config.size))(config.times)
    return ds.assign(
        loss=labelled("dynamics save", losses, "nat", "population loss of the paradigm"),
        late_law=labelled("save", law, "1", "leading law of 1 - alpha at late times"),
    )


def _events(config: Published) -> dict[str, Any]:
    """When the attention reaches a threshold, and when one takes the lead from another."""
    times = config.times[None, 1:]

    def curve(name: str, quantity: str) -> Any:
        def at(times: np.ndarray) -> np.ndarray:
            # As many times as the figure has, so that both are one program.
            padded = np.concatenate([times[0], times[0, -1:]])
            values = getattr(theory.trajectory(name, padded, **config.size), quantity)
            return np.asarray(values)[None, :-1]

        return at

    focus = np.full((len(PARADIGMS), len(THRESHOLDS)), np.nan)
    for who, at in np.ndindex(focus.shape):
        alpha = THRESHOLDS[at]
        goal = np.log(alpha / (1 - alpha)) + np.log(config.segments - 1.0)
        constant = partial(np.full_like, fill_value=goal)
        focus[who, at] = last_pass(curve(PARADIGMS[who], "nu"), constant, times)[0]
    quantities = ("mu", "nu")
    passes = np.full((len(quantities), len(PARADIGMS), len(PARADIGMS)), np.nan)
    for which, first, second in np.ndindex(passes.shape):
        ahead, behind = (curve(PARADIGMS[who], quantities[which]) for who in (first, second))
        if first != second:
            passes[which, first, second] = last_pass(ahead, behind, times)[0]
    words = "time at which alpha passes the threshold"
    lead = "last time it takes the lead from the other"
    return {
        "threshold": list(THRESHOLDS),
        "time_to_focus": labelled("paradigm threshold", focus, "time", words),
        "quantity": list(quantities),
        "other": list(PARADIGMS),
        "takes_lead": labelled("quantity paradigm other", passes, "time", lead),
    }


def _corner(ds: xr.Dataset) -> tuple[float, float]:
    """A little beyond where the trajectories end, in mu and nu."""
    ends = ds[["mu", "nu"]].sel(dynamics="closed-form").isel(save=-1).max()
    return 1.15 * float(ends["mu"]), 1.15 * float(ends["nu"])


def _portrait(config: Published, corner: tuple[float, float]) -> dict[str, Any]:
    """The field on a grid up to `corner`, and orbits from zero and from both axes."""
    mu, nu = (np.linspace(0.0, far, config.grid) for far in corner)
    at = np.meshgrid(mu, nu)
    m, c = float(config.segments), float(config.classes)
    speeds = np.asarray([theory.FIELDS[name](*at, m, c) for name in PARADIGMS])
    starts = np.asarray(
        [(0.0, 0.0)]
        + [(share * corner[0], 0.0) for share in (0.2, 0.4, 0.6, 0.8)]
        + [(0.0, share * corner[1]) for share in (0.2, 0.4, 0.6, 0.8)]
    )
    share = np.linspace(0.0, 1.0, config.orbit_points)
    along = starts[:, :1] + share * (corner[0] - starts[:, :1])

    @jax.jit
    def orbits(mu: Array, mu0: Array, nu0: Array) -> list[Array]:
        start: dict[str, Any] = {**config.size, "mu0": mu0, "nu0": nu0}
        return [theory.nu_of_mu(name, mu, **start) for name in PARADIGMS]

    heights = orbits(along, starts[:, :1], starts[:, 1:])
    plane = "paradigm at_nu at_mu"
    return {
        "field_mu": labelled(plane, speeds[:, 0], "1/time", "velocity of mu"),
        "field_nu": labelled(plane, speeds[:, 1], "1/time", "velocity of nu"),
        "orbit_mu": labelled("start point", along, "1", "mu along an orbit"),
        "orbit_nu": labelled("paradigm start point", heights, "1", "nu along an orbit"),
        "at_mu": labelled("at_mu", mu, "1", "mu"),
        "at_nu": labelled("at_nu", nu, "1", "nu"),
    }


def drawings(ds: xr.Dataset) -> list[plots.Drawing]:
    """The published curves and what follows from them, late laws, and the phase portrait.

    An interrupted run gives what it got to.
    """
    where = (
        f"Solvable setting from zero, {ds.attrs['segments']} segments, {ds.attrs['classes']} "
        "classes."
    )
    every = [
        plots.Drawing(
            "theory",
            "The published theory figure",
            "mu, the logit of the right class above the others', and nu, the score of the "
            "foreground above the background's, against time; what follows from them: alpha, the "
            "attention on the foreground, beta, the probability of the right class, and the loss. "
            "Lines: closed forms; hollow markers: an ODE solver. Last: how far the two have come "
            f"apart at most. {where}",
            partial(closed_forms, ds),
        ),
        plots.Drawing(
            "late_focus",
            "Who leads, and how late attention falls",
            "Left, how far nu is above that of soft attention; dots: one takes the lead from "
            "another for the last time. Right, 1 - alpha, the attention on the background, with "
            f"its leading law dotted. Time in units of m C. {where}",
            partial(late_focus, ds),
        ),
        plots.Drawing(
            "portrait",
            "The phase portrait",
            "The plane of mu and nu under each paradigm. Arrows: direction of the flow; grey: its "
            "speed; coloured: exact orbits from zero (thick) and from both axes. Last: the orbits "
            f"from zero, with states of equal time joined. {where}",
            partial(phase_portrait, ds),
        ),
    ]
    needs = {"theory": "beta", "late_focus": "takes_lead", "portrait": "field_mu"}
    return [drawing for drawing in every if needs[drawing.name] in ds]


THEORY = Experiment(
    name="theory",
    summary="the published theory figure by closed form and by ODE, and its phase portrait",
    scales={
        "smoke": Published(20, 20, 1e3, points=500),
        "small": Published(points=1000),
        "paper": Published(),
    },
    run=run,
    figures=drawings,
    numbers=numbers,
    findings=findings,
    check=check,
)
