"""What the times of `bench_11_limits` come to: training, flow and both together."""

from statistics import median
from typing import Any

PROCESSES = ("training", "flow", "together")
TARGETS = {"soft": 6.0, "hard": 2.5, "lvml": 2.5}
PEERS = {"training": "PyTorch eager", "flow": "torchdiffeq"}


def figures(own: list[float], facts: dict[str, Any], clock: str = "seconds") -> dict[str, Any]:
    """Times as fast as PyTorch, medians over rounds, and the seconds they are made of.

    A seed is 2,000 steps at each rate and one flow. PyTorch is judged by the number of threads on
    which it was faster, for training and flow apart.

    Args:
        own: seconds of our training, by round.
        facts: the benchmark's `extra_info`.
        clock: ``"seconds"`` on the wall, or ``"processor"``; `own` by the same.
    """
    peers, steps = facts["peers"], facts["steps"] * len(facts["rates"])

    def each(name: str) -> list[float]:
        return [seconds / peers[name]["units"] for seconds in peers[name][clock]]

    def best(kind: str) -> list[float]:
        found = [each(name) for name in peers if name.startswith(PEERS[kind])]
        return min(found, key=median)

    ours = {"training": [steps * s / facts["units"] for s in own], "flow": each("flow")}
    theirs = {"training": [steps * s for s in best("training")], "flow": best("flow")}
    for side in (ours, theirs):
        side["together"] = [sum(both) for both in zip(side["training"], side["flow"], strict=True)]
    ratios = {
        name: median(b / a for a, b in zip(ours[name], theirs[name], strict=True))
        for name in PROCESSES
    }
    return ratios | {
        "seconds of a seed": {
            name: {"jaxattn": median(ours[name]), "PyTorch": median(theirs[name])}
            for name in PROCESSES
        }
    }
