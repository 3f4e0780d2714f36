"""What more can be measured at a save than the problem itself measures, named and labelled."""

from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeAlias, runtime_checkable

from jaxtyping import Array, Float

from jaxattn.core.contracts import Hyper, MeasureSpec, Params

__all__ = ["Loss", "MeasureLoss", "Probe"]

Loss: TypeAlias = Callable[[Params], Float[Array, ""]]
"""The training loss in force at one time, on the whole learning set: a function of parameters."""


@runtime_checkable
class MeasureLoss(Protocol):
    """``measure(loss, params, hyper, scale) -> {name: array}``, pure; see `Probe`."""

    def __call__(
        self, loss: Loss, params: Params, hyper: Hyper, scale: Params, /
    ) -> dict[str, Array]:
        """What the probe's `specs` label, by name."""


class Probe(NamedTuple):
    """Something measured of the loss and the parameters at chosen saves.

    ``measure(loss, params, hyper, scale) -> dict[str, Array]`` is pure and can be vmapped; `scale`,
    shaped like the parameters, is what a step multiplies the gradient by, over the learning rate:
    1, the focus rate, and for Adam one over the root of its second moment. `specs` label what it
    gives, by name. Hashable; its factory gives the identical object for equal arguments,
    so that what is compiled for it once stays compiled.
    """

    name: str
    measure: MeasureLoss
    specs: tuple[MeasureSpec, ...]
