"""The reduced system in time, without an ODE solver: t(mu), and mu(t), nu(t) by its inversion."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Real

from jaxattn.core.contracts import InputError
from jaxattn.core.lookup import resolve
from jaxattn.theory.checks import (
    LARGEST_STATE,
    LARGEST_TIME,
    checked,
    sound_start,
    sound_switch,
    sound_times,
)
from jaxattn.theory.equations import FLOW_OF
from jaxattn.theory.panels import Panels, cut, series
from jaxattn.theory.roots import increasing_root
from jaxattn.theory.special import exp_climb

__all__ = ["State", "time_of_mu", "trajectory"]

Scalar = Real[ArrayLike, ""]
Values = Float[Array, "*save"]

_ONE = {name: (flow, flow) for name, flow in FLOW_OF.items()}
_PARADIGMS = {**_ONE, "hybrid": ("soft", "hard")}


class State(NamedTuple):
    """mu and nu at each time."""

    mu: Values
    nu: Values


def _taken(panels: Panels, place: Array) -> Panels:
    return jax.tree.map(lambda leaf: leaf[place], panels)


def _place(panel: Panels, time: Values) -> Values:
    """Where in its panel, in [0, 1], a time since the start lies."""
    part = (time - panel.time) / (panel.end - panel.time)
    # The pace changes about as an exponential between its values at both ends.
    first, last = (series(panel.slope, jnp.full_like(time, side)) for side in (0.0, 1.0))
    growth = last / first
    bent = jnp.log1p(part * (growth - 1.0)) / jnp.log(growth)
    guess = jnp.where(jnp.abs(growth - 1.0) < 1e-3, part, bent)

    def gap(x: Values, wanted: Values, panel: Panels) -> tuple[Values, Values]:
        return x * series(panel.mean, x) - wanted, series(panel.slope, x)

    low = jnp.zeros_like(part)
    wanted = (time - panel.time) / panel.width
    return increasing_root(gap, (wanted, panel), low, low + 1.0, jnp.clip(guess, 0.0, 1.0))


def _from(
    paradigm: str, time: Values, segments: Array, classes: Array, mu0: Array, nu0: Array
) -> State:
    """The orbit from (mu0, nu0) at times since then; NaN beyond the last panel."""
    panels = cut(paradigm, segments, classes, mu0, nu0, last_time=jnp.max(time))
    place = jnp.searchsorted(jax.lax.stop_gradient(panels.end), time, side="right")
    panel = _taken(panels, jnp.minimum(place, panels.end.size - 1))
    step = panel.width * _place(panel, time)
    x = step / panel.width
    height = step * (panel.climb + panel.width * x * series(panel.bend, x))
    mu = mu0 + (panel.edge + step)
    nu = nu0 + (panel.eta + exp_climb(height, panel.odds))
    # A factor, as a choice between a value and NaN would leave a slope of 0.
    valid = jnp.where(time <= panels.end[-1], 1.0, jnp.nan)
    return State(valid * mu, valid * nu)


@partial(jax.jit, static_argnames=("before", "after"))
def _trajectory(
    before: str,
    after: str,
    times: Values,
    segments: Array,
    classes: Array,
    mu0: Array,
    nu0: Array,
    switch: Array,
) -> State:
    size = (segments, classes)
    if before == after:
        return _from(before, times, *size, mu0, nu0)
    # The switch first, and the times in the same panels.
    early = jnp.append(switch, jnp.minimum(times, switch))
    states = _from(before, early, *size, mu0, nu0)
    turn = State(states.mu[0], states.nu[0])
    first = State(*(value[1:].reshape(times.shape) for value in states))
    then = _from(after, jnp.maximum(times - switch, 0.0), *size, *turn)
    return jax.tree.map(lambda one, other: jnp.where(times < switch, one, other), first, then)


def trajectory(
    paradigm: str,
    times: Real[ArrayLike, "*save"],
    *,
    segments: Scalar,
    classes: Scalar,
    mu0: Scalar = 0.0,
    nu0: Scalar = 0.0,
    switch_time: Scalar | None = None,
) -> State:
    """The mu and nu at these times, by quadrature along the orbit and its inversion.

    ``t(mu) = int_mu0^mu ds / mu'(s, nu(s))`` is tabulated once (`jaxattn.theory.panels`), each time
    is found in it by Newton's method, and nu follows from mu by the orbit. Everything but the
    paradigm is traced: ``vmap`` over sizes, starts and switches, and differentiate (once, forward
    or reverse) by them and by the times.

    Domain: times in [0, 1e15], m and C in [2, 1e9], mu0 and nu0 in [0, 40].
    Error: 1e-12 max(1, kappa) relative, where ``kappa = |d ln mu/d ln t|``, for m and C up to 1e6
    and t in [1e-6, 1e12] from zero, measured on 2,000 points of 25 digits
    (`test_the_trajectory_is_that_of_the_oracle`; the largest is 2e-14 max(1, kappa)). In float32,
    with x64 off, it is 1e-4 max(1, kappa) (`test_in_float32_digits_are_lost_and_nothing_else`).

    Args:
        paradigm: ``"soft"``, ``"hard"``, ``"lvml"``, ``"em"``, or ``"hybrid"``: soft, then hard.
        times: not decreasing.
        segments: m.
        classes: C.
        mu0: start.
        nu0: start.
        switch_time: when a hybrid turns hard, in [0, last time]. The others take none.

    Raises:
        InputError: an argument outside its domain, or an unknown paradigm. Where the argument is
            traced, all of that row is NaN instead.
    """
    before, after = resolve("paradigm", _PARADIGMS, paradigm)
    sizes = sound_start(segments, classes, mu0, nu0)
    times = sound_times(times)
    if (before == after) != (switch_time is None):
        expected = "none" if before == after else "a time within the horizon"
        raise InputError(f"bad switch_time: got {switch_time} for {paradigm}, expected {expected}.")
    switch = 0.0 if switch_time is None else sound_switch(switch_time, times)
    return _trajectory(before, after, times, *sizes, switch)


def time_of_mu(
    paradigm: str,
    mu: Real[ArrayLike, "*save"],
    *,
    segments: Scalar,
    classes: Scalar,
    mu0: Scalar = 0.0,
    nu0: Scalar = 0.0,
) -> Values:
    """The time at which the orbit from (mu0, nu0) passes mu: ``int_mu0^mu ds / mu'(s, nu(s))``.

    Domain: mu in [mu0, 80], of which NaN comes back where it lies beyond t = 1e15; the rest as in
    `trajectory`. Error: 3e-14 relative (`test_time_is_that_of_the_oracle`).

    Args:
        paradigm: ``"soft"``, ``"hard"``, ``"lvml"`` or ``"em"``.
        mu: points on the orbit.
        segments: m.
        classes: C.
        mu0: start.
        nu0: start.

    Raises:
        InputError: an argument outside its domain, or an unknown paradigm; NaN where it is traced.
    """
    paradigm, _ = resolve("paradigm", _ONE, paradigm)
    sizes = sound_start(segments, classes, mu0, nu0)
    delta = checked("mu - mu0", jnp.subtract(mu, mu0), 0.0, LARGEST_STATE)
    return _time_at(paradigm, delta, *sizes)


@partial(jax.jit, static_argnames="paradigm")
def _time_at(
    paradigm: str, delta: Values, segments: Array, classes: Array, mu0: Array, nu0: Array
) -> Values:
    panels = cut(paradigm, segments, classes, mu0, nu0, last_delta=jnp.max(delta))
    place = jnp.searchsorted(panels.edge, delta, side="right") - 1
    panel = _taken(panels, place)
    x = (delta - panel.edge) / panel.width
    time = panel.time + panel.width * x * series(panel.mean, x)
    return jnp.where((x <= 1.0) & (time <= LARGEST_TIME), time, jnp.nan)
