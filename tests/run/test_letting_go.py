"""Memory is let go: a task lives no longer than its owner holds it, whatever was run with it."""

import gc
import weakref
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxattn
from jaxattn.models.linear import linear
from jaxattn.run import stage


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


def mapped() -> int:
    return Path("/proc/self/maps").read_bytes().count(b"\n")


def program(number: int) -> stage.Stage:
    return stage.Stage(lambda x: jnp.sort(jnp.sin(x) @ x.T + number, axis=0).sum(axis=1))


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="only Linux limits what is mapped")
def test_programs_used_longest_ago_are_let_go_before_the_system_refuses_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here, x = stage.Where(jax.devices()[0]), jnp.ones((5, 5))

    def value(of: stage.Stage) -> np.ndarray:
        return np.asarray(of.compiled(here, x).result()(x))

    monkeypatch.setattr(stage, "_STAGES", weakref.WeakSet())
    one = program(0)
    gc.collect()
    before = mapped()
    expected = value(one)
    each = mapped() - before
    assert each > 0
    # Room for eight of them beside what there is.
    monkeypatch.setattr(stage, "share_mapped", lambda: (mapped() - before) / (16 * each))
    many = [program(number) for number in range(1, 25)]
    for used in many:
        value(used)
        assert mapped() - before < 16 * each
    assert (many[-1].programs, one.programs) == (1, 0)
    np.testing.assert_array_equal(value(one), expected)
