"""What can this machine do at best? The limits that the training figures are held against."""

import jax
import jax.numpy as jnp

SIDE, LENGTH = 2048, 2**25


def test_sgemm(benchmark):
    a, b = jax.random.normal(jax.random.key(0), (2, SIDE, SIDE), "float32")
    product = jax.jit(jnp.matmul)
    benchmark.extra_info |= {"question": "machine", "limit": "operations", "units": 2 * SIDE**3}
    benchmark.pedantic(lambda: product(a, b).block_until_ready(), rounds=10, warmup_rounds=2)


def test_bandwidth(benchmark):
    """STREAM's triad, far larger than any cache: two arrays read, one written."""
    a, b = jnp.ones((2, LENGTH), "float32")
    triad = jax.jit(lambda a, b: a + 3 * b)
    benchmark.extra_info |= {"question": "machine", "limit": "bytes", "units": 3 * 4 * LENGTH}
    benchmark.pedantic(lambda: triad(a, b).block_until_ready(), rounds=10, warmup_rounds=2)
