"""A stage: one function of a tile of rows, compiled once, in a thread beside what runs.

What a tile computes is written once, as calls of stages, and carried out three ways: traced, for
what it computes and gives; compiled ahead; and run.
"""

import gc
import time
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any, NamedTuple, Protocol, runtime_checkable
from weakref import WeakSet

import jax
from jaxtyping import PyTree

from jaxattn.run.compiler import Options, for_once
from jaxattn.run.conditions import cores, flags, under
from jaxattn.run.heap import share_mapped

__all__ = [
    "STAGES",
    "Call",
    "Compiles",
    "Compiling",
    "Running",
    "Stage",
    "Traces",
    "Where",
    "precise",
    "shape_of",
    "untimed",
]

Call = Callable[..., PyTree]
"""``call(stage, *arguments)``: what the stage gives, or its shapes."""


@runtime_checkable
class Compiling(Protocol):
    """``compiling()``: a context that times what is traced and compiled in it."""

    def __call__(self) -> AbstractContextManager[None]:
        """A new one."""


def untimed() -> AbstractContextManager[None]:
    """A context that times nothing."""
    return nullcontext()


class Where(NamedTuple):
    """What a program is compiled for."""

    device: jax.Device
    options: Options = ()


class _Made(NamedTuple):
    """A stage for arguments of one kind."""

    traced: jax.stages.Traced
    programs: dict[Where, Future[jax.stages.Compiled]]


class Stage:
    """A function of arrays, traced once for each kind of arguments and compiled once a place."""

    def __init__(self, function: Callable[..., Any], once: bool = False) -> None:
        """Nothing is traced before it is called.

        Args:
            function: pure.
            once: that it runs once a tile at most, and takes less long than to be compiled.
        """
        self._once = once
        self._jit: Any = jax.jit(function)
        self._made: dict[Hashable, _Made] = {}
        self.used = time.monotonic()
        """When it was last asked for a program, by ``time.monotonic``."""
        STAGES.add(self)

    def traced(self, *arguments: PyTree) -> jax.stages.Traced:
        """What it computes of arrays like these, or of their shapes; not compiled."""
        return self._of(*arguments).traced

    def compiled(
        self, where: Where, *arguments: PyTree, compiling: Compiling = untimed
    ) -> Future[jax.stages.Compiled]:
        """Its program there, compiled or under way."""
        with compiling():
            made = self._of(*arguments)
            self.used = time.monotonic()
            if where not in made.programs:
                _ROOM.make(self)
                placed = jax.tree.map(lambda leaf: _on(leaf, where.device), arguments)
                with precise():
                    lowered = self._jit.lower(*placed)
                options = where.options
                if self._once:
                    options = for_once(options, lowered, where.device.platform)
                made.programs[where] = _compilers().submit(
                    _compile, lowered, options, flags(), compiling
                )
        return made.programs[where]

    @property
    def programs(self) -> int:
        """How many it holds."""
        return sum(len(made.programs) for made in list(self._made.values()))

    def forget(self) -> None:
        """Let go of what was traced and compiled; who asks for it has it made anew."""
        self._made.clear()
        # JAX keeps it too.
        self._jit.clear_cache()

    def _of(self, *arguments: PyTree) -> _Made:
        shapes = jax.tree.map(shape_of, arguments)
        leaves, structure = jax.tree.flatten(shapes)
        kinds = tuple((leaf.shape, leaf.dtype) for leaf in leaves)
        key = (structure, kinds, tuple(flags().items()))
        made = self._made.get(key)
        if made is None:
            with precise():
                made = self._made[key] = _Made(self._jit.trace(*shapes), {})
        return made


STAGES: WeakSet[Stage] = WeakSet()
"""Those that are alive."""

_MOST_MAPPED = 0.5
"""Of what the system lets a process map. The other half is for what is compiled by others."""

_ENOUGH = 0.1
"""What has to be mapped anew before programs are let go again: to look for them takes long."""


class _Room:
    """Programs are let go where they take up what the system allows."""

    def __init__(self) -> None:
        self._left = 0.0

    def make(self, but: Stage) -> None:
        """Let go of the half used longest ago, if it is time."""
        if share_mapped() < max(_MOST_MAPPED, self._left + _ENOUGH):
            return
        others = [one for one in list(STAGES) if one is not but and one.programs]
        others.sort(key=lambda one: one.used)
        for stage in others[: (len(others) + 1) // 2]:
            stage.forget()
        gc.collect()
        self._left = share_mapped()


_ROOM = _Room()


class Traces:
    """The calls of a tile, traced: `stages` in order, each once."""

    def __init__(self) -> None:
        """None yet."""
        self.stages: list[jax.stages.Traced] = []

    def __call__(self, stage: Stage, *arguments: PyTree) -> PyTree:
        """The shapes of what the stage gives."""
        traced = stage.traced(*arguments)
        self.stages.append(traced)
        return traced.out_info


class Compiles:
    """Calls that begin to compile, and give the shapes of what will come."""

    def __init__(self, where: Where, compiling: Compiling = untimed) -> None:
        """None yet."""
        self._where, self._compiling = where, compiling
        self.programs: list[Future[jax.stages.Compiled]] = []

    def __call__(self, stage: Stage, *arguments: PyTree) -> PyTree:
        """The shapes of what the stage gives."""
        program = stage.compiled(self._where, *arguments, compiling=self._compiling)
        self.programs.append(program)
        return stage.traced(*arguments).out_info


class Running:
    """Calls that compute."""

    def __init__(self, where: Where) -> None:
        """Nothing has been called."""
        self._where = where
        self.waited = 0.0
        """Seconds that calls waited for their programs."""

    def __call__(self, stage: Stage, *arguments: PyTree) -> PyTree:
        """What the stage gives, when it is there."""
        began = time.perf_counter()
        program = stage.compiled(self._where, *arguments).result()
        self.waited += time.perf_counter() - began
        return program(*jax.device_put(arguments, self._where.device))


def shape_of(leaf: Any) -> jax.ShapeDtypeStruct:
    """What JAX makes of `leaf`."""
    return jax.ShapeDtypeStruct(leaf.shape, jax.dtypes.canonicalize_dtype(leaf.dtype))


def precise() -> AbstractContextManager[None]:
    """Products of matrices in the precision of their numbers, unless JAX is set otherwise.

    Accelerators round them to fewer bits by default, and a flow does not: training is compared
    with it.
    """
    asked = jax.config.values["jax_default_matmul_precision"]
    return jax.default_matmul_precision(asked or "highest")


def _on(leaf: Any, device: jax.Device) -> jax.ShapeDtypeStruct:
    place = jax.sharding.SingleDeviceSharding(device)
    shape = shape_of(leaf)
    return jax.ShapeDtypeStruct(shape.shape, shape.dtype, sharding=place)


def _compile(
    lowered: jax.stages.Lowered, options: Options, wanted: Mapping[str, Any], compiling: Compiling
) -> jax.stages.Compiled:
    with under(wanted), compiling():
        return lowered.compile(compiler_options=dict(options) or None)


@cache
def _compilers() -> ThreadPoolExecutor:
    """XLA lets other threads go on while it compiles."""
    return ThreadPoolExecutor(cores(), "jaxattn-compiler")
