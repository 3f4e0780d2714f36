"""A fingerprint tells programs apart by what they compute, and by nothing else."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxattn.core.fingerprint import fingerprint

SHAPE = jax.ShapeDtypeStruct((4,), np.float32)
TABLE, OTHER = np.arange(4, dtype=np.float32), np.asarray([0, 1, 2, 3.0000002], np.float32)


def of(function: Callable[..., Any], *arrays: Any) -> str:
    return fingerprint(jax.jit(function).trace(SHAPE).jaxpr, *arrays)


def scaled(x: Any) -> Any:
    return jax.nn.relu(x) * 2.0


def renamed(argument: Any) -> Any:
    return (lambda positive: positive * 2.0)(jax.nn.relu(argument))


def test_names_say_nothing() -> None:
    assert of(scaled) == of(renamed)


@pytest.mark.parametrize(
    "other",
    [
        lambda x: jax.nn.relu(x) * 2.0000002,
        lambda x: jax.nn.relu(x) * 2.0 + 0.0,
        lambda x: jax.nn.gelu(x) * 2.0,
        lambda x: jax.lax.cond(x[0] > 0, scaled, lambda y: y, x),
    ],
)
def test_what_is_computed_says_all(other: Callable[..., Any]) -> None:
    assert of(scaled) != of(other)


def deep(table: np.ndarray) -> Callable[..., Any]:
    """A constant inside a loop inside a branch."""

    def step(carry: Any, _: Any) -> tuple[Any, None]:
        return jnp.sin(carry) + jnp.asarray(table), None

    def loop(x: Any) -> Any:
        return jax.lax.scan(step, x, None, length=3)[0]

    return lambda x: jax.lax.cond(x[0] > 0, loop, lambda y: y, x)


def test_the_last_bit_of_a_constant_counts_wherever_it_is() -> None:
    assert of(deep(TABLE)) == of(deep(TABLE.copy())) != of(deep(OTHER))


def test_keys_count_as_their_numbers() -> None:
    def noisy(seed: int) -> Callable[..., Any]:
        key = jax.random.key(seed)
        return lambda x: x + jax.random.normal(key, x.shape)

    assert of(noisy(0)) == of(noisy(0)) != of(noisy(1))


def test_data_count_by_dtype_shape_and_value() -> None:
    data = {"x": TABLE}
    different = [
        {"x": OTHER},
        {"x": TABLE.astype(float)},
        {"x": TABLE[None]},
        {"y": TABLE},
        {"x": TABLE[::-1]},
        (),
    ]
    prints = [of(scaled, each) for each in (data, *different)]
    assert len(set(prints)) == len(prints)
    assert of(scaled, {"x": TABLE[::-1][::-1]}) == prints[0]


def test_how_jax_would_write_it_down_says_nothing() -> None:
    plain = of(deep(TABLE))
    before = jax.config.values["jax_pprint_use_color"]
    jax.config.update("jax_pprint_use_color", not before)
    try:
        assert of(deep(TABLE)) == plain
    finally:
        jax.config.update("jax_pprint_use_color", before)


def test_a_function_that_a_primitive_carries_has_no_address() -> None:
    def doubling() -> Callable[..., Any]:
        @jax.custom_vjp
        def double(x: Any) -> Any:
            return 2 * x

        double.defvjp(lambda x: (2 * x, None), lambda _, g: (2 * g,))
        return double

    functions = doubling(), doubling()
    texts = {str(jax.jit(each).trace(SHAPE).jaxpr.eqns[0].params) for each in functions}
    assert len(texts) == 2, "each carries functions of its own"
    assert of(functions[0]) == of(functions[1])
