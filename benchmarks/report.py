"""One page from the JSON of `make bench`: what each thing costs, beside its peers and its limit.

python benchmarks/report.py runs/bench/results.json runs/bench/report.md

The figure of work and precision is written beside it.
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Any

from first_figure_page import sections as first_figure
from limits_ratios import PROCESSES, figures
from limits_ratios import TARGETS as LIMITS_TARGETS

Benchmark = dict[str, Any]
PEER, BASE = "PyTorch eager", 64
TARGETS = {"soft": 6.0, "hard": 2.5, "lvml": 2.5}  # times PyTorch, linear, at BASE seeds
MORE_SEEDS = 1.1  # cost of a seed at 1,024 seeds over that at BASE
SIZES = {"100 times": 40.0, "end": 60.0}  # times scipy, 4,096 sizes
ORBIT, IN_TIME, ONE_PATH = 10.0, 1.0, 1.0  # times the ODE, the ODE, LSODA
IVP, COMPILED_LOOP = "scipy solve_ivp", "scipy odeint"
PLANNING, PLANNING_MIB = 10.0, 2e9 / 2**20  # seconds and memory for ten million runs
OPENING = 2.0  # seconds for a store of 100,000 rows
LEVELS = (1e-6, 1e-9)
FIGURE = "precision.png"


def each(one: Benchmark) -> float:
    """Median seconds of one unit: a seed-step, a figure."""
    return median(one["stats"]["data"]) / one["extra_info"]["units"]


def peer(one: Benchmark, name: str) -> float:
    """The same of a peer, from the same rounds."""
    found = one["extra_info"]["peers"][name]
    return median(found["seconds"]) / found["units"]


def times_as_fast(one: Benchmark, name: str, clock: str = "seconds") -> float:
    """How often the work fits into its peer's time: the median over rounds of the paired ratio.

    By the wall's clock or by the ``"processor"``'s, which others on the machine hardly touch.
    """
    found = one["extra_info"]["peers"][name]
    scale = one["extra_info"]["units"] / found["units"]
    own = one["stats"]["data"] if clock == "seconds" else one["extra_info"][clock]
    pairs = zip(found[clock], own, strict=True)
    return scale * median(theirs / ours for theirs, ours in pairs)


def between(one: Benchmark, slow: str, fast: str, clock: str = "seconds") -> float:
    """`times_as_fast` of one peer against another."""
    peers = one["extra_info"]["peers"]
    scale = peers[fast]["units"] / peers[slow]["units"]
    pairs = zip(peers[slow][clock], peers[fast][clock], strict=True)
    return scale * median(theirs / ours for theirs, ours in pairs)


def summed(parts: list[Benchmark], name: str, clock: str = "seconds") -> float:
    """The same of several works one after the other: all their peers' time over all of theirs."""
    medians = {"seconds": each, "processor": lambda one: _spent(one["extra_info"])}
    ours = sum(medians[clock](one) for one in parts)
    peers = [one["extra_info"]["peers"][name] for one in parts]
    return sum(median(each[clock]) / each["units"] for each in peers) / ours


def _spent(facts: dict[str, Any]) -> float:
    return median(facts["processor"]) / facts["units"]


def best_scipy(parts: list[Benchmark]) -> str:
    """The `solve_ivp` method that took least time over all of these."""
    names = [name for name in parts[0]["extra_info"]["peers"] if name.startswith(IVP)]
    return min(names, key=lambda name: sum(peer(one, name) for one in parts))


def best_peer(one: Benchmark) -> str:
    """Its PyTorch loop on the number of threads on which that was faster."""
    loops = [name for name in one["extra_info"]["peers"] if name.startswith(PEER)]
    return min(loops, key=lambda name: peer(one, name))


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    lines = [list(header), ["---" for _ in header], *map(list, rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def ms(seconds: float) -> str:
    """Milliseconds to three digits, never as a power of ten."""
    value = 1e3 * seconds
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def limits(benchmarks: list[Benchmark]) -> dict[str, float]:
    """Operations and bytes a second, from the machine's own benchmarks."""
    return {one["extra_info"]["limit"]: 1 / each(one) for one in asking(benchmarks, "machine")}


def asking(benchmarks: list[Benchmark], question: str, **facts: Any) -> list[Benchmark]:
    """Those that ask `question` and match these facts, in the order in which they ran."""
    wanted = {"question": question, **facts}
    return [
        one
        for one in benchmarks
        if all(one["extra_info"].get(name) == value for name, value in wanted.items())
    ]


def _share(one: Benchmark, limit: dict[str, float], of: str) -> str:
    """How much of what the machine does at best the work used, in per cent."""
    return f"{100 * one['extra_info'][of] / limit[of] / each(one):.0f} %"


def _machine(results: dict[str, Any], limit: dict[str, float]) -> str:
    info = results["machine_info"]
    versions = ", ".join(f"{name} {value}" for name, value in info["versions"].items())
    load = info["load_at_start"][0]
    return (
        f"{info['cpu'].get('brand_raw', info['machine'])}, {info['cores']} cores; {versions}. "
        f"Load average at the start: {load:.1f}"
        + (" (**others were using the machine**).\n\n" if load > 1 else ".\n\n")
        + f"In this run: sgemm {limit['operations'] / 1e9:.0f} GFLOP/s, memory "
        f"{limit['bytes'] / 1e9:.1f} GB/s (triad)."
    )


def _targets(benchmarks: list[Benchmark]) -> str:
    rows = []
    for paradigm, least in TARGETS.items():
        for one in asking(benchmarks, "seeds", case="linear", paradigm=paradigm):
            if one["extra_info"]["seeds"] == BASE:
                ratio = times_as_fast(one, best_peer(one))
                rows.append(
                    [
                        f"{paradigm}, {BASE} seeds, times PyTorch",
                        f">= {least:g}",
                        f"{ratio:.2f}",
                        "yes" if ratio >= least else "**no**",
                    ]
                )
            if one["extra_info"]["seeds"] == 1024:
                ratio = 1 / times_as_fast(one, f"{BASE} seeds")
                rows.append(
                    [
                        f"{paradigm}, a seed of 1,024 over one of {BASE}",
                        f"<= {MORE_SEEDS:g}",
                        f"{ratio:.2f}",
                        "yes" if ratio <= MORE_SEEDS else "**no**",
                    ]
                )
    return table(("linear SDC, C = m = 20, batch 256", "target", "measured", "met"), rows)


Row = tuple[str, float, float, float]  # what, target, on the wall, by the processor


def _size_targets(benchmarks: list[Benchmark]) -> list[Row]:
    rows: list[Row] = []
    for what, least in SIZES.items():
        parts = asking(benchmarks, "sizes", what=what)
        for name in (best_scipy(parts), COMPILED_LOOP) if parts else ():
            both = (summed(parts, name, clock) for clock in ("seconds", "processor"))
            rows.append((f"ODE, {what}, times {name}", least, *both))
    clocks = ("seconds", "processor")
    for one in asking(benchmarks, "closed form"):
        paradigm = one["extra_info"]["paradigm"]
        for name in (name for name in one["extra_info"]["peers"] if name.startswith("ODE")):
            both = (between(one, name, "orbit", clock) for clock in clocks)
            rows.append((f"orbit, {paradigm}, times {name}", ORBIT, *both))
        both = (times_as_fast(one, "ODE, most accurate", clock) for clock in clocks)
        rows.append((f"closed form in time, {paradigm}, times ODE, most accurate", IN_TIME, *both))
    for one in asking(benchmarks, "one trajectory"):
        paradigm = one["extra_info"]["paradigm"]
        for name in one["extra_info"]["peers"]:
            both = (times_as_fast(one, name, clock) for clock in clocks)
            rows.append((f"one trajectory, {paradigm}, times {name}", ONE_PATH, *both))
    return rows


def _sizes(benchmarks: list[Benchmark]) -> str:
    """Ratios to be reached, then what each of them is made of."""
    targets = table(
        ("4,096 sizes, three paradigms", "target", "wall", "processor", "met"),
        (
            [
                what,
                f">= {least:g}",
                f"{wall:.3g}",
                f"{processor:.3g}",
                "yes" if min(wall, processor) >= least else "**no**",
            ]
            for what, least, wall, processor in _size_targets(benchmarks)
        ),
    )
    rows = []
    for question in ("sizes", "closed form", "one trajectory"):
        for one in asking(benchmarks, question):
            facts = one["extra_info"]
            label = f"{facts['paradigm']}, {facts.get('what', question)}"
            own = "jaxattn" if question == "sizes" else "closed form"
            units = facts["units"]  # times of all rows, extrapolated where fewer were run
            every = [(own, each(one), _spent(facts))]
            every += [
                (name, peer(one, name), median(found["processor"]) / found["units"])
                for name, found in facts["peers"].items()
            ]
            for name, wall, processor in every:
                found = facts["errors"].get(name)
                rtol = facts.get("rtol", {}).get(name)
                rows.append(
                    [
                        label,
                        name,
                        ms(units * wall),
                        ms(units * processor),
                        f"{rtol:.1e}" if rtol else "",
                        f"{found['largest']:.0e}" if found else "",
                        f"{found['rms']:.0e}" if found else "",
                    ]
                )
    header = ("", "", "ms, wall", "ms, processor", "rtol", "largest error", "rms error")
    return f"{targets}\n\n{table(header, rows)}"


def _cheapest(points: list[dict[str, Any]], level: float) -> dict[str, Any] | None:
    """Of one solver's points, the one that took least evaluations among those this accurate."""
    good = [point for point in points if point["error"] <= level]
    return min(good, key=lambda point: point["evaluations"], default=None)


def _precision(found: list[Benchmark]) -> str:
    paradigms = [one["extra_info"]["paradigm"] for one in found]
    by_paradigm = [one["extra_info"]["points"] for one in found]
    solvers = list(dict.fromkeys(point["solver"] for point in by_paradigm[0]))
    parts = []
    for level in LEVELS:
        rows = []
        for solver in solvers:
            cells = [solver]
            for points in by_paradigm:
                best = _cheapest([each for each in points if each["solver"] == solver], level)
                if best is None:
                    cells += ["not reached", "", ""]
                    continue
                batch = best.get("processor_in_batch")
                cells += [
                    f"{best['evaluations']:,}",
                    ms(best["processor"]),
                    "" if batch is None else ms(batch),
                ]
            rows.append(cells)
        header = [f"error {level:.0e}"]
        for paradigm in paradigms:
            header += [f"{paradigm}: evaluations", "ms", "ms in a batch"]
        parts.append(table(header, rows))
    closed = ", ".join(
        f"{one['extra_info']['paradigm']} {ms(one['extra_info']['closed_form']['processor'])}"
        for one in found
    )
    batch = found[0]["extra_info"]["batch"]
    return (
        f"![work and precision]({FIGURE})\n\nm = 100, C = 1000, 100 times to t = 4e5; the largest "
        "error of mu and nu at any of them. Processor time of one solve, and of one of "
        f"{batch} alike in a compiled batch. The closed form itself: {closed} ms.\n\n"
        + "\n\n".join(parts)
    )


def _theory(benchmarks: list[Benchmark]) -> str:
    rows = []
    for one in asking(benchmarks, "theory"):
        facts = one["extra_info"]
        errors = facts["errors"]
        rows.append(
            [
                f"jaxattn, rtol {facts['rtol']:.0e}",
                ms(each(one)),
                f"{errors['jaxattn']:.0e}",
                "1",
                f"{facts['compile_s']:.1f}",
                f"{facts['first_call_s']:.1f}",
            ]
        )
        for name in facts["peers"]:
            ratio = times_as_fast(one, name)
            rows.append([name, ms(peer(one, name)), f"{errors[name]:.0e}", f"{ratio:,.3g}", "", ""])
    header = ("", "ms", "error", "times jaxattn's time", "compile, s", "first call, s")
    return table(header, rows)


def _training(found: list[Benchmark], limit: dict[str, float]) -> str:
    def row(one: Benchmark) -> list[str]:
        facts, name = one["extra_info"], best_peer(one)
        base = f"{BASE} seeds"
        more = f"{1 / times_as_fast(one, base):.2f}" if base in facts["peers"] else ""
        return [
            facts["paradigm"],
            f"{facts['seeds']:,}",
            ms(each(one)),
            f"{ms(peer(one, name))} ({name.rsplit(' ', 1)[-1]})",
            f"{times_as_fast(one, name):.1f}",
            _share(one, limit, "operations"),
            _share(one, limit, "bytes"),
            more,
            f"{facts['compile_s']:.1f}",
            f"{facts['first_call_s']:.1f}",
        ]

    header = (
        *("paradigm", "seeds", "ms a seed-step", "PyTorch, ms (threads)", "times as fast"),
        *("of sgemm", "of memory", f"over {BASE} seeds", "compile, s", "first call, s"),
    )
    return table(header, map(row, found))


def _fixed_focus(found: list[Benchmark]) -> str:
    def row(one: Benchmark) -> list[str]:
        steps, name = one["extra_info"]["steps_of_a_seed"], best_peer(one)
        speeds = [1 / (steps * seconds) for seconds in (each(one), peer(one, name))]
        return [one["extra_info"]["paradigm"], *(f"{speed:.3g}" for speed in speeds)]

    return table(("paradigm", "seeds a second", "PyTorch"), map(row, found))


def _tiles(found: list[Benchmark]) -> str:
    def row(one: Benchmark) -> list[str]:
        facts = one["extra_info"]
        return [facts["case"], str(facts["tile"]), ms(each(one)), f"{facts['compile_s']:.1f}"]

    return table(("model (hard, 32 rows)", "tile", "ms a row-step", "compile, s"), map(row, found))


def _store(found: list[Benchmark]) -> str:
    """What was done, by the number of rows in a chunk; opening is held against its target."""
    header = ["", *(f"{one['extra_info']['at_once']} rows a chunk" for one in found)]
    facts = [one["extra_info"] for one in found]
    rows = [
        ["chunks", *(f"{each['chunks']:,}" for each in facts)],
        ["bytes of results.nc", *(f"{each['results_bytes']:,}" for each in facts)],
        [
            "bytes of a chunk, over those of its numbers",
            *(f"{each['chunk_bytes'] / each['chunk_numbers']:.2f}" for each in facts),
        ],
        [f"**open, ms** (target {1e3 * OPENING:,.0f})", *(f"**{ms(each(one))}**" for one in found)],
        *([f"{name}, ms", *(ms(peer(one, name)) for one in found)] for name in facts[0]["peers"]),
    ]
    return table(header, rows)


def _plan(found: list[Benchmark]) -> str:
    """Seconds and memory of the whole command, held against their targets."""

    def row(one: Benchmark) -> list[str]:
        facts = one["extra_info"]
        return [str(facts["groups"]), f"{each(one):.2f}", f"{facts['mib']:,.0f}"]

    header = ("groups", f"s (target {PLANNING:.0f})", f"MiB (target {PLANNING_MIB:,.0f})")
    return table(header, map(row, found))


def _limits(found: list[Benchmark]) -> str:
    """Training at five rates and the flow they share, by both clocks, against their targets."""

    def row(one: Benchmark) -> list[str]:
        facts = one["extra_info"]
        clocks = [
            figures(one["stats"]["data"], facts),
            figures(facts["processor"], facts, "processor"),
        ]
        target = LIMITS_TARGETS[facts["paradigm"]]
        met = "yes" if all(clock["together"] >= target for clock in clocks) else "no"
        ratios = (" (".join(f"{clock[name]:.1f}" for clock in clocks) + ")" for name in PROCESSES)
        return [facts["paradigm"], *ratios, f"{target:g}", met]

    header = ("times as fast, wall (processor)", *PROCESSES, "target, together", "met")
    return table(header, map(row, found))


def _solver_overhead(found: list[Benchmark]) -> str:
    def row(one: Benchmark) -> list[str]:
        facts = one["extra_info"]
        ((name, _),) = facts["peers"].items()
        over = [1 / times_as_fast(one, name, clock) - 1 for clock in ("seconds", "processor")]
        counts = facts["gradients"]
        both = f"{over[0]:.1%} ({over[1]:.1%})"
        return [facts["case"], both, f"{counts['flow']:,}", f"{counts[name]:,}"]

    header = ("", "overhead a gradient (target 15 %), wall (processor)", "gradients", "by hand")
    return table(header, map(row, found))


def _work(found: list[Benchmark]) -> str:
    def row(point: dict[str, Any]) -> list[str]:
        name = f"{point['solver']}{', log time' if point['log_time'] else ''}"
        if not point["reached"]:
            return [name, "not reached", "", ""]
        return [name, f"{point['gradients']:,}", f"{point['rtol']:.0e}", ms(point["seconds"])]

    parts = []
    for one in found:
        facts = one["extra_info"]
        words = f"{facts['case']}, {facts['parameters']:,} parameters, to {facts['goal']:g}:"
        header = ("", "gradients", "rtol", "ms")
        parts.append(f"{words}\n\n{table(header, map(row, facts['points']))}")
    return "\n\n".join(parts)


def _curvature(found: list[Benchmark]) -> str:
    def row(one: Benchmark) -> list[str]:
        facts = one["extra_info"]
        gradient = peer(one, "a gradient")
        position = peer(one, "a position") / gradient
        return [facts["case"], f"{each(one) / gradient:.0f}", f"{position:.2f}"]

    return table(("in gradients of the same loss", "a sharpness", "a position"), map(row, found))


def _segments(found: list[Benchmark]) -> str:
    """What a segment costs, and over what it costs in the shortest bags."""
    rows, shortest = [], {}
    for one in found:
        facts = one["extra_info"]
        kind = facts["case"], facts["paradigm"]
        base = shortest.setdefault(kind, each(one))
        rows.append(
            [
                *kind,
                str(facts["segments"]),
                f"{1e6 * each(one):.1f}",
                f"{each(one) / base:.2f}",
                f"{times_as_fast(one, 'at once'):.2f}",
            ]
        )
    return table(
        ("model", "paradigm", "segments", "us a segment", "over the first", "times at once"), rows
    )


def page(results: dict[str, Any]) -> str:
    """The whole page, Markdown, from pytest-benchmark's JSON."""
    benchmarks = results["benchmarks"]
    limit = limits(benchmarks)
    parts = [
        f"# What it costs\n\nMeasured {results['datetime'][:16].replace('T', ' ')} UTC by `make "
        "bench`; benchmarks/README.md says what each figure means. All are medians; ratios are "
        "medians over rounds in which both were run in turn.",
        f"## The machine\n\n{_machine(results, limit)}",
        f"## Targets\n\n{_targets(benchmarks)}",
        "## The published theory figure\n\nThree paradigms, m = 100, C = 1000, t = 4e5, 4,000 "
        "saves. The error is the largest of mu and nu at the end against the reference values; "
        f"Euler's is taken where its steps end, at t = 1000.\n\n{_theory(benchmarks)}",
    ]
    if asking(benchmarks, "sizes"):
        parts.append(
            "## 4,096 sizes\n\nm and C from 2 to 1,000, to t = 4e5 (benchmarks/README.md says how "
            f"errors are made equal).\n\n{_sizes(benchmarks)}"
        )
    if found := asking(benchmarks, "work and precision"):
        parts.append(f"## Work and precision\n\n{_precision(found)}")
    for case in ("linear", "mlp"):
        found = asking(benchmarks, "seeds", case=case)
        parts.append(f"## Training, {case}\n\n{_training(found, limit)}")
    found = asking(benchmarks, "fixed focus")
    parts.append(
        "## Fixed focus, linear\n\nOne seed is five alphas of 100 epochs of 20 steps, "
        f"extrapolated from fewer steps.\n\n{_fixed_focus(found)}\n\n{_training(found, limit)}"
    )
    parts.append(f"## Tiles\n\n{_tiles(asking(benchmarks, 'tile'))}")
    if found := asking(benchmarks, "store"):
        parts.append(f"## A store of {found[0]['extra_info']['rows']:,} rows\n\n{_store(found)}")
    if found := asking(benchmarks, "plan"):
        runs = found[0]["extra_info"]["runs"]
        parts.append(f"## Planning {runs:,} runs\n\n{_plan(found)}")
    sections = (
        ("limits", "Five learning rates and the flow they share", _limits),
        ("solver overhead", "The flow beside a Tsit5 written by hand", _solver_overhead),
        ("work to an error", "Gradients to an error", _work),
        ("curvature", "Curvature", _curvature),
        ("segments", "Segments of a bag", _segments),
    )
    for question, title, section in sections:
        if found := asking(benchmarks, question):
            parts.append(f"## {title}\n\n{section(found)}")
    parts += first_figure(benchmarks)
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    everything = json.loads(source.read_text())
    if found := asking(everything["benchmarks"], "work and precision"):
        from drawing import work_and_precision

        figure = work_and_precision([one["extra_info"] for one in found])
        figure.savefig(target.with_name(FIGURE), dpi=150)
    target.write_text(page(everything))
    print(target)
