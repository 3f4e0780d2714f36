"""What the compiler is told: nothing, unless it is asked to be quick.

XLA takes longer to compile a small study than the study runs. Told to leave out its fusion emitters
and most of LLVM's passes it needs half of that time, and what it makes runs 1.02 to 1.21 times as
long (benchmarks/README.md). But the last digits of a row then depend on its place
in a tile, and so on which rows there are: adding a seed changes others. So it is never chosen for
anyone.
"""

from functools import cache

import jax

from jaxattn.core.contracts import InputError
from jaxattn.run.stage import Options

__all__ = ["options_for"]

QUICK: Options = (
    ("xla_backend_optimization_level", 1),
    ("xla_cpu_use_fusion_emitters", False),
)
"""For programs that take longer to compile than to run."""


def options_for(asked: str) -> Options:
    """What XLA is told.

    Args:
        asked: ``quick``, or ``auto``: nothing.

    Raises:
        InputError: quick, where the device is no CPU, or where this XLA cannot be told so.
    """
    if asked != "quick":
        return ()
    platform = jax.local_devices()[0].platform
    if platform != "cpu":
        raise InputError(
            f"compiler: got 'quick' on a {platform}, expected a CPU, which it is for; leave it out."
        )
    if not _is_known(QUICK):
        raise InputError(
            "compiler: got 'quick', expected options that this release of XLA knows, and it has "
            "dropped them; leave it out."
        )
    return QUICK


@cache
def _is_known(options: Options) -> bool:
    """Whether this XLA has such options."""
    nothing = jax.jit(lambda: 0).lower()
    try:
        nothing.compile(compiler_options=dict(options))
    except jax.errors.JaxRuntimeError as error:
        if "No such compile option" not in str(error):
            raise
        return False
    return True
