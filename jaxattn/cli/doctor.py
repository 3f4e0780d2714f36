"""Is this installation sound? Versions, devices, precision, cache, and a self-test."""

import time
from typing import Any

import jax
import numpy as np

from jaxattn.core.contracts import Status
from jaxattn.core.precision import x64_is_on
from jaxattn.reduced import solve_reduced
from jaxattn.run.provenance import environment

__all__ = ["examine", "self_test"]

REFERENCE = {
    "soft": (12.649238649825994, 8.858825858862872),
    "hard": (12.468108437925913, 12.11119618268063),
    "lvml": (12.66279476384701, 10.353216747638928),
}
"""(mu, nu) at time 4e5 for 100 segments and 1000 classes, from zero (the published figure)."""

TOLERANCE = 1e-7


def self_test() -> dict[str, Any]:
    """Solve the published figure's end state and hold it against the reference values."""
    start = time.perf_counter()
    errors = {}
    for name, expected in REFERENCE.items():
        path = solve_reduced(name, np.array([0.0, 4e5]), segments=100, classes=1000)
        solution = np.array([path.mu[-1], path.nu[-1]])
        valid = int(path.status) == Status.DONE
        errors[name] = float(np.abs(solution - expected).max()) if valid else float("inf")
    worst = max(errors.values())
    return {
        "error": worst,
        "tolerance": TOLERANCE,
        "passed": worst <= TOLERANCE,
        "seconds": time.perf_counter() - start,
    }


def examine() -> dict[str, Any]:
    """Everything that a report of a fault should say about the installation."""
    return {
        **environment(),
        "default_precision": "float64" if x64_is_on() else "float32",
        "compilation_cache": getattr(jax.config, "jax_compilation_cache_dir", None) or "off",
        "self_test": self_test(),
    }
