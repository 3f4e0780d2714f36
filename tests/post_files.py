"""Posts in the two files of HateXplain, as a test wants them: words are single letters."""

import json
from pathlib import Path
from typing import Any

__all__ = ["post", "posts_in", "six_posts"]


def post(words: str, labels: str = "x", rationales: tuple[str, ...] = ()) -> dict[str, Any]:
    """A post of these words, the label of each annotator, and rationales such as ``"0 1 0"``."""
    return {
        "post_id": "",
        "post_tokens": words.split(),
        "annotators": [{"label": label, "annotator_id": 0} for label in labels.split()],
        "rationales": [[int(mark) for mark in one.split()] for one in rationales],
    }


def six_posts() -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Two posts of each split, of the labels x and y."""
    records = {
        "a": post("p q r", "x", ("0 1 0",)),
        "b": post("q s", "y", ("0 1",)),
        "c": post("p t", "x", ("1 0",)),
        "d": post("s u", "y"),
        "e": post("q p q p", "x", ("0 0 1 1",)),
        "f": post("s", "y", ("1",)),
    }
    return records, {"train": ["a", "b"], "val": ["c", "d"], "test": ["e", "f"]}


def posts_in(folder: Path, records: Any, divisions: Any) -> Path:
    """The folder, with both files in it."""
    (folder / "dataset.json").write_text(json.dumps(records))
    (folder / "post_id_divisions.json").write_text(json.dumps(divisions))
    return folder
