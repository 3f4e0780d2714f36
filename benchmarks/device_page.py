"""The page of `make bench-device`, Markdown, from what it measured."""

from collections.abc import Iterable
from typing import Any

Record = dict[str, Any]

LEGEND = """\
**Rows a call** are runs vmapped together in one call of a program; two calls a device are under
way. A **seed-step** is one gradient step of one run: minibatch of 256, gradient, update;
initialisation, two measurements of 16 examples and all copies are inside. Shares are of what the
device did at best in this run: operations and bytes of a step are counted by formula
(`benchmarks/counting.py`), exp and log left out, and above 100 % of memory caches held the arrays.
**Ready** is the time on the wall until all programs were compiled, side by side; **compiling** what
JAX says it took, summed. **Run** is the median of one round of calls, compiled before."""


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    lines = [list(header), ["---" for _ in header], *map(list, rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def page(found: Record) -> str:
    """The whole page."""
    parts = [f"# This device\n\n{_device(found)}", f"## At its best\n\n{_limits(found)}", LEGEND]
    if found["training"]:
        parts.append(f"## Training\n\n{_training(found)}")
    if found["flows"]:
        parts.append(f"## Gradient flows\n\n{_flows(found)}")
    if found["sweep"]:
        parts.append(f"## A sweep's chunks\n\n{_sweep(found)}")
    if found["not_measured"]:
        lines = (f"- {each['what']}: {each['why']}" for each in found["not_measured"])
        parts.append("## Not measured on this device\n\n" + "\n".join(lines))
    return "\n\n".join(parts) + "\n"


def share(found: Record, rate: float, each: float, most: str) -> str:
    """Of what the devices do at best, what so many steps a second use, of `each` so much."""
    devices = found["device"]
    # What is called several devices of a CPU are the same cores.
    count = 1 if devices["platform"] == "cpu" else devices["count"]
    limit = found["limits"][most]
    return "" if limit is None else f"{100 * rate * each / (count * limit):.3g} %"


def _device(found: Record) -> str:
    device = found["device"]
    memory = device["memory_bytes"]
    room = "" if memory is None else f", {memory / 1e9:.0f} GB of memory for JAX"
    tiny = " **Sizes are tiny: these figures mean nothing.**" if found["sizes"] == "tiny" else ""
    return (
        f"{device['count']} x {device['kind']} ({device['platform']}){room}; jax "
        f"{device['jax']}; measured in {found['seconds']:.0f} s, sizes {found['sizes']}.{tiny}"
    )


def _limits(found: Record) -> str:
    limits = found["limits"]
    names = {
        "matmul_float32": f"float32 product, precision {limits['precision']}, as training has it",
        "matmul_default": "float32 product, as the device rounds by default",
        "matmul_float64": "float64 product, as flows have it",
    }
    rows = [
        [words, f"{limits[name] / 1e9:,.0f} GFLOP/s"]
        for name, words in names.items()
        if limits[name] is not None
    ]
    if limits["bandwidth"] is not None:
        rows.append(["memory, triad", f"{limits['bandwidth'] / 1e9:,.1f} GB/s"])
    return table(("of one device", ""), rows)


def _training(found: Record) -> str:
    def row(one: Record) -> list[str]:
        rate = one["seed_steps_per_s"]
        return [
            one["case"],
            one["paradigm"],
            f"{one['rows']:,}",
            f"{rate:,.0f}",
            share(found, rate, one["operations"], "matmul_float32"),
            share(found, rate, one["bytes"], "bandwidth"),
            *_seconds(one),
        ]

    header = ("", "paradigm", "rows a call", "seed-steps/s", "of matmul", "of memory")
    ordered = sorted(found["training"], key=lambda one: (one["case"], one["paradigm"], one["rows"]))
    return table((*header, "ready, s", "compiling, s", "run, s"), map(row, ordered))


def _flows(found: Record) -> str:
    def row(one: Record) -> list[str]:
        rate = one["gradients_per_s"]
        return [
            one["case"],
            one["paradigm"],
            f"{one['rows']:,}",
            f"{rate:,.0f}",
            f"{one['flows_per_s']:.3g}",
            f"{100 * one['waiting']:.0f} %",
            share(found, rate, one["operations"], "matmul_float64"),
            share(found, rate, one["bytes"], "bandwidth"),
            *_seconds(one),
        ]

    first = found["flows"][0]
    words = (
        f"In float64, to time {first['time']:g}, {first['examples']} examples a gradient. Rows of "
        "one call take the steps of the one that needs most: **waiting** is what the others wait."
    )
    header = ("", "paradigm", "rows a call", "gradients/s", "flows/s", "waiting", "of matmul")
    ordered = sorted(found["flows"], key=lambda one: (one["case"], one["paradigm"], one["rows"]))
    rows = table((*header, "of memory", "ready, s", "compiling, s", "run, s"), map(row, ordered))
    return f"{words}\n\n{rows}"


def _seconds(one: Record) -> list[str]:
    return [f"{one['ready_s']:.1f}", f"{one['compile_s']:.1f}", f"{one['run_s']:.3g}"]


def _sweep(found: Record) -> str:
    one = found["sweep"]
    rate = one["seed_steps_per_s"]
    header = ("", "rows", "rows a call", "first sweep, s", "then, s a chunk", "seed-steps/s")
    row = [
        f"{one['case']}, {one['paradigm']}",
        f"{one['rows']:,}",
        f"{one['tile']:,}",
        f"{one['first_s']:.1f}",
        f"{one['chunk_s']:.2f}",
        f"{rate:,.0f}",
        share(found, rate, one["operations"], "matmul_float32"),
        share(found, rate, one["bytes"], "bandwidth"),
    ]
    return (
        f"Chunks of {one['steps']} steps by the engine (`jaxattn sweep run`), {one['chunks']} in "
        f"all: every measure at {one['saves']} saves, labels, files and `results.nc` are inside. "
        "The first sweep compiles, the second one has its programs.\n\n"
        + table((*header, "of matmul", "of memory"), [row])
    )
