"""A task and components of captions, checked before anything is compiled, by shapes alone."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from jaxattn.core.contracts import (
    AttentionMap,
    Example,
    Hyper,
    HyperSpec,
    InputError,
    Model,
    Paradigm,
    Params,
    SequenceModel,
    Task,
)
from jaxattn.core.kept import kept
from jaxattn.core.words import RESERVED
from jaxattn.problems.attention import imposed
from jaxattn.problems.check_components import check_components
from jaxattn.problems.check_model import check_model
from jaxattn.problems.tracing import described, same_kind, shapes_of

__all__ = ["check_captions", "first_word"]


def check_captions(
    task: Task,
    model: SequenceModel,
    attention: AttentionMap,
    paradigm: Paradigm,
    names: tuple[str, str],
    hypers: tuple[HyperSpec, ...],
    precision: str,
) -> None:
    """Refuse what cannot write the captions of a task, in one line; as `check_components`.

    Raises:
        InputError: a task without captions; an imposed attention, or one that draws; what
            `check_components` refuses of the first word; a state that changes its kind.
    """
    label = task.template.label
    if label.ndim != 1 or task.caption_words[: len(RESERVED)] != RESERVED:
        raise InputError(
            f"model: got one that writes captions, for the task {task.name!r}, whose labels are of "
            f"shape {label.shape}, expected labels [word] and a vocabulary that begins with "
            f"{', '.join(RESERVED)}; take a task of captions, or another model."
        )
    if attention is imposed:
        raise InputError(
            "attention map 'imposed': got captions, in which some words have no tile, expected "
            "one that follows the scores; take softmax."
        )
    if attention.stochastic:
        raise InputError(
            f"{names[0]}: got one that draws, expected one that follows the scores alone, as a "
            "caption goes on with the expected context; leave its fourth argument out."
        )
    alone = first_word(model), one_word(task)
    check_components(alone[1], alone[0], attention, paradigm, names, hypers, precision)
    seen = check_model(alone[1], alone[0], hypers, precision)
    value = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), seen.values)
    params, state = seen.params["model"], seen.params["state"]
    hint = "the state before the next word, of the same structure, shapes and dtypes."
    after = shapes_of(
        "model.advance", hint, model.advance, params, state, seen.example.label, value
    )
    if not same_kind(state, after):
        raise InputError(f"model.advance: got {described(after)}, expected {hint}")


@kept
def one_word(task: Task) -> Task:
    """The task of the first word alone."""
    template = task.template
    label: Any = template.label[0]
    first = template._replace(label=label, foreground=template.foreground[0])
    return replace(task, template=first, caption_words=())


@kept
def first_word(model: SequenceModel) -> Model:
    """The model of the first word alone: the state before it is among its parameters."""

    def init(key: Any, example: Example, hyper: Hyper) -> Params:
        example = jax.tree.map(jnp.asarray, example)
        params = model.init(key, example, hyper)
        values = model.represent(params, example, None)
        return {"model": params, "state": model.start(params, example, values)}

    def represent(params: Params, example: Example, key: Any) -> PyTree:
        return model.represent(params["model"], example, key)

    def score(params: Params, example: Example, values: PyTree) -> Any:
        del example
        return model.score(params["model"], params["state"], values)

    def classify(params: Params, value: PyTree) -> Any:
        return model.classify(params["model"], params["state"], value)

    return Model(init, represent, score, classify, hypers=model.hypers)
