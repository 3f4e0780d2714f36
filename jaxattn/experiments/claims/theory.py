"""What the claims are in the reduced system, where everything is known exactly."""

from collections.abc import Iterator, Sequence

import numpy as np

from jaxattn.experiments.wording import Line
from jaxattn.reduced import solve_reduced
from jaxattn.theory.fixed_focus import gap_limit

__all__ = ["exact"]

SEGMENTS, CLASSES = 5, 3
"""Those of the sets of images."""

END = 100.0
"""Learning time, by which all have found the segment: several times m x C."""

_POINTS = 2001


def exact(claims: Sequence[str]) -> Iterator[Line]:
    """A line a claim, those of the signature and of the force among them; no seeds, no interval.

    Args:
        claims: names of those that compare two paradigms: early, late, hybrid early, hybrid late.
    """
    times = np.linspace(0.0, END, _POINTS)
    names = ("soft", "hard", "lvml", "hybrid")
    paths = {
        name: solve_reduced(name, times, segments=SEGMENTS, classes=CLASSES, switch_time=END / 4)
        for name in names
    }
    attention = {name: np.asarray(path.attention) for name, path in paths.items()}
    score = {name: np.asarray(path.nu) for name, path in paths.items()}
    first = {name: times[int(np.argmax(at >= 0.5))] for name, at in attention.items()}
    gain = {name: at[-1] - at[_POINTS // 2] for name, at in score.items()}
    known = {
        "early": (first["soft"] - first["hard"], -1, "time"),
        "late": (gain["hard"] - gain["soft"], 1, "log odds"),
        "hybrid early": (first["hybrid"] - first["hard"], -1, "time"),
        "hybrid late": (attention["hybrid"][-1] - attention["soft"][-1], 1, "1"),
    }
    ends = sorted(attention[name][-1] for name in ("soft", "hard", "lvml"))
    yield _line("signature", float(np.min(np.diff(ends))), 1, "1")
    soft, hard = (float(gap_limit(name, np.array(0.6), CLASSES)) for name in ("soft", "hard"))
    yield _line("force", hard - soft, 1, "nat")
    for name in claims:
        difference, sign, unit = known[name]
        yield _line(name, float(difference), sign, unit)


def _line(claim: str, difference: float, sign: int, unit: str) -> Line:
    verdict = "holds" if sign * difference > 0 else "does not hold"
    return {
        "claim": claim,
        "data": "theory",
        "difference": difference,
        "unit": unit,
        "verdict": verdict,
    }
