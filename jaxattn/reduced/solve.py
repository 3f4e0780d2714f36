"""The reduced system solved in time, by paradigm."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Int, Real

from jaxattn import theory
from jaxattn.core.contracts import InputError
from jaxattn.core.lookup import resolve
from jaxattn.core.precision import needs_x64
from jaxattn.integrate import integrate
from jaxattn.reduced.path import ReducedPath, Scalar, log_time_unit, made_path
from jaxattn.theory.checks import Valid, sound_start, sound_switch, sound_times

__all__ = ["PARADIGMS", "solve_reduced"]


PARADIGMS: dict[str, tuple[str, str]] = {
    **{name: (name, name) for name in theory.FLOW_OF},
    "hybrid": ("soft", "hard"),
}
"""The paradigms that are in force before, and from, the switch on, by the name of the whole."""

_LOSSES = tuple(theory.LOSSES)
_FLOWS = np.array([list(theory.FIELDS).index(theory.FLOW_OF[name]) for name in _LOSSES])
"""The place among the fields of the field that descends each loss."""


State = tuple[Array, Array]
"""mu and nu. Apart, as a vector of two is read and written in turns: half as much again."""
_Codes = tuple[Array, Array]
"""The places, among the entries of a table, of what is in force before and from the switch on."""


def _taken(table: Mapping[str, Callable[..., Any]], code: Array, args: tuple[Any, ...]) -> Any:
    """What the entry number `code` gives."""
    return jax.lax.switch(code, [partial(_called, function) for function in table.values()], args)


def _called(function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), function(*args))


def _in_force(
    table: Mapping[str, Callable[..., Any]], codes: _Codes, early: Array, *args: Any
) -> Any:
    """What the entry before the switch gives where it is `early`, elsewhere the one from it on.

    Which ones these are is the same for all rows of a ``vmap``, so that no other is evaluated, and
    of what is no hybrid one alone.
    """
    before, after = codes

    def both() -> Any:
        first, second = (_taken(table, code, args) for code in codes)
        return jax.tree.map(lambda one, other: jnp.where(early, one, other), first, second)

    return jax.lax.cond(before == after, lambda: _taken(table, before, args), both)


def _field(time: Array, state: State, args: tuple[Any, ...]) -> State:
    codes, switch_time, size = args
    return _in_force(theory.FIELDS, codes, time < switch_time, *state, *size)


def _asked_for(
    paradigm: str, switch_time: Scalar | None, times: Valid
) -> tuple[Int[np.ndarray, "2"], Valid]:
    """Which losses are in force before and from the switch, and when that is.

    Raises:
        InputError: no such paradigm; a hybrid without a switch within the horizon.
    """
    before, after = resolve("paradigm", PARADIGMS, paradigm)
    codes = np.array([_LOSSES.index(before), _LOSSES.index(after)], np.int32)
    if before == after:
        return codes, np.asarray(np.inf)
    if switch_time is None:
        raise InputError(f"bad switch_time: got None for {paradigm}, expected a time.")
    return codes, sound_switch(switch_time, times)


# One compiled program serves every paradigm: which fields are in force is traced, as compiling
# costs a thousand times what solving does.
@partial(jax.jit, static_argnames=("solver", "max_steps"))
def _solve(
    codes: Array,
    times: Array,
    row: tuple[Array, Array, Array, Array],
    switch_time: Array,
    rtol: Array,
    atol: Array,
    solver: Any,
    max_steps: int,
) -> ReducedPath:
    segments, classes, mu0, nu0 = row
    size = (segments, classes)
    losses: _Codes = (codes[0], codes[1])
    flows: _Codes = (jnp.asarray(_FLOWS)[codes[0]], jnp.asarray(_FLOWS)[codes[1]])
    # A traced row that is out of its domain starts at NaN, and so fails at once.
    valid = jnp.isfinite(segments) & jnp.isfinite(classes) & ~jnp.isnan(switch_time)
    start = (jnp.where(valid, mu0, jnp.nan), jnp.where(valid, nu0, jnp.nan))
    given = (flows, switch_time, size)
    # Save at the switch too: the second part of a hybrid has an invariant of its own there.
    turn = jnp.clip(switch_time, times[0], times[-1])
    place = jnp.searchsorted(times, turn)
    solution = integrate(
        _field,
        start,
        jnp.insert(times, place, turn),
        given,
        jumps=switch_time[None],
        log_time_unit=log_time_unit(jnp.stack(_field(times[0], start, given))),
        rtol=rtol,
        atol=atol,
        solver=solver,
        max_steps=max_steps,
    )
    rows = jnp.arange(times.size)
    mu, nu = (values[rows + (rows >= place)] for values in solution.values)
    early = times < switch_time

    def invariant(mu: Array, nu: Array, early: Array) -> Array:
        level = theory.attention_potential(nu, segments)
        return level - _in_force(theory.CLASS_POTENTIALS, flows, early, mu, classes)

    def at(save: Any) -> State:
        return solution.values[0][save], solution.values[1][save]

    conserved = jnp.where(
        early, invariant(*at(0), jnp.asarray(True)), invariant(*at(place), jnp.asarray(False))
    )
    drift = jnp.abs(invariant(mu, nu, early) - conserved)
    worst = jnp.max(drift / theory.attention_potential_slope(nu, segments))
    loss = _in_force(theory.LOSSES, losses, early, mu, nu, segments, classes)
    return made_path(times, (mu, nu), size, loss, worst, solution)


def solve_reduced(
    paradigm: str,
    times: Real[ArrayLike, " save"],
    *,
    segments: Scalar,
    classes: Scalar,
    switch_time: Scalar | None = None,
    mu0: Scalar = 0.0,
    nu0: Scalar = 0.0,
    rtol: Scalar = 1e-11,
    atol: Scalar = 1e-20,
    solver: Any = "tsit5",
    max_steps: int = 16_384,
) -> ReducedPath:
    """The path of (mu, nu) under gradient flow, from (mu0, nu0) at ``times[0]``.

    Solved in log time (`jaxattn.reduced.path.log_time_unit`), in which no part of the path is much
    longer than another; the step size is clipped at the switch. Works under ``jit`` and under
    ``vmap`` over every number, and can be differentiated in forward mode (``jax.jvp``,
    ``jax.jacfwd``); a second call on as many times compiles nothing, whatever its paradigm.

    Domain: times in [0, 1e15], m and C in [2, 1e9], mu0 and nu0 in [0, 40].
    Error: at rtol 1e-12, 1e-8 max(1, kappa) relative to mu and nu, with
    ``kappa = |d ln mu/d ln t|``, for m and C up to 1e6 and t in [1e-6, 1e9] from zero (measured
    against 50 digits: 2e-12 max(1, kappa), on 1,491 points, `test_the_path_is_that_of_the_oracle`;
    and against closed forms: 4e-11). At the default tolerance it is 4e-10 max(1, kappa). Forward
    derivatives are right to 1e-6 at rtol 1e-12 and ``solver="dopri8"``
    (`test_derivatives_of_both_doors_are_central_differences_of_the_oracle`): no step size controls
    them. Float64 alone.

    Args:
        paradigm: ``"soft"``, ``"hard"``, ``"lvml"``, ``"em"`` (the flow of LVML, with a loss of its
            own), or ``"hybrid"``, soft and then hard.
        times: when to save, never decreasing; see `log_times`. Learning time: gradient descent's
            steps times its learning rate.
        segments: m.
        classes: C.
        switch_time: when a hybrid goes over, in [0, last time]; others ignore it.
        mu0: logit of the right class above the others' at ``times[0]``.
        nu0: score of the foreground above the background's at ``times[0]``.
        rtol: relative error of one step.
        atol: absolute error of one step, in mu and nu; by default so small that each is right
            relative to itself, also where it is tiny.
        solver: as in `jaxattn.integrate.integrate`.
        max_steps: steps after which the run gives up.

    Returns:
        The path; a run that fails says so in its `status`.

    Raises:
        InputError: no such paradigm, or an argument outside its domain (where it is traced, that
            row fails instead, and is NaN); JAX runs with x64 off.

    Source: equations and invariants in `jaxattn.theory.equations`.
    """
    needs_x64("theory")
    row = sound_start(segments, classes, mu0, nu0)
    times = sound_times(times)
    codes, switch = _asked_for(paradigm, switch_time, times)
    return _solve(codes, times, row, switch, rtol, atol, solver, max_steps)
