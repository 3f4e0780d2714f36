"""Captions: what is trained, written, counted, said of it, drawn, and kept."""

from dataclasses import replace

import numpy as np
import pytest
from coco_files import write_part
from experiment_runs import assert_labelled_and_kept
from helpers import compiled_quickly

from jaxattn.core.contracts import InputError, Status
from jaxattn.experiments.captions.experiment import CAPTIONS, run
from jaxattn.experiments.captions.figures import words_on_tiles
from jaxattn.experiments.captions.findings import findings, numbers
from jaxattn.experiments.captions.written import map_of, references_of
from jaxattn.problems.decoding import Written
from jaxattn.reports.experiment import Listeners
from jaxattn.run.stopwatch import Stopwatch
from jaxattn.tasks.coco import coco

TINY = replace(
    CAPTIONS.scales["smoke"], train=32, test=16, validation=8, segments=4, width=4, steps=4,
    batch_size=16, evaluate=8, saves=2, seeds=2,
)  # fmt: skip


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    folder, kept = tmp_path_factory.mktemp("captions") / "chunks", []
    with compiled_quickly():
        return run(TINY, Listeners(lambda _: None, kept.append, Stopwatch(), folder)), kept


def test_the_map_counts_each_name_at_the_step_where_its_chance_is_greatest():
    # Two words, two segments; the first example names its tiles, the second one name twice.
    label = np.array([[4, 5], [4, 4]])
    foreground = np.broadcast_to(np.eye(2, dtype=bool), (2, 2, 2))
    probabilities = np.zeros((2, 3, 6))
    probabilities[0, :, 4] = 0.1, 0.9, 0.2
    probabilities[0, :, 5] = 0.25, 0.1, 0.05
    probabilities[:, 2] = np.nan
    attention = np.array([[[0.9, 0.1], [0.25, 0.75], [np.nan, np.nan]]] * 2)
    found = map_of(Written(None, None, attention, probabilities), label, foreground)
    # Word 4 at step 1: attention 0.25 on tile 0, chance 0.9. Word 5 at step 0: 0.1 and 0.25.
    np.testing.assert_array_equal(found, [[0, 50, 0], [0, 0, 50], [0, 0, 0]])


def test_photographs_of_a_folder_are_learnt_from_in_place_of_mosaics(tmp_path):
    for part in ("train2014", "val2014"):
        write_part(tmp_path, part)
    photographs = replace(TINY, data=str(tmp_path), longest=8, least=1)
    specs = CAPTIONS.sweeps(photographs)
    assert list(specs) == ["coco"]
    # Told by what it holds, so that a sweep is the same wherever the folder lies.
    task = coco(tmp_path, longest=8, least=1)
    assert specs["coco"].task["sha256"] == task.content
    label = task.make(0)["test"].examples.label
    said = references_of(task, "test", label[:2])
    assert [len(of) for of in said] == [2, 2]
    # Of a task that knows no others it is the label: so it is of mosaics.
    own = references_of(replace(task, references=None), "test", label)
    assert [len(of) for of in own] == [1, 1, 1]
    assert own[0][0] in said[0]


def test_what_needs_a_folder_says_so():
    with pytest.raises(InputError, match="got no folder for the chunks"):
        run(TINY, Listeners(lambda _: None, lambda _: None, Stopwatch()))


@pytest.mark.slow
def test_all_is_kept_and_a_line_is_of_the_own_rule_of_its_paradigm(ran, tmp_path):
    ds, kept = ran
    assert len(kept) == 1
    assert_labelled_and_kept(ds, tmp_path)
    lines = numbers(ds)
    assert [line["paradigm"] for line in lines] == ["soft", "hard"]
    for line, rule in zip(lines, ("average-input", "argmax-segment"), strict=True):
        rows = ds.isel(save=-1).sel(paradigm=line["paradigm"], split="test")
        mean = float(rows["attention_foreground"].mean())
        assert line["attention"]["mean"] == pytest.approx(mean, abs=1e-6)
        median = float(rows["accuracy"].sel(inference=rule).median())
        assert line["accuracy"]["median"] == pytest.approx(median, abs=1e-4)
        assert 0 <= line["BLEU-4"] <= line["BLEU-1"] <= 100
    np.testing.assert_allclose(ds["written_map"].sum(("attention_3", "answer_3")), 100)


@pytest.mark.slow
def test_rows_that_did_not_finish_are_left_out(ran):
    gone = ran[0].copy(deep=True)
    gone["status"].loc[{"paradigm": "hard", "seed": 1}] = Status.DIVERGED
    assert [line["seeds"] for line in numbers(gone)] == [2, 1]


@pytest.mark.slow
def test_every_claim_is_told_and_every_figure_drawn(ran):
    ds = ran[0]
    said = findings(ds)
    assert len(said) == 2 + 5
    assert all(sentence.endswith(".") for sentence in said)
    assert all(drawing.draw() is not None for drawing in CAPTIONS.figures(ds))
    with pytest.raises(InputError, match="expected one of jaxattn reproduce captions"):
        words_on_tiles(ds.drop_vars("attention_foreground"))
