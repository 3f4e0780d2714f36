"""What the compiler is told: on a CPU nothing on which a row depends, on a GPU to keep its bits.

XLA takes longer to compile a small study than the study runs. Told to leave out its fusion emitters
and most of LLVM's passes it needs half of that time, and what it makes runs 1.02 to 1.21 times as
long (benchmarks/README.md). But the last digits of a row then depend on its place
in a tile, and so on which rows there are: adding a seed changes others. So it is never chosen for
anyone, but for what is found once a run, entry by entry: initial parameters that are drawn, and the
order of minibatches. There nothing is added up, and an entry is the same wherever it is.

On a GPU XLA adds in whatever order threads come, and times kernels to choose among them, unless it
is told not to: a program would give other bits the next time that it is run or compiled.
"""

from functools import cache
from typing import Any

import jax

from jaxattn.core.contracts import InputError

__all__ = ["Options", "for_once", "name_of", "options_for"]

Options = tuple[tuple[str, Any], ...]
"""Of the compiler, by name; none: its own."""

QUICK: Options = (
    ("xla_backend_optimization_level", 1),
    ("xla_cpu_use_fusion_emitters", False),
)
"""For programs that take longer to compile than to run."""

DETERMINISTIC: Options = (
    ("xla_gpu_deterministic_ops", True),
    ("xla_gpu_exclude_nondeterministic_ops", True),
)
"""For a GPU that is to give the same bits again. The first one has autotuning off, too."""


_ONE_BY_ONE = frozenset(
    {
        *("add", "subtract", "multiply", "divide", "maximum", "minimum", "negate", "abs", "sqrt"),
        *("exponential", "log", "log_plus_one", "erf", "erf_inv", "next_after", "is_finite"),
        *("and", "or", "xor", "not", "shift_left", "shift_right_logical", "compare", "select"),
        *("constant", "iota", "convert", "bitcast_convert", "broadcast_in_dim", "reshape"),
        *("slice", "pad", "concatenate", "transpose", "reverse", "gather", "sort"),
        *("dynamic_slice", "dynamic_update_slice", "while", "case", "if"),
        *("return", "call", "func", "module", "mesh"),
    }
)
"""Operations that find each entry by itself, in one order. A sum has several; what is not named has
not been tried."""


def options_for(asked: str = "auto") -> Options:
    """What XLA is told for the devices here.

    Args:
        asked: ``quick``, or ``auto``: nothing; on a GPU, to give the same bits again.

    Raises:
        InputError: quick, where the device is no CPU, or where this XLA cannot be told so; a GPU
            whose XLA cannot be told to give the same bits.
    """
    platform = jax.local_devices()[0].platform
    if asked == "quick" and platform != "cpu":
        raise InputError(
            f"compiler: got 'quick' on a {platform}, expected a CPU, which it is for; leave it out."
        )
    options = QUICK if asked == "quick" else DETERMINISTIC if platform == "gpu" else ()
    if options and not _is_known(options):
        fix = "leave it out" if asked == "quick" else "use a release of JAX that has them"
        raise InputError(
            f"compiler: got {asked!r}, expected options that this release of XLA knows, and it has "
            f"dropped some of {', '.join(name for name, _ in options)}; {fix}."
        )
    return options


def for_once(options: Options, lowered: jax.stages.Lowered, platform: str) -> Options:
    """What XLA is told for a program that runs once: `QUICK` on a CPU, where nothing is added up.

    Every entry is then the same whatever else is found beside it. Integers and draws of the usual
    laws are those of XLA's own options to the bit, others to the last digit.

    Args:
        options: that are asked for; they stay.
        lowered: the program.
        platform: that it is for.
    """
    if options or platform != "cpu" or not _operations(lowered) <= _ONE_BY_ONE:
        return options
    return QUICK if _is_known(QUICK) else options


def _operations(lowered: jax.stages.Lowered) -> frozenset[str]:
    """Names of a program's operations, without what is not needed for its results."""
    found: set[str] = set()
    module: Any = lowered.compiler_ir("stablehlo")
    waiting = [module.operation]
    while waiting:
        operation = waiting.pop()
        found.add(operation.name.rpartition(".")[-1])
        waiting += [
            each.operation for part in operation.regions for block in part for each in block
        ]
    return frozenset(found)


def name_of(options: Options) -> str:
    """What a result calls these options; an empty text: XLA's own."""
    return {(): "", QUICK: "quick", DETERMINISTIC: "deterministic"}[options]


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
