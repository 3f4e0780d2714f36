"""What is known exactly of the solvable setting, without a solver of differential equations."""

from jaxattn.theory import fixed_focus
from jaxattn.theory.equations import FIELDS, FLOW_OF, LOSSES, attention, gain, right_class
from jaxattn.theory.fixed_times import FixedFocus, fixed_focus_time, fixed_focus_trajectory
from jaxattn.theory.orbits import hybrid_nu_of_mu, mu_of_nu, nu_of_mu
from jaxattn.theory.potentials import (
    CLASS_POTENTIALS,
    CLASS_RISES,
    CLASS_SLOPES,
    attention_potential,
    attention_potential_slope,
    invariant,
)
from jaxattn.theory.special import exp_dilogarithm, exp_excess, wright_omega
from jaxattn.theory.times import State, time_of_mu, trajectory

__all__ = [
    "CLASS_POTENTIALS",
    "CLASS_RISES",
    "CLASS_SLOPES",
    "FIELDS",
    "FLOW_OF",
    "LOSSES",
    "FixedFocus",
    "State",
    "attention",
    "attention_potential",
    "attention_potential_slope",
    "exp_dilogarithm",
    "exp_excess",
    "fixed_focus",
    "fixed_focus_time",
    "fixed_focus_trajectory",
    "gain",
    "hybrid_nu_of_mu",
    "invariant",
    "mu_of_nu",
    "nu_of_mu",
    "right_class",
    "time_of_mu",
    "trajectory",
    "wright_omega",
]
