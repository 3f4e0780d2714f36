import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import jit
from scipy.integrate import solve_ivp

from jaxattn import theory
from jaxattn.core.contracts import InputError, Status
from jaxattn.reduced import log_times, solve_mixture, solve_reduced

pytestmark = pytest.mark.needs_x64

POINTS = 60
SIZE = {"segments": 20.0, "classes": 50.0}
T_END = 1e4
TIMES = log_times(T_END, POINTS)


def stairs(time, args):
    """`levels` between the times `steps`."""
    return args["levels"][jnp.searchsorted(args["steps"], time, side="right")]


@jit
def _mixed(levels, steps, jumps):
    args = {"levels": levels, "steps": steps}
    return solve_mixture(stairs, TIMES, **SIZE, args=args, jumps=jumps)


def mixed(levels, steps=(), told=True):
    """One program for every number of steps: those that are missing lie at infinity."""
    steps = np.append(steps, np.full(2 - len(steps), np.inf))
    levels = np.append(levels, np.full(3 - len(levels), levels[-1]))
    return _mixed(levels, steps, steps if told else np.full(2, np.inf))


def apart(one, other):
    return max(np.max(np.abs(getattr(one, name) - getattr(other, name))) for name in ("mu", "nu"))


@pytest.mark.parametrize(
    ("level", "same"), [(0.0, "hard"), pytest.param(1.0, "soft", marks=pytest.mark.slow)]
)
def test_a_share_of_one_is_soft_attention_and_of_zero_hard_attention(level, same):
    run, pure = mixed([level]), solve_reduced(same, TIMES, **SIZE)
    assert run.status == pure.status == Status.DONE
    assert run.time_reached == T_END
    # The same steps but for rounding: each solve is right to 1e-9 where it is steep.
    assert apart(run, pure) < 2e-9
    np.testing.assert_allclose(run.loss, pure.loss, rtol=0, atol=2e-9)
    assert np.isnan(run.invariant_drift)


def test_a_share_that_falls_from_one_to_zero_is_a_hybrid_and_switches_exactly():
    switch = float(TIMES[43])  # a save on the switch itself
    run = mixed([1.0, 0.0], [switch])
    hybrid = solve_reduced("hybrid", TIMES, **SIZE, switch_time=switch)
    assert apart(run, hybrid) < 2e-9
    # On the switch it is hard attention's loss, one place before it soft attention's.
    np.testing.assert_allclose(run.loss, hybrid.loss, rtol=0, atol=2e-9)
    blind = mixed([1.0, 0.0], [switch], told=False)
    assert blind.work["rejected"] > run.work["rejected"] + 10


def test_every_stage_is_on_its_side_of_a_jump_in_spite_of_rounding():
    # A stage on the wrong side is a jump within a step, which is rejected until it is tiny.
    for place in np.geomspace(1e-3, 0.4 * T_END, 30):
        run = mixed([1.0, 0.0, 1.0], [place, 2.0 * place])
        level = mixed([0.5, 0.5, 0.5], [place, 2.0 * place])
        assert run.status == Status.DONE
        assert run.work["rejected"] <= level.work["rejected"] + 6


def wave(time, args):
    return 0.5 + 0.5 * args["height"] * jnp.cos(args["rate"] * jnp.log1p(time))


def test_a_smooth_schedule_follows_another_solver_in_plain_time():
    args = {"height": 0.8, "rate": 1.7}
    run = solve_mixture(wave, TIMES, **SIZE, args=args)

    @jit
    def field(time, state):
        part = wave(time, args)
        of_soft, of_hard = (
            jnp.stack(theory.FIELDS[name](*state, *SIZE.values())) for name in ("soft", "hard")
        )
        return part * of_soft + (1.0 - part) * of_hard

    other = solve_ivp(
        lambda time, state: np.asarray(field(time, state)),
        (0.0, T_END), np.zeros(2), method="DOP853", t_eval=TIMES, rtol=1e-12, atol=1e-12,
    )  # fmt: skip
    assert np.max(np.abs(other.y - np.stack([run.mu, run.nu]))) < 2e-9
    part = np.array([wave(time, args) for time in TIMES])
    losses = [theory.LOSSES[name](run.mu, run.nu, *SIZE.values()) for name in ("soft", "hard")]
    np.testing.assert_allclose(run.loss, part * losses[0] + (1 - part) * losses[1], rtol=1e-14)


@pytest.mark.slow
def test_forward_derivatives_are_central_differences_by_every_number():
    def end(given):
        levels, steps, segments, classes, mu0, nu0 = given
        run = solve_mixture(
            stairs, TIMES, segments=segments, classes=classes, mu0=mu0, nu0=nu0,
            args={"levels": levels, "steps": steps}, jumps=steps, rtol=1e-12, atol=1e-13,
        )  # fmt: skip
        return jnp.stack([run.mu[-1], run.nu[-1]])

    place = (
        jnp.array([0.9, 0.6, 0.2]), jnp.array([900.0, 1500.0]),
        jnp.array(20.0), jnp.array(50.0), jnp.array(0.1), jnp.array(0.2),
    )  # fmt: skip
    flat, back = jax.flatten_util.ravel_pytree(place)
    found = jit(jax.jacfwd(lambda vector: end(back(vector))))(flat)
    rows = np.asarray(flat)[:, None] * (1 + 1e-4 * np.array([-2, -1, 1, 2]))
    ahead = np.array([[np.where(np.arange(len(flat)) == k, x, flat) for x in row]
                      for k, row in enumerate(rows)])  # fmt: skip
    ends = jit(jax.vmap(jax.vmap(lambda vector: end(back(vector)))))(ahead)
    far, near = ends[:, 3] - ends[:, 0], ends[:, 2] - ends[:, 1]
    difference = (8 * near - far) / (12 * 1e-4 * flat[:, None])
    # In units of a relative change: solves to 1e-12 differ by about 1e-11 over 1e-4.
    np.testing.assert_allclose(
        found.T * flat[:, None], difference * flat[:, None], rtol=1e-6, atol=1e-6
    )


def test_a_batch_gives_what_a_loop_gives_and_a_share_outside_fails_alone_from_there_on():
    levels = np.array([[1.0, 0.5, 0.0], [0.3, 0.7, 0.3], [1.0, 1.01, 0.5], [0.2, np.nan, 0.1]])
    steps = np.array([100.0, 1000.0])
    batch = jit(
        jax.vmap(
            lambda levels: solve_mixture(
                stairs, TIMES, **SIZE, args={"levels": levels, "steps": steps}, jumps=steps
            )
        )
    )(levels)
    for i in (0, 1):
        alone = mixed(levels[i], steps)
        assert apart(jax.tree.map(lambda leaf, i=i: leaf[i], batch), alone) < 4e-9
    failed, done = int(Status.SOLVER_FAILED), int(Status.DONE)
    assert np.array_equal(batch.status, [done, done, failed, failed])
    for i in (2, 3):
        before = TIMES < 100.0
        assert np.isfinite(batch.mu[i][before]).all()
        assert np.isnan(batch.mu[i][~before]).all()
        assert batch.time_reached[i] == pytest.approx(100.0, rel=1e-6)


@pytest.mark.slow
def test_the_end_of_the_horizon_belongs_to_a_schedule_that_reaches_its_bound_there():
    # Time is found by expm1(log1p(t)): were it not held to the horizon, the share would be -1e-16.
    def fading(time, end):
        return 1.0 - time / end

    for t_end in (0.3, 7.7, 1e4, 123456.789):
        run = solve_mixture(fading, t_end * TIMES / T_END, **SIZE, args=t_end)
        assert run.status == Status.DONE


def asked(share=lambda time, args: 1.0, times=TIMES, **given):
    return lambda: solve_mixture(share, times, **{**SIZE, **given})


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (asked(segments=1), r"bad segments: got 1, expected a number in \[2, 1e"),
        (asked(classes=np.nan), "bad classes: got nan"),
        (asked(mu0=-0.5), r"bad mu0: got -0.5, .*\[0, 40\]"),
        (asked(times=np.array([0.0, 2.0, 1.0])), "got 1 after 2, .* sort them"),
        (asked(times=np.array([-1.0, 1.0])), "bad times: got -1"),
        (asked(lambda time, args: jnp.ones(2)), r"bad share: got an array of shape \(2,\)"),
    ],
)
def test_bad_requests_say_what_was_got_and_expected(ask, message):
    with pytest.raises(InputError, match=message):
        ask()
