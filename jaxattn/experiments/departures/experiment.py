"""Departures: how far learning goes from the reduced system where its assumptions stop holding.

Each row is the gradient flow of all parameters of the linear pair, from zero, at one size of one
departure: unequal class frequencies, correlated foregrounds, isotropic noise on the background, a
finite sample of the published task. It is held against (mu, nu) of the solvable setting at the same
times, class by class, and against the paths of `jaxattn.reduced.planar` where there are any.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from functools import lru_cache, partial
from itertools import groupby
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array

from jaxattn import plots
from jaxattn.core.canonical_json import canonical_json
from jaxattn.core.contracts import (
    Data,
    Example,
    Hyper,
    MeasureSpec,
    Params,
    Problem,
    Splits,
    Status,
    Trajectory,
)
from jaxattn.core.streams import streams
from jaxattn.experiments.departures.figures import departing_classes, departures
from jaxattn.experiments.departures.findings import findings, numbers
from jaxattn.experiments.departures.rows import (
    DEPARTURES,
    STEPS,
    Departures,
    Row,
    frequencies_at,
    imbalances_of,
    rows_of,
)
from jaxattn.flow import make_flow
from jaxattn.models import linear
from jaxattn.problems.attention_problem import attention_problem
from jaxattn.reduced.planar import solve_planar
from jaxattn.reports.experiment import Experiment, Listeners
from jaxattn.results.dataset import ABSENT, assemble, block
from jaxattn.run.compare import Progress
from jaxattn.tasks import orthogonal
from jaxattn.training.optimisers import as_optimiser

__all__ = ["DEPARTURES_EXPERIMENT", "PARADIGMS", "flows", "labelled", "problem_of", "run"]

PARADIGMS = ("soft", "hard", "lvml", "hybrid")

RTOL, ATOL = 1e-9, 1e-11
"""The error that these leave in nu is a thousandth of the smallest departure, or less."""

MEASURES = (
    MeasureSpec("mu", ("class",), long_name="logit gap of the right class, foreground read alone"),
    MeasureSpec("nu", ("class",), long_name="score gap between foreground and background"),
    MeasureSpec("attention", ("class",), long_name="attention on the foreground of a silent bag"),
)
_NAMES = tuple(spec.name for spec in MEASURES)


@lru_cache(maxsize=32)
def problem_of(classes: int, segments: int, paradigm: str) -> Problem:
    """The linear pair from zero; it measures mu, nu and alpha of each example on its own."""
    model = linear(classes)
    shapes = orthogonal(classes, segments, 1, 1, 1, validation=0)
    problem = attention_problem(shapes, model, paradigm, precision="float64")

    def of_one(params: Params, example: Example) -> dict[str, Array]:
        values = model.represent(params, example, None)
        scores = model.score(params, example, values)
        logits = model.classify(params, jax.tree.map(lambda leaf: leaf[0], values))
        right = logits[example.label]
        return {
            "mu": right - (jnp.sum(logits) - right) / (classes - 1),
            "nu": scores[0] - jnp.mean(scores[1:]),
            "attention": jax.nn.softmax(scores)[0],
        }

    def measure(params: Params, batch: Example, hyper: Hyper) -> dict[str, Array]:
        del hyper
        return jax.vmap(partial(of_one, params))(batch)

    labels = tuple(replace(spec, coords=(tuple(range(classes)),)) for spec in MEASURES)
    return problem._replace(measure=measure, measures=labels)


@lru_cache(maxsize=32)
def _program(config: Departures, paradigm: str) -> Any:
    """``(bags, silent) -> Trajectory``, each with a row axis in front."""
    problem, keys = problem_of(config.classes, config.segments, paradigm), streams(0)
    flow = make_flow(problem, as_optimiser("sgd"), config.saves, rtol=RTOL, atol=ATOL)
    given = {
        "learning_rate": config.end / STEPS,
        "switch_time": config.switch_time,
        "temperature": 1.0,
    }
    hyper = {name: jnp.asarray(value, jnp.float64) for name, value in given.items()}
    start = problem.init(keys.init, hyper)

    def of_one(bags: Example, silent: Example) -> Trajectory:
        return flow(start, hyper, Splits(Data(bags), {"train": Data(silent)}), keys)

    return jax.jit(jax.vmap(of_one))


def flows(
    config: Departures, paradigm: str, rows: Iterable[Row], done: int, total: int, to: Listeners
) -> Trajectory:
    """All rows of one paradigm, ``[departure, size, seed]``; NaN and absent where there is none.

    Args:
        config: the sizes.
        paradigm: one of `PARADIGMS`.
        rows: of `config`.
        done: rows of other paradigms that are done before these.
        total: of all paradigms.
        to: who hears of it.
    """
    program, places, names = _program(config, paradigm), [], list(DEPARTURES)
    found: list[Trajectory] = []
    failed = 0
    for _, group in groupby(rows, key=lambda row: len(row.bags.weight)):
        same = list(group)
        for first in range(0, len(same), config.tile):
            tile = same[first : first + config.tile]
            whole = [*tile, *[tile[-1]] * (config.tile - len(tile))]
            bags, silent = (
                jax.tree.map(
                    lambda *leaves: np.stack(leaves), *(getattr(row, part) for row in whole)
                )
                for part in ("bags", "silent")
            )
            with to.watch.compiling(paradigm):
                begun = program(bags, silent)
            with to.watch.running(paradigm):
                out = jax.device_get(begun)
            found += [jax.tree.map(lambda leaf, at=at: leaf[at], out) for at in range(len(tile))]
            places += [(names.index(row.departure), row.size, row.seed) for row in tile]
            failed += int(np.sum(out.status[: len(tile)] != Status.DONE))
            done += len(tile)
            to.on_progress(Progress(paradigm, "flow", done, total, failed))
    return _placed(found, places)


def _placed(found: list[Trajectory], places: list[tuple[int, int, int]]) -> Trajectory:
    at = tuple(np.transpose(places))
    shape = tuple(np.max(places, axis=0) + 1)

    def place(*leaves: np.ndarray) -> np.ndarray:
        rows = np.stack(leaves)
        whole = rows.dtype.kind in "iu"
        filled = np.full((*shape, *rows.shape[1:]), ABSENT if whole else np.nan, rows.dtype)
        filled[at] = rows
        return filled

    return jax.tree.map(place, *found)


def planar_paths(config: Departures, paradigm: str) -> dict[str, np.ndarray]:
    """Paths of two numbers, ``[departure, size, save]``, and ``reduced_... [save]``.

    Exact for equally correlated foregrounds, to order sigma^2 for noise, NaN for the others.
    """
    rates, amounts = config.end / STEPS, config.amounts
    times = rates * np.asarray(config.saves)
    solved = [(0.0, 0.0)]
    solved += [(rho, 0.0) for rho in amounts["equal"]] + [(0.0, s**2) for s in amounts["noise"]]

    def solve(pair: Array) -> Any:
        return solve_planar(
            paradigm,
            times,
            segments=config.segments,
            classes=config.classes,
            correlation=pair[0],
            variance=pair[1],
            switch_time=config.switch_time,
        )

    path = jax.tree.map(np.asarray, jax.vmap(solve)(jnp.asarray(solved)))
    most = max(map(len, amounts.values()))
    found: dict[str, np.ndarray] = {}
    for name in _NAMES:
        rows = np.full((len(DEPARTURES), most, len(times)), np.nan)
        values = getattr(path, name)
        for place, departure in enumerate(DEPARTURES):
            count = len(amounts[departure])
            start = {"equal": 1, "noise": 1 + len(amounts["equal"])}.get(departure)
            if start is not None:
                rows[place, :count] = values[start : start + count]
        found |= {f"planar_{name}": rows, f"reduced_{name}": values[0]}
    return found


def run(config: Departures, to: Listeners) -> xr.Dataset:
    """Solve every row under every paradigm; the result so far is heard of after each."""
    rows = list(rows_of(config))
    found: dict[str, tuple[Trajectory, dict[str, np.ndarray]]] = {}
    for place, paradigm in enumerate(PARADIGMS):
        total = len(PARADIGMS) * len(rows)
        with to.watch.running("planar"):
            beside = planar_paths(config, paradigm)
        solved = flows(config, paradigm, rows, place * len(rows), total, to)
        found[paradigm] = solved, beside
        ds = labelled(config, found)
        to.keep(ds)
    return ds


def labelled(
    config: Departures, found: Mapping[str, tuple[Trajectory, Mapping[str, np.ndarray]]]
) -> xr.Dataset:
    """The paradigms found so far as one Dataset.

    Returns:
        ``mu``, ``nu`` and ``attention`` with dims paradigm, departure, size, seed, save and class;
        ``reduced_...`` with paradigm and save; ``planar_...`` with paradigm, departure, size, save.
    """
    amounts = config.amounts
    most = max(map(len, amounts.values()))
    axes = {
        "departure": list(DEPARTURES),
        "size": range(most),
        "seed": range(max(config.scrambles, config.seeds)),
    }
    measures = problem_of(config.classes, config.segments, "soft").measures
    labels = [spec.over_splits(("train",)) for spec in measures]
    blocks = {
        (name, "flow"): block(flow, axes, labels, ("classify", "focus"))
        for name, (flow, _) in found.items()
    }
    spec = {**asdict(config), "experiment": "departures", "paradigms": list(found)}
    ds = assemble(blocks, axes, {"spec": canonical_json(spec)})
    ds = ds[["status", *_NAMES]].sel(split="train", drop=True).squeeze("process", drop=True)
    for kind, dims in (("reduced", ("save",)), ("planar", ("departure", "size", "save"))):
        for measure in MEASURES:
            name = f"{kind}_{measure.name}"
            values = np.stack([beside[name] for _, beside in found.values()])
            words = {"units": "1", "long_name": f"{measure.name} of the {kind} system"}
            ds[name] = (("paradigm", *dims), values, words)
    padded = [[*sizes, *[np.nan] * (most - len(sizes))] for sizes in amounts.values()]
    shares = [frequencies_at(amount, config.classes) for amount in amounts["frequency"]]
    shares += [np.full(config.classes, np.nan)] * (most - len(shares))
    ds["frequency"] = (
        ("size", "class"),
        np.stack(shares),
        {"units": "1", "long_name": "class frequency where frequencies are unequal"},
    )
    drawn = np.full((most, ds.sizes["seed"]), np.nan)
    drawn[: len(config.bags), : config.seeds] = imbalances_of(config)
    words = {"units": "1", "long_name": "imbalance of class counts of a sample"}
    ds["imbalance"] = (("size", "seed"), drawn, words)
    time = config.end / STEPS * np.asarray(config.saves)
    return ds.assign_coords(
        amount=(("departure", "size"), padded, {"long_name": "size of the departure"}),
        time=("save", time, {"units": "time", "long_name": "time"}),
    )


def drawings(ds: xr.Dataset) -> list[plots.Drawing]:
    """How far by size, in nu and in the attention, and the classes in time where most unequal."""
    far = (
        "Distance from the reduced system in {what}, largest over time, against the size of five "
        "departures, both logarithmic. Filled: root mean square over classes; hollow: the distance "
        "of the classes' average, where it is another. A colour and a marker for each paradigm, "
        "with the fitted slopes in each panel. Dotted: the exact path for classes that are all "
        "correlated alike, the path to order sigma^2 for noise, and for samples what their unequal "
        "class counts alone do to first order."
    )
    paths = (
        "The score gap nu of each class against time where class frequencies are most unequal, a "
        "panel for each paradigm; the darker the line the more frequent the class. Dashed: the "
        "reduced system, in which all are equally frequent."
    )
    return [
        plots.Drawing(
            "departures",
            "How far from the reduced system",
            far.format(what="the score gap nu"),
            partial(departures, ds),
        ),
        plots.Drawing(
            "departures_attention",
            "How far from the reduced system: attention",
            far.format(what="the attention alpha on the foreground"),
            partial(departures, ds, "attention"),
        ),
        plots.Drawing(
            "departing_classes",
            "Classes of unequal frequency",
            paths,
            partial(departing_classes, ds),
        ),
    ]


DEPARTURES_EXPERIMENT = Experiment(
    name="departures",
    summary="how far learning goes from the reduced system where its assumptions stop holding",
    scales={
        "smoke": Departures(
            classes=3,
            segments=4,
            imbalances=(0.01, 0.1, 0.5),
            correlations=(0.01, 0.1, 0.5),
            noises=(0.05, 0.1, 0.2),
            bags=(16, 64, 256),
            points=32,
            scrambles=3,
            seeds=6,
            least=256,
            tile=36,
        ),
        "small": Departures(),
        "paper": Departures(classes=20, segments=20, bags=(320, 1280, 5120), seeds=64),
    },
    run=run,
    figures=drawings,
    numbers=numbers,
    findings=findings,
)
