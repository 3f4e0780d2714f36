"""What a function computes is seen by tracing: whether it is pure, what it depends on."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxattn.core.programs import depends_on_first, program_of

X = jax.ShapeDtypeStruct((3,), "float32")
KEY = jax.eval_shape(lambda: jax.random.key(0))


def drawn(key, x):
    return x * jax.random.uniform(key, x.shape, x.dtype)


def split_and_left(key, x):
    jax.random.split(key)
    return x


def carried(key, x):
    return jax.lax.scan(lambda own, _: (jax.random.split(own)[0], x), key, None, length=2)


@pytest.mark.parametrize(
    ("function", "depends"),
    [
        (drawn, True),
        (jax.jit(drawn), True),
        (lambda key, x: jax.grad(lambda y: jnp.sum(drawn(key, y)))(x), True),
        # By its steps, not by values.
        (lambda key, x: 0 * drawn(key, x), True),
        (lambda key, x: jax.lax.cond(x[0] > 0, lambda: x, lambda: drawn(key, x)), True),
        (carried, True),
        (lambda key, x: carried(key, x)[1], False),
        (split_and_left, False),
        (jax.jit(split_and_left), False),
        (lambda key, x: x if key is None else 2 * x, False),
        (lambda key, x: (), False),
        (lambda key, x: {"x": x, "key": key}, True),
    ],
)
def test_what_depends_on_its_first_argument_is_seen_without_values(function, depends):
    assert depends_on_first(function, KEY, X) is depends


def test_a_scalar_of_several_is_found_too():
    assert depends_on_first(lambda a, x, b: a * x + b, X, X, X)
    assert not depends_on_first(lambda a, x, b: x + b, X, X, X)


def test_what_a_function_raises_itself_is_raised():
    with pytest.raises(ValueError, match="mine"):
        depends_on_first(lambda key: [][jnp.zeros(())] if key is None else _raise(), KEY)


def _raise():
    raise ValueError("mine")


CALLS = itertools.count(1)


def count():
    return next(CALLS)


@pytest.mark.parametrize(
    ("function", "pure"),
    [
        (lambda x: jax.nn.relu(x) + jax.nn.logsumexp(x), True),
        (lambda x: x * np.arange(3.0), True),
        (lambda x: x * np.array([1.0, np.nan, 2.0]), True),
        (lambda x: x * jax.random.uniform(jax.random.key(1)), True),
        (lambda x: (x, count())[0], True),
        (lambda x: x * np.random.normal(), False),
        (lambda x: x * np.random.normal(size=3), False),
        (lambda x: x * count(), False),
        (lambda x: jnp.zeros(count()), False),
    ],
)
def test_what_is_pure_is_one_program_however_often_it_is_traced(function, pure):
    one, again = (program_of(function, X).fingerprint for _ in range(2))
    assert (one == again) is pure


def test_keys_that_a_function_holds_are_told_apart():
    one, other = (jax.random.key(seed) for seed in (0, 1))

    def holding(key):
        return program_of(lambda x: x * jax.random.uniform(key), X).fingerprint

    assert holding(one) == holding(jax.random.key(0)) != holding(other)


def test_shapes_come_along():
    assert program_of(lambda x: x[:2] > 0, X).shapes == jax.ShapeDtypeStruct((2,), bool)
