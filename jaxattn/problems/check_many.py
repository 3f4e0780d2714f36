"""Whether a model reads many examples as it reads one: seen by evaluating both."""

from typing import Any

import jax
import numpy as np
from jaxtyping import Array, PyTree

from jaxattn.core.contracts import Example, HyperSpec, InputError, Model, Params, Task
from jaxattn.core.kept import kept
from jaxattn.models.features_first import read_dense_pair
from jaxattn.problems.check_model import check_model
from jaxattn.problems.tracing import in_one_line

__all__ = ["check_many"]

EXAMPLES = 3


def check_many(model: Model, task: Task, hypers: tuple[HyperSpec, ...], precision: str) -> None:
    """Refuse a model whose `many` is not its `score` and `classify`; computes once.

    At drawn parameters, of the task's template and of it with its segments in another order. What
    jaxattn's own models read by is proved by its tests, and not looked at again.

    Args:
        model: of any kind.
        task: its template gives the examples.
        hypers: what some component of the problem declares.
        precision: dtype of the parameters.

    Raises:
        InputError: scores or logits that differ by more than the root of the rounding.
    """
    if model.many is not None and model.many is not read_dense_pair:
        _compare(model, task, hypers, precision)


@kept
def _compare(model: Model, task: Task, hypers: tuple[HyperSpec, ...], precision: str) -> None:
    params = _drawn(check_model(task, model, hypers, precision).params)
    examples = _examples(task.template, precision)

    def of_one(example: Example) -> tuple[Array, Array]:
        values = model.represent(params, example, None)
        logits = jax.vmap(lambda value: model.classify(params, value))(values)
        return model.score(params, example, values), logits

    def of_many(examples: Example) -> tuple[Array, Array]:
        values = jax.vmap(lambda example: model.represent(params, example, None))(examples)
        assert model.many is not None
        scores, logits = model.many(params, examples, values)
        return scores, logits.transpose(1, 2, 0)

    hint = "what score and classify give of each example; try it on two."
    with jax.ensure_compile_time_eval(), in_one_line("model.many", hint):
        single, many = jax.jit(lambda given: (jax.vmap(of_one)(given), of_many(given)))(examples)
    for what, one, other in zip(("scores", "logits"), single, many, strict=True):
        _refuse_difference(what, np.asarray(one), np.asarray(other))


def _refuse_difference(what: str, one: np.ndarray, other: np.ndarray) -> None:
    # Another order of summing moves the last digits; half of the digits are never lost by it.
    bound = float(np.sqrt(np.finfo(one.dtype).eps)) * (1 + float(np.abs(one).max()))
    if not (gap := float(np.abs(one - other).max())) <= bound:
        raise InputError(
            f"model.many: got {what} that differ by {gap:.3g} from those of one example at a time, "
            f"expected at most {bound:.1g}; compute what score and classify do, or leave it out."
        )


def _drawn(shapes: Params) -> Params:
    """Parameters of these shapes that are not where a model starts, which may be zero."""
    draw = np.random.default_rng(0)

    def of(leaf: Any) -> np.ndarray:
        return (draw.normal(size=leaf.shape) / 2).astype(leaf.dtype)

    return jax.tree.map(of, shapes)


def _examples(template: Example, precision: str) -> PyTree:
    """Copies of the template, each with its segments moved on by one more."""

    def copies(leaf: Any, axis: int | None) -> Any:
        array = np.asarray(leaf)
        array = array.astype(precision) if array.dtype.kind == "f" else array
        moved = range(EXAMPLES)
        return np.stack([array if axis is None else np.roll(array, by, axis) for by in moved])

    segments, mask, label, foreground, weight = template
    return Example(
        jax.tree.map(lambda leaf: copies(leaf, 0), segments),
        copies(mask, 0),
        copies(label, None),
        copies(foreground, -1),
        copies(weight, None),
    )
