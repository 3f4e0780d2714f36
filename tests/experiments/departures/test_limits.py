"""Where the reduced system stops, and where it does not: theorems about the full parameters.

Populations at which the flow of all parameters is still a path of (mu, nu), or is one to some
order. The first tests look at the velocity on the symmetric states alone: where it is tangent to
them, a flow from zero never leaves them. The others solve flows.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import hyper, jit

from jaxattn import theory
from jaxattn.core.contracts import Data, Splits, Status
from jaxattn.core.streams import streams
from jaxattn.experiments.departures.experiment import problem_of
from jaxattn.flow import make_flow
from jaxattn.models import linear
from jaxattn.problems.attention_problem import attention_problem
from jaxattn.reduced.planar import solve_planar
from jaxattn.tasks import orthogonal
from jaxattn.tasks.bags import unpadded
from jaxattn.tasks.population import foregrounds
from jaxattn.training.optimisers import as_optimiser

pytestmark = pytest.mark.needs_x64

CLASSES, SEGMENTS = 3, 4
NUMBERS = (SEGMENTS - 1) * CLASSES  # of a bag's noise
REPEATS = 2 * NUMBERS
SHAPES = orthogonal(CLASSES, SEGMENTS, 1, 1, 1, validation=0)  # one coordinate more than classes
EQUAL = np.full(CLASSES, 1 / CLASSES)
EYE = np.eye(CLASSES)


def bags(frequencies=EQUAL, vectors=EYE, noise=None):
    """`REPEATS` weighted bags of each class, on one coordinate more, with this noise.

    `noise` is ``[repeat, segment - 1, coordinate]``, the same for every class.
    """
    made = np.zeros((CLASSES, REPEATS, SEGMENTS, CLASSES + 1))
    made[:, :, 0, :CLASSES] = vectors[:, None]
    if noise is not None:
        made[:, :, 1:] = noise
    flat = made.reshape(-1, *made.shape[2:])
    first = np.broadcast_to(np.arange(SEGMENTS) == 0, flat.shape[:2])
    share = np.repeat(np.asarray(frequencies) / np.sum(frequencies), REPEATS) / REPEATS
    return unpadded(flat, np.repeat(np.arange(CLASSES), REPEATS), first)._replace(weight=share)


def own_axis(*values):
    """Noise on the last coordinate, one of the values for each repeat in turn."""
    noise = np.zeros((REPEATS, SEGMENTS - 1, CLASSES + 1))
    noise[:, :, -1] = np.resize(values, (REPEATS, 1)) * [1.0, -0.3, 2.0]
    return noise


def like_normal(sigma):
    """Noise on the classes' own coordinates with the first three moments of ``N(0, sigma^2 I)``.

    One number of a bag at a time is not 0, so that moving classes moves bags to bags. Segments are
    not independent of each other, which is seen at order sigma^4.
    """
    size = sigma * np.sqrt(NUMBERS)
    each = size * np.concatenate([np.eye(NUMBERS), -np.eye(NUMBERS)])
    each = each.reshape(REPEATS, SEGMENTS - 1, CLASSES)
    return np.pad(each, ((0, 0), (0, 0), (0, 1)))


def equal_gram(rho):
    return (1 - rho) * EYE + rho


# The velocity on symmetric states.


def symmetric(mu, nu, vectors, bias):
    """Parameters at which every foreground has score nu and logit gap mu."""
    u, w = np.zeros((CLASSES + 1, 1)), np.zeros((CLASSES + 1, CLASSES))
    u[:CLASSES, 0] = np.linalg.solve(vectors, np.full(CLASSES, nu))
    w[:CLASSES] = np.linalg.solve(vectors, mu * (EYE - 1 / CLASSES))
    classify = {"kernel": w} | ({"bias": np.zeros(CLASSES)} if bias else {})
    return {"shared": {}, "focus": {"Dense_0": {"kernel": u}}, "classify": {"Dense_0": classify}}


@pytest.fixture(scope="module", params=theory.FIELDS)
def velocity(request):
    """``(params, batch) -> -gradient`` of a pair with a bias."""
    model = linear(CLASSES, bias=True)
    problem = attention_problem(SHAPES, model, request.param, precision="float64")

    def of(params, batch):
        zero = jnp.zeros(())
        return problem.loss(params, batch, hyper("float64"), zero, None, ())[0]

    fall = jit(jax.grad(lambda params, batch: -of(params, batch)))
    return request.param, lambda *args: jax.tree.map(np.asarray, fall(*args))


STATES = [(0.0, 0.0), (0.7, 0.2), (3.0, 2.5), (6.0, 5.0)]
CASES = {
    "a bias": (0.0, None),
    "noise on its own coordinate": (0.0, own_axis(0.4, -0.3, -0.1)),
    "equal correlation": (0.3, None),
    "equal negative correlation, and noise": (-0.4, own_axis(2.0, -2.0)),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("state", STATES)
def test_a_flow_from_zero_stays_in_the_plane_of_mu_and_nu_with(velocity, state, case):
    name, fall = velocity
    rho, noise = CASES[case]
    vectors = foregrounds(equal_gram(rho))
    moved = fall(symmetric(*state, vectors, True), bags(vectors=vectors, noise=noise))
    u, w = moved["focus"]["Dense_0"]["kernel"], moved["classify"]["Dense_0"]["kernel"]
    mu, nu = (float(x) for x in theory.FIELDS[name](*state, SEGMENTS, CLASSES))
    speeds = (1 - rho) * mu * (EYE - 1 / CLASSES), (1 + (CLASSES - 1) * rho) * nu
    # What moves is of size 1 or less: rounding of sums of a few such numbers.
    near = {"rtol": 0, "atol": 1e-15 * 16}
    np.testing.assert_allclose(vectors @ w[:CLASSES], speeds[0], **near)
    np.testing.assert_allclose(vectors @ u[:CLASSES, 0], speeds[1], **near)
    np.testing.assert_allclose(moved["classify"]["Dense_0"]["bias"], 0, **near)
    # The noise's own coordinate: only its mean would move it, which is 0 over the bags.
    np.testing.assert_allclose(u[-1], 0, **near)
    np.testing.assert_allclose(w[-1], 0, **near)


@pytest.mark.parametrize("state", STATES)
def test_what_was_learnt_of_noise_on_its_own_coordinate_is_unlearnt(velocity, state):
    # The loss is even in it to second order and least at 0, so that rounding cannot grow.
    _, fall = velocity
    at = symmetric(*state, EYE, True)
    learnt = 1e-4 * np.array([1.0, 2.0, -0.5, -1.5])  # of u, and of W with sum 0
    at["focus"]["Dense_0"]["kernel"][-1] = learnt[0]
    at["classify"]["Dense_0"]["kernel"][-1] = learnt[1:]
    moved = fall(at, bags(noise=own_axis(0.4, -0.3, -0.1)))
    u, w = (moved[part]["Dense_0"]["kernel"][-1] for part in ("focus", "classify"))
    assert np.dot(np.concatenate([u, w]), learnt) < 0


def test_noise_that_is_not_0_on_average_or_classes_unequally_frequent_leave_the_plane(velocity):
    _, fall = velocity
    at = symmetric(3.0, 2.5, EYE, True)
    biased = fall(at, bags(noise=own_axis(0.4, -0.3)))
    assert abs(biased["focus"]["Dense_0"]["kernel"][-1, 0]) > 1e-3
    unequal = fall(at, bags(frequencies=[1, 2, 3]))
    assert np.ptp(unequal["focus"]["Dense_0"]["kernel"]) > 1e-3
    assert np.abs(unequal["classify"]["Dense_0"]["bias"]).max() > 1e-3


# Flows.

STEPS = (0, 4, 16, 64, 256)
HORIZON = 20.0 * CLASSES * SEGMENTS
SWITCH = 0.1 * HORIZON
RTOL, ATOL = 1e-10, 1e-12
# Errors of a step add up over hundreds of steps, where nu takes off by a factor of a few.
SOLVED = 1e-7

ORDER = np.array([2, 0, 1])
UNEQUAL = np.array([1.0, 2.0, 4.0])
GRAM = np.array([[1.0, 0.3, -0.2], [0.3, 1.2, 0.1], [-0.2, 0.1, 0.8]])
CORRELATIONS = (0.3, -0.2)
SMALL = (0.01, 0.02, 0.04)
NOISE = {"zero mean": own_axis(0.3, -0.1, -0.2), "mean": own_axis(0.3, -0.2)}
SIGMAS = (0.025, 0.05)


def unequal(size):
    return EQUAL * (1 + size * np.array([-1.5, 0.5, 1.0]))


def learnt():
    """By name, the bags of each row and the foregrounds of its classes."""
    root, factor = foregrounds(GRAM), np.linalg.cholesky(GRAM)
    rows = {
        "published": (bags(), EYE),
        "root": (bags(UNEQUAL, root), root),
        "factor": (bags(UNEQUAL, factor), factor),
        "reordered": (bags(UNEQUAL[ORDER], root[ORDER]), root[ORDER]),
    }
    rows |= {f"noise of {name}": (bags(noise=noise), EYE) for name, noise in NOISE.items()}
    rows |= {f"unequal by {size}": (bags(unequal(size)), EYE) for size in SMALL}
    rows |= {f"sigma {sigma}": (bags(noise=like_normal(sigma)), EYE) for sigma in SIGMAS}
    for rho in CORRELATIONS:
        vectors = foregrounds(equal_gram(rho))
        rows[f"correlation {rho}"] = bags(vectors=vectors), vectors
    return rows


def planar(name, times):
    """By row, the paths of two numbers, ``[save]``."""
    rows = {"published": (0.0, 0.0)}
    rows |= {f"correlation {rho}": (rho, 0.0) for rho in CORRELATIONS}
    rows |= {f"sigma {sigma}": (0.0, sigma**2) for sigma in SIGMAS}
    rho, variance = jnp.asarray(list(rows.values())).T

    def solve(rho, variance):
        return solve_planar(
            name,
            times,
            segments=SEGMENTS,
            classes=CLASSES,
            correlation=rho,
            variance=variance,
            switch_time=SWITCH,
        )

    found = jax.vmap(solve)(rho, variance)
    return {
        row: {key: np.asarray(getattr(found, key))[at] for key in ("mu", "nu")}
        for at, row in enumerate(rows)
    }


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=pytest.mark.slow) for name in ("soft", "hard", "lvml", "hybrid")
    ],
)
def solved(request):
    """The paradigm; by row mu and nu ``[save, class]``, and beside ``[save]`` where planar."""
    name, keys = request.param, streams(0)
    problem = problem_of(CLASSES, SEGMENTS, name)
    settings = hyper("float64", learning_rate=HORIZON / STEPS[-1], switch_time=SWITCH)
    start = problem.init(keys.init, settings)
    flow = make_flow(problem, as_optimiser("sgd"), STEPS, rtol=RTOL, atol=ATOL)

    def of_one(data, silent):
        return flow(start, settings, Splits(Data(data), {"train": Data(silent)}), keys)

    times, rows = HORIZON / STEPS[-1] * np.asarray(STEPS), learnt()
    data = jax.tree.map(lambda *leaves: np.stack(leaves), *(data for data, _ in rows.values()))
    silent = [bags(vectors=vectors) for _, vectors in rows.values()]
    one_each = jax.tree.map(lambda *leaves: np.stack(leaves)[:, ::REPEATS], *silent)
    found = jax.tree.map(np.asarray, jit(jax.vmap(of_one))(data, one_each))
    assert np.all(found.status == Status.DONE)
    measures = {key: found.measures[key][:, :, 0] for key in ("mu", "nu")}
    each = {row: {key: value[at] for key, value in measures.items()} for at, row in enumerate(rows)}
    return name, each, planar(name, times)


def test_equal_frequencies_and_orthonormal_foregrounds_give_the_reduced_system(solved):
    # That the planar path without departure is the reduced system: tests/reduced/test_planar.py.
    _, rows, beside = solved
    for key, path in beside["published"].items():
        for row in ("published", "noise of zero mean"):
            np.testing.assert_allclose(rows[row][key], np.tile(path[:, None], CLASSES), atol=SOLVED)
    assert beside["published"]["nu"][-1] > 2, "the path goes somewhere"
    moved = rows["noise of mean"]["nu"][-1] - beside["published"]["nu"][-1]
    assert np.abs(moved).max() > 1e-3


@pytest.mark.parametrize("rho", CORRELATIONS)
def test_equally_correlated_foregrounds_give_a_path_of_two_speeds(solved, rho):
    name, rows, beside = solved
    path = beside[f"correlation {rho}"]
    for key, expected in path.items():
        found = rows[f"correlation {rho}"][key]
        np.testing.assert_allclose(found, np.tile(expected[:, None], CLASSES), atol=SOLVED)
    if name != "hybrid":
        ratio = (1 + (CLASSES - 1) * rho) / (1 - rho)
        level = theory.attention_potential(path["nu"], SEGMENTS)
        kept = level - ratio * theory.CLASS_POTENTIALS[name](path["mu"], CLASSES)
        np.testing.assert_allclose(kept, kept[0], atol=SOLVED)


def test_noise_like_normal_noise_gives_its_path_but_for_the_fourth_order(solved):
    _, rows, beside = solved
    for key, silent in beside["published"].items():
        effect, error = [], []
        for sigma in SIGMAS:
            found, path = rows[f"sigma {sigma}"][key], beside[f"sigma {sigma}"][key]
            assert np.ptp(found, axis=-1).max() < SOLVED, "no class is favoured"
            # At the end: on the way there, what hard attention's mu is off by changes its sign.
            effect.append(abs(found[-1, 0] - silent[-1]))
            error.append(abs(found[-1, 0] - path[-1]))
        # What is left of the path is a share of sigma^2 nu^2 of it, a tenth at these sizes.
        assert SOLVED < error[0] < 0.1 * effect[0]
        assert np.log2(effect[1] / effect[0]) == pytest.approx(2, abs=0.2)
        assert np.log2(error[1] / error[0]) == pytest.approx(4, abs=0.2)


def test_only_inner_products_of_foregrounds_matter_and_the_order_of_classes_does_not(solved):
    _, rows, _ = solved
    for key in ("mu", "nu"):
        root = rows["root"][key]
        np.testing.assert_allclose(rows["factor"][key], root, atol=SOLVED)
        np.testing.assert_allclose(rows["reordered"][key], root[:, ORDER], atol=SOLVED)
        assert np.ptp(root[-1]) > 0.1, "the classes do differ"


def test_unequal_frequencies_move_classes_to_first_order_and_their_average_to_second(solved):
    _, rows, _ = solved
    for key in ("mu", "nu"):
        off = np.stack([rows[f"unequal by {s}"][key] for s in SMALL]) - rows["published"][key]
        each = np.abs(off[:, -1]).max(-1)
        average = np.abs(off[:, -1].mean(-1))
        # Doubling the size: what is left of the next order is a share of the size itself.
        np.testing.assert_allclose(np.log2(each[1:] / each[:-1]), 1, atol=2 * SMALL[-1])
        np.testing.assert_allclose(np.log2(average[1:] / average[:-1]), 2, atol=4 * SMALL[-1])


def test_to_first_order_a_class_moves_by_its_own_excess_in_frequency_alone(solved):
    _, rows, _ = solved
    excess = unequal(SMALL[0]) / EQUAL - 1
    for key in ("mu", "nu"):
        off = rows[f"unequal by {SMALL[0]}"][key][-1] - rows["published"][key][-1]
        factor = off / excess
        np.testing.assert_allclose(factor, factor.mean(), rtol=8 * SMALL[0])
