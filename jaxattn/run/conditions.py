"""Conditions: what the bits of a result depend on besides what was asked for.

They are taken in one place, written beside every result, and compared in one place: when a sweep
goes on, by each of its workers, by hosts that meet, and within a comparison. What a program
computes, a user's own components included, is told by its `fingerprint`.
"""

import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import jax

from jaxattn.core.contracts import InputError
from jaxattn.core.versions import version_of
from jaxattn.run.compiler import name_of, options_for

__all__ = [
    "HARDWARE",
    "PASSED",
    "cores",
    "differences",
    "flags",
    "hardware",
    "refuse_other",
    "set_flags",
    "software",
    "thread_pool",
    "under",
]

_PACKAGES = (
    "jaxattn",
    "jax",
    "jaxlib",
    "optax",
    "flax",
    "diffrax",
    "optimistix",
    "equinox",
    "numpy",
    "scipy",
    "scikit-learn",
)
"""Those that compute."""

_LOCAL_FLAGS: Mapping[str, Any] = {
    "jax_enable_x64": jax.enable_x64,
    "jax_default_matmul_precision": jax.default_matmul_precision,
    "jax_default_prng_impl": jax.default_prng_impl,
    "jax_numpy_dtype_promotion": jax.numpy_dtype_promotion,
    "jax_threefry_partitionable": jax.threefry_partitionable,
}
"""Flags that a ``with`` sets for one thread, and what does so."""

_FLAGS = (
    *_LOCAL_FLAGS,
    "jax_allow_f16_reductions",
    "jax_compiler_enable_remat_pass",
    "jax_custom_vjp3",
    "jax_disable_jit",
    "jax_disable_most_optimizations",
    "jax_enable_pgle",
    "jax_exec_time_optimization_effort",
    "jax_high_dynamic_range_gumbel",
    "jax_memory_fitting_effort",
    "jax_memory_fitting_level",
    "jax_optimization_level",
    "jax_random_seed_offset",
    "jax_remat3",
    "jax_softmax_custom_jvp",
    "jax_threefry_gpu_kernel_lowering",
    "jax_use_direct_linearize",
    "jax_use_magma",
    "jax_use_shardy_partitioner",
    "jax_xla_backend",
)
"""Flags that change numbers; a version of JAX may not know all of them."""

PASSED = ("XLA_FLAGS", "LIBTPU_INIT_ARGS", "NVIDIA_TF32_OVERRIDE", "TF_CUDNN_DETERMINISTIC")
"""Variables of the environment that compilers and libraries read."""

_POOL = ("PJRT_NPROC", "NPROC")
"""XLA takes the size of its thread pool from the first of these that is set."""

HARDWARE = ("backend", "device", "runtime", "threads", "compiler")
"""Names of what `hardware` tells."""

_IDLE = (
    "xla_cpu_collective",
    "xla_dump",
    "xla_force_host_platform_device_count",
    "xla_gpu_cuda_data_dir",
    "xla_hlo_profile",
)
"""How XLA's flags begin that change no number. All others are taken to."""

_VECTORS = ("sse4", "avx", "fma", "amx", "asimd", "sve", "neon")
"""How the instructions begin that code for a processor is vectorised by."""


def software() -> dict[str, Any]:
    """Versions, JAX's flags, and what compilers are told by the environment."""
    passed = {name: _settled(os.environ.get(name, "")) for name in PASSED}
    return _versions() | flags() | {name: text for name, text in passed.items() if text}


def flags() -> dict[str, Any]:
    """JAX's flags that change numbers, as this thread has them."""
    known = jax.config.values
    values = {name: known[name] for name in _FLAGS if name in known}
    # Some are of JAX's own types, which a worker could not read before it loads JAX.
    plain = (bool, int, float, type(None))
    return {name: at if isinstance(at, plain) else str(at) for name, at in values.items()}


def hardware() -> dict[str, Any]:
    """What computes: the devices' kind and driver; of a CPU its instructions and threads.

    And what the compiler is told for such devices where nobody asks for anything else.
    """
    device = jax.local_devices()[0]
    facts = {
        "backend": device.platform,
        "device": device.device_kind,
        "runtime": device.client.platform_version,
    }
    if device.platform == "cpu":
        facts |= {"device": _instructions(), "threads": thread_pool()}
    if told := name_of(options_for()):
        facts["compiler"] = told
    return facts


def thread_pool() -> int:
    """Threads of XLA's pool for CPU devices in this process, which share a long sum."""
    setting = next((os.environ[name] for name in _POOL if os.environ.get(name)), "")
    threads = int(setting) if setting.isdigit() else cores()
    # Where others compute, JAX may not even have a CPU to ask for.
    computing = [device for device in jax.local_devices() if device.platform == "cpu"]
    return max(threads, len(computing))


def differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """What differs between two records, each with both values."""
    return [
        f"{name}: {_said(there, name)} there, {_said(here, name)} here"
        for name in dict.fromkeys((*there, *here))
        if there.get(name) != here.get(name)
    ]


def refuse_other(there: Mapping[str, Any], here: Mapping[str, Any], what: str, fix: str) -> None:
    """Refuse to mix what was computed under two sets of conditions.

    Args:
        there: the record.
        here: these.
        what: who is not as recorded, in words.
        fix: what to do.

    Raises:
        InputError: with every difference.
    """
    if lines := differences(there, here):
        raise InputError(
            f"{what} ({'; '.join(lines)}), expected the same, on which its bits depend; {fix}"
        )


@contextmanager
def under(wanted: Mapping[str, Any]) -> Iterator[None]:
    """This thread with the flags of another: a thread has none that a ``with`` set elsewhere.

    Args:
        wanted: of `flags`, as the other thread has them.
    """
    with ExitStack() as stack:
        for name, setting in _LOCAL_FLAGS.items():
            if name in wanted:
                stack.enter_context(setting(wanted[name]))
        yield


def set_flags(wanted: Mapping[str, Any]) -> None:
    """This process with the flags of another."""
    for name, value in flags().items():
        if name in wanted and wanted[name] != value:
            jax.config.update(name, wanted[name])


@cache
def _versions() -> dict[str, str]:
    return {name: version_of(name) for name in _PACKAGES}


def _settled(text: str) -> str:
    """Flags of the environment in one order, without those that change no number."""
    words = {word for word in text.split() if not word.lstrip("-").startswith(_IDLE)}
    return " ".join(sorted(words))


@cache
def _instructions() -> str:
    """The processor, and which vector instructions it has."""
    machine = platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return " ".join(dict.fromkeys((machine, platform.processor()))).strip()
    listed = next((line for line in lines if line.lower().startswith(("flags", "features"))), "")
    names = sorted(word for word in listed.split() if word.startswith(_VECTORS))
    return " ".join((machine, *names))


def cores() -> int:
    """Cores this process may use, as XLA counts them."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _said(record: Mapping[str, Any], name: str) -> str:
    if name not in record:
        return "not set"
    return "unset" if record[name] is None else str(record[name])
