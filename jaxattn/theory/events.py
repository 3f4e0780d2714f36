"""When attention and skill first pass a level, in closed form: time to focus and time to fit."""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Real

from jaxattn.core.contracts import InputError
from jaxattn.core.lookup import resolve
from jaxattn.theory.checks import LARGEST_SIZE, LARGEST_TIME, checked, checked_start
from jaxattn.theory.equations import FLOW_OF
from jaxattn.theory.orbits import mu_of_nu
from jaxattn.theory.times import time_of_mu, trajectory

__all__ = ["fit_mark", "focus_mark", "time_to_fit", "time_to_focus"]

Scalar = Real[ArrayLike, ""]
Time = Float[Array, ""]

_NAMES = {**FLOW_OF, "hybrid": "hybrid"}
_HIGHEST = 1.0 - 1e-15


def _mark(level: Scalar, name: str, size: Scalar) -> Time:
    """``log(level/(1-level)) + log(size-1)``; minus infinity at level 0."""
    level = checked("level", level, 0.0, _HIGHEST)
    others = checked(name, size, 2.0, LARGEST_SIZE) - 1.0
    return jnp.log(level) - jnp.log1p(-level) + jnp.log(others)


def focus_mark(level: Scalar, segments: Scalar) -> Time:
    """The nu at which ``alpha = e^nu / (e^nu + m - 1)`` is `level`.

    Args:
        level: in [0, 1 - 1e-15].
        segments: m.

    Raises:
        InputError: an argument outside its domain; NaN where it is traced.
    """
    return _mark(level, "segments", segments)


def fit_mark(level: Scalar, classes: Scalar) -> Time:
    """The mu at which ``beta = e^mu / (e^mu + C - 1)`` is `level`.

    Args:
        level: in [0, 1 - 1e-15].
        classes: C.

    Raises:
        InputError: an argument outside its domain; NaN where it is traced.
    """
    return _mark(level, "classes", classes)


@partial(jax.jit, static_argnames=("paradigm", "which"))
def _passage(
    paradigm: str,
    which: int,
    mark: Time,
    segments: Time,
    classes: Time,
    mu0: Time,
    nu0: Time,
    switch: Time,
) -> Time:
    """When mu (0) or nu (1) passes `mark`; everything is checked, or NaN."""
    size = {"segments": segments, "classes": classes}

    def passed(paradigm: str, place: Time, mu0: Time, nu0: Time) -> Time:
        row = {**size, "mu0": mu0, "nu0": nu0}
        mu = place if which == 0 else mu_of_nu(paradigm, place, **row)
        return time_of_mu(paradigm, mu, **row)

    low = (mu0, nu0)[which]
    if paradigm != "hybrid":
        return passed(paradigm, jnp.maximum(mark, low), mu0, nu0)
    turn = trajectory("soft", switch, **size, mu0=mu0, nu0=nu0)
    before = passed("soft", jnp.clip(mark, low, turn[which]), mu0, nu0)
    after = passed("hard", jnp.maximum(mark, turn[which]), *turn)
    return jnp.where(mark <= turn[which], before, switch + after)


def _asked(
    paradigm: str,
    which: int,
    mark: Time,
    segments: Scalar,
    classes: Scalar,
    switch_time: Scalar | None,
    mu0: Scalar,
    nu0: Scalar,
) -> Time:
    paradigm = resolve("paradigm", _NAMES, paradigm)
    if (paradigm == "hybrid") != (switch_time is not None):
        expected = "a time" if paradigm == "hybrid" else "none"
        raise InputError(f"bad switch_time: got {switch_time} for {paradigm}, expected {expected}.")
    switch = checked("switch_time", 0.0 if switch_time is None else switch_time, 0.0, LARGEST_TIME)
    start = checked_start(segments, classes, mu0, nu0)
    return _passage(paradigm, which, mark, *start, switch)


def time_to_focus(
    paradigm: str,
    level: Scalar,
    *,
    segments: Scalar,
    classes: Scalar,
    switch_time: Scalar | None = None,
    mu0: Scalar = 0.0,
    nu0: Scalar = 0.0,
) -> Time:
    """The time at which attention on the foreground, alpha, passes `level`: ``t(mu(nu*))``.

    ``nu*`` is the logit of the level plus ``log(m-1)`` (`focus_mark`); the orbit has mu there
    (`jaxattn.theory.mu_of_nu`) and time is its quadrature (`jaxattn.theory.time_of_mu`). A hybrid
    passes it on its soft orbit or, later than the switch, on the hard one from there.

    Domain: levels in [0, 1 - 1e-15], the rest as in `jaxattn.theory.trajectory`; 0 where the start
    is past the level, NaN beyond t = 1e15. Error: 3e-12 relative
    (`test_the_times_of_passage_are_those_of_the_oracle`).

    Args:
        paradigm: ``"soft"``, ``"hard"``, ``"lvml"``, ``"em"`` or ``"hybrid"``.
        level: alpha.
        segments: m.
        classes: C.
        switch_time: when a hybrid turns hard. The others take none.
        mu0: start.
        nu0: start.

    Raises:
        InputError: an argument outside its domain, or an unknown paradigm; NaN where it is traced.
    """
    mark = focus_mark(level, segments)
    return _asked(paradigm, 1, mark, segments, classes, switch_time, mu0, nu0)


def time_to_fit(
    paradigm: str,
    level: Scalar,
    *,
    segments: Scalar,
    classes: Scalar,
    switch_time: Scalar | None = None,
    mu0: Scalar = 0.0,
    nu0: Scalar = 0.0,
) -> Time:
    """The time at which the probability of the right class, beta, passes `level`: ``t(mu*)``.

    ``mu*`` is the logit of the level plus ``log(C-1)`` (`fit_mark`). Domain and error: those of
    `time_to_focus`.

    Args:
        paradigm: ``"soft"``, ``"hard"``, ``"lvml"``, ``"em"`` or ``"hybrid"``.
        level: beta.
        segments: m.
        classes: C.
        switch_time: when a hybrid turns hard. The others take none.
        mu0: start.
        nu0: start.

    Raises:
        InputError: an argument outside its domain, or an unknown paradigm; NaN where it is traced.
    """
    mark = fit_mark(level, classes)
    return _asked(paradigm, 0, mark, segments, classes, switch_time, mu0, nu0)
