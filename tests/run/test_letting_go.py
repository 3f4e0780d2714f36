"""Memory is let go: a task lives no longer than its owner holds it, whatever was run with it."""

import gc
import mmap
import weakref
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxattn
from jaxattn.models.linear import linear
from jaxattn.run import heap, stage


def own_task() -> jaxattn.Task:
    rng = np.random.default_rng(0)
    X, y = rng.random((300, 4)), np.arange(300) % 6
    return jaxattn.mosaic(X, y, foreground=(0, 1), segments=3, train=8, test=8)


def expected_loss(log_attention: Any, values: Any, read: Any, label: Any, context: Any) -> Any:
    each = jax.vmap(lambda value: read.log_probability(value, label))(values)
    return -jnp.sum(jnp.exp(log_attention) * each)


def run_and_forget(own: bool, more: dict[str, Any]) -> list[weakref.ref[Any]]:
    """A task, and a loss, that nobody holds when this function has returned."""

    def loss(*given: Any) -> Any:
        return expected_loss(*given)

    task = own_task()
    paradigms = [loss] if own else ["soft"]
    jaxattn.compare(task, linear(2), paradigms=paradigms, seeds=1, steps=2, saves=2, **more)
    return [weakref.ref(task), weakref.ref(loss)]


@pytest.mark.parametrize(
    ("own", "more"),
    [
        pytest.param(True, {}, marks=pytest.mark.slow),
        pytest.param(False, {"flow_seeds": 1}, marks=[pytest.mark.needs_x64, pytest.mark.slow]),
        pytest.param(
            False, {"against": ("flow",)}, marks=[pytest.mark.needs_x64, pytest.mark.slow]
        ),
    ],
    ids=str,
)
def test_a_task_and_a_loss_are_let_go_after_they_were_run(own: bool, more: dict[str, Any]) -> None:
    alive = run_and_forget(own, more)
    gc.collect()
    assert [reference() for reference in alive] == [None, None]


def sorting(number: int) -> stage.Stage:
    def sort_of_this_test(x: Any) -> Any:
        return jnp.sort(jnp.sin(x) + number)

    return stage.Stage(sort_of_this_test)


def alive() -> int:
    """Programs of `sorting` that the device holds; what other tests left may go at any time."""
    held = jax.devices()[0].client.live_executables()
    return sum("sort_of_this_test" in one.hlo_modules()[0].name for one in held)


@pytest.mark.slow
def test_programs_used_longest_ago_are_let_go_before_the_system_refuses_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here, x = stage.Where(jax.devices()[0]), jnp.arange(5.0)

    def value(of: stage.Stage) -> np.ndarray:
        return np.asarray(of.compiled(here, x).result()(x))

    monkeypatch.setattr(stage, "STAGES", weakref.WeakSet())
    monkeypatch.setattr(stage, "share_mapped", lambda: alive() / 16)
    one, *others = [sorting(number) for number in range(25)]
    expected = value(one)
    for used in others:
        value(used)
        assert alive() <= 8
    assert (one.programs, others[-1].programs) == (0, 1)
    np.testing.assert_array_equal(value(one), expected)


def test_a_program_is_of_pieces_that_the_system_counts() -> None:
    assert 0 <= heap.share_mapped() < 1
    if not Path("/proc/self/maps").exists():
        assert heap.share_mapped() == 0
        return
    before, held = heap.share_mapped(), [mmap.mmap(-1, mmap.PAGESIZE) for _ in range(2000)]
    # Neighbours of equal rights are one piece; every second one is made to differ.
    for other in held[::2]:
        other.madvise(mmap.MADV_DONTDUMP)
    assert heap.share_mapped() > before
