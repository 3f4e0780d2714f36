"""From process start to a first Dataset on disk: jaxattn against what one would write instead."""

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from first_figure_studies import STUDIES

HERE = Path(__file__).parent
OURS, SCRIPT, QUICK_SCRIPT = "jaxattn", "script", "script, quick"
QUICK = "--xla_cpu_use_fusion_emitters=false --xla_backend_optimization_level=1"
SIDES = {
    OURS: ("first_figure_ours.py", ""),
    SCRIPT: ("first_figure_script.py", ""),
    QUICK_SCRIPT: ("first_figure_script.py", QUICK),
}
"""File, and what XLA is told."""

ROUNDS = {"tiny": 5, "demo": 3, "flows": 3, "large": 3}
LONG = [pytest.param(name, marks=pytest.mark.long) for name in ("demo", "flows", "large")]


def child(folder, pattern, *command, cache, flags=""):
    """What a command takes in a process of its own, with JAX's cache in the folder `cache`."""
    environment = os.environ | {
        "JAX_COMPILATION_CACHE_DIR": str(cache),
        "JAX_ENABLE_COMPILATION_CACHE": "true",
        # As the command line sets it: programs that take less are not worth a file.
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.2",
        # With diffrax's checks at run time no flow of the script would be kept; ours has none.
        "EQX_ON_ERROR": "nan",
        "XLA_FLAGS": flags,
    }
    words = [sys.executable, HERE / "child.py", folder, pattern, *command]
    done = subprocess.run(words, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


class Sides:
    """What is run in turn, and what each run took: ``{side: {"wall": [...], ...}}``."""

    def __init__(self):
        self.taken = {}

    def add(self, side, taken):
        for name, value in taken.items():
            self.taken.setdefault(side, {}).setdefault(name, []).append(value)

    def measure(self, benchmark, runs, rounds, **facts):
        """Every run of `runs`, ``{side: function}``, once a round; the first is the benchmark's."""
        (ours, work), *others = runs.items()

        def before():
            for side, run in others:
                self.add(side, run())

        benchmark.extra_info |= facts | {"sides": self.taken, "units": 1}
        timed = benchmark.pedantic
        timed(lambda: self.add(ours, work()), setup=before, rounds=rounds, iterations=1)


@pytest.mark.parametrize("cache", ["cold", "warm"])
@pytest.mark.parametrize("name", ["tiny", *LONG])
def test_first_figure(benchmark, rounds, tmp_path, name, cache):
    """Cold: an empty cache each time; warm: JAX's own, filled by one run before."""
    study, numbers = STUDIES[name], itertools.count()

    def run(side):
        file, flags = SIDES[side]
        number = next(numbers)
        where = tmp_path / (f"{side} {number}" if cache == "cold" else side)
        asked = json.dumps(study.plain(str(tmp_path / f"{number}.nc")))
        command = (sys.executable, HERE / file, asked)
        return child(tmp_path, f"{number}.nc", *command, cache=where, flags=flags)

    if cache == "warm":
        for side in SIDES:
            run(side)
    runs = {side: lambda side=side: run(side) for side in SIDES}
    facts = {"question": "first figure", "study": name, "cache": cache}
    Sides().measure(benchmark, runs, rounds or ROUNDS[name], **facts)


def test_first_compile(benchmark, rounds, tmp_path):
    """From process start to the first program that is being compiled, and to jax imported."""
    numbers = itertools.count()

    def run(what):
        command = (sys.executable, HERE / "first_figure_start.py", "{since}", what)
        cache = tmp_path / f"{what} {next(numbers)}"
        return {"wall": float(child(tmp_path, "", *command, cache=cache)["said"])}

    runs = {what: lambda what=what: run(what) for what in ("compare", "jax")}
    runs["compare"](), runs["jax"]()  # bytecode, and files in memory
    Sides().measure(benchmark, runs, rounds or 5, question="first compile")


def test_theory(benchmark, rounds, tmp_path):
    """`jaxattn theory` to its last PNG, compiled before."""
    numbers = itertools.count()

    def run():
        out = tmp_path / str(next(numbers))
        command = (sys.executable, "-m", "jaxattn", "theory", "--out", out)
        return child(out, "**/*.png", *command, cache=tmp_path / "cache")

    run()
    Sides().measure(benchmark, {OURS: run}, rounds or 5, question="theory start")
