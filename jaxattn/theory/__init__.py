"""What is known exactly of the solvable setting; nothing in here solves an equation in time."""

from jaxattn.theory import fixed_focus
from jaxattn.theory.equations import FIELDS, LOSSES, attention, gain, right_class
from jaxattn.theory.potentials import (
    CLASS_POTENTIALS,
    CLASS_RISES,
    CLASS_SLOPES,
    attention_potential,
    attention_potential_slope,
    invariant,
)
from jaxattn.theory.special import exp_dilogarithm, exp_excess, wright_omega

__all__ = [
    "CLASS_POTENTIALS",
    "CLASS_RISES",
    "CLASS_SLOPES",
    "FIELDS",
    "LOSSES",
    "attention",
    "attention_potential",
    "attention_potential_slope",
    "exp_dilogarithm",
    "exp_excess",
    "fixed_focus",
    "gain",
    "invariant",
    "right_class",
    "wright_omega",
]
