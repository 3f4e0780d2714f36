"""What a comparison is asked to do: one static, checked description of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from math import isfinite
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxattn.core.contracts import HyperSpec, InputError, Model, Problem, Task
from jaxattn.core.lookup import resolve
from jaxattn.flow import limit_for, optimiser_of
from jaxattn.integrate import SOLVERS
from jaxattn.models import MODELS
from jaxattn.problems.attention import ATTENTION_MAPS
from jaxattn.problems.attention_problem import attention_problem
from jaxattn.problems.minibatches import Order
from jaxattn.problems.paradigms import PARADIGMS, as_paradigm
from jaxattn.tasks import TASKS
from jaxattn.training.optimisers import Optimiser, as_optimiser
from jaxattn.training.saves import AtTimes, Saves

__all__ = ["VARIED", "Settings", "refuse_out_of_range", "settings_for"]

PRECISIONS = ("float32", "float64")
VARIED = ("init", "data")

BESIDE_LIMITS: Mapping[str, Any] = {
    "precision": "float64",
    "batch_size": None,
    "curvature": 1,
    "flow_solver": "dopri8",
    "flow_rtol": 1e-10,
}
"""What suits training held against its continuous limits, where nothing else is asked for."""

AT_KINKS: Mapping[str, Any] = {"flow_solver": "bosh3", "flow_rtol": 1e-5}
"""What suits it where the model's gradient jumps: on the digits' ReLU network dopri8 gives up even
at 1e-6, where tsit5 takes ten times the gradients and finds the same distances to three digits."""


@dataclass(frozen=True, eq=False)
class Settings:
    """One comparison, whole. Names and objects are both accepted; see `jaxattn.compare`.

    Raises:
        InputError: on construction, for anything that cannot be done.
    """

    task: str | Task = "digits"
    model: Any = None
    """None takes the task's own."""
    paradigms: tuple[Any, ...] = ("soft", "hard", "lvml", "hybrid")
    hypers: Mapping[str, Any] = field(default_factory=dict)
    seeds: tuple[int, ...] = tuple(range(8))
    steps: int = 800
    saves: int | Sequence[int] = 41
    """How many save points, equally spaced from 0 to `steps`, or the steps themselves."""
    optimiser: Any = "sgd"
    schedule: Any = "constant"
    order: str = "shuffled"
    batch_size: int | None = 256
    """None: the whole learning set at every step."""
    attention: Any = "softmax"
    vary: tuple[str, ...] | None = None
    """What a seed changes: init, data. None: init, or data where the start is not random."""
    evaluate: int = 512
    """At most so many examples of each split are measured."""
    flow_seeds: int = 0
    """Gradient flow beside the first so many seeds."""
    flow_examples: int = 512
    """The flow learns from the first so many examples, all at once."""
    flow_solver: str = "bosh3"
    """A low order wins where the field has kinks, as ReLU networks have, and at loose tolerance."""
    flow_rtol: float = 1e-4
    """Relative error of one step of the flow. With kinks, tighter costs much more."""
    precision: str = "float32"
    against: tuple[str, ...] = ()
    """Continuous limits beside every run, see `jaxattn.flow.LIMITS`. All runs then learn from the
    same examples and reach the same times: `steps` are those at the largest learning rate."""
    curvature: int = 0
    """Largest eigenvalues of the Hessian to measure at every save."""
    focus_level: float = 0.5
    """time_to_focus: mean attention on the foreground reaches this."""
    fit_level: float = 90.0
    """time_to_fit: accuracy in % under the paradigm's own inference rule reaches this."""

    def __post_init__(self) -> None:
        """Resolve every name and refuse what cannot be done."""
        for name in ("steps", "evaluate", "flow_examples"):
            _at_least(name, getattr(self, name), 1)
        _at_least("flow_seeds", self.flow_seeds, 0)
        if not 0 < self.flow_rtol < 1:
            raise InputError(f"flow_rtol: got {self.flow_rtol}, expected a number between 0 and 1.")
        if not self.seeds:
            raise InputError("seeds: got none, expected at least 1.")
        for seed in self.seeds:
            _at_least("seeds", seed, 0)
        if not self.paradigms:
            raise InputError(
                f"paradigms: got none, expected at least one of {', '.join(PARADIGMS)}."
            )
        if len(set(self.names())) < len(self.paradigms):
            raise InputError(f"paradigms: got {list(self.names())}, expected each once.")
        if self.precision not in PRECISIONS:
            raise InputError(
                f"precision: got {self.precision!r}, expected one of {', '.join(PRECISIONS)}."
            )
        if unknown := set(self.vary or ()) - set(VARIED):
            raise InputError(
                f"vary: got {', '.join(sorted(unknown))}, expected some of {', '.join(VARIED)}; "
                "the order varies by --order shuffled-per-seed."
            )
        resolve("attention map", ATTENTION_MAPS, self.attention)
        resolve("solver", SOLVERS, self.flow_solver)
        self.save_steps()
        if self.batch_size is not None:
            _at_least("batch size", self.batch_size, 1)
        self.order_of_batches()
        self.axes()
        _at_least("curvature", self.curvature, 0)
        for name in self.against:
            limit_for(name, self.made_optimiser(), self.order_of_batches())
        if self.against and (self.precision != "float64" or self.flow_seeds):
            got = f"precision {self.precision} and {self.flow_seeds} flow seeds"
            raise InputError(
                f"against: got {got}, expected float64 and none; every run has its limits beside "
                "it, and how far apart they are is below the rounding of float32."
            )

    def made_task(self) -> Task:
        """The task, made from its name if need be."""
        found = resolve("task", TASKS, self.task)
        return found if isinstance(found, Task) else found()

    def made_model(self) -> Model:
        """The model for the task's classes."""
        task = self.made_task()
        found = resolve("model", MODELS, self.model or task.default_model)
        return found if isinstance(found, Model) else found(task.classes)

    def made_optimiser(self) -> Optimiser:
        """The optimiser on its schedule."""
        return as_optimiser(self.optimiser, self.schedule)

    def names(self) -> tuple[str, ...]:
        """Names of the paradigms, in order."""
        return tuple(as_paradigm(resolve("paradigm", PARADIGMS, p)).name for p in self.paradigms)

    def problem(self, paradigm: str, precision: str | None = None) -> Problem:
        """The learning problem of one of the paradigms, by its name."""
        asked = self.paradigms[self.names().index(paradigm)]
        return attention_problem(
            self.made_task(),
            self.made_model(),
            asked,
            self.attention,
            precision or self.precision,
        )

    def varied(self) -> tuple[str, ...]:
        """What a seed changes."""
        if self.vary is not None:
            return self.vary
        return ("init",) if self.made_model().random_start else ("data",)

    def order_of_batches(self) -> Order:
        """How minibatches are drawn."""
        return Order(self.order, self.batch_size)

    def save_steps(self) -> tuple[int, ...]:
        """Steps at which to measure, from 0 to `steps`."""
        if isinstance(self.saves, int):
            _at_least("saves", self.saves, 2)
            spaced = np.linspace(0, self.steps, min(self.saves, self.steps + 1))
            return tuple(int(step) for step in np.unique(np.round(spaced)))
        for step in self.saves:
            _at_least("saves", step, 0)
        steps = tuple(int(step) for step in self.saves)
        if steps[:1] != (0,) or steps[-1] != self.steps or any(np.diff(steps) <= 0):
            raise InputError(
                f"saves: got {list(steps)}, expected increasing steps from 0 to {self.steps}."
            )
        return steps

    def processes(self) -> tuple[str, ...]:
        """What is run: training, then flows."""
        return ("train", *(("flow",) if self.flow_seeds else ()), *self.against)

    def saves_of_runs(self) -> Saves:
        """When runs are measured: at the same steps, or against their limits at the same times."""
        saves = self.save_steps()
        if not self.against:
            return saves
        advance = self._advances()
        most = round(self.steps * float(np.max(advance) / np.min(advance)))
        return AtTimes(tuple(float(step * np.max(advance)) for step in saves), most)

    def refuse_decays(self) -> None:
        """Refuse moving averages that forget nothing, or less than nothing.

        Not on construction, as it computes: several hosts have to meet before JAX does anything.

        Raises:
            InputError: with the decay.
        """
        optimiser = self.made_optimiser()
        hypers = {name: jnp.asarray(values.reshape(-1)) for name, values in self.grid().items()}
        for decay in map(np.asarray, jax.vmap(optimiser.decays)(hypers)):
            if not np.all((decay >= 0) & (decay < 1)):
                worst = decay[~((decay >= 0) & (decay < 1))][0]
                raise InputError(
                    f"{optimiser.name}: got a moving average with decay {worst:g} a step, expected "
                    "at least 0 and below 1; with a time constant or friction held fixed, take "
                    "smaller learning rates."
                )

    def _advances(self) -> np.ndarray:
        """By how much a step advances time, at every point of the swept axes."""
        hypers = {name: values.reshape(-1) for name, values in self.grid().items()}
        pace = jax.vmap(self.made_optimiser().pace)({k: jnp.asarray(v) for k, v in hypers.items()})
        return hypers["learning_rate"] * np.asarray(pace)

    def grid(self) -> dict[str, np.ndarray]:
        """Hyperparameters at every point of the swept axes, constants included."""
        axes = self.axes()
        mesh = np.meshgrid(*(np.asarray(values) for values in axes.values()), indexing="ij")
        swept = dict(zip(axes, mesh, strict=True))
        shape = mesh[0].shape
        return {name: np.full(shape, value) for name, value in self.constants().items()} | swept

    def specs(self) -> dict[str, HyperSpec]:
        """Every hyperparameter that some part of this comparison reads."""
        found = {spec.name: spec for spec in self.made_optimiser().hypers}
        for name in self.names():
            found |= {spec.name: spec for spec in self.problem(name).hypers}
        return found

    def axes(self) -> dict[str, tuple[float, ...]]:
        """The swept hyperparameters; ``learning_rate`` is always one.

        Raises:
            InputError: an unknown hyperparameter, or a value out of its range.
        """
        specs = self.specs()
        for name in self.hypers:
            if name not in specs:
                near = get_close_matches(name, specs, n=1)
                hint = f"did you mean {near[0]!r}?" if near else "drop it."
                raise InputError(
                    f"unknown hyperparameter: got {name!r}, expected one of "
                    f"{', '.join(specs)}; {hint}"
                )
        given = self._given()
        rate = given.get("learning_rate", specs["learning_rate"].default)
        swept: dict[str, tuple[float, ...]] = {
            "learning_rate": rate if isinstance(rate, tuple) else (rate,)
        }
        swept |= {name: values for name, values in given.items() if isinstance(values, tuple)}
        for name, values in swept.items():
            if not values:
                raise InputError(f"{name}: got none, expected at least one value.")
            if len(set(values)) < len(values):
                got = ", ".join(f"{value:g}" for value in values)
                raise InputError(f"{name}: got {got}, expected each once.")
        constants = {name: (value,) for name, value in self.constants().items()}
        for name, values in (*swept.items(), *constants.items()):
            for value in values:
                refuse_out_of_range(specs[name], value, self.precision)
        return swept

    def _given(self) -> dict[str, Any]:
        return {name: _numbers(name, values) for name, values in self.hypers.items()}

    def constants(self) -> dict[str, float]:
        """Hyperparameters that hold for all rows, defaults included."""
        given = self._given()
        defaults = {
            name: spec.default for name, spec in self.specs().items() if spec.default is not None
        }
        swept = {name for name, values in given.items() if isinstance(values, tuple)}
        merged = {k: v for k, v in (defaults | given).items() if k != "learning_rate"}
        # Without a word on it, a hybrid switches after a share of its own run: not a constant.
        return {
            k: v for k, v in merged.items() if k not in swept and (k != "switch_time" or k in given)
        }

    def describe(self) -> dict[str, Any]:
        """All of it as plain values, objects by their names: the spec that a result carries."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        plain |= {
            "task": self.made_task().name,
            "model": _name(self.model or self.made_task().default_model),
            "smooth": self.made_model().smooth,
            "paradigms": list(self.names()),
            "optimiser": self.made_optimiser().name,
            "schedule": _name(self.schedule),
            "attention": _name(self.attention),
            "vary": list(self.varied()),
            "saves": list(self.save_steps()),
            "hypers": {**self.constants(), **{k: list(v) for k, v in self.axes().items()}},
            "seeds": list(self.seeds),
        }
        return plain


def settings_for(**given: Any) -> Settings:
    """`Settings`; beside limits, what suits them holds where nothing else is asked for.

    That is float64, full batches, the optimiser that the limits are of, and tolerances as tight as
    the model's gradient is smooth.

    Raises:
        InputError: as `Settings` does; limits that are of no one optimiser.
    """
    if not given.get("against"):
        return Settings(**given)
    asked = Settings(**{**BESIDE_LIMITS, "optimiser": optimiser_of(given["against"]), **given})
    if asked.made_model().smooth:
        return asked
    return replace(asked, **{name: how for name, how in AT_KINKS.items() if name not in given})


def _name(component: Any) -> str:
    if isinstance(component, str):
        return component
    return str(getattr(component, "name", None) or getattr(component, "__name__", "custom"))


def _numbers(name: str, given: Any) -> float | tuple[float, ...]:
    """One number, or several in order."""
    try:
        values = np.asarray(given, dtype=float)
    except (TypeError, ValueError):
        values = None
    if values is None or values.ndim > 1:
        raise InputError(f"{name}: got {given!r}, expected a number, or several to sweep.")
    return float(values) if values.ndim == 0 else tuple(map(float, values))


def _at_least(name: str, value: int, low: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise InputError(f"{name}: got {value!r}, expected an integer, at least {low}.")
    if value < low:
        raise InputError(f"{name}: got {value}, expected at least {low}.")


def refuse_out_of_range(spec: HyperSpec, value: float, precision: str) -> None:
    """Refuse what is out of the range of `spec`, or becomes infinite or 0 in `precision`.

    Raises:
        InputError: with the range.
    """
    with np.errstate(over="ignore", under="ignore"):
        used = float(np.asarray(value).astype(precision))
    low = used > spec.low if spec.open_low else value >= spec.low
    if not isfinite(used) or not low or value > spec.high:
        bound = f"{'above' if spec.open_low else 'at least'} {spec.low:g}"
        top = f" and at most {spec.high:g}" if isfinite(spec.high) else ""
        raise InputError(
            f"{spec.name}: got {value:g}, expected a number {bound}{top} in {precision}."
        )
