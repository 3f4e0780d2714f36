"""The reduced system solved in time, by paradigm."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Real

from jaxattn import theory
from jaxattn.contracts import InputError
from jaxattn.integrate import integrate
from jaxattn.names import resolve
from jaxattn.precision import needs_x64
from jaxattn.reduced.path import ReducedPath, made_path

__all__ = ["PARADIGMS", "solve_reduced"]

Scalar = Real[ArrayLike, ""]

PARADIGMS: dict[str, tuple[str, str]] = {
    **{name: (name, name) for name in theory.FLOW_OF},
    "hybrid": ("soft", "hard"),
}
"""By name: the paradigms that are in force before and from the switch on."""

_LOSSES = tuple(theory.LOSSES)
_FLOWS = np.array([list(theory.FIELDS).index(theory.FLOW_OF[name]) for name in _LOSSES])
"""The place among the fields of the field that descends each loss."""


def _pick(table: Mapping[str, Callable[..., Any]], code: Array, *args: Any) -> Array:
    """The entry number `code` of `table` at `args`; all are evaluated, one is taken."""
    options = [jnp.asarray(function(*args)) for function in table.values()]
    return jax.lax.select_n(jnp.broadcast_to(code, options[0].shape), *options)


def _field(clock: Array, state: Array, args: tuple[Array, ...]) -> Array:
    """The velocity in ``s = log(1 + t)``, which is ``1 + t = e^s`` times that in t."""
    (before, after), switch, segments, classes = args
    code = jnp.where(clock < switch, before, after)
    return jnp.exp(clock) * _pick(theory.FIELDS, code, state[0], state[1], segments, classes)


# One compiled program serves every paradigm: which fields are in force is traced, as the
# compilation costs a thousand times what evaluating all three costs.
@partial(jax.jit, static_argnames=("solver", "max_steps"))
def _solve(
    codes: Array,
    times: Array,
    start: Array,
    segments: Array,
    classes: Array,
    switch_time: Array,
    rtol: Array,
    atol: Array,
    solver: Any,
    max_steps: int,
) -> ReducedPath:
    before, after = flows = jnp.asarray(_FLOWS)[codes]
    start = jnp.where((segments >= 2) & (classes >= 2), start, jnp.nan)  # fails at once
    clock, switch = jnp.log1p(times), jnp.log1p(switch_time)
    # Save at the switch too: the second part of a hybrid has an invariant of its own there.
    turn = jnp.clip(switch, clock[0], clock[-1])
    place = jnp.searchsorted(clock, turn)
    solution = integrate(
        _field,
        start,
        jnp.insert(clock, place, turn),
        (flows, switch, segments, classes),
        jumps=switch[None],
        rtol=rtol,
        atol=atol,
        solver=solver,
        max_steps=max_steps,
    )
    rows = jnp.arange(times.size)
    mu, nu = solution.values[rows + (rows >= place)].T
    code = jnp.where(times < switch_time, before, after)

    def invariant(code: Array, mu: Array, nu: Array) -> Array:
        level = theory.attention_potential(nu, segments)
        return level - _pick(theory.CLASS_POTENTIALS, code, mu, classes)

    kept = jnp.where(
        times < switch_time,
        invariant(before, *solution.values[0]),
        invariant(after, *solution.values[place]),
    )
    drift = jnp.abs(invariant(code, mu, nu) - kept)
    worst = jnp.max(drift / theory.attention_potential_slope(nu, segments))
    code = jnp.where(times < switch_time, codes[0], codes[1])
    loss = _pick(theory.LOSSES, code, mu, nu, segments, classes)
    return made_path(times, (mu, nu), (segments, classes), loss, worst, solution)


def solve_reduced(
    paradigm: str,
    times: Float[ArrayLike, " save"],
    *,
    segments: Scalar,
    classes: Scalar,
    switch_time: Scalar = np.inf,
    mu0: Scalar = 0.0,
    nu0: Scalar = 0.0,
    rtol: Scalar = 1e-11,
    atol: Scalar = 1e-11,
    solver: Any = "tsit5",
    max_steps: int = 16_384,
) -> ReducedPath:
    """The path of (mu, nu) under gradient flow, from (mu0, nu0) at ``times[0]``.

    Solved in ``log(1 + t)``, in which no part of the path is much longer than another; the step
    size is clipped at the switch. At the default tolerance mu and nu are right to 1e-9 where they
    rise steeply, and to 1e-10 late (measured against 1e-14). Works under ``jit`` and under
    ``vmap`` over every number; a second call on as many times compiles nothing, whatever its
    paradigm.

    Args:
        paradigm: ``"soft"``, ``"hard"``, ``"lvml"``, ``"em"`` (the flow of LVML, with a loss of its
            own), or ``"hybrid"``, soft and then hard.
        times: when to save, increasing from 0 or later; see `log_times`. Learning time: gradient
            descent's steps times its learning rate.
        segments: m, 2 or more.
        classes: C, 2 or more.
        switch_time: when a hybrid goes over; others ignore it.
        mu0: logit of the right class above the others' at ``times[0]``.
        nu0: score of the foreground above the background's at ``times[0]``.
        rtol: relative error of one step.
        atol: absolute error of one step, in mu and nu.
        solver: as in `jaxattn.integrate.integrate`.
        max_steps: steps after which the run gives up.

    Returns:
        The path; a run that fails says so in its `status`, under ``jit`` also for a size below 2.

    Raises:
        InputError: no such paradigm; segments or classes below 2; JAX runs with x64 off.

    Source: equations and invariants in `jaxattn.theory.equations`.
    """
    needs_x64("theory")
    for name, size in (("segments", segments), ("classes", classes)):
        if isinstance(size, int | float | np.number) and not size >= 2:
            raise InputError(f"bad {name}: got {size}, expected 2 or more.")
    codes = [_LOSSES.index(name) for name in resolve("paradigm", PARADIGMS, paradigm)]
    if codes[0] == codes[1]:
        switch_time = np.inf

    def number(value: Scalar) -> Array:
        return jnp.asarray(value, jnp.float64)

    return _solve(
        jnp.asarray(codes, jnp.int32),
        jnp.asarray(times, jnp.float64),
        jnp.stack([number(mu0), number(nu0)]),
        number(segments),
        number(classes),
        number(switch_time),
        number(rtol),
        number(atol),
        solver,
        max_steps,
    )
