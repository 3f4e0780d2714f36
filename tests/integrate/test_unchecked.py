"""No solve calls Python while it runs, so that JAX keeps every one in its cache."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxattn.integrate import integrate, integrate_sde
from jaxattn.integrate.unchecked import unchecked

pytestmark = pytest.mark.needs_x64

TIMES = jnp.array([0.0, 1.0, 3.0])


def decay(time, y, args):
    return -args * y


def calls_python(function, *arguments):
    return "callback" in str(jax.make_jaxpr(function)(*arguments))


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"solver": "kvaerno5"},
        {"jumps": jnp.array([0.5, 2.0])},
        {"until": lambda time, y, args: 0.5 - y[0]},
        {"log_time_unit": 0.1},
        {"rest": lambda time, y, args: jnp.asarray(True)},
    ],
    ids=lambda how: next(iter(how), "plain"),
)
def test_a_solve_calls_no_python(how):
    def solve(times, rate):
        return integrate(decay, jnp.ones(2), times, rate, **how)

    assert not calls_python(solve, TIMES, 1.0)
    rows = jax.vmap(solve, in_axes=(None, 0))
    assert not calls_python(rows, TIMES, jnp.ones(3))


def test_a_noisy_solve_calls_no_python():
    def noise(time, y, args, dw):
        return 0.1 * dw

    def solve(rate):
        key = jax.random.key(0)
        return integrate_sde(decay, noise, jnp.ones(2), TIMES, key, rate, draws=2, step=0.5)

    assert not calls_python(solve, 1.0)


def test_what_a_check_gives_is_what_it_was_given():
    @jax.jit
    def out(is_bad):
        def solve():
            x = eqx.error_if(jnp.arange(3.0), is_bad, "bad")
            return {"twice": 2 * x, "same": x}

        return unchecked(solve)

    for is_bad in (False, True):
        np.testing.assert_array_equal(out(is_bad)["twice"], [0.0, 2.0, 4.0])
        np.testing.assert_array_equal(out(is_bad)["same"], [0.0, 1.0, 2.0])


def test_python_that_a_field_calls_is_called():
    def field(time, y, args):
        speed = jax.pure_callback(lambda rate: -np.asarray(rate), args, args)
        return speed * y

    def solve(rate):
        return integrate(field, jnp.ones(()), TIMES, rate, rtol=1e-8)

    assert calls_python(solve, jnp.ones(()))
    np.testing.assert_allclose(solve(jnp.ones(())).values, np.exp(-TIMES), rtol=1e-6)
