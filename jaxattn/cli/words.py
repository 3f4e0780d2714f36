"""What words on the command line mean that several commands read."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from jaxattn.cli.commands import Compare, CriticalRate
from jaxattn.core.errors import InputError

__all__ = ["TASK_FLAGS", "task_of", "with_hypers"]

TASK_FLAGS = (
    *("data", "images", "segments", "classes", "foreground"),
    *("train", "test", "validation", "new_mosaics", "position", "downsample"),
    *("label", "rationale", "least_count", "vectors", "learning_weight"),
)
"""Flags that are arguments of some task."""


def task_of(command: Compare | CriticalRate) -> Any:
    """The task of the data and the sizes that were asked for.

    Raises:
        InputError: no such task, or a size that it does not have.
    """
    from jaxattn.core.lookup import resolve
    from jaxattn.tasks import TASKS

    factory = resolve("task", TASKS, command.task)
    given = {name: getattr(command, name, None) for name in TASK_FLAGS}
    given = {name: value for name, value in given.items() if value not in (None, ())}
    known = [name for name in inspect.signature(factory).parameters if name in TASK_FLAGS]
    for name in given:
        if name not in known:
            raise InputError(
                f"{_flag(name)}: {command.task} has no such setting, expected one of "
                f"{', '.join(map(_flag, known))}; drop it."
            )
    return factory(**given)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def with_hypers(words: Sequence[str], known: Mapping[str, Any]) -> dict[str, Any]:
    """`known` hyperparameters and those of ``--hypers``, one or several numbers each.

    Raises:
        InputError: a word that is none, or a name that is given twice.
    """
    hypers = dict(known)
    for word in words:
        name, equals, text = word.partition("=")
        try:
            values = tuple(float(value) for value in text.split(","))
        except ValueError:
            equals = ""
        if not equals or not name:
            raise InputError(
                f"--hypers: got {word!r}, expected NAME=VALUE or NAME=VALUE,VALUE with numbers."
            )
        if name in hypers:
            raise InputError(
                f"--hypers: got {word!r}, but {name} is given twice; expected each once, "
                "learning_rate and switch_time by flags of their own."
            )
        hypers[name] = values[0] if len(values) == 1 else values
    return hypers
