"""A spec read from its file."""

import os
from pathlib import Path

from jaxattn.core.contracts import InputError
from jaxattn.study.parse import parse_spec
from jaxattn.study.spec import Spec

__all__ = ["read_spec"]


def read_spec(path: str | os.PathLike[str]) -> Spec:
    """The spec in a TOML file.

    Raises:
        InputError: no such file, no text, or what `parse_spec` refuses; the message starts with
            the file's name.
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8-sig")  # some editors write a mark first
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputError(
            f"spec: got {os.fspath(path)!r}, expected a TOML file ({said}); is the "
            "name spelt right?"
        ) from error
    try:
        return parse_spec(text)
    except InputError as error:
        raise InputError(f"{file.name}: {error}") from error
