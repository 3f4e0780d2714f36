"""Named experiments: a comparison and what is drawn of it, written to one directory."""

from jaxattn.experiments.comparing import companion, compare_into
from jaxattn.experiments.published import theory_into
from jaxattn.experiments.registry import EXPERIMENTS, report, reproduce

__all__ = ["EXPERIMENTS", "companion", "compare_into", "report", "reproduce", "theory_into"]
