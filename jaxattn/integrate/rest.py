"""A solution that has come to rest: it is not moved any more, and its value is held.

Explicit steps are bounded by the fastest motion for as long as they go on, about five of them for
each unit of its rate times time, although nothing moves any more. Such a solution may end early.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from jaxattn.integrate.solution import Function

__all__ = ["Memory", "Rest"]


class Memory(NamedTuple):
    """What is remembered from look to look."""

    due: Float[Array, ""]
    """The time since the start at which to look next."""
    value: PyTree
    """The solution at the last look."""
    looks: Int[Array, ""]
    """How often `Rest.stays` was asked."""


class Rest(NamedTuple):
    """Whether a solution is at rest, looked at whenever the time since its start has doubled.

    A look costs nothing where the solution has moved by more than its tolerance since the last one.
    Where it has not, `stays` says whether it will not either until the end: near a saddle, or along
    a flat valley, what has not moved yet may still move.
    """

    stays: Function
    """``stays(t, y, args)``, a truth, in the variable that the solver steps in."""
    elapsed: Callable[[Array], Array]
    """The time since the start, of that variable."""
    cost: int
    """Evaluations of the field that `stays` is worth."""

    def begin(self, y0: PyTree, start: Float[Array, ""]) -> Memory:
        """Nothing was looked at yet."""
        return Memory(jnp.zeros_like(start), y0, jnp.zeros((), jnp.int32))

    def look(
        self,
        end: Float[Array, ""],
        y: PyTree,
        args: Any,
        kept: Bool[Array, ""],
        controller: Any,
        memory: Memory,
    ) -> tuple[Bool[Array, ""], Memory]:
        """Whether the solution is at rest at the end of a step that was `kept`."""
        elapsed = self.elapsed(end)
        due = kept & (elapsed >= memory.due)
        moved = controller.norm(jax.tree.map(jnp.subtract, y, memory.value))
        little = moved <= controller.rtol * (controller.norm(y) + 1)

        def ask(state: tuple[Array, Array]) -> tuple[Array, Array]:
            return jnp.zeros_like(state[0]), self.stays(end, y, args)

        # A loop of one round or none: in a batch it is run where any row needs it, and not always.
        asks = due & little
        _, rests = jax.lax.while_loop(lambda state: state[0], ask, (asks, jnp.zeros_like(asks)))
        return rests & asks, Memory(
            jnp.where(due, 2 * elapsed, memory.due),
            jax.tree.map(lambda new, old: jnp.where(due, new, old), y, memory.value),
            memory.looks + asks,
        )
