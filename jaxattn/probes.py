"""What else can be measured at a save point: a probe of the training loss at the parameters."""

from collections.abc import Callable
from typing import NamedTuple

from jaxtyping import Array, Float

from jaxattn.contracts import Hyper, MeasureSpec, Params

__all__ = ["Probe"]


class Probe(NamedTuple):
    """``measure(loss, params, hyper) -> {name: array}``, labelled by `specs`.

    ``loss(params)`` is the training loss in force at the save's time.
    """

    name: str
    measure: Callable[[Callable[[Params], Float[Array, ""]], Params, Hyper], dict[str, Array]]
    specs: tuple[MeasureSpec, ...]
