"""Phase diagram: over segments and classes, how soon each paradigm focuses, and which one leads.

The solvable setting from zero, by closed forms alone: no differential equation is solved. Times
are in units of ``m C``, the natural one: while mu is small it grows as ``t / (m C)`` under every
paradigm, and the focus follows at one to a few units wherever m and C are not both small.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Float, Int8

from jaxattn import plots, theory
from jaxattn.core.contracts import Status
from jaxattn.core.precision import needs_x64
from jaxattn.experiments.labels import labelled, spec_json
from jaxattn.experiments.phase.figures import focus_time_maps, lead_time_maps, leader_maps
from jaxattn.experiments.phase.findings import findings, numbers
from jaxattn.experiments.phase.maps import PARADIGMS, Turn, focus_times, states, turn_of
from jaxattn.reports.experiment import Experiment, Listeners, Tally
from jaxattn.results.dataset import SCHEMA_VERSION, status_attributes
from jaxattn.theory.last_crossing import last_pass

__all__ = ["AMONG", "PAIRS", "PHASE", "Phase", "dataset_of", "leaders", "run"]

AMONG = {"three": ("soft", "hard", "lvml"), "all": PARADIGMS}
"""Who takes part: the three that do not change, or the hybrid too."""

PAIRS = (("hard", "soft"), ("hard", "lvml"), ("hybrid", "lvml"))
"""Who takes the lead from whom, in the score gap nu and so in the attention."""

TIE = 1e-9
"""A lead below this share of what is compared is none: the closed forms are right to 2e-14 max(1,
kappa), and kappa is largest, some 1e5 in the largest sizes, just where the focus takes off."""

_LOOKS = 48
"""Times of one look for the moment at which a paradigm takes the lead."""
_LOOKED = (0.1, 100.0)
"""The times between which it is looked for, in m C. At the last, hard attention and LVML have long
since settled into the order of their late laws."""

_PLANE = "segments classes"

Map = Float[np.ndarray, "..."]


@dataclass(frozen=True)
class Phase:
    """One size of the experiment; the defaults are the largest.

    Sizes are spread evenly in their logarithm and not rounded to whole numbers: the equations hold
    for every m and C of at least 2, and a map of them needs equal steps.
    """

    points: int = 128
    low: float = 2.0
    high: float = 1e6
    thresholds: tuple[float, ...] = (0.5, 0.9, 0.99)
    horizons: tuple[float, ...] = (1.0, 1.5, 3.0)
    switch: float = 1.0

    @property
    def sizes(self) -> Float[np.ndarray, " size"]:
        """The values of m, and of C."""
        return np.geomspace(self.low, self.high, self.points)


class Found(NamedTuple):
    """What is known of one paradigm, NumPy arrays with the axes ``[segments, classes]`` last."""

    nu: Map
    attention: Map
    time_to_focus: Map
    status: np.ndarray


def find(paradigm: str, config: Phase, turn: Turn) -> Found:
    """One paradigm over the whole map."""
    sizes, plane = config.sizes, (config.points, config.points)
    # As many times as a look has, so that both are one program.
    times = np.geomspace(*_LOOKED, _LOOKS - len(config.horizons))
    times = np.sort(np.concatenate([times, config.horizons]))
    nu = states(paradigm, np.broadcast_to(times, (*plane, _LOOKS)), sizes, turn).nu
    nu = np.moveaxis(nu[:, :, np.searchsorted(times, config.horizons)], -1, 0)
    focus = np.moveaxis(focus_times(paradigm, config.thresholds, sizes, turn), -1, 0)
    good = np.isfinite(nu).all(axis=0) & np.isfinite(focus).all(axis=0)
    return Found(
        nu,
        np.asarray(theory.attention(nu, np.broadcast_to(sizes[:, None], nu.shape))),
        focus,
        np.where(good, int(Status.DONE), int(Status.SOLVER_FAILED)).astype(np.int8),
    )


def leaders(values: Map, largest: bool) -> Int8[np.ndarray, "..."]:
    """Who has the largest (or smallest) value: ``[paradigm, ...] -> [...]``, -1 where it is a tie.

    NaN takes no part.
    """
    order = np.where(np.isnan(values), -np.inf, values if largest else -values)
    best = np.argmax(order, axis=0)
    first, second = np.sort(order, axis=0)[::-1][:2]
    alone = np.isneginf(second)
    behind = np.where(alone, 0.0, second)
    ahead = alone | (first > behind + TIE * np.abs(behind))
    return np.where(ahead & np.isfinite(first), best, -1).astype(np.int8)


def check(config: Phase) -> None:
    """Refuse to solve in float32.

    Raises:
        InputError: JAX runs with x64 off.
    """
    del config
    needs_x64("the phase diagram")


def run(config: Phase, to: Listeners) -> xr.Dataset:
    """Every paradigm over the map, and who takes the lead when; heard of after each.

    Raises:
        InputError: JAX runs with x64 off.
    """
    check(config)
    solved: dict[str, Found] = {}
    cells = config.points**2
    tally = Tally(to, "theory", cells * len(PARADIGMS))
    with to.watch.running("maps, compilation included"):
        with to.watch.compiling("soft"):
            turn = turn_of(config.switch, config.sizes, _LOOKS)
        for name in PARADIGMS:
            with to.watch.compiling(name):
                solved[name] = find(name, config, turn)
            to.keep(dataset_of(config, solved, {}))
            tally.add(name, solved[name].status)

    def curve(name: str) -> Callable[[np.ndarray], np.ndarray]:
        shape = (config.points, config.points, _LOOKS)

        def at(times: np.ndarray) -> np.ndarray:
            return states(name, times.reshape(shape), config.sizes, turn).nu.reshape(times.shape)

        return at

    looks = np.tile(np.geomspace(*_LOOKED, _LOOKS), (cells, 1))
    passes = {}
    with to.watch.running("who leads when"):
        for ahead, behind in PAIRS:
            at = last_pass(curve(ahead), curve(behind), looks)
            passes[ahead, behind] = at.reshape(config.points, config.points)
    return dataset_of(config, solved, passes)


def dataset_of(
    config: Phase, solved: Mapping[str, Found], passes: Mapping[tuple[str, str], Map]
) -> xr.Dataset:
    """The paradigms found so far as one Dataset; once all are, with who leads where.

    Args:
        config: the size.
        solved: by paradigm.
        passes: by pair, when the first one takes the lead from the second for the last time.
    """
    names = list(solved)

    def of_all(name: str) -> np.ndarray:
        return np.stack([getattr(found, name) for found in solved.values()])

    at_horizon, at_threshold = (f"paradigm {axis} {_PLANE}" for axis in ("horizon", "threshold"))
    variables = {
        "nu": labelled(at_horizon, of_all("nu"), "1", "score gap of the foreground"),
        "attention": labelled(at_horizon, of_all("attention"), "1", "attention on the foreground"),
        "time_to_focus": labelled(
            at_threshold,
            of_all("time_to_focus"),
            "m C",
            "time at which the attention is the threshold",
        ),
        "status": (("paradigm", *_PLANE.split()), of_all("status"), status_attributes()),
    }
    coords = {
        "paradigm": names,
        "horizon": labelled("horizon", config.horizons, "m C", "horizon"),
        "threshold": ("threshold", list(config.thresholds), {"units": "1"}),
        "segments": labelled("segments", config.sizes, "1", "segments m"),
        "classes": labelled("classes", config.sizes, "1", "classes C"),
        "switch_time": labelled("", config.switch, "m C", "hybrid's switch"),
    }
    spec = spec_json(
        "phase",
        config,
        task="orthogonal-population",
        paradigms=names,
        tie=TIE,
        precision="float64",
    )
    ds = xr.Dataset(variables, coords, {"schema_version": SCHEMA_VERSION, "spec": spec})
    if set(names) == set(PARADIGMS):
        ds = ds.assign(_who_leads(ds)).assign_coords(among=list(AMONG))
    if passes:
        words = "time at which the first takes the lead in nu"
        ds["takes_lead"] = labelled(f"pair {_PLANE}", list(passes.values()), "m C", words)
        ds = ds.assign_coords(pair=[" over ".join(pair) for pair in passes])
    return ds


def _who_leads(ds: xr.Dataset) -> dict[str, Any]:
    switch = ds["switch_time"]
    variables: dict[str, Any] = {}
    # Up to its switch the hybrid is soft attention, and soft attention should have the honour.
    own = (ds["paradigm"] != "hybrid") | (ds["horizon"] > switch)
    own_time = (ds["paradigm"] != "hybrid") | (ds["time_to_focus"] > switch)
    for name, values, largest in (
        ("largest_attention", ds["nu"].where(own), True),
        ("first_to_focus", ds["time_to_focus"].where(own_time), False),
    ):
        codes = [leaders(values.sel(paradigm=list(who)).values, largest) for who in AMONG.values()]
        words = {
            "long_name": f"{name.replace('_', ' ')}, by place in paradigm",
            "flag_values": np.arange(-1, len(PARADIGMS), dtype=np.int8),
            "flag_meanings": " ".join(["tie", *PARADIGMS]),
        }
        variables[name] = (("among", *values.dims[1:]), np.stack(codes), words)
    return variables


def drawings(ds: xr.Dataset) -> list[plots.Drawing]:
    """Who leads where, when the lead changes hands, and how soon each paradigm focuses.

    An interrupted run gives what it got to.
    """
    plane = (
        "Segments upward, classes to the right, both logarithmic; times in units of m C. "
        "Closed forms of the solvable setting from zero."
    )
    hybrid = f"The hybrid goes over from soft to hard at {float(ds['switch_time']):g} m C."
    every = [
        plots.Drawing(
            "leaders",
            "Who has the largest attention",
            f"The paradigm with the largest attention on the foreground at the horizon above each "
            f"map; in the upper row among three, in the lower with the hybrid. {hybrid} {plane}",
            partial(leader_maps, ds, "horizon"),
        ),
        plots.Drawing(
            "first_to_focus",
            "Who is first to focus",
            f"The paradigm whose attention on the foreground is the first to reach the threshold "
            f"above each map; grey: all are there from the start. {hybrid} {plane}",
            partial(leader_maps, ds, "threshold"),
        ),
        plots.Drawing(
            "lead_times",
            "When the lead changes hands",
            f"The last time at which one paradigm's attention passes the other's. Colours and "
            f"contours: time; grey: it never does. {hybrid} {plane}",
            partial(lead_time_maps, ds),
        ),
    ]
    every += [
        plots.Drawing(
            f"time_to_focus_{threshold:g}",
            f"Time to an attention of {threshold:g}",
            f"How long each paradigm takes to an attention of {threshold:g} on the foreground; "
            f"one scale of colours for all, with contours. {hybrid} {plane}",
            partial(focus_time_maps, ds, threshold),
        )
        for threshold in map(float, ds["threshold"].values)
    ]
    needs = {
        "leaders": "largest_attention",
        "first_to_focus": "first_to_focus",
        "lead_times": "takes_lead",
    }
    return [drawing for drawing in every if needs.get(drawing.name, "time_to_focus") in ds]


PHASE = Experiment(
    name="phase",
    summary="over segments and classes, how soon each paradigm focuses and which one leads when",
    scales={"smoke": Phase(points=16), "small": Phase(points=48), "paper": Phase()},
    run=run,
    figures=drawings,
    numbers=numbers,
    findings=findings,
    check=check,
)
