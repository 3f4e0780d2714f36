"""Chunks on a Dask cluster: of this machine, or a running one.

Functions and contents travel through the cluster, so its workers need no disk in common. Dask
computes a chunk again when its worker dies, and retries one that raised.
"""

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager
from functools import partial

from distributed import Client, KilledWorker, LocalCluster
from distributed.comm import CommClosedError

from jaxattn.core.contracts import InputError
from jaxattn.engine.executors.base import Engine, Results, Work, keep_busy
from jaxattn.engine.executors.dask_worker import SetUp, in_a_task
from jaxattn.engine.executors.local import AHEAD
from jaxattn.engine.executors.worker_setup import Setup, setup_here

__all__ = ["on_dask"]

RETRIES = 2
"""Times that Dask tries a chunk again after an exception, on whatever worker."""

TIMEOUT = 10
"""Seconds for the scheduler to answer."""


@contextmanager
def on_dask(address: str | None, workers: int | None) -> Iterator[Engine]:
    """A cluster's workers.

    Args:
        address: where the scheduler is; None starts a cluster of one-threaded processes here.
        workers: so many of them; one a core unless told.

    Raises:
        InputError: nobody answers there, or a worker cannot be set as this process is.
    """
    own = 0 if address else workers or os.cpu_count() or 1
    with ExitStack() as stack:
        where = address or stack.enter_context(_here(own))
        client = stack.enter_context(_client(where))
        _set_up(client, setup_here(same_disk=address is None, workers=own))
        executor = client.get_executor(retries=RETRIES, pure=False)
        lost = (
            "the Dask scheduler went away, or worker after worker died of one of them, as when "
            "memory runs out; what was finished is kept."
        )

        def results(work: Work, numbers: Iterable[int]) -> Results:
            return keep_busy(
                executor,
                partial(in_a_task, work),
                numbers,
                at_once=lambda: AHEAD * max(1, sum(client.nthreads().values())),
                lost=lost,
                losses=(CancelledError, KilledWorker, CommClosedError),
            )

        try:
            yield Engine("dask", results, elsewhere=address is not None)
        finally:
            executor.shutdown(wait=False)


def _here(workers: int) -> LocalCluster:
    return LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        dashboard_address="127.0.0.1:0",  # the usual port may be another cluster's
    )


def _set_up(client: Client, how: Setup) -> None:
    try:
        client.register_plugin(SetUp(how))
    except ModuleNotFoundError as error:
        raise InputError(
            f"--engine: got Dask workers without the package {error.name!r}, expected jaxattn "
            "with its extra dask there too; install the same versions."
        ) from error


def _client(where: LocalCluster | str) -> Client:
    try:
        return Client(where, timeout=TIMEOUT, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputError(
            f"--engine: got {where!r}, where no Dask scheduler answered within {TIMEOUT} s, "
            "expected the address that `dask scheduler` prints, such as tcp://host:8786."
        ) from error
