"""The whole result of a sweep before any of it has run: names, labels, and where chunks go."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from jaxattn.core.canonical_json import canonical_json
from jaxattn.core.contracts import InputError
from jaxattn.results.files import SCHEMA_VERSION
from jaxattn.results.virtual import Piece, VirtualVariable, status_variable
from jaxattn.run.coordinates import drop_constant_axes, learning_examples
from jaxattn.run.pictures import pictures_of
from jaxattn.run.runner import Runner, Solver
from jaxattn.study.axes import Axis
from jaxattn.study.groups import THEORY, static_axes, traced_axes
from jaxattn.study.layout import Sweep
from jaxattn.study.spec_hash import spec_hash, spec_json
from jaxattn.study.study import Study

__all__ = ["labels_of", "pieces_of", "variables_of"]


def labels_of(sweep: Sweep, runners: Sequence[Runner | Solver]) -> xr.Dataset:
    """Coordinates, attributes and pictures of the whole result: all but what rows give.

    Args:
        sweep: what it is of.
        runners: of its groups.

    Raises:
        InputError: models whose parts differ along an axis.
    """
    spec = sweep.spec
    coords: dict[str, Any] = {
        "paradigm": ("paradigm", _paradigms(sweep)),
        "process": ("process", list(sweep.processes)),
    }
    for axis in (*static_axes(spec), *traced_axes(spec)):
        if axis.name != "paradigm":
            coords |= _coordinates(axis)
    coords["seed"] = ("seed", np.asarray(sweep.groups[0].seeds, dtype=np.int64))
    coords |= {dim: (dim, list(values)) for dim, values in _trailing(runners).items()}
    attributes = {
        "schema_version": SCHEMA_VERSION,
        "spec": spec_json(spec),
        "spec_hash": spec_hash(spec),
        "resolved": canonical_json(_resolved(sweep)),
    }
    labels = xr.Dataset(coords=coords, attrs=attributes).assign_coords(_computed(sweep, runners))
    return labels.assign(_pictures(sweep, runners).data_vars)


def _resolved(sweep: Sweep) -> dict[str, Any]:
    """What the spec leaves to be found out, in the words of a comparison's."""
    studies = _studies(sweep)
    hypers: dict[str, Any] = {}
    for study in studies:
        hypers |= study.constants
    for axis in traced_axes(sweep.spec):
        roles = sweep.spec.roles
        swept = {n: list(at) for n, at in axis.columns if roles.get(n, "hyper") == "hyper"}
        hypers |= swept
    return {"hypers": hypers, "smooth": all(study.model.smooth for study in studies)}


def _pictures(sweep: Sweep, runners: Sequence[Runner | Solver]) -> xr.Dataset:
    """Of the first examples, where all groups have the same."""
    tasks = {study.task for study in _studies(sweep)}
    first = runners[0]
    if len(tasks) > 1 or first.group.lengths or not isinstance(first, Runner):
        return xr.Dataset()
    return pictures_of(first.study, first.sources, first.job)


def _paradigms(sweep: Sweep) -> list[str]:
    found = {group.at["paradigm"]: group.paradigm for group in sweep.groups}
    return [found[place] for place in sorted(found)]


def _coordinates(axis: Axis) -> dict[str, Any]:
    columns: dict[str, Any] = {name: (axis.name, list(values)) for name, values in axis.columns}
    return {axis.name: (axis.name, np.arange(len(axis))), **columns} if axis.is_joint else columns


def _trailing(runners: Sequence[Runner | Solver]) -> dict[str, list[Any]]:
    """Labels of the measures' own dims: those of the group with the longest, which holds all."""
    longest: dict[str, list[Any]] = {}
    for runner in runners:
        for name, coordinate in runner.template.coords.items():
            dim, values = str(name), coordinate.values.tolist()
            known = longest.get(dim, [])
            short, long = sorted((known, values), key=len)
            if dim == "row":
                continue
            if long[: len(short)] != short:
                raise InputError(
                    f"axes: got groups whose {dim} is {', '.join(map(str, known))} and "
                    f"{', '.join(map(str, values))}, expected the same; sweep them apart."
                )
            longest[dim] = long
    return longest


def _lead(sweep: Sweep) -> dict[str, int]:
    """The leading dims, and their lengths: what rows differ by."""
    spec = sweep.spec
    static = {axis.name: len(axis) for axis in static_axes(spec)}
    traced = {axis.name: len(axis) for axis in traced_axes(spec)}
    seeds = len(sweep.groups[0].seeds)
    head = {"paradigm": static.pop("paradigm"), "process": len(sweep.processes)}
    return {**head, **static, **traced, "seed": seeds}


def variables_of(sweep: Sweep, runners: Sequence[Runner | Solver]) -> dict[str, VirtualVariable]:
    """Every variable of the whole result, in the order in which a chunk has them."""
    lead = _lead(sweep)
    dims, shape = tuple(lead), tuple(lead.values())
    found: dict[str, VirtualVariable] = {}
    for runner in runners:
        for key, variable in runner.template.data_vars.items():
            name, own = str(key), variable.shape[1:]
            if name == "status":
                found[name] = status_variable(dims, shape)
                continue
            seen = found.get(name)
            old = seen.shape[len(dims) :] if seen else own
            dtypes = [variable.dtype, *([seen.dtype] if seen else [])]
            found[name] = VirtualVariable(
                dims=(*dims, *map(str, variable.dims[1:])),
                shape=(*shape, *map(max, zip(old, own, strict=True))),
                dtype=np.result_type(*dtypes),
                attrs=seen.attrs if seen else variable.attrs,
            )
    return found


def pieces_of(sweep: Sweep, runners: Sequence[Runner | Solver]) -> Iterator[Piece]:
    """Where the rows of each chunk go."""
    processes = sweep.processes
    for number in range(sweep.chunk_count):
        group, plan, chunk = sweep.locate(number)
        axes = {axis.name: range(len(axis)) for axis in group.axes}
        template = runners[group.number].template
        yield Piece(
            number=number,
            at={**group.at, "process": processes.index(group.process)},
            # Exact rows know no seed: they are repeated along its axis.
            axes=axes if group.process == THEORY else {**axes, "seed": range(len(plan.seeds))},
            rows=chunk.real,
            shapes={str(name): one.shape[1:] for name, one in template.data_vars.items()},
        )


def _computed(sweep: Sweep, runners: Sequence[Runner | Solver]) -> dict[str, Any]:
    """Coordinates that follow from the settings alone: times, switches, examples learnt from."""
    first = sweep.processes[0]
    trained = [one for one in runners if isinstance(one, Runner) and one.group.process == first]
    axes = (*static_axes(sweep.spec), *traced_axes(sweep.spec))

    def spread(
        among: Sequence[Runner], values: Callable[[Runner], Any], own: tuple[int, ...] = ()
    ) -> np.ndarray:
        """Values ``[point, *own]`` of these groups on the whole grid, the seed's axis apart."""
        whole = np.full((*(len(axis) for axis in axes), *own), np.nan)
        for runner in among:
            group, given = runner.group, np.asarray(values(runner))
            given = given.reshape(*(len(axis) for axis in group.axes), *own)
            names = {axis.name for axis in group.axes}
            at = tuple(group.at.get(axis.name, slice(None)) for axis in axes)
            # An axis that the group does not read stays as an axis of length 1: repeated.
            repeated = [axis.name not in names for axis in axes if axis.name not in group.at]
            whole[at] = np.expand_dims(given, tuple(np.flatnonzero(repeated).tolist()))
        return whole

    def hypers(runner: Runner) -> dict[str, np.ndarray]:
        points = np.arange(runner.group.points) * len(runner.plan.seeds)
        return runner.job.hypers_of(points)

    def at_points(name: str, runner: Runner) -> np.ndarray:
        return hypers(runner)[name]

    names = tuple(axis.name for axis in axes)
    saves = len(sweep.groups[0].study.save_steps)
    clock = spread(trained, lambda one: one.study.clock(hypers(one)), (saves,))
    words = {"units": "time", "long_name": "time: the optimiser's clock, shared with its flow"}
    coords: dict[str, Any] = {"time": drop_constant_axes(names, clock, ("save",), words)}
    batch = spread(trained, lambda one: np.full(one.group.points, _batch(one), dtype=float))
    words = {"units": "1", "long_name": "gradients of one example taken by training"}
    steps = spread(trained, lambda one: one.study.steps_at(hypers(one)), (saves,))
    taken = batch[..., None] * steps
    coords["gradients"] = drop_constant_axes(names, taken, ("save",), words, always=None)
    words = {"units": "step", "long_name": "training step"}
    at, steps, _ = drop_constant_axes(names, steps, ("save",), {}, always=None)
    coords["step"] = (at, steps.astype(np.int64), words)
    swept = {name for axis in axes for name in axis.names}
    specs = {spec.name: spec for one in trained for spec in one.job.problem.hypers}
    for name, spec in specs.items():
        if spec.of_run is None or name in swept:
            continue
        reading = [one for one in trained if name in hypers(one)]
        # It belongs to the clock, not to the paradigms that do not read it.
        values = np.nanmax(spread(reading, partial(at_points, name)), axis=0)
        words = {"units": spec.unit, "long_name": spec.doc}
        coords[name] = drop_constant_axes(names[1:], values, (), words)
    natural = {one.group.paradigm: one.group.problem.natural_inference for one in runners}
    coords["natural_inference"] = (
        "paradigm",
        list(natural.values()),
        {"long_name": "inference rule that goes with the paradigm"},
    )
    processes = sweep.processes
    learnt = {item for study in _studies(sweep) for item in learning_examples(study).items()}
    learnt = {(process, count) for process, count in learnt if process in processes}
    if len(learnt) == len(processes):
        sizes = [dict(learnt)[process] for process in processes]
        coords["learning_examples"] = ("process", sizes, {"long_name": "examples learnt from"})
    return coords


def _studies(sweep: Sweep) -> list[Study]:
    return [group.study for group in sweep.groups]


def _batch(runner: Runner) -> int:
    study = runner.study
    return study.order.examples(learning_examples(study)[runner.group.process])
