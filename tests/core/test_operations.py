"""What a traced program has to do, counted by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxattn.core.operations import Operations, operations_of

A, B = np.ones((3, 5), np.float32), np.ones((5, 7), np.float32)
TURNS = 10.0


def counted(function, *arguments) -> Operations:
    return operations_of(jax.jit(function).trace(*arguments).jaxpr, TURNS)


PRODUCT = 2.0 * 3 * 5 * 7


def test_products_count_their_terms_and_all_else_what_it_writes() -> None:
    assert counted(lambda a: a @ B, A) == Operations(PRODUCT, 0.0)
    assert counted(lambda a: jnp.sin(a), A) == Operations(0.0, 4.0 * 15)
    assert counted(lambda a: a > 0, A).bytes >= 15
    many = jax.vmap(lambda a: a @ B)
    assert counted(many, np.ones((11, 3, 5), np.float32)).flops == 11 * PRODUCT


@pytest.mark.needs_x64
def test_64_bits_count_twice() -> None:
    wide = counted(lambda a, b: jnp.sin(a) @ b, A.astype(float), B.astype(float))
    assert wide == Operations(2 * PRODUCT, 8.0 * 15)


def test_a_convolution_counts_its_kernel() -> None:
    image, kernel = np.ones((1, 2, 8, 8), np.float32), np.ones((4, 2, 3, 3), np.float32)
    done = counted(lambda x: jax.lax.conv_general_dilated(x, kernel, (1, 1), "VALID"), image)
    assert done.flops == 2.0 * (4 * 6 * 6) * (2 * 3 * 3)


def test_a_scan_counts_as_often_as_it_is_long_and_functions_that_are_called_count() -> None:
    def scanned(a):
        return jax.lax.scan(lambda c, _: (jax.jit(jnp.sin)(c) @ (B @ B.T), None), a, length=6)[0]

    once = counted(lambda a: jnp.sin(a) @ (B @ B.T), A)
    assert counted(scanned, A) == once.times(6.0)


def test_a_loop_without_a_known_end_counts_as_often_as_is_said_and_one_inside_it_once() -> None:
    def loop(count, a):
        return jax.lax.fori_loop(0, count, lambda _, c: c @ (B @ B.T), a)

    def nested(count, a):
        return jax.lax.fori_loop(0, count, lambda _, c: loop(count, c), a)

    once = counted(lambda a: a @ (B @ B.T), A).flops
    assert counted(loop, 3, A).flops == TURNS * once
    assert counted(nested, 3, A).flops == TURNS * once
    by_save = jax.vmap(lambda a: jax.lax.scan(lambda c, n: (loop(n, c), None), a, jnp.arange(4))[0])
    assert counted(by_save, A[None]).flops == 4 * TURNS * once
