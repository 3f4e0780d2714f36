"""Posts with labels and rationales of several annotators, in the two files of HateXplain.

``dataset.json`` holds the posts by identifier, ``post_id_divisions.json`` the identifiers of each
split (PAPER 5.4). What is wrong with a post is refused with its file and its identifier; what can
be read in one way alone is read so, and counted. Texts are never part of a message.
"""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jaxattn.core.contracts import InputError

__all__ = [
    "POST_LAYOUTS",
    "Post",
    "PostFiles",
    "folder_of",
    "holds_posts",
    "parse_posts",
    "read_posts",
]

POSTS, DIVISIONS = "dataset.json", "post_id_divisions.json"
"""Names of the two files."""

POST_LAYOUTS: Mapping[str, str] = {"HateXplain": f"{POSTS} and {DIVISIONS}"}
"""Files of each layout of posts."""

SPLITS: Mapping[str, str] = {"train": "train", "val": "validation", "test": "test"}
"""What the splits are called here, by their name in the file."""


class Post(NamedTuple):
    """One post as its annotators left it."""

    name: str
    tokens: list[str]
    labels: list[str]
    """By annotator."""
    rationales: list[list[int]]
    """0 or 1 by token: none, or one for some annotators or all; not always as long as the post."""


class PostFiles(NamedTuple):
    """Posts by split, and how many are in none."""

    path: str
    """Of the posts, for messages."""
    splits: Mapping[str, list[Post]]
    outside: int
    """Posts in no split, which are left out as published."""


def folder_of(path: str | os.PathLike[str]) -> Path:
    """A folder from the root, wherever the process goes."""
    return Path(path).absolute()


def holds_posts(path: str | Path) -> bool:
    """Whether a folder holds posts."""
    return (Path(path) / POSTS).is_file()


def read_posts(path: str | Path) -> PostFiles:
    """The posts of a folder, by split.

    Args:
        path: folder of ``dataset.json`` and ``post_id_divisions.json``.

    Raises:
        InputError: a file that is not there, is no JSON or is cut off; what `parse_posts` refuses.
    """
    folder = Path(path)
    return parse_posts(
        _json(folder / POSTS), _json(folder / DIVISIONS), str(folder / POSTS), str(folder)
    )


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(
            f"{path}: got nothing that can be read ({error.strerror}), expected {POSTS} and "
            f"{DIVISIONS}, as HateXplain has them; give the folder that holds both."
        ) from error
    except json.JSONDecodeError as error:
        raise InputError(
            f"{path}: got JSON that breaks off at line {error.lineno}, column {error.colno} "
            f"({error.msg}), expected a whole file; copy it again."
        ) from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise InputError(
            f"{path}: got what is no JSON ({type(error).__name__}), expected text; copy it again."
        ) from error


def parse_posts(records: Any, divisions: Any, path: str = POSTS, folder: str = "") -> PostFiles:
    """Posts by split, of what the two files hold.

    Args:
        records: by identifier, ``{"post_tokens", "annotators": [{"label"}], "rationales"}``.
        divisions: identifiers by ``train``, ``val`` and ``test``.
        path: what to call the first file in messages.
        folder: that of the second file.

    Raises:
        InputError: a record of another form; a split that is not there, that names a post that is
            not there, or that shares one with another: with the file and the post.
    """
    where = str(Path(folder) / DIVISIONS)
    if not isinstance(records, Mapping):
        raise InputError(
            f"{path}: got no table of posts, expected one by identifier; copy it again."
        )
    if not isinstance(divisions, Mapping) or not divisions.keys() >= SPLITS.keys():
        raise InputError(
            f"{where}: got no {', '.join(SPLITS)}, expected the identifiers of each; add them."
        )
    seen: dict[str, str] = {}
    splits: dict[str, list[Post]] = {}
    for key, name in SPLITS.items():
        names = divisions[key]
        if not isinstance(names, list) or not all(isinstance(one, str) for one in names):
            raise InputError(f"{where}: got {key} that is no list of identifiers, expected one.")
        missing = [one for one in names if one not in records]
        if missing:
            raise InputError(
                f"{where}: got post {missing[0]!r} in {key}, and {len(missing) - 1} others, which "
                f"{path} does not hold, expected posts that it does; copy both files again."
            )
        for one in names:
            if one in seen:
                raise InputError(
                    f"{where}: got post {one!r} in {seen[one]} and in {key}, expected each post "
                    "once; leave it in one of them."
                )
            seen[one] = key
        splits[name] = [_post(one, records[one], path) for one in names]
    return PostFiles(path, splits, len(records) - len(seen))


def _post(name: str, record: Any, path: str) -> Post:
    def refuse(what: str, expected: str) -> InputError:
        return InputError(f"{path}: got post {name!r} {what}, expected {expected}; correct it.")

    if not isinstance(record, Mapping):
        raise refuse("that is no table", "one")
    given: tuple[Any, ...] = tuple(map(record.get, ("post_tokens", "annotators", "rationales")))
    tokens, annotators, rationales = given
    if not _all(tokens, lambda token: isinstance(token, str)):
        raise refuse("without a list of words in post_tokens", "words")
    if not annotators or not _all(annotators, _has_label):
        raise refuse("without the label of each of its annotators", "one annotator or more")
    if not _all(rationales, _is_marking):
        raise refuse("with rationales that are no lists of 0 and 1", "one for each annotator")
    return Post(name, tokens, [one["label"] for one in annotators], rationales)


def _all(values: Any, good: Callable[[Any], bool]) -> bool:
    return isinstance(values, list) and all(map(good, values))


def _is_marking(rationale: Any) -> bool:
    return isinstance(rationale, list) and rationale.count(0) + rationale.count(1) == len(rationale)


def _has_label(annotator: Any) -> bool:
    return isinstance(annotator, Mapping) and isinstance(annotator.get("label"), str)
