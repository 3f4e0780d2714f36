"""Options of XLA that suit programs which take longer to compile than to run.

They hold for a whole process and its children. What they may change (bits, speed, memory) is tested
under XLA's own: marked ``default_xla``, in a pytest process with ``JAXATTN_TEST_XLA=default``.
"""

import os
import subprocess
import sys

QUICK = ("--xla_cpu_use_fusion_emitters=false", "--xla_backend_optimization_level=1")
"""Under both, the tests take 0.64 of the processor time."""

DEFAULT = os.environ.get("JAXATTN_TEST_XLA", "quick") == "default"
"""Whether this process tests what needs XLA's own options."""

# Set once these have been tried, for the processes of xdist.
_TRIED = "JAXATTN_TEST_XLA_TRIED"


def compile_quickly() -> None:
    """Set the options for this process and its children, where this XLA knows them.

    To be called before JAX starts a backend: XLA reads them then, and ends the process at one that
    it does not know, as an option may be dropped by a newer release. So a child tries them first.
    """
    if DEFAULT or _TRIED in os.environ:
        return
    os.environ[_TRIED] = "1"
    flags = " ".join([os.environ.get("XLA_FLAGS", ""), *QUICK]).strip()
    if starts(flags):
        os.environ["XLA_FLAGS"] = flags


def starts(flags: str, **environment: str) -> bool:
    """Whether JAX starts with these flags; False where XLA does not know one.

    Raises:
        RuntimeError: it does not start for another reason.
    """
    tried = subprocess.run(
        [sys.executable, "-c", "import jax; jax.devices()"],
        env={**os.environ, "XLA_FLAGS": flags, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if tried.returncode and "Unknown flag" not in tried.stderr:
        raise RuntimeError(f"JAX does not start: {tried.stderr.splitlines()[-1]}")
    return tried.returncode == 0
