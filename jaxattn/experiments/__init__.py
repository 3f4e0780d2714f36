"""Named experiments: a comparison and what is drawn of it, written to one directory."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxattn.experiments.registry import EXPERIMENTS, plan, report, reproduce
    from jaxattn.reports.compare_into import companion, compare_into

# Loaded when first used: one experiment does not wait for the others. No name is a module's.
_WHERE = {
    "EXPERIMENTS": "jaxattn.experiments.registry",
    "companion": "jaxattn.reports.compare_into",
    "compare_into": "jaxattn.reports.compare_into",
    "plan": "jaxattn.experiments.registry",
    "report": "jaxattn.experiments.registry",
    "reproduce": "jaxattn.experiments.registry",
}

__all__ = ["EXPERIMENTS", "companion", "compare_into", "plan", "report", "reproduce"]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)
