"""What is known exactly of the solvable setting; nothing in here solves an equation in time."""

from jaxattn.theory import fixed_focus
from jaxattn.theory.equations import (
    CLASS_POTENTIALS,
    FIELDS,
    LOSSES,
    attention,
    attention_potential,
    attention_potential_slope,
    invariant,
    right_class,
)

__all__ = [
    "CLASS_POTENTIALS",
    "FIELDS",
    "LOSSES",
    "attention",
    "attention_potential",
    "attention_potential_slope",
    "fixed_focus",
    "invariant",
    "right_class",
]
