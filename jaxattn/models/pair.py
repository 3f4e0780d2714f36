"""A `Model` from two Flax modules: one scores a segment, one reads a value."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.errors import FlaxError
from jaxtyping import Array, Float, PyTree

from jaxattn.core.contracts import Example, Hyper, HyperSpec, Model, Params

__all__ = ["FlaxError", "pair"]


def pair(
    focus: nn.Module,
    classifier: nn.Module,
    *,
    tile: int = 4,
    random_start: bool = True,
    smooth: bool = True,
    hypers: tuple[HyperSpec, ...] = (),
) -> Model:
    """A model whose focus and classification modules both read the segments as they are.

    Args:
        focus: maps one segment to an array of one element, its score.
        classifier: maps one segment, or an average of segments, to logits ``[class]``.
        tile: rows of a sweep vmapped together.
        random_start: whether the initial parameters depend on the key.
        smooth: False where gradients jump, as with ReLU: where the path of a flow slides along
            such a kink, tight tolerances reject steps without end.
        hypers: traced scalars the modules declare.

    Modules that say nothing of `param_dtype` have parameters in float32; in a float64 problem, such
    as that of a flow, they are cast from there.
    """

    def init(key: Array, example: Example, hyper: Hyper) -> Params:
        del hyper
        of_focus, of_classifier = jax.random.split(key)
        segment = jax.tree.map(lambda leaf: jnp.asarray(leaf)[0], example.segments)
        return {
            "shared": {},
            "focus": focus.init(of_focus, segment)["params"],
            "classify": classifier.init(of_classifier, segment)["params"],
        }

    def represent(params: Params, example: Example, key: Array | None) -> PyTree:
        del params, key
        return example.segments

    def score(params: Params, example: Example, values: PyTree) -> Float[Array, " segment"]:
        del values

        def of_one(segment: PyTree) -> Float[Array, ""]:
            return focus.apply({"params": params["focus"]}, segment).reshape(())

        return jax.vmap(of_one)(example.segments)

    def classify(params: Params, value: PyTree) -> Float[Array, " class"]:
        return classifier.apply({"params": params["classify"]}, value)

    return Model(
        init,
        represent,
        score,
        classify,
        hypers=hypers,
        random_start=random_start,
        tile=tile,
        smooth=smooth,
    )
