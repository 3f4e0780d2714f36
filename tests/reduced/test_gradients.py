"""Derivatives through the closed form and through the solver, beside those of the oracle."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import jit
from theory import differences
from theory.differences import Place

from jaxattn import theory
from jaxattn.reduced import solve_reduced

pytestmark = pytest.mark.needs_x64

PLACES = {
    "soft": Place(3.1, 20.0, 30.0, mu0=0.2, nu0=0.4),
    "hard": Place(2.7, 6.0, 9.0, mu0=0.1, nu0=0.3),
    "lvml": Place(3.0, 20.0, 30.0, mu0=0.3, nu0=0.1),
    "hybrid": Place(2.4, 20.0, 30.0, switch_time=500.0, switch_mu=0.94),
}


def end_of(paradigm, solve):
    """mu and nu at a time, as a function of the named numbers; a longer horizon has the switch."""

    def end(time, numbers):
        path = solve(paradigm, jnp.stack([jnp.zeros_like(time), time, 2.0 * time]), **numbers)
        return path.mu[1], path.nu[1]

    return end


def solved(paradigm, times, **numbers):
    # Of order 8, as a tangent is not controlled by the step size: it has the error of the method.
    return solve_reduced(paradigm, times, **numbers, rtol=1e-12, solver="dopri8")


@pytest.mark.slow
@pytest.mark.parametrize(
    "paradigm",
    ["soft", "hard", "lvml", "hybrid"],
)
def test_derivatives_of_both_doors_are_central_differences_of_the_oracle(paradigm):
    place = PLACES[paradigm]
    time, exact = differences.slopes(paradigm, place)
    numbers = {name: jnp.asarray(getattr(place, name)) for name in exact}
    time = jnp.asarray(time)
    reverse = jit(jax.jacrev(end_of(paradigm, theory.trajectory), argnums=1))(time, numbers)
    closed = jit(jax.jacfwd(end_of(paradigm, theory.trajectory), argnums=1))(time, numbers)
    through = jit(jax.jacfwd(end_of(paradigm, solved), argnums=1))(time, numbers)
    assert len(exact) == (3 if paradigm == "hybrid" else 4)
    for found in (reverse, closed, through):
        for name, values in exact.items():
            np.testing.assert_allclose([part[name] for part in found], values, rtol=1e-6)
