"""Posts of invented words in the form of HateXplain's files: text with rationales from a seed.

A post of a class holds some of the class's own words among words of no class, and its annotators
mark them; posts of the class ``plain`` hold none, and have no rationale.
"""

from typing import Any, SupportsIndex

import numpy as np

from jaxattn.tasks.arguments import as_int

__all__ = ["made_posts"]

_CLASSES = ("colour", "plain", "shape")
_OWN = 6
"""Words of a class."""
_COMMON = 120
_LONGEST = 24


def made_posts(seed: SupportsIndex = 0, count: SupportsIndex = 800) -> tuple[Any, Any]:
    """``(records, divisions)`` as `jaxattn.tasks.readers.posts.parse_posts` takes them.

    Three annotators a post: two agree with what the post was made for; the third is of another
    class every tenth time, and marks one word less where there are two or more. As in HateXplain,
    posts whose majority is ``plain`` have no rationales.

    Args:
        seed: equal seeds give equal posts.
        count: posts; 8 of 10 to learn from, 1 for validation, 1 to test.
    """
    stream = np.random.default_rng(as_int("seed", seed, low=0))
    names = [f"post-{number}" for number in range(as_int("count", count, low=30))]
    records = {name: _record(name, stream) for name in names}
    held = len(names) // 10
    divisions = {
        "train": names[: -2 * held],
        "val": names[-2 * held : -held],
        "test": names[-held:],
    }
    return records, divisions


def _record(name: str, stream: np.random.Generator) -> dict[str, Any]:
    label = str(stream.choice(_CLASSES))
    length = int(stream.integers(4, _LONGEST, endpoint=True))
    tokens = [f"word-{number}" for number in stream.integers(_COMMON, size=length)]
    marked = np.zeros(length, int)
    if label != "plain":
        places = stream.choice(length, int(stream.integers(1, 4)), replace=False)
        for place in places:
            tokens[place] = f"{label}-{stream.integers(_OWN)}"
        marked[places] = 1
    third = str(stream.choice(_CLASSES)) if stream.random() < 0.1 else label
    fewer = marked.copy()
    if marked.sum() > 1:
        fewer[np.argmax(marked)] = 0
    whole, part = marked.tolist(), fewer.tolist()
    return {
        "post_id": name,
        "annotators": [
            {"label": one, "annotator_id": number, "target": []}
            for number, one in enumerate((label, label, third))
        ],
        "rationales": [] if label == "plain" else [whole, whole, part],
        "post_tokens": tokens,
    }
