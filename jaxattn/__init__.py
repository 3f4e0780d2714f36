"""jaxattn: watch attention networks learn, three ways, on one time axis.

State a problem once; train it with optax, integrate its gradient flow with diffrax, and hold
both against exact theory, for thousands of seeds and hyperparameters in one compiled call.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxattn import plots as plots
    from jaxattn import sweeps as sweeps
    from jaxattn import theory as theory
    from jaxattn.analysis.findings import findings as findings
    from jaxattn.analysis.limit_departures import departures as departures
    from jaxattn.analysis.limit_gaps import orders as orders
    from jaxattn.analysis.summary import summary as summary
    from jaxattn.api.compare import compare as compare
    from jaxattn.api.critical_rate import critical_rate as critical_rate
    from jaxattn.api.open import open_run as open  # noqa: A004, F401 - jaxattn.open is the door's name
    from jaxattn.api.report import report as report
    from jaxattn.core import streams as streams
    from jaxattn.core.contracts import AttentionMap as AttentionMap
    from jaxattn.core.contracts import Batch as Batch
    from jaxattn.core.contracts import Example as Example
    from jaxattn.core.contracts import HyperSpec as HyperSpec
    from jaxattn.core.contracts import InputError as InputError
    from jaxattn.core.contracts import MeasureSpec as MeasureSpec
    from jaxattn.core.contracts import Model as Model
    from jaxattn.core.contracts import Paradigm as Paradigm
    from jaxattn.core.contracts import Problem as Problem
    from jaxattn.core.contracts import Splits as Splits
    from jaxattn.core.contracts import Status as Status
    from jaxattn.core.contracts import Task as Task
    from jaxattn.core.contracts import Trajectory as Trajectory
    from jaxattn.core.question import Question as Question
    from jaxattn.flow import make_flow as make_flow
    from jaxattn.flow.solver import Solver as Solver
    from jaxattn.problems.attention_problem import attention_problem as attention_problem
    from jaxattn.problems.fresh import Fresh as Fresh
    from jaxattn.problems.minibatches import Order as Order
    from jaxattn.problems.own_problem import problem as problem
    from jaxattn.reduced import solve_reduced as solve_reduced
    from jaxattn.tasks import mosaic as mosaic
    from jaxattn.training.optimisers import as_optimiser as as_optimiser
    from jaxattn.training.train import make_train as make_train

__version__ = "0.1.0"

# Loaded when first used, so that `jaxattn --help` need not wait for jax. No name may be that of a
# module and mean something in it: Python puts the module there once anything imports it.
_WHERE = {
    "AttentionMap": ("core.contracts", "AttentionMap"),
    "Batch": ("core.contracts", "Batch"),
    "Example": ("core.contracts", "Example"),
    "Fresh": ("problems.fresh", "Fresh"),
    "HyperSpec": ("core.contracts", "HyperSpec"),
    "InputError": ("core.contracts", "InputError"),
    "MeasureSpec": ("core.contracts", "MeasureSpec"),
    "Model": ("core.contracts", "Model"),
    "Order": ("problems.minibatches", "Order"),
    "Paradigm": ("core.contracts", "Paradigm"),
    "Problem": ("core.contracts", "Problem"),
    "Question": ("core.question", "Question"),
    "Solver": ("flow.solver", "Solver"),
    "Splits": ("core.contracts", "Splits"),
    "Status": ("core.contracts", "Status"),
    "Task": ("core.contracts", "Task"),
    "Trajectory": ("core.contracts", "Trajectory"),
    "as_optimiser": ("training.optimisers", "as_optimiser"),
    "attention_problem": ("problems.attention_problem", "attention_problem"),
    "compare": ("api.compare", "compare"),
    "critical_rate": ("api.critical_rate", "critical_rate"),
    "departures": ("analysis.limit_departures", "departures"),
    "findings": ("analysis.findings", "findings"),
    "make_flow": ("flow", "make_flow"),
    "make_train": ("training.train", "make_train"),
    "mosaic": ("tasks", "mosaic"),
    "open": ("api.open", "open_run"),
    "orders": ("analysis.limit_gaps", "orders"),
    "plots": ("plots", None),
    "problem": ("problems.own_problem", "problem"),
    "report": ("api.report", "report"),
    "solve_reduced": ("reduced", "solve_reduced"),
    "streams": ("core.streams", None),
    "summary": ("analysis.summary", "summary"),
    "sweeps": ("sweeps", None),
    "theory": ("theory", None),
}

__all__ = [*_WHERE]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'jaxattn' has no attribute {name!r}")
    module, attribute = _WHERE[name]
    found = import_module(f"jaxattn.{module}")
    return found if attribute is None else getattr(found, attribute)


def __dir__() -> list[str]:
    # Not the folders: Python puts each here once something imports it.
    return sorted([*__all__, *(name for name in globals() if name.startswith("__"))])
