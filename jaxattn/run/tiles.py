"""Run tiles of rows: ``vmap`` inside a tile, the same compiled programs for every tile.

The tile is what fixes the bits: every device runs the same single-device program on whole tiles,
so the number of devices changes nothing. (vmapping other numbers of rows together would, and so
would one program partitioned over the devices: XLA simplifies it in another order.) On a CPU the
size of XLA's thread pool must be the same too, as long sums are split by it: it is the larger of
the numbers of cores and of devices, unless the environment variable ``NPROC`` says otherwise.

Tiles run in threads, lanes, so that several devices work at once, and one CPU on several tiles.
Each device has programs of its own; on GPUs the persistent cache serves the later ones.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import count
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import numpy as np
from jaxtyping import Array, Float, Integer, PyTree

from jaxattn.core.contracts import Data, Hyper, Keys, Params, Problem, Splits, Trajectory
from jaxattn.core.kept import kept
from jaxattn.core.streams import streams
from jaxattn.problems.data import each_leaf
from jaxattn.run.compiler import Options
from jaxattn.run.conditions import flags, under
from jaxattn.run.placement import Put, axes_of, each_part, pick, pick_data, share
from jaxattn.run.stage import (
    Call,
    Compiles,
    Compiling,
    Running,
    Stage,
    Traces,
    Where,
    precise,
    shape_of,
    untimed,
)

__all__ = [
    "Row",
    "Run",
    "Started",
    "Tile",
    "compile_on",
    "fetch",
    "make_row",
    "make_runner",
    "make_tile",
    "start",
    "start_of",
    "traces_of",
    "wait",
]

Row = Callable[[Integer[Array, ""], Hyper, Splits], Trajectory]
"""One run: seed, hyperparameters, data -> Trajectory."""

Dynamics = Callable[[Params, Hyper, Splits, Keys], Trajectory]
"""What `make_train` and `make_flow` return."""


@kept
def make_row(problem: Problem, dynamics: Dynamics, shared_order: bool, vary_init: bool) -> Row:
    """One run from a seed: initialise, then train or flow.

    Args:
        problem: what is learnt.
        dynamics: `make_train` or `make_flow` of the same problem.
        shared_order: minibatches of seed 0's order stream for every seed.
        vary_init: whether the seed varies the initial parameters; otherwise all start as seed 0.
    """

    def row(seed: Integer[Array, ""], hyper: Hyper, data: Splits) -> Trajectory:
        keys, start = start_of(seed, shared_order, vary_init)
        return dynamics(problem.init(start, hyper), hyper, data, keys)

    return row


def start_of(seed: Integer[Array, ""], shared_order: bool, vary_init: bool) -> tuple[Keys, Array]:
    """The streams of a row, and the key of its initial parameters; see `make_row`."""
    keys, common = streams(seed), streams(0)
    if shared_order:
        keys = keys._replace(order=common.order)
    return keys, keys.init if vary_init else common.init


@runtime_checkable
class Tile(Protocol):
    """What a tile of rows computes, as calls of stages; see `jaxattn.run.stage`."""

    def common(self, call: Call, data: Splits) -> PyTree:
        """What all tiles on one device share."""

    def __call__(
        self, call: Call, seeds: Any, hypers: Mapping[str, Any], data: Splits, common: PyTree
    ) -> Trajectory:
        """The rows of one tile ``[row]``: shapes, or arrays, as `call` has it."""


@dataclass(frozen=True, eq=False)
class WholeRow:
    """A tile whose rows are one program: nothing of a run is handed from one to another."""

    stage: Stage

    def common(self, call: Call, data: Splits) -> PyTree:
        """Nothing."""
        del call, data

    def __call__(
        self, call: Call, seeds: Any, hypers: Mapping[str, Any], data: Splits, common: PyTree
    ) -> Trajectory:
        """See `Tile`."""
        del common
        return call(self.stage, seeds, dict(hypers), data)


@kept
def make_tile(row: Row, vary_data: bool) -> WholeRow:
    """A tile of rows, vmapped as a whole.

    Args:
        row: one run; see `make_row`.
        vary_data: whether examples have a leading axis ``[row]`` too (pools never have).
    """

    def tile(seeds: Array, hypers: dict[str, Array], data: Splits) -> Trajectory:
        return jax.vmap(row, in_axes=(0, 0, axes_of(data, vary_data)))(seeds, hypers, data)

    return WholeRow(Stage(tile))


@runtime_checkable
class Run(Protocol):
    """``run(seeds, hypers, data)`` starts a chunk, ``[tile, row]``, and gives what to `fetch`."""

    def __call__(
        self,
        seeds: Integer[np.ndarray, "tile row"],
        hypers: dict[str, Float[np.ndarray, "tile row"]],
        data: Splits,
        options: Options = (),
        compiling: Compiling = untimed,
        put: Put = jax.device_put,
    ) -> "list[Future[Started]]":
        """The tiles, one after the other; it waits for nothing."""


class Started(NamedTuple):
    """A tile that a device has worked on."""

    rows: Trajectory
    began: float
    """By ``time.perf_counter``, as if its programs had been there."""
    ended: float


@kept
def make_runner(
    tile: Tile, vary_data: bool, devices: tuple[jax.Device, ...], at_once: int | None = None
) -> Run:
    """What starts a chunk of tiles: it compiles what is not yet, and waits for nothing.

    Args:
        tile: from `make_tile`, or in parts.
        vary_data: whether examples have leading axes ``[tile, row]`` too (pools never have).
        devices: take turns; each has programs of its own.
        at_once: tiles that are worked on at once; None: as many as a chunk has.
    """

    def run(
        seeds: Any,
        hypers: dict[str, Any],
        data: Splits,
        options: Options = (),
        compiling: Compiling = untimed,
        put: Put = jax.device_put,
    ) -> list[Future[Started]]:
        places = [Where(device, options) for device in devices[: len(seeds)]]
        for where in places:
            compile_on(tile, where, seeds, hypers, data, vary_data, compiling)
        shared = [share(data, where.device, vary_data, put) for where in places]
        here = flags()

        def of_all(where: Where, there: Splits) -> PyTree:
            with under(here):
                return tile.common(Running(where), there)

        common = [
            _lane(number).submit(of_all, *given)
            for number, given in enumerate(zip(places, shared, strict=True))
        ]

        def of_tile(number: int) -> Started:
            turn = number % len(places)
            device, known = places[turn].device, common[turn].result()
            with under(here):
                own, hyper = (pick(tree, number, device) for tree in (seeds, hypers))
                given = pick_data(shared[turn], number, device, vary_data)
                call, began = Running(places[turn]), time.perf_counter()
                # What it works in is given back before the lane's next tile takes as much.
                rows = jax.block_until_ready(tile(call, own, hyper, given, known))
            return Started(rows, began + call.waited, time.perf_counter())

        lanes = [next(_TURNS) % at_once if at_once else number for number in range(len(seeds))]
        return [_lane(lane).submit(of_tile, number) for number, lane in enumerate(lanes)]

    return run


def traces_of(
    tile: Tile, seeds: PyTree, hypers: PyTree, data: Splits, vary_data: bool
) -> tuple[list[jax.stages.Traced], Trajectory]:
    """The stages of a tile, traced for what a chunk is given, and the shapes of what it gives."""
    traces = Traces()
    return traces.stages, _called(tile, traces, seeds, hypers, data, vary_data)


def compile_on(
    tile: Tile,
    where: Where,
    seeds: PyTree,
    hypers: PyTree,
    data: Splits,
    vary_data: bool,
    compiling: Compiling = untimed,
) -> list[Future[jax.stages.Compiled]]:
    """Begin to compile a tile for what a chunk is given: its programs, some perhaps under way."""
    compiles = Compiles(where, compiling)
    _called(tile, compiles, seeds, hypers, data, vary_data)
    return compiles.programs


def _called(
    tile: Tile, call: Call, seeds: PyTree, hypers: PyTree, data: Splits, vary_data: bool
) -> Trajectory:
    """What a tile gives: shapes, of a chunk's arrays or their shapes."""

    def of_part(part: Data) -> Data:
        part = part._replace(pool=jax.tree.map(shape_of, part.pool))
        return each_leaf(_row_of if vary_data else shape_of, part)

    there = each_part(data, of_part)
    return tile(call, _row_of(seeds), _row_of(hypers), there, tile.common(call, there))


def _row_of(tree: PyTree) -> PyTree:
    """Shapes of one tile of many."""

    def first(leaf: Any) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(leaf.shape[1:], jax.dtypes.canonicalize_dtype(leaf.dtype))

    return jax.tree.map(first, tree)


def start(program: Any, lane: int, options: Options, *arguments: Any) -> Future[Any]:
    """Start a jitted program after what its lane was given before; it runs where its data are."""
    # Compiled here, where the caller's configuration of JAX holds; JAX remembers it.
    with precise():
        lowered = program.lower(*arguments)
    compiled = lowered.compile(compiler_options=dict(options) or None)
    return _lane(lane).submit(compiled, *arguments)


_TURNS = count()
"""Of lanes, from one chunk to the next: those of one tile each would all take the first one."""


@cache
def _lane(number: int) -> Executor:
    """A thread to start programs from: one CPU device works on those of other threads at once."""
    return ThreadPoolExecutor(1, f"jaxattn-lane-{number}")


def fetch(started: Sequence[Future[Started]]) -> Trajectory:
    """Wait for a chunk: NumPy arrays with leading axes ``[tile, row]``.

    What was started is used up: its memory is given back array by array.
    """

    def stack(*leaves: Array) -> np.ndarray:
        # An array of a CPU is the host's already: asked to, it would be copied.
        for leaf in leaves:
            if all(device.platform != "cpu" for device in leaf.devices()):
                leaf.copy_to_host_async()
        stacked = np.stack([np.asarray(leaf) for leaf in leaves])
        for leaf in leaves:
            leaf.delete()
        return stacked

    return jax.tree.map(stack, *[tile.result().rows for tile in started])


def wait(started: Sequence[Future[Started]]) -> tuple[float, float]:
    """Wait until a chunk is done: when it began and ended, by ``time.perf_counter``."""
    tiles = [tile.result() for tile in started]
    return min(tile.began for tile in tiles), max(tile.ended for tile in tiles)
