"""Dense layers of many inputs at once, features first: kernels on the left.

Of a minibatch that the rows of a tile share, the first layer of all rows is then one matrix product
``[row x feature, input] @ [input, example x segment]``, and what follows runs along segments of
examples, of which there are more than features.
"""

import jax
from jaxtyping import Array, Float, PyTree

from jaxattn.core.contracts import Example, Params

__all__ = ["read_dense_pair"]


def read_dense_pair(
    params: Params, examples: Example, values: PyTree
) -> tuple[Float[Array, "example segment"], Float[Array, "class example segment"]]:
    """`Model.many` of a pair of perceptrons: dense layers in turn, ReLU between them.

    Args:
        params: of the modules of `jaxattn.models.linear` or `jaxattn.models.mlp`.
        examples: with a leading axis of examples.
        values: what the model represents them by, their segments: one array.
    """
    del examples
    count, segments = values.shape[:2]
    inputs = values.reshape(count * segments, -1)
    scores, logits = (_layers(params[part], inputs) for part in ("focus", "classify"))
    return scores.reshape(count, segments), logits.reshape(-1, count, segments)


def _layers(
    layers: dict[str, dict[str, Array]], inputs: Float[Array, "each input"]
) -> Float[Array, "feature each"]:
    hidden = inputs.T
    for number in range(len(layers)):
        layer = layers[f"Dense_{number}"]
        hidden = jax.nn.relu(hidden) if number else hidden
        hidden = layer["kernel"].T @ hidden
        if "bias" in layer:
            hidden = hidden + layer["bias"][:, None]
    return hidden
