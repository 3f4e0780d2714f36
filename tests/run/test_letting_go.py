"""Memory is let go: a task lives no longer than its owner holds it, whatever was run with it."""

import gc
import weakref
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxattn
from jaxattn.models.linear import linear


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
