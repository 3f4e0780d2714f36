"""Linear focus and linear classification: the pair of the solvable setting."""

from functools import lru_cache

import flax.linen as nn
from jaxtyping import Array, Float

from jaxattn.contracts import InputError, Model
from jaxattn.models.pair import pair

__all__ = ["linear"]

STARTS = {
    "zeros": nn.initializers.zeros,
    "normal": nn.initializers.lecun_normal(),
}


class _Linear(nn.Module):
    features: int
    bias: bool
    start: str

    @nn.compact
    def __call__(self, segment: Array) -> Float[Array, " feature"]:
        segment = segment.reshape(-1)
        return nn.Dense(
            self.features,
            use_bias=self.bias,
            kernel_init=STARTS[self.start],
            param_dtype=segment.dtype,
        )(segment)


@lru_cache(maxsize=64)
def linear(classes: int, bias: bool = False, start: str = "zeros") -> Model:
    """Scores ``u . x`` and logits ``W^T x``, by default from zero (THEORY section 2).

    Args:
        classes: number of logits.
        bias: whether the classification model has one (PAPER 2: yes; the theory: no).
        start: ``zeros``, where the closed forms start, or ``normal`` (variance 1 / inputs).

    Raises:
        InputError: an unknown start.
    """
    if start not in STARTS:
        raise InputError(f"start of linear: got {start!r}, expected one of {', '.join(STARTS)}.")
    focus, classifier = _Linear(1, False, start), _Linear(classes, bias, start)
    return pair(focus, classifier, tile=16, random_start=start != "zeros")
