"""Posts with rationales: what is read of the files, what is decided, counted and refused."""

import numpy as np
import pytest
from post_files import post, posts_in, six_posts

from jaxattn.core.contracts import InputError
from jaxattn.core.vocabulary import PAD, UNKNOWN
from jaxattn.problems.check_data import check_splits
from jaxattn.tasks import rationales
from jaxattn.tasks.annotation import annotated, data_card
from jaxattn.tasks.made_posts import made_posts
from jaxattn.tasks.readers.posts import parse_posts, read_posts


def decided(records, divisions, **how):
    return annotated(parse_posts(records, divisions), **how)


def with_post(one, split="train"):
    records, divisions = six_posts()
    divisions[split] = [*divisions[split], "new"]
    return {**records, "new": one}, divisions


def counted(posts):
    """What was met, by the first words of it."""
    return {words: count for words, count in posts.counts.items() if count}


def test_words_labels_and_rationales_are_those_of_the_files(tmp_path) -> None:
    task = rationales(posts_in(tmp_path, *six_posts()))
    assert task.vocabulary is not None
    # In the order in which training posts have them; others are unknown.
    assert task.vocabulary.words[2:] == ("p", "q", "r", "s")
    p, q, r, s = range(2, 6)
    splits = task.make(0)
    assert list(splits) == ["train", "validation", "test"]
    rows = [of.examples.segments.tolist() for of in splits.values()]
    assert rows[0] == [[p, q, r, PAD], [q, s, PAD, PAD]]
    assert rows[1] == [[p, UNKNOWN, PAD, PAD], [s, UNKNOWN, PAD, PAD]]
    assert rows[2] == [[q, p, q, p], [s, PAD, PAD, PAD]]
    for data in splits.values():
        np.testing.assert_array_equal(data.examples.mask, data.examples.segments != PAD)
        np.testing.assert_array_equal(data.examples.label, [0, 1])
    assert splits["train"].examples.foreground.tolist() == [[0, 1, 0, 0], [0, 1, 0, 0]]
    assert not splits["validation"].examples.foreground[1].any()
    assert (task.segments, task.classes, task.default_model) == (4, 2, "text")
    check_splits(task, splits)


def test_rare_words_are_unknown(tmp_path) -> None:
    task = rationales(posts_in(tmp_path, *six_posts()), least_count=2)
    assert task.vocabulary is not None
    assert task.vocabulary.words[2:] == ("q",)


@pytest.mark.parametrize(
    ("how", "label", "marks"),
    [
        ({}, "x", [1, 0, 0]),
        ({"rationale": "union"}, "x", [1, 1, 1]),
        ({"rationale": "mean"}, "x", [0, 0, 1]),
        ({"label": "majority"}, "y", [0, 1, 1]),
        ({"label": "majority", "rationale": "mean"}, "y", [0, 0, 1]),
    ],
)
def test_annotators_are_one_label_and_one_rationale(how, label, marks) -> None:
    one = post("p q r", "x y y", ("1 0 0", "0 1 1", "0 0 1"))
    new = decided(*with_post(one), **how).splits["train"][-1]
    assert new.label == label
    assert new.rationale.tolist() == marks


@pytest.mark.parametrize(
    ("how", "weight"),
    [("even", None), ("balanced", [0.75, 1.5, 0.75]), ("agreement", [1, 1, 2 / 3])],
)
def test_a_post_counts_in_what_is_learnt_as_asked_and_in_measures_as_any_other(
    how, weight, tmp_path
) -> None:
    files = posts_in(tmp_path, *with_post(post("p q r", "x y x")))
    task = rationales(files, learning_weight=how)
    splits = task.make(0)
    check_splits(task, splits)
    if weight is not None:
        np.testing.assert_allclose(splits["train"].learning_weight, weight, rtol=1e-15)
    assert [data.learning_weight is None for data in splits.values()] == [
        weight is None,
        True,
        True,
    ]
    for data in splits.values():
        assert (data.examples.weight == 1).all()
    # What is learnt from is another, and so is its SHA-256.
    assert (task.content == rationales(files).content) == (weight is None)


def test_half_of_two_annotators_mark_a_word_that_one_of_them_marks() -> None:
    one = post("p q r", "x y", ("1 0 0", "0 1 0"))
    assert decided(*with_post(one), rationale="mean").splits["train"][-1].rationale.tolist() == [
        *(1, 1, 0)
    ]


@pytest.mark.parametrize(
    ("one", "how", "met", "marks"),
    [
        (post("p q r", "x", ("0 1",)), {}, "rationales of another length", [0, 1, 0]),
        (post("p q", "x", ("0 1 1",)), {}, "rationales of another length", [0, 1]),
        (post("p q", "x y x", ("0 1", "1 0")), {}, "posts with rationales of some", [0, 1]),
        # That of the majority is not known: the first one.
        (
            post("p q", "y x x", ("0 1", "1 0")),
            {"label": "majority"},
            "posts with rationales of some",
            [0, 1],
        ),
        (post("", "x"), {}, "empty posts, left out", None),
        (post("p", "x y"), {"label": "majority"}, "posts without a majority, left out", None),
    ],
)
def test_what_can_be_read_in_one_way_alone_is_read_so_and_counted(one, how, met, marks) -> None:
    posts = decided(*with_post(one), **how)
    found = counted(posts)
    assert [count for words, count in found.items() if words.startswith(met)] == [1]
    train = posts.splits["train"]
    assert len(train) == (2 if marks is None else 3)
    if marks is not None:
        assert train[-1].rationale.tolist() == marks
    assert any(words.startswith(met) and count == 1 for words, count in data_card(posts).items())


def test_posts_in_no_split_and_posts_without_a_rationale_are_counted() -> None:
    records, divisions = six_posts()
    posts = decided({**records, "more": post("p")}, divisions)
    assert counted(posts) == {"posts in no split, left out": 1, "posts without a rationale": 1}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda r, d: d["val"].append("gone"), "post 'gone' in val"),
        (lambda r, d: d["val"].append("a"), "post 'a' in train and in val"),
        (lambda r, d: d.pop("test"), "got no train, val, test"),
        (lambda r, d: d.update(val=3), "val that is no list"),
        (lambda r, d: r.update(a=3), "post 'a' that is no table"),
        (lambda r, d: r["a"].pop("post_tokens"), "post 'a' without a list of words"),
        (lambda r, d: r["a"].update(post_tokens="p q"), "post 'a' without a list of words"),
        (lambda r, d: r["a"].update(annotators=[]), "post 'a' without the label"),
        (lambda r, d: r["a"].update(annotators=[{}]), "post 'a' without the label"),
        (lambda r, d: r["a"].pop("rationales"), "post 'a' with rationales that"),
        (lambda r, d: r["a"].update(rationales=[[0, 2, 0]]), "post 'a' with rationales that"),
        (lambda r, d: r.update(c=post("p", "z")), "post 'c' of validation labelled 'z'"),
        (lambda r, d: d.update(val=[]), "no post to use in validation"),
        (lambda r, d: d.update(train=["a"]), "the label 'x' alone"),
    ],
)
def test_what_cannot_be_read_is_refused_with_file_and_post(tmp_path, change, words) -> None:
    records, divisions = six_posts()
    change(records, divisions)
    with pytest.raises(InputError, match=words) as refused:
        annotated(read_posts(posts_in(tmp_path, records, divisions)))
    assert str(tmp_path) in str(refused.value)


@pytest.mark.parametrize("name", ["dataset.json", "post_id_divisions.json"])
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda whole: whole[: len(whole) // 2], "JSON that breaks off at line 1"),
        (lambda whole: b"\xff" + whole, "what is no JSON"),
        (lambda whole: b"[]", "expected"),
        (None, "No such file"),
    ],
)
def test_a_spoilt_file_is_refused_by_name(tmp_path, name, spoil, words) -> None:
    path = posts_in(tmp_path, *six_posts()) / name
    whole = path.read_bytes()
    path.unlink()
    if spoil is not None:
        path.write_bytes(spoil(whole))
    with pytest.raises(InputError, match=words) as refused:
        rationales(tmp_path)
    assert name in str(refused.value)


def test_ways_to_decide_that_are_none_and_other_posts_than_expected_are_refused(tmp_path) -> None:
    for how in ({"label": "last"}, {"rationale": "all"}, {"learning_weight": "most"}):
        with pytest.raises(InputError, match="expected one of"):
            rationales(**how)
    posts_in(tmp_path, *six_posts())
    known = rationales(tmp_path).content
    assert rationales(tmp_path, sha256=known).content == known
    with pytest.raises(InputError, match=known):
        rationales(tmp_path, sha256="0" * 64)


def test_files_that_change_are_another_task(tmp_path) -> None:
    records, divisions = six_posts()
    before = rationales(posts_in(tmp_path, records, divisions))
    assert rationales(tmp_path) is before
    records["a"]["post_tokens"].append("z")
    after = rationales(posts_in(tmp_path, records, divisions))
    assert after.content != before.content


def test_posts_that_are_made_come_from_their_seed_and_are_read_without_a_fault() -> None:
    assert made_posts(3) == made_posts(3) != made_posts(4)
    posts = decided(*made_posts())
    assert posts.classes == ("colour", "plain", "shape")
    # Nothing is amiss but what the data are to have.
    assert counted(posts).keys() == {"posts without a rationale"}
    for one in posts.splits["train"]:
        pairs = zip(one.tokens, one.rationale, strict=True)
        marked = {word.split("-")[0] for word, is_marked in pairs if is_marked}
        assert marked <= {one.label}
