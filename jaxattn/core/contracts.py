"""The shared types: what a task, a model, a paradigm, a problem and a result are.

What their functions are given is in `jaxattn.core.inputs` (here by name too), what those functions
must be in `jaxattn.core.protocols`. Components that are static (architecture, paradigm, optimiser
name) are hashable; numbers that are swept are scalars in a `Hyper` and stay traced.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple

from jaxtyping import Array, Float, Int, PyTree

from jaxattn.core.buckets import Buckets
from jaxattn.core.errors import InputError
from jaxattn.core.hyper_spec import HyperSpec
from jaxattn.core.inputs import (
    Batch,
    Context,
    Data,
    Example,
    Hyper,
    Keys,
    Params,
    Splits,
)
from jaxattn.core.measure_spec import MeasureColumn, MeasureSpec, MeasureWording
from jaxattn.core.part_rates import FOCUS, Part
from jaxattn.core.protocols import (
    Attend,
    BatchLoss,
    Classify,
    Discontinuities,
    DrawAttention,
    DrawParams,
    ExampleLoss,
    InitParams,
    InitState,
    MakeData,
    Measure,
    Penalise,
    ReadMany,
    Represent,
    Score,
    StartParams,
    UpdateState,
)
from jaxattn.core.reader import Reader
from jaxattn.core.sequence_model import SequenceModel
from jaxattn.core.signature import positional
from jaxattn.core.vocabulary import Vocabulary

__all__ = [
    "AttentionMap",
    "Batch",
    "Context",
    "Data",
    "Example",
    "Hyper",
    "HyperSpec",
    "InputError",
    "Keys",
    "MeasureColumn",
    "MeasureSpec",
    "MeasureWording",
    "Model",
    "Paradigm",
    "Params",
    "Part",
    "Problem",
    "Reader",
    "SequenceModel",
    "Splits",
    "Status",
    "Task",
    "Trajectory",
    "Vocabulary",
]


class Status(IntEnum):
    """How a row (one run of one seed at one setting) ended."""

    RUNNING = 0
    DONE = 1
    DIVERGED = 2
    SOLVER_FAILED = 3
    INTERRUPTED = 4
    CONVERGED = 5
    """It was good enough to be stopped before its last step, as it was asked to be."""

    @staticmethod
    def ended_well(codes: Any) -> Any:
        """Whether rows ended as they should, for an array of codes of any library."""
        return (codes == Status.DONE) | (codes == Status.CONVERGED)


@dataclass(frozen=True, eq=False)
class Task:
    """A selective dependence classification task.

    ``make(seed)`` returns NumPy-backed `Data` by split name; ``"train"`` is always there,
    ``"test"`` where the task has one. Equal seeds give equal arrays. Hashable by identity,
    so a task object is one static configuration; the factories are cached.
    """

    name: str
    segments: int
    classes: int
    make: MakeData
    template: Example
    """One example with its pool rows filled in: the shapes that models initialise from."""
    summary: str = ""
    card: str = ""
    """What its data are, and how many of what had to be decided or left out; empty: nothing had."""
    solvable: bool = False
    """True where the reduced (mu, nu) system of `jaxattn.theory` is exact."""
    default_model: str = "mlp"
    picture: tuple[int, ...] | None = None
    """Shape of a segment as a picture: (height, width) or (height, width, 3); None: it is none."""
    content: str = ""
    """SHA-256 of the data on disk that it is made of, wherever they lie; empty: of none."""
    buckets: Buckets | None = None
    """Of training bags of unlike lengths, which are the same for every seed."""
    vocabulary: Vocabulary | None = None
    """Words by number, where segments are numbers of words."""
    caption_words: tuple[str, ...] = ()
    """Words by number where labels are captions ``[word]``, as `jaxattn.core.words` has them."""
    references: Mapping[str, tuple[tuple[str, ...], ...]] | None = None
    """All captions of each example by split, words with blanks between, of every seed the same;
    None: that of its label alone."""


def _as_they_are(params: Params, key: Array) -> Params:
    del key
    return params


class Model(NamedTuple):
    """A focus model and a classification model over one shared representation.

    - ``init(key, example, hyper) -> Params``
    - ``represent(params, example, key) -> Values``: leaves ``[segment, ...]``: what is averaged
    - ``score(params, example, values) -> [segment]``: the focus model
    - ``classify(params, value) -> [class]``: logits of one value, averaged or of one segment
    - ``draw(params, key) -> params``: what the three see in training, where it is stochastic
    - ``many(params, examples, values) -> (scores, logits)``: of all segments at once, optional
    """

    init: InitParams
    represent: Represent
    score: Score
    classify: Classify
    stochastic: bool = False
    """Whether training draws: only then `represent` and `draw` are given keys, each its own."""
    hypers: tuple[HyperSpec, ...] = ()
    random_start: bool = True
    """False where seeds differ by their data only, as they do where `init` ignores its key."""
    tile: int = 4
    """Rows vmapped together by a sweep; measured per model (benchmarks/README.md)."""
    smooth: bool = True
    """False where the gradient jumps, as at the kinks of ReLU: there a solver of high order or
    tight tolerance gains nothing, and limits of an order above 1 lose it."""
    draw: DrawParams = _as_they_are
    many: ReadMany | None = None
    """The same as `score` and `classify`, of many examples, for speed alone: nothing is learnt
    otherwise. It is not asked for in training that draws."""
    in_cache: int | None = None
    """Segments whose gradient a CPU takes at once, the rest of a minibatch after them, as what more
    leave behind for the way back would leave its cache; measured per model. None: all."""


class AttentionMap(NamedTuple):
    """``apply(scores, example, hyper) -> log attention``, -inf at masked-out positions.

    Where attention can be exactly zero elsewhere, its log comes of
    `jaxattn.problems.log_attention.log_of`. A function with a fourth argument, ``key``, draws.
    """

    apply: Attend | DrawAttention
    hypers: tuple[HyperSpec, ...] = ()
    penalise: Penalise | None = None
    """``penalise(loss, log_attention, hyper)``: what is learnt in place of the loss of an example;
    measures are the same."""

    @property
    def stochastic(self) -> bool:
        """Whether it draws: its function has a fourth argument, without a default or named key."""
        fourth = positional(self.apply)[3:4]
        return any(one.default is one.empty or one.name == "key" for one in fourth)

    # What it returns is a person's own, and may be anything: `check_components` looks at it.
    def attend(self, scores: Array, example: Example, hyper: Hyper, key: Array | None) -> Any:
        """Log attention; the key, None where it is measured, is for one that draws."""
        given = (scores, example, hyper, key) if self.stochastic else (scores, example, hyper)
        return self.apply(*given)


def _no_state(params: Params) -> PyTree:
    del params
    return ()


def _keep_state(state: PyTree, aux: PyTree, weight: Float[Array, " example"]) -> PyTree:
    del aux, weight
    return state


def _nothing() -> None:
    pass


def _nothing_more(params: Params, batch: Example | Batch | Data, hyper: Hyper) -> dict[str, Array]:
    del params, batch, hyper
    return {}


class Paradigm(NamedTuple):
    """A way to train the pair: the loss of one example given its attention.

    ``loss(log_attention, values, read, label, context) -> (scalar, aux)`` where
    ``read(value) -> log probabilities [class]`` is a `Reader`. `init` and `update` carry state
    between steps (a baseline, responsibilities): ``update(state, aux, weight) -> state`` sees the
    aux and the weights of the whole batch, and where the loss jumps the state starts anew.
    ``discontinuities(hyper) -> [jump]`` lists the times at which the loss jumps.
    """

    name: str
    loss: ExampleLoss
    natural_inference: str = "average-output"
    hypers: tuple[HyperSpec, ...] = ()
    discontinuities: Discontinuities | None = None
    init: InitState = _no_state
    update: UpdateState = _keep_state
    stochastic: bool = False
    """Whether the loss draws on ``context.key``, which is None otherwise."""


class Problem(NamedTuple):
    """All that descent, flow and sweep know of what is being learnt.

    - ``init(key, hyper) -> Params``
    - ``loss(params, batch, hyper, time, key, state) -> (scalar, state)``; `batch` is an
      `Example` or a `Batch` with a leading axis
    - ``measure(params, batch, hyper) -> dict[str, Array]``, labelled by `measures`; examples of
      weight 0 have no part in it; a set with a pool that is too large to be filled in whole
      (`jaxattn.problems.large_sets`) comes as `Data`
    - ``measure_split(params, batch, hyper) -> dict[str, Array]``, likewise, of whole splits, which
      nothing fills up
    - ``discontinuities(hyper) -> [jump]``
    """

    init: StartParams
    loss: BatchLoss
    measure: Measure
    discontinuities: Discontinuities
    state: InitState = _no_state
    hypers: tuple[HyperSpec, ...] = ()
    measures: tuple[MeasureSpec, ...] = ()
    name: str = ""
    natural_inference: str = "average-output"
    precision: str = "float32"
    tile: int = 4
    stochastic: bool = False
    """Whether the loss draws on its key."""
    mean_of: Callable[[Callable[..., Any]], Callable[..., Array]] | None = None
    """``mean_of(look) -> measure``: the mean over examples, by weight, of ``look(view, example)``,
    of what one example looks like; None: an example has no attention to look at."""
    verify: Callable[[], None] = _nothing
    """Computes a little and raises `InputError` for what shapes do not show; see `checked`. What
    is made of a problem is held by it (`jaxattn.core.kept`): it stands behind what they share."""
    measure_split: Measure = _nothing_more
    unit: str = "nat"
    """Of the loss."""
    smooth: bool = True
    """False where the gradient jumps; see `Model.smooth`."""
    separable: bool = True
    """Whether the loss of a batch is the mean of the losses of its examples, by weight."""
    piece: int | None = None
    """Examples whose gradient a CPU takes at once, as more would leave its cache; None: all. Of a
    loss that is separable, draws nothing and has no state."""
    lengths: tuple[int, ...] = ()
    """Of `Buckets`: a set is taken in pieces of bags of like lengths, each no longer than it needs
    be, as losses and measures are the same without what is masked out at the end of bags."""
    parts: tuple[Part, ...] = ()
    """Parts that have names of their own; none: what a dictionary of parameters has at its top."""
    reads: tuple[str, ...] | None = None
    """Hyperparameters that `init` and the measures may read; None: any. Problems whose `init` and
    measures are the same functions, and read the same, share what is compiled for these."""

    @property
    def rated(self) -> tuple[Part, ...]:
        """The parts that may have learning rates of their own."""
        return self.parts or (FOCUS,)


class Path(NamedTuple):
    """One run before it is measured: its parameters at the saves, and what else its end is told by.

    Everything but `work` and `ended` has an axis of saves in front.
    """

    step: Float[Array, " save"]
    time: Float[Array, " save"]
    params: Params
    state: PyTree
    """Of the loss."""
    scale: Params | None
    """What a step multiplies the gradient by, over the learning rate, where a probe reads it."""
    work: dict[str, Int[Array, ""]]
    ended: PyTree = ()
    """What its solver says of its end; nothing, of training."""
    of_loss: PyTree = ()
    """The objective and gradient norms, where they were found on the way."""


class Trajectory(NamedTuple):
    """One run, discrete or continuous, at the save points that were chosen.

    `measures` holds ``objective [save]`` (the training loss at that time),
    ``gradient_norm [save, part]``, the problem's own measures ``[save, split, ...]``, splits as
    `Splits.names` has them, and what probes measure ``[save, ...]``. `work` counts ``gradients``,
    ``steps`` and ``rejected``. `batch_metrics` are those of training on minibatches, ``[save]``.
    `reason` is a `jaxattn.core.reasons.Reason`, of what is solved. `step` is NaN in a limit alone.
    """

    step: Float[Array, " save"]
    time: Float[Array, " save"]
    measures: dict[str, Array]
    status: Int[Array, ""]
    time_reached: Float[Array, ""]
    work: dict[str, Int[Array, ""]]
    params: Params | None = None
    batch_metrics: dict[str, Array] | None = None
    reason: Int[Array, ""] | None = None
