"""What a result says of its saves, steps, times, gradients taken; of its data; of defaults."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from jaxattn.core.kept import kept
from jaxattn.core.text import printable
from jaxattn.problems.data import size
from jaxattn.results.dataset import DATA_CARD
from jaxattn.study.axes import Axis
from jaxattn.study.groups import Group, groups_of
from jaxattn.study.study import Study
from jaxattn.study.subject import AttentionNetwork, Subject
from jaxattn.training.saves import OwnTimes

__all__ = ["coordinates_of", "coordinates_of_study", "data_card_of", "drop_constant_axes"]

_WORDS = {
    "step": {"units": "step", "long_name": "training step"},
    "gradients": {"units": "1", "long_name": "gradients of one example taken by training"},
    "time": {
        "units": "time",
        "long_name": "time: the optimiser's clock, shared with its flow",
    },
    "time alone": {"units": "time", "long_name": "time"},
    "natural_inference": {"long_name": "inference rule that goes with the paradigm"},
    "learning_examples": {"long_name": "examples learnt from"},
}


@kept
def examples_of(subject: Subject) -> int:
    """Training examples of a subject, whose data are made to count them."""
    return size(subject.splits(0)["train"])


def data_card_of(studies: Iterable[Study]) -> dict[str, str]:
    """The attribute that says what was learnt from, of every task that has a card."""
    # Data of a person's own have none: they are as they were given.
    subjects = [study.subject for study in studies]
    cards = dict.fromkeys(one.task.card for one in subjects if isinstance(one, AttentionNetwork))
    told = "; ".join(printable(card) for card in cards if card)
    return {DATA_CARD: told} if told else {}


def coordinates_of(
    axes: Sequence[Axis],
    groups: Sequence[Group],
    all_dynamics: Sequence[str],
    count: Callable[[Subject], int] = examples_of,
) -> dict[str, Any]:
    """Coordinates that follow from what is asked for alone, before anything is run.

    Args:
        axes: of the result, ``paradigm`` first, the seed's apart.
        groups: all of them.
        all_dynamics: of the result, training first.
        count: training examples of a subject, for who has made its data already.

    Returns:
        ``step``, ``time`` and ``gradients`` of each save (of limits alone: ``time``),
        hyperparameters that depend on the run and are on no axis (`HyperSpec.of_run`),
        ``natural_inference`` and ``learning_examples``.
    """
    trained = [group for group in groups if group.dynamics == all_dynamics[0]]
    names = tuple(axis.name for axis in axes)
    first = trained[0].study
    alone = first.saves if isinstance(first.saves, OwnTimes) else None
    saves = (len(alone.times if alone else first.save_steps),)
    hypers = {group.number: _hypers(group) for group in trained}

    def spread(among: Sequence[Group], values: Callable[[Group], Any], *own: int) -> np.ndarray:
        return _spread(axes, {group: values(group) for group in among}, own)

    def kept(name: str, values: np.ndarray, **always: Any) -> Any:
        return drop_constant_axes(names, values, ("save",), _WORDS[name], **always)

    clock = spread(
        trained, lambda group: group.study.clock(hypers[group.number]).astype(float), *saves
    )
    learnt = {group.number: _learnt_from(group.study, count) for group in groups}
    batch = spread(
        trained,
        lambda group: np.full(
            group.points,
            group.study.order.examples(learnt[group.number][group.dynamics]),
            dtype=float,
        ),
    )
    coords: dict[str, Any] = {}
    always: dict[str, Any] = {} if alone is None else {"always": None}
    if alone is None:
        steps = spread(trained, lambda group: group.study.steps_at(hypers[group.number]), *saves)
        at, whole, words = kept("step", steps, always=None)
        coords["step"] = at, whole.astype(np.int64), words
        coords["gradients"] = kept("gradients", batch[..., None] * steps, always=None)
    coords["time"] = kept("time" if alone is None else "time alone", clock, **always)
    swept = {name for axis in axes for name in axis.names}
    for name, spec in {one.name: one for g in trained for one in g.problem.hypers}.items():
        if spec.of_run is not None and name not in swept:
            reading = [group for group in trained if name in hypers[group.number]]
            # It belongs to the clock, not to the paradigms that do not read it.
            at_points = {group: hypers[group.number][name] for group in reading}
            values = np.nanmax(_spread(axes, at_points, ()), axis=0)
            attributes = {"units": printable(spec.unit), "long_name": printable(spec.doc)}
            coords[name] = drop_constant_axes(names[1:], values, (), attributes)
    natural = {group.at["paradigm"]: group.problem.natural_inference for group in groups}
    rules = [natural[place] for place in sorted(natural)]
    coords["natural_inference"] = ("paradigm", rules, _WORDS["natural_inference"])
    counts = {p: {learnt[g.number][p] for g in groups if g.dynamics == p} for p in all_dynamics}
    if all(len(count) == 1 for count in counts.values()):
        sizes = [counts[dynamics].pop() for dynamics in all_dynamics]
        coords["learning_examples"] = ("dynamics", sizes, _WORDS["learning_examples"])
    return coords


def coordinates_of_study(
    study: Study, count: Callable[[Subject], int] = examples_of
) -> dict[str, Any]:
    """`coordinates_of` one comparison."""
    groups = groups_of(study)
    paradigm = Axis("paradigm", (("paradigm", study.names),))
    all_dynamics = tuple(dict.fromkeys(group.dynamics for group in groups))
    return coordinates_of((paradigm, *study.traced), groups, all_dynamics, count)


def _hypers(group: Group) -> dict[str, np.ndarray]:
    """Hyperparameters at every point of a group's axes, those that depend on the run included."""
    read = {spec.name for spec in (*group.problem.hypers, *group.study.optimiser.hypers)}
    hypers = {name: values for name, values in group.hypers.items() if name in read}
    return group.study.with_shares_of_run(hypers, group.problem.hypers)


def _spread(axes: Sequence[Axis], given: Mapping[Group, Any], own: tuple[int, ...]) -> np.ndarray:
    """Values ``[point, *own]`` of some groups on the whole grid; NaN where there are none."""
    whole = np.full((*(len(axis) for axis in axes), *own), np.nan)
    for group, values in given.items():
        on_axes = np.asarray(values).reshape((*(len(axis) for axis in group.axes), *own))
        names = {axis.name for axis in group.axes}
        at = tuple(group.at.get(axis.name, slice(None)) for axis in axes)
        # An axis that the group does not read stays as an axis of length 1: repeated.
        repeated = [axis.name not in names for axis in axes if axis.name not in group.at]
        whole[at] = np.expand_dims(on_axes, tuple(np.flatnonzero(repeated).tolist()))
    return whole


def _learnt_from(study: Study, count: Callable[[Subject], int]) -> dict[str, int]:
    """Examples that each kind of dynamics learns from."""
    whole, most = count(study.subject), study.settings.flow_examples
    few = whole if most == "all" else min(whole, most)
    train = few if study.settings.against else whole
    exact = dict.fromkeys(("theory", *study.theories), whole)
    return {**dict.fromkeys(study.dynamics, few), "train": train, **exact}


def drop_constant_axes(
    axes: tuple[str, ...],
    values: np.ndarray,
    rest: tuple[str, ...],
    attributes: Mapping[str, Any],
    always: str | None = "learning_rate",
) -> tuple[tuple[str, ...], np.ndarray, dict[str, Any]]:
    """A coordinate over only those axes (and `always` that one) along which it varies."""
    dims = list(axes)
    for name in axes:
        axis = dims.index(name)
        first = np.take(values, [0], axis=axis)
        if name != always and np.array_equal(np.broadcast_to(first, values.shape), values):
            values = np.take(values, 0, axis=axis)
            dims.remove(name)
    return (*dims, *rest), values, dict(attributes)
