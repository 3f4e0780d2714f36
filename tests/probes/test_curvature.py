import sys
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import CLASSES, EPS, PRECISION, bags, hyper, jit, slow_but, task_of
from jax.flatten_util import ravel_pytree

from jaxattn.core.contracts import InputError
from jaxattn.core.part_rates import rate_scale
from jaxattn.models import linear, mlp
from jaxattn.probes.curvature import DEPTH, sharpness, top_curvature, top_eigenvalues
from jaxattn.probes.position import COORDINATES, WHOLE, coordinates_of
from jaxattn.problems.attention_problem import attention_problem

PARADIGMS = ("soft", "hard", "lvml")
MODELS = {"linear": linear(CLASSES, start="normal"), "mlp": mlp(CLASSES, width=10)}

# Of what has a largest second derivative of 1: the diagonal that is added, times the largest of
# some hundreds of normal numbers.
ROUNDING = 4 * EPS**0.75


def turned(spectrum, seed=0):
    """A symmetric matrix with these eigenvalues, along directions at random."""
    normal = np.random.default_rng(seed).normal(size=(len(spectrum),) * 2)
    turn, _ = np.linalg.qr(normal)
    return jnp.asarray((turn * spectrum) @ turn.T, PRECISION)


def bowl(matrix):
    return lambda params: params @ matrix @ params / 2


@lru_cache
def start_of(model):
    """Parameters at random, which no paradigm has a say in."""
    task = task_of(bags(np.random.default_rng(0)))
    problem = attention_problem(task, MODELS[model], "soft", precision=PRECISION)
    return jit(problem.init)(jax.random.key(0), hyper())


def ones(params):
    return jax.tree.map(jnp.ones_like, params)


@jit
def three_of(matrix):
    params = jnp.ones(len(matrix), PRECISION)
    return top_eigenvalues(bowl(matrix), params, ones(params), 3)


@pytest.mark.parametrize("paradigm", slow_but(["soft"], PARADIGMS))
@pytest.mark.parametrize("model", MODELS)
def test_lanczos_finds_the_largest_eigenvalues_of_the_dense_hessian(rng, model, paradigm):
    batch = bags(rng, 10)
    problem = attention_problem(task_of(batch), MODELS[model], paradigm, precision=PRECISION)
    start = start_of(model)
    point, unravel = ravel_pytree(start)
    assert point.size < 500
    probe = sharpness(3)

    @jit
    def both(flat, of_focus):
        values = hyper() | {"focus_rate": of_focus}

        def loss(params):
            return problem.loss(params, batch, values, jnp.zeros(()), jax.random.key(0), ())[0]

        dense = jax.jacfwd(jax.grad(lambda flat: loss(unravel(flat))))(flat)
        return dense, probe.measure(loss, unravel(flat), values, rate_scale(unravel(flat), values))

    # Wider weights make the eigenvalue that is most negative as large as the largest.
    for wider, of_focus in [(1, 1.0), (3, 1.0), (1, 4.0), (1, 0.0)]:
        rate = jnp.asarray(of_focus, PRECISION)
        dense, found = both(wider * point, rate)
        root, _ = ravel_pytree(jax.tree.map(jnp.sqrt, rate_scale(start, {"focus_rate": rate})))
        dense = np.asarray(root)[:, None] * np.asarray(dense) * np.asarray(root)
        exact = np.linalg.eigvalsh(dense)[::-1]
        # The promise is six digits; in float32 rounding leaves fewer.
        promised = 1e-6 * exact[:3] if PRECISION == "float64" else ROUNDING * abs(exact).max()
        assert np.all(abs(found["eigenvalues"] - exact[:3]) <= promised)
        assert found["sharpness"] == found["eigenvalues"][0]


LADDER = np.linspace(0, 0.9, 97)
SPECTRA = {
    "plain": [3, 2, 1, *LADDER],
    "tiny": [3e-9, 2e-9, 1e-9, *(1e-9 * LADDER)],
    "huge": [3e9, 2e9, 1e9, *(1e9 * LADDER)],
    "two nearly equal": [2, 2 - 1e-7, 1, *LADDER],
    "steeper downwards": [3, 2, 1, *LADDER[:-1], -50],
    "all downwards": [-1, -2, -3, *(-4 - LADDER)],
    "flat but for three": [3, 2, 1, *np.zeros(97)],
}


@pytest.mark.parametrize("name", SPECTRA)
def test_largest_is_meant_by_sign_whatever_else_is_in_the_spectrum(name):
    spectrum = np.asarray(SPECTRA[name])
    assert len(spectrum) > DEPTH
    found = three_of(turned(spectrum))
    # Gaps here leave Lanczos no error of its own, but for the lower one of two that it cannot tell
    # apart.
    tolerance = ROUNDING * abs(spectrum).max()
    assert found[0] == pytest.approx(spectrum[0], rel=0, abs=tolerance)
    if name != "two nearly equal":
        np.testing.assert_allclose(found, spectrum[:3], rtol=0, atol=tolerance)


@pytest.mark.parametrize("size", [0.0, 1.0, 1e-30])
def test_where_all_directions_are_alike_their_one_curvature_is_found(size):
    found = three_of(size * jnp.eye(100, dtype=PRECISION))
    np.testing.assert_allclose(found, size, rtol=ROUNDING)


def test_with_as_many_steps_as_parameters_equal_eigenvalues_are_all_listed():
    params = jnp.ones(20, PRECISION)
    spectrum = [2.0, 2.0, 2.0, 1.0, *np.zeros(16)]
    all_of = jit(lambda matrix: top_eigenvalues(bowl(matrix), params, ones(params), 20))
    # Once along the axes, where most parameters do not matter at all, and once turned.
    for matrix in (jnp.diag(jnp.asarray(spectrum, PRECISION)), turned(spectrum)):
        np.testing.assert_allclose(all_of(matrix), spectrum, rtol=0, atol=2 * ROUNDING)


def unscaled(probe, loss):
    """What a probe measures of steps along the gradient itself."""
    return lambda params: probe.measure(loss, params, {}, jnp.ones_like(params))


def test_a_single_parameter_has_its_second_derivative():
    measure = unscaled(sharpness(), lambda p: jnp.sum(p**3))
    found = jit(measure)(jnp.full(1, 2.0))
    assert float(found["sharpness"]) == pytest.approx(12, rel=ROUNDING)


def test_fewer_steps_never_say_more_than_there_is():
    params, spectrum = jnp.ones(100, PRECISION), np.linspace(-1, 1, 100)
    matrix = turned(spectrum)
    first, second = (
        jit(lambda k=k: top_eigenvalues(bowl(matrix), params, ones(params), 1, k)[0])()
        for k in (8, 32)
    )
    assert 0.5 < first < second <= 1 + ROUNDING
    # Saad's bound, the start's angle as that of a random vector is at most nine times in ten.
    gap = (spectrum[-1] - spectrum[-2]) / (spectrum[-2] - spectrum[0])
    assert 1 - second <= 2 / np.cosh(31 * np.arccosh(1 + 2 * gap)) ** 2 * 100 / 0.1**2


def test_a_scale_multiplies_the_hessian_from_both_sides(rng):
    params = {"a": jnp.ones(4, PRECISION), "b": jnp.ones((2, 3), PRECISION)}
    matrix = turned(np.linspace(-3, 5, 10))
    diagonal = rng.uniform(0.1, 10, 10)
    scale = ravel_pytree(params)[1](jnp.asarray(diagonal, PRECISION))

    def loss(params):
        return bowl(matrix)(ravel_pytree(params)[0])

    found = jit(lambda scale: top_eigenvalues(loss, params, scale, 10))(scale)
    # Similar to S H, whose eigenvalues are the same but whose symmetry is lost.
    exact = np.sort(np.linalg.eigvals(diagonal[:, None] * np.asarray(matrix, float)).real)[::-1]
    np.testing.assert_allclose(found, exact, rtol=0, atol=ROUNDING * abs(exact).max())


# Where nothing has to be projected, and Lanczos takes as many steps as there are parameters.
SCALES = {"alike": [1.0, 1.0], "apart": [0.1, 10.0], "one that stays": [0.0, 1.0]}


@pytest.mark.parametrize("name", SCALES)
def test_along_the_direction_a_step_multiplies_errors_by_one_number_and_mixes_in_no_other(
    rng, name
):
    matrix = turned(np.linspace(-3, 5, 10))
    scale = jnp.asarray(np.repeat(SCALES[name], 5), PRECISION)
    found = jit(lambda: top_curvature(bowl(matrix), jnp.ones(10, PRECISION), scale, 1))()
    assert float(jnp.linalg.norm(found.direction)) == pytest.approx(1, abs=10 * EPS)
    rate, errors = 0.7, rng.normal(size=(20, 10)) * (np.asarray(scale) > 0)
    after = errors - rate * (errors @ np.asarray(matrix, float)) * np.asarray(scale)
    by = 1 - rate * float(found.eigenvalues[0])
    along = np.asarray(found.direction, float)
    # The tilt moves eigenvectors by its size over the gap, here a ninth of the whole spectrum.
    size = 10 * abs(after).max()
    np.testing.assert_allclose(after @ along, by * (errors @ along), atol=9 * ROUNDING * size)


def test_a_single_parameter_has_one_direction():
    found = jit(lambda p: top_curvature(lambda p: jnp.sum(p**3), p, jnp.ones_like(p)))(jnp.ones(1))
    assert abs(float(found.direction[0])) == 1


def test_eigenvalues_alone_are_the_same_to_the_last_bit_and_make_no_direction():
    matrix, params = turned(SPECTRA["plain"]), jnp.ones(100, PRECISION)
    both = jit(lambda: top_curvature(bowl(matrix), params, ones(params), 3).eigenvalues)()
    np.testing.assert_array_equal(both, three_of(matrix))
    alone = jax.make_jaxpr(lambda p: sharpness(3).measure(bowl(matrix), p, {}, ones(p)))(params)
    directed = jax.make_jaxpr(
        lambda p: sharpness(3, direction=True).measure(bowl(matrix), p, {}, ones(p))
    )(params)
    assert len(alone.eqns) < len(directed.eqns)


@jit
def direction_of(matrix):
    params = jnp.ones(len(matrix), PRECISION)
    return top_curvature(bowl(matrix), params, ones(params)).direction


def test_the_direction_is_the_eigenvector_whatever_lies_beside_it_in_the_spectrum():
    for name, spectrum in SPECTRA.items():
        matrix = turned(np.asarray(spectrum))
        found = direction_of(matrix)
        exact = np.linalg.eigh(np.asarray(matrix, float))[1][:, -1]
        if name == "two nearly equal":
            assert float(found @ matrix @ found) == pytest.approx(2, rel=1e-6)
            continue
        # The least gap is a fiftieth of the largest eigenvalue by size.
        assert abs(float(found @ exact)) == pytest.approx(1, abs=(100 * ROUNDING) ** 2 + 10 * EPS)


@pytest.mark.slow
def test_a_direction_is_kept_where_positions_are(rng):
    size = WHOLE * COORDINATES + 1
    heavy = int(rng.integers(size))
    weights = jnp.ones(size, PRECISION).at[heavy].set(3.0)
    measure = unscaled(sharpness(1, 8, direction=True), lambda p: jnp.sum(weights * p**2) / 2)
    found = jit(measure)(jnp.ones(size, PRECISION))
    axis = coordinates_of(jnp.zeros(size, PRECISION).at[heavy].set(1.0))
    assert found["top_direction"].shape == axis.shape == (COORDINATES,)
    assert abs(float(found["top_direction"] @ axis)) == pytest.approx(1, abs=1e-3)
    assert "top_direction" not in unscaled(sharpness(1, 8), jnp.sum)(jnp.ones(9, PRECISION))


def test_a_rate_of_the_focus_model_scales_its_part_alone():
    params = {"shared": {}, "focus": {"u": jnp.ones(2)}, "classify": {"w": jnp.ones((2, 3))}}
    assert jax.tree.all(jax.tree.map(jnp.array_equal, rate_scale(params, {}), params))
    scale = rate_scale(params, {"focus_rate": jnp.asarray(0.5)})
    np.testing.assert_array_equal(scale["focus"]["u"], [0.5, 0.5])
    np.testing.assert_array_equal(scale["classify"]["w"], np.ones((2, 3)))
    assert scale["shared"] == {}


def test_rows_are_measured_as_each_alone_and_one_that_is_not_finite_spoils_no_other(rng):
    rows = (
        jnp.asarray(rng.normal(size=(4, 6)), PRECISION).at[1, 2].set(jnp.nan).at[3, 0].set(jnp.inf)
    )
    probe = sharpness(2, direction=True)
    measure = unscaled(probe, lambda p: jnp.sum(p**4) + jnp.prod(p))
    together, alone = jit(jax.vmap(measure))(rows), [jit(measure)(params) for params in rows]
    for name, values in together.items():
        each = np.stack([row[name] for row in alone])
        if name == "top_direction":
            values, each = abs(values), abs(each)
            np.testing.assert_allclose(values, each, atol=100 * ROUNDING)
        else:
            np.testing.assert_allclose(values, each, rtol=10 * ROUNDING)
        assert np.isfinite(each.reshape(4, -1)).all(axis=-1).tolist() == [True, False, True, False]


def test_a_sharpness_calls_no_library_that_waits_for_threads_of_xla():
    # Two such programs at once on two cores have waited for each other for ever.
    measure = jax.jit(unscaled(sharpness(direction=True), lambda p: jnp.sum(p**4)))
    assert "lapack" not in measure.lower(jnp.ones(5, PRECISION)).as_text()


def test_a_probe_is_one_static_component_and_labels_what_it_measures():
    assert sharpness(2) is sharpness(count=2, depth=DEPTH)
    assert hash(sharpness(2)) != hash(sharpness(3))
    measure = unscaled(sharpness(2), lambda p: jnp.sum(p**2))
    found = jax.eval_shape(measure, jnp.ones(5))
    directed = [spec.name for spec in sharpness(2, direction=True).specs]
    assert directed == [*(spec.name for spec in sharpness(2).specs), "top_direction"]
    specs = {spec.name: spec for spec in sharpness(2).specs}
    assert specs.keys() == found.keys()
    for name, values in found.items():
        assert values.shape == tuple(map(len, specs[name].coords))
        assert len(specs[name].dims) == values.ndim


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda: sharpness(0), "got 0 eigenvalues from 64 steps"),
        (lambda: sharpness(9, depth=8), "got 9 eigenvalues from 8 steps"),
        (
            lambda: sharpness(6).measure(lambda p: jnp.sum(p**2), jnp.ones(5), {}, jnp.ones(5)),
            "got 6 eigenvalues of 5 parameters",
        ),
    ],
)
def test_more_eigenvalues_than_can_be_found_are_refused_in_one_line(ask, said):
    with pytest.raises(InputError, match=f"^sharpness: {said}.*expected .*; .*\\.$") as caught:
        ask()
    assert "\n" not in str(caught.value)


def test_without_the_extra_it_is_said_what_to_install(monkeypatch):
    for loaded in [name for name in sys.modules if name.split(".")[0] == "matfree"]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, "matfree", None)
    said = r"got no package 'matfree.*', expected .* run pip install 'jaxattn\[curvature\]'"
    with pytest.raises(InputError, match=said):
        sharpness()
