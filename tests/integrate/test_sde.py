"""Ito equations by the Runge-Kutta step of the drift between the noise of two half steps."""

from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import assert_same_bits, jit

from jaxattn.core.contracts import InputError, Status
from jaxattn.integrate import integrate_sde

pytestmark = pytest.mark.needs_x64

NAN = float("nan")
EPS = float(np.finfo(np.float64).eps)
TIMES = np.array([0.0, 0.1, 0.3, 0.4, 0.4, 1.0])
DRAWS = 3
MIX = np.array([0.5, -0.2, 0.1])
TURN = 0.35


def drift(time, y, args):
    """Ornstein-Uhlenbeck, the Brownian motion itself, its first moment, a speed that jumps."""
    speed = jnp.where(time < TURN, 1.0, -2.0)
    still = jnp.zeros(DRAWS)
    return {"x": -args["rate"] * y["x"], "w": still, "when": still, "moved": speed}


def noise(time, y, args, dw):
    return {"x": args["size"] * MIX @ dw, "w": dw, "when": time * dw, "moved": jnp.zeros(())}


@jit
@jax.vmap
def solve(seed, step, times, args):
    still = jnp.zeros(DRAWS)
    start = {"x": args["start"], "w": still, "when": still, "moved": jnp.zeros(())}
    return integrate_sde(
        drift, noise, start, times, jax.random.key(seed), args, draws=DRAWS, step=step,
        jumps=np.array([TURN]),
    )  # fmt: skip


def run(seeds, step=0.05, rate=2.0, size=1.0, start=1.0, times=TIMES):
    """Rows of one compiled program: as many as there are seeds, padded to 256."""
    seeds = np.resize(np.asarray(seeds), 256)

    def every(value):
        return np.resize(np.asarray(value, float), 256)

    args = {"rate": every(rate), "size": every(size), "start": every(start)}
    return solve(seeds, every(step), np.resize(times, (256, TIMES.size)), args)


@lru_cache(maxsize=1)
def paths():
    return run(np.arange(256))


def amplification(z):
    """What the classical Runge-Kutta step makes of ``y' = z y / h``."""
    return 1 + z + z**2 / 2 + z**3 / 6 + z**4 / 24


def test_a_linear_equation_follows_its_exact_recursion_on_the_path_it_drew():
    # Steps end at every save, and at the jump; with steps of 1, saves and jump are all the ends.
    ends = np.array([0.0, 0.1, 0.3, 0.35, 0.4, 1.0])
    done = run(np.arange(256), step=1.0, times=ends)
    whole = np.diff(done.values["w"], axis=1) @ MIX
    # One half is weighed by the time of the step's start, the other by that of its end.
    moment = np.diff(done.values["when"], axis=1) @ MIX
    second = (moment - whole * ends[:-1]) / np.diff(ends)
    first = whole - second
    # The halves are independent: 1,280 products have a mean of deviation 1 / 36.
    unit = np.sqrt(np.diff(ends) / 2) * np.linalg.norm(MIX)
    assert abs(np.mean(first * second / unit**2)) < 4.5 / 36
    x = np.ones(256)
    for number, length in enumerate(np.diff(ends)):
        x = amplification(-2.0 * length) * (x + first[:, number]) + second[:, number]
        np.testing.assert_allclose(done.values["x"][:, number + 1], x, atol=50 * EPS)
    assert np.all(done.stats["steps"] == 5)
    assert np.all(done.stats["gradients"] == 30)


def test_the_paths_are_brownian():
    w = np.asarray(paths().values["w"])  # [path, save, draw]
    assert np.array_equal(w[:, 3], w[:, 4])
    keep = [0, 1, 2, 3, 5]
    unit = np.diff(w[:, keep], axis=1) / np.sqrt(np.diff(TIMES[keep]))[:, None]
    flat = unit.reshape(256, -1)
    # 256 samples: a mean has deviation 1 / 16, a covariance 1 / 16 (a variance sqrt(2) / 16); the
    # largest of some hundred is below 4.5 of them.
    assert np.max(np.abs(flat.mean(0))) < 4.5 / 16
    covariance = flat.T @ flat / 256 - np.eye(flat.shape[1])
    assert np.max(np.abs(covariance)) < 4.5 * np.sqrt(2) / 16


def test_equal_keys_give_equal_paths_and_others_do_not():
    again = run(np.concatenate([np.arange(128), np.arange(128)]))
    first = jax.tree.map(lambda leaf: leaf[:128], again)
    assert_same_bits(first, jax.tree.map(lambda leaf: leaf[128:], again))
    assert_same_bits(first, jax.tree.map(lambda leaf: leaf[:128], paths()))
    assert np.unique(np.asarray(paths().values["x"])[:, -1]).size == 256


def test_without_noise_the_error_falls_at_the_order_of_the_drifts_method():
    steps = 0.2 / 2.0 ** np.arange(5)
    done = run(np.zeros(5, int), step=np.resize(steps, 256), size=0.0, rate=4.0)
    errors = np.abs(np.asarray(done.values["x"])[:5, -1] - np.exp(-4.0))
    slopes = np.diff(np.log(errors)) / np.log(0.5)
    # Local slopes go to 4 as the step falls: the next term is of relative size 5 rate step / 6,
    # which takes 5 rate step / (12 ln 2) off it, 0.12 for the last but one pair.
    assert np.all(np.abs(slopes - 4) < 1.2 * 5 * 4.0 * steps[:-1] / (12 * np.log(2)))
    assert abs(slopes[-1] - 4) < 0.1


def test_a_jump_of_the_drift_is_met_exactly():
    moved = np.minimum(TIMES, TURN) - 2 * np.maximum(TIMES - TURN, 0)
    np.testing.assert_allclose(paths().values["moved"], np.tile(moved, (256, 1)), atol=50 * EPS)


def test_no_step_is_longer_than_asked():
    steps = np.asarray(run(np.arange(256), step=np.tile([0.05, 0.1, 0.2, 1.0], 64)).stats["steps"])
    # Lengths between ends: 0.1, 0.2, 0.05, 0.05, 0.6.
    assert steps[:4].tolist() == [2 + 4 + 1 + 1 + 12, 1 + 2 + 1 + 1 + 6, 1 + 1 + 1 + 1 + 3, 5]


@pytest.mark.slow
@pytest.mark.default_xla
def test_a_row_that_fails_fails_alone():
    rate, step, start = np.full((3, 256), [[2.0], [0.05], [1.0]])
    times = np.tile(TIMES, (256, 1))
    rate[1], step[2], start[3], times[4, 2], step[5] = NAN, 0.0, NAN, NAN, NAN
    times[6] = times[6, ::-1]
    done = run(np.arange(256), step=step, rate=rate, start=start, times=times)
    good = np.full(256, True)
    good[1:7] = False
    assert np.array_equal(done.status == Status.DONE, good)
    assert np.all(np.asarray(done.status)[~good] == Status.SOLVER_FAILED)
    assert np.isnan(done.values["x"][1:7, -1]).all()
    assert np.all(np.asarray(done.stats["steps"])[1:7] == 0)

    def keep(tree):
        return jax.tree.map(lambda leaf: leaf[good], tree)

    assert_same_bits(keep(done), keep(paths()))


def test_bad_requests_say_what_was_got_and_expected():
    key = jax.random.key(0)
    with pytest.raises(InputError, match="got 0 save times"):
        integrate_sde(drift, noise, jnp.ones(1), np.array([]), key, draws=1, step=0.1)
    with pytest.raises(InputError, match="got 0 Brownian motions"):
        integrate_sde(drift, noise, jnp.ones(1), np.array([0.0, 1.0]), key, draws=0, step=0.1)
