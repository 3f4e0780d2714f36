"""Whether what is measured has the axes that its labels say, seen while it is traced."""

from collections.abc import Iterable
from typing import Any

from jaxattn.core.contracts import InputError, MeasureSpec

__all__ = ["check_measured"]


def check_measured(owner: str, specs: Iterable[MeasureSpec], measured: Any) -> None:
    """Refuse measures whose axes are not those of their labels.

    An axis without coordinates may have any length, and what has no label any shape.

    Args:
        owner: what to call the one that measured in messages.
        specs: the labels.
        measured: what was measured, arrays by name; it may lack some.

    Raises:
        InputError: no dictionary of arrays, or one with an axis too many, too few or of another
            length.
    """
    if not isinstance(measured, dict):
        raise InputError(
            f"{owner}: got {type(measured).__name__} from its measure, expected a dictionary of "
            "arrays by name; return {name: array}."
        )
    for spec in specs:
        if spec.name in measured:
            _check(f"{owner}, measure {spec.name!r}", spec, measured[spec.name])


def _check(owner: str, spec: MeasureSpec, value: Any) -> None:
    lengths: list[int | None] = [None] * len(spec.dims)
    lengths[: len(spec.coords)] = map(len, spec.coords)
    expected = ", ".join(
        name if length is None else f"{name} = {length}"
        for name, length in zip(spec.dims, lengths, strict=True)
    )
    shape = getattr(value, "shape", None)
    if (
        shape is None
        or len(shape) != len(lengths)
        or any(known not in (None, there) for known, there in zip(lengths, shape, strict=True))
    ):
        got = type(value).__name__ if shape is None else f"shape {tuple(shape)}"
        raise InputError(
            f"{owner}: got {got}, expected [{expected}] as its MeasureSpec says; reshape it, or "
            "change dims and coords."
        )
