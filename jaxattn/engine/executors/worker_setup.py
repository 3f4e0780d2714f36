"""What a worker is told once, before its first chunk: all of it decides bits, or saves compiling.

On a CPU the bits of long sums depend on the size of XLA's thread pool, which by default is the
number of cores that the process may use. So that pool is part of what a worker is told: one that
has not loaded JAX yet is given the opener's size by ``NPROC``; one that cannot be is refused.

On a GPU a process takes three quarters of its memory at once, and the next one finds none. So
workers of one machine are told to take a share each, and that as they need it; and the opener,
which computes nothing, takes little.
"""

import os
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

# No module here may load what reads a setting that is made here: jax, equinox.

__all__ = ["Setup", "memory_share", "setup_here"]

_READ = ("EQX_ON_ERROR",)
"""Read when imported: what a solver does that gives up."""

_CACHE = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")


_AS_NEEDED = ("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

_SHARE = "XLA_CLIENT_MEM_FRACTION"

_MEMORY = (
    _AS_NEEDED[0],
    _SHARE,
    "XLA_PYTHON_CLIENT_MEM_FRACTION",
    "XLA_PYTHON_CLIENT_ALLOCATOR",
)
"""What JAX is told of a GPU's memory: who says one of these has decided it."""

_WORKERS = 0.9
"""Of a GPU's memory: what its workers share. The opener needs some, and drivers do."""


@dataclass(frozen=True)
class Setup:
    """How JAX is set where an engine is opened, for workers elsewhere."""

    software: dict[str, Any]
    """Versions and flags, from `jaxattn.run.conditions`: all workers have them, or are refused."""
    threads: int
    environment: tuple[tuple[str, str], ...]
    cache: tuple[tuple[str, object], ...]

    def apply(self) -> None:
        """Set this process as the opener's is; a second time changes nothing.

        Raises:
            InputError: it has another version of something, a flag that cannot be set any more, or
                another thread pool.
        """
        for name, value in self.environment:
            os.environ.setdefault(name, value)
        if "jax" not in sys.modules and not any(map(os.environ.get, ("PJRT_NPROC", "NPROC"))):
            os.environ["NPROC"] = str(self.threads)
        import jax

        from jaxattn.core.contracts import InputError
        from jaxattn.run.conditions import refuse_other, set_flags, software, thread_pool

        set_flags(self.software)
        for name, setting in self.cache:
            jax.config.update(name, setting)
        where = f"worker {os.getpid()} on {socket.gethostname()}"
        refuse_other(
            self.software,
            software(),
            f"{where}: got another setting than the process that sends the chunks",
            "install the same versions there, and start it in the same environment.",
        )
        if jax.default_backend() == "cpu" and (pool := thread_pool()) != self.threads:
            raise InputError(
                f"{where}: got a thread pool of {pool}, expected {self.threads} as in "
                "the process that sends the chunks, since sums on a CPU depend on it; start the "
                f"worker with NPROC={self.threads} (and as many devices) in its environment."
            )


def memory_share(
    platform: str, workers: int, environment: Mapping[str, str]
) -> tuple[tuple[str, str], ...]:
    """What each of several workers is told of the memory of GPUs that they all use.

    Args:
        platform: of the devices.
        workers: processes of one machine, beside the one that sends the chunks; 0: none.
        environment: that of the opener; where it says anything of such memory, nothing is added.
    """
    if platform != "gpu" or workers == 0 or any(name in environment for name in _MEMORY):
        return ()
    return (_AS_NEEDED, (_SHARE, f"{_WORKERS / workers:.4f}"))


@contextmanager
def _taking_little(workers: int) -> Iterator[None]:
    """JAX loads its devices here, if it has not yet: it is not to take what the workers need."""
    name, value = _AS_NEEDED
    if workers == 0 or any(each in os.environ for each in _MEMORY):
        yield
        return
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]


def setup_here(same_disk: bool, workers: int = 0) -> Setup:
    """How this process is set.

    Args:
        same_disk: whether the workers see this machine's files: then they share the compilation
            cache. Others keep their own, by ``JAX_COMPILATION_CACHE_DIR`` where they start.
        workers: how many share this machine's devices; 0: they have others.
    """
    import jax

    from jaxattn.run.conditions import PASSED, software, thread_pool

    cache = tuple((name, getattr(jax.config, name)) for name in _CACHE) if same_disk else ()
    passed = tuple((name, os.environ[name]) for name in (*_READ, *PASSED) if name in os.environ)
    with _taking_little(workers):
        platform = jax.local_devices()[0].platform
    shared = memory_share(platform, workers, os.environ)
    return Setup(software(), thread_pool(), (*passed, *shared), cache)
