"""Named experiments: a comparison and what is drawn of it, written to one directory."""

from jaxattn.experiments.comparing import companion, compare_into
from jaxattn.experiments.published import theory_into

__all__ = ["companion", "compare_into", "theory_into"]
