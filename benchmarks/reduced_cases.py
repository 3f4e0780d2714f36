"""The reduced system by jaxattn, for thousands of sizes in one compiled call."""

from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxattn import theory
from jaxattn.integrate import integrate

PARADIGMS = ("soft", "hard", "lvml")
SIDE, LARGEST, T_END, TILE = 64, 1000.0, 4e5, 256

_SIDE = np.geomspace(2.0, LARGEST, SIDE)
# Ordered by m, on which the number of steps depends most, so that a tile's rows end together.
SEGMENTS, CLASSES = (part.ravel() for part in np.meshgrid(_SIDE, _SIDE, indexing="ij"))
TIMES = np.append(0.0, np.geomspace(1.0, T_END, 99))
ENDS = TIMES[[0, -1]]


def tiled(row: Callable[..., Any], shared: int = 0) -> Callable[..., Any]:
    """`row` over all rows, tile by tile, compiled: a tile stays in the processor's cache, and none
    waits for the slowest row of all. The first `shared` arguments are the same for every row."""

    def run(*args: Any) -> Any:
        common, columns = args[:shared], args[shared:]
        split = [jnp.reshape(each, (-1, TILE, *jnp.shape(each)[1:])) for each in columns]
        found = jax.lax.map(lambda tile: jax.vmap(lambda *one: row(*common, *one))(*tile), split)
        return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), found)

    return jax.jit(run)


def solved(paradigm: str, solver: str) -> Callable[..., Any]:
    """``(times, rtol, m, c) -> Solution`` of one row, its values mu and nu, in log(1 + t).

    One field alone, and mu and nu as two scalars: as one vector of two, they are read and written
    in turns, which costs half as much again.
    """
    of = theory.FIELDS[paradigm]

    def velocity(clock: jax.Array, state: Any, size: Any) -> Any:
        return jax.tree.map(lambda speed: jnp.exp(clock) * speed, of(*state, *size))

    def row(times: Any, rtol: Any, m: Any, c: Any) -> Any:
        zero = (jnp.zeros(()), jnp.zeros(()))
        clock = jnp.log1p(times)
        return integrate(velocity, zero, clock, (m, c), rtol=rtol, atol=rtol, solver=solver)

    return row


@cache
def ode(paradigm: str, solver: str = "dopri8") -> Callable[..., Any]:
    """``(times, rtol, m, c) -> Solution`` of all rows."""
    return tiled(solved(paradigm, solver), shared=2)


@cache
def closed_form(paradigm: str) -> Callable[..., Any]:
    """``(times, m, c) -> State`` of all rows."""
    return tiled(
        lambda times, m, c: theory.trajectory(paradigm, times, segments=m, classes=c), shared=1
    )


@cache
def orbit(paradigm: str) -> Callable[..., Any]:
    """``(mu, m, c) -> nu`` of all rows."""
    return tiled(lambda mu, m, c: theory.nu_of_mu(paradigm, mu, segments=m, classes=c))


def error(found: Any, exact: Any) -> dict[str, float]:
    """Of ``[..., (mu, nu)]``, absolute: the largest, and the root mean square."""
    wrong = np.abs(np.asarray(found) - np.asarray(exact))
    return {"largest": float(np.max(wrong)), "rms": float(np.sqrt(np.mean(np.square(wrong))))}


def no_worse(one: dict[str, float], other: dict[str, float]) -> bool:
    """In both measures."""
    return all(one[name] <= other[name] for name in other)
