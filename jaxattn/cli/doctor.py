"""Is this installation sound, and how are runs laid out on its devices?

Versions, devices, precision, cache, a self-test, and the layout that suits what is here.
"""

import time
from typing import Any

import jax
import numpy as np

from jaxattn.core.contracts import Status
from jaxattn.core.precision import x64_is_on
from jaxattn.core.vocabulary import Vocabulary
from jaxattn.models import MODELS
from jaxattn.problems.components import given_to
from jaxattn.reduced import solve_reduced
from jaxattn.run.device import Facts, facts_here, rows_together
from jaxattn.run.job import FLOW_TILE, tiles_at_once
from jaxattn.run.provenance import environment

__all__ = ["device_of", "examine", "layout_of", "self_test"]

_WORDS = Vocabulary(("", "?", "word"))
"""Any, for models that read words: their layout does not depend on which."""

REFERENCE = {
    "soft": (12.649238649825994, 8.858825858862872),
    "hard": (12.468108437925913, 12.11119618268063),
    "lvml": (12.66279476384701, 10.353216747638928),
}
"""(mu, nu) at time 4e5 for 100 segments and 1000 classes, from zero (the published figure)."""

TOLERANCE = 1e-7

FLOAT64 = {
    "cpu": "yes",
    "gpu": "yes; at half the rate of float32 on cards for computing, at 1/32 or 1/64 on others",
    "tpu": "emulated, slowly",
}
"""What becomes of float64, by platform."""

PRECISION = {"tpu": "float32 for training; flows, which need float64, on a CPU or a GPU"}
"""Which precision suits, by platform, where it is not `USUAL`."""

USUAL = "float32 for training, float64 for flows"


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


def device_of(facts: Facts, count: int) -> dict[str, Any]:
    """What the devices are, in JSON's types.

    Args:
        facts: of each of them.
        count: how many this process has.
    """
    asked = jax.config.values["jax_default_matmul_precision"]
    return {
        "platform": facts.platform,
        "kind": facts.kind,
        "count": count,
        "memory": facts.memory,
        "float64": FLOAT64.get(facts.platform, "not known"),
        "matmul_precision": str(asked or "highest"),
    }


def layout_of(facts: Facts, at_once: int) -> dict[str, Any]:
    """The layout that suits such devices, in JSON's types.

    Args:
        facts: of each of them.
        at_once: tiles that this process works on at once.
    """
    made = {name: given_to(model, 2, _WORDS)() for name, model in MODELS.items()}
    usual = {name: model.tile for name, model in made.items()} | {"flow": FLOW_TILE}
    return {
        "rows_a_call": {name: rows_together(tile, facts, 0) for name, tile in usual.items()},
        "calls_at_once": at_once,
        # It uses all devices, and all cores of a CPU.
        "workers": 1,
        "precision": PRECISION.get(facts.platform, USUAL),
    }


def examine() -> dict[str, Any]:
    """Everything that a report of a fault should say about the installation."""
    facts, devices = facts_here(), jax.local_devices()
    return {
        **environment(),
        "device": device_of(facts, len(devices)),
        "layout": layout_of(facts, tiles_at_once(devices)),
        "default_precision": "float64" if x64_is_on() else "float32",
        "compilation_cache": getattr(jax.config, "jax_compilation_cache_dir", None) or "off",
        "self_test": self_test(),
    }
