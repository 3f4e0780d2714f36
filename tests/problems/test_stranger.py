"""A measure is added in one file: computed, labelled, summarised, compared, asked for, drawn."""

from pathlib import Path

import pytest
from stranger import Copy

SPEC = """MEASURES = (
    MeasureSpec(
        "doubt",
        unit="nat",
        long_name="doubt about the right class",
        better="less",
        headline=True,
    ),
"""
ASK = """
import numpy as np
from example_results import example_result
from jaxattn import plots
from jaxattn.analysis.findings import findings
from jaxattn.analysis.paired_differences import differences
from jaxattn.analysis.summary import summary
from jaxattn.core.canonical_json import canonical_json
from jaxattn.core.contracts import Example, Reader
from jaxattn.problems.measures import MEASURES, View, measure_examples
from jaxattn.results.dataset import spec_of

ones = np.ones((2, 3), "float32")
batch = Example(ones, ones > 0, np.zeros(2, "int32"), ones > 0, ones[:, 0])
view = View(ones[0], np.log(ones[0] / 3), np.ones((3, 2), "float32"), Reader(lambda value: value))
found = measure_examples(lambda example: view, batch)
ds = example_result(("soft", "hard"), (0.1,), seeds=8, saves=3)
ds["doubt"].loc[{"paradigm": "soft"}] += 100
spec = spec_of(ds) | {"questions": [{"name": "doubt", "measure": "doubt", "title": "Who is sure?"}]}
ds = ds.assign_attrs(spec=canonical_json(spec))
said = {
    "labelled": [spec.name for spec in MEASURES],
    "computed": float(found["doubt"]),
    "summary": sorted(set(summary(ds)["measure"])),
    "differences": sorted(set(differences(ds)["measure"])),
    "findings": [one.text for one in findings(ds)],
    "gallery": [drawing.caption for drawing in plots.gallery(ds)],
}
"""


@pytest.mark.slow
def test_a_measure_is_added_in_one_file(tmp_path: Path) -> None:
    copy = Copy(tmp_path)
    copy.change(
        "problems/measures.py",
        ("MEASURES = (\n", SPEC),
        (
            '"attention_shown": attention,\n',
            '"attention_shown": attention,\n        "doubt": 2.0 * jnp.sum(attention),\n',
        ),
    )
    said = copy.tell(ASK)
    assert abs(said["computed"] - 2.0) < 1e-6
    for where in ("labelled", "summary", "differences"):
        assert "doubt" in said[where], where
    (text,) = [text for text in said["findings"] if "doubt about" in text]
    assert any("doubt about the right class" in one.lower() for one in said["gallery"])
    assert text.startswith("Who is sure? hard ends with the lowest doubt about the right class")
