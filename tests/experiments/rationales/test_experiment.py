"""Text with rationales: what is trained, said and drawn of it; its posts are drawn as letters."""

import json
from dataclasses import replace

import numpy as np
import pytest
from experiment_runs import assert_labelled_and_kept
from helpers import compiled_quickly
from hostile_text import HOSTILE
from post_files import posts_in, six_posts

from jaxattn.core.contracts import InputError
from jaxattn.core.text import printable
from jaxattn.experiments import plan, reproduce
from jaxattn.experiments.claims.findings import CLAIMS
from jaxattn.experiments.rationales.experiment import MEASURES, RATIONALES, drawings, run
from jaxattn.experiments.rationales.figures import _LINE, POSTS, _places, posts_drawn
from jaxattn.experiments.rationales.findings import claims_on_text, findings, numbers
from jaxattn.reports.experiment import Listeners
from jaxattn.results.dataset import DATA_CARD
from jaxattn.run.stopwatch import Stopwatch
from jaxattn.tasks import rationales

TINY = replace(
    RATIONALES.scales["smoke"], paradigms=("soft", "hard"), steps=3, saves=2, seeds=2,
    batch_size=32, evaluate=16,
)  # fmt: skip


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rationales") / "chunks"
    with compiled_quickly():
        return run(TINY, Listeners(lambda _: None, lambda _: None, Stopwatch(), folder))


@pytest.mark.slow
def test_results_are_labelled_and_bear_the_posts_that_are_shown(ran, tmp_path) -> None:
    assert set(MEASURES) <= set(ran.data_vars)
    assert "253 posts without a rationale" in ran.attrs[DATA_CARD]
    task = rationales()
    assert task.vocabulary is not None
    shown = json.loads(ran.attrs[POSTS])
    for name, data in task.make(0).items():
        mask, marked = data.examples.mask[1], data.examples.foreground[1]
        words = [task.vocabulary.words[number] for number in data.examples.segments[1][mask]]
        assert shown[name][1] == {"words": words, "rationale": marked[mask].astype(int).tolist()}
    assert_labelled_and_kept(ran, tmp_path)


@pytest.mark.slow
def test_numbers_are_those_of_held_out_posts_at_the_end(ran) -> None:
    lines = numbers(ran)
    assert len(lines) == 2 * 3
    assert [line["inference"] for line in lines if line["own"]] == [
        *("average-input", "argmax-segment")
    ]
    for line in lines:
        of = ran.sel(paradigm=line["paradigm"], split="test").isel(save=-1)
        by_rule = of.sel(inference=line["inference"])
        assert line["seeds"] == 2
        for name in ("accuracy", "sufficiency"):
            assert line[name]["median"] == pytest.approx(by_rule[name].median().item())
        assert line["token_f1"]["median"] == pytest.approx(of["token_f1"].median().item())


@pytest.mark.slow
def test_the_claims_of_the_abstract_are_judged_and_said(ran) -> None:
    judged = claims_on_text(ran)
    assert [line["claim"] for line in judged] == ["signature", *(one.name for one in CLAIMS)]
    assert {line["data"] for line in judged} == {"rationales"}
    said = findings(ran)
    assert said[0].startswith("Learnt from posts by label (colour, plain, shape)")
    assert sum("on rationales (2 seeds" in sentence for sentence in said) >= 2
    assert any(sentence.startswith("Held-out posts, F1") for sentence in said)


@pytest.mark.slow
def test_every_figure_is_drawn(ran) -> None:
    drawn = {one.name: one.draw() for one in drawings(ran)}
    assert list(drawn) == ["focus", "maps", "posts_soft", "posts_hard"]
    texts = [text.get_text() for text in drawn["posts_soft"].axes[0].texts]
    shown = json.loads(ran.attrs[POSTS])
    posts = [*shown["test"], *shown["validation"], *shown["train"][:2]]
    assert texts == [word for post in posts for word in post["words"]]
    without = ran.assign_attrs({POSTS: "{}"})
    assert not posts_drawn(without, "soft").axes[0].texts


@pytest.mark.slow
def test_words_are_drawn_as_their_letters_whatever_they_are(ran, tmp_path) -> None:
    words = [*map(printable, HOSTILE), "\U0001f600", "\u4e2d"][: ran.sizes["segment"]]
    posts = {"test": [{"words": words, "rationale": [1] * len(words)}]}
    figure = posts_drawn(ran.assign_attrs({POSTS: json.dumps(posts)}), "hard")
    # Warnings are errors: a letter that the font does not have would give one.
    figure.savefig(tmp_path / "posts.svg")
    shown = [text.get_text() for text in figure.axes[0].texts]
    assert shown[0] == words[0]
    assert not any(text.get_parse_math() for text in figure.axes[0].texts)


def test_no_line_is_longer_than_a_line_but_of_one_word() -> None:
    words = ["x" * length for length in (60, 35, 1, 95, 200, 3)]
    places = _places(words)
    assert places == [(0, 0), (0, 61), (1, 0), (2, 0), (3, 0), (4, 0)]
    assert _places(["x" * 200, "y"]) == [(0, 0), (1, 0)]
    for word, (_, column) in zip(words, places, strict=True):
        assert column == 0 or column + len(word) <= _LINE


@pytest.mark.slow
def test_a_folder_is_learnt_from_where_one_is_named(tmp_path) -> None:
    folder = posts_in(tmp_path, *six_posts())
    assert plan("rationales", "smoke", 2, str(folder))["rationales"].runs == 2 * 4
    (folder / "dataset.json").write_text("{")
    with pytest.raises(InputError, match="JSON that breaks off"):
        plan("rationales", "smoke", 2, str(folder))
    earlier = tmp_path / "earlier"
    earlier.mkdir()
    (earlier / "results.nc").write_bytes(b"of an earlier run")
    for out, overwrite in ((tmp_path / "out", False), (earlier, True)):
        with pytest.raises(InputError, match="JSON that breaks off"):
            reproduce("rationales", "smoke", out, overwrite, lambda _: None, data=str(folder))
    assert (earlier / "results.nc").read_bytes() == b"of an earlier run"
    with pytest.raises(InputError, match="trap reads no folder"):
        reproduce("trap", "smoke", tmp_path / "out", False, lambda _: None, data=str(folder))
    assert not (tmp_path / "out").exists()


def test_scales_are_of_eight_seeds_and_four_paradigms_but_the_smallest() -> None:
    for name in ("small", "paper"):
        size = RATIONALES.scales[name]
        assert size.seeds >= 8
        assert len(size.paradigms) == 4
    assert np.isclose(RATIONALES.scales["small"].steps, 60 * np.ceil(2984 / 256))
