"""Text from users, as a line that can be shown and as the name of a file. Imports nothing heavy."""

import re
from hashlib import sha256

__all__ = ["file_name", "printable"]

_LOSSLESS = "backslashreplace"
"""How text is encoded that UTF-8 has no bytes for."""

_BLANKS = re.compile(r"\s*[^\S ]\s*")
"""Blanks with at least one that is no space."""


def printable(text: str) -> str:
    r"""Text that a terminal shows as it is: in one line, and what would command it written out.

    A run of blanks that are not all spaces is one space; ESC, a lone surrogate and the like are
    ``\x1b``.
    """
    if text.isprintable():
        return text
    parts = (part if part.isprintable() else _written_out(part) for part in _BLANKS.split(text))
    return " ".join(parts)


def file_name(text: str) -> str:
    """Text as the name of a file or folder: its letters, digits, ``_``, ``-`` and ``.``.

    What needs no change has none; else a part of a hash keeps two names apart.
    """
    plain = re.sub(r"[^\w.-]+", "-", text, flags=re.ASCII).strip("-.")[:100]
    if plain and plain == text:
        return text
    return f"{plain or 'none'}-{sha256(text.encode(errors=_LOSSLESS)).hexdigest()[:8]}"


def _written_out(text: str) -> str:
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )
