"""What a run ran on: what may differ between equal results."""

import platform
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jax

from jaxattn.core.precision import x64_is_on
from jaxattn.core.versions import version_of

__all__ = ["PACKAGES", "command_line", "environment"]

PACKAGES = ("jaxattn", "jax", "jaxlib", "optax", "flax", "diffrax", "numpy", "xarray")
"""Whose versions a run names, so that it can be run again."""


def environment() -> dict[str, Any]:
    """Versions, devices and time of a run."""
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "versions": {name: version_of(name) for name in PACKAGES},
        "devices": [f"{device.platform}:{device.device_kind}" for device in jax.devices()],
        "x64": x64_is_on(),
    }


def command_line() -> str:
    """The words this process was started with, as a shell reads them."""
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
