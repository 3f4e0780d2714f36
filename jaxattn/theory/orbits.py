"""The orbits of the reduced system: nu as a function of mu and back, without time.

From a start (mu0, nu0), where both are at least 0, gradient flow moves along
``A(nu) - A(nu0) = R(mu) - R(mu0)`` (`jaxattn.theory.potentials`). From zero it is solved by
``nu = q - omega(q - log(m-1))`` with ``q = R(mu) + 1/(m-1)`` and Wright's omega; solved for the
rise ``eta = nu - nu0`` itself (`exp_climb`), it keeps its digits where nu is tiny.

A hybrid, soft attention up to a switch and hard attention after it, follows one orbit up to the
state at the switch, and then the hard orbit that starts there.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Real

from jaxattn.core.lookup import resolve
from jaxattn.theory.checks import LARGEST_START, LARGEST_STATE, checked, checked_start
from jaxattn.theory.equations import FLOW_OF
from jaxattn.theory.potentials import CLASS_RISES, CLASS_SLOPES
from jaxattn.theory.roots import increasing_root
from jaxattn.theory.special import exp_climb

__all__ = ["focus_rise", "hybrid_nu_of_mu", "mu_of_nu", "nu_of_mu", "skill_rise"]

Number = Real[ArrayLike, "..."]
Result = Float[Array, "..."]
Size = Real[ArrayLike, "..."]

_FAR = 100.0
"""Above every mu that an orbit in the domain reaches."""


def focus_rise(height: Result, nu0: Result, segments: Result) -> Result:
    """The eta with ``A(nu0 + eta) - A(nu0) = eta + b (e^eta - 1) = height``, ``b = e^nu0/(m-1)``.

    Domain: height >= 0, nu0 in [0, 690], m >= 2. Error: 2e-15 relative to eta, however small.
    """
    return exp_climb(height, jnp.exp(nu0 - jnp.log(segments - 1.0)))


def skill_rise(paradigm: str, height: Result, mu0: Result, classes: Result) -> Result:
    """The delta with ``R(mu0 + delta) - R(mu0) = height``: the other direction.

    Domain: height in [0, 1e27], mu0 in [0, 40], C >= 2. Error: 4e-15 relative to delta.
    """
    height, mu0, classes = jnp.broadcast_arrays(height, mu0, classes)
    shrink = (classes - 1.0) / classes
    slope0 = CLASS_SLOPES[paradigm](mu0, classes)
    inside = jnp.where(height > 0.0, height, 1.0)
    # Soft attention's own answer, which the others share where delta is small. Beyond, R grows
    # like e^mu, and linearly for LVML of many classes: a factor of e^10 is enough either way.
    first = 2.0 * inside / (slope0 + jnp.sqrt(jnp.square(slope0) + 2.0 * shrink * inside))
    first = jax.lax.stop_gradient(jnp.minimum(first, _FAR))

    def gap(
        x: Result, first: Result, height: Result, mu0: Result, classes: Result
    ) -> tuple[Result, Result]:
        # In logarithms of both sides the slope lies between 1 and about mu.
        delta = first * jnp.exp(x)
        rise = CLASS_RISES[paradigm](delta, mu0, classes)
        slope = delta * CLASS_SLOPES[paradigm](mu0 + delta, classes) / rise
        return jnp.log(rise / height), slope

    zero = jnp.zeros_like(first)
    args = (first, inside, mu0, classes)
    high = jnp.minimum(10.0, jnp.log(_FAR / first))
    root = increasing_root(gap, args, zero - 10.0, high, zero, floor=1.0)
    return jnp.where(height > 0.0, first * jnp.exp(root), 0.0 * height)


def nu_of_mu(
    paradigm: str, mu: Number, *, segments: Size, classes: Size, mu0: Size = 0.0, nu0: Size = 0.0
) -> Result:
    """The nu where the orbit from (mu0, nu0) passes mu: ``A(nu) = A(nu0) + R(mu) - R(mu0)``.

    Domain: mu in [mu0, 80], mu0 and nu0 in [0, 40], m and C in [2, 1e9]. Error: 4e-15 relative to
    ``nu - nu0`` and to the rounding of ``mu - mu0``
    (`test_the_orbit_is_that_of_fifty_digits_both_ways`).

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
    paradigm = resolve("paradigm", FLOW_OF, paradigm)
    segments, classes, mu0, nu0 = checked_start(segments, classes, mu0, nu0)
    delta = checked("mu - mu0", jnp.subtract(mu, mu0), 0.0, LARGEST_STATE)
    return nu0 + focus_rise(CLASS_RISES[paradigm](delta, mu0, classes), nu0, segments)


def mu_of_nu(
    paradigm: str, nu: Number, *, segments: Size, classes: Size, mu0: Size = 0.0, nu0: Size = 0.0
) -> Result:
    """The mu where the orbit from (mu0, nu0) passes nu: the inverse of `nu_of_mu`.

    Domain: ``nu - nu0`` in [0, 60], the rest as in `nu_of_mu`. Error: 4e-15 relative to
    ``mu - mu0`` and to the rounding of ``nu - nu0``
    (`test_the_orbit_is_that_of_fifty_digits_both_ways`). Where nu = nu0 the slope is infinite if
    mu0 = 0 (mu starts as the root of nu), and given as 0.

    Args:
        paradigm: ``"soft"``, ``"hard"``, ``"lvml"`` or ``"em"``.
        nu: points on the orbit.
        segments: m.
        classes: C.
        mu0: start.
        nu0: start.

    Raises:
        InputError: an argument outside its domain, or an unknown paradigm; NaN where it is traced.
    """
    paradigm = resolve("paradigm", FLOW_OF, paradigm)
    segments, classes, mu0, nu0 = checked_start(segments, classes, mu0, nu0)
    eta = checked("nu - nu0", jnp.subtract(nu, nu0), 0.0, 60.0)
    height = eta + jnp.exp(nu0 - jnp.log(segments - 1.0)) * jnp.expm1(eta)
    return mu0 + skill_rise(paradigm, height, mu0, classes)


def hybrid_nu_of_mu(mu: Number, switch_mu: Size, *, segments: Size, classes: Size) -> Result:
    """The nu where a hybrid from zero passes mu: soft up to `switch_mu`, then hard.

    Domain: mu in [0, 80], switch_mu in [0, 40], where nu at the switch is at most 40 for every
    size. Error: that of `nu_of_mu`, relative to nu
    (`test_a_hybrid_follows_soft_and_then_hard_attention`).

    Args:
        mu: points on the orbit.
        switch_mu: mu at the switch.
        segments: m.
        classes: C.

    Raises:
        InputError: an argument outside its domain; NaN where it is traced.
    """
    mu = checked("mu", mu, 0.0, LARGEST_STATE)
    switch_mu = checked("switch_mu", switch_mu, 0.0, LARGEST_START)
    size = {"segments": segments, "classes": classes}
    turn = nu_of_mu("soft", switch_mu, **size)
    before = nu_of_mu("soft", jnp.minimum(mu, switch_mu), **size)
    after = nu_of_mu("hard", jnp.maximum(mu, switch_mu), **size, mu0=switch_mu, nu0=turn)
    return jnp.where(mu < switch_mu, before, after)
