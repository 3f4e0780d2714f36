"""Run tiles of rows: ``vmap`` inside a tile, one call of one compiled program for each tile.

The tile is what fixes the bits: every device runs the same single-device program on whole tiles,
so the number of devices changes nothing. (vmapping other numbers of rows together would, and so
would one program partitioned over the devices: XLA simplifies it in another order.) On a CPU the
size of XLA's thread pool must be the same too, as long sums are split by it: it is the larger of
the numbers of cores and of devices, unless the environment variable ``NPROC`` says otherwise.

Calls are asynchronous, so that several devices work at once. Each compiles the program when its
first tile comes; on GPUs the persistent cache serves the later ones.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import cache
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float, Integer, PyTree

from jaxattn.core.contracts import Data, Hyper, Keys, Params, Problem, Splits, Trajectory
from jaxattn.core.kept import kept
from jaxattn.core.streams import streams

__all__ = [
    "Row",
    "axes_of",
    "fetch",
    "make_row",
    "make_runner",
    "make_tile",
    "pick",
    "pick_data",
    "shape_of",
    "share",
    "stack_data",
    "start",
    "start_of",
    "traced",
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


@kept
def make_tile(row: Row, vary_data: bool) -> Any:
    """``tile(seeds, hypers, data)``, jitted: what one call of one program computes, ``[row]``.

    Args:
        row: one run; see `make_row`.
        vary_data: whether examples have a leading axis ``[row]`` too (pools never have).
    """

    @jax.jit
    def tile(seeds: Array, hypers: dict[str, Array], data: Splits) -> Trajectory:
        return jax.vmap(row, in_axes=(0, 0, axes_of(data, vary_data)))(seeds, hypers, data)

    return tile


@kept
def make_runner(
    row: Row, vary_data: bool, devices: tuple[jax.Device, ...], at_once: int | None = None
) -> Callable[
    [Integer[Array, "tile row"], dict[str, Float[Array, "tile row"]], Splits], list[Trajectory]
]:
    """``run(seeds, hypers, data)`` starts a chunk, ``[tile, row]``, and gives what to `fetch`.

    It compiles on the first call, and does not wait for results.

    Args:
        row: one run; see `make_row`.
        vary_data: whether examples have leading axes ``[tile, row]`` too (pools never have).
        devices: take turns; each compiles the program when its first tile comes.
        at_once: tiles that are worked on at once; None: as many as a chunk has.
    """
    tile = make_tile(row, vary_data)

    def run(seeds: Any, hypers: dict[str, Any], data: Splits) -> list[Trajectory]:
        def of_tile(number: int, device: jax.Device, shared: Splits) -> Future[Trajectory]:
            own = (pick(tree, number, device) for tree in (seeds, hypers))
            lane = number % at_once if at_once else number
            return start(tile, lane, *own, pick_data(shared, number, device, vary_data))

        places = [(device, share(data, device, vary_data)) for device in devices[: len(seeds)]]
        begun = [of_tile(n, *places[n % len(places)]) for n in range(len(seeds))]
        return [future.result() for future in begun]

    return run


def traced(
    tile: Any, seeds: PyTree, hypers: PyTree, data: Splits, vary_data: bool
) -> jax.stages.Traced:
    """What `make_tile` gave, traced for what a chunk is given; JAX compiles the same one."""

    def first(tree: PyTree) -> PyTree:
        return jax.tree.map(lambda leaf: shape_of(leaf[0]), tree)

    def of_part(part: Data) -> Data:
        pool = jax.tree.map(shape_of, part.pool)
        examples = part.examples
        return Data(first(examples) if vary_data else jax.tree.map(shape_of, examples), pool)

    return tile.trace(first(seeds), first(hypers), _each(data, of_part))


def shape_of(leaf: np.ndarray | np.generic) -> jax.ShapeDtypeStruct:
    """What JAX makes of `leaf`."""
    return jax.ShapeDtypeStruct(leaf.shape, jax.dtypes.canonicalize_dtype(leaf.dtype))


def axes_of(data: Splits, vary_data: bool) -> Splits:
    """The axes of `data` to vmap over: those of examples that vary with the row."""
    varied: Any = 0 if vary_data else None
    return _each(data, lambda part: Data(varied, None))


def pick(tree: PyTree, at: Any, device: jax.Device) -> PyTree:
    """What every leaf has at index `at`, put on `device`."""
    return jax.device_put(jax.tree.map(lambda leaf: leaf[at], tree), device)


def pick_data(shared: Splits, at: Any, device: jax.Device, vary_data: bool) -> Splits:
    """The data of one tile, out of what `share` gave."""
    if not vary_data:
        return shared
    return _each(shared, lambda part: part._replace(examples=pick(part.examples, at, device)))


def share(data: Splits, device: jax.Device, vary_data: bool) -> Splits:
    """What all tiles share, put on `device`; examples that vary with the row wait for theirs."""
    there: dict[int, Array] = {}

    def once(leaf: Any) -> Array:
        # Splits share their pool: one copy of it.
        if id(leaf) not in there:
            there[id(leaf)] = jax.device_put(leaf, device)
        return there[id(leaf)]

    def put(part: Data) -> Data:
        examples = part.examples if vary_data else jax.tree.map(once, part.examples)
        return Data(examples, jax.tree.map(once, part.pool))

    return _each(data, put)


def start(program: Any, lane: int, *arguments: Any) -> Future[Any]:
    """Start a jitted program after what its lane was given before; it runs where its data are."""
    # Compiled here, where the caller's configuration of JAX holds; JAX remembers it.
    return _lane(lane).submit(program.lower(*arguments).compile(), *arguments)


@cache
def _lane(number: int) -> Executor:
    """A thread to start programs from: one CPU device works on those of other threads at once."""
    return ThreadPoolExecutor(1, f"jaxattn-lane-{number}")


def fetch(started: Sequence[Trajectory]) -> Trajectory:
    """Wait for a chunk: NumPy arrays with leading axes ``[tile, row]``.

    What was started is used up: its memory is given back array by array.
    """

    def stack(*leaves: Array) -> np.ndarray:
        for leaf in leaves:
            leaf.copy_to_host_async()
        stacked = np.stack([np.asarray(leaf) for leaf in leaves])
        for leaf in leaves:
            leaf.delete()
        return stacked

    return jax.tree.map(stack, *started)


def _each(data: Splits, function: Callable[[Data], Data]) -> Splits:
    return Splits(
        function(data.learn), {name: function(part) for name, part in data.evaluate.items()}
    )


def stack_data(parts: Iterable[Splits], shape: tuple[int, ...]) -> Splits:
    """Splits of several rows as one: examples ``[*shape, example, ...]``, the pool of the first.

    Args:
        parts: one for each row, in C order; each is let go before the next is asked for.
        shape: of the leading axes.
    """

    def room(part: Data) -> Data:
        def of(leaf: np.ndarray) -> np.ndarray:
            return np.empty((*shape, *leaf.shape), leaf.dtype)

        return Data(jax.tree.map(of, part.examples), part.pool)

    def leaves(data: Splits) -> list[np.ndarray]:
        return jax.tree.leaves(_each(data, lambda part: Data(part.examples, None)))

    following = iter(parts)
    part = next(following)
    whole = _each(part, room)
    for place in np.ndindex(shape):
        for into, leaf in zip(leaves(whole), leaves(part), strict=True):
            into[place] = leaf
        part = next(following, part)
    return whole
