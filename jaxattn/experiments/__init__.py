"""Named experiments: a comparison and what is drawn of it, written to one directory."""

from jaxattn.experiments.registry import EXPERIMENTS, report, reproduce
from jaxattn.reports.compare_into import companion, compare_into

__all__ = ["EXPERIMENTS", "companion", "compare_into", "report", "reproduce"]
