"""Run what is missing of a sweep, wherever its chunks are computed."""

import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import NamedTuple

from jaxattn.core.contracts import InputError
from jaxattn.engine.checkpoints import write_params
from jaxattn.engine.cost.layout import choose_layout
from jaxattn.engine.directory import (
    begin,
    check_free,
    clear,
    read_spec_in,
    remove_not_whole,
    remove_partial_files,
    results_are_whole,
    spec_difference,
    states,
)
from jaxattn.engine.executors.base import Engine
from jaxattn.engine.executors.open import EngineOptions, open_engine
from jaxattn.engine.lock import exclusive_lock
from jaxattn.engine.log import log
from jaxattn.engine.manifest import (
    MANIFEST,
    check_hardware,
    check_manifest,
    identity,
    programs_of,
    write_manifest,
)
from jaxattn.engine.progress import Listener, Watch, failed_in
from jaxattn.results.checksum import chunk_name, write_bytes
from jaxattn.results.files import named, write_json
from jaxattn.results.virtual import write_virtual
from jaxattn.run.chunk import compute, remembered, runners_of
from jaxattn.run.conditions import hardware, software
from jaxattn.run.job import refuse_without_x64
from jaxattn.run.labels import labels_of, pieces_of, variables_of
from jaxattn.run.provenance import command_line, environment
from jaxattn.run.runner import Runner
from jaxattn.study.groups import make_groups
from jaxattn.study.layout import Sweep
from jaxattn.study.spec import Spec
from jaxattn.study.spec_hash import spec_json

__all__ = ["Outcome", "check_resumable", "ready", "resume_sweep", "run_sweep"]


ANYWHERE = EngineOptions()
"""The hosts that a launcher started, or this process."""

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
        where: which engine computes the chunks.
        to: hears how it goes.

    Raises:
        InputError: before anything is written, for what cannot be run.
        KeyboardInterrupt: what was finished is kept.
    """
    if not overwrite:
        check_free(folder)
    started = time.perf_counter()
    with open_engine(*where._replace(folder=folder)) as engine:
        # Not before: hosts must have joined when JAX is asked for its devices.
        sweep = ready(spec)

        def prepare() -> None:
            if overwrite:
                clear(folder)
            begin(folder, sweep.spec, beside=overwrite)

        return _work(folder, engine, prepare, to, started)


def ready(spec: Spec) -> Sweep:
    """`spec` laid out, by what this machine has.

    Raises:
        InputError: what cannot be run here: more memory than there is, float64 without 64 bits.
    """
    refuse_without_x64(make_groups(spec))
    sweep = choose_layout(spec)
    for runner in runners_of(sweep):
        if isinstance(runner, Runner):
            runner.check_stop()
    return sweep


def resume_sweep(
    folder: Path,
    *,
    spec: Spec | None = None,
    where: EngineOptions = ANYWHERE,
    to: Listener = NOBODY,
) -> Outcome:
    """Run the chunks of a sweep that are missing, truncated or damaged.

    Args:
        folder: the directory of a sweep that was begun.
        spec: what it should have; None takes whatever it has.
        where: which engine computes the chunks.
        to: hears how it goes.

    Raises:
        InputError: no sweep there, another spec or other versions, with the difference.
    """
    check_resumable(folder, spec)
    started = time.perf_counter()
    with open_engine(*where._replace(folder=folder)) as engine:
        return _work(folder, engine, lambda: None, to, started)


def check_resumable(folder: Path, spec: Spec | None = None) -> None:
    """Refuse to go on with a sweep that has another spec, or was begun by other versions.

    What hardware it was begun on is compared later, where its chunks are computed.

    Args:
        folder: the directory of a sweep that was begun.
        spec: what it should have; None takes whatever it has.

    Raises:
        InputError: no sweep there, another spec or other versions, with the difference.
    """
    begun = read_spec_in(folder)
    if spec is not None and (apart := spec_difference(begun, spec)):
        raise InputError(
            f"resume: got another spec than the sweep in {named(folder)!r} "
            f"({'; '.join(apart[:5])}); expected the same; leave --spec out, or begin a new "
            "sweep."
        )
    if (folder / MANIFEST).is_file():
        check_manifest(folder, Sweep.of(begun), software())


def _work(
    folder: Path, engine: Engine, prepare: Callable[[], None], to: Listener, started: float
) -> Outcome:
    """Run what is missing.

    Args:
        folder: the sweep's directory.
        engine: computes its chunks.
        prepare: what the first host does first, alone in the folder.
        to: hears how it goes.
        started: when the command began, in seconds of `time.perf_counter`.
    """
    first = engine.process == 0
    with exclusive_lock(folder, to.on_note) if first else nullcontext():
        if first:
            prepare()
            remove_partial_files(folder)
        engine.barrier("begun")
        text = spec_json(read_spec_in(folder))
        sweep, runners = remembered(text)
        if first:
            here = software() | ({} if engine.elsewhere else hardware())
            if not (folder / MANIFEST).is_file():
                programs = [runner.fingerprint for runner in runners]
                write_manifest(folder, sweep, here, programs)
            check_manifest(folder, sweep, here)
            if not results_are_whole(folder, sweep):
                pieces = pieces_of(sweep, runners)
                write_virtual(
                    folder, labels_of(sweep, runners), variables_of(sweep, runners), pieces
                )
        file_states = states(folder, identity(sweep))
        # Nobody may write before all have seen what is missing.
        engine.barrier("seen")
        watch = Watch(folder, sweep, file_states, engine, to)
        watch.begin()
        if first:
            # What is finished is read while the rest is computed, and what is not whole is refused.
            remove_not_whole(folder, file_states)
        engine.barrier("cleared")
        try:
            work = partial(compute, text, programs_of(folder))
            for number, (content, params, where) in engine.results(work, watch.share):
                if engine.elsewhere:
                    check_hardware(folder, where)
                if params is not None:
                    write_params(folder, number, params)
                # Last, as it says that the chunk is finished.
                write_bytes(folder / chunk_name(number), content)
                watch.add(number, content)
        except KeyboardInterrupt:
            log(folder, "interrupted", computed=watch.computed)
            raise
        finally:
            remembered.cache_clear()  # or its data would stay in memory
        engine.barrier("done")
        files = (folder / chunk_name(number) for number in range(sweep.chunk_count))
        failed = sum(failed_in(file) for file in files)
        seconds = time.perf_counter() - started
        computed = len(watch.missing)
        outcome = Outcome(sweep.rows, failed, sweep.chunk_count, computed, seconds)
        if first:
            log(folder, "finished", computed=computed, failed=failed, seconds=seconds)
            record = {"command": command_line(), **outcome._asdict(), "engine": engine.name}
            record["seconds"] = {"last command": {"all": seconds}}
            write_json(folder / "run.json", {**record, **environment()})
        return outcome
