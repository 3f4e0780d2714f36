"""Training in legs: one run cut where the host may look, so that rows can be stopped.

A compiled loop calls nothing on the host (law 10); what is decided of a row is decided between
its legs. A leg does what the whole run does: the step and the save are those of
`jaxattn.training.train_loop`.

All legs are one program, about as costly to compile as the whole run. Legs and the whole run are
two programs, equal to rounding and often to the bit: cutting a run or not may change its last
digits; which rule stops whom does not.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from jaxattn.core.contracts import Hyper, InputError, Keys, Params, Problem, Splits, Trajectory
from jaxattn.core.kept import kept
from jaxattn.probes.record import Health, Keep
from jaxattn.problems.minibatches import Order
from jaxattn.training.optimisers import Optimiser
from jaxattn.training.train import work_of
from jaxattn.training.train_loop import BatchMetrics, Constants, Saved, State, make_train_loop

__all__ = ["Carry", "Legs", "Span", "make_legs"]


class Carry(NamedTuple):
    """What one leg of a run hands to the next."""

    state: State
    constants: Constants
    health: Health


class Span(NamedTuple):
    """The saves of one leg: the step before and at each; those from `length` on are not made."""

    starts: Int[np.ndarray, " save"]
    ends: Int[np.ndarray, " save"]
    length: Int[np.ndarray, ""]


@dataclass(frozen=True, eq=False)
class Legs:
    """A run cut in pieces, between which the host may look; see `make_legs`.

    - ``begin(params, hyper, data, keys) -> (Carry, time [save])``: nothing trained yet, and the
      times of all saves;
    - ``leg(carry, span, hyper, data, keys) -> (Carry, Trajectory)``: the saves of one of `spans`,
      in order; entries beyond the span's length are NaN. Status, time reached and work are those
      of a run that ends here; so are parameters kept as ``"last"``.
    """

    saves: tuple[int, ...]
    keep_params: Keep
    spans: tuple[Span, ...]
    begin: Callable[[Params, Hyper, Splits, Keys], tuple[Any, Array]]
    leg: Callable[[Any, Span, Hyper, Splits, Keys], tuple[Any, Trajectory]]


@kept
def make_legs(
    problem: Problem,
    optimiser: Optimiser,
    saves: tuple[int, ...],
    order: Order,
    every: int,
    keep_params: Keep = False,
    batch_metrics: BatchMetrics | None = None,
) -> Legs:
    """The training of `make_train`, with an edge at every `every`-th save after the first.

    All legs are of one shape, so they are one compiled program: how many saves a leg makes is
    traced, as the last one may be shorter and the first holds step 0 too.

    Raises:
        InputError: `every` below 1.
    """
    spans = _spans_of(saves, every)
    longest = max(int(span.ends[-1] - span.starts[0]) for span in spans)
    loop = make_train_loop(problem, optimiser, saves, order, keep_params, batch_metrics, longest)

    def begin(params: Params, hyper: Hyper, data: Splits, keys: Keys) -> tuple[Carry, Array]:
        run = loop(hyper, data, keys)
        times = run.clock[jnp.asarray(saves, dtype=jnp.int32)]
        return Carry(*run.begin(params), Health.unknown(times[0])), times

    def leg(
        carry: Carry, span: Span, hyper: Hyper, data: Splits, keys: Keys
    ) -> tuple[Carry, Trajectory]:
        starts, ends = jnp.asarray(span.starts), jnp.asarray(span.ends)
        run = loop(hyper, data, keys, starts[0])

        def save(at: Array, state: State) -> tuple[State, Saved]:
            return run.to_save(state, carry.constants, starts[at], ends[at])

        def and_note(at: Array, done: tuple) -> tuple:
            state, health, every = done
            state, saved = save(at, state)
            health = health.after(saved.measures["objective"], run.clock[ends[at]])
            return (
                state,
                health,
                jax.tree.map(lambda row, at_save: row.at[at].set(at_save), every, saved),
            )

        nothing = jax.tree.map(
            lambda leaf: jnp.full(
                (ends.size, *leaf.shape),
                jnp.nan if jnp.issubdtype(leaf.dtype, jnp.inexact) else 0,
                leaf.dtype,
            ),
            jax.eval_shape(save, span.length, carry.state)[1],
        )
        state, health, saved = jax.lax.fori_loop(
            0, span.length, and_note, (carry.state, carry.health, nothing)
        )
        times = run.clock[ends]
        part = Trajectory(
            step=ends.astype(times.dtype),
            time=times,
            measures=saved.measures,
            status=health.status(state[0]),
            time_reached=health.reached,
            work=work_of(ends[span.length - 1]),
            params=state[0] if keep_params == "last" else saved.params,
            batch_metrics=saved.batch_metrics or None,
        )
        return Carry(state, carry.constants, health), part

    return Legs(saves, keep_params, spans, begin, leg)


def _spans_of(saves: tuple[int, ...], every: int) -> tuple[Span, ...]:
    """The saves of each leg, with an edge at every `every`-th save after the first.

    Raises:
        InputError: `every` below 1.
    """
    if every < 1:
        raise InputError(f"legs: got an edge every {every} saves, expected at least 1.")
    ends = np.asarray(saves, np.int32)
    starts = np.concatenate([[0], ends[:-1]]).astype(np.int32)
    edges = [0, *range(1 + every, len(saves), every), len(saves)]
    most = min(1 + every, len(saves))

    def fill(steps: np.ndarray) -> np.ndarray:
        return np.pad(steps, (0, most - len(steps)), mode="edge")

    return tuple(
        Span(fill(starts[a:b]), fill(ends[a:b]), np.asarray(b - a, np.int32))
        for a, b in pairwise(edges)
    )
