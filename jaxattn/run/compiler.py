"""What the compiler is told: to be quick where runs are short, to be thorough where they are long.

XLA takes longer to compile a small study than the study runs. Told to leave out its fusion emitters
and most of LLVM's passes it needs under half of that time, and what it makes runs 1.03 to 1.3 times
as long (benchmarks/README.md). Which of the two it is decides bits, so it is chosen from what one
row costs, never from how many there are.
"""

from collections.abc import Sequence
from functools import cache

import jax

from jaxattn.core.contracts import InputError
from jaxattn.core.operations import operations_of
from jaxattn.run.stage import Options

__all__ = ["SHORT", "options_for", "seconds_of", "words_of"]

QUICK: Options = (
    ("xla_backend_optimization_level", 1),
    ("xla_cpu_use_fusion_emitters", False),
)
"""For programs that take longer to compile than to run."""

SHORT = 1.0
"""Seconds of one row, of one core and foretold, up to which its program is compiled quickly."""

_FLOPS, _BYTES = 150e9, 12e9
"""What one core of a server does a second. On two of them, busy with other work too, comparisons of
linear and MLP models on digits and bags took 0.85 to 1.3 times what was foretold by these."""


def seconds_of(stages: Sequence[jax.stages.Traced], turns: float) -> float:
    """Seconds that one core takes for the stages of a tile, about.

    Args:
        stages: traced.
        turns: how often loops turn whose end the program does not tell: the steps from one save to
            the next.
    """
    does = [operations_of(stage.jaxpr, turns) for stage in stages]
    return sum(each.flops / _FLOPS + each.bytes / _BYTES for each in does)


def options_for(asked: str, row_seconds: float) -> Options:
    """What XLA is told.

    Args:
        asked: quick, thorough, or auto, which chooses by `row_seconds`.
        row_seconds: foretold of one row.

    Raises:
        InputError: quick, and this XLA cannot be told so.
    """
    if jax.local_devices()[0].platform != "cpu":
        return ()
    if asked == "thorough" or (asked == "auto" and row_seconds > SHORT):
        return ()
    if not _is_known(QUICK):
        if asked == "auto":
            return ()
        raise InputError(
            "compiler: got 'quick', expected options that this release of XLA knows, and it has "
            "dropped them; leave it at 'auto'."
        )
    return QUICK


def words_of(options: Options) -> str:
    """The compiler's choice, as results say it."""
    return "quick" if options == QUICK else "thorough"


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
