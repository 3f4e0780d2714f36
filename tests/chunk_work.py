"""Chunks for the tests of engines: tiny, done by JAX, importable in any process."""

import os
import signal
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import xarray as xr

PYTHONPATH = os.pathsep.join(filter(None, [str(Path(__file__).parent), os.getenv("PYTHONPATH")]))
"""With it, other processes find this module."""

SIZE = 10_001


def compute(number: int) -> bytes:
    """Sums whose last bits tell how they were computed, by `number` of the chunk."""
    keys = jax.vmap(jax.random.key)(jnp.arange(3) + number)
    draws = jax.vmap(lambda key: jax.random.normal(key, (SIZE,), float))(keys)
    return jax.device_get(jax.vmap(jnp.sum)(draws)).tobytes()


def who(number: int) -> bytes:
    """The process, and whether it is set as its parent."""
    del number
    return f"{os.getpid()} {jnp.arange(2.0).dtype} {jax.config.jax_compilation_cache_dir}".encode()


def fail_at_five(number: int) -> bytes:
    if number == 5:
        raise ZeroDivisionError("five")
    return bytes([number])


def die_at_five(number: int) -> bytes:
    if number == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return bytes([number])


def slow(folder: Path, number: int) -> bytes:
    """Leave a mark of this process and take a while."""
    (folder / f"{number}.{os.getpid()}").touch()
    time.sleep(0.2)
    return compute(number)


def endless(folder: Path, number: int) -> bytes:
    (folder / f"{number}.{os.getpid()}").touch()
    time.sleep(600)
    return b""


def a_megabyte(number: int) -> bytes:
    return bytes([number % 256]) * (1 << 20)


def endless_but_first(folder: Path, number: int) -> bytes:
    return b"" if number == 0 else endless(folder, number)


def as_file(number: int) -> bytes:
    """As a sweep's chunk is: a file of xarray's, in memory."""
    return bytes(xr.Dataset({"number": number}).to_netcdf(engine="h5netcdf"))
