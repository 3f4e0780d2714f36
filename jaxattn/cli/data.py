"""The commands of data sets. Heavy imports happen inside, so that ``--help`` answers at once."""

from collections.abc import Callable
from typing import Any

from jaxattn.cli.data_commands import Data, DataCheck, DataList
from jaxattn.terminal.output import answer

__all__ = ["data"]


def data(command: Data) -> int:
    """Run the command; its exit code."""
    return _RUN[type(command.do)](command.do)


def _list(command: DataList) -> int:
    from jaxattn.tasks.readers import LAYOUTS
    from jaxattn.terminal.tables import pairs_table

    answer(command.json, {"layouts": dict(LAYOUTS)}, pairs_table(LAYOUTS))
    return 0


def _check(command: DataCheck) -> int:
    from jaxattn.tasks.readers import read_images
    from jaxattn.terminal.tables import pairs_table

    found = read_images(command.path)
    parts = {"train": found.train, "test": found.test}
    counts = {name: len(part.kinds) for name, part in parts.items() if part is not None}
    shape = list(found.train.pixels.shape[1:])
    record = {
        "layout": found.layout,
        "classes": list(found.classes),
        "shape": shape,
        "images": counts,
    }
    size = " x ".join(map(str, shape))
    rows = {
        "layout": found.layout,
        **{f"{name} images": f"{count} of {size}" for name, count in counts.items()},
        f"{len(found.classes)} classes": ", ".join(found.classes),
    }
    answer(command.json, record, pairs_table(rows))
    return 0


_RUN: dict[type, Callable[[Any], int]] = {DataList: _list, DataCheck: _check}
