"""What `bench_12_first_figure.py` found, as tables, also of its JSON alone.

python benchmarks/first_figure_page.py runs/bench/first.json
"""

import json
import sys
from pathlib import Path
from statistics import median
from typing import Any

Benchmark = dict[str, Any]
OURS, SCRIPT, QUICK = "jaxattn", "script", "script, quick"
RATIO, PEAK, AFTER_JAX, THEORY = 1.0, 1.2, 1.0, 3.0
"""At most: of wall and of memory, jaxattn's over the script's; seconds."""


def middle(one: Benchmark, side: str, name: str) -> float:
    """The median over rounds."""
    return median(one["extra_info"]["sides"][side][name])


def ratio(one: Benchmark, name: str, of: str = SCRIPT) -> float:
    """Ours over the script's: a ratio of medians."""
    return middle(one, OURS, name) / middle(one, of, name)


def sections(benchmarks: list[Benchmark]) -> list[str]:
    """The parts of the page that there are figures for."""
    asked = {
        question: [one for one in benchmarks if one["extra_info"]["question"] == question]
        for question in ("first figure", "first compile", "theory start")
    }
    parts = []
    if found := asked["first figure"]:
        parts.append(
            "## From process start to a Dataset on disk\n\njaxattn and the script in turn, medians "
            "and their ratios; **quick** is the script where XLA is told to compile quickly.\n\n"
            + _studies(found)
        )
    lines = [f"- {_start(one)}" for one in asked["first compile"]]
    lines += [f"- {_theory(one)}" for one in asked["theory start"]]
    if lines:
        parts.append("## From process start\n\n" + "\n".join(lines))
    return parts


def _studies(found: list[Benchmark]) -> str:
    def row(one: Benchmark) -> list[str]:
        facts, sides = one["extra_info"], (OURS, SCRIPT, QUICK)
        wall, peak = ratio(one, "wall"), ratio(one, "peak")
        met = wall <= RATIO and peak <= PEAK
        return [
            f"{facts['study']}, {facts['cache']}",
            *(f"{middle(one, side, 'wall'):.1f}" for side in sides),
            f"{wall:.2f}",
            f"{ratio(one, 'wall', QUICK):.2f}",
            " / ".join(f"{middle(one, side, 'processor'):.0f}" for side in sides),
            " / ".join(f"{middle(one, side, 'peak') / 1e6:,.0f}" for side in sides),
            f"{peak:.2f}",
            str(len(facts["sides"][OURS]["wall"])),
            "yes" if met else "**no**",
        ]

    header = (
        *("study", "jaxattn, s", "script, s", "quick, s", f"over script (<= {RATIO:g})"),
        *("over quick", "processor, s", "peak, MB", f"peak over script (<= {PEAK:g})"),
        *("rounds", "met"),
    )
    lines = [header, ["---" for _ in header], *map(row, found)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _start(one: Benchmark) -> str:
    sides = one["extra_info"]["sides"]
    pairs = zip(sides["compare"]["wall"], sides["jax"]["wall"], strict=True)
    after = median(compare - jax for compare, jax in pairs)
    return (
        f"first program being compiled: {middle(one, 'compare', 'wall'):.2f} s, `import jax` done: "
        f"{middle(one, 'jax', 'wall'):.2f} s; the difference, paired: {after:.2f} s "
        f"(<= {AFTER_JAX:g}: {'yes' if after <= AFTER_JAX else '**no**'})"
    )


def _theory(one: Benchmark) -> str:
    wall = middle(one, OURS, "wall")
    met = "yes" if wall <= THEORY else "**no**"
    return f"`jaxattn theory` to its last PNG, compiled before: {wall:.2f} s (<= {THEORY:g}: {met})"


if __name__ == "__main__":
    files = [Path(word) for word in sys.argv[1:]]
    if len(files) != 1 or not files[0].is_file():
        sys.exit(f"got {sys.argv[1:]}, expected one file: that of --benchmark-json.")
    results = json.loads(files[0].read_text())
    print("\n\n".join(sections(results["benchmarks"])))
