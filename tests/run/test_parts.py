"""Runs in parts: the same rows as whole ones, and what they have in common compiled once."""

import numpy as np
import pytest
from helpers import compiled_quickly, slow_but, study_of

from jaxattn.run import group_tile, stage
from jaxattn.run.compare import run
from jaxattn.tasks import orthogonal

SMALL = {"seeds": 3, "steps": 12, "saves": 4, "batch_size": 32, "evaluate": 16}
LINEAR = {"task": "orthogonal", "paradigms": ("hard",)}
CASES = {
    "two paradigms": {"task": "orthogonal", "paradigms": ("soft", "lvml")},
    "a network": {"task": "digits", "paradigms": ("soft",)},
    "data of each seed, an order for each": {
        **LINEAR,
        "vary": ("data",),
        "order": "shuffled-per-seed",
    },
    "draws at every step, a state of the optimiser": {
        **LINEAR,
        "order": "with-replacement",
        "optimiser": "adam",
    },
    "the whole set, parameters kept": {**LINEAR, "batch_size": "all", "keep": "all"},
}


def results(asked, monkeypatch):
    """The same study in parts and whole."""
    there = {**SMALL, **asked}
    study = study_of(
        **{**there, "hypers": {"learning_rate": (0.1, 0.2), **there.get("hypers", {})}}
    )
    parts = run(study)
    monkeypatch.setattr(group_tile, "MOST_BYTES", 0)
    return parts, run(study)


@pytest.mark.parametrize("case", slow_but(["a network"], CASES))
def test_rows_in_parts_are_the_bits_of_whole_rows(case, monkeypatch):
    parts, whole = results(CASES[case], monkeypatch)
    assert set(parts.variables) == set(whole.variables)
    for name in parts.variables:
        np.testing.assert_array_equal(parts[name], whole[name], err_msg=name)
    # The programs are others: it is not one path compared with itself.
    assert parts.attrs["made_with"] != whole.attrs["made_with"]


@pytest.mark.slow
def test_where_a_loss_is_one_of_two_they_are_equal_but_for_rounding(monkeypatch):
    hybrid = {"task": "orthogonal", "paradigms": ("hybrid",), "hypers": {"switch_time": 0.3}}
    with compiled_quickly():
        parts, whole = results(hybrid, monkeypatch)
    # Twelve steps at a stable rate amplify no rounding, which sums over a batch.
    rounding = SMALL["batch_size"] * np.finfo(np.float32).eps
    for name in ("objective", "loss", "gradient_norm", "attention_foreground"):
        np.testing.assert_allclose(parts[name], whole[name], rtol=rounding, err_msg=name)


@pytest.fixture
def compiled(monkeypatch):
    """The programs that are compiled from here on."""
    compiling, programs = stage._compile, []

    def counted(lowered, *how):
        programs.append(lowered)
        return compiling(lowered, *how)

    monkeypatch.setattr(stage, "_compile", counted)
    with compiled_quickly():
        yield programs


# Nothing of it is compiled yet: no other test has bags of this size.
ONE = {**SMALL, "task": orthogonal(3, 4, 30, 10), "paradigms": ("soft",)}


def test_a_second_paradigm_compiles_its_path_alone(compiled):
    run(study_of(**ONE, hypers={"learning_rate": 0.1}))
    # Start, order, path with its objective, measures, end.
    assert len(compiled) == 5
    run(study_of(**{**ONE, "paradigms": ("soft", "hard")}, hypers={"learning_rate": 0.1}))
    assert len(compiled) == 6
    # Nor does a seed, a rate or another order of paradigms.
    more = {**ONE, "seeds": 40, "paradigms": ("hard", "soft")}
    run(study_of(**more, hypers={"learning_rate": (0.1, 0.2, 0.3)}))
    assert len(compiled) == 6


@pytest.mark.needs_x64
def test_limits_beside_training_share_its_measures_and_its_start(compiled):
    limits = {"seeds": 2, "against": ("flow", "modified"), "batch_size": "auto"}
    asked = {**ONE, **limits, "flow_examples": 16, "hypers": {"learning_rate": 0.1}}
    run(study_of(**asked))
    # Start and measures are one; a path of each; the objective of training has its direction too,
    # that of the modified flow no sharpness; ends of training and of limits.
    assert len(compiled) == 2 + 3 + 3 + 2
