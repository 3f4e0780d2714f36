"""Models behind the `Model` contract. The only folder that imports flax.

To add one, write a function from the number of classes to a `jaxattn.core.contracts.Model` in a
module of this folder and name it in that module's own `MODELS`; nothing else knows. One that writes
captions is a `SequenceModel`, and is named in `SEQUENCE_MODELS`.
"""

from collections.abc import Callable, Mapping

from jaxattn.core.contracts import Model, SequenceModel
from jaxattn.core.lookup import discover
from jaxattn.models.captioner import captioner
from jaxattn.models.cnn import cnn_cifar10, cnn_cifar100, cnn_small
from jaxattn.models.linear import linear
from jaxattn.models.mlp import mlp
from jaxattn.models.pair import pair
from jaxattn.models.text import text
from jaxattn.models.text_attention import text_attention

__all__ = [
    "MODELS",
    "SEQUENCE_MODELS",
    "captioner",
    "cnn_cifar10",
    "cnn_cifar100",
    "cnn_small",
    "linear",
    "mlp",
    "pair",
    "text",
    "text_attention",
]

MODELS: Mapping[str, Callable[[int], Model]] = {
    name: factory
    for models in discover("jaxattn.models", "MODELS")
    for name, factory in models.items()
}
"""Factories by name: number of classes -> `Model`."""

SEQUENCE_MODELS: Mapping[str, Callable[[int], SequenceModel]] = {
    name: factory
    for models in discover("jaxattn.models", "SEQUENCE_MODELS")
    for name, factory in models.items()
}
"""The same of those that write captions: words of the vocabulary -> `SequenceModel`."""
