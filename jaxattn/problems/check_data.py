"""Whether a task's data are what the task says of them."""

from typing import Any

import jax
import numpy as np
from jaxtyping import PyTree

from jaxattn.core.contracts import Data, Example, InputError, Task
from jaxattn.core.lookup import refuse_unwritable_name
from jaxattn.core.pixels import Pixels, is_pixels
from jaxattn.problems.data import check, check_shapes

__all__ = ["check_splits", "check_template", "refuse_unlearnt"]


def check_template(task: Task) -> None:
    """Refuse a template that is no example of as many segments as the task says.

    Raises:
        InputError: with what is wrong.
    """
    name = f"task {task.name!r}, template"
    template = task.template
    if not isinstance(template, Example):
        raise InputError(
            f"{name}: got {type(template).__name__}, expected an Example; give one bag with its "
            "pool rows filled in."
        )
    if wrong := [type(leaf).__name__ for leaf in jax.tree.leaves(template) if not _array(leaf)]:
        raise InputError(f"{name}: got {wrong[0]}, expected arrays; wrap it in numpy.asarray.")
    bags: Any = jax.tree.map(lambda leaf: np.asarray(leaf)[None], template)
    check_shapes(bags, name)
    if (length := bags.mask.shape[1]) != task.segments:
        raise InputError(
            f"{name}: got {length} segments, expected the {task.segments} that the task says; "
            "change one of them."
        )


def check_splits(task: Task, splits: Any) -> None:
    """Refuse what a task's `make` gave, before anything is compiled; see `check`.

    Raises:
        InputError: no dictionary of `Data` with ``"train"``; a set that `check` refuses, or whose
            bags have other shapes or types than the task's template.
    """
    given = splits if isinstance(splits, dict) else {}
    wrong = [type(data).__name__ for data in given.values() if not isinstance(data, Data)]
    if "train" not in given or wrong:
        got = wrong[0] if wrong else ", ".join(map(str, given)) or type(splits).__name__
        raise InputError(
            f"task {task.name!r}, make: got {got}, expected Data by name of the split, 'train' "
            "among them; return {'train': Data(...)}."
        )
    for split, data in given.items():
        refuse_unwritable_name(f"task {task.name!r}, split", split)
        name = f"{task.name}, {split}"
        check(data, name, task.classes)
        _check_like(data, task.template, name)
        refuse_unlearnt(split, data, f"task {task.name!r}")


def refuse_unlearnt(split: str, data: Data, owner: str) -> None:
    """Refuse learning weights of what is only measured.

    Raises:
        InputError: there are some, and the split is not ``train``.
    """
    if split != "train" and data.learning_weight is not None:
        raise InputError(
            f"{owner}, {split}: got a learning_weight, expected one of train alone, as {split} is "
            "measured and not learnt; leave it out."
        )


def _array(leaf: Any) -> bool:
    return hasattr(leaf, "shape") and hasattr(leaf, "dtype")


def _check_like(data: Data, template: Example, name: str) -> None:
    """Refuse bags that are not shaped as the template; floats of any width are alike."""
    examples = data.examples
    first: Any = examples._replace(segments=_filled(examples.segments, data.pool))
    got, expected = (str(jax.tree.structure(one.segments)) for one in (first, template))
    if got != expected:
        raise InputError(
            f"{name}: got segments {got}, expected those of the task's template, {expected}; "
            "change one of them."
        )
    pairs = zip(jax.tree_util.tree_leaves_with_path(first), jax.tree.leaves(template), strict=True)
    for (path, leaf), wanted in pairs:
        kinds = [np.dtype(one.dtype).kind.replace("u", "i") for one in (leaf, wanted)]
        if leaf.shape[1:] != np.shape(wanted) or kinds[0] != kinds[1]:
            raise InputError(
                f"{name}: got {jax.tree_util.keystr(path)} of {leaf.dtype} {leaf.shape[1:]} a "
                f"bag, expected {wanted.dtype} {np.shape(wanted)} as in the task's template; "
                "change one of them."
            )


def _filled(segments: PyTree, pool: PyTree | None) -> PyTree:
    """Shapes and dtypes of the segments once they hold rows of the pool, not their numbers."""
    if pool is None:
        return segments

    def of(rows: Any, each: Any) -> jax.ShapeDtypeStruct:
        if isinstance(rows, Pixels):  # read as floats, of the problem's precision
            return jax.ShapeDtypeStruct((*each.shape, *rows.values.shape[1:]), np.dtype(np.float32))
        return jax.ShapeDtypeStruct((*each.shape, *rows.shape[1:]), rows.dtype)

    return jax.tree.map(of, pool, segments, is_leaf=is_pixels)
