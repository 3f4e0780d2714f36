"""Multilayer perceptrons for focus and classification."""

from functools import lru_cache

import flax.linen as nn
from jaxtyping import Array, Float

from jaxattn.core.contracts import InputError, Model
from jaxattn.models.features_first import read_dense_pair
from jaxattn.models.pair import pair

__all__ = ["MODELS", "mlp"]


class _Perceptron(nn.Module):
    width: int
    depth: int
    features: int

    @nn.compact
    def __call__(self, segment: Array) -> Float[Array, " feature"]:
        hidden = segment.reshape(-1)
        for _ in range(self.depth):
            hidden = nn.relu(nn.Dense(self.width, param_dtype=segment.dtype)(hidden))
        return nn.Dense(self.features, param_dtype=segment.dtype)(hidden)


@lru_cache(maxsize=64)
def mlp(classes: int, width: int = 64, depth: int = 1) -> Model:
    """A perceptron for the scores and another, of the same size, for the logits.

    Weights start from Flax's default (variance 1 / inputs, truncated normal), biases from 0.

    Args:
        classes: number of logits.
        width: units of each hidden layer.
        depth: hidden layers; 0 leaves an affine map.

    Raises:
        InputError: width below 1 or a negative depth.
    """
    if width < 1 or depth < 0:
        raise InputError(
            f"size of mlp: got width {width}, depth {depth}; expected width >= 1 and depth >= 0."
        )
    focus, classifier = _Perceptron(width, depth, 1), _Perceptron(width, depth, classes)
    both = pair(focus, classifier, tile=4, smooth=depth == 0)
    # 256 bags of 5 at once, or 16 of 80.
    return both._replace(many=read_dense_pair, in_cache=1280)


MODELS = {"mlp": mlp}
