"""The jobs of a study: the rows of one group, and how to run them."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jaxtyping import PyTree

from jaxattn.core.contracts import (
    InputError,
    MeasureSpec,
    Params,
    Problem,
    Splits,
    Trajectory,
)
from jaxattn.core.fingerprint import fingerprint
from jaxattn.core.precision import needs_x64
from jaxattn.flow.run_context import refuse_state
from jaxattn.probes.curvature import sharpness
from jaxattn.probes.parameters import leaves_of, parameters
from jaxattn.probes.position import position
from jaxattn.probes.probe import Probe
from jaxattn.probes.record import Keep, part_names
from jaxattn.problems.undeclared import key_shape
from jaxattn.run.compiler import Options, options_for
from jaxattn.run.device import facts_here, rows_together
from jaxattn.run.group_tile import bytes_of, tile_of
from jaxattn.run.own_error import SHARE, is_known
from jaxattn.run.placement import Put
from jaxattn.run.stage import Compiling, Where, shape_of, untimed
from jaxattn.run.tiles import Run, Started, Tile, compile_on, make_runner, traces_of
from jaxattn.study.dependence import start_shapes
from jaxattn.study.fields import AUTO
from jaxattn.study.groups import Group, groups_of
from jaxattn.study.plan import Plan, make_plan
from jaxattn.study.study import Study

__all__ = [
    "FLOW_TILE",
    "Job",
    "make_job",
    "plan_jobs",
    "probes_of",
    "refuse_without_x64",
    "tiles_at_once",
    "usual_tile",
]

_LANCZOS = 16
"""Steps of Lanczos at every save, for the first eigenvalue; each costs two to three gradients."""

FLOW_TILE = 2
"""Rows of a flow solved together: they take the steps of the slowest (benchmarks/README.md)."""


@dataclass(frozen=True, eq=False)
class Job:
    """The rows of one group, and how to run a chunk of them."""

    group: Group
    plan: Plan
    parts: tuple[str, ...]
    probes: tuple[Probe, ...]
    tile: Tile
    runner: Run
    vary_data: bool
    """Whether rows have data of their own."""

    @property
    def problem(self) -> Problem:
        """What is learnt."""
        return self.group.problem

    def specs(self, splits: tuple[str, ...]) -> tuple[MeasureSpec, ...]:
        """What labels the measures of its rows: the problem's own, then those of probes.

        Args:
            splits: what the problem's own are measured on, in order.
        """
        own = (spec.over_splits(splits) for spec in self.problem.measures)
        return (*own, *(spec for probe in self.probes for spec in probe.specs))

    def traces(
        self, seeds: PyTree, hypers: PyTree, data: Splits
    ) -> tuple[list[jax.stages.Traced], Trajectory]:
        """The stages of a tile, from what a chunk is given, and the shapes of what it gives."""
        return traces_of(self.tile, seeds, hypers, data, self.vary_data)

    def program(self, seeds: PyTree, hypers: PyTree, data: Splits, *arrays: PyTree) -> str:
        """A hash of what its rows compute and of `arrays`, and how it is compiled, where asked."""
        stages, _ = self.traces(seeds, hypers, data)
        asked = self.group.study.settings.compiler
        how = "" if asked == AUTO else f" {asked}"
        return fingerprint([stage.jaxpr for stage in stages], *arrays) + how

    @property
    def options(self) -> Options:
        """What the compiler is told."""
        return options_for(self.group.study.settings.compiler)

    def compiled(
        self,
        seeds: PyTree,
        hypers: PyTree,
        data: Splits,
        compiling: Compiling = untimed,
    ) -> list[Future[jax.stages.Compiled]]:
        """The programs of a tile for the first device, from what a chunk is given."""
        where = Where(jax.local_devices()[0], self.options)
        return compile_on(self.tile, where, seeds, hypers, data, self.vary_data, compiling)

    def run(
        self,
        seeds: PyTree,
        hypers: PyTree,
        data: Splits,
        compiling: Compiling = untimed,
        put: Put = jax.device_put,
    ) -> list[Future[Started]]:
        """Start a chunk; see `jaxattn.run.tiles.fetch`."""
        return self.runner(seeds, hypers, data, self.options, compiling, put)

    def hypers_of(
        self,
        rows: np.ndarray,
        share: float = 1.0,
        given: Mapping[str, np.ndarray] | None = None,
    ) -> dict[str, np.ndarray]:
        """Hyperparameters of some rows in the problem's precision, derived ones included.

        Args:
            rows: their numbers.
            share: of its tolerances, at which a flow that is solved twice is to be solved.
            given: values in place of the plan's, of the shape of `rows`.
        """
        study, specs = self.group.study, self.problem.hypers
        read = {spec.name for spec in (*specs, *study.optimiser.hypers)}
        hypers = {
            name: values.astype(self.problem.precision)
            for name, values in {**self.plan.hypers_of(rows), **(given or {})}.items()
            if name in read
        }
        hypers = study.with_shares_of_run(hypers, specs)
        return hypers | ({SHARE: np.full(rows.shape, share)} if self.is_solved_twice else {})

    @property
    def is_solved_twice(self) -> bool:
        """Whether a row of it is to be solved again, for the flow's own error."""
        return is_known(self.group)

    @property
    def first_row(self) -> np.ndarray:
        """A tile ``[1, row]`` of row 0 alone: that is the one to be solved again."""
        return np.zeros((1, self.plan.tile), dtype=int)


def plan_jobs(study: Study) -> list[Job]:
    """Training of every paradigm, then its flows where asked for; no compilation yet.

    Raises:
        InputError: float64 is needed and off, or what `make_job` refuses.
    """
    study.refuse_decays()
    groups = groups_of(study)
    refuse_without_x64(groups)
    return [make_job(group, _plan(group)) for group in groups if not group.is_exact]


def refuse_without_x64(groups: Sequence[Group]) -> None:
    """Refuse what runs in float64 where JAX does not.

    Raises:
        InputError: with how to switch it on.
    """
    flows = any(group.dynamics != "train" and not group.is_exact for group in groups)
    if flows or any(group.study.settings.precision == "float64" for group in groups):
        needs_x64("a flow" if flows else "precision float64")


def _plan(group: Group) -> Plan:
    return make_plan(
        group.axes,
        group.seeds,
        group.constants,
        tile=usual_tile(group),
        at_once=tiles_at_once(tuple(jax.local_devices())),
    )


def usual_tile(group: Group) -> int:
    """Rows vmapped together: those of one learning rate, where rates differ in their steps."""
    few = group.problem.tile if group.dynamics == "train" else FLOW_TILE
    hypers = {name for axis in group.axes for name in axis.names} | set(group.constants)
    params = bytes_of(start_shapes(group.problem, frozenset(hypers)))
    most = rows_together(few, facts_here(), params)
    if not group.study.settings.against:
        return most
    # A tile lasts as long as its slowest row, and seeds are next to each other.
    return max(tile for tile in range(1, most + 1) if len(group.seeds) % tile == 0)


def make_job(
    group: Group,
    plan: Plan,
    *,
    vary_data: bool = False,
    measures: frozenset[str] | None = None,
    keep_params: Keep = False,
) -> Job:
    """A job for these rows of a group; nothing is compiled yet.

    Args:
        group: what the rows share.
        plan: the rows.
        vary_data: rows have data of their own, whatever the study says.
        measures: the problem's measures to keep; None: all.
        keep_params: which parameters to keep; see `make_train`.

    Raises:
        InputError: more eigenvalues asked for than there are parameters; a flow of a loss with a
            state.
    """
    study, problem = group.study, group.problem
    asked = study.settings
    shapes = jax.eval_shape(problem.init, key_shape(), _example_hyper(plan))
    devices, probes = tuple(jax.local_devices()), probes_of(study, group.dynamics, shapes)
    _refuse_eigenvalues(asked.curvature, shapes)
    if group.dynamics != "train":
        refuse_state(problem, jax.eval_shape(problem.state, shapes))
    vary_data = vary_data or "data" in study.vary
    tile = tile_of(group, plan.tile, shapes, probes, measures, keep_params, vary_data)
    run = make_runner(tile, vary_data, devices, tiles_at_once(devices))
    parts = part_names(shapes, problem.parts)
    return Job(group, plan, parts, probes, tile, run, vary_data)


def _refuse_eigenvalues(asked: int, shapes: Params) -> None:
    there = sum(leaf.size for leaf in jax.tree.leaves(shapes))
    if asked > there:
        raise InputError(
            f"curvature: got {asked} eigenvalues, expected at most {there}, as many as the model "
            "has parameters; ask for fewer."
        )


def probes_of(study: Study, dynamics: str, params: PyTree) -> tuple[Probe, ...]:
    """What is measured besides the problem's own measures: positions, curvature, parameters.

    Curvature is of training and its flow, but not of the flow beside an optimiser that scales its
    steps itself: the flow has no such scale.

    Args:
        study: what is asked for.
        dynamics: train, or a limit.
        params: shapes of the parameters.
    """
    scaled, asked = study.optimiser.denominator is not None, study.settings
    curves = asked.curvature and dynamics in ("train", *(() if scaled else ("flow",)))
    # Of training beside its limits: how far apart the two are along it, see `distances_of`.
    directed = bool(asked.against) and dynamics == "train"
    depth = _LANCZOS + asked.curvature
    curved = (sharpness(asked.curvature, depth, directed),) if curves else ()
    leaves = leaves_of(params, asked.keep)
    along = (parameters(leaves),) if leaves else ()
    # Distances are from training.
    beside = bool(asked.against) and asked.times is None
    return (*((position(),) if beside else ()), *curved, *along)


def tiles_at_once(devices: Sequence[jax.Device]) -> int:
    """Tiles of one call: the next one waits while a device works, and a CPU works on many."""
    cores = (os.cpu_count() or 1) if devices[0].platform == "cpu" else 0
    return max(2 * len(devices), cores)


def _example_hyper(plan: Plan) -> dict[str, Any]:
    first = plan.hypers_of(np.zeros((1, 1), dtype=int))
    return {name: shape_of(values[0, 0]) for name, values in first.items()}
