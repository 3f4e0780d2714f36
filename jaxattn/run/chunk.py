"""A chunk of a sweep: a pure function of the spec and the chunk's number."""

import json
from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import jax
import numpy as np
import xarray as xr
from jaxtyping import PyTree

from jaxattn.core.contracts import Data, Params, Splits, Trajectory
from jaxattn.probes.record import Keep
from jaxattn.results.chunk_file import chunk_bytes
from jaxattn.results.derived import with_times
from jaxattn.results.files import block
from jaxattn.run.data_source import MOST_BYTES, Sources
from jaxattn.run.early_stopping import make_leg_row, run_with_stops
from jaxattn.run.heap import give_back
from jaxattn.run.job import Job, make_job
from jaxattn.run.tiles import fetch
from jaxattn.study.groups import Group
from jaxattn.study.layout import Sweep
from jaxattn.study.parse import from_plain
from jaxattn.study.plan import Plan
from jaxattn.study.spec import Spec
from jaxattn.study.spec_hash import spec_hash
from jaxattn.study.stop_rule import Stop
from jaxattn.study.study import Study
from jaxattn.training.legs import make_legs

__all__ = ["Finished", "Runner", "compute", "remembered", "runners_of"]


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
        most = min(MOST_BYTES, spec.layout.memory // 4)
        self.sources = Sources(group.study, group.lengths, most)

    @property
    def study(self) -> Study:
        """Of all its rows."""
        return self.group.study

    @cached_property
    def job(self) -> Job:
        """How to run rows."""
        kept = self._spec.measures
        return make_job(
            self.group,
            self.plan,
            vary_data=self.sources.vary,
            measures=None if kept is None else frozenset(kept),
            keep_params=self._keep,
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
            # A chunk may be most of the memory there is: what is done with is given back each time.
            begun = jax.block_until_ready(self.job.run(*self.arguments(rows)))
            give_back()
            out = jax.tree.map(
                lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[: real.size], fetch(begun)
            )
        else:
            out = self._run_with_stops(real)
        give_back()
        ds = self._labelled(out, real)
        give_back()
        return ds, out.params

    def check_stop(self) -> None:
        """Refuse a rule to stop by that these runs cannot follow.

        Raises:
            InputError: no such measure or split, or a flow.
        """
        if self._spec.stop is not None:
            splits = tuple(self.sources.splits(0, self.job).evaluate)
            stop = Stop.from_plain(self._spec.stop)
            stop.rule(self.job.problem, splits, self.group.process)

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
            stop.rule(problem, tuple(data.evaluate), self.group.process),
            seeds[0],
            {name: values[0] for name, values in hypers.items()},
            self._each(data, lambda leaf: leaf[0]),
            tile=self.plan.tile,
            devices=jax.local_devices(),
            vary_data=self.sources.vary,
        )
        # Only here: a row may stop by a measure that is not kept.
        kept = set(self.outputs.measures)
        return out._replace(measures={k: v for k, v in out.measures.items() if k in kept})

    def _each(self, data: Splits, function: Callable[[Any], Any]) -> Splits:
        """`function` of every leaf that has axes of rows; the pool never has."""
        if not self.sources.vary:
            return data

        def of_part(part: Data) -> Data:
            return part._replace(examples=jax.tree.map(function, part.examples))

        return Splits(
            of_part(data.learn), {name: of_part(part) for name, part in data.evaluate.items()}
        )

    @cached_property
    def outputs(self) -> Trajectory:
        """Shapes and types of what one row gives; found without compiling anything."""
        return jax.eval_shape(self.job.row, *self._one_row())

    @cached_property
    def template(self) -> xr.Dataset:
        """One row as it comes from `run`, all zeros: names, dims, types and labels."""
        zeros = jax.tree.map(lambda leaf: np.zeros((1, *leaf.shape), leaf.dtype), self.outputs)
        return self._labelled(zeros, np.zeros(1, dtype=int))

    def _one_row(self) -> tuple[PyTree, PyTree, Splits]:
        """Shapes and types of what one row is given."""
        seed, hypers, data = self.arguments(np.zeros((1, 1), dtype=int))
        alone = self._each(data, lambda leaf: leaf[0, 0])
        first = jax.tree.map(lambda leaf: leaf[0, 0], (seed, hypers))
        return jax.tree.map(shape_of, (*first, alone))

    def _labelled(self, out: Trajectory, rows: np.ndarray) -> xr.Dataset:
        labels = {"row": rows.tolist()}
        ds = block(out, labels, self.job.problem.measures, self.job.parts, use_up=True)
        time = xr.DataArray(np.asarray(out.time, dtype=float), dims=("row", "save"))
        return with_times(ds, time, self.job.problem.natural_inference, self.study.settings)


def shape_of(leaf: np.ndarray | np.generic) -> jax.ShapeDtypeStruct:
    """What JAX makes of `leaf`."""
    return jax.ShapeDtypeStruct(leaf.shape, jax.dtypes.canonicalize_dtype(leaf.dtype))


class Finished(NamedTuple):
    """A chunk as it comes from where it was computed."""

    content: bytes
    """Of its file."""
    params: Params | None = None
    """Final parameters ``[row, ...]``, where the spec asks for them."""


def compute(spec_json: str, number: int) -> Finished:
    """A finished chunk: the same bytes wherever and whenever it is computed.

    Args:
        spec_json: of a spec that is laid out, from `jaxattn.study.spec_hash.spec_json`.
        number: of the chunk.
    """
    sweep, runners = remembered(spec_json)
    group, _, chunk = sweep.locate(number)
    ds, params = runners[group.number].run(chunk.rows)
    labels = [name for name in ds.coords if name != "row"]
    identity = {"spec_hash": spec_hash(sweep.spec), "chunk": number, "group": group.number}
    content = chunk_bytes(ds.drop_vars(labels).assign_attrs(identity))
    del ds
    give_back()
    return Finished(content, params)


def runners_of(sweep: Sweep) -> tuple[Runner, ...]:
    """One for each group."""
    pairs = zip(sweep.groups, sweep.plans, strict=True)
    return tuple(Runner(group, plan, sweep.spec) for group, plan in pairs)


@lru_cache(maxsize=2)
def remembered(spec_json: str) -> tuple[Sweep, tuple[Runner, ...]]:
    """What all chunks of a sweep share in one process: programs and data."""
    sweep = Sweep.of(from_plain(json.loads(spec_json)))
    return sweep, runners_of(sweep)
