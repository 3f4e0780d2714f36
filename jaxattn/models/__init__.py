"""Models behind the `Model` contract. The only folder that imports flax."""

from collections.abc import Callable, Mapping

from jaxattn.core.contracts import Model
from jaxattn.models.linear import linear
from jaxattn.models.mlp import mlp
from jaxattn.models.pair import pair

__all__ = ["MODELS", "linear", "mlp", "pair"]

MODELS: Mapping[str, Callable[[int], Model]] = {"linear": linear, "mlp": mlp}
"""Factories by name: number of classes -> `Model`."""
