"""A `Model` from two Flax modules: one scores a segment, one reads a value."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.errors import FlaxError
from jaxtyping import Array, Float, PyTree

from jaxattn.core.contracts import Example, Hyper, HyperSpec, InputError, Model, Params
from jaxattn.models.network import Network, refuse_shared

__all__ = ["FlaxError", "pair"]


def pair(
    focus: nn.Module,
    classifier: nn.Module,
    *,
    stochastic: bool = False,
    tile: int = 4,
    random_start: bool = True,
    smooth: bool = True,
    hypers: tuple[HyperSpec, ...] = (),
) -> Model:
    """A model whose focus and classification modules both read the segments as they are.

    Args:
        focus: maps one segment to an array of one element, its score.
        classifier: maps one segment, or an average of segments, to logits ``[class]``.
        stochastic: whether training draws, as with dropout: a draw of each module an example, the
            same for all its segments. Measured, nothing is drawn. `deterministic`, `train`,
            `training` or `is_training` of a module's `__call__` say which of the two it is.
        tile: rows of a sweep vmapped together.
        random_start: whether the initial parameters depend on the key.
        smooth: False where gradients jump, as with ReLU: where the path of a flow slides along
            such a kink, tight tolerances reject steps without end.
        hypers: traced scalars the modules declare.

    Parameters are in the problem's precision, whatever `param_dtype` says: in float64 in that of a
    flow. Recipes are in docs/models.md.

    Raises:
        InputError: no Flax module; one inside both; stochastic, and neither can be told that it is
            in training. When a problem is made: variables beside the parameters, as those of
            `nn.BatchNorm`; a module that draws, or is another one in training, undeclared.
    """
    networks = {
        "focus": Network("focus", focus, stochastic),
        "classify": Network("classifier", classifier, stochastic),
    }
    refuse_shared(focus, classifier)
    if stochastic and not any(network.flags for network in networks.values()):
        raise InputError(
            "pair: got stochastic=True and modules that cannot be told whether they are in "
            "training, expected one whose __call__ takes `deterministic` and hands it on to "
            "nn.Dropout; write __call__(self, segment, deterministic)."
        )

    def init(key: Array, example: Example, hyper: Hyper) -> Params:
        del hyper
        segment = jax.tree.map(lambda leaf: jnp.asarray(leaf)[0], example.segments)
        keys = jax.random.split(key)
        starts = {
            part: network.init(of_part, segment)
            for (part, network), of_part in zip(networks.items(), keys, strict=True)
        }
        return {"shared": {}, **starts}

    def draw(params: Params, key: Array) -> Params:
        # Where no parameters are: the keys are for this example alone.
        return {**params, "shared": dict(zip(networks, jax.random.split(key), strict=True))}

    def apply(part: str, params: Params, segment: PyTree) -> Float[Array, "..."]:
        return networks[part](params[part], segment, params["shared"].get(part))

    def represent(params: Params, example: Example, key: Array | None) -> PyTree:
        del params, key
        return example.segments

    def score(params: Params, example: Example, values: PyTree) -> Float[Array, " segment"]:
        del values
        return jax.vmap(lambda segment: apply("focus", params, segment).reshape(()))(
            example.segments
        )

    def classify(params: Params, value: PyTree) -> Float[Array, " class"]:
        return apply("classify", params, value)

    return Model(
        init,
        represent,
        score,
        classify,
        stochastic=stochastic,
        hypers=hypers,
        random_start=random_start,
        tile=tile,
        smooth=smooth,
        draw=draw,
    )
