"""The commands of data sets. Heavy imports happen inside, so that ``--help`` answers at once."""

from collections.abc import Callable
from typing import Any

from jaxattn.cli.data_commands import Data, DataCheck, DataFetch, DataList
from jaxattn.core.errors import InputError
from jaxattn.terminal.output import answer, complain

__all__ = ["data"]

_NOT_REACHED = 1
"""Exit code where the world is not as it should be: no network, no room, no permission."""


def data(command: Data) -> int:
    """Run the command; its exit code."""
    return _RUN[type(command.do)](command.do)


def _list(command: DataList) -> int:
    from jaxattn.tasks.readers import LAYOUTS, POST_LAYOUTS
    from jaxattn.tasks.readers.catalogue import SETS, find
    from jaxattn.terminal.tables import pairs_table

    places: dict[str, str | None] = {}
    for name in SETS:
        try:
            places[name] = str(find(name))
        except InputError:  # it is not here, which is no fault
            places[name] = None
    told = {name: at or f"not here: jaxattn data fetch {name}" for name, at in places.items()}
    layouts = {**LAYOUTS, **POST_LAYOUTS}
    record = {"layouts": layouts, "sets": places}
    answer(command.json, record, pairs_table(told), pairs_table(layouts))
    return 0


def _check(command: DataCheck) -> int:
    from jaxattn.tasks.readers import holds_posts, read_images
    from jaxattn.terminal.tables import pairs_table

    if holds_posts(command.path):
        return _check_posts(command)
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


def _check_posts(command: DataCheck) -> int:
    from jaxattn.tasks.annotation import annotated, data_card
    from jaxattn.tasks.readers import POST_LAYOUTS, read_posts
    from jaxattn.terminal.tables import pairs_table

    card = {"layout": next(iter(POST_LAYOUTS)), **data_card(annotated(read_posts(command.path)))}
    rows = {name: str(value) for name, value in card.items()}
    answer(command.json, card, pairs_table(rows))
    return 0


def _fetch(command: DataFetch) -> int:
    from jaxattn.tasks.readers.fetch import FetchError, fetch
    from jaxattn.terminal.fetch_bars import FetchBars

    try:
        with FetchBars() as bars:
            folder = fetch(command.name, bars.of)
    except FetchError as error:
        complain(str(error))
        return _NOT_REACHED
    answer(command.json, {"name": command.name, "path": str(folder)}, f"{command.name}: {folder}")
    return 0


_RUN: dict[type, Callable[[Any], int]] = {DataList: _list, DataCheck: _check, DataFetch: _fetch}
