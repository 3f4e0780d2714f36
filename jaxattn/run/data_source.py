"""The data that rows learn from and are measured on."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Array

from jaxattn.core.arrays import aligned
from jaxattn.core.contracts import Data, InputError, Splits, Task
from jaxattn.problems.data import as_learnt, each_leaf, head, pad, size
from jaxattn.run.device import facts_here
from jaxattn.run.job import Job
from jaxattn.run.placement import each_part
from jaxattn.study.study import Study
from jaxattn.study.subject import AttentionNetwork

__all__ = ["Sources", "stack_data"]

MOST_BYTES = 1 << 28
"""Of examples that are kept to be used again; older sets are made anew when asked for."""

_POOLS = 8
"""Arrays of pools that are kept."""


class Sources:
    """The data of a comparison's rows, made once per data seed, checked, in the right dtype."""

    def __init__(self, study: Study, lengths: Sequence[Task] = (), most: int = MOST_BYTES) -> None:
        """Nothing is made before it is asked for.

        Args:
            study: whose task it is.
            lengths: tasks of other lengths of bags, padded to that of `study`; a row then takes
                the one that its ``segments`` name.
            most: bytes of examples that are kept to be used again.
        """
        self.most = most
        self._study = study
        self._tasks = {task.segments: task for task in lengths}
        self._made: OrderedDict[tuple[int, int, bool, str], Splits] = OrderedDict()
        self._bytes = 0
        self._pools: list[tuple[Any, np.ndarray]] = []
        self._keeps = facts_here().platform != "cpu"
        self._there: dict[tuple[int, jax.Device], tuple[Any, Array]] = {}
        self._examples = 0

    @property
    def vary(self) -> bool:
        """Whether rows learn from data of their own."""
        return "data" in self._study.vary or bool(self._tasks)

    def of(self, job: Job, rows: np.ndarray) -> Splits:
        """Data of the rows ``[tile, row]``; stacked in that shape where rows have their own."""
        if not self.vary:
            return self.splits(0, job)
        seeds = job.plan.seed_of(rows)
        lengths = job.plan.hypers_of(rows)["segments"] if self._tasks else np.zeros(rows.shape)
        pairs = np.stack([seeds, lengths], axis=-1).reshape(-1, 2)
        return stack_data(
            (self.splits(int(seed), job, int(length)) for seed, length in pairs), rows.shape
        )

    def splits(self, seed: int, job: Job, length: int = 0) -> Splits:
        """Data of one seed; those of seed 0 where seeds do not vary the data."""
        seed = seed if "data" in self._study.vary else 0
        key = (seed, length, self._few(job), job.problem.precision)
        if key not in self._made:
            self._made[key] = made = self._make(seed, job, length)
            self._bytes += _size(made)
            while self._bytes > self.most and len(self._made) > 1:
                self._bytes -= _size(self._made.popitem(last=False)[1])
                self._there.clear()
        self._made.move_to_end(key)
        return self._made[key]

    def put(self, leaf: Any, device: jax.Device) -> Array:
        """`leaf` on `device`, which is given it once, and keeps it as long as this lives.

        Not so a CPU: what the host has it has already.
        """
        if not self._keeps:
            return jax.device_put(leaf, device)
        key = id(leaf), device
        if key not in self._there:
            # With the leaf, so that no other array has its id meanwhile.
            self._there[key] = leaf, jax.device_put(leaf, device)
        return self._there[key][1]

    def names(self, job: Job) -> tuple[str, ...]:
        """The splits that are measured, the same of every seed, in the order of their axis."""
        return self._any(job).names

    def examples(self, job: Job) -> int:
        """Training examples, whether the job learns from all of them or from the first few."""
        self._any(job)
        return self._examples

    def _any(self, job: Job) -> Splits:
        """Data of some seed."""
        if not self._made:
            self.splits(0, job)
        return next(iter(self._made.values()))

    def _make(self, seed: int, job: Job, length: int) -> Splits:
        study, subject = self._study, self._study.subject
        if not self._tasks:
            splits = subject.splits(seed)
        else:
            assert isinstance(subject, AttentionNetwork)
            longest = subject.task.segments
            splits = subject.of_task(self._tasks[length]).splits(seed)
            splits = {name: pad(data, longest) for name, data in splits.items()}
        learn = splits["train"]
        self._refuse_unlike(seed, learn)
        self._examples = size(learn)
        if self._few(job):
            learn = _first(learn, study.settings.flow_examples)
        most = study.settings.evaluate
        evaluate = {name: _first(data, most) for name, data in splits.items()}
        precision = job.problem.precision

        def cast(data: Data) -> Data:
            data = each_leaf(lambda leaf: _cast(leaf, precision), data)
            return data._replace(
                pool=jax.tree.map(lambda leaf: self._pool(leaf, precision), data.pool)
            )

        return Splits(cast(as_learnt(learn)), {name: cast(data) for name, data in evaluate.items()})

    def _refuse_unlike(self, seed: int, learn: Data) -> None:
        """Refuse learning weights of some seeds alone, as seeds are run together."""
        others = {made.evaluate["train"].learning_weight is None for made in self._made.values()}
        if others - {learn.learning_weight is None}:
            raise InputError(
                f"data of seed {seed}: got {'no' if learn.learning_weight is None else 'a'} "
                "learning_weight, unlike the seeds before it, expected all seeds to have one or "
                "none to; make them alike."
            )

    def _few(self, job: Job) -> bool:
        """Whether the first examples of the learning set are enough."""
        return job.group.dynamics != "train" or bool(self._study.settings.against)

    def _pool(self, leaf: Any, precision: str) -> np.ndarray:
        """The same array for the same pool: splits and seeds share it."""
        for known, cast in self._pools:
            if known is leaf:
                return cast
        self._pools = [(leaf, _cast_pool(leaf, precision)), *self._pools][:_POOLS]
        return self._pools[0][1]


def _first(data: Data, most: int | str) -> Data:
    # A part of an array is copied; all of it is not.
    return data if most == "all" or int(most) >= size(data) else head(data, int(most))


def _size(splits: Splits) -> int:
    parts = (splits.learn, *splits.evaluate.values())
    return sum(leaf.nbytes for part in parts for leaf in jax.tree.leaves(part._replace(pool=None)))


def _cast(leaf: Any, precision: str) -> np.ndarray:
    leaf = np.asarray(leaf)
    if leaf.dtype.kind == "f":
        return leaf.astype(precision)
    # The first examples of many must not keep the others in memory.
    return leaf if leaf.base is None else leaf.copy()


def _cast_pool(leaf: Any, precision: str) -> np.ndarray:
    """A pool as it is where it can be, and otherwise the one array that a CPU takes as it is."""
    array = np.asarray(leaf)
    if array.dtype.kind != "f" or array.dtype == precision:
        return array
    cast = aligned(array.shape, precision)
    cast[...] = array
    cast.flags.writeable = False
    return cast


def stack_data(parts: Iterable[Splits], shape: tuple[int, ...]) -> Splits:
    """Splits of several rows as one: examples ``[*shape, example, ...]``, the pool of the first.

    Args:
        parts: one for each row, in C order; each is let go before the next is asked for.
        shape: of the leading axes.
    """

    def room(part: Data) -> Data:
        return each_leaf(lambda leaf: np.empty((*shape, *leaf.shape), leaf.dtype), part)

    def leaves(data: Splits) -> list[np.ndarray]:
        return jax.tree.leaves(each_part(data, lambda part: part._replace(pool=None)))

    following = iter(parts)
    part = next(following)
    whole = each_part(part, room)
    for place in np.ndindex(shape):
        for into, leaf in zip(leaves(whole), leaves(part), strict=True):
            into[place] = leaf
        part = next(following, part)
    return whole
