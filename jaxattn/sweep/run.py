"""Run tiles of rows: ``vmap`` inside a tile, ``lax.map`` over tiles, ``shard_map`` over devices.

The tile is what fixes the bits: a device runs whole tiles, one after the other, so the number of
devices changes nothing (vmapping other numbers of rows together would).
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array, Float, Int, Integer, PyTree

from jaxattn.contracts import Data, Hyper, Keys, Params, Problem, Splits, Trajectory
from jaxattn.streams import streams

__all__ = ["Row", "make_row", "make_runner", "stack_data"]

Row = Callable[[Integer[Array, ""], Hyper, Splits], Trajectory]
"""One run: seed, hyperparameters, data -> Trajectory."""

Process = Callable[[Params, Hyper, Splits, Keys], Trajectory]
"""What `make_train` and `make_flow` return."""


@lru_cache(maxsize=256)
def make_row(problem: Problem, process: Process, shared_order: bool, vary_init: bool) -> Row:
    """One run from a seed: initialise, then train or flow.

    Args:
        problem: what is learnt.
        process: `make_train` or `make_flow` of the same problem.
        shared_order: minibatches of seed 0's order stream for every seed.
        vary_init: whether the seed varies the initial parameters; otherwise all start as seed 0.
    """

    def row(seed: Integer[Array, ""], hyper: Hyper, data: Splits) -> Trajectory:
        keys, common = streams(seed), streams(0)
        if shared_order:
            keys = keys._replace(order=common.order)
        start = keys.init if vary_init else common.init
        return process(problem.init(start, hyper), hyper, data, keys)

    return row


@lru_cache(maxsize=256)
def make_runner(
    row: Row, vary_data: bool, devices: tuple[jax.Device, ...]
) -> Callable[
    [Integer[Array, "tile row"], dict[str, Float[Array, "tile row"]], Splits], Trajectory
]:
    """``run(seeds, hypers, data) -> Trajectory`` with leading axes ``[tile, row]``, compiled.

    Args:
        row: one run; see `make_row`.
        vary_data: whether examples have leading axes ``[tile, row]`` too (pools never have).
        devices: each runs its share of the tiles; their number must divide that of the tiles.
    """
    tiles, everywhere = PartitionSpec("tiles"), PartitionSpec()

    def axes(data: Splits, varied: Any, common: Any) -> Splits:
        """`varied` for the arrays that have tile axes, `common` for the others."""
        return _each(data, lambda part: Data(varied if vary_data else common, common))

    def on_device(seeds: Array, hypers: dict[str, Array], data: Splits) -> Trajectory:
        def tile(index: Int[Array, ""]) -> Trajectory:
            def pick(tree: PyTree) -> PyTree:
                return jax.tree.map(lambda leaf: leaf[index], tree)

            mine = (
                _each(data, lambda d: d._replace(examples=pick(d.examples))) if vary_data else data
            )
            in_axes = (0, 0, axes(mine, 0, None))
            return jax.vmap(row, in_axes=in_axes)(seeds[index], pick(hypers), mine)

        return jax.lax.map(tile, jnp.arange(seeds.shape[0], dtype=jnp.int32))

    mesh = Mesh(np.asarray(devices), ("tiles",))

    @jax.jit
    def run(seeds: Array, hypers: dict[str, Array], data: Splits) -> Trajectory:
        return jax.shard_map(
            on_device,
            mesh=mesh,
            in_specs=(tiles, tiles, axes(data, tiles, everywhere)),
            out_specs=tiles,
            check_vma=False,
        )(seeds, hypers, data)

    return run


def _each(data: Splits, function: Callable[[Data], Data]) -> Splits:
    return Splits(
        function(data.learn), {name: function(part) for name, part in data.evaluate.items()}
    )


def stack_data(parts: Sequence[Splits]) -> Splits:
    """Splits of several seeds as one: examples stacked in front, the pool of the first."""

    def stack(*same: Data) -> Data:
        examples = [part.examples for part in same]
        return Data(jax.tree.map(lambda *leaves: np.stack(leaves), *examples), same[0].pool)

    return jax.tree.map(stack, *parts, is_leaf=lambda node: isinstance(node, Data))
