"""The best mixture of soft and hard attention for a horizon, and the test of Pontryagin.

The loss ``lambda(t) L_soft + (1 - lambda(t)) L_hard`` moves the reduced system by the same mixture
of the two fields, ``y' = f_hard + lambda g`` with ``g = f_soft - f_hard``. Which lambda(t) in
[0, 1] ends with the largest nu (attention grows with it)? The Hamiltonian ``p . (f_hard + lambda
g)`` is linear in lambda, so an optimum is *bang-bang*, 1 where the switching function
``sigma = p . g`` is positive and 0 where it is negative, but for arcs on which sigma vanishes. The
costate p obeys ``p' = -J^T p`` and is (0, 1) at the horizon. On such a singular arc ``p . g = 0``
and ``p . [f_hard, g] = 0``, so the determinant ``det(g, [f_hard, g])`` has to vanish along it; at
a zero of sigma where it does not, sigma crosses zero.

Here lambda is constant on each of many cells, and climbs by Adam in its logits.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Int, Real

from jaxattn import theory
from jaxattn.integrate import integrate
from jaxattn.integrate.log_time import LogClock
from jaxattn.reduced import solve_mixture
from jaxattn.training.optimisers import as_optimiser

__all__ = [
    "AT_AN_END",
    "Climb",
    "Costate",
    "cell_edges",
    "climb",
    "costate",
    "determinant",
    "focus_under",
    "recut",
    "within",
]

Scalar = Real[ArrayLike, ""]
Cells = Float[Array, "cell"]
Edges = Float[Array, "edge"]
State = Float[Array, "2"]

_EARLIEST = 0.1
"""End of the first cell in units of segments x classes; before it the two fields hardly differ."""
AT_AN_END = 0.01
"""A share of soft attention this near to 0 or 1 counts as there."""
_ERROR = 1e-9
"""The error of one step, in mu and nu: the derivative by an early cell's share is small, too."""
_MOMENTS = {"beta1": 0.9, "beta2": 0.99, "epsilon": 1e-14}
"""What Adam is run with: derivatives by early cells are far below its usual epsilon."""


class Climb(NamedTuple):
    """Where an ascent ended: shares by cell, nu at the horizon, and how its last solve ended.

    Shares within 0.01 of an end of [0, 1] are put there, unless that loses.
    """

    share: Cells
    nu: Float[Array, ""]
    status: Int[Array, ""]


class Costate(NamedTuple):
    """A path seen from its end, at the times asked for.

    `switching` is ``sigma = p . g``, `determinant` is that of `determinant`, and `gathered` the
    integral of sigma from that time to the horizon: its differences over cells are the
    derivatives of nu at the horizon by the shares of these cells.
    """

    mu: Float[Array, " save"]
    nu: Float[Array, " save"]
    switching: Float[Array, " save"]
    determinant: Float[Array, " save"]
    gathered: Float[Array, " save"]
    status: Int[Array, ""]


def cell_edges(horizon: Scalar, cells: int, *, segments: Scalar, classes: Scalar) -> Edges:
    """Edges of `cells` cells in time: the first from 0, the others equal in the logarithm.

    Args:
        horizon: where the last one ends.
        cells: how many, 2 or more.
        segments: m.
        classes: C.
    """
    first = _EARLIEST * jnp.minimum(jnp.multiply(segments, classes), jnp.asarray(horizon, float))
    edges = first * (horizon / first) ** jnp.linspace(0.0, 1.0, cells)
    return jnp.concatenate([jnp.zeros((1,)), edges[:-1], jnp.asarray(horizon, float)[None]])


def within(edges: Edges, each: int) -> Float[Array, " save"]:
    """`each` times for every cell, evenly spaced from its start on, and the end of the last."""
    places = jnp.arange(each * (edges.size - 1) + 1) / each
    return jnp.interp(places, jnp.arange(edges.size, dtype=float), edges)


def recut(share: Cells, edges: Edges) -> Edges:
    """As many cells, half of them where the shares change most, on two of the old cells.

    Outside these two, the old cells are merged evenly. Where nothing changes, the two are the
    last ones: what comes too late for the old cells would be there.

    Args:
        share: by cell.
        edges: of the cells.
    """
    cells = share.size
    fine = cells // 2
    change = jnp.abs(jnp.diff(share))
    place = jnp.where(jnp.max(change) > AT_AN_END, jnp.argmax(change), cells - 2)
    low, high = edges[place], edges[place + 2]
    # Cells outside, counted from 0 along time, are merged evenly.
    before, after = place, cells - 2 - place
    index = jnp.arange(cells + 1)
    outer = cells - fine
    early = jnp.round(outer * before / (cells - 2)).astype(int)
    early = jnp.clip(early, jnp.minimum(before, 1), outer - jnp.minimum(after, 1))
    late = outer - early
    places = jnp.where(
        index <= early,
        before * index / jnp.maximum(early, 1),
        place + 2 + after * (index - early - fine) / jnp.maximum(late, 1),
    )
    outside = jnp.interp(places, index.astype(float), edges)
    inside = low + (high - low) * (index - early) / fine
    return jnp.where((index >= early) & (index <= early + fine), inside, outside)


def _stairs(time: Array, args: tuple[Cells, Edges]) -> Array:
    share, edges = args
    return share[jnp.searchsorted(edges[1:-1], time, side="right")]


def focus_under(
    share: Cells, edges: Edges, *, segments: Scalar, classes: Scalar
) -> tuple[Float[Array, ""], Int[Array, ""]]:
    """The nu at the horizon, ``edges[-1]``, under these shares of soft attention; and the status.

    Differentiable in forward mode. Error: 1e-7 in nu
    (`test_a_schedule_of_one_and_then_zero_is_the_hybrid_of_the_closed_form`).

    Args:
        share: of soft attention in each cell, in [0, 1].
        edges: times, one more than cells, from 0.
        segments: m.
        classes: C.
    """
    path = solve_mixture(
        _stairs,
        edges[jnp.array([0, -1])],
        segments=segments,
        classes=classes,
        args=(share, edges),
        jumps=edges[1:-1],
        rtol=_ERROR,
        atol=_ERROR,
    )
    return path.nu[-1], path.status


@partial(jax.jit, static_argnames="steps")
def climb(
    logits: Cells, edges: Edges, rate: Scalar, *, segments: Scalar, classes: Scalar, steps: int
) -> Climb:
    """Ascend nu at the horizon by Adam in the logits of the shares, from these logits.

    Args:
        logits: of the shares by cell: where to start.
        edges: of the cells, in time.
        rate: Adam's learning rate, in logits a step.
        segments: m.
        classes: C.
        steps: how many.
    """
    hyper = {name: jnp.asarray(value) for name, value in _MOMENTS.items()}
    adam = as_optimiser("adam").make(hyper, lambda count: jnp.asarray(rate, float))

    def downhill(logits: Cells) -> Array:
        return -focus_under(jax.nn.sigmoid(logits), edges, segments=segments, classes=classes)[0]

    def step(_: Array, carry: tuple) -> tuple:
        logits, state = carry
        updates, state = adam.update(jax.jacfwd(downhill)(logits), state, logits)
        return logits + updates, state

    logits, _ = jax.lax.fori_loop(0, steps, step, (logits, adam.init(logits)))
    share = jax.nn.sigmoid(logits)
    put = jnp.where(share > 1.0 - AT_AN_END, 1.0, jnp.where(share < AT_AN_END, 0.0, share))
    both = jnp.stack([put, share])
    nu, status = jax.vmap(
        lambda share: focus_under(share, edges, segments=segments, classes=classes)
    )(both)
    better = jnp.argmax(nu)  # a NaN, where a solve failed, counts as largest and is seen
    return Climb(both[better], nu[better], status[better])


def _fields(state: State, size: tuple[Scalar, Scalar]) -> tuple[State, State]:
    """``f_hard`` and ``g``."""
    soft, hard = (
        jnp.stack(theory.FIELDS[name](state[0], state[1], *size)) for name in ("soft", "hard")
    )
    return hard, soft - hard


def determinant(state: State, *, segments: Scalar, classes: Scalar) -> Float[Array, ""]:
    """``det(g, [f_hard, g])`` of the Lie bracket, over the sum of its two products' sizes.

    In [-1, 1]. Where it is not 0 there is no singular arc; where it is negative and the costate
    has positive entries, sigma can only pass from positive to negative: from soft to hard.

    Args:
        state: mu and nu.
        segments: m.
        classes: C.
    """
    size = (segments, classes)
    (hard, gap), (hard_slope, gap_slope) = (
        _fields(state, size),
        jax.jacfwd(lambda state: _fields(state, size))(state),
    )
    bracket = gap_slope @ hard - hard_slope @ gap
    products = gap[0] * bracket[1], gap[1] * bracket[0]
    total = jnp.abs(products[0]) + jnp.abs(products[1])
    return (products[0] - products[1]) / jnp.where(total > 0.0, total, 1.0)


@jax.jit
def costate(
    share: Cells,
    edges: Edges,
    times: Float[Array, " save"],
    *,
    segments: Scalar,
    classes: Scalar,
) -> Costate:
    """The switching function along a schedule's path, by the adjoint equation solved backwards.

    State and costate are solved together from the horizon to 0, in ``log(1 + t)``; the state
    starts there from where the schedule leads. An independent check of the derivatives that the
    ascent uses (`test_sigma_gathered_over_a_cell_is_the_derivative_by_its_share`).

    Args:
        share: of soft attention by cell.
        edges: of the cells, in time.
        times: when to look, increasing from 0 to the horizon.
        segments: m.
        classes: C.
    """
    size = (jnp.asarray(segments, float), jnp.asarray(classes, float))
    path = solve_mixture(
        _stairs,
        edges[jnp.array([0, -1])],
        segments=segments,
        classes=classes,
        args=(share, edges),
        jumps=edges[1:-1],
        rtol=1e-11,
        atol=1e-11,
    )
    clock = LogClock(jnp.asarray(0.0), jnp.asarray(1.0))
    end = clock.at(edges[-1])
    turns = end - clock.at(edges[1:-1][::-1])  # increasing: backwards from the horizon
    backwards = share[::-1]

    def field(back: Array, full: Array, args: object) -> Array:
        del args
        state, adjoint = full[:2], full[2:4]
        part = backwards[jnp.searchsorted(turns, back, side="right")]

        def mixed(state: State) -> tuple[State, State]:
            hard, gap = _fields(state, size)
            return hard + part * gap, gap

        speed, pull, gap = jax.vjp(mixed, state, has_aux=True)
        (turned,) = pull(adjoint)
        sigma = jnp.dot(adjoint, gap)
        return clock.pace(end - back) * jnp.concatenate([-speed, turned, sigma[None]])

    full = jnp.stack([path.mu[-1], path.nu[-1], 0.0, 1.0, 0.0])
    solution = integrate(
        field, full, (end - clock.at(times))[::-1], jumps=turns, rtol=1e-10, atol=1e-12
    )
    values = solution.values[::-1]

    def look(full: Array) -> tuple[Array, Array]:
        _, gap = _fields(full[:2], size)
        bent = determinant(full[:2], segments=segments, classes=classes)
        return jnp.dot(full[2:4], gap), bent

    sigma, bent = jax.vmap(look)(values)
    status = jnp.maximum(path.status, solution.status)  # DONE is the smaller of the two
    return Costate(values[:, 0], values[:, 1], sigma, bent, values[:, 4], status)
