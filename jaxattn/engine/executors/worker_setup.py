"""What a worker is told once, before its first chunk: all of it decides bits, or saves compiling.

On a CPU the bits of long sums depend on the size of XLA's thread pool, which by default is the
number of cores that the process may use. So that pool is part of what a worker is told: one that
has not loaded JAX yet is given the opener's size by ``NPROC``; one that cannot be is refused.
"""

import os
import socket
import sys
from dataclasses import dataclass

from jaxattn.core.versions import version_of

# No module here may load what reads a setting that is made here: jax, equinox.

__all__ = ["Setup", "setup_here", "thread_pool"]

_POOL = ("PJRT_NPROC", "NPROC")
"""XLA reads the first of these that is set."""

_PASSED = ("EQX_ON_ERROR",)
"""Read when imported: what a solver does that gives up."""

_CACHE = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")


@dataclass(frozen=True)
class Setup:
    """How JAX is set where an engine is opened, for workers elsewhere."""

    x64: bool
    threads: int
    environment: tuple[tuple[str, str], ...]
    cache: tuple[tuple[str, object], ...]
    versions: tuple[tuple[str, str], ...]

    def apply(self) -> None:
        """Set this process as the opener's is; a second time changes nothing.

        Raises:
            InputError: it has another version of something, or another thread pool.
        """
        for name, value in self.environment:
            os.environ.setdefault(name, value)
        if "jax" not in sys.modules and not any(os.environ.get(name) for name in _POOL):
            os.environ["NPROC"] = str(self.threads)
        import jax

        from jaxattn.core.contracts import InputError

        for name, expected in self.versions:
            if (got := dict(_versions())[name]) != expected:
                raise InputError(
                    f"worker {_place()}: got {name} {got}, expected {expected} as in the process "
                    "that sends the chunks; install the same versions on both."
                )
        jax.config.update("jax_enable_x64", self.x64)
        for name, setting in self.cache:
            jax.config.update(name, setting)
        if jax.default_backend() == "cpu" and (pool := thread_pool()) != self.threads:
            raise InputError(
                f"worker {_place()}: got a thread pool of {pool}, expected {self.threads} as in "
                "the process that sends the chunks, since sums on a CPU depend on it; start the "
                f"worker with NPROC={self.threads} (and as many devices) in its environment."
            )


def setup_here(same_disk: bool) -> Setup:
    """How this process is set.

    Args:
        same_disk: whether the workers see this machine's files: then they share the compilation
            cache. Others keep their own, by ``JAX_COMPILATION_CACHE_DIR`` where they start.
    """
    import jax

    from jaxattn.core.precision import x64_is_on

    cache = tuple((name, getattr(jax.config, name)) for name in _CACHE) if same_disk else ()
    passed = tuple((name, os.environ[name]) for name in _PASSED if name in os.environ)
    return Setup(x64_is_on(), thread_pool(), passed, cache, _versions())


def thread_pool() -> int:
    """Threads of XLA's pool for CPU devices in this process."""
    import jax

    setting = next((os.environ[name] for name in _POOL if os.environ.get(name)), "")
    threads = int(setting) if setting.isdigit() else _cores()
    return max(threads, len(jax.local_devices(backend="cpu")))


def _cores() -> int:
    """Cores this process may use, as XLA counts them."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _versions() -> tuple[tuple[str, str], ...]:
    return tuple((name, version_of(name)) for name in ("jaxattn", "jax", "jaxlib"))


def _place() -> str:
    return f"{os.getpid()} on {socket.gethostname()}"
