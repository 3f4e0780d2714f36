"""Special functions that JAX lacks, in the log space in which the closed forms need them."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import spence
from jaxtyping import Array, ArrayLike, Float, Real

__all__ = ["exp_climb", "exp_dilogarithm", "exp_excess", "gauss_legendre", "wright_omega"]

Number = Real[ArrayLike, "..."]
Result = Float[Array, "..."]


def gauss_legendre(points: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes in (0, 1) and weights that sum to 1: exact for polynomials of degree 2 points - 1."""
    nodes, weights = np.polynomial.legendre.leggauss(points)
    return (1.0 + nodes) / 2.0, weights / 2.0


def _improved(omega: Array, residual: Array) -> Array:
    """One step of fourth order on ``omega + log(omega) = x``, from ``x - omega - log(omega)``."""
    grown = 1.0 + omega
    bend = 2.0 * grown * (grown + 2.0 / 3.0 * residual)
    return omega * (1.0 + residual / grown * (bend - residual) / (bend - 2.0 * residual))


@jax.custom_jvp
def wright_omega(x: Number) -> Result:
    """The Wright omega function, ``omega + log(omega) = x``: Lambert's ``W0(e^x)``, no overflow.

    Domain: all real x; about ``e^x`` far below 0, where it underflows with it (to 0 below -745),
    and ``x - log x`` far above. Error: 2 units in the last place for x in [-708, 1e13]
    (`test_wright_omega_is_lambert_w_of_the_exponential`). Differentiable as often as one likes:
    ``omega' = omega / (1 + omega)``. NaN and +inf give themselves.

    Method: a start that is right to 2% everywhere (S. Winitzki, "Uniform approximations for
    transcendental functions", 2003) and two steps of fourth order (P. W. Lawrence, R. M. Corless,
    D. J. Jeffrey, "Algorithm 917: Complex Double-Precision Evaluation of the Wright omega
    Function", 2012).

    Args:
        x: the logarithm of Lambert's argument.
    """
    x = jnp.asarray(x, jnp.result_type(float, x))
    # Outside, the answer is e^x or x itself to the last bit.
    unit = float(jnp.finfo(x.dtype).eps)
    low, high = math.log(unit) - 1.0, 1e3 / unit
    inside = jnp.clip(x, low, high)
    soft = jax.nn.softplus(inside)
    omega = soft * (1.0 - jnp.log1p(soft) / (2.0 + soft))
    omega = _improved(omega, inside - omega - jnp.log(omega))
    # Below 0 the residual is that of omega e^omega = e^x, as log(omega) would be rounded to |x|
    # units; above, that of the logarithms.
    below = jnp.minimum(inside, 0.0)
    small = jnp.minimum(omega, 1.0)
    grown = jnp.expm1(small)
    product = (jnp.exp(below) - small - small * grown) / (small * (1.0 + grown))
    omega = _improved(omega, jnp.where(inside < 0.0, product, inside - omega - jnp.log(omega)))
    omega = jnp.where(x < low, jnp.exp(jnp.minimum(x, 0.0)), omega)
    return jnp.where(x > high, x, jnp.where(jnp.isnan(x), jnp.nan, omega))


@wright_omega.defjvp
def _wright_omega_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    omega = wright_omega(primals[0])
    return omega, tangents[0] * _share(omega)


@jax.custom_jvp
def _share(omega: Array) -> Array:
    """``omega / (1 + omega)``, the slope of omega; the rule of quotients would cancel."""
    return omega / (1.0 + omega)


@_share.defjvp
def _share_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    grown = 1.0 + primals[0]
    return _share(primals[0]), tangents[0] / grown / grown


@jax.custom_jvp
def exp_climb(height: Number, share: Number) -> Result:
    """The eta >= 0 with ``eta + share (e^eta - 1) = height``.

    Domain: height >= 0, share in [1e-9, 1e300], eta up to 60. Error: 2e-15 relative to eta, however
    small (`test_the_climb_of_an_exponential_keeps_its_digits`). Differentiable as often as one
    likes, by the implicit function.

    Method: each term alone bounds eta from above, and the smaller bound is right to 2.3. Two steps
    of fourth order (A. S. Householder, The Numerical Treatment of a Single Nonlinear Equation,
    1970) leave 4e-2 and 3e-8 of it, and one of Newton's the rounding.

    Args:
        height: what is climbed.
        share: ``e^nu0 / (m-1)`` of an orbit, where eta is ``nu - nu0``.
    """
    height, share = jnp.asarray(height), jnp.asarray(share)
    eta = jnp.minimum(height / (1.0 + share), jnp.log1p(height / share))
    for _ in range(2):
        grown = jnp.expm1(eta)
        bend = share + share * grown
        ratio, bent = (eta + share * grown - height) / (1.0 + bend), bend / (1.0 + bend)
        turn = ratio * bent
        eta -= ratio * (1.0 - turn / 2.0) / (1.0 - turn + ratio * turn / 6.0)
    grown = jnp.expm1(eta)
    return eta - (eta + share * grown - height) / (1.0 + share + share * grown)


@exp_climb.defjvp
def _exp_climb_jvp(
    primals: tuple[Array, Array], tangents: tuple[Array, Array]
) -> tuple[Array, Array]:
    eta, share = exp_climb(*primals), jnp.asarray(primals[1])
    grown = jnp.expm1(eta)
    return eta, (tangents[0] - grown * tangents[1]) / (1.0 + share + share * grown)


_TAIL = [1.0 / math.factorial(power) for power in range(2, 20)]


def exp_excess(x: Number) -> Result:
    """``e^x - 1 - x``, which is never negative and vanishes like ``x^2 / 2``.

    Domain: all real x up to where ``e^x`` overflows. Error: 3e-16 relative to itself for
    |x| < 1, and 2e-15 beyond
    (`test_what_is_left_of_the_exponential_keeps_its_digits`).
    """
    x = jnp.asarray(x, jnp.result_type(float, x))
    near = jnp.abs(x) < 1.0
    small = jnp.where(near, x, 0.0)
    series = jnp.zeros_like(small)
    for term in reversed(_TAIL):
        series = series * small + term
    return jnp.where(near, jnp.square(small) * series, jnp.exp(x) - 1.0 - x)


@jax.custom_jvp
def exp_dilogarithm(y: Number) -> Result:
    """``Li2(-e^y)``, minus the integral of ``log(1 + e^s)`` over s up to y.

    Domain: all real y, also where ``e^y`` overflows: there by Euler's inversion,
    ``Li2(-e^y) = -pi^2/6 - y^2/2 - Li2(-e^-y)``. Error: 1e-15 (1 + |value|)
    (`test_the_dilogarithm_of_an_exponential_is_that_of_mpmath`). Derivative: ``-log(1 + e^y)``.
    """
    y = jnp.asarray(y, jnp.result_type(float, y))
    folded = spence(1.0 + jnp.exp(-jnp.abs(y)))
    return jnp.where(y > 0.0, -(math.pi**2) / 6.0 - jnp.square(y) / 2.0 - folded, folded)


@exp_dilogarithm.defjvp
def _exp_dilogarithm_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    return exp_dilogarithm(primals[0]), -tangents[0] * jax.nn.softplus(primals[0])
