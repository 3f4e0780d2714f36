"""The page of `make bench-device`, Markdown, from what it measured."""

from collections.abc import Iterable
from typing import Any

from device_sizes import FLOW, SWEEP, TRAIN

Record = dict[str, Any]
ORDER = ("case", "paradigm", "rows")

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
    for kind, title, section in (
        (TRAIN, "Training", _training),
        (FLOW, "Gradient flows", _flows),
        (SWEEP, "A sweep's chunks", _sweep),
    ):
        if found[kind]:
            ordered = sorted(found[kind], key=lambda one: [one[name] for name in ORDER])
            parts.append(f"## {title}\n\n{section(found, ordered)}")
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


def _training(found: Record, ordered: list[Record]) -> str:
    def row(one: Record) -> list[str]:
        rate = one["seed_steps_per_s"]
        shares = _shares(found, one, rate, "matmul_float32")
        return [*_name(one), f"{rate:,.0f}", *shares, *_seconds(one)]

    return table((*NAME, "seed-steps/s", *SHARES, *SECONDS), map(row, ordered))


def _flows(found: Record, ordered: list[Record]) -> str:
    def row(one: Record) -> list[str]:
        rate = one["gradients_per_s"]
        figures = (f"{rate:,.0f}", f"{one['flows_per_s']:.3g}", f"{100 * one['waiting']:.0f} %")
        return [*_name(one), *figures, *_shares(found, one, rate, "matmul_float64"), *_seconds(one)]

    first = ordered[0]
    words = (
        f"In float64, to time {first['time']:g}, {first['examples']} examples a gradient. Rows of "
        "one call take the steps of the one that needs most: **waiting** is what the others wait."
    )
    header = (*NAME, "gradients/s", "flows/s", "waiting", *SHARES, *SECONDS)
    return f"{words}\n\n{table(header, map(row, ordered))}"


def _sweep(found: Record, ordered: list[Record]) -> str:
    def row(one: Record) -> list[str]:
        rate = one["seed_steps_per_s"]
        seconds = (f"{one['first_s']:.1f}", f"{one['chunk_s']:.2f}")
        figures = (f"{one['chunk']:,}", *seconds, f"{rate:,.0f}")
        return [*_name(one), *figures, *_shares(found, one, rate, "matmul_float32")]

    first = ordered[0]
    words = (
        f"Chunks of {first['steps']} steps by the engine (`jaxattn sweep run`), {first['chunks']} "
        f"in all: every measure at {first['saves']} saves, labels, files and `results.nc` are "
        "inside. The first sweep compiles, the second one has its programs."
    )
    header = (*NAME, "rows a chunk", "first sweep, s", "then, s a chunk", "seed-steps/s", *SHARES)
    return f"{words}\n\n{table(header, map(row, ordered))}"


NAME = ("", "paradigm", "rows a call")
SHARES, SECONDS = ("of matmul", "of memory"), ("ready, s", "compiling, s", "run, s")


def _name(one: Record) -> list[str]:
    return [one["case"], one["paradigm"], f"{one['rows']:,}"]


def _shares(found: Record, one: Record, rate: float, matmul: str) -> list[str]:
    parts = ((one["operations"], matmul), (one["bytes"], "bandwidth"))
    return [share(found, rate, each, most) for each, most in parts]


def _seconds(one: Record) -> list[str]:
    return [f"{one['ready_s']:.1f}", f"{one['compile_s']:.1f}", f"{one['run_s']:.3g}"]
