"""What every test starts from: CPU, 64 bits, strict shapes, fixed seeds, no window, no cache."""

import gc
import os
import random
import signal
import sys
from collections.abc import Iterator

# Environment first: JAX and matplotlib read it once, at import, and subprocesses inherit it.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ["MPLBACKEND"] = "Agg"
# No test may depend on what an earlier run compiled. A test of the cache itself turns it on in a
# subprocess of its own.
os.environ["JAX_ENABLE_COMPILATION_CACHE"] = "false"

import hypothesis
import jax
import numpy as np
import pytest
import xla_options

pytest_plugins = ["processor_time"]

xla_options.compile_quickly()

# Bytecode is kept for the next process, whatever a person's environment says: xdist's workers and
# hundreds of commands import the same files. Without it, collecting takes 14 s instead of 8.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A shell that runs tests in the background has them ignore SIGINT, and so would the commands that
# tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

X64 = os.environ.get("JAXATTN_TEST_X64", "1") != "0"

# By config and not by environment: commands run as subprocesses must show what a person gets.
jax.config.update("jax_enable_x64", X64)
# [segment] + [class, segment] is a mistake more often than a wish: say which axis is meant.
jax.config.update("jax_numpy_rank_promotion", "raise")

# Fixed examples and no time limit per example: the first one of each shape compiles.
hypothesis.settings.register_profile("fixed", derandomize=True, deadline=None)
hypothesis.settings.load_profile("fixed")


LONGEST = ("test_documentation.py",)
"""Files that keep one worker busy for minutes. They begin first, or the other would wait for it."""


def pytest_report_header() -> str:
    bits, flags = 64 if X64 else 32, os.environ.get("XLA_FLAGS", "").strip()
    return f"jax {jax.__version__}, {bits} bits, XLA's {flags or 'own options'}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    skips = {
        "needs_x64": None if X64 else "needs float64, and JAXATTN_TEST_X64=0",
        "default_xla": None if xla_options.DEFAULT else "needs JAXATTN_TEST_XLA=default",
    }
    items.sort(key=lambda item: item.path.name not in LONGEST)
    for item in items:
        for marker, reason in skips.items():
            if reason and item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(autouse=True)
def _fixed_seeds() -> None:
    # The package draws from named streams only; this is for tests that draw by NumPy or Python.
    random.seed(0)
    np.random.seed(0)


@pytest.fixture(autouse=True, scope="module")
def _programs_let_go() -> Iterator[None]:
    # What a file compiled nobody needs after it. In a process that has kept all of them a test
    # takes up to ten times as long, and at last the system lets it map no more memory.
    yield
    # Not before: what is imported with this file has no types checked.
    from jaxattn.run.heap import share_mapped, trim_memory
    from jaxattn.run.stage import STAGES

    if share_mapped() > 0.1:
        for stage in list(STAGES):
            stage.forget()
        jax.clear_caches()
        gc.collect()
        trim_memory()


@pytest.fixture(scope="module")
def compiled_quickly() -> Iterator[None]:
    """What the package makes here is compiled as `helpers.compiled_quickly` says."""
    # Not before: what is imported with this file has no types checked.
    import helpers

    with helpers.compiled_quickly():
        yield


@pytest.fixture(autouse=True)
def _settings_of_jax_put_back() -> Iterator[None]:
    # A command run in this process sets the flags of a process of its own, such as 64 bits.
    set_by_commands = (
        "jax_enable_x64",
        "jax_compilation_cache_dir",
        "jax_persistent_cache_min_compile_time_secs",
    )
    was = {name: getattr(jax.config, name) for name in set_by_commands}
    yield
    for name, value in was.items():
        if getattr(jax.config, name) != value:
            jax.config.update(name, value)


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator of its own for each test, the same in every run and every order of tests."""
    return np.random.default_rng(0)
