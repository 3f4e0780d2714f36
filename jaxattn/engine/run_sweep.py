"""Run what is missing of a sweep, wherever its chunks are computed."""

import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import NamedTuple

from jaxattn.core.contracts import InputError
from jaxattn.engine.checkpoints import write_params
from jaxattn.engine.cost.layout import choose_layout
from jaxattn.engine.directory import (
    begin,
    check_environment,
    check_free,
    clear,
    read_spec_in,
    remove_partial_files,
    results_are_whole,
    spec_difference,
    states,
)
from jaxattn.engine.executors.open import open_engine
from jaxattn.engine.lock import exclusive_lock
from jaxattn.engine.log import log
from jaxattn.engine.progress import Listener, Watch, failed_in
from jaxattn.results.checksum import chunk_name, write_bytes
from jaxattn.results.files import write_json
from jaxattn.results.virtual import write_virtual
from jaxattn.run.chunk import compute, remembered, runners_of
from jaxattn.run.job import refuse_without_x64
from jaxattn.run.labels import labels_of, pieces_of, variables_of
from jaxattn.run.provenance import command_line, environment
from jaxattn.run.runner import Runner
from jaxattn.study.groups import make_groups
from jaxattn.study.spec import Spec
from jaxattn.study.spec_hash import spec_json

__all__ = ["EngineOptions", "Outcome", "resume_sweep", "run_sweep"]


class EngineOptions(NamedTuple):
    """Where chunks are computed; see `jaxattn.engine.executors.open.open_engine`."""

    engine: str = "auto"
    workers: int | None = None
    options: Mapping[str, str] = {}


ANYWHERE = EngineOptions()
"""On the hosts that a launcher started, or in this process."""

NOBODY = Listener()
"""Hears nothing."""


class Outcome(NamedTuple):
    """How a sweep stands when its command ends."""

    rows: int
    failed: int
    chunks: int
    computed: int
    """Chunks that this command computed, on all hosts; the others were finished before."""
    seconds: float


def run_sweep(
    spec: Spec,
    folder: Path,
    *,
    overwrite: bool = False,
    where: EngineOptions = ANYWHERE,
    to: Listener = NOBODY,
) -> Outcome:
    """Begin a sweep in a directory and run all of it.

    Args:
        spec: what to run; what its layout leaves open is decided here.
        folder: new or empty, unless `overwrite`.
        overwrite: remove what another sweep wrote there, and leave the rest.
        where: chunks are computed.
        to: hears how it goes.

    Raises:
        InputError: before anything is written, for what cannot be run.
        KeyboardInterrupt: what was finished is kept.
    """

    def ready() -> Callable[[], None]:
        refuse_without_x64(make_groups(spec))
        sweep = choose_layout(spec)
        for runner in runners_of(sweep):
            if isinstance(runner, Runner):
                runner.check_stop()

        def prepare() -> None:
            if overwrite:
                clear(folder)
            begin(folder, sweep.spec, beside=overwrite)

        return prepare

    if not overwrite:
        check_free(folder)
    return _work(folder, ready, where, to)


def resume_sweep(
    folder: Path,
    *,
    spec: Spec | None = None,
    where: EngineOptions = ANYWHERE,
    to: Listener = NOBODY,
) -> Outcome:
    """Run the chunks of a sweep that are missing, truncated or damaged.

    Args:
        folder: of a sweep that was begun.
        spec: that it should have; None: whatever it has.
        where: chunks are computed.
        to: hears how it goes.

    Raises:
        InputError: no sweep there, another spec or other versions, with the difference.
    """
    there = read_spec_in(folder)

    def ready() -> Callable[[], None]:
        if spec is not None and (apart := spec_difference(there, spec)):
            raise InputError(
                f"resume: got another spec than the sweep in {str(folder)!r} "
                f"({'; '.join(apart[:5])}); expected the same; leave --spec out, or begin a new "
                "sweep."
            )
        return lambda: None

    return _work(folder, ready, where, to)


def _work(
    folder: Path, ready: Callable[[], Callable[[], None]], where: EngineOptions, to: Listener
) -> Outcome:
    """Run what is missing.

    Args:
        folder: of the sweep.
        ready: refuses what cannot be run, before anything is written, and gives what the first
            host does first. Hosts must have joined by then, as it asks JAX for its devices.
        where: chunks are computed.
        to: hears how it goes.
    """
    started = time.perf_counter()
    with open_engine(
        where.engine, workers=where.workers, folder=folder, options=where.options
    ) as engine:
        prepare, first = ready(), engine.process == 0
        with exclusive_lock(folder, to.on_note) if first else nullcontext():
            if first:
                prepare()
                remove_partial_files(folder)
            engine.barrier("begun")
            text = spec_json(read_spec_in(folder))
            sweep, runners = remembered(text)
            if first:
                check_environment(folder, sweep)
                if not results_are_whole(folder, sweep):
                    pieces = pieces_of(sweep, runners)
                    write_virtual(
                        folder, labels_of(sweep, runners), variables_of(sweep, runners), pieces
                    )
            found = states(folder, sweep)
            # Nobody may write before all have seen what is missing.
            engine.barrier("seen")
            watch = Watch(folder, sweep, found, engine, to)
            watch.begin()
            try:
                work = partial(compute, text)
                for number, (content, params) in engine.results(work, watch.share):
                    if params is not None:
                        write_params(folder, number, params)
                    # Last, as it says that the chunk is finished.
                    write_bytes(folder / chunk_name(number), content)
                    watch.add(number, content)
            except KeyboardInterrupt:
                log(folder, "interrupted", computed=watch.computed)
                raise
            engine.barrier("done")
            files = (folder / chunk_name(number) for number in range(sweep.chunk_count))
            failed = sum(failed_in(file) for file in files)
            seconds = time.perf_counter() - started
            computed = len(watch.missing)
            outcome = Outcome(sweep.rows, failed, sweep.chunk_count, computed, seconds)
            if first:
                log(folder, "finished", computed=computed, failed=failed, seconds=seconds)
                said = {"command": command_line(), **outcome._asdict(), "engine": engine.name}
                said["seconds"] = {"last command": {"all": seconds}}
                write_json(folder / "run.json", {**said, **environment()})
            return outcome
