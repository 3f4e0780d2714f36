"""What a device does at best: products of matrices, and memory read and written.

The rates of `device_rates.py` are shares of these, measured in the same run.
"""

import time
from collections.abc import Callable
from contextlib import nullcontext
from statistics import median
from typing import Any

import jax
import jax.numpy as jnp

ROUNDS = 5


def seconds_of(work: Callable[[], Any], rounds: int = ROUNDS) -> float:
    """Median seconds of `work`, which is run once before."""
    jax.block_until_ready(work())
    seconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        jax.block_until_ready(work())
        seconds.append(time.perf_counter() - began)
    return median(seconds)


def matmul(side: int, dtype: str, precision: str | None) -> float:
    """Operations a second of a product of square matrices; `precision` as training has it.

    Raises:
        jax.errors.JaxRuntimeError: the device has no such numbers, or no room.
    """
    with jax.enable_x64(True) if dtype == "float64" else nullcontext():
        a, b = jax.random.normal(jax.random.key(0), (2, side, side), dtype)
        product = jax.jit(lambda a, b: jnp.matmul(a, b, precision=precision))
        return 2 * side**3 / seconds_of(lambda: product(a, b))


def bandwidth(length: int) -> float:
    """Bytes a second of STREAM's triad in float32: two arrays read, one written.

    Raises:
        jax.errors.JaxRuntimeError: no room for three arrays of that length.
    """
    a, b = jnp.ones((2, length), "float32")
    triad = jax.jit(lambda a, b: a + 3 * b)
    return 3 * 4 * length / seconds_of(lambda: triad(a, b))
