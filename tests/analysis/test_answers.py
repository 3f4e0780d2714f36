"""Answers and claims say what stands in the table of contrasts, in order, and nothing else."""

import re

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from example_results import example_result
from made_to_order import result

from jaxattn.analysis.answers import answers
from jaxattn.analysis.claims import claims
from jaxattn.analysis.contrasts import contrasts
from jaxattn.analysis.scope import error_words, scope_words, too_few_words
from jaxattn.analysis.wording import interval_words, number_words
from jaxattn.core.canonical_json import canonical_json
from jaxattn.results.dataset import spec_of


def made(rng, steps, seeds=16, measure="accuracy", noise=0.1) -> xr.Dataset:
    """Paradigms `steps` apart, seeds alike in all but a little noise."""
    shape = (len(steps), 1, seeds)
    values = 5 + np.reshape(steps, (-1, 1, 1)) + noise * rng.normal(size=shape)
    return result({measure: values + rng.normal(size=seeds)})


def said(ds: xr.Dataset, question: str = "accuracy") -> tuple[str, str]:
    (one,) = (each for each in answers(ds) if each.question == question)
    return one.text, one.more


def test_one_that_is_ahead_of_all_others_leads_and_the_rest_is_told_after(rng):
    text, more = said(made(rng, [0, 4, 2]))
    assert text.startswith("hard ends most accurate: more than soft by ")
    assert "; more than lvml by " in text
    assert text.count("(16 of 16 seeds)") == 2
    assert re.fullmatch(r"lvml more than soft by \S+ \[.*\] \(16 of 16 seeds\)\.", more)


def test_two_that_are_ahead_of_the_same_lead_together_and_no_one_alone(rng):
    ds = made(rng, [0, 4, 4.01])
    text, more = said(ds)
    assert text.startswith("hard and lvml end most accurate: more than soft by ")
    assert "the least is hard's" in text or "the least is lvml's" in text
    assert more.startswith("hard - lvml equal within 1, ")
    numbers = contrasts(ds).query("b == 'hard' or b == 'lvml'").query("a == 'soft'").estimate
    assert number_words(numbers.abs().min()) in text


def test_one_of_whom_nothing_is_sure_does_not_lead(rng):
    ds = made(rng, [0, 4, 0])
    ds["accuracy"].loc[{"paradigm": "lvml"}] = 5 + xr.DataArray([40.0, -40.0] * 8, dims="seed")
    text, _ = said(ds)
    assert text.startswith("hard ends most accurate: more than soft by ")
    assert "hard - lvml undecided, " in text


def test_paradigms_that_are_the_same_so_far_speak_as_one(rng):
    ds = made(rng, [4, 0, 2, 4])
    ds["accuracy"].loc[{"paradigm": "hybrid"}] = ds["accuracy"].sel(paradigm="soft")
    text, more = said(ds)
    assert text.startswith("soft and hybrid end most accurate: more than hard by ")
    assert more.startswith("soft and hybrid are the same so far in every seed; ")
    ds["accuracy"][:] = ds["accuracy"].sel(paradigm="soft")
    text, _ = said(ds)
    assert text == (
        "soft, hard, lvml and hybrid are the same so far in every seed, in the final accuracy."
    )


def scattered(size: float) -> xr.Dataset:
    """Three paradigms that come out one way or the other from seed to seed."""
    patterns = [[0] * 8, [1, -1, 1, -1, 1, -1, 1, -1.2], [1, 1, 1, -1, 1, 1, -1, 1]]
    return result({"accuracy": 5 + size * np.array(patterns, dtype=float)[:, None]})


def test_where_nothing_is_sure_the_nearest_is_named_with_the_seeds_that_would_decide():
    text, _ = said(scattered(3.0))
    assert text.startswith(
        "undecided in the final accuracy; nearest to a difference is lvml, more than "
    )
    assert re.search(r"about \d+ seeds would decide", text)
    assert "most accurate" not in text


def test_what_is_equal_is_said_to_be_within_its_delta():
    text, _ = said(scattered(0.01))
    assert text.startswith("no two differ in the final accuracy: soft - hard equal within 1, ")


def test_a_time_is_told_in_time_and_in_steps_and_one_that_no_run_reached_as_such(rng):
    ds = made(rng, [0, 2], measure="time_to_focus")
    ds["time_to_focus"].attrs["units"] = "time"
    text, _ = said(ds, "first-to-focus")
    assert re.search(r"sooner than hard by [\d.]+ \[[^]]*\] in time, [\d.]+ steps \(16 of", text)
    ds["time_to_focus"][:] = np.nan
    assert said(ds, "first-to-focus")[0] == (
        "no run came to have 0.5 of its attention on the foreground."
    )
    ds["time_to_focus"].loc[{"paradigm": "soft"}] = 3.0
    text, _ = said(ds, "first-to-focus")
    assert "sooner than hard by a median that is open [" in text
    assert "nan" not in text


def test_exponents_are_told_as_means_with_those_of_the_theory_beside():
    ds = example_result(("soft", "hard"), (0.1,), seeds=6, saves=41, theory=True)
    text, more = said(ds, "late-gain")
    assert re.search(r"means: soft -?[\d.e-]+ \(theory -?[\d.e-]+\), hard ", text)
    assert "late exponent" in more or "late exponent" in text


def test_what_is_to_fall_is_said_to_fall(rng):
    ds = example_result(("soft", "hard"), (0.1,), seeds=8, saves=41)
    time = ds["time"].isel(learning_rate=0, drop=True)
    steep = xr.DataArray([1.0, 3.0], dims="paradigm") + 0.1 * xr.DataArray(
        rng.normal(size=8), dims="seed"
    )
    ds["loss"] = (ds["loss"] * 0 - steep * time).transpose(*ds["loss"].dims)
    spec = {**spec_of(ds), "questions": [{"name": "q", "measure": "loss", "at": "late gain"}]}
    text, _ = said(ds.assign_attrs(spec=canonical_json(spec)), "q")
    assert text.startswith("hard falls most in loss over the last half of the run: further than")


def test_a_hybrid_is_told_against_each_of_the_two(rng):
    ds = made(rng, [0, 4, 2, 6], measure="attention_foreground")
    text, _ = said(ds, "hybrid")
    assert text.startswith("hybrid more than soft by ")
    assert text.endswith("in the final attention on the foreground.")


@pytest.mark.parametrize("seeds", [2, 6, 16])
def test_every_number_of_an_answer_stands_in_the_table(rng, seeds):
    ds = example_result(seeds=seeds, saves=21)
    table = contrasts(ds)
    numbers = {
        number_words(sign * value)
        for name in ("estimate", "low", "high", "steps", "delta", "mean_a", "mean_b")
        for value in table[name].dropna()
        for sign in (1, -1)
    }
    counts = {f"{value:.0f}" for value in table["needed"].dropna()}
    counts |= {str(value) for name in ("favour", "seeds") for value in table[name]}
    for each in answers(ds, table):
        words = re.sub(r"\(1 - .*?run\)|fewer than 2|run 6 or more", "", each.text + each.more)
        for number in re.findall(r"(?<![\w.])-?\d[\d.]*(?:e[-+]\d+)?(?<!\.)", words):
            assert number in numbers | counts, (number, each)


def test_intervals_show_which_ends_are_open():
    assert interval_words(0.1, 0.3) == "[0.1, 0.3]"
    assert interval_words(np.nextafter(0.0, 1.0), 2.0) == "(0, 2]"
    assert interval_words(-2.0, -np.nextafter(0.0, 1.0)) == "[-2, 0)"
    assert interval_words(-np.inf, 1.0) == "(-\N{INFINITY}, 1]"
    assert interval_words(np.nan, 1.0) == ""


# The abstract's claims.


def table_of(**verdicts: tuple[str, int]) -> pd.DataFrame:
    """One line a question: soft against hard, or the hybrid's two."""
    lines = []
    for key, (verdict, side) in verdicts.items():
        question, _, behind = key.partition("_over_")
        a, b = ("hybrid", behind) if behind else ("soft", "hard")
        time = question.startswith("first") or behind == "hard"
        lines.append(
            {
                "question": question.replace("_", "-"), "a": a, "b": b, "learning_rate_b": 0.1,
                "measure": "m", "at": "late gain" if question == "late_gain" else "end",
                "better": "less" if time else "more", "side": side, "verdict": verdict,
                "same": False,
            }
        )  # fmt: skip
    return pd.DataFrame(lines)


@pytest.mark.parametrize(
    ("focus", "late", "wanted"),
    [
        (("differs", -1), ("differs", -1), "holds"),
        (("differs", 1), ("differs", -1), "does not hold"),
        (("equal", -1), ("differs", -1), "does not hold"),
        (("differs", -1), ("undecided", -1), "undecided"),
        (("differs", -1), ("differs", 1), "does not hold"),
    ],
)
def test_soft_splutters_where_it_is_first_and_hard_gains_more_late(focus, late, wanted):
    ds = example_result(("soft", "hard"), (0.1,), seeds=2)
    told = claims(ds, table_of(first_to_focus=focus, late_gain=late))
    (one,) = (claim for claim in told if claim.name == "Soft fast, then splutters")
    assert one.verdict == wanted
    assert len(told) == 4


def test_the_hybrid_has_both_where_it_is_before_hard_and_ends_above_soft():
    ds = example_result(("soft", "hard"), (0.1,), seeds=2)
    for sides, wanted in {
        (1, -1): "holds",
        (1, 1): "does not hold",
        (-1, -1): "does not hold",
    }.items():
        table = table_of(
            hybrid_over_soft=("differs", sides[0]), hybrid_over_hard=("differs", sides[1])
        )
        (one,) = (claim for claim in claims(ds, table) if "hybrid" in claim.name)
        assert one.verdict == wanted


def test_what_is_the_same_so_far_is_no_evidence_against_a_claim(rng):
    ds = made(rng, [0, 0, 0])
    ds["accuracy"][:] = ds["accuracy"].sel(paradigm="soft")
    assert {claim.verdict for claim in claims(ds)} == {"undecided"}


def test_a_comparison_says_nothing_of_a_fixed_focus_and_signatures_need_all_three(rng):
    ds = made(rng, [0, 4, 2])
    told = {claim.name: claim for claim in claims(ds)}
    assert told["Signatures differ"].verdict == "holds"
    assert told["Fixed focus explains it"].verdict == "undecided"
    assert "reproduce fixed-focus" in told["Fixed focus explains it"].why
    same = claims(made(rng, [0, 0.001, 4], noise=0.001))
    assert same[0].verdict == "does not hold"
    assert "soft and hard" in same[0].why
    two = claims(made(rng, [0, 4]))
    assert two[0].verdict == "undecided"
    assert claims(made(rng, [0])) == []


# What statistics are about.


def test_the_page_says_what_seeds_vary_and_what_all_share():
    ds = example_result(seeds=6, vary=("init",))
    assert scope_words(ds).startswith(
        "Seeds vary the start; all share the data and order of minibatches, and the examples"
    )
    ds = example_result(seeds=6, vary=("init", "data"))
    assert scope_words(ds).startswith("Seeds vary the start and data; all share the order of")
    assert scope_words(result({"loss": np.zeros((1, 1, 2))})) == ""


def test_the_page_says_how_many_contrasts_are_judged_together():
    table = contrasts(example_result(seeds=6, saves=21))
    words = error_words(table)
    assert words.startswith(f"{table['p'].notna().sum()} contrasts are judged together")
    assert "all flips" in words
    assert error_words(contrasts(example_result(("soft",), seeds=6))) == ""


def test_too_few_seeds_are_said_to_be_before_they_run():
    assert "the least p of 4 is 0.125" in too_few_words(4, 2)
    assert "0.0625" in too_few_words(5, 3)
    assert too_few_words(6, 2) == too_few_words(4, 1) == too_few_words(1, 4) == ""
