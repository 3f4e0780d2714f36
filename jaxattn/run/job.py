"""The jobs of a comparison: which rows each paradigm runs under each process, and on what data."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from jaxattn.core.contracts import Hyper, InputError, Params, Problem, Splits, Trajectory
from jaxattn.core.precision import needs_x64, x64_is_on
from jaxattn.flow import make_flow
from jaxattn.probes.curvature import sharpness
from jaxattn.probes.position import position
from jaxattn.probes.probe import Probe
from jaxattn.probes.record import Keep, part_names
from jaxattn.problems.data import size
from jaxattn.reduced import PARADIGMS, solve_reduced
from jaxattn.run.tiles import Row, make_row, make_runner
from jaxattn.study.plan import Plan, make_plan
from jaxattn.study.settings import Settings
from jaxattn.training.saves import AtTimes, clocks, steps_of
from jaxattn.training.train import make_train

__all__ = [
    "FLOW_TILE",
    "Job",
    "clock_of",
    "hypers_of",
    "hypers_read",
    "learning_examples",
    "least",
    "make_job",
    "plan_jobs",
    "probes_of",
    "problem_of",
    "theory_blocks",
    "tiles_at_once",
    "times_of",
]

SWITCH_SHARE = 0.25
"""A hybrid switches after this share of its own run unless told, whatever other rows there are."""

ATOL = 1e-2
"""Absolute tolerance of a flow as a share of the relative one: parameters are of order 0.1 to 1."""

_LANCZOS = 16
"""Steps of Lanczos at every save, for the first eigenvalue; each costs two to three gradients."""

FLOW_TILE = 2
"""Rows of a flow solved together: they take the steps of the slowest (benchmarks/README.md)."""


@dataclass(frozen=True, eq=False)
class Job:
    """The rows of one paradigm under one process, and how to run a chunk of them."""

    paradigm: str
    process: str
    problem: Problem
    plan: Plan
    parts: tuple[str, ...]
    row: Row
    run: Callable[..., list[Trajectory]]


def plan_jobs(settings: Settings) -> list[Job]:
    """Training of every paradigm, then its flows where asked for; no compilation yet.

    Raises:
        InputError: float64 is needed and off, or what `make_job` refuses.
    """
    settings.refuse_decays()
    processes = settings.processes()
    if len(processes) > 1 or settings.precision == "float64":
        needs_x64("a flow" if len(processes) > 1 else "precision float64")
    return [_job(settings, name, process) for process in processes for name in settings.names()]


def _job(settings: Settings, paradigm: str, process: str) -> Job:
    problem = problem_of(settings, paradigm, process)
    read = hypers_read(settings, paradigm, process)
    axes = {name: values for name, values in settings.axes().items() if name in read}
    constants = {name: value for name, value in settings.constants().items() if name in read}
    if process == "flow" and _one_clock(settings):
        # Gradient flow itself knows no rate: one solution serves them all.
        constants["learning_rate"] = max(axes.pop("learning_rate"))
    seeds = settings.seeds
    if process == "flow" and not settings.against:
        seeds = seeds[: settings.flow_seeds]
    plan = make_plan(
        axes,
        seeds,
        constants,
        tile=_tile(settings, problem, process, len(seeds)),
        at_once=tiles_at_once(tuple(jax.local_devices())),
    )
    return make_job(settings, paradigm, process, plan)


def _tile(settings: Settings, problem: Problem, process: str, seeds: int) -> int:
    """Rows vmapped together: those of one learning rate, where rates differ in their steps."""
    most = problem.tile if process == "train" else FLOW_TILE
    if not settings.against:
        return most
    # A tile lasts as long as its slowest row, and seeds are next to each other.
    return max(tile for tile in range(1, most + 1) if seeds % tile == 0)


def _one_clock(settings: Settings) -> bool:
    """Whether all runs are measured at the same times, to rounding."""
    saves = settings.saves_of_runs()
    if not isinstance(saves, AtTimes):
        return False
    clock = clock_of(settings, settings.grid())
    # A clock adds up steps: each may round by half a unit in the last place.
    return bool(np.allclose(clock, saves.times, rtol=saves.most * np.finfo(float).eps, atol=0))


def problem_of(settings: Settings, paradigm: str, process: str) -> Problem:
    """What is learnt; flows in float64 always."""
    return settings.problem(paradigm, None if process == "train" else "float64")


def hypers_read(settings: Settings, paradigm: str, process: str) -> set[str]:
    """Names of the hyperparameters that some part of such a run reads."""
    problem, optimiser = problem_of(settings, paradigm, process), settings.made_optimiser()
    return {spec.name for spec in (*problem.hypers, *optimiser.hypers)}


def make_job(
    settings: Settings,
    paradigm: str,
    process: str,
    plan: Plan,
    *,
    vary_data: bool = False,
    measures: frozenset[str] | None = None,
    keep_params: Keep = False,
) -> Job:
    """A job for these rows; nothing is compiled yet.

    Args:
        settings: what the rows share.
        paradigm: one of its paradigms.
        process: train, or a continuous limit by name.
        plan: the rows.
        vary_data: rows have data of their own, whatever the settings say.
        measures: the problem's measures to keep; None: all.
        keep_params: which parameters to keep; see `make_train`.

    Raises:
        InputError: more eigenvalues asked for than there are parameters.
    """
    problem, optimiser = problem_of(settings, paradigm, process), settings.made_optimiser()
    saves, order, varied = settings.saves_of_runs(), settings.order_of_batches(), settings.varied()
    devices, probes = tuple(jax.local_devices()), probes_of(settings, process)
    made = (
        make_train(problem, optimiser, saves, order, keep_params=keep_params, probes=probes)
        if process == "train"
        else make_flow(
            problem,
            optimiser,
            saves,
            solver=settings.flow_solver,
            rtol=settings.flow_rtol,
            atol=ATOL * settings.flow_rtol,
            keep_params=keep_params,
            max_steps=_most_steps(settings),
            order=order,
            probes=probes,
            limit=process,
        )
    )
    shapes = jax.eval_shape(problem.init, jax.random.key(0), _example_hyper(plan))
    _refuse_eigenvalues(settings.curvature, shapes)
    row = make_row(problem, made, order.shared, "init" in varied)
    if measures is not None:
        row = _only(row, measures)
    return Job(
        paradigm,
        process,
        problem,
        plan,
        part_names(shapes),
        row,
        make_runner(row, vary_data or "data" in varied, devices, tiles_at_once(devices)),
    )


def _refuse_eigenvalues(asked: int, shapes: Params) -> None:
    there = sum(leaf.size for leaf in jax.tree.leaves(shapes))
    if asked > there:
        raise InputError(
            f"curvature: got {asked} eigenvalues, expected at most {there}, as many as the model "
            "has parameters; ask for fewer."
        )


def _most_steps(settings: Settings) -> int:
    """Steps after which a flow is given up.

    Where training is stable, an explicit solver needs fewer steps than it: one that needs many more
    is stuck, as along a kink of a ReLU.
    """
    saves = settings.saves_of_runs()
    return 4 * saves.most + 1000 if isinstance(saves, AtTimes) else 100_000


def probes_of(settings: Settings, process: str) -> tuple[Probe, ...]:
    """What is measured besides the problem's own measures; curvature of training and its flow.

    Not of the flow beside an optimiser that scales its steps itself: the flow has no such scale.
    """
    scaled = settings.made_optimiser().denominator is not None
    curves = settings.curvature and process in ("train", *(() if scaled else ("flow",)))
    curved = (sharpness(settings.curvature, _LANCZOS + settings.curvature),) if curves else ()
    return (*((position(),) if settings.against else ()), *curved)


@lru_cache(maxsize=256)
def _only(row: Row, measures: frozenset[str]) -> Row:
    """`row` without the other measures of its splits: the compiler does not compute them."""

    def less(seed: Any, hyper: Hyper, data: Splits) -> Trajectory:
        found = row(seed, hyper, data)
        kept = {
            name: value
            for name, value in found.measures.items()
            if "/" not in name or name.split("/", 1)[1] in measures
        }
        return found._replace(measures=kept)

    return less


def tiles_at_once(devices: Sequence[jax.Device]) -> int:
    """Tiles of one call: the next one waits while a device works, and a CPU works on many."""
    cores = (os.cpu_count() or 1) if devices[0].platform == "cpu" else 0
    return max(2 * len(devices), cores)


def _example_hyper(plan: Plan) -> dict[str, Any]:
    first = plan.hypers_of(np.zeros((1, 1), dtype=int))
    return {name: jnp.asarray(values[0, 0]) for name, values in first.items()}


def hypers_of(settings: Settings, job: Job, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Hyperparameters of some rows in the problem's precision, derived ones included."""
    read = hypers_read(settings, job.paradigm, job.process)
    hypers = {
        name: values.astype(job.problem.precision)
        for name, values in job.plan.hypers_of(rows).items()
        if name in read
    }
    if any(spec.name == "switch_time" for spec in job.problem.hypers):
        hypers.setdefault("switch_time", SWITCH_SHARE * clock_of(settings, hypers)[..., -1])
    return hypers


def clock_of(settings: Settings, hypers: dict[str, np.ndarray]) -> np.ndarray:
    """Time at each save, after the axes of `hypers`."""
    optimiser, saves = settings.made_optimiser(), settings.saves_of_runs()
    flat = {name: np.asarray(values).reshape(-1) for name, values in hypers.items()}
    times = np.asarray(clocks(optimiser, flat, saves))
    return times.reshape(*next(iter(hypers.values())).shape, -1)


def learning_examples(settings: Settings) -> dict[str, int]:
    """Examples that each process learns from."""
    whole = size(settings.made_task().make(0)["train"])
    few = min(whole, settings.flow_examples)
    train = few if settings.against else whole
    return {**dict.fromkeys(settings.processes(), few), "train": train, "theory": whole}


def times_of(settings: Settings) -> dict[str, Any]:
    """Coordinates ``step``, ``time``, ``gradients`` and ``switch_time`` of a result."""
    axes, grid = tuple(settings.axes()), settings.grid()
    clock = clock_of(settings, grid).astype(float)
    batch = settings.order_of_batches().examples(learning_examples(settings)["train"])
    words = {"units": "step", "long_name": "training step"}
    each = {"units": "1", "long_name": "gradients of one example taken by training"}
    steps = _steps_of(settings, grid)
    at, steps, _ = least(axes, steps, ("save",), {}, always=None)
    coords: dict[str, Any] = {
        "step": (at, steps, words),
        "gradients": (at, steps.astype(float) * batch, each),
    }
    if "switch_time" in settings.specs() and "switch_time" not in axes:
        derived = SWITCH_SHARE * clock[..., -1]
        values = np.broadcast_to(settings.constants().get("switch_time", derived), derived.shape)
        coords["switch_time"] = least(
            axes, values, (), {"units": "time", "long_name": "when the hybrid switches"}
        )
    coords["time"] = least(
        axes,
        clock,
        ("save",),
        {"units": "time", "long_name": "time: the optimiser's clock, shared with its flow"},
    )
    return coords


def _steps_of(settings: Settings, grid: dict[str, np.ndarray]) -> np.ndarray:
    """Steps at the saves, after the axes of `grid`."""
    optimiser, saves = settings.made_optimiser(), settings.saves_of_runs()
    flat = {name: jnp.asarray(values.reshape(-1)) for name, values in grid.items()}
    steps = jax.vmap(lambda hyper: steps_of(saves, optimiser, hyper))(flat)
    return np.asarray(steps).reshape(*next(iter(grid.values())).shape, -1)


def least(
    axes: tuple[str, ...],
    values: np.ndarray,
    rest: tuple[str, ...],
    attributes: dict[str, Any],
    always: str | None = "learning_rate",
) -> tuple[tuple[str, ...], np.ndarray, dict[str, Any]]:
    """A coordinate over only those axes (and `always` that one) along which it varies."""
    dims = list(axes)
    for name in axes:
        axis = dims.index(name)
        first = np.take(values, [0], axis=axis)
        if name != always and np.array_equal(np.broadcast_to(first, values.shape), values):
            values = np.take(values, 0, axis=axis)
            dims.remove(name)
    return (*dims, *rest), values, attributes


def theory_blocks(settings: Settings) -> dict[tuple[str, str], xr.Dataset]:
    """The reduced (mu, nu) system at the same times, where it is exact for the task.

    It describes plain gradient flow of the linear model from zero under softmax attention.
    """
    task = settings.made_task()
    exact = (
        task.solvable
        and x64_is_on()
        and settings.describe()["model"] == "linear"
        and settings.attention == "softmax"
        and settings.constants().get("temperature", 1.0) == 1.0
        and not {"temperature", "focus_rate"} & set(settings.hypers)
    )
    names = [name for name in settings.names() if name in PARADIGMS]
    if not exact:
        return {}
    axes, grid = settings.axes(), settings.grid()
    clock = clock_of(settings, grid)
    flat = clock.reshape(-1, clock.shape[-1])
    switch = grid.get("switch_time", SWITCH_SHARE * clock[..., -1]).reshape(-1)
    blocks = {}
    for name in names:
        paths = [
            solve_reduced(
                # A switch that a run does not reach leaves it soft attention.
                "soft" if name == "hybrid" and at > times[-1] else name,
                times,
                segments=task.segments,
                classes=task.classes,
                switch_time=at,
            )
            for times, at in zip(flat, switch, strict=True)
        ]
        blocks[name, "theory"] = _theory_block(axes, clock.shape, paths)
    return blocks


def _theory_block(axes: dict[str, Any], shape: tuple[int, ...], paths: list[Any]) -> xr.Dataset:
    dims = (*axes, "save")

    def stacked(name: str) -> np.ndarray:
        return np.stack([np.asarray(getattr(path, name)) for path in paths]).reshape(shape)

    split = {"split": ["train"]}
    measured = {"mu": "mu", "nu": "nu", "attention_foreground": "attention"}
    variables: dict[str, Any] = {
        name: ((*dims, "split"), stacked(source)[..., None]) for name, source in measured.items()
    }
    variables["objective"] = (dims, stacked("loss"))
    status = np.asarray([int(path.status) for path in paths], dtype=np.int8)
    variables["status"] = (tuple(axes), status.reshape(shape[:-1]))
    return xr.Dataset(variables, {**{k: np.asarray(v) for k, v in axes.items()}, **split})
