"""Data of a person's own: pytrees with a leading axis of examples, by split, perhaps by seed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, PyTree

from jaxattn.core.arrays import as_array
from jaxattn.core.contracts import Batch, Data, InputError
from jaxattn.core.lookup import refuse_unwritable_name
from jaxattn.core.streams import PRNG
from jaxattn.problems.check_data import refuse_unlearnt
from jaxattn.problems.fresh import Fresh
from jaxattn.problems.tracing import described, in_one_line, shapes_of
from jaxattn.problems.undeclared import key_shape

__all__ = ["OwnData", "own_data"]

_HINT = "a pytree of arrays, {'train': tree, ...}, seed -> that, or Fresh."


@dataclass(frozen=True, eq=False)
class OwnData:
    """What problems of a person's own learn from. Hashable by identity."""

    name: str
    make: Callable[[int], dict[str, Data]]
    """All splits of a seed, looked at; ``"train"`` is always there."""
    template: Batch
    """One example: shapes and dtypes."""
    by_seed: bool
    """Whether seeds have data of their own."""
    weighted: bool
    """Whether some examples count more than others."""
    fresh: Fresh | None = None
    """Where batches are drawn anew; `make` then gives what is measured."""


def own_data(given: Any) -> OwnData:
    """Data as they are asked for; those of seed 0 are made and looked at here.

    Args:
        given: a pytree of arrays with a leading axis of examples, or a `Batch` of one with weights,
            or `Data` of either with a ``learning_weight``; ``{"train": tree, "test": tree}``; a
            function from a seed to any of these; or `Fresh`.

    Raises:
        InputError: no arrays, no examples, arrays of different lengths, NaN, splits or seeds that
            are not alike; weights that are none.
    """
    if isinstance(given, Fresh):
        return _of_fresh(given)
    if not callable(given):
        splits = _splits(given, "data")
        weighted = _are_weighted(splits)
        return OwnData("own data", lambda seed: splits, _template(splits), False, weighted)
    name = getattr(given, "__name__", "own data")
    first = _made(given, 0)
    template, sizes, weighted = _template(first), _sizes(first), _are_weighted(first)

    def make(seed: int) -> dict[str, Data]:
        splits = _made(given, seed)
        if _described(_template(splits)) != _described(template) or _sizes(splits) != sizes:
            raise InputError(
                f"data of seed {seed}: got {_words(splits)}, expected what seed 0 has, "
                f"{_words(first)}, as seeds are run together; make them alike."
            )
        if _are_weighted(splits) and not weighted:
            raise InputError(
                f"data of seed {seed}: got weights that differ, and none of seed 0, expected "
                "weights of every seed; make those of seed 0 differ too."
            )
        return splits

    name = name if name.isidentifier() else "own data"
    return OwnData(name, make, template, True, weighted)


def _made(function: Callable[[int], Any], seed: int) -> dict[str, Data]:
    with in_one_line(f"data of seed {seed}", _HINT):
        made = function(seed)
    return _splits(made, f"data of seed {seed}")


def _of_fresh(fresh: Fresh) -> OwnData:
    shapes: Any = shapes_of("Fresh, sample", "one batch.", fresh.sample, key_shape())
    wrong = [leaf for leaf in jax.tree.leaves(shapes) if leaf.shape[:1] != (fresh.size,)]
    if wrong or not jax.tree.leaves(shapes):
        got = described(wrong[0]) if wrong else "no arrays"
        raise InputError(
            f"Fresh, sample: got {got}, expected {fresh.size} examples along the leading axis of "
            "every array, as its size says; change one of them."
        )
    evaluate = fresh.evaluate
    if isinstance(evaluate, int) and not isinstance(evaluate, bool):
        evaluate = _drawn(fresh, evaluate)
    data = own_data(evaluate)
    if data.make(0)["train"].learning_weight is not None:
        raise InputError(
            "Fresh, evaluate: got a learning_weight, expected none, as batches are made anew; "
            "leave it out."
        )
    one = Batch(jax.tree.map(_without_axis, shapes), data.template.weight)
    if _described(one) != _described(data.template):
        raise InputError(
            f"Fresh: got batches of {_described(one)}, expected examples as those of evaluate, "
            f"{_described(data.template)}; make them alike."
        )
    name = getattr(fresh.sample, "__name__", "")
    name = name if name.isidentifier() else "fresh data"
    return OwnData(name, data.make, data.template, data.by_seed, data.weighted, fresh)


def _drawn(fresh: Fresh, count: int) -> PyTree:
    """So many examples, the same for every comparison."""
    if count < 1:
        raise InputError(f"Fresh, evaluate: got {count}, expected 1 or more examples.")
    batches = -(-count // fresh.size)

    def draw(key: Array) -> PyTree:
        # A number that no step of a run has: what is measured is not what is learnt.
        keys = jax.random.split(jax.random.fold_in(key, 2**32 - 1), batches)
        drawn = jax.lax.map(fresh.sample, keys)
        return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[:count], drawn)

    return jax.tree.map(np.asarray, jax.jit(draw)(jax.random.key(0, impl=PRNG)))


def _splits(given: Any, name: str) -> dict[str, Data]:
    has_names = isinstance(given, Mapping) and "train" in given
    named = dict(given) if has_names else {"train": given}
    splits = {}
    for split, tree in named.items():
        refuse_unwritable_name(f"{name}, split", split)
        splits[split] = _data(tree, f"{name}, {split}" if has_names else name)
        refuse_unlearnt(split, splits[split], name)
    first = _described(_one(splits["train"]))
    for split, data in splits.items():
        if (other := _described(_one(data))) != first:
            raise InputError(
                f"{name}, {split}: got examples of {other}, expected those of train, {first}; make "
                "them alike."
            )
    return splits


def _data(given: Any, name: str) -> Data:
    learning = None
    if isinstance(given, Data):
        if given.pool is not None:
            raise InputError(
                f"{name}: got Data with a pool, expected none beside problems of one's own; hand "
                "over the rows themselves."
            )
        given, learning = given.examples, given.learning_weight
    tree, weight = given if isinstance(given, Batch) else (given, None)
    leaves, structure = jax.tree_util.tree_flatten_with_path(tree)
    if not leaves:
        raise InputError(f"{name}: got no arrays, expected {_HINT}")
    arrays = [_array(leaf, f"{name}{jax.tree_util.keystr(path)}") for path, leaf in leaves]
    lengths = {array.shape[0] for array in arrays}
    if len(lengths) > 1:
        got = ", ".join(
            f"{array.shape[0]} of {jax.tree_util.keystr(path) or 'the array'}"
            for (path, _), array in zip(leaves, arrays, strict=True)
        )
        raise InputError(
            f"{name}: got {got}, expected as many examples along every leading axis; what examples "
            "share is repeated (numpy.broadcast_to)."
        )
    (count,) = lengths
    if count == 0:
        raise InputError(f"{name}: got no examples, expected at least one; leave the split out.")
    counted: Any = np.ones(count) if weight is None else _weights(f"{name}, weight", weight, count)
    if learning is not None:
        learning = _weights(f"{name}, learning_weight", learning, count)
    return Data(Batch(jax.tree.unflatten(structure, arrays), counted), None, learning)


def _weights(name: str, given: Any, count: int) -> np.ndarray:
    weights = as_array(name, given, float)
    valid = weights.shape == (count,) and np.isfinite(weights).all() and (weights >= 0).all()
    if not valid or not weights.any():
        raise InputError(
            f"{name}: got {described(weights)}, expected {count} finite numbers, 0 or more and "
            "some above it; use 1 for an example that counts."
        )
    return weights


def _array(leaf: Any, name: str) -> np.ndarray:
    try:
        array = as_array(name, leaf)
    except InputError:
        raise
    except ValueError as error:
        raise InputError(
            f"{name}: got a list of parts of different lengths, expected an array; fill the "
            "shorter ones up and hand a mask on beside them."
        ) from error
    if array.dtype.kind not in "fiubc":
        raise InputError(
            f"{name}: got {type(leaf).__name__} of {array.dtype}, expected an array of numbers; "
            f"hand over {_HINT}"
        )
    if array.ndim == 0:
        raise InputError(
            f"{name}: got one number, expected an array with a leading axis of examples; what "
            "examples share is repeated (numpy.broadcast_to)."
        )
    if array.dtype.kind in "fc" and np.isnan(array).any():
        raise InputError(
            f"{name}: got NaN in {int(np.isnan(array).sum())} places, expected numbers; leave "
            "those examples out, or hand a mask on beside them."
        )
    return array


def _without_axis(leaf: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype)


def _one(data: Data) -> Batch:
    return jax.tree.map(_without_axis, data.examples)


def _template(splits: Mapping[str, Data]) -> Batch:
    return _one(splits["train"])


def _are_weighted(splits: Mapping[str, Data]) -> bool:
    kept = [(data.examples.weight, data.learning_weight) for data in splits.values()]
    return any(len(np.unique(weight)) > 1 for both in kept for weight in both if weight is not None)


def _sizes(splits: Mapping[str, Data]) -> dict[str, int]:
    return {name: data.examples.weight.shape[0] for name, data in splits.items()}


def _described(one: Batch) -> str:
    """Structure, shapes and kinds of one example; floats of any width are alike."""
    kinds = {"f": "float", "i": "int", "u": "int", "b": "bool", "c": "complex"}

    def words(leaf: Any) -> str:
        return f"{kinds[np.dtype(leaf.dtype).kind]}{list(leaf.shape)}"

    leaves = jax.tree_util.tree_leaves_with_path(one.values)
    named = [f"{jax.tree_util.keystr(path)} {words(leaf)}".strip() for path, leaf in leaves]
    return ", ".join(named)


def _words(splits: Mapping[str, Data]) -> str:
    sizes = ", ".join(f"{count} in {name}" for name, count in _sizes(splits).items())
    return f"{sizes} of {_described(_template(splits))}"
