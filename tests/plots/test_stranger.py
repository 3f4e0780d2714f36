"""A figure is one file: written, it stands in the gallery of every result that allows it."""

from pathlib import Path

import pytest
from stranger import Copy

MINE = '''"""A figure of one's own."""

from collections.abc import Iterator

from jaxattn.plots.curves import learning
from jaxattn.plots.drawing import Drawing, Entry, Story

__all__ = ["DRAWINGS"]


def _drawings(story: Story) -> Iterator[Drawing]:
    if story.runs("objective"):
        caption = f"The training loss of {story.over}; {story.where}."
        yield story.drawing("mine", "The loss", caption, learning)


DRAWINGS = (Entry(65, _drawings),)
'''


@pytest.mark.slow
def test_a_figure_is_added_by_one_file(tmp_path: Path) -> None:
    copy = Copy(tmp_path)
    copy.write("plots/mine.py", MINE)
    said = copy.tell(
        "from example_results import example_result\n"
        "from jaxattn import plots\n"
        "drawings = plots.gallery(example_result(('soft', 'hard')))\n"
        "(mine,) = [one for one in drawings if one.name == 'mine']\n"
        "said = [[one.name for one in drawings], mine.caption, len(mine.draw().axes)]"
    )
    names, caption, axes = said
    assert names[:5] == ["overview", "answers", "focus", "accuracy", "mine"]
    assert caption.startswith("The training loss of 6 seeds; digits, learning rate 0.05")
    assert axes == 1
