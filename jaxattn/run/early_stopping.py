"""Training leg by leg: at every edge, rows that need not go on are taken out of their tiles.

The rows that are left are packed anew into whole tiles of the same shape, so they run the same
program and their bits stay what they were, whoever left; a chunk gets shorter with the tiles.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Integer, PyTree

from jaxattn.core.contracts import Hyper, Problem, Splits, Status, Trajectory
from jaxattn.core.kept import kept
from jaxattn.run.compiler import Options
from jaxattn.run.placement import Put, axes_of, pick, pick_data, share
from jaxattn.run.tiles import start, start_of
from jaxattn.study.stop_rule import Rule
from jaxattn.training.legs import Carry, Legs, Span

__all__ = ["LegRow", "make_leg_row", "run_with_stops"]


@dataclass(frozen=True, eq=False)
class LegRow:
    """One run from a seed, in legs; see `make_leg_row`."""

    legs: Legs
    begin: Callable[[Integer[Array, ""], Hyper, Splits], tuple[Carry, Array]]
    leg: Callable[[Carry, Span, Integer[Array, ""], Hyper, Splits], tuple[Carry, Trajectory]]


@kept
def make_leg_row(problem: Problem, legs: Legs, shared_order: bool, vary_init: bool) -> LegRow:
    """`jaxattn.run.tiles.make_row` for training that is run by `run_with_stops`."""

    def begin(seed: Integer[Array, ""], hyper: Hyper, data: Splits) -> tuple[Carry, Array]:
        keys, key = start_of(seed, shared_order, vary_init)
        return legs.begin(problem.init(key, hyper), hyper, data, keys)

    def leg(
        carry: Carry, span: Span, seed: Integer[Array, ""], hyper: Hyper, data: Splits
    ) -> tuple[Carry, Trajectory]:
        return legs.leg(carry, span, hyper, data, start_of(seed, shared_order, vary_init)[0])

    return LegRow(legs, begin, leg)


@kept
def _programs(row: LegRow, vary_data: bool) -> tuple[Any, Any]:
    """`row` for tiles, compiled on the first call: begin, leg."""

    @jax.jit
    def begin(seeds: Array, hypers: dict[str, Array], data: Splits) -> tuple[Carry, Array]:
        return jax.vmap(row.begin, in_axes=(0, 0, axes_of(data, vary_data)))(seeds, hypers, data)

    @jax.jit
    def leg(
        carry: Carry, span: Span, seeds: Array, hypers: dict[str, Array], data: Splits
    ) -> tuple[Carry, Trajectory]:
        in_axes = (0, None, 0, 0, axes_of(data, vary_data))
        return jax.vmap(row.leg, in_axes=in_axes)(carry, span, seeds, hypers, data)

    return begin, leg


def run_with_stops(
    row: LegRow,
    rule: Rule,
    seeds: Integer[np.ndarray, " row"],
    hypers: dict[str, Float[np.ndarray, " row"]],
    data: Splits,
    *,
    tile: int,
    devices: Sequence[jax.Device],
    vary_data: bool = False,
    options: Options = (),
    put: Put = jax.device_put,
) -> Trajectory:
    """Rows of training, stopped at edges as `rule` says: NumPy arrays ``[row, ...]``.

    What a row did not come to is NaN: measures, and parameters kept at every save. Its status
    says why, and time reached, work and parameters kept as ``"last"`` are those of where it
    stopped. At the last save nothing is stopped any more: who comes there is done or diverged.

    Args:
        row: from `make_leg_row`.
        rule: from `Stop.rule`.
        seeds: of all rows.
        hypers: of all rows, in the problem's precision.
        data: examples have a leading axis ``[row]`` where `vary_data`.
        tile: rows vmapped together; fixes the bits.
        devices: take turns; each compiles the two programs when its first tile comes.
        vary_data: whether the data vary with the row.
        options: of the compiler.
        put: puts what all tiles share where they run.
    """
    begin, leg = _programs(row, vary_data)
    tiles = -(-len(seeds) // tile)
    shared = [(device, share(data, device, vary_data, put)) for device in devices[:tiles]]

    def by_tile(tree: PyTree, at: np.ndarray) -> list[PyTree]:
        """Rows `at` of a tree, tile by tile, each where it will run."""
        tiles = enumerate(at.reshape(-1, tile))
        return [pick(tree, rows, shared[number % len(shared)][0]) for number, rows in tiles]

    def given_to(rows: np.ndarray) -> list[tuple[Any, ...]]:
        tiles = enumerate(rows.reshape(-1, tile))
        turns = [(at, *shared[number % len(shared)]) for number, at in tiles]
        datas = [pick_data(splits, at, device, vary_data) for at, device, splits in turns]
        return list(zip(by_tile(seeds, rows), by_tile(hypers, rows), datas, strict=True))

    rows = _padded(np.arange(len(seeds)), tile)
    runs = np.arange(rows.size) < len(seeds)
    given = given_to(rows)
    carries, times = _call(begin, given, options)
    record = _Record(row.legs, _on_host(times)[runs])
    for span in row.legs.spans:
        carry = [(one, span) for one in carries]
        carries, parts = _call(leg, [(*c, *g) for c, g in zip(carry, given, strict=True)], options)
        record.add(rows[runs], int(span.length), _at(_on_host(parts), runs))
        left = np.flatnonzero(runs)[record.go_on(rows[runs], rule)]
        if not left.size:
            break
        # A row that has stopped is ballast of its tile until a whole tile can be saved.
        runs = np.isin(np.arange(rows.size), left)
        packed = _padded(left, tile)
        if packed.size < rows.size:
            carries = by_tile(_on_host(carries), packed)
            rows, runs = rows[packed], np.arange(packed.size) < left.size
            given = given_to(rows)
    return record.trajectory()


def _padded(rows: np.ndarray, tile: int) -> np.ndarray:
    """Whole tiles: the first row again where the last one is not full."""
    return np.concatenate([rows, np.repeat(rows[:1], -rows.size % tile)])


def _call(
    program: Any, tiles: Sequence[tuple[Any, ...]], options: Options
) -> tuple[list[Any], list[Any]]:
    """A program that gives two things, called for all tiles at once."""
    begun = [start(program, number, options, *arguments) for number, arguments in enumerate(tiles)]
    first, second = zip(*(future.result() for future in begun), strict=True)
    return list(first), list(second)


def _on_host(tiles: Sequence[PyTree]) -> PyTree:
    """Wait for all tiles: NumPy arrays with one leading axis; random keys stay what they are."""

    def join(*leaves: Any) -> Any:
        if not jnp.issubdtype(leaves[0].dtype, jax.dtypes.prng_key):
            return np.concatenate(leaves)
        data = np.concatenate([jax.random.key_data(leaf) for leaf in leaves])
        return jax.random.wrap_key_data(jnp.asarray(data), impl=jax.random.key_impl(leaves[0]))

    return jax.tree.map(join, *jax.device_get(list(tiles)))


def _at(tree: PyTree, which: np.ndarray) -> PyTree:
    return jax.tree.map(lambda leaf: leaf[which], tree)


class _Record:
    """What is known of all rows, leg after leg."""

    def __init__(self, legs: Legs, times: Float[np.ndarray, "row save"]) -> None:
        """Nothing is made yet."""
        self._legs, self._times = legs, times
        self._made = 0
        self._saved: PyTree = None
        self._ended: PyTree = None

    def add(self, rows: np.ndarray, length: int, part: Trajectory) -> None:
        """What these rows came to in one more leg, of so many saves."""
        every = self._legs.keep_params is True
        saved = (part.measures, part.batch_metrics, part.params if every else None)
        ended = (part.status, part.time_reached, part.work, None if every else part.params)
        count, saves = self._times.shape
        if not self._made:
            self._saved = jax.tree.map(
                # An integer knows no NaN.
                lambda leaf: np.full(
                    (count, saves, *leaf.shape[2:]), np.nan, np.result_type(leaf, np.float32)
                ),
                saved,
            )
            self._ended = jax.tree.map(
                lambda leaf: np.zeros((count, *leaf.shape[1:]), leaf.dtype), ended
            )
        now = slice(self._made, self._made + length)

        def note(into: np.ndarray, values: np.ndarray) -> None:
            into[rows, now] = values[:, :length]

        def replace(into: np.ndarray, values: np.ndarray) -> None:
            into[rows] = values

        jax.tree.map(note, self._saved, saved)
        jax.tree.map(replace, self._ended, ended)
        self._made += length

    def go_on(self, rows: np.ndarray, rule: Rule) -> np.ndarray:
        """Which of these rows run on; the others have their status."""
        if self._made == len(self._legs.saves):
            return np.zeros(rows.shape, bool)
        status, measures = self._ended[0], self._saved[0]
        so_far = {name: values[rows, : self._made] for name, values in measures.items()}
        ends = rule(so_far, status[rows] == Status.DIVERGED)
        status[rows[ends == Status.CONVERGED]] = Status.CONVERGED
        return ends == Status.RUNNING

    def trajectory(self) -> Trajectory:
        """All of it."""
        measures, batch_metrics, every = self._saved
        status, reached, work, last = self._ended
        times: Any = self._times
        # Not a sum with the times, which may overflow where a rate is absurd.
        steps: Any = np.broadcast_to(np.asarray(self._legs.saves, times.dtype), times.shape)
        return Trajectory(
            step=steps,
            time=times,
            measures=measures,
            status=status,
            time_reached=reached,
            work=work,
            params=every if self._legs.keep_params is True else last,
            batch_metrics=batch_metrics,
        )
