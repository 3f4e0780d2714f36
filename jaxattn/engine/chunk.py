"""A chunk of a sweep: a pure function of the spec and the chunk's number."""

import json
from functools import cached_property, lru_cache

import jax
import numpy as np
import xarray as xr
from jaxtyping import PyTree

from jaxattn.contracts import Data, Splits, Trajectory
from jaxattn.derived import with_times
from jaxattn.engine.chunkfile import chunk_bytes
from jaxattn.engine.heap import give_back
from jaxattn.jobs import Job, hypers_of, make_job
from jaxattn.settings import Settings
from jaxattn.sources import Sources
from jaxattn.store import block
from jaxattn.sweep import Group, Plan, Sweep, fetch, from_plain, spec_hash

__all__ = ["Runner", "compute", "runners_of"]


class Runner:
    """The rows of one group, ready to run: its job and its data."""

    def __init__(self, group: Group, plan: Plan, measures: tuple[str, ...] | None) -> None:
        """Nothing is compiled, and no data made, before it is needed.

        Args:
            group: whose rows they are.
            plan: its rows.
            measures: the problem's measures to keep; None: all.
        """
        self.group, self.plan, self._measures = group, plan, measures
        self.sources = Sources(group.settings, group.lengths)

    @property
    def settings(self) -> Settings:
        """Of all its rows."""
        return self.group.settings

    @cached_property
    def job(self) -> Job:
        """How to run rows."""
        return make_job(
            self.settings,
            self.group.paradigm,
            self.group.process,
            self.plan,
            vary_data=self.sources.vary,
            measures=None if self._measures is None else frozenset(self._measures),
        )

    def arguments(self, rows: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray], PyTree]:
        """Seeds, hyperparameters and data of the rows ``[tile, row]``."""
        hypers = hypers_of(self.settings, self.job, rows)
        return self.plan.seed_of(rows), hypers, self.sources.of(self.job, rows)

    def run(self, rows: np.ndarray) -> xr.Dataset:
        """Run the rows ``[tile, row]``, padding left out; variable ``row`` has their numbers."""
        # A chunk may be most of the memory there is: what it is done with is given back each time.
        begun = jax.block_until_ready(self.job.run(*self.arguments(rows)))
        give_back()
        real = rows[rows >= 0]  # padding is last
        out = jax.tree.map(
            lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[: real.size], fetch(begun)
        )
        give_back()
        ds = self._labelled(out, real)
        give_back()
        return ds

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

        def alone(leaf: np.ndarray) -> jax.ShapeDtypeStruct:
            return shape_of(leaf[0, 0])

        own = alone if self.sources.vary else shape_of

        def part(given: Data) -> Data:
            return Data(jax.tree.map(own, given.examples), jax.tree.map(shape_of, given.pool))

        rest = {name: part(given) for name, given in data.evaluate.items()}
        return alone(seed), jax.tree.map(alone, hypers), Splits(part(data.learn), rest)

    def _labelled(self, out: Trajectory, rows: np.ndarray) -> xr.Dataset:
        labels = {"row": rows.tolist()}
        ds = block(out, labels, self.job.problem.measures, self.job.parts, use_up=True)
        time = xr.DataArray(np.asarray(out.time, dtype=float), dims=("row", "save"))
        return with_times(ds, time, self.job.problem.natural_inference, self.settings)


def shape_of(leaf: np.ndarray) -> jax.ShapeDtypeStruct:
    """What JAX makes of `leaf`."""
    return jax.ShapeDtypeStruct(leaf.shape, jax.dtypes.canonicalize_dtype(leaf.dtype))


def compute(spec_json: str, number: int) -> bytes:
    """The finished file of a chunk: the same bytes wherever and whenever it is computed.

    Args:
        spec_json: of a spec that is laid out, from `jaxattn.sweep.spec_json`.
        number: of the chunk.
    """
    sweep, runners = _remembered(spec_json)
    group, _, chunk = sweep.locate(number)
    ds = runners[group.number].run(chunk.rows)
    labels = [name for name in ds.coords if name != "row"]
    identity = {"spec_hash": spec_hash(sweep.spec), "chunk": number, "group": group.number}
    content = chunk_bytes(ds.drop_vars(labels).assign_attrs(identity))
    del ds
    give_back()
    return content


def runners_of(sweep: Sweep) -> tuple[Runner, ...]:
    """One for each group."""
    measures = sweep.spec.measures
    return tuple(
        Runner(group, plan, measures) for group, plan in zip(sweep.groups, sweep.plans, strict=True)
    )


@lru_cache(maxsize=2)
def _remembered(spec_json: str) -> tuple[Sweep, tuple[Runner, ...]]:
    """What all chunks of a sweep share in one process: programs and data."""
    sweep = Sweep.of(from_plain(json.loads(spec_json)))
    return sweep, runners_of(sweep)
