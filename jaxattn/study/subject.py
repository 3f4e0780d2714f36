"""What is learnt, resolved once: an attention network, or problems of one's own.

All that runs asks a subject for its problems and its data, and not which of the two it is.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from jaxattn.core.contracts import (
    AttentionMap,
    Data,
    InputError,
    Model,
    Paradigm,
    Problem,
    SequenceModel,
    Task,
)
from jaxattn.core.lookup import refuse_unwritable_name
from jaxattn.problems.attention_problem import attention_problem
from jaxattn.problems.caption_problem import caption_problem
from jaxattn.problems.check_data import check_splits
from jaxattn.problems.check_own_problem import prepared
from jaxattn.problems.components import attention_map_from, model_from, paradigm_from, task_from
from jaxattn.problems.data import size
from jaxattn.problems.minibatches import Order
from jaxattn.problems.own_data import OwnData, own_data
from jaxattn.problems.own_measures import OwnMeasure, labelled_for, read_measures, with_measures
from jaxattn.problems.solvable import theory_of
from jaxattn.reduced import PARADIGMS as SOLVED
from jaxattn.study.checks import shown
from jaxattn.study.settings import DEFAULTS, OWN_DEFAULTS, Settings

__all__ = ["AttentionNetwork", "OwnProblems", "Subject", "name_of", "subject_from"]


@dataclass(frozen=True, eq=False)
class AttentionNetwork:
    """One model of one task, trained by each paradigm."""

    task: Task
    model: Model | SequenceModel
    paradigms: Mapping[str, Paradigm]
    """By name, in order."""
    attention: AttentionMap
    measures: tuple[OwnMeasure, ...]
    """Of a person's own, beside those of every attention network."""
    said: Mapping[str, str]
    """What model and attention map are called."""

    @property
    def source(self) -> Task:
        """The task."""
        return self.task

    @property
    def names(self) -> tuple[str, ...]:
        """Of the paradigms."""
        return tuple(self.paradigms)

    @property
    def smooth(self) -> bool:
        """As its model is."""
        return self.model.smooth

    @property
    def random_start(self) -> bool:
        """As its model says."""
        return self.model.random_start

    @property
    def costs_as(self) -> Hashable:
        """As its model does."""
        return self.model

    @property
    def defaults(self) -> Mapping[str, Any]:
        """Those of a comparison of paradigms."""
        return DEFAULTS

    def problem(self, name: str, precision: str) -> Problem:
        """Trained by one paradigm."""
        parts = (self.paradigms[name], self.attention, precision)
        if isinstance(self.model, SequenceModel):
            bare = caption_problem(self.task, self.model, *parts)
        else:
            bare = attention_problem(self.task, self.model, *parts)
        if not self.measures:
            return bare
        return labelled_for(with_measures(bare, self.measures), self.task)

    def splits(self, seed: int) -> dict[str, Data]:
        """Made by the task."""
        splits = self.task.make(seed)
        check_splits(self.task, splits)
        return splits

    def of_task(self, task: Task) -> "AttentionNetwork":
        """The same of another task."""
        return replace(self, task=task)

    def order(self, settings: Settings) -> Order:
        """As asked for.

        Raises:
            InputError: by length, where a task says nothing of how long its bags are.
        """
        order = _order(settings)
        if order.kind != _BY_LENGTH:
            return order
        if self.task.buckets is None:
            raise InputError(
                f"order: got {_BY_LENGTH} and the task {self.task.name!r}, whose bags are in no "
                "buckets, expected one of unlike lengths, such as rationales; take shuffled."
            )
        return replace(order, buckets=self.task.buckets)

    def varied(self, settings: Settings, starts: bool) -> tuple[str, ...]:
        """As asked for; by default starts, or data where those are not random."""
        if settings.vary is not None:
            return tuple(settings.vary)
        return ("init",) if starts else ("data",)

    def exact(self) -> dict[str, str]:
        """See `jaxattn.problems.solvable`."""
        if isinstance(self.model, SequenceModel):
            return {}
        theories = {
            name: theory_of(self.task, self.model, self.attention, paradigm)
            for name, paradigm in self.paradigms.items()
        }
        return {name: whose for name, whose in theories.items() if whose in SOLVED}

    def describe(self) -> dict[str, Any]:
        """Task, model, attention map and paradigms by name; which data on disk the task is of."""
        content = {"content": self.task.content} if self.task.content else {}
        return {"task": self.task.name, **content, "paradigms": list(self.names), **self.said}


@dataclass(frozen=True, eq=False)
class OwnProblems:
    """Problems of a person's own, which learn from the same data."""

    problems: Mapping[str, Problem]
    """By name, in order."""
    data: OwnData
    by_weight: bool
    """Whether examples count differently, or batches are filled up by some that do not count."""

    @property
    def source(self) -> OwnData:
        """The data."""
        return self.data

    @property
    def names(self) -> tuple[str, ...]:
        """Of the problems."""
        return tuple(self.problems)

    @property
    def smooth(self) -> bool:
        """Whether all of them are."""
        return all(problem.smooth for problem in self.problems.values())

    @property
    def random_start(self) -> bool:
        """Seen by tracing them."""
        return True

    @property
    def costs_as(self) -> Hashable:
        """As no others."""
        return self

    @property
    def defaults(self) -> Mapping[str, Any]:
        """Full batches, and all examples measured."""
        return OWN_DEFAULTS

    def problem(self, name: str, precision: str) -> Problem:
        """One of them, ready for the data."""
        return prepared(self.problems[name], self.data, precision, self.by_weight)

    def splits(self, seed: int) -> dict[str, Data]:
        """Looked at as they are made."""
        return self.data.make(seed)

    def order(self, settings: Settings) -> Order:
        """As asked for, or fresh batches, where no filled up batch spoils a loss.

        Raises:
            InputError: a batch size beside fresh batches; one that does not divide the examples of
                a loss that is no mean over them.
        """
        fresh = self.data.fresh
        if fresh is not None:
            if settings.batch_size not in (None, "all", fresh.size):
                raise InputError(
                    f"batch_size: got {settings.batch_size} beside fresh batches of {fresh.size}, "
                    "expected the size that Fresh says; leave batch_size out."
                )
            return Order("fresh", fresh.size, fresh.sample)
        order, count = _order(settings), size(self.data.make(0)["train"])
        if order.kind == _BY_LENGTH:
            raise InputError(
                f"order: got {_BY_LENGTH} beside problems of one's own, expected a task whose bags "
                "are of unlike lengths; take shuffled."
            )
        whole = [name for name, problem in self.problems.items() if not problem.separable]
        if whole and _pads(settings, self.data):
            raise InputError(
                f"problem {whole[0]!r}: got batches of {order.batch_size} of {count} examples, "
                "expected a batch size that divides them, as its loss is no mean over examples "
                "(separable=False) and its last batch cannot be filled up; change the batch size, "
                "or take full batches."
            )
        return order

    def varied(self, settings: Settings, starts: bool) -> tuple[str, ...]:
        """As asked for; by default starts where they are random, and data where seeds have some.

        Raises:
            InputError: data are to vary that are the same for every seed.
        """
        if settings.vary is None:
            init, data = ("init",) * starts, ("data",) * self.data.by_seed
            return init + data if self.data.by_seed or starts else ()
        if "data" in settings.vary and not self.data.by_seed:
            raise InputError(
                "vary: got data, which are the same for every seed, expected data that depend on "
                "it; hand over a function from a seed to the data."
            )
        return tuple(settings.vary)

    def exact(self) -> dict[str, str]:
        """None is known."""
        return {}

    def describe(self) -> dict[str, Any]:
        """Data and problems by name."""
        return {"task": self.data.name, "model": "", "paradigms": list(self.names), "attention": ""}


Subject: TypeAlias = AttentionNetwork | OwnProblems
"""All that is asked of one is asked of both, by the same names."""


_BY_LENGTH = "by-length"


def _order(settings: Settings) -> Order:
    return Order(settings.order, None if settings.batch_size == "all" else settings.batch_size)


def subject_from(settings: Settings) -> Subject:
    """What is asked for, looked up.

    Raises:
        InputError: an unknown name, what is no component, or both an attention network and
            problems of one's own.
    """
    measures = read_measures(settings.measures)
    return _own(settings, measures) if _is_own(settings) else _network(settings, measures)


def _is_own(settings: Settings) -> bool:
    if settings.problems is None and (settings.data is None or _is_path(settings.data)):
        return False
    for one, other in (("problems", "data"), ("data", "problems")):
        if getattr(settings, one) is None:
            raise InputError(
                f"{one}: got none beside {other}, expected both; hand over {one} too: "
                "compare(problems={name: jaxattn.problem(...)}, data={'x': x, 'y': y})."
            )
    usual = Settings()
    for name in ("task", "model", "paradigms", "attention"):
        if getattr(settings, name) != getattr(usual, name):
            raise InputError(
                f"{name}: got {shown(getattr(settings, name))} beside problems of one's own, "
                "expected one of the two; leave it out, or leave out problems and data."
            )
    return True


def _is_path(data: Any) -> bool:
    """Whether data are a place on disk, which is the task's to read."""
    return isinstance(data, str) or hasattr(data, "__fspath__")


def _own(settings: Settings, measures: tuple[OwnMeasure, ...]) -> OwnProblems:
    given = settings.problems
    if isinstance(given, Problem):
        given = {given.name or "problem": given}
    if not isinstance(given, Mapping) or not given:
        raise InputError(
            f"problems: got {shown(given)}, expected problems by name; write "
            "problems={'name': jaxattn.problem(init, loss)}."
        )
    problems: dict[str, Problem] = {}
    for name, one in given.items():
        refuse_unwritable_name("problem", name)
        if not isinstance(one, Problem):
            raise InputError(
                f"problem {name!r}: got {type(one).__name__}, expected what jaxattn.problem(init, "
                "loss) gives."
            )
        problems[name] = with_measures(one._replace(name=name), measures)
    data = own_data(settings.data)
    return OwnProblems(problems, data, data.weighted or _pads(settings, data))


def _pads(settings: Settings, data: OwnData) -> bool:
    """Whether the last batch of an epoch is filled up, of all examples or of those beside flows."""
    if data.fresh is not None or not isinstance(settings.batch_size, int):
        return False
    count, most = size(data.make(0)["train"]), settings.flow_examples
    few = min(count, most) if isinstance(most, int) else count
    return any(_order(settings).pads(of) for of in (count, few))


def _network(settings: Settings, measures: tuple[OwnMeasure, ...]) -> AttentionNetwork:
    task = task_from(settings.task, settings.data)
    named = task.default_model if settings.model is None else settings.model
    model = model_from(named, task)
    paradigms = [paradigm_from(given) for given in settings.paradigms]
    by_name = {paradigm.name: paradigm for paradigm in paradigms}
    if len(by_name) < len(paradigms):
        raise InputError(
            f"paradigms: got {[each.name for each in paradigms]}, expected each once; rename one."
        )
    for kind, name in [("task", task.name), *(("paradigm", name) for name in by_name)]:
        refuse_unwritable_name(kind, name)
    said = {"model": name_of(named), "attention": name_of(settings.attention)}
    attention = attention_map_from(settings.attention)
    return AttentionNetwork(task, model, by_name, attention, measures, said)


def name_of(component: Any) -> str:
    """What a component is called, as far as it says."""
    if isinstance(component, str):
        return component
    named = getattr(component, "name", None) or getattr(component, "__name__", None)
    return str(named or "custom")
