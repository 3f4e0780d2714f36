"""Phase diagram: over segments and classes, how soon each paradigm focuses, and which one leads.

The solvable setting from zero, by closed forms alone: no differential equation is solved. Times
are in units of ``m C``, the natural one: while mu is small it grows as ``t / (m C)`` under every
paradigm, and the focus follows at one to a few units wherever m and C are not both small.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Float, Int8

from jaxattn import plots, theory
from jaxattn.core.canonical_json import canonical_json
from jaxattn.core.contracts import Status
from jaxattn.core.precision import needs_x64
from jaxattn.experiments.phase.figures import focus_time_maps, lead_time_maps, leader_maps
from jaxattn.experiments.phase.findings import findings, numbers
from jaxattn.experiments.phase.maps import PARADIGMS, Turn, focus_times, states, turn_of
from jaxattn.reports.experiment import Experiment, Listeners
from jaxattn.results.dataset import SCHEMA_VERSION, status_attributes
from jaxattn.run.compare import Progress
from jaxattn.theory.last_crossing import last_pass

__all__ = ["AMONG", "PAIRS", "PHASE", "Phase", "labelled", "leaders", "run"]

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
"""When it is looked for, in m C. Hard attention and LVML have long since settled into the order of
their late laws."""

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
        """Of m and of C."""
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


def run(config: Phase, to: Listeners) -> xr.Dataset:
    """Every paradigm over the map, and who takes the lead when; heard of after each.

    Raises:
        InputError: JAX runs with x64 off.
    """
    needs_x64("the phase diagram")
    found: dict[str, Found] = {}
    cells = config.points**2
    with to.watch.running("maps, compilation included"):
        with to.watch.compiling("soft"):
            turn = turn_of(config.switch, config.sizes, _LOOKS)
        for name in PARADIGMS:
            with to.watch.compiling(name):
                found[name] = find(name, config, turn)
            to.keep(labelled(config, found, {}))
            failed = sum(int(np.sum(one.status != Status.DONE)) for one in found.values())
            to.on_progress(
                Progress(name, "theory", cells * len(found), cells * len(PARADIGMS), failed)
            )

    def curve(name: str) -> Callable[[np.ndarray], np.ndarray]:
        shape = (config.points, config.points, _LOOKS)

        def at(times: np.ndarray) -> np.ndarray:
            return states(name, times.reshape(shape), config.sizes, turn).nu.reshape(times.shape)

        return at

    looks = np.tile(np.geomspace(*_LOOKED, _LOOKS), (cells, 1))
    passes = {}
    with to.watch.running("who leads when"):
        for one, other in PAIRS:
            at = last_pass(curve(one), curve(other), looks)
            passes[one, other] = at.reshape(config.points, config.points)
    return labelled(config, found, passes)


def labelled(
    config: Phase, found: Mapping[str, Found], passes: Mapping[tuple[str, str], Map]
) -> xr.Dataset:
    """The paradigms found so far as one Dataset; once all are, with who leads where.

    Args:
        config: the size.
        found: by paradigm.
        passes: by pair, when the first one takes the lead from the second for the last time.
    """
    names, plane = list(found), ("segments", "classes")
    ds = xr.Dataset(
        {
            "nu": (
                ("paradigm", "horizon", *plane),
                np.stack([one.nu for one in found.values()]),
                {"units": "1", "long_name": "score gap of the foreground"},
            ),
            "attention": (
                ("paradigm", "horizon", *plane),
                np.stack([one.attention for one in found.values()]),
                {"units": "1", "long_name": "attention on the foreground"},
            ),
            "time_to_focus": (
                ("paradigm", "threshold", *plane),
                np.stack([one.time_to_focus for one in found.values()]),
                {"units": "m C", "long_name": "time at which the attention is the threshold"},
            ),
            "status": (
                ("paradigm", *plane),
                np.stack([one.status for one in found.values()]),
                status_attributes(),
            ),
        },
        {
            "paradigm": names,
            "horizon": ("horizon", list(config.horizons), {"units": "m C", "long_name": "horizon"}),
            "threshold": ("threshold", list(config.thresholds), {"units": "1"}),
            "segments": ("segments", config.sizes, {"units": "1", "long_name": "segments m"}),
            "classes": ("classes", config.sizes, {"units": "1", "long_name": "classes C"}),
            "switch_time": ((), config.switch, {"units": "m C", "long_name": "hybrid's switch"}),
        },
        {"schema_version": SCHEMA_VERSION, "spec": canonical_json(_spec(config, names))},
    )
    if set(names) == set(PARADIGMS):
        ds = ds.assign(_who_leads(ds)).assign_coords(among=list(AMONG))
    if passes:
        words = {"units": "m C", "long_name": "time at which the first takes the lead in nu"}
        ds["takes_lead"] = (("pair", *plane), np.stack(list(passes.values())), words)
        ds = ds.assign_coords(pair=[f"{one} over {other}" for one, other in passes])
    return ds


def _who_leads(ds: xr.Dataset) -> dict[str, Any]:
    made, switch = {}, ds["switch_time"]
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
        made[name] = (("among", *values.dims[1:]), np.stack(codes), words)
    return made


def _spec(config: Phase, paradigms: list[str]) -> dict[str, Any]:
    return {
        **asdict(config),
        "experiment": "phase",
        "task": "orthogonal-population",
        "paradigms": paradigms,
        "tie": TIE,
        "precision": "float64",
    }


def drawings(ds: xr.Dataset) -> list[plots.Drawing]:
    """Who leads where, when the lead changes hands, and how soon each paradigm focuses.

    Of a run that was interrupted, what it got to.
    """
    plane = (
        "Segments upward, classes to the right, both logarithmic; times in units of m C. "
        "Closed forms of the solvable setting from zero."
    )
    hybrid = f"The hybrid goes over from soft to hard at {float(ds['switch_time']):g} m C."
    leading = [
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
    ]
    changing = [
        plots.Drawing(
            "lead_times",
            "When the lead changes hands",
            f"The last time at which one paradigm's attention passes the other's. Colours and "
            f"contours: time; grey: it never does. {hybrid} {plane}",
            partial(lead_time_maps, ds),
        ),
    ]
    times = [
        plots.Drawing(
            f"time_to_focus_{threshold:g}",
            f"Time to an attention of {threshold:g}",
            f"How long each paradigm takes to an attention of {threshold:g} on the foreground; "
            f"one scale of colours for all, with contours. {hybrid} {plane}",
            partial(focus_time_maps, ds, threshold),
        )
        for threshold in map(float, ds["threshold"].values)
    ]
    return [
        *(leading if "largest_attention" in ds else []),
        *(changing if "takes_lead" in ds else []),
        *times,
    ]


PHASE = Experiment(
    name="phase",
    summary="over segments and classes, how soon each paradigm focuses and which one leads when",
    scales={"smoke": Phase(points=16), "small": Phase(points=48), "paper": Phase()},
    run=run,
    figures=drawings,
    numbers=numbers,
    findings=findings,
)
