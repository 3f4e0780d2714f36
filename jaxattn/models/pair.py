"""A `Model` from two Flax modules: one scores a segment, one reads a value."""

import zlib
from itertools import combinations
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.errors import FlaxError
from jaxtyping import Array, Float, PyTree

from jaxattn.core.contracts import Example, Hyper, HyperSpec, InputError, Model, Params
from jaxattn.models.network import Network, refuse_shared

__all__ = ["FlaxError", "pair"]

# crc32 is fixed by its standard; beside the keys of the other two.
_SHARED = zlib.crc32(b"represent")
_KEYS = "keys"
"""Where training puts the key of each module, beside the parameters."""


def pair(
    focus: nn.Module,
    classifier: nn.Module,
    *,
    stochastic: bool = False,
    tile: int = 4,
    random_start: bool = True,
    smooth: bool = True,
    hypers: tuple[HyperSpec, ...] = (),
    represent: nn.Module | None = None,
) -> Model:
    """A model whose focus module reads the segments as they are, and by default both modules do.

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
        represent: maps one segment to what attention averages and `classifier` reads, such as the
            first layers of a network whose others are in `classifier`; its parameters are the part
            ``shared``. None: the segments themselves.

    Parameters are in the problem's precision, whatever `param_dtype` says: in float64 in that of a
    flow. Recipes are in docs/models.md.

    Raises:
        InputError: no Flax module; one inside both; stochastic, and neither can be told that it is
            in training. When a problem is made: variables beside the parameters, as those of
            `nn.BatchNorm`; a module that draws, or is another one in training, undeclared.
    """
    networks = _networks(focus, classifier, represent, stochastic)

    def init(key: Array, example: Example, hyper: Hyper) -> Params:
        del hyper
        segment = jax.tree.map(lambda leaf: jnp.asarray(leaf)[0], example.segments)
        of_focus, of_classifier = jax.random.split(key)
        shared, value = {}, segment
        if "shared" in networks:
            shared = networks["shared"].init(jax.random.fold_in(key, _SHARED), segment)
            value = networks["shared"](shared, segment, None)
        return {
            "shared": shared,
            "focus": networks["focus"].init(of_focus, segment),
            "classify": networks["classify"].init(of_classifier, value),
        }

    def draw(params: Params, key: Array) -> Params:
        # Beside the parameters: the keys are for this example alone.
        keys = jax.random.split(key, len(networks))
        return {**params, _KEYS: dict(zip(networks, keys, strict=True))}

    def apply(part: str, params: Params, segment: PyTree) -> Float[Array, "..."]:
        return networks[part](params[part], segment, params.get(_KEYS, {}).get(part))

    def values_of(params: Params, example: Example, key: Array | None) -> PyTree:
        del key
        if "shared" not in networks:
            return example.segments
        return jax.vmap(lambda segment: apply("shared", params, segment))(example.segments)

    def score(params: Params, example: Example, values: PyTree) -> Float[Array, " segment"]:
        del values
        return jax.vmap(lambda segment: apply("focus", params, segment).reshape(()))(
            example.segments
        )

    def classify(params: Params, value: PyTree) -> Float[Array, " class"]:
        return apply("classify", params, value)

    return Model(
        init,
        values_of,
        score,
        classify,
        stochastic=stochastic,
        hypers=hypers,
        random_start=random_start,
        tile=tile,
        smooth=smooth,
        draw=draw,
    )


def _networks(focus: Any, classifier: Any, represent: Any, stochastic: bool) -> dict[str, Network]:
    """What a person hands in by the part that its parameters are, looked at alone and together."""
    modules = {"focus": focus, "classify": classifier}
    called = {"focus": "focus", "classify": "classifier"}
    if represent is not None:
        modules["shared"], called["shared"] = represent, "represent"
    networks = {part: Network(called[part], module, stochastic) for part, module in modules.items()}
    for one, other in combinations(modules.values(), 2):
        refuse_shared(one, other)
    if stochastic and not any(network.flags for network in networks.values()):
        raise InputError(
            "pair: got stochastic=True and modules that cannot be told whether they are in "
            "training, expected one whose __call__ takes `deterministic` and hands it on to "
            "nn.Dropout; write __call__(self, segment, deterministic)."
        )
    return networks
