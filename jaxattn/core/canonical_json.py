"""JSON that is equal for equal values, so that it can be hashed."""

import json
from collections.abc import Mapping
from math import isfinite
from typing import Any

import numpy as np

__all__ = ["canonical_json", "plain"]


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no blanks, equal for equal values; NaN as null."""
    return json.dumps(plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def plain(value: Any) -> Any:
    """Mappings, sequences and NumPy values as what JSON knows; NaN and infinity as None."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not isfinite(value):
        return None
    return value
