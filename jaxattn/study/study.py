"""What is asked for, resolved once: problems, optimiser, axes, saves, all as objects.

Nothing that runs looks a name up again: it is given a `Study`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxattn.core.contracts import HyperSpec, InputError, Problem
from jaxattn.core.lookup import refuse_unwritable_name
from jaxattn.flow import limit_for, optimiser_of
from jaxattn.flow.run_context import refuse_noise
from jaxattn.flow.solver import Solver
from jaxattn.integrate.solvers import refuse_no_solver
from jaxattn.probes.parameters import refuse_unknown_leaves
from jaxattn.problems.minibatches import Order
from jaxattn.study.alone import refuse_beside_times
from jaxattn.study.answerable import refuse_unanswerable
from jaxattn.study.axes import Axis
from jaxattn.study.dependence import (
    hypers_read,
    refuse_equal_seeds,
    refuse_unread,
    start_shapes,
    starts_at_random,
)
from jaxattn.study.fields import AUTO, OBJECTS
from jaxattn.study.hypers import (
    declared_hypers,
    of_run,
    refuse_taken_measures,
    refuse_taken_names,
    split_hypers,
)
from jaxattn.study.save_steps import save_steps
from jaxattn.study.settings import (
    AGAINST_DEFAULTS,
    ALONE_DEFAULTS,
    ATOL_OF_RTOL,
    NONSMOOTH_DEFAULTS,
    Settings,
)
from jaxattn.study.subject import Subject, name_of, subject_from
from jaxattn.study.theories import OwnTheory, read_theories
from jaxattn.training.optimisers import Optimiser, as_optimiser
from jaxattn.training.saves import (
    AtTimes,
    OwnTimes,
    Saves,
    clocks,
    length_of,
    own_times,
    refuse_schedule,
    steps_of,
)

__all__ = ["Study", "resolve_settings"]


@dataclass(frozen=True, eq=False)
class Study:
    """Rows that one call of `jaxattn.compare`, or one group of a sweep, is made of."""

    settings: Settings
    """What was asked for, nothing left to decide."""
    subject: Subject
    """What is learnt, and from what."""
    optimiser: Optimiser
    order: Order
    vary: tuple[str, ...]
    """What a seed changes: init, data."""
    save_steps: tuple[int, ...]
    """Steps at which to measure, from 0 to the last, at the largest learning rate."""
    hypers: Mapping[str, HyperSpec]
    """Every hyperparameter that some part reads."""
    traced: tuple[Axis, ...]
    """The swept hyperparameters; ``learning_rate`` is always on one."""
    constants: Mapping[str, float]
    """Hyperparameters that hold for all rows, fixed defaults included."""
    theories: Mapping[str, Mapping[str, OwnTheory]]
    """Of a person's own, by name, and by the name of the problem."""

    @property
    def axes(self) -> dict[str, tuple[Any, ...]]:
        """The coordinate of each traced axis."""
        return {axis.name: axis.coordinate for axis in self.traced}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the paradigms or problems, in order."""
        return self.subject.names

    @property
    def seeds(self) -> tuple[int, ...]:
        """Which seeds."""
        return self.settings.seeds

    @property
    def dynamics(self) -> tuple[str, ...]:
        """What is run: training, then flows."""
        settings = self.settings
        if settings.times is not None:
            return settings.against or ("flow",)
        return ("train", *(("flow",) if settings.flow_seeds else ()), *settings.against)

    def problem(self, paradigm: str, dynamics: str = "train") -> Problem:
        """What is learnt; flows in float64 always. Equal arguments give the same object."""
        precision = self.settings.precision if dynamics == "train" else "float64"
        return self.subject.problem(paradigm, precision)

    @cached_property
    def grid(self) -> dict[str, np.ndarray]:
        """Hyperparameters at every point of the swept axes, constants included."""
        shape = tuple(len(axis) for axis in self.traced)
        hypers = {name: np.full(shape, value) for name, value in self.constants.items()}
        for axis, index in zip(self.traced, np.indices(shape), strict=True):
            for name, values in axis.columns:
                if name in self.hypers:
                    hypers[name] = np.asarray(values, dtype=float)[index]
        return hypers

    @cached_property
    def saves(self) -> Saves | OwnTimes:
        """When runs are measured: at the same steps, or against their limits at the same times.

        Limits that are solved alone have times of their own.
        """
        if self.settings.times is not None:
            return own_times(self.settings.times)
        if not self.settings.against:
            return self.save_steps
        hypers = {name: values.reshape(-1) for name, values in self.grid.items()}
        pace = jax.vmap(self.optimiser.pace)({k: jnp.asarray(v) for k, v in hypers.items()})
        advance = hypers["learning_rate"] * np.asarray(pace)
        most = round(self.settings.steps * float(np.max(advance) / np.min(advance)))
        times = tuple(float(step * np.max(advance)) for step in self.save_steps)
        saves = AtTimes(times, most, float(np.max(advance)))
        points = {name: jnp.asarray(values) for name, values in hypers.items()}
        lengths = jax.vmap(lambda hyper: length_of(saves, self.optimiser, hyper))(points)
        return saves._replace(most=max(most, int(np.max(np.asarray(lengths)))))

    def clock(self, hypers: Mapping[str, np.ndarray]) -> np.ndarray:
        """Time at each save, after the axes of `hypers`."""
        if isinstance(self.saves, OwnTimes):
            shape = next(iter(hypers.values())).shape
            return np.broadcast_to(self.saves.times, (*shape, len(self.saves.times)))
        flat = {name: np.asarray(values).reshape(-1) for name, values in hypers.items()}
        times = np.asarray(clocks(self.optimiser, flat, self.saves))
        return times.reshape(*next(iter(hypers.values())).shape, -1)

    def steps_at(self, hypers: Mapping[str, np.ndarray]) -> np.ndarray:
        """Step of each save, after the axes of `hypers`; there is none where nothing is trained."""
        saves = self.saves
        assert not isinstance(saves, OwnTimes)
        flat = {name: jnp.asarray(values.reshape(-1)) for name, values in hypers.items()}
        steps = jax.vmap(lambda hyper: steps_of(saves, self.optimiser, hyper))(flat)
        return np.asarray(steps).reshape(*next(iter(hypers.values())).shape, -1)

    def with_shares_of_run(
        self, hypers: Mapping[str, np.ndarray], specs: Iterable[HyperSpec]
    ) -> dict[str, np.ndarray]:
        """`hypers` with those of `specs` that were not asked for and depend on the run.

        Args:
            hypers: what each row has, of any one shape.
            specs: what is read; see `HyperSpec.of_run`.
        """
        shares = {spec.name: spec.of_run for spec in specs if spec.of_run is not None}
        shares = {name: share for name, share in shares.items() if name not in hypers}
        if not shares:
            return dict(hypers)
        end = self.clock(hypers)[..., -1]
        return {**hypers, **{name: share * end for name, share in shares.items()}}

    @cached_property
    def exact(self) -> dict[str, str]:
        """Whose (mu, nu) path of `jaxattn.reduced` a paradigm's gradient flow follows exactly.

        By the paradigm's name here; see `jaxattn.problems.solvable`. Empty at another temperature
        than 1, and with a learning rate of its own for the focus model.
        """
        exact = self.subject.exact()
        if not exact:
            return {}
        swept = {name for axis in self.traced for name in axis.names}
        rates = {part.rate.name for name in exact for part in self.problem(name).rated}
        plain = (
            self.constants.get("temperature", 1.0) == 1.0
            and not {"temperature", *rates} & swept
            and not rates & set(self.constants)
        )
        return exact if plain else {}

    def refuse_decays(self) -> None:
        """Refuse moving averages that forget nothing, or less than nothing.

        Not on construction, as it computes: several hosts have to meet before JAX does anything.

        Raises:
            InputError: with the decay.
        """
        hypers = {name: jnp.asarray(values.reshape(-1)) for name, values in self.grid.items()}
        for decay in map(np.asarray, jax.vmap(self.optimiser.decays)(hypers)):
            if not np.all((decay >= 0) & (decay < 1)):
                worst = decay[~((decay >= 0) & (decay < 1))][0]
                raise InputError(
                    f"{self.optimiser.name}: got a moving average with decay {worst:g} a step, "
                    "expected at least 0 and below 1; with a time constant or friction held fixed, "
                    "take smaller learning rates."
                )

    def describe(self) -> dict[str, Any]:
        """All of it as plain values, objects by their names: the spec that a result carries."""
        settings = self.settings
        plain = {
            setting.name: setting.metadata["kind"].plain(getattr(settings, setting.name))
            for setting in fields(settings)
            if setting.metadata["kind"] is not OBJECTS
        }
        plain["flow_solver"] = name_of(settings.flow_solver)
        trained: dict[str, Any] = {
            "batch_size": self.order.batch_size,
            "order": self.order.kind,
            "saves": list(self.save_steps),
        }
        if settings.times is not None:
            beside = [name for name in plain if name.startswith("flow_")]
            for name in (*trained, "steps", *beside):
                del plain[name]
            asked = asdict(settings.solve or Solver())
            trained = {
                "times": list(settings.times),
                "solve": {**asked, "name": name_of(asked["name"])},
            }
        return plain | {
            **self.subject.describe(),
            "smooth": self.subject.smooth,
            "optimiser": self.optimiser.name,
            "schedule": name_of(settings.schedule),
            **trained,
            "vary": list(self.vary),
            "hypers": {
                **self.constants,
                **{name: list(at) for axis in self.traced for name, at in axis.columns},
            },
            "seeds": list(self.seeds),
        }


def resolve_settings(settings: Settings, *, whole: bool = True) -> Study:
    """Look every name up, once, and refuse what cannot be done.

    Args:
        settings: what is asked for.
        whole: whether that is all; of a part, such as one group of a sweep, a hyperparameter that
            others read need not be read.

    Raises:
        InputError: an unknown name, or parts that do not go together.
    """
    subject = subject_from(settings)
    settings = _decided(settings, subject)
    optimiser = as_optimiser(settings.optimiser, settings.schedule)
    refuse_unwritable_name("optimiser", optimiser.name)
    refuse_no_solver(settings.flow_solver)
    order = subject.order(settings)
    problems = [subject.problem(name, settings.precision) for name in subject.names]
    hypers = declared_hypers(optimiser, problems)
    measured = {key for of in problems for one in of.measures for key in (one.name, *one.dims)}
    refuse_taken_names(hypers, measured)
    for problem in problems:
        refuse_taken_measures(problem.measures, ())
    known = [spec for of in problems for spec in of.measures]
    refuse_unanswerable(settings.questions, known, subject.names if whole else None)
    traced, constants = split_hypers(settings, hypers)
    for name in settings.against:
        refuse_noise(limit_for(name, optimiser, order), problems)
    if settings.against and settings.times is None:
        refuse_schedule(AtTimes((), 0), optimiser)
    refuse_beside_times(settings)
    if settings.against and (settings.precision != "float64" or settings.flow_seeds):
        got = f"precision {settings.precision} and {settings.flow_seeds} flow seeds"
        raise InputError(
            f"against: got {got}, expected float64 and none; every run has its limits beside "
            "it, and how far apart they are is below the rounding of float32."
        )
    on = {*constants, *(name for axis in traced for name in axis.names), *of_run(hypers)}
    asked = settings.hypers if whole else ()
    refuse_unread(asked, hypers_read(subject.source, problems, optimiser, on, asked))
    if whole:
        refuse_unknown_leaves(settings.keep, [start_shapes(one, frozenset(on)) for one in problems])
    starts = subject.random_start and any(
        starts_at_random(problem, frozenset(on)) for problem in problems
    )
    varied = subject.varied(settings, starts)
    draws = not order.shared or any(problem.stochastic for problem in problems)
    if not draws and len(settings.seeds) > 1:
        refuse_equal_seeds(varied, starts)
    return Study(
        settings,
        subject,
        optimiser,
        order,
        tuple(varied),
        save_steps(settings),
        hypers,
        traced,
        constants,
        read_theories(settings.theory, subject.names),
    )


def _decided(settings: Settings, subject: Subject) -> Settings:
    """`settings` with what auto stands for."""
    suits = dict(subject.defaults)
    if settings.against:
        suits["optimiser"] = optimiser_of(settings.against)
    if settings.times is not None:
        suits |= ALONE_DEFAULTS
    elif settings.against:
        suits |= AGAINST_DEFAULTS
        suits |= {} if subject.smooth else NONSMOOTH_DEFAULTS
    auto = {
        setting.name: suits[setting.name]
        for setting in fields(settings)
        if setting.name in suits
        and isinstance(at := getattr(settings, setting.name), str)
        and at == AUTO
    }
    settings = replace(settings, **auto)
    if isinstance(settings.flow_atol, str):
        return replace(settings, flow_atol=ATOL_OF_RTOL * settings.flow_rtol)
    return settings
