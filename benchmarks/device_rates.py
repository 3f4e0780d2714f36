"""How fast this device trains and solves flows, by rows a call, and runs a sweep's chunks.

Rows run as the chunks of a sweep do (`jaxattn.run.chunk`), laid out so that a call has as many rows
as asked; two calls a device are under way, so that none waits for the host.
"""

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import counting
import jax
import numpy as np
from device_limits import bandwidth, matmul
from device_sizes import FLOW, SWEEP, TRAIN, Sizes

from jaxattn.core.contracts import InputError
from jaxattn.engine.cost.layout import choose_layout
from jaxattn.engine.run_sweep import run_sweep
from jaxattn.run.chunk import remembered
from jaxattn.run.runner import Runner
from jaxattn.run.stopwatch import Stopwatch
from jaxattn.run.tiles import fetch
from jaxattn.study.axes import Axis
from jaxattn.study.spec import Layout, Spec
from jaxattn.study.spec_hash import spec_json

Record = dict[str, Any]
T = TypeVar("T")
Say = Callable[[str], None]

RATE, ROOM = 0.05, 1 << 40
"""Of learning; bytes that a layout may take: the device itself says where there is no room."""

CASES: dict[str, Record] = {
    "linear": {
        "task": {"name": "orthogonal"},
        "model": {"name": "linear", "start": "normal"},
        "shapes": {"segments": 20, "features": 21, "classes": 20},
    },
    "mlp": {
        "task": {"name": "digits"},
        "model": {"name": "mlp"},
        "shapes": {"segments": 5, "features": 64, "classes": 3, "hidden": (64,)},
    },
}


def measure(sizes: Sizes, say: Say) -> Record:
    """All of it, as plain values: the device, its limits, rates, and what could not be had.

    Args:
        sizes: how much of each.
        say: is told each figure, in a line.
    """
    began = time.perf_counter()
    take = Taking(began + sizes.seconds, say)
    found: Record = {"device": _device(), "sizes": sizes.name}
    found["limits"] = _limits(sizes, take, say)
    kinds = {TRAIN: _training, FLOW: _flow, SWEEP: _sweep}
    found |= {kind: [] for kind in kinds}
    for kind, case, paradigm, rows in sizes.measured:
        what = f"{kind}, {case}, {paradigm}, {rows:,} rows a call"
        record = take(what, kinds[kind], sizes, case, paradigm, rows, say)
        if record is not None:
            found[kind].append({"case": case, "paradigm": paradigm, "rows": rows} | record)
    return found | {"not_measured": take.missing, "seconds": time.perf_counter() - began}


class Taking:
    """Measurements, one after the other; what cannot be had is noted and left out."""

    def __init__(self, until: float, say: Say) -> None:
        """Nothing is missing yet.

        Args:
            until: when there is no time left, by ``time.perf_counter``.
            say: is told what is left out.
        """
        self.missing: list[Record] = []
        self._until, self._say = until, say

    def __call__(self, what: str, work: Callable[..., T], *arguments: Any) -> T | None:
        """What `work` gives; None: this device cannot do it, or has no time for it."""
        why = "the time for this run was up"
        if time.perf_counter() < self._until:
            try:
                return work(*arguments)
            except (jax.errors.JaxRuntimeError, InputError) as error:
                why = str(error).strip().splitlines()[0]
        self.missing.append({"what": what, "why": why})
        self._say(f"{what}: not measured: {why}")
        return None


def _device() -> Record:
    devices = jax.local_devices()
    # A CPU, and some plugins, tell nothing of their memory.
    memory = devices[0].memory_stats() or {}
    return {
        "platform": devices[0].platform,
        "kind": devices[0].device_kind,
        "count": len(devices),
        "memory_bytes": memory.get("bytes_limit"),
        "jax": jax.__version__,
    }


def _limits(sizes: Sizes, take: Taking, say: Say) -> Record:
    """Operations and bytes a second of one device.

    Training multiplies at the precision of its numbers (`jaxattn.run.stage`), unless JAX is set
    otherwise; ``matmul_default`` is what the device does when it may round.
    """
    precise = jax.config.values["jax_default_matmul_precision"] or "highest"
    kinds = {
        "matmul_float32": ("float32", precise),
        "matmul_default": ("float32", "default"),
        "matmul_float64": ("float64", "highest"),
    }
    found: Record = {"precision": precise}
    for name, (dtype, precision) in kinds.items():
        found[name] = take(name, matmul, sizes.side, dtype, precision)
        if found[name] is not None:
            say(f"{name}: {found[name] / 1e9:,.0f} GFLOP/s")
    found["bandwidth"] = take("bandwidth", bandwidth, sizes.length)
    if found["bandwidth"] is not None:
        say(f"bandwidth: {found['bandwidth'] / 1e9:,.1f} GB/s")
    return found


def _spec(case: str, paradigm: str, seeds: int, layout: Layout, **more: Any) -> Spec:
    settings = {"batch_size": 256, "vary": ["init"], "hypers": {"learning_rate": RATE}}
    return Spec(
        task=CASES[case]["task"],
        model=CASES[case]["model"],
        axes=(
            Axis("paradigm", (("paradigm", (paradigm,)),)),
            Axis("seed", (("seed", tuple(range(seeds))),)),
        ),
        settings=settings | more.pop("settings"),
        layout=layout,
        **more,
    )


def _timed(spec: Spec, rounds: int) -> tuple[Record, Any]:
    """Seconds of compiling and of running the one chunk of a spec, and what came out of it.

    ``compile_s`` is what JAX says that tracing, lowering and compiling took, summed over threads;
    ``ready_s`` the time on the wall until the programs were there.
    """
    sweep = choose_layout(spec)
    _, (runner,) = remembered(spec_json(sweep.spec))
    assert isinstance(runner, Runner)
    rows = sweep.locate(0)[2].rows
    watch, began = Stopwatch(), time.perf_counter()
    given = runner.arguments(rows)
    with watch.compiling("here"):  # what this thread traces beside the programs
        programs = runner.job.compiled(*given, compiling=partial(watch.compiling, "program"))
    for program in programs:
        program.result()
    ready = time.perf_counter() - began
    out = fetch(runner.job.run(*runner.arguments(rows)))
    seconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        out = fetch(runner.job.run(*runner.arguments(rows)))
        seconds.append(time.perf_counter() - began)
    spent = {"compile_s": watch.seconds["program"]["compile"], "ready_s": ready}
    return spent | {"run_s": median(seconds), "rounds": rounds}, out


def _calls() -> int:
    return 2 * len(jax.local_devices())


def _training(sizes: Sizes, case: str, paradigm: str, rows: int, say: Say) -> Record:
    """Seed-steps a second: initialisation, both saves and all copies to the host are inside."""
    seeds, steps = rows * _calls(), sizes.steps[case]
    settings = {"steps": steps, "saves": [0, steps], "evaluate": 16}
    layout = Layout(tile=rows, chunk=seeds, memory=ROOM)
    spec = _spec(case, paradigm, seeds, layout, settings=settings, measures=("loss",))
    spent, _ = _timed(spec, sizes.rounds)
    work = counting.step(paradigm, batch=256, **CASES[case]["shapes"])
    found = {"calls": _calls(), "steps": steps}
    each = seeds * steps / spent["run_s"]
    say(f"{case}, {paradigm}, {rows:,} rows a call: {each:,.0f} seed-steps/s")
    found |= {"seed_steps_per_s": each, "operations": work.operations, "bytes": work.bytes}
    return found | spent


def _flow(sizes: Sizes, case: str, paradigm: str, rows: int, say: Say) -> Record:
    """Gradients a second of flows in float64, those of rejected steps too."""
    seeds, steps = rows * _calls(), sizes.flow_steps
    examples = sizes.flow_examples
    settings = {"steps": steps, "saves": [0, steps], "evaluate": 16, "flow_examples": examples}
    layout = Layout(tile=rows, chunk=seeds, memory=ROOM)
    with jax.enable_x64(True):
        spec = _spec(
            case,
            paradigm,
            seeds,
            layout,
            settings=settings,
            measures=("loss",),
            dynamics=("flow",),
        )
        spent, out = _timed(spec, sizes.rounds)
    gradients = int(np.asarray(out.work["gradients"]).sum())
    # Rows solved together wait for the one that takes most steps: what the device did.
    done = rows * int(np.asarray(out.work["gradients"]).max(axis=1).sum())
    work = counting.step(paradigm, batch=examples, **CASES[case]["shapes"])
    each = gradients / spent["run_s"]
    say(f"flow, {case}, {paradigm}, {rows:,} rows a call: {each:,.0f} gradients/s")
    found = {"calls": _calls(), "examples": examples, "time": RATE * steps}
    found |= {"gradients_per_s": each}
    found |= {"flows_per_s": seeds / spent["run_s"], "waiting": 1 - gradients / done}
    found |= {"operations": work.operations, "bytes": 2 * work.bytes}  # float64
    return found | spent


def _sweep(sizes: Sizes, case: str, paradigm: str, rows: int, say: Say) -> Record:
    """Chunks of a sweep by the engine, files and all: compiled first, then compiled before."""
    seeds, steps, chunks = sizes.chunk
    layout = Layout(tile=rows, chunk=seeds, memory=ROOM)
    settings = {"steps": steps, "saves": sizes.saves, "evaluate": sizes.evaluate}
    spec = choose_layout(_spec(case, paradigm, chunks * seeds, layout, settings=settings)).spec
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(2):
            outcome = run_sweep(spec, Path(folder) / str(number))
            assert (outcome.rows, outcome.failed) == (chunks * seeds, 0)
            seconds.append(outcome.seconds)
        size = sum(file.stat().st_size for file in (Path(folder) / "1").rglob("*.nc"))
    first, again = seconds
    each = chunks * seeds * steps / again
    say(f"sweep, {case}, {paradigm}, chunks of {seeds:,} rows: {each:,.0f} seed-steps/s")
    work = counting.step(paradigm, batch=256, **CASES[case]["shapes"])
    found = {"chunk": seeds, "chunks": chunks, "steps": steps, "saves": sizes.saves}
    found |= {"first_s": first, "chunk_s": again / chunks, "file_bytes": size}
    found |= {"seed_steps_per_s": each}
    return found | {"operations": work.operations, "bytes": work.bytes}
