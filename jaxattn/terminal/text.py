"""Text as rich shows it: never markup, and nothing that commands a terminal."""

from typing import Any

from rich.text import Text

from jaxattn.core.text import printable

__all__ = ["cells", "shown_text"]


def shown_text(text: str) -> Text:
    """Text as it is, in one line: ``[red]`` and ``:smile:`` are letters, ESC is written out."""
    return Text(printable(text))


def cells(*values: Any) -> tuple[Text, ...]:
    """Values as a row of a table, or its headings."""
    return tuple(shown_text(str(value)) for value in values)
