"""What one does with `Data`: count, take, shorten, pad, and refuse what cannot be learnt from.

Sets of examples keep indices, not pixels: mosaics of the same images share one pool, across
examples, splits, seeds and rows, and a minibatch is filled in when it is taken. A float copy of
each mosaic would be a hundred times larger. Images that are bytes stay bytes until then.

Everything here is pure. `take` and `everything` are traced inside the compiled loops; `check`
is NumPy and eager, for the shell, which calls it once before anything is compiled.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Int, PyTree

from jaxattn.core.arrays import refuse_missing
from jaxattn.core.contracts import Data, Example, InputError
from jaxattn.core.pixels import Pixels, arrays_of, is_pixels

__all__ = [
    *("as_learnt", "cast", "check", "check_shapes", "check_weights", "each_leaf", "everything"),
    *("head", "pad", "size", "take"),
]


def size(data: Data) -> int:
    """The number of examples."""
    return int(data.examples.weight.shape[0])


def take(data: Data, indices: Int[Array | np.ndarray, "*batch"], dtype: DTypeLike) -> Any:
    """The examples with these numbers, pool rows filled in.

    Rows are gathered first and cast afterwards, so a float64 pool costs a float32 run only the
    rows of its minibatch. Out-of-range numbers are clipped to the nearest row, which is twice
    as fast on a CPU as JAX's default of filling with NaN; `check` finds them beforehand.

    Args:
        data: examples with a leading axis.
        indices: integers in [0, size); a scalar gives one example.
        dtype: type of what is floating, the weight included. Integers that are no pool indices
            (token ids) keep theirs.

    Returns:
        An `Example` or a `Batch` whose leaves have the axes of `indices` in front.
    """
    rows = jax.tree.map(lambda leaf: _rows(leaf, indices), data.examples)
    return _fill(rows, data.pool, dtype)


def everything(data: Data, dtype: DTypeLike) -> Any:
    """All examples in order, pool rows filled in: ``take(data, arange(size(data)), dtype)``."""
    return _fill(jax.tree.map(jnp.asarray, data.examples), data.pool, dtype)


def head(data: Data, n: int) -> Data:
    """The first `n` examples, or all of them where there are fewer; the pool is kept whole.

    Raises:
        InputError: `n` is below 1.
    """
    if n < 1:
        raise InputError(f"subset of the data: got {n} examples, expected at least 1; ask for 1")
    return each_leaf(lambda leaf: leaf[:n], data)


def each_leaf(function: Callable[[Any], Any], data: Data) -> Data:
    """`function` of every array that has an axis of examples; the pool stays."""
    examples, weight = jax.tree.map(function, (data.examples, data.learning_weight))
    return Data(examples, data.pool, weight)


def as_learnt(data: Data) -> Data:
    """The same examples, each counting as it does in what is learnt; nothing else is copied."""
    if data.learning_weight is None:
        return data
    return Data(data.examples._replace(weight=data.learning_weight), data.pool)


def pad(data: Data, segments: int) -> Data:
    """Every bag with `segments` segments, the new ones masked out at the end.

    A new segment is zero: token id 0, row 0 of the pool, or zeros. NumPy arrays stay NumPy.

    Args:
        data: bags of ``m`` segments.
        segments: the new length, at least ``m``.

    Raises:
        InputError: `segments` is below ``m``.
    """
    examples = data.examples
    extra = segments - examples.mask.shape[-1]
    if extra < 0:
        raise InputError(
            f"padding: got bags of {examples.mask.shape[-1]} segments, expected at most "
            f"{segments}; pad to {examples.mask.shape[-1]} or more"
        )
    return data._replace(
        examples=examples._replace(
            segments=jax.tree.map(lambda leaf: _lengthen(leaf, 1, extra), examples.segments),
            mask=_lengthen(examples.mask, -1, extra),
            foreground=_lengthen(examples.foreground, -1, extra),
        )
    )


def check(data: Data, name: str, classes: int) -> None:
    """Refuse data that no model can learn from, before anything is compiled.

    Args:
        data: what a task made, or a person's own.
        name: what to call it in messages, such as ``"digits, train"``.
        classes: labels must lie in [0, classes).

    Raises:
        InputError: an empty set; shapes or types that do not fit each other; a bag without a
            real segment; NaN or infinity; a pool index, label or weight out of range, be it of
            what is measured or learnt; no positive one; foreground at a masked-out position. One
            line: got, expected, fix.
    """
    for leaf in jax.tree.leaves(data):
        refuse_missing(name, leaf)
    examples = jax.tree.map(np.asarray, data.examples)
    check_shapes(examples, name)
    if data.pool is None:
        _check_finite(examples.segments, f"{name}, segments")
    else:
        _check_pool(examples.segments, jax.tree.map(np.asarray, data.pool), name)
    mask, label = examples.mask, examples.label
    if (bag := _first(~mask.any(-1))) is not None:
        raise InputError(
            f"{name}: got bag {bag[0]} with every segment masked out, expected at least one real "
            "segment in each bag; drop such bags"
        )
    if (where := _first((label < 0) | (label >= classes))) is not None:
        raise InputError(
            f"{name}: got label {label[where]} in bag {where[0]}, expected 0 to {classes - 1}; "
            "number the classes from 0"
        )
    check_weights(examples.weight, name, "weight")
    if data.learning_weight is not None:
        _check_learning_weight(data.learning_weight, len(mask), name)
    words = label.ndim - 1
    real = mask.reshape(mask.shape[0], *(1,) * words, mask.shape[1])
    if (where := _first(examples.foreground & ~real)) is not None:
        raise InputError(
            f"{name}: got foreground at masked-out segment {where[-1]} of bag {where[0]}, expected "
            "foreground on real segments only; unmask the segment or mark another"
        )


def check_weights(weight: np.ndarray, name: str, kind: str) -> None:
    """Refuse weights that say nothing of how much examples count.

    Args:
        weight: floats ``[example]``.
        name: of the set, in messages.
        kind: what the weights are called there.

    Raises:
        InputError: one that is negative or not finite; none above 0.
    """
    if (bag := _first(~(np.isfinite(weight) & (weight >= 0)))) is not None:
        raise InputError(
            f"{name}: got {kind} {weight[bag]} of bag {bag[0]}, expected a finite number >= 0; "
            "use 1 for a bag that counts and 0 for one that does not"
        )
    if not weight.any():
        raise InputError(
            f"{name}: got only zero {kind}s, expected a positive one; use 1 for bags that count"
        )


def _check_learning_weight(weight: Any, bags: int, name: str) -> None:
    shape, dtype = getattr(weight, "shape", None), getattr(weight, "dtype", type(weight).__name__)
    if shape != (bags,) or np.asarray(weight).dtype.kind != "f":
        raise InputError(
            f"{name}: got learning_weight of {dtype}, shape {shape}, expected an array of floats "
            f"({bags},), one for each bag; leave it out where bags are learnt as they are measured"
        )
    check_weights(np.asarray(weight), name, "learning_weight")


def _rows(leaf: Array | np.ndarray, indices: Int[Array | np.ndarray, "*batch"]) -> Array:
    return jnp.take(jnp.asarray(leaf), indices, axis=0, mode="clip")


def _fill(examples: Any, pool: PyTree | None, dtype: DTypeLike) -> Any:
    def read(of: Any, indices: Any) -> Array:
        if not isinstance(of, Pixels):
            return _rows(of, indices)
        # Fused with the gather, the division is a CPU's entry by entry: five times as slow.
        taken = jax.lax.optimization_barrier(_rows(of.values, indices))
        rows: Array = of.scaled(taken, dtype)
        return rows

    if pool is not None:
        segments = jax.tree.map(read, pool, examples.segments, is_leaf=is_pixels)
        examples = examples._replace(segments=segments)
    return jax.tree.map(lambda leaf: cast(leaf, dtype), examples)


def cast(leaf: Array, dtype: DTypeLike) -> Array:
    """`leaf` in `dtype` where it holds floats."""
    return leaf.astype(dtype) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf


def _lengthen(leaf: Any, axis: int, extra: int) -> Any:
    widths = [(0, 0)] * leaf.ndim
    widths[axis] = (0, extra)
    return np.pad(leaf, widths) if isinstance(leaf, np.ndarray) else jnp.pad(leaf, widths)


def _first(wrong: np.ndarray) -> tuple[int, ...] | None:
    """The position of the first True, or None."""
    if not wrong.any():
        return None
    return tuple(int(i) for i in np.unravel_index(np.argmax(wrong), wrong.shape))


def check_shapes(examples: Example, name: str) -> None:
    """The part of `check` that reads shapes and types alone."""
    segments, mask, label, foreground, weight = examples
    if mask.ndim != 2 or label.ndim < 1 or not jax.tree.leaves(segments):
        raise InputError(
            f"{name}: got a mask of shape {mask.shape}, labels of shape {label.shape} and "
            f"{len(jax.tree.leaves(segments))} segment arrays, expected mask [bag, segment], label "
            "[bag] or [bag, word] and one array or more; give every array a leading axis of bags"
        )
    if 0 in mask.shape:
        raise InputError(
            f"{name}: got {mask.shape[0]} bags of {mask.shape[1]} segments, expected at least one "
            "of each; ask for more examples"
        )
    bags, length = mask.shape
    for what, array, shape, kinds in (
        ("mask", mask, (bags, length), "b"),
        ("label", label, (bags, *label.shape[1:]), "iu"),
        ("foreground", foreground, (bags, *label.shape[1:], length), "b"),
        ("weight", weight, (bags,), "f"),
        *(("segments", leaf, (bags, length), "iuf") for leaf in jax.tree.leaves(segments)),
    ):
        compared = array.shape[:2] if what == "segments" else array.shape
        if compared != shape:
            raise InputError(
                f"{name}: got {what} of shape {array.shape}, expected {_shown(what, shape)} to fit "
                f"{bags} bags of {length} segments; reshape or regenerate it"
            )
        # Kind V holds bfloat16 and the other small floats of ml_dtypes.
        if array.dtype.kind not in kinds and not (array.dtype.kind == "V" and "f" in kinds):
            expected = {"b": "bool", "iu": "integers", "f": "floats", "iuf": "numbers"}[kinds]
            raise InputError(
                f"{name}: got {what} of type {array.dtype}, expected {expected}; convert it with "
                ".astype"
            )


def _shown(what: str, shape: tuple[int, ...]) -> str:
    return f"({shape[0]}, {shape[1]}, ...)" if what == "segments" else str(shape)


def _check_finite(tree: PyTree, name: str) -> None:
    for leaf in jax.tree.leaves(tree):
        if leaf.dtype.kind not in "iu" and (where := _first(~np.isfinite(leaf))) is not None:
            raise InputError(
                f"{name}: got {leaf[where]} at {where}, expected finite numbers, also where masked "
                "out; remove or replace it"
            )


def _check_pool(segments: PyTree, pool: PyTree, name: str) -> None:
    _check_pixels(pool, name)
    indexed: Any = jax.tree.structure(segments)
    pool = arrays_of(pool)
    pooled: Any = jax.tree.structure(pool)
    if indexed != pooled:
        raise InputError(
            f"{name}: got segments {indexed} and pool {pooled}, expected the same structure; give "
            "each segment array its pool"
        )
    for indices, rows in zip(jax.tree.leaves(segments), jax.tree.leaves(pool), strict=True):
        if rows.ndim < 1 or rows.shape[0] < 1:
            raise InputError(
                f"{name}, pool: got shape {rows.shape}, expected at least one row; add the images"
            )
        if indices.dtype.kind not in "iu":
            raise InputError(
                f"{name}: got segments of type {indices.dtype} beside a pool, expected integer row "
                "numbers; leave the pool out when segments hold values"
            )
        if (where := _first((indices < 0) | (indices >= rows.shape[0]))) is not None:
            raise InputError(
                f"{name}: got pool index {indices[where]} in bag {where[0]}, expected 0 to "
                f"{rows.shape[0] - 1}; use 0 where a segment is masked out"
            )
    _check_finite(pool, f"{name}, pool")


def _check_pixels(pool: PyTree, name: str) -> None:
    """Refuse bytes that are none, and a scale that does not fit them."""
    for part in jax.tree.leaves(pool, is_leaf=is_pixels):
        if not isinstance(part, Pixels):
            continue
        rows = part.values
        if rows.dtype != np.uint8:
            raise InputError(
                f"{name}, pool: got Pixels of {rows.dtype}, expected bytes, uint8; leave Pixels "
                "out where a pool holds floats"
            )
        for what, scale in (("mean", part.mean), ("std", part.std)):
            array = np.asarray(scale)
            fits = array.ndim == 0 or (rows.ndim > 1 and array.shape == rows.shape[-1:])
            if (
                not fits
                or not np.isfinite(array).all()
                or (what == "std" and not (array > 0).all())
            ):
                raise InputError(
                    f"{name}, pool: got {what} {scale} of Pixels of shape {rows.shape}, expected a "
                    "number, or one for each colour, that of std above 0; correct it"
                )
