"""What a command says: lines and tables for a person, or one JSON object for a program.

Text from users is shown as it is: it is no markup, and commands no terminal.
"""

import json
import sys
from typing import Any

from jaxattn.core.text import printable

__all__ = ["answer", "complain", "note", "print_json", "show"]

# Imported by the command line before it knows what is asked for: nothing heavy up here.


def complain(text: str) -> None:
    """One line on standard error."""
    print(f"jaxattn: {printable(text)}", file=sys.stderr)


def note(text: str) -> None:
    """One line on standard error of how things go."""
    print(printable(text), file=sys.stderr)


def show(*parts: Any) -> None:
    """Print strings and rich tables, one below the other."""
    from rich.console import Console

    from jaxattn.terminal.text import shown_text

    # Piped into a file a table keeps all its columns; a folder called [red] is no colour.
    width = None if Console().is_terminal else 160
    console = Console(width=width, markup=False, emoji=False)
    for part in parts:
        is_line = isinstance(part, str)
        console.print(shown_text(part) if is_line else part, highlight=False, soft_wrap=is_line)


def answer(as_json: bool, value: Any, *parts: Any) -> None:
    """Print `value` as `print_json` does for a program, or `parts` as `show` does for a person."""
    if as_json:
        print_json(value)
    else:
        show(*parts)


def print_json(value: Any) -> None:
    """Print one JSON object; NaN as null."""
    from jaxattn.core.canonical_json import plain

    print(json.dumps(plain(value), allow_nan=False))
