"""Chunks in this process, or in several of this machine."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

from jaxattn.engine.executors.base import Engine, Results, Work, keep_busy
from jaxattn.engine.executors.worker_setup import Setup, setup_here

__all__ = ["AHEAD", "in_processes", "in_this_process"]

AHEAD = 2
"""Chunks submitted for each worker: one that it computes, and one so that it need not wait."""


@contextmanager
def in_this_process(name: str = "local") -> Iterator[Engine]:
    """One thread computes ahead, so that no device waits for the disk."""
    from jaxattn.run.conditions import flags

    # A thread has JAX's flags, but not what a `with` set in the thread that opened it.
    here = flags()
    executor = ThreadPoolExecutor(1, "jaxattn-chunk")

    def results(work: Work, numbers: Iterable[int]) -> Results:
        ahead = partial(_under, here, work)
        return keep_busy(executor, ahead, numbers, lambda: AHEAD, "this engine was closed.")

    try:
        yield Engine(name, results)
    finally:
        # What a device has begun cannot be cancelled: who leaves early need not wait for it.
        executor.shutdown(wait=False, cancel_futures=True)


def _under(here: Mapping[str, Any], work: Work, number: int) -> Any:
    from jaxattn.run.conditions import under

    with under(here):
        return work(number)


@contextmanager
def in_processes(workers: int, name: str = "local") -> Iterator[Engine]:
    """Spawned processes, each told once how JAX is set here.

    They live while a pipe from here is open, and so end at once with the engine, and also when
    this process is killed. Ctrl-C concerns this process alone.
    """
    context = multiprocessing.get_context("spawn")
    theirs, ours = context.Pipe(duplex=False)
    setup = setup_here(same_disk=True, workers=workers)
    executor = ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(setup, theirs))
    lost = (
        "a worker process died, as when memory runs out and the system ends one; what was "
        f"finished is kept. Go on with fewer workers (got {workers}) or smaller chunks."
    )
    try:
        yield Engine(name, partial(keep_busy, executor, at_once=lambda: AHEAD * workers, lost=lost))
    finally:
        ours.close()
        executor.shutdown(wait=True, cancel_futures=True)
        theirs.close()


def _begin(setup: Setup, pipe: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(pipe,), daemon=True).start()
    setup.apply()


def _end_with(pipe: Connection) -> None:
    """End this process, whatever it is doing, when the other end of `pipe` closes."""
    pipe.poll(None)
    os._exit(1)
