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


@pytest.mark.parametrize(
    "more",
    [
        {},
        pytest.param({"flow_seeds": 1}, marks=pytest.mark.needs_x64),
        pytest.param({"against": ("flow",)}, marks=[pytest.mark.needs_x64, pytest.mark.slow]),
    ],
    ids=str,
)
def test_a_task_is_let_go_after_it_was_run(more: dict[str, Any]) -> None:
    task = own_task()
    alive = weakref.ref(task)
    paradigms = ["soft"] if more else [expected_loss]
    jaxattn.compare(task, linear(2), paradigms=paradigms, seeds=1, steps=2, saves=2, **more)
    del task
    gc.collect()
    assert alive() is None


def test_so_is_a_loss_of_ones_own_after_training_on_ones_own_task() -> None:
    def own(*given: Any) -> Any:
        return expected_loss(*given)

    alive, task = weakref.ref(own), own_task()
    jaxattn.compare(task, linear(2), paradigms=[own], seeds=1, steps=2, saves=2)
    del own, task
    gc.collect()
    assert alive() is None
