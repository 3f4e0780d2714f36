import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import EPS, PRECISION, jit

from jaxattn.core.contracts import InputError
from jaxattn.probes.position import WHOLE, position, project

COUNT = 16


def distance(a, b):
    return jnp.linalg.norm(a - b, axis=-1)


def loss(params):
    return jnp.sum(params)


@jit
def there(params):
    return position(COUNT).measure(loss, params, {}, params)["position"]


@jit
def by_keys(vector, keys):
    return jax.vmap(lambda key: project(vector, COUNT, key))(keys)


def test_few_parameters_are_their_own_position():
    params = {"focus": jnp.arange(3.0), "classify": {"w": jnp.arange(4.0).reshape(2, 2)}}
    np.testing.assert_array_equal(there(params), [0, 1, 2, 3, 0, 1, 2])


def test_parameters_are_projected_from_one_more_than_eight_times_the_coordinates():
    most = WHOLE * COUNT
    for parameters, coordinates in [(most, most), (most + 1, COUNT)]:
        found = jax.eval_shape(there, jnp.ones(parameters))
        assert found.shape == (coordinates,)


@pytest.mark.parametrize(
    "vector",
    [np.eye(100)[0], np.eye(100)[0] + np.eye(100)[1], np.ones(100), np.arange(100.0) - 20],
    ids=["one entry", "two entries", "all equal", "a ramp"],
)
def test_square_lengths_are_kept_on_average_over_keys_with_the_variance_derived(vector):
    vector, keys = jnp.asarray(vector, PRECISION), jax.random.split(jax.random.key(7), 4096)
    lengths = np.sum(np.asarray(by_keys(vector, keys), float) ** 2, axis=-1)
    # The square is the sum over pairs of entries of their product times random signs; so many
    # pairs, and rows drawn without repetition from 128, give (see the docstring's bound)
    # var = 2 / count (1 - (count - 1) / (length - 1)) (|x|^4 - sum x^4).
    square = float(vector @ vector)
    variance = 2 / COUNT * (1 - (COUNT - 1) / 127) * (square**2 - float(jnp.sum(vector**4)))
    assert variance <= 2 / COUNT * square**2
    spread = float(np.sqrt(max(variance, 0)))
    # Five standard errors of a mean; where there are no pairs, rounding alone.
    assert lengths.mean() == pytest.approx(square, abs=5 * spread / 64 + 100 * EPS * square)
    # That of a variance, for a fourth moment of that of a square of a normal (15) at most.
    assert lengths.var() == pytest.approx(
        variance, rel=5 * np.sqrt(14) / 64, abs=(100 * EPS * square) ** 2
    )


def test_with_as_many_coordinates_as_entries_all_angles_are_kept(rng):
    # Of 64 entries, a power of 2, every row of the matrix is taken once: a rotation.
    pairs = jnp.asarray(rng.normal(size=(2, 64)), PRECISION)
    turned = jit(jax.vmap(lambda vector: project(vector, 64, jax.random.key(1))))(pairs)
    np.testing.assert_allclose(turned @ turned.T, pairs @ pairs.T, rtol=0, atol=1e3 * EPS)


def test_distances_between_many_positions_are_distorted_as_a_random_projection_may(rng):
    count, parameters = 512, 5000
    points = jnp.asarray(rng.normal(size=(20, parameters)), PRECISION)
    # Some apart in few parameters alone, which a projection that picks entries would lose.
    points = points.at[10:].set(points[0]).at[jnp.arange(10, 20), jnp.arange(10)].add(3.0)
    measure = position(count).measure
    places = jit(jax.vmap(lambda params: measure(loss, params, {}, params)["position"]))(points)
    first, second = np.triu_indices(20, 1)
    true = distance(points[first], points[second])
    seen = distance(places[first], places[second])
    # Johnson and Lindenstrauss: squares of all lengths to within e, but for one key in a million.
    e = 0.5
    assert 2 * len(first) * np.exp(-count * (e**2 / 4 - e**3 / 6)) < 1e-6
    assert np.all(abs((seen / true) ** 2 - 1) < e)


def test_the_map_is_one_linear_map_for_all_parameters(rng):
    a, b = jnp.asarray(rng.normal(size=(2, 200)), PRECISION)
    np.testing.assert_allclose(there(2 * a - b), 2 * there(a) - there(b), atol=1e3 * EPS)


def test_distance_is_euclids_row_by_row():
    a, b = jnp.zeros((2, 3, 2)), jnp.ones((2, 3, 2)) * jnp.array([[[3.0, 4.0]]])
    np.testing.assert_allclose(distance(a, b), np.full((2, 3), 5.0))


def test_parameters_that_are_not_finite_are_nowhere():
    params = jnp.ones(200).at[3].set(jnp.nan)
    assert np.isnan(there(params)).all()


def test_a_probe_of_position_is_one_static_component():
    assert position() is position(count=512)
    assert hash(position(3)) != hash(position(4))
    assert [spec.name for spec in position().specs] == ["position"]
    with pytest.raises(InputError, match=r"got 0 coordinates, expected at least 1; .*\.$"):
        position(0)
