import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import jit

from jaxattn import theory
from jaxattn.experiments.switch.findings import law
from jaxattn.theory.switches import best_switch, focus_at, overtaking, switch_curve

pytestmark = pytest.mark.needs_x64

POINTS = 40
# Segments, classes, horizon in their product: soft to the end in the first four.
CASES = np.array([
    (5, 3, 1), (5, 3, 2), (20, 20, 1), (100, 1000, 1.2),
    (2, 2, 1), (2, 2, 2), (2, 1000, 8), (5, 3, 4), (10, 1e4, 2), (20, 1000, 1.5), (100, 1000, 4),
    (1e4, 10, 2), (1e6, 2, 8), (1e6, 1e3, 8), (1e3, 2, 8), (1e3, 1e3, 8),
], float)  # fmt: skip
TO_THE_END = 4
SEGMENTS, CLASSES, HORIZON = CASES.T
UNIT = SEGMENTS * CLASSES


def solve(segments, classes, horizon):
    size = {"segments": segments, "classes": classes}
    curve = switch_curve(horizon, **size, points=POINTS)
    return curve, best_switch(curve, **size)


@pytest.fixture(scope="module")
def solved():
    return jit(jax.vmap(solve))(SEGMENTS, CLASSES, HORIZON * UNIT)


@pytest.fixture(scope="module")
def at_switch():
    """nu at the horizon of many switches of each case, and the slopes."""

    def focus(switch, segments, classes, horizon):
        return focus_at(switch, horizon, segments=segments, classes=classes)

    each = jit(jax.vmap(jax.vmap(focus, (0, None, None, None))))
    return lambda switch: each(switch, SEGMENTS, CLASSES, HORIZON * UNIT)


@pytest.fixture(scope="module")
def overtaken():
    """When that is, and both forces on the focus there and a little earlier."""

    def forces(segments, classes):
        size = {"segments": segments, "classes": classes}
        time = overtaking(**size)
        mu, nu = theory.trajectory("soft", jnp.array([0.9, 1.0]) * time, **size)
        fields = (theory.FIELDS[name](mu, nu, *size.values()) for name in ("soft", "hard"))
        return time, *(velocity[1] for velocity in fields)

    return jit(jax.vmap(forces))(SEGMENTS, CLASSES)


def test_the_best_switch_is_where_the_derivative_vanishes_or_the_horizon(solved):
    curve, best = solved
    assert np.array_equal(best.inside, np.arange(len(CASES)) >= TO_THE_END)
    inside = np.asarray(best.inside)
    assert np.all(best.switch[~inside] == (HORIZON * UNIT)[~inside])
    assert np.all(best.slope[~inside] > 0)
    # nu is right to 1e-13 or so; per relative change of the switch the derivative is, too.
    assert np.all(np.abs(best.slope * best.switch / best.nu)[inside] < 1e-7)
    assert np.all(best.nu >= np.max(curve.nu, axis=1))


@pytest.mark.slow
def test_no_switch_of_a_fine_grid_is_better_than_the_best(solved, at_switch):
    _, best = solved
    wide = np.geomspace(0.02, 1, 110) * (HORIZON * UNIT)[:, None]
    near = np.asarray(best.switch)[:, None] * (1 + np.linspace(-0.02, 0.02, 21))
    switch = np.minimum(np.concatenate([wide, near], axis=1), (HORIZON * UNIT)[:, None])
    nu, _ = at_switch(switch)
    assert np.all(np.max(nu, axis=1) <= best.nu * (1 + 1e-13))
    # And the grid finds it as well as it can: within its spacing near the best.
    place = switch[np.arange(len(CASES)), np.argmax(nu, axis=1)]
    np.testing.assert_allclose(place, best.switch, rtol=2e-3)


@pytest.mark.slow
def test_the_slope_by_the_switch_is_a_difference_of_nearby_switches(at_switch):
    step = 1e-3
    nearby = 1 + step * np.append([-2, -1, 1, 2], np.zeros(127))  # of the size compiled before
    switch = 0.6 * (HORIZON * UNIT)[:, None] * nearby
    nu, slope = at_switch(switch)
    difference = (8 * (nu[:, 2] - nu[:, 1]) - (nu[:, 3] - nu[:, 0])) / (12 * step)
    # Of digits: 1e-13 of nu over the step; of the formula: step^4 times fifth derivatives.
    found = (slope * switch)[:, -1]
    np.testing.assert_allclose(found, difference, rtol=1e-6, atol=1e-9)


@pytest.mark.slow
def test_a_switch_after_the_horizon_is_a_nan_alone(at_switch):
    switch = np.full((len(CASES), 131), 0.5) * (HORIZON * UNIT)[:, None]
    switch[3, 7] *= 4
    nu, slope = at_switch(switch)
    assert np.argwhere(np.isnan(nu)).tolist() == [[3, 7]]
    assert np.argwhere(np.isnan(slope)).tolist() == [[3, 7]]


def test_soft_attention_is_overtaken_where_both_forces_are_equal(overtaken):
    time, soft, hard = map(np.asarray, overtaken)
    # With two segments and two classes soft attention is behind at once.
    assert np.array_equal(time == 0, (SEGMENTS == 2) & (CLASSES == 2))
    later = time > 0
    np.testing.assert_allclose(soft[later, 1], hard[later, 1], rtol=1e-6)
    assert np.all(soft[later, 0] > hard[later, 0])


def test_soft_attention_to_the_end_is_best_only_until_it_is_overtaken(solved, overtaken):
    ends = ~np.asarray(solved[1].inside)
    assert np.all((HORIZON * UNIT)[ends] <= overtaken[0][ends])


def test_with_many_segments_the_best_switch_is_when_focus_takes_off(solved):
    # mC int_0^inf e^(-(C-1) mu^2 / (2C)) dmu, see `jaxattn.experiments.switch.findings.law`.
    _, best = solved
    off = np.asarray([x / law(c) - 1 for x, c in zip(best.switch / UNIT, CLASSES, strict=True)])
    assert np.all(np.abs(off)[SEGMENTS == 1e6] < 7e-4)
    assert np.all(np.abs(off)[SEGMENTS == 1e3] > 5 * np.abs(off)[SEGMENTS == 1e6])
