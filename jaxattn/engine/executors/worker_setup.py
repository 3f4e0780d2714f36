"""What a worker is told once, before its first chunk: all of it decides bits, or saves compiling.

On a CPU the bits of long sums depend on the size of XLA's thread pool, which by default is the
number of cores that the process may use. So that pool is part of what a worker is told: one that
has not loaded JAX yet is given the opener's size by ``NPROC``; one that cannot be is refused.
"""

import os
import socket
import sys
from dataclasses import dataclass
from typing import Any

# No module here may load what reads a setting that is made here: jax, equinox.

__all__ = ["Setup", "setup_here"]

_READ = ("EQX_ON_ERROR",)
"""Read when imported: what a solver does that gives up."""

_CACHE = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")


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


def setup_here(same_disk: bool) -> Setup:
    """How this process is set.

    Args:
        same_disk: whether the workers see this machine's files: then they share the compilation
            cache. Others keep their own, by ``JAX_COMPILATION_CACHE_DIR`` where they start.
    """
    import jax

    from jaxattn.run.conditions import PASSED, software, thread_pool

    cache = tuple((name, getattr(jax.config, name)) for name in _CACHE) if same_disk else ()
    passed = tuple((name, os.environ[name]) for name in (*_READ, *PASSED) if name in os.environ)
    return Setup(software(), thread_pool(), passed, cache)
