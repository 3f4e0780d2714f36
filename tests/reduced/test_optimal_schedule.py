"""The best schedules: the flow under shares by cell, its derivatives two ways, and the ascent."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import jit

from jaxattn import theory
from jaxattn.core.contracts import Status
from jaxattn.reduced.optimal_schedule import (
    cell_edges,
    climb,
    costate,
    determinant,
    focus_under,
    recut,
    within,
)

pytestmark = pytest.mark.needs_x64

SIZE = {"segments": 20.0, "classes": 30.0}
END = 3.0 * 20.0 * 30.0
CELLS = 6


@pytest.fixture(scope="module")
def edges():
    return cell_edges(END, CELLS, **SIZE)


@pytest.fixture(scope="module")
def looked():
    """The costate under shares in `CELLS` cells, at 5 times of each cell and at the end."""

    def look(share, edges):
        times = within(edges, 5)
        return times, costate(share, edges, times, **SIZE)

    return jit(look)


@pytest.fixture(scope="module")
def hybrid_end():
    def nu(switch):
        return theory.trajectory("hybrid", END, **SIZE, switch_time=switch).nu

    return jit(jax.vmap(nu))


@pytest.fixture(scope="module")
def focus():
    """nu at the end and its status, and the derivatives of nu by the shares."""

    def both(share, edges):
        def end(share):
            nu, status = focus_under(share, edges, **SIZE)
            return nu, (nu, status)

        slope, (nu, status) = jax.jacfwd(end, has_aux=True)(share)
        return nu, status, slope

    return jit(both)


def test_cells_end_at_the_horizon_and_are_equal_in_the_logarithm(edges):
    assert edges[0] == 0
    assert edges[-1] == END
    assert edges[1] == pytest.approx(0.1 * 20 * 30)
    np.testing.assert_allclose(np.diff(np.log(edges[1:]), n=2), 0, atol=1e-12)
    # A short horizon has its cells, too.
    np.testing.assert_allclose(cell_edges(5.0, 3, **SIZE), [0, 0.5, np.sqrt(2.5), 5], rtol=1e-14)


@pytest.mark.parametrize("soft", range(13))
def test_cells_are_cut_anew_where_the_shares_change_most(soft):
    old = np.asarray(cell_edges(END, 12, **SIZE))
    new = np.asarray(recut((jnp.arange(12) < soft).astype(float), jnp.asarray(old)))
    assert new.shape == old.shape
    assert (new[0], new[-1]) == (0, END)
    assert np.all(np.diff(new) > 0)
    place = soft - 1 if 0 < soft < 12 else 10
    low, high = old[place], old[place + 2]
    inside = new[(new >= low * (1 - 1e-12)) & (new <= high * (1 + 1e-12))]
    np.testing.assert_allclose(inside, np.linspace(low, high, 7), rtol=1e-12)


@pytest.mark.slow
def test_a_schedule_of_one_and_then_zero_is_the_hybrid_of_the_closed_form(edges, focus, hybrid_end):
    exact = hybrid_end(jnp.asarray(edges))
    for soft in range(CELLS + 1):
        nu, status, _ = focus((np.arange(CELLS) < soft).astype(float), edges)
        assert status == Status.DONE
        # Each step is right to 1e-9; late, errors in the focus shrink.
        assert abs(nu - exact[soft]) < 1e-7


@pytest.mark.slow
def test_sigma_gathered_over_a_cell_is_the_derivative_by_its_share(edges, looked, focus, rng):
    share = rng.uniform(0.05, 0.95, CELLS)
    nu, _, slope = focus(share, edges)
    _, path = looked(share, edges)
    assert path.status == Status.DONE
    gathered = path.gathered[::5]
    # Both by solvers of 1e-9 or better a step, one forwards in tangents, one backwards.
    by_cell = gathered[:-1] - gathered[1:]
    np.testing.assert_allclose(by_cell, slope, rtol=0, atol=1e-7 * np.max(np.abs(slope)))
    # The state came back to where it started from, and leads where the schedule does.
    assert max(abs(path.mu[0]), abs(path.nu[0])) < 1e-7
    assert abs(path.nu[-1] - nu) < 1e-7


def test_sigma_at_a_switch_is_the_slope_of_the_closed_form_by_the_switch(edges, looked, hybrid_end):
    for soft in (2, 4):
        _, path = looked((np.arange(CELLS) < soft).astype(float), edges)
        switch, step = float(edges[soft]), 1e-3
        nu = hybrid_end(switch * (1 + step * jnp.array([-2, -1, 0, 0, 0, 1, 2])))
        slope = (8 * (nu[5] - nu[1]) - (nu[6] - nu[0])) / (12 * step * switch)
        np.testing.assert_allclose(path.switching[5 * soft], slope, rtol=1e-6)


def test_at_the_best_hybrid_sigma_falls_through_zero_once_and_nothing_is_singular(looked):
    # The root of the slope, by bisection of sigma itself: the best switch of the closed form.
    low, high = 0.3 * END, 0.9 * END
    soft = np.array([1.0, 1, 1, 0, 0, 0])
    for _ in range(30):
        switch = np.sqrt(low * high)
        inner = np.linspace(0, switch, 4), np.linspace(switch, END, 4)[1:]
        times, path = looked(soft, jnp.asarray(np.concatenate(inner)))
        low, high = (switch, high) if path.switching[15] > 0 else (low, switch)
    times, sigma = np.asarray(times), np.asarray(path.switching)
    scale = np.max(np.abs(sigma))
    assert abs(sigma[15]) < 1e-6 * scale
    # At time 0 both fields agree, and sigma is 0.
    assert abs(sigma[0]) < 1e-6 * scale
    assert np.all(sigma[1:15] > 0)
    assert np.all(sigma[16:] < 0)
    assert np.all(path.determinant[1:] < -0.1)


def test_the_determinant_is_that_of_the_bracket_by_differences(rng):
    def fields(state):
        soft, hard = (
            np.array(theory.FIELDS[name](*map(jnp.asarray, state), *SIZE.values()))
            for name in ("soft", "hard")
        )
        return hard, soft - hard

    for state in rng.uniform(0.5, 4.0, (3, 2)):
        hard, gap = fields(state)
        step = 1e-5
        moved = [(fields(state + step * e), fields(state - step * e)) for e in np.eye(2)]
        slopes = [
            np.stack([(one[k] - other[k]) / (2 * step) for one, other in moved], axis=1)
            for k in (0, 1)
        ]
        bracket = slopes[1] @ hard - slopes[0] @ gap
        first, second = gap[0] * bracket[1], gap[1] * bracket[0]
        expected = (first - second) / (abs(first) + abs(second))
        found = determinant(jnp.asarray(state), **SIZE)
        np.testing.assert_allclose(found, expected, rtol=1e-6)
        assert abs(found) <= 1


@pytest.mark.slow
def test_from_every_start_the_ascent_ends_in_soft_and_then_hard_attention(edges, focus, hybrid_end):
    starts = np.stack([
        np.full(CELLS, 2.0), np.full(CELLS, -2.0), np.linspace(-3, 3, CELLS),
        [0.0, -3.0, 3.0, -3.0, 3.0, -3.0],
    ])  # fmt: skip
    found = jit(jax.vmap(lambda start: climb(start, edges, 0.3, **SIZE, steps=150)))(starts)
    assert np.all(found.status == Status.DONE)
    share = np.asarray(found.share)
    inside = (share != 0) & (share != 1)
    assert np.all(inside.sum(axis=1) <= 1)
    assert np.all(np.diff(share, axis=1) <= 0), "from soft to hard, never back"
    assert np.all(share[:, 0] == 1)
    assert np.all(share[:, -1] == 0)
    best_of_edges = float(np.max(hybrid_end(jnp.asarray(edges))))
    best = max(
        float(np.max(hybrid_end(jnp.linspace(at, at + 0.1 * END, 7))))
        for at in np.arange(0, 0.9, 0.1) * END
    )
    # A hybrid that switches between cells is one of the schedules; no schedule beats the best.
    assert np.all(found.nu >= best_of_edges - 1e-6)
    assert np.all(found.nu <= best + 1e-6)
    # In the cell that holds the switch, the derivative by the share vanishes.
    _, _, slope = focus(share[0], edges)
    assert np.all(np.abs(slope[inside[0]]) < 1e-2 * np.max(np.abs(slope)))
    at_end = ~inside[0]
    assert np.array_equal((np.asarray(slope) > 0)[at_end], (share[0] > 0.5)[at_end])


@pytest.mark.slow
def test_an_ascent_that_leaves_the_domain_fails_and_says_so(edges):
    found = jit(lambda start: climb(start, edges, 0.3, **SIZE, steps=2))(
        np.array([0.0, np.nan, 0, 0, 0, 0])
    )
    assert found.status == Status.SOLVER_FAILED
