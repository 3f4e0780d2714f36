"""What a sweep is asked to do: plain values only, so that it can be written down and hashed."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from jaxattn.core.contracts import InputError
from jaxattn.core.lookup import nearest
from jaxattn.problems.result_measures import TIMES
from jaxattn.study.axes import Axis
from jaxattn.study.check_request import measures_of
from jaxattn.study.checks import shown, whole_number
from jaxattn.study.plain_values import checked_settings, plain_table
from jaxattn.study.resolve import Request, Role
from jaxattn.study.settings import DEFAULTS, OWN_DEFAULTS
from jaxattn.study.stop_rule import Stop

__all__ = ["DYNAMICS", "Layout", "Spec"]

DYNAMICS = ("train", "flow")
ROWS = 2**31
"""A sweep has fewer: row numbers are kept in files."""
_NEEDS = {spec.name: spec.of for spec in TIMES}


@dataclass(frozen=True)
class Layout:
    """How rows are run; part of what a sweep is, because bits depend on the tile.

    Raises:
        InputError: no positive integers, or a chunk that is not whole tiles.
    """

    tile: int | str | None = None
    """Rows vmapped together; ``measure``: what is fastest here; None: what suits the model."""
    chunk: int | None = None
    """Rows of a chunk, what one kill can cost; None: as many as the budget of memory allows."""
    pad_segments: bool = False
    """Bags of all lengths on the axis ``segments`` padded by masks into one program."""
    memory: int = 1 << 30
    """Bytes that a process may need for a chunk, besides what an accelerator has of its own."""
    groups: tuple[tuple[int, int], ...] | None = None
    """Tile, and tiles of a chunk, of each group; None: not laid out yet."""

    def __post_init__(self) -> None:
        """Refuse what cannot be laid out."""
        tile = None if isinstance(self.tile, str) and self.tile == "measure" else self.tile
        counts = {"tile": (tile, ROWS - 1), "chunk": (self.chunk, ROWS - 1)}
        counts["memory"] = (self.memory, 2**62)
        for name, (value, most) in counts.items():
            if value is not None or name == "memory":
                object.__setattr__(self, name, whole_number(f"layout.{name}", value, 1, most))
        if isinstance(self.tile, int) and self.chunk and self.chunk % self.tile:
            raise InputError(
                f"layout.chunk: got {self.chunk}, expected whole tiles of {self.tile} rows; use "
                f"{-(-self.chunk // self.tile) * self.tile}."
            )
        if not isinstance(self.pad_segments, bool):
            raise InputError(
                f"layout.pad_segments: got {shown(self.pad_segments)}, expected true or false."
            )
        if not _are_pairs(self.groups):
            raise InputError(
                f"layout.groups: got {shown(self.groups)}, expected pairs [tile, tiles]."
            )
        for pair in self.groups or ():
            for name, value in zip(("tile", "tiles"), pair, strict=True):
                whole_number(f"layout.groups: {name}", value, 1, ROWS - 1)


def _are_pairs(groups: Any) -> bool:
    return groups is None or (
        isinstance(groups, tuple)
        and all(isinstance(pair, tuple) and len(pair) == 2 for pair in groups)
    )


@dataclass(frozen=True)
class Spec:
    """A sweep: everything but its axes holds for all runs.

    Construction puts it in one form, whatever it was built from: ``paradigm`` is the first axis
    and ``seed`` the last, hyperparameters are floats, and the settings have their defaults.

    Raises:
        InputError: an unknown name, a name in two places, or anything that cannot be run.
    """

    task: Mapping[str, Any]
    """``name`` and arguments of its factory."""
    axes: tuple[Axis, ...]
    """In the order of the result's dimensions: ``paradigm`` first, ``seed`` last."""
    model: Mapping[str, Any] | None = None
    """``name`` and arguments of its factory; None: the task's own."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `jaxattn.study.settings.Settings`, and ``hypers`` that do not vary."""
    dynamics: tuple[str, ...] = ("train",)
    """train, flow, or both."""
    measures: tuple[str, ...] | None = None
    """Variables to keep, with what they are computed from; None: all."""
    layout: Layout = Layout()
    keep_params: bool = False
    """Keep the parameters at the end of every run."""
    stop: Mapping[str, Any] | None = None
    """When a row may end before its last step; None: never."""
    problem: Mapping[str, Any] | None = None
    """In place of task and model: ``from``, the import path of a factory of problems of one's own,
    and its arguments."""
    data: Mapping[str, Any] | None = None
    """What those learn from: ``from``, an import path, and arguments."""
    own_measures: Mapping[str, str] = field(default_factory=dict)
    """Measures of one's own by name, each an import path of what `jaxattn.problem` takes."""
    request: Request = field(init=False, repr=False, compare=False)
    """What is run of it, for the names of which it knows the meaning."""

    def __post_init__(self) -> None:
        """Check all of it, and put it in one form."""
        _check_parts(self.axes, self.layout)
        task = plain_table("task", self.task)
        model = None if self.model is None else plain_table("model", self.model)
        own = self._own_tables()
        columns = {name for axis in self.axes for name in axis.names}
        usual = OWN_DEFAULTS if own else DEFAULTS
        settings = checked_settings(plain_table("settings", self.settings), columns, usual)
        if settings["against"] and self.dynamics not in (["train"], ("train",)):
            raise InputError(
                f"output.dynamics: got {shown(self.dynamics)} beside against = "
                f"{shown(settings['against'])}, expected train alone: the limits are run beside "
                "it; leave dynamics out."
            )
        tables = own or {"task": task, "model": model or {}}
        own_measures = plain_table("measures", self.own_measures)
        request = Request(tables, settings, self.axes, own_measures)
        if own and "paradigm" not in columns and request.components("problem"):
            names = tuple(request.problems_at(request.start, request.roles))
            request = replace(request, axes=(Axis("paradigm", (("paradigm", names),)), *self.axes))
        measures = measures_of(request)
        if not own:
            task = request.task_of_its_content()
            request = replace(request, tables={**request.tables, "task": task})
        _check_output(self.dynamics, self.measures, self.keep_params, measures)
        stop = None if self.stop is None else _checked_stop(self.stop, measures)
        if self.layout.pad_segments and ("segments",) not in [axis.names for axis in self.axes]:
            raise InputError(
                "layout.pad_segments: got true, expected an axis of segments alone; drop it."
            )
        axes = tuple(_in_form(axis, request.roles) for axis in request.axes)
        ends = {"paradigm": 0, "seed": 2}
        axes = tuple(sorted(axes, key=lambda axis: ends.get(axis.name, 1)))
        _check_size(axes, self.dynamics)
        for name, value in {
            "task": task,
            "model": model,
            "settings": settings,
            "axes": axes,
            "dynamics": tuple(name for name in DYNAMICS if name in self.dynamics),
            "measures": None if self.measures is None else _with_needs(self.measures),
            "stop": stop,
            "request": request,
            "own_measures": own_measures,
            **own,
        }.items():
            object.__setattr__(self, name, value)

    def _own_tables(self) -> dict[str, dict[str, Any]]:
        """The tables of problems of one's own; {} where an attention network is learnt."""
        given = {"problem": self.problem, "data": self.data}
        if all(table is None for table in given.values()):
            return {}
        for name, table in given.items():
            if table is None:
                raise InputError(
                    f"{name}: got no table beside the other, expected [problem] and [data]; add "
                    f'[{name}] with from = "package.module:function".'
                )
        if self.task or self.model is not None:
            name = "task" if self.task else "model"
            raise InputError(
                f"{name}: got a table beside [problem], expected one of the two; leave it out."
            )
        return {name: plain_table(name, table) for name, table in given.items()}

    def __hash__(self) -> int:
        """Equal specs have equal hashes, so that what is made of one can be remembered."""
        return hash((self.axes, self.dynamics, self.layout))

    @property
    def roles(self) -> Mapping[str, Role]:
        """What each name on an axis is."""
        return self.request.roles


def _check_parts(axes: Any, layout: Any) -> None:
    if not isinstance(axes, list | tuple) or not all(isinstance(axis, Axis) for axis in axes):
        raise InputError(f"axes: got {shown(axes)}, expected a list of Axis.")
    if not isinstance(layout, Layout):
        raise InputError(f"layout: got {shown(layout)}, expected a Layout.")


def _with_needs(measures: tuple[str, ...]) -> tuple[str, ...]:
    """`measures`, and those that some of them are computed from."""
    return tuple(sorted({*measures, *(_NEEDS[name] for name in measures if name in _NEEDS)}))


def _in_form(axis: Axis, roles: Mapping[str, Role]) -> Axis:
    """Hyperparameters as floats."""
    floats = {name for name in axis.names if roles[name] == "hyper"}
    if not floats:
        return axis
    columns = tuple(
        (name, tuple(map(float, values)) if name in floats else values)
        for name, values in axis.columns
    )
    return Axis(axis.name, columns)


def _check_size(axes: tuple[Axis, ...], dynamics: tuple[str, ...]) -> None:
    rows = len(dynamics)
    for axis in axes:
        rows *= len(axis)
    if rows >= ROWS:
        raise InputError(f"axes: got {rows} runs, expected fewer than {ROWS}; split the sweep.")
    for name in ("paradigm", "seed"):
        if name not in (axis.name for axis in axes):
            raise InputError(f"axes: got {name} along another axis, expected one of its own.")


def _check_output(dynamics: Any, measures: Any, keep_params: Any, known: tuple[str, ...]) -> None:
    for name, given, expected in (
        ("dynamics", dynamics, DYNAMICS),
        ("measures", measures if measures is not None else known, known),
    ):
        if not isinstance(given, list | tuple) or not given:
            raise InputError(
                f"output.{name}: got {shown(given)}, expected a list of {', '.join(expected)}."
            )
        for choice in given:
            if choice not in expected:
                raise InputError(
                    f"output.{name}: got {shown(choice)}, expected some of {', '.join(expected)}; "
                    f"{nearest(str(choice), expected) or 'drop it.'}"
                )
        if len(set(given)) < len(given):
            raise InputError(f"output.{name}: got {shown(given)}, expected each once.")
    if not isinstance(keep_params, bool):
        raise InputError(f"output.params: got {shown(keep_params)}, expected true or false.")


def _checked_stop(given: Mapping[str, Any], measures: tuple[str, ...]) -> dict[str, Any]:
    stop = plain_table("stop", given)
    level = stop.get("converged")
    if isinstance(level, Mapping) and (name := level.get("measure", measures[0])) not in measures:
        raise InputError(
            f"stop.converged: got the measure {shown(name)}, expected one of "
            f"{', '.join(measures)}; {nearest(str(name), measures) or 'pick one.'}"
        )
    Stop.from_plain(stop)
    return stop
