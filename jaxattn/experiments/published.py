"""The published theory figure: the reduced system of every paradigm against time."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxattn import plots
from jaxattn.contracts import InputError
from jaxattn.names import resolve
from jaxattn.reduced import PARADIGMS, ReducedPath, solve_reduced
from jaxattn.store import prepare, write_json

__all__ = ["solve_published", "theory_into", "theory_json"]


def solve_published(
    paradigms: Sequence[str], segments: int, classes: int, times: np.ndarray, switch_time: float
) -> dict[str, ReducedPath]:
    """The reduced system of each paradigm at `times`.

    Raises:
        InputError: fewer than 2 segments or classes, no or an unknown paradigm, a negative switch.
    """
    if not paradigms:
        raise InputError(f"paradigms: got none, expected at least one of {', '.join(PARADIGMS)}.")
    for name, value in (("segments", segments), ("classes", classes)):
        if value < 2:
            raise InputError(f"{name}: got {value}, expected at least 2.")
    if not switch_time >= 0:
        raise InputError(f"switch time: got {switch_time}, expected a number at least 0.")
    for name in paradigms:
        resolve("paradigm", dict.fromkeys(PARADIGMS, name), name)
    return {
        name: solve_reduced(
            name, times, segments=segments, classes=classes, switch_time=switch_time
        )
        for name in paradigms
    }


def theory_json(paths: Mapping[str, ReducedPath], segments: int, classes: int) -> dict[str, Any]:
    """The paths as plain lists."""
    return {
        "segments": segments,
        "classes": classes,
        "paradigms": {
            name: {
                "t": np.asarray(path.time).tolist(),
                "mu": np.asarray(path.mu).tolist(),
                "nu": np.asarray(path.nu).tolist(),
                "alpha": np.asarray(path.attention).tolist(),
                "beta": np.asarray(path.right_class).tolist(),
                "invariant_drift": float(path.invariant_drift),
            }
            for name, path in paths.items()
        },
    }


def theory_into(
    folder: Path, paths: Mapping[str, ReducedPath], segments: int, classes: int, overwrite: bool
) -> list[Path]:
    """Write ``theory.json`` and the figure of mu, nu and alpha; return its files."""
    prepare(folder, overwrite)
    write_json(folder / "theory.json", theory_json(paths, segments, classes))
    figure = plots.theory_panels(paths, title=f"{segments} segments, {classes} classes")
    return plots.save(figure, folder / "figures", "theory")
