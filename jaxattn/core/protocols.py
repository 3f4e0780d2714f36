"""The functions that components are made of, each with what it is given and what it returns.

Any function of that many arguments will do, whatever it calls them. Shapes are those of one
example: no axis of examples, which ``vmap`` adds outside. All of them are traced by JAX but
`MakeData`, so they must be pure.
"""

from typing import Any, Protocol, runtime_checkable

from jaxtyping import Array, Float, Int, PyTree

from jaxattn.core.inputs import Context, Data, Example, Hyper, Params
from jaxattn.core.reader import Reader

__all__ = [
    "Attend",
    "BatchLoss",
    "Classify",
    "Discontinuities",
    "DrawAttention",
    "DrawParams",
    "ExampleLoss",
    "InitParams",
    "InitState",
    "MakeData",
    "Measure",
    "Penalise",
    "PlainLoss",
    "ReadMany",
    "Represent",
    "Score",
    "StartParams",
    "UpdateState",
]


@runtime_checkable
class MakeData(Protocol):
    """``make(seed) -> {split: data}``: the data of one dataset seed, by name of the split.

    NumPy-backed; equal seeds give equal arrays. ``"train"`` is always there.
    """

    def __call__(self, seed: int, /) -> dict[str, Data]:
        """All splits of a seed."""


@runtime_checkable
class InitParams(Protocol):
    """``init(key, example, hyper) -> params``: where a model starts; float arrays only.

    Of the example only shapes and dtypes matter.
    """

    def __call__(self, key: Array, example: Example, hyper: Hyper, /) -> Params:
        """The parameters of one start."""


@runtime_checkable
class DrawParams(Protocol):
    """``draw(params, key) -> params``: what an example in training sees of the parameters.

    With noise on them, or a key beside them for `Score` and `Classify`, which are given none. It is
    asked for stochastic models only, and not when they are measured.
    """

    def __call__(self, params: Params, key: Array, /) -> Params:
        """The parameters that `Represent`, `Score` and `Classify` are then given."""


@runtime_checkable
class Represent(Protocol):
    """``represent(params, example, key) -> values``: leaves ``[segment, ...]``, to be averaged.

    `key` is None unless the model is stochastic, and None whenever it is measured.
    """

    def __call__(self, params: Params, example: Example, key: Array | None, /) -> PyTree:
        """The values of all segments."""


@runtime_checkable
class Score(Protocol):
    """``score(params, example, values) -> [segment]``: the focus model."""

    def __call__(
        self, params: Params, example: Example, values: PyTree, /
    ) -> Float[Array, " segment"]:
        """One score a segment."""


@runtime_checkable
class Classify(Protocol):
    """``classify(params, value) -> [class]``: logits of one value, averaged or of one segment."""

    def __call__(self, params: Params, value: PyTree, /) -> Float[Array, " class"]:
        """One logit a class."""


@runtime_checkable
class ReadMany(Protocol):
    """``many(params, examples, values) -> (scores, logits)``, of every segment of many examples.

    Examples and values have a leading axis of examples: scores ``[example, segment]`` as of
    `Score`, and logits ``[class, example, segment]`` as of `Classify`, the classes in front.
    """

    def __call__(
        self, params: Params, examples: Example, values: PyTree, /
    ) -> tuple[Float[Array, "example segment"], Float[Array, "class example segment"]]:
        """The scores and the logits."""


@runtime_checkable
class Attend(Protocol):
    """``apply(scores, example, hyper) -> [segment]``: log attention.

    Its exponentials sum to 1, and it is -inf at masked-out positions.
    """

    def __call__(
        self, scores: Float[Array, " segment"], example: Example, hyper: Hyper, /
    ) -> Float[Array, " segment"]:
        """Log attention of all segments."""


@runtime_checkable
class DrawAttention(Protocol):
    """``apply(scores, example, hyper, key) -> [segment]``: log attention that training draws.

    As of `Attend`. `key` is None whenever it is measured, where it gives what draws stand for.
    """

    def __call__(
        self, scores: Float[Array, " segment"], example: Example, hyper: Hyper, key: Array | None, /
    ) -> Float[Array, " segment"]:
        """Log attention of all segments."""


@runtime_checkable
class Penalise(Protocol):
    """``penalise(loss, log_attention, hyper) -> scalar``: what is learnt, given an example's loss.

    Whichever paradigm the loss is of.
    """

    def __call__(
        self, loss: Float[Array, ""], log_attention: Float[Array, " segment"], hyper: Hyper, /
    ) -> Float[Array, ""]:
        """The loss with the penalty."""


@runtime_checkable
class ExampleLoss(Protocol):
    """``loss(log_attention, values, read, label, context) -> (scalar, aux)`` of one example.

    Args: log attention ``[segment]``; values, leaves ``[segment, ...]``; `read`, one value to log
    probabilities ``[class]``; the label; see `Context` for the rest. The scalar is a float; `aux`
    is any pytree of arrays, handed to `UpdateState`, ``()`` for none.
    """

    def __call__(
        self,
        log_attention: Float[Array, " segment"],
        values: PyTree,
        read: Reader,
        label: Int[Array, "*word"],
        context: Context,
        /,
    ) -> tuple[Float[Array, ""], PyTree]:
        """The loss and its aux."""


@runtime_checkable
class PlainLoss(Protocol):
    """An `ExampleLoss` that may also return the scalar alone."""

    def __call__(
        self,
        log_attention: Float[Array, " segment"],
        values: PyTree,
        read: Reader,
        label: Int[Array, "*word"],
        context: Context,
        /,
    ) -> Float[Array, ""] | tuple[Float[Array, ""], PyTree]:
        """The loss, or the loss and its aux."""


@runtime_checkable
class InitState(Protocol):
    """``init(params) -> state``: what a loss carries from step to step, before the first one."""

    def __call__(self, params: Params, /) -> PyTree:
        """The state before the first step."""


@runtime_checkable
class UpdateState(Protocol):
    """``update(state, aux, weight) -> state``: after a step, from the aux of the whole batch.

    Leaves of `aux` have a leading axis of examples, as `weight` has; examples of weight 0 fill up a
    batch and are to have no part. Shapes and dtypes of the state stay the same.
    """

    def __call__(self, state: PyTree, aux: PyTree, weight: Float[Array, " example"], /) -> PyTree:
        """The state after a step."""


@runtime_checkable
class Discontinuities(Protocol):
    """``discontinuities(hyper) -> [jump]``: the times at which the loss jumps; floats."""

    def __call__(self, hyper: Hyper, /) -> Float[Array, " jump"]:
        """The times, in any order."""


@runtime_checkable
class StartParams(Protocol):
    """``init(key, hyper) -> params``: where a problem starts; float arrays only."""

    def __call__(self, key: Array, hyper: Hyper, /) -> Params:
        """The parameters of one start."""


@runtime_checkable
class BatchLoss(Protocol):
    """``loss(params, batch, hyper, time, key, state) -> (scalar, state)``.

    `batch` is an `Example` with a leading axis, or a `Batch`, as the data are. The scalar is a
    float, the mean over examples by weight; the state keeps its shapes and dtypes.
    """

    def __call__(
        self,
        params: Params,
        batch: Any,
        hyper: Hyper,
        time: Float[Array, ""],
        key: Array | None,
        state: PyTree,
        /,
    ) -> tuple[Float[Array, ""], PyTree]:
        """The loss and the state after it."""


@runtime_checkable
class Measure(Protocol):
    """``measure(params, batch, hyper) -> {name: array}`` of a batch, as of `BatchLoss`."""

    def __call__(self, params: Params, batch: Any, hyper: Hyper, /) -> dict[str, Array]:
        """What `MeasureSpec` labels, by name."""
