"""Departures: how far learning goes from the reduced system where its assumptions stop holding.

Each row is the gradient flow of all parameters of the linear pair, from zero, at one size of one
departure: unequal class frequencies, correlated foregrounds, isotropic noise on the background, a
finite sample of the published task. It is held against (mu, nu) of the solvable setting at the same
times, class by class, and against the paths of `jaxattn.reduced.planar` where there are any.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from itertools import groupby
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float

from jaxattn import plots
from jaxattn.core.contracts import (
    Data,
    Example,
    Hyper,
    MeasureSpec,
    Params,
    Problem,
    Splits,
    Trajectory,
)
from jaxattn.core.precision import needs_x64
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
from jaxattn.experiments.labels import labelled, spec_json
from jaxattn.flow import make_flow
from jaxattn.models import linear
from jaxattn.problems.attention_problem import attention_problem
from jaxattn.reduced.planar import solve_planar
from jaxattn.reports.experiment import Experiment, Listeners, Tally
from jaxattn.results.dataset import ABSENT, assemble, block
from jaxattn.tasks import orthogonal
from jaxattn.training.optimisers import as_optimiser

__all__ = ["DEPARTURES_EXPERIMENT", "PARADIGMS", "dataset_of", "flows", "problem_of", "run"]

PARADIGMS = ("soft", "hard", "lvml", "hybrid")

RTOL, ATOL = 1e-9, 1e-11
"""The error that these leave in nu is a thousandth of the smallest departure, or less."""

MEASURES = (
    MeasureSpec("mu", ("class",), long_name="logit gap of the right class, foreground read alone"),
    MeasureSpec("nu", ("class",), long_name="score gap between foreground and background"),
    MeasureSpec("attention", ("class",), long_name="attention on the foreground of a silent bag"),
)
_NAMES = tuple(spec.name for spec in MEASURES)
_PARTS = ("bags", "silent")


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
    rate = config.end / STEPS
    values = {"learning_rate": rate, "switch_time": config.switch_time, "temperature": 1.0}
    hyper = {name: jnp.asarray(value, jnp.float64) for name, value in values.items()}
    start = problem.init(keys.init, hyper)

    def of_one(bags: Example, silent: Example) -> Trajectory:
        return flow(start, hyper, Splits(Data(bags), {"train": Data(silent)}), keys)

    return jax.jit(jax.vmap(of_one))


def flows(config: Departures, paradigm: str, rows: Iterable[Row], tally: Tally) -> Trajectory:
    """All rows of one paradigm, ``[departure, size, seed]``; NaN and absent where there is none.

    Args:
        config: the sizes.
        paradigm: one of `PARADIGMS`.
        rows: of `config`.
        tally: of the rows of all paradigms.
    """
    program, watch = _program(config, paradigm), tally.to.watch
    names, places = list(DEPARTURES), []
    solved: list[Trajectory] = []
    for _, group in groupby(rows, key=lambda row: len(row.bags.weight)):
        same = list(group)
        for first in range(0, len(same), config.tile):
            tile = same[first : first + config.tile]
            whole = [*tile, *[tile[-1]] * (config.tile - len(tile))]
            bags, silent = (_stacked([getattr(row, part) for row in whole]) for part in _PARTS)
            with watch.compiling(paradigm):
                begun = program(bags, silent)
            with watch.running(paradigm):
                out = jax.device_get(begun)
            solved += [jax.tree.map(lambda leaf, at=at: leaf[at], out) for at in range(len(tile))]
            places += [(names.index(row.departure), row.size, row.seed) for row in tile]
            tally.add(paradigm, out.status[: len(tile)])
    return _placed(solved, places)


def _stacked(trees: Sequence[Any]) -> Any:
    return jax.tree.map(lambda *leaves: np.stack(leaves), *trees)


def _placed(solved: list[Trajectory], places: list[tuple[int, int, int]]) -> Trajectory:
    """Every trajectory at its place; NaN, or `ABSENT`, at the others."""
    at = tuple(np.transpose(places))
    shape = tuple(np.max(places, axis=0) + 1)

    def place(rows: np.ndarray) -> np.ndarray:
        whole = rows.dtype.kind in "iu"
        filled = np.full((*shape, *rows.shape[1:]), ABSENT if whole else np.nan, rows.dtype)
        filled[at] = rows
        return filled

    return jax.tree.map(place, _stacked(solved))


def planar_paths(config: Departures, paradigm: str) -> dict[str, np.ndarray]:
    """Paths of two numbers, ``[departure, size, save]``, and ``reduced_... [save]``.

    Exact for equally correlated foregrounds, to order sigma^2 for noise, NaN for the others.
    """
    times, amounts = _times(config), config.amounts
    pairs = [(0.0, 0.0)]
    pairs += [(rho, 0.0) for rho in amounts["equal"]] + [(0.0, s**2) for s in amounts["noise"]]

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

    path = jax.tree.map(np.asarray, jax.vmap(solve)(jnp.asarray(pairs)))
    most = max(map(len, amounts.values()))
    paths: dict[str, np.ndarray] = {}
    for name in _NAMES:
        rows = np.full((len(DEPARTURES), most, len(times)), np.nan)
        values = getattr(path, name)
        for place, departure in enumerate(DEPARTURES):
            count = len(amounts[departure])
            start = {"equal": 1, "noise": 1 + len(amounts["equal"])}.get(departure)
            if start is not None:
                rows[place, :count] = values[start : start + count]
        paths |= {f"planar_{name}": rows, f"reduced_{name}": values[0]}
    return paths


def _times(config: Departures) -> Float[np.ndarray, " save"]:
    return config.end / STEPS * np.asarray(config.saves)


def check(config: Departures) -> None:
    """Refuse to solve in float32.

    Raises:
        InputError: JAX runs with x64 off.
    """
    del config
    needs_x64("departures")


def run(config: Departures, to: Listeners) -> xr.Dataset:
    """Solve every row under every paradigm; the result so far is heard of after each.

    Raises:
        InputError: JAX runs with x64 off.
    """
    check(config)
    rows = list(rows_of(config))
    solved: dict[str, tuple[Trajectory, dict[str, np.ndarray]]] = {}
    tally = Tally(to, "flow", len(PARADIGMS) * len(rows))
    for paradigm in PARADIGMS:
        with to.watch.running("planar"):
            beside = planar_paths(config, paradigm)
        solved[paradigm] = flows(config, paradigm, rows, tally), beside
        ds = dataset_of(config, solved)
        to.keep(ds)
    return ds


def dataset_of(
    config: Departures, solved: Mapping[str, tuple[Trajectory, Mapping[str, np.ndarray]]]
) -> xr.Dataset:
    """The paradigms solved so far as one Dataset.

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
        for name, (flow, _) in solved.items()
    }
    spec = spec_json("departures", config, paradigms=list(solved))
    ds = assemble(blocks, axes, {"spec": spec})
    ds = ds[["status", *_NAMES]].sel(split="train", drop=True).squeeze("dynamics", drop=True)
    for kind, dims in (("reduced", "save"), ("planar", "departure size save")):
        for name in _NAMES:
            values = [beside[f"{kind}_{name}"] for _, beside in solved.values()]
            words = f"{name} of the {kind} system"
            ds[f"{kind}_{name}"] = labelled(f"paradigm {dims}", values, "1", words)
    padded = [[*sizes, *[np.nan] * (most - len(sizes))] for sizes in amounts.values()]
    shares = [frequencies_at(amount, config.classes) for amount in amounts["frequency"]]
    shares += [np.full(config.classes, np.nan)] * (most - len(shares))
    words = "class frequency where frequencies are unequal"
    ds["frequency"] = labelled("size class", shares, "1", words)
    drawn = np.full((most, ds.sizes["seed"]), np.nan)
    drawn[: len(config.bags), : config.seeds] = imbalances_of(config)
    words = "imbalance of class counts of a sample"
    ds["imbalance"] = labelled("size seed", drawn, "1", words)
    return ds.assign_coords(
        amount=(("departure", "size"), padded, {"long_name": "size of the departure"}),
        time=labelled("save", _times(config), "time", "time"),
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
    check=check,
)
