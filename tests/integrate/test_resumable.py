"""A solve cut at edges: resumed from bytes it is the same, bit for bit; elsewhere cut, the same."""

from functools import lru_cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import assert_same_bits, jit

from jaxattn.core.contracts import Status
from jaxattn.integrate import begin, integrate, piece

pytestmark = [pytest.mark.needs_x64, pytest.mark.slow]

NAN, INF = float("nan"), float("inf")
RTOL = 1e-9
TIMES = np.linspace(0.0, 10.0, 21)
EDGES = (2.0, 3.3, 7.1, 10.0)  # the first one is the jump
JUMPS = np.array([2.0, 5.0])
START = np.array([0.0, 1.0])


def turning(time, y, args):
    """A rotation of norm 1 that turns back at the first jump, and twice as fast from the second."""
    speed = jnp.where(time < JUMPS[0], 1.0, jnp.where(time < JUMPS[1], -1.0, -2.0))
    return args["rate"] * speed * jnp.stack([y[1], -y[0]])


def fallen(time, y, args):
    return args["level"] - y[1]


ROWS = {
    "sound": {},
    "fast": {"rate": 3.0},
    "until it has turned by one radian": {"level": float(np.cos(1.0))},
    "until it has turned by minus 5 / 2": {"rate": 0.9, "level": -0.8},
    "NaN as the rate": {"rate": NAN},
    "NaN at the start": {"start": NAN},
}
UNITS = [None, 0.5]


def filled(names):
    rows = [{"rate": 1.0, "level": -2.0, "start": 1.0, **ROWS[name]} for name in names]
    return {key: np.array([row[key] for row in rows]) for key in rows[0]}


@lru_cache(maxsize=2)
def solver(unit):
    """Its beginning and its piece, for all rows at once: two compiled programs."""

    def first(args):
        start = args["start"] * START
        return begin(turning, start, 0.0, TIMES[-1], args, unit=unit, rtol=RTOL)

    def next_piece(carry, args, times, end, longest):
        return piece(
            turning, carry, times, end, args, jumps=JUMPS, until=fallen, longest=longest,
            rtol=RTOL, max_steps=2_000,
        )  # fmt: skip

    return jit(jax.vmap(first)), jit(jax.vmap(next_piece))


def through_bytes(tree):
    def stored(leaf):
        array = np.asarray(leaf)
        return np.frombuffer(bytearray(array.tobytes()), array.dtype).reshape(array.shape)

    return jax.tree.map(stored, tree)


def solve(unit, edges, names=tuple(ROWS), hand_on=lambda carry: carry, longest=None):
    """The carry and solution after every piece."""
    first, next_piece = solver(unit)
    args = filled(names)
    carry, parts = first(args), []
    times = np.tile(TIMES, (len(names), 1))
    for number, end in enumerate(edges):
        limit = INF if longest is None else longest[number]
        ends, limits = np.full(len(names), end), np.full(len(names), limit)
        carry, solution = next_piece(hand_on(carry), args, times, ends, limits)
        parts.append((carry, solution))
    return parts


@lru_cache(maxsize=2)
def pieces(unit):
    return solve(unit, EDGES)


def joined(parts):
    """Values of all pieces; at an edge, where two pieces save, the earlier one's."""
    values = np.full_like(parts[0][1].values, NAN)
    for _, solution in parts:
        values = np.where(np.isnan(values), solution.values, values)
    return values


@pytest.mark.default_xla
@pytest.mark.parametrize("unit", UNITS)
def test_a_solve_resumed_from_bytes_is_bit_for_bit_the_one_that_was_not_interrupted(unit):
    assert_same_bits(solve(unit, EDGES, hand_on=through_bytes), pieces(unit))


@pytest.mark.parametrize("unit", UNITS)
def test_pieces_give_what_one_solve_gives_within_its_tolerance(unit):
    names = list(ROWS)[:4]

    @jit
    @jax.vmap
    def whole(args):
        return integrate(
            turning, START, TIMES, args, jumps=JUMPS, until=fallen, unit=unit, rtol=RTOL
        )

    run, parts = whole(filled(names)), pieces(unit)
    last = parts[-1][1]
    values = joined(parts)[:4]
    assert np.array_equal(np.isnan(values), np.isnan(run.values))
    # Some hundred steps of error RTOL each, at most.
    assert np.nanmax(np.abs(values - run.values)) < 200 * RTOL
    assert np.array_equal(last.status[:4], run.status)
    assert np.array_equal(last.crossed[:4], run.crossed)
    np.testing.assert_allclose(last.time_reached[:4], run.time_reached, rtol=200 * RTOL)
    # An edge costs a step or two: the step after it is as long as if there had been none.
    assert np.all(np.abs(last.work["steps"][:4] - run.work["steps"]) <= 2 * len(EDGES))


@pytest.mark.parametrize("unit", UNITS)
def test_other_edges_change_results_within_the_tolerance_alone(unit):
    other = joined(solve(unit, (0.7, 6.0, 6.1, 6.2, 10.0)))[:4]
    assert np.nanmax(np.abs(other - joined(pieces(unit))[:4])) < 200 * RTOL


def test_a_short_piece_does_not_shorten_the_steps_after_it():
    steps = [carry.step[0] for carry, _ in solve(None, (6.0, 6.0 + 1e-6, 6.0 + 2e-6))]
    assert steps[1] == steps[0] == steps[2]


def test_an_edge_at_a_jump_costs_no_rejected_steps():
    # A step across the jump takes dozens (test_integrate.py); these are of the growth at first.
    carry, _ = pieces(None)[0]
    assert carry.work["rejected"][0] < 5


def test_a_piece_after_the_event_or_a_failure_does_nothing():
    index = {name: number for number, name in enumerate(ROWS)}
    parts = pieces(None)
    crossed = index["until it has turned by one radian"]
    at_event, _ = parts[0]
    np.testing.assert_allclose(at_event.time[crossed], 1.0, rtol=1e-8)
    np.testing.assert_allclose(at_event.y[crossed], [np.sin(1.0), np.cos(1.0)], rtol=1e-8)
    for name in ("until it has turned by one radian", "NaN as the rate", "NaN at the start"):
        row = index[name]
        before = jax.tree.map(lambda leaf, row=row: leaf[row], parts[0][0])
        after = jax.tree.map(lambda leaf, row=row: leaf[row], parts[-1][0])
        assert_same_bits(after, before)
        assert np.isnan(parts[-1][1].values[row]).all()
    done, failed = int(Status.DONE), int(Status.SOLVER_FAILED)
    assert parts[-1][1].status.tolist() == [done] * 4 + [failed] * 2


@pytest.mark.default_xla
def test_rows_that_fail_leave_the_others_bit_for_bit_as_they_are():
    alone = solve(None, EDGES, names=["sound", "fast"] * 3)
    for (carry, solution), (other_carry, other) in zip(pieces(None), alone, strict=True):
        first_two = partial(jax.tree.map, lambda leaf: leaf[:2])
        assert_same_bits(first_two((carry, solution)), first_two((other_carry, other)))


def test_the_longest_step_may_change_from_piece_to_piece():
    parts = solve(None, (1.0, 2.0, 3.0), longest=(0.01, INF, 0.005))
    steps = np.array([carry.work["steps"][0] for carry, _ in parts])
    # From the first step, chosen by the field, it grows to 0.01 in a step or two.
    assert 100 <= steps[0] <= 105
    assert steps[1] - steps[0] < 30
    assert steps[2] - steps[1] in (200, 201)


def test_bad_times_of_a_piece_fail_the_row():
    first, next_piece = solver(None)
    args = filled(["sound"] * 6)
    times = np.tile(TIMES, (6, 1))
    times[1, 5] = NAN
    times[2] = times[2, ::-1]
    end = np.array([1.0, 1.0, 1.0, NAN, 1.0, 1.0])
    longest = np.array([INF, INF, INF, INF, 0.0, NAN])
    after, solution = next_piece(first(args), args, times, end, longest)
    done, failed = int(Status.DONE), int(Status.SOLVER_FAILED)
    assert solution.status.tolist() == [done] + [failed] * 5
    assert np.array_equal(after.time, [1.0] + [0.0] * 5)
