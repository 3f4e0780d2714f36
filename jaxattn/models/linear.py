"""Linear focus and linear classification: the pair of the solvable setting."""

from functools import cache

import flax.linen as nn
import jax
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from jaxattn.core.contracts import InputError, Model
from jaxattn.models.features_first import read_dense_pair
from jaxattn.models.pair import pair

__all__ = ["MODELS", "is_linear_from_zero", "linear"]


def _within(bound: float) -> nn.initializers.Initializer:
    def init(key: Array, shape: tuple[int, ...], dtype: DTypeLike = float) -> Array:
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return init


ZEROS = nn.initializers.zeros
STARTS = {
    "zeros": lambda inputs: (ZEROS, ZEROS),
    "normal": lambda inputs: (nn.initializers.lecun_normal(), ZEROS),
    "uniform": lambda inputs: (_within(inputs**-0.5), _within(inputs**-0.5)),
}
"""How weights and bias start, from the number of inputs."""


class _Linear(nn.Module):
    features: int
    bias: bool
    start: str

    @nn.compact
    def __call__(self, segment: Array) -> Float[Array, " feature"]:
        segment = segment.reshape(-1)
        weights, bias = STARTS[self.start](segment.size)
        return nn.Dense(
            self.features,
            use_bias=self.bias,
            kernel_init=weights,
            bias_init=bias,
            param_dtype=segment.dtype,
        )(segment)


def linear(classes: int, bias: bool = False, start: str = "zeros") -> Model:
    """Scores ``u . x`` and logits ``W^T x``, by default from zero (THEORY section 2).

    Args:
        classes: number of logits.
        bias: whether the classification model has one (PAPER 2: yes; the theory: no).
        start: ``zeros``, where the closed forms start; ``normal`` (variance 1 / inputs, bias 0);
            or ``uniform``, weights and bias between -1 and 1 over the root of the inputs, which is
            how PyTorch starts a linear layer (PAPER 2).

    Returns:
        The same object for equal arguments.

    Raises:
        InputError: an unknown start.
    """
    if start not in STARTS:
        raise InputError(f"start of linear: got {start!r}, expected one of {', '.join(STARTS)}.")
    return _linear(classes, bias, start)


# Without a bound: a pair that were made anew would not be known for what it is.
@cache
def _linear(classes: int, bias: bool, start: str) -> Model:
    focus, classifier = _Linear(1, False, start), _Linear(classes, bias, start)
    model = pair(focus, classifier, tile=16, random_start=start != "zeros")
    return model._replace(many=read_dense_pair)


def is_linear_from_zero(model: Model, classes: int) -> bool:
    """Whether a model is ``linear(classes)`` in all that it computes: the pair that theory solves.

    By the functions themselves, so neither a name nor what else a `Model` says plays a part.
    """
    known = linear(classes)
    return all(
        getattr(model, name) is getattr(known, name)
        for name in ("init", "represent", "score", "classify", "draw", "many")
    )


MODELS = {"linear": linear}
