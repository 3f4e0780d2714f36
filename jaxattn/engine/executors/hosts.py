"""The same program on several hosts, each with its own devices: JAX's distributed runtime.

A launcher (``srun``, ``mpirun``, a pod's) starts the command once on every host. Each computes its
share of the chunks on the devices it has itself and writes them into the directory that all see.
JAX's runtime tells them how many they are and makes them wait for each other; no array is
spread over hosts, so a host more or less changes no bits.

On CPUs a host waits at a barrier for 30 minutes, XLA's limit for collective operations, unless
``XLA_FLAGS=--xla_cpu_collective_timeout_seconds=...`` says otherwise.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from jaxattn.core.errors import InputError, in_a_line
from jaxattn.engine.executors.base import Engine
from jaxattn.engine.executors.local import in_this_process
from jaxattn.run.conditions import hardware, refuse_other, software

__all__ = ["on_hosts", "share_of", "started_by_a_launcher"]

SHUTDOWN = 30
"""Seconds that a host which leaves by an exception waits for the others; then all are stopped."""

_TOLD = {"coordinator_address": str, "num_processes": int, "process_id": int}
"""What `jax.distributed.initialize` must be told where it detects no launcher."""


def share_of(numbers: Iterable[int], process: int, processes: int) -> tuple[int, ...]:
    """Every `processes`-th number, from the `process`-th on; shares are apart and make the whole.

    All hosts must cut the same numbers: list what is missing before a barrier, and run after it.
    """
    return tuple(numbers)[process::processes]


def started_by_a_launcher(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether a launcher that JAX knows has started this process as one of several.

    They are ``srun``, Open MPI's ``mpirun`` and TPU pods that name their hosts. Other pods are
    asked for by name.
    """
    if "JAX_COORDINATOR_ADDRESS" in environment:
        return True
    if "SLURM_STEP_NODELIST" in environment and "SLURM_PROCID" in environment:
        return _count(environment.get("SLURM_STEP_NUM_TASKS")) > 1
    if _count(environment.get("OMPI_COMM_WORLD_SIZE")) > 1:
        return True
    return "," in environment.get("TPU_WORKER_HOSTNAMES", "")


def _count(text: str | None) -> int:
    return int(text) if text and text.isdecimal() else 1


@contextmanager
def on_hosts(options: Mapping[str, str]) -> Iterator[Engine]:
    """This host's part of an engine of several. Open it before JAX has computed anything.

    Args:
        options: ``coordinator_address``, ``num_processes`` and ``process_id`` where no launcher
            tells them.

    Raises:
        InputError: nobody tells them, or they cannot be, or two hosts would differ in bits.
    """
    if not jax.distributed.is_initialized():
        _join(options)
    _agree()
    with in_this_process("hosts") as engine:
        yield replace(
            engine,
            process=jax.process_index(),
            processes=jax.process_count(),
            barrier=multihost_utils.sync_global_devices,
        )


def _join(options: Mapping[str, str]) -> None:
    told: dict[str, Any] = {}
    for name, text in options.items():
        if name not in _TOLD or (_TOLD[name] is int and not text.isdecimal()):
            raise InputError(
                f"engine hosts: got {name}={text}, expected {', '.join(_TOLD)}, the last two as "
                "whole numbers."
            )
        told[name] = _TOLD[name](text)
    try:
        jax.distributed.initialize(**told, shutdown_timeout_seconds=SHUTDOWN)
    except (ValueError, RuntimeError) as error:
        raise InputError(
            f"engine hosts: got {in_a_line(error)!r} from JAX, expected to be started "
            "once on every host by srun, mpirun or a pod; or tell it "
            f"{', '.join(_TOLD)}."
        ) from error


def _agree() -> None:
    """Refuse hosts that would differ in bits; every one of them finds it out.

    Raises:
        InputError: with both values of all that differs from the first host.
    """
    records = [json.loads(text) for text in _gathered(json.dumps(software() | hardware()))]
    for number, record in enumerate(records):
        refuse_other(
            records[0],
            record,
            f"engine hosts: got host {number} set otherwise than host 0",
            "start all in the same environment, on CPUs with the same NPROC.",
        )


def _gathered(text: str) -> list[str]:
    """What every host says, in their order."""
    said = np.frombuffer(text.encode(), np.uint8)
    sizes = np.ravel(multihost_utils.process_allgather(np.int32(said.size)))
    padded = np.zeros(int(sizes.max()), np.uint8)
    padded[: said.size] = said
    rows = np.asarray(multihost_utils.process_allgather(padded)).reshape(len(sizes), -1)
    return [bytes(row[:size]).decode() for row, size in zip(rows, sizes, strict=True)]
