"""Whether a model starts where its attention map is defined: seen by evaluating both."""

from functools import partial
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float

from jaxattn.core.contracts import AttentionMap, HyperSpec, InputError, Model, Task
from jaxattn.core.kept import kept
from jaxattn.core.streams import PRNG
from jaxattn.problems.attention import softmax
from jaxattn.problems.check_attention_map import alone_or_together, values_of
from jaxattn.problems.tracing import in_one_line, shaped

__all__ = ["check_start"]


def check_start(
    attention: AttentionMap,
    model: Model,
    task: Task,
    name: str,
    hypers: tuple[HyperSpec, ...],
    precision: str,
) -> None:
    """Refuse a map that has no attention where all scores are zero, of a model that starts there.

    Spherical softmax is 0 / 0 there. The model is looked at only where the map asks for it.

    Args:
        attention: one that `check_attention_map` lets pass.
        model: starts somewhere.
        task: gives the shapes of an example.
        name: what to call the map in messages.
        hypers: what some component of the problem declares.
        precision: dtype of the scores.

    Raises:
        InputError: the model's scores are all zero at its start, and the map gives NaN of those.
    """
    if attention is softmax:
        return
    look = partial(_of_zeros, task, attention, name, precision)
    log_attention = alone_or_together(look, attention.hypers, hypers)
    if np.isnan(log_attention).any() and not _scores(model, task, hypers, precision).any():
        raise InputError(
            f"{name}: got NaN of scores that are all zero, as this model's are at its start, "
            "expected a start where they are not; take a model that starts at random, such as mlp, "
            "or another map."
        )


@kept
def _of_zeros(
    task: Task, attention: AttentionMap, name: str, precision: str, hypers: tuple[HyperSpec, ...]
) -> np.ndarray:
    template = _template(task, precision)
    zeros = np.zeros(task.segments, template.weight.dtype)
    hyper = values_of(hypers, zeros.dtype)
    hint = "log attention of every segment; try it on one score vector."
    with jax.ensure_compile_time_eval(), in_one_line(name, hint):
        return np.asarray(jax.jit(attention.attend)(zeros, template, hyper, None))


@kept
def _scores(
    model: Model, task: Task, hypers: tuple[HyperSpec, ...], precision: str
) -> Float[np.ndarray, " segment"]:
    """Of an example of drawn segments; a template may hold zeros alone."""
    template = _template(task, precision)
    draw = np.random.default_rng(0)

    def drawn(leaf: Any) -> Any:
        floats = leaf.dtype.kind == "f"
        return draw.normal(size=leaf.shape).astype(leaf.dtype) if floats else leaf

    example = template._replace(segments=jax.tree.map(drawn, template.segments))
    hyper = values_of(hypers, template.weight.dtype)

    def start(key: Array) -> Array:
        params = model.init(key, template, hyper)
        return model.score(params, example, model.represent(params, example, None))

    hint = "scores of one example at its start; try it on one."
    with jax.ensure_compile_time_eval(), in_one_line("model", hint):
        return np.asarray(jax.jit(start)(jax.random.key(0, impl=PRNG)))


def _template(task: Task, precision: str) -> Any:
    return jax.tree.map(lambda leaf: np.asarray(leaf, shaped(leaf, precision).dtype), task.template)
