"""Variables with their units and words, and what a result says it was asked for."""

from dataclasses import asdict
from typing import Any

import numpy as np

from jaxattn.core.canonical_json import canonical_json

__all__ = ["labelled", "spec_json"]

Variable = tuple[tuple[str, ...], np.ndarray, dict[str, str]]


def labelled(dims: str, values: Any, unit: str, words: str) -> Variable:
    """A variable of a Dataset; `dims` are names with blanks between them."""
    return tuple(dims.split()), np.asarray(values), {"units": unit, "long_name": words}


def spec_json(experiment: str, config: Any, **more: Any) -> str:
    """What was asked for: the fields of `config`, the experiment, and what else is fixed."""
    return canonical_json({**asdict(config), "experiment": experiment, **more})
