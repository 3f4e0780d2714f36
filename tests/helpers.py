"""Small random bags, a task and settings that several tests share."""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xla_options

from jaxattn.core.contracts import Data, Example, Hyper, Params, Splits, Task
from jaxattn.problems.paradigms import PARADIGMS
from jaxattn.study.settings import Settings
from jaxattn.study.study import Study, resolve_settings

PRECISION = "float64" if jax.config.jax_enable_x64 else "float32"
EPS = float(np.finfo(PRECISION).eps)

_OTHER = "float32" if PRECISION == "float64" else "float64"
PRECISIONS = [
    PRECISION,
    pytest.param(
        _OTHER, marks=[pytest.mark.slow, *([pytest.mark.needs_x64] if _OTHER == "float64" else ())]
    ),
]
"""To parametrise a test with: the one that is not the process's own is slow, as it repeats."""

EXACT = [name for name, paradigm in PARADIGMS.items() if not paradigm.stochastic]
"""Paradigms whose loss parameters and data determine; the others draw on a key."""

SEGMENTS, FEATURES, CLASSES = 4, 5, 3

# Most tests run for microseconds what takes seconds to optimise: LLVM at its lowest level halves
# the time of a test. Not for a function that another compiled one calls.
jit = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


@contextmanager
def compiled_quickly() -> Iterator[None]:
    """Programs that the package makes here are compiled as `jit` does, unless bits are tested."""
    if xla_options.DEFAULT:
        yield
        return
    whole = jax.jit

    def quickly(*function: Any, **how: Any) -> Any:
        ours = all(one.__module__.startswith("jaxattn") for one in function)
        # What is inlined, or called by what is traced, is compiled with its caller.
        within = how.get("inline") or isinstance(jnp.zeros(()), jax.core.Tracer)
        return (jit if ours and not within else whole)(*function, **how)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jax, "jit", quickly)
        yield


def study_of(*task: Any, **asked: Any) -> Study:
    """What is asked for, resolved, as `jaxattn.compare` does it."""
    return resolve_settings(Settings(*task, **asked))


def slow_but(quick: Collection[Any], values: Iterable[Any]) -> list[Any]:
    """`values` to parametrise a test with: all but the `quick` ones are marked slow."""
    return [v if v in quick else pytest.param(v, marks=pytest.mark.slow) for v in values]


def bags(rng: np.random.Generator, count: int = 10) -> Example:
    """`count` bags whose foreground, at a random place, lies along the axis of its label."""
    label = rng.integers(0, CLASSES, count).astype(np.int32)
    place = rng.integers(0, SEGMENTS, count)
    segments = rng.normal(size=(count, SEGMENTS, FEATURES))
    segments[np.arange(count), place, label] += 2
    return Example(
        segments=segments.astype(PRECISION),
        mask=np.ones((count, SEGMENTS), bool),
        label=label,
        foreground=np.arange(SEGMENTS) == place[:, None],
        weight=np.ones(count, PRECISION),
    )


def one_of(batch: Example, index: int = 0) -> Example:
    return jax.tree.map(lambda leaf: jnp.asarray(leaf[index]), batch)


def task_of(batch: Example) -> Task:
    """A task that always gives these bags."""
    return Task("bags", SEGMENTS, CLASSES, lambda seed: {"train": Data(batch)}, one_of(batch))


def splits(batch: Example) -> Splits:
    return Splits(Data(batch), {"train": Data(batch)})


def hyper(precision: str = PRECISION, **values: float) -> Hyper:
    """These traced scalars, beside defaults that every attention map and paradigm can read."""
    known = {"learning_rate": 0.1, "temperature": 1.0, "alpha": 0.5, "switch_time": 1.0}
    sampled = {"baseline_decay": 0.9, "gumbel_temperature": 1.0}
    given = {**known, **sampled, **values}
    return {name: _scalar(value, precision) for name, value in given.items()}


@lru_cache(maxsize=1024)  # hypothesis asks for the same few thousands of times
def _scalar(value: float, precision: str) -> jax.Array:
    # Called while something is traced, asarray would give a tracer, and the cache would keep it.
    with jax.ensure_compile_time_eval():
        return jnp.asarray(value, precision)


def distance(a: Params, b: Params) -> float:
    """The largest difference between two trees of the same structure; NaN if any entry is."""
    gaps = jax.tree.map(lambda x, y: np.max(np.abs(np.asarray(x) - np.asarray(y))), a, b)
    return float(np.max(jax.tree.leaves(gaps)))


def assert_same_bits(a: object, b: object) -> None:
    """Equal trees, NaN equal to NaN."""
    jax.tree.map(np.testing.assert_array_equal, a, b)


def all_finite(tree: object) -> bool:
    return all(bool(np.all(np.isfinite(leaf))) for leaf in jax.tree.leaves(tree))
