"""The rows of a group, ready to run: as they come out of a chunk, with labels."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

import jax
import numpy as np
import xarray as xr

from jaxattn.core.contracts import InputError, Params, Splits, Trajectory
from jaxattn.probes.record import Keep
from jaxattn.problems.data import each_leaf
from jaxattn.results.dataset import block
from jaxattn.results.derived import POSITIONS, distances_of, own_error_of, with_times
from jaxattn.run.data_source import MOST_BYTES, Sources
from jaxattn.run.early_stopping import make_leg_row, run_with_stops
from jaxattn.run.heap import trim_memory
from jaxattn.run.job import Job, make_job
from jaxattn.run.own_error import CLOSER, distance_between
from jaxattn.run.placement import each_part
from jaxattn.run.theory_rows import theory_rows
from jaxattn.run.tiles import fetch, wait
from jaxattn.study.groups import THEORY, Group
from jaxattn.study.plan import Plan
from jaxattn.study.spec import Spec
from jaxattn.study.stop_rule import Stop
from jaxattn.study.study import Study
from jaxattn.training.legs import make_legs

__all__ = ["Runner", "Solver", "make_runner_of"]


class Solver:
    """The exact rows of a group: solved, not run."""

    def __init__(self, group: Group, plan: Plan) -> None:
        """Nothing is solved before it is needed."""
        self.group, self.plan = group, plan

    def run(self, rows: np.ndarray) -> tuple[xr.Dataset, Params | None]:
        """The rows ``[tile, row]``, padding left out; there are no parameters."""
        real = rows[rows >= 0]
        study = self.group.study
        hypers = {k: v for k, v in self.plan.hypers_of(real).items() if k in study.hypers}
        ds = theory_rows(self.group, {"row": real.tolist()}, hypers)
        time = xr.DataArray(study.clock(hypers).astype(float), dims=("row", "save"))
        natural = self.group.problem.natural_inference
        return with_times(ds, time, natural, study.settings), None

    @property
    def fingerprint(self) -> str:
        """Nothing of a user's is solved: what the version of jaxattn says is all."""
        return ""

    @cached_property
    def template(self) -> xr.Dataset:
        """One row as it comes from `run`."""
        return self.run(np.zeros((1, 1), dtype=int))[0]


class Runner:
    """The rows of one group, ready to run: its job and its data."""

    def __init__(self, group: Group, plan: Plan, spec: Spec) -> None:
        """Nothing is compiled, and no data made, before it is needed.

        Args:
            group: whose rows they are.
            plan: its rows.
            spec: what is kept of them, and when they may stop.
        """
        self.group, self.plan, self._spec = group, plan, spec
        self.all_parts: tuple[str, ...] = ()
        """The parts of all groups, which their results have in one order."""
        most = min(MOST_BYTES, spec.layout.memory // 4)
        self.sources = Sources(group.study, group.lengths, most)

    @property
    def study(self) -> Study:
        """Of all its rows."""
        return self.group.study

    @cached_property
    def job(self) -> Job:
        """How to run rows."""
        return self._job(self.group, self._keep)

    @cached_property
    def beside(self) -> Job | None:
        """Training of the same rows, from which those of a limit are to have a distance."""
        settings = self.study.settings
        if self.group.dynamics == "train" or not settings.against or settings.times is not None:
            return None
        return self._job(replace(self.group, dynamics="train"), False)

    def _job(self, group: Group, keep: Keep) -> Job:
        kept = self._spec.measures
        return make_job(
            group,
            self.plan,
            vary_data=self.sources.vary,
            measures=None if kept is None else frozenset(kept),
            keep_params=keep,
        )

    @property
    def _keep(self) -> Keep:
        return "last" if self._spec.keep_params else False

    def arguments(self, rows: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray], Splits]:
        """Seeds, hyperparameters and data of the rows ``[tile, row]``."""
        return self.plan.seed_of(rows), self.job.hypers_of(rows), self.sources.of(self.job, rows)

    def run(self, rows: np.ndarray) -> tuple[xr.Dataset, Params | None]:
        """Run the rows ``[tile, row]``, padding left out.

        Returns:
            A Dataset whose variable ``row`` has their numbers, and their final parameters with a
            leading axis, where the spec asks for them.
        """
        real = rows[rows >= 0]  # padding is last
        if self._spec.stop is None:
            out = self._run(self.job, rows, real.size)
        else:
            out = self._run_with_stops(real)
        trim_memory()
        again = self._own_error(out, real)
        beside = None
        if self.beside is not None:
            measures = self._run(self.beside, rows, real.size).measures
            beside = {name: np.asarray(measures[name]) for name in POSITIONS if name in measures}
        ds = self._labelled(out, real, beside, again)
        trim_memory()
        return ds, out.params

    def _own_error(self, out: Trajectory, real: np.ndarray) -> np.ndarray | None:
        """How far row 0 of a limit, if it is one of these, is from itself solved more closely."""
        if not self.job.is_solved_twice or 0 not in real:
            return None
        again = self._run(self.job, self.job.first_row, 1, CLOSER).measures["position"][0]
        first = out.measures["position"][real.tolist().index(0)]
        return distance_between(np.asarray(first), np.asarray(again))

    def _run(self, job: Job, rows: np.ndarray, count: int, share: float = 1.0) -> Trajectory:
        hypers, data = job.hypers_of(rows, share), self.sources.of(self.job, rows)
        # A chunk may be most of the memory there is: what is done with is given back each time.
        begun = job.run(self.plan.seed_of(rows), hypers, data, put=self.sources.put)
        wait(begun)
        trim_memory()
        return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[:count], fetch(begun))

    def check_stop(self) -> None:
        """Refuse a rule to stop by that these runs cannot follow.

        Raises:
            InputError: no such measure or split, a flow, limits beside training, or curvature.
        """
        if self._spec.stop is not None:
            settings = self.study.settings
            for name, given in (("against", settings.against), ("curvature", settings.curvature)):
                if given:
                    raise InputError(
                        f"stop: got {name} beside it, expected one of the two: runs that stop are "
                        "measured at edges alone; leave one out."
                    )
            stop = Stop.from_plain(self._spec.stop)
            stop.rule(self.job.problem, self.sources.names(self.job), self.group.dynamics)

    def _run_with_stops(self, rows: np.ndarray) -> Trajectory:
        study, problem = self.study, self.job.problem
        stop, order = Stop.from_plain(self._spec.stop or {}), study.order
        legs = make_legs(
            problem,
            study.optimiser,
            study.save_steps,
            order,
            stop.every,
            self._keep,
        )
        seeds, hypers, data = self.arguments(rows[None])
        out = run_with_stops(
            make_leg_row(problem, legs, order.shared, "init" in study.vary),
            stop.rule(problem, data.names, self.group.dynamics),
            seeds[0],
            {name: values[0] for name, values in hypers.items()},
            self.each(data, lambda leaf: leaf[0]),
            tile=self.plan.tile,
            devices=jax.local_devices(),
            vary_data=self.sources.vary,
            options=self.job.options,
            put=self.sources.put,
        )
        # Only here: a row may stop by a measure that is not kept.
        kept = set(self.outputs.measures)
        return out._replace(measures={k: v for k, v in out.measures.items() if k in kept})

    def each(self, data: Splits, function: Callable[[Any], Any]) -> Splits:
        """`function` of every leaf that has axes of rows; the pool never has."""
        if not self.sources.vary:
            return data

        return each_part(data, partial(each_leaf, function))

    @cached_property
    def outputs(self) -> Trajectory:
        """Shapes and types of what one row gives; found without compiling anything."""
        return self._outputs_of(self.job)

    @cached_property
    def outputs_beside(self) -> Trajectory | None:
        """Shapes and types of the training that a row of a limit has beside it."""
        return None if self.beside is None else self._outputs_of(self.beside)

    def _outputs_of(self, job: Job) -> Trajectory:
        return jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype),
            self._traces(job)[1],
        )

    @cached_property
    def fingerprint(self) -> str:
        """Of what its rows compute, and of the first one's data."""
        *_, data = self.arguments(np.zeros((1, 1), dtype=int))
        rows = np.zeros((1, self.plan.tile), dtype=int)
        return self.job.program(*self.arguments(rows), data)

    def _traces(self, job: Job) -> tuple[list[jax.stages.Traced], Trajectory]:
        """The stages of a tile of `job`, and the shapes of what it gives."""
        rows = np.zeros((1, self.plan.tile), dtype=int)
        return job.traces(self.plan.seed_of(rows), job.hypers_of(rows), self.sources.of(job, rows))

    @cached_property
    def template(self) -> xr.Dataset:
        """One row as it comes from `run`, all zeros: names, dims, types and labels."""

        def zeros(leaf: jax.ShapeDtypeStruct) -> np.ndarray:
            return np.zeros((1, *leaf.shape), leaf.dtype)

        out, beside = jax.tree.map(zeros, (self.outputs, self.outputs_beside))
        training = None if beside is None else beside.measures
        return self._labelled(out, np.zeros(1, dtype=int), training)

    def _labelled(
        self,
        out: Trajectory,
        rows: np.ndarray,
        beside: Mapping[str, np.ndarray] | None = None,
        again: np.ndarray | None = None,
    ) -> xr.Dataset:
        """Rows with names.

        Args:
            out: the rows.
            rows: their numbers.
            beside: `POSITIONS` of training, where these are of a limit.
            again: the own error of row 0, where it is one of these.
        """
        specs = self.job.specs(self.sources.names(self.job))
        ds = block(out, {"row": rows.tolist()}, specs, self.job.parts, self.job.problem.unit)
        if self.all_parts[: len(self.job.parts)] != self.job.parts:
            # Of problems that have other parts; those that are the first ones stay as they are.
            ds = ds.reindex(part=list(self.all_parts or self.job.parts))
        if "position" in ds:
            at, top = ds["position"], ds.get("top_direction")
            training = at if beside is None else at.copy(data=beside["position"])
            if beside is not None and "top_direction" in beside:
                top = at.copy(data=beside["top_direction"])
            ds = ds.drop_vars(POSITIONS, errors="ignore").assign(distances_of(at, training, top))
            ds = ds.drop_vars("coordinate", errors="ignore")
            if self.group.dynamics != "train":
                place = None if again is None else rows.tolist().index(0)
                ds["own_error"] = own_error_of(("row", "save"), at.shape[:2], place, again)
        time = xr.DataArray(np.asarray(out.time, dtype=float), dims=("row", "save"))
        return with_times(ds, time, self.job.problem.natural_inference, self.study.settings)


def make_runner_of(group: Group, plan: Plan, spec: Spec) -> Runner | Solver:
    """How the rows of a group come about."""
    return Solver(group, plan) if group.dynamics == THEORY else Runner(group, plan, spec)
