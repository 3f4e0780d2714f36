"""Results of problems of one's own in numbers and sentences, whatever they lack of attention's."""

import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from example_results import end, example_result
from own_results import OVERLAP, own_flows, own_result

import jaxattn
from jaxattn import plots
from jaxattn.analysis.answers import answers
from jaxattn.analysis.best_rates import best_rates
from jaxattn.analysis.claims import claims
from jaxattn.analysis.edge_of_stability import edge_saves
from jaxattn.analysis.limit_gaps import limits_in
from jaxattn.analysis.measures import declared_in, parameters_in, spec_in
from jaxattn.analysis.paired_differences import differences
from jaxattn.analysis.subject import (
    is_of_attention,
    problem_word,
    solved_dynamics,
    theories_in,
    unspoken_axes,
)
from jaxattn.analysis.theory_gaps import theory_gaps
from jaxattn.core.canonical_json import canonical_json
from jaxattn.core.contracts import InputError, Status
from jaxattn.core.question import Question
from jaxattn.problems.result_measures import attributes_of
from jaxattn.results.dataset import spec_of
from jaxattn.results.stopped_rows import hold_last
from jaxattn.study.questions import plain_questions

RESULTS: dict[str, Callable[[], xr.Dataset]] = {
    "whole": own_result,
    "one problem": lambda: own_result(("deep",)),
    "one seed": lambda: own_result(seeds=1),
    "one of all": lambda: own_result(("deep",), (0.1,), 1, ("train",), (), False),
    "no limits": lambda: own_result(limits=()),
    "no measures": lambda: own_result().drop_vars(
        ["modes", "overlap", "error", "params.W", "params.bias", "mode", "split"]
    ),
    "flow alone": own_flows,
    "flow and no theory": lambda: own_flows(("a", "b"), theory=False),
    "nothing finished": lambda: end(own_result(), Status.DIVERGED),
}


@pytest.mark.parametrize("name", RESULTS)
def test_each_is_summarised_and_told_without_a_number_that_is_none(name: str) -> None:
    ds = RESULTS[name]()
    table, said = jaxattn.summary(ds), jaxattn.findings(ds)
    assert table["median"].notna().all()
    for words in ("nan", "attention", "paradigm", "None"):
        assert not any(words in each.text for each in said)
    assert bool(limits_in(ds)) == (not ("flow" in name or name in ("no limits", "one of all")))
    assert jaxattn.departures(ds).empty == (not limits_in(ds))
    assert isinstance(jaxattn.orders(ds), pd.DataFrame)
    assert said[0].measure == ("distance" if name == "nothing finished" else "objective")


def test_headlines_are_the_objective_and_what_was_declared_with_few_labels() -> None:
    ds = own_result()
    wide = ds["error"].expand_dims(unit_of=np.arange(11)).transpose(..., "unit_of")
    ds = ds.assign(wide=wide, phase=1j * ds["error"])
    assert declared_in(ds) == ["objective", "modes", "overlap", "error", "wide"]
    assert list(jaxattn.summary(ds)["measure"].unique()) == [
        *("objective", "modes 0", "modes 1", "modes 2", "overlap", "error")
    ]
    line = jaxattn.summary(ds).query("measure == 'error' and dynamics == 'saxe'").iloc[0]
    assert (line["paradigm"], line["split"]) == ("deep", "train")
    assert jaxattn.summary(ds).query("measure == 'objective'")["split"].isna().all()


def test_parameters_are_no_measures_and_are_known_by_their_names() -> None:
    ds = own_result()
    assert parameters_in(ds) == {"W": "params.W", "bias": "params.bias"}
    assert parameters_in(ds.rename({"params.W": "params"})) == {
        "params": "params",
        "bias": "params.bias",
    }
    assert not {"params.W", "params.bias"} & set(declared_in(ds))


def test_a_measure_that_only_bears_a_name_of_attention_is_asked_and_told_nothing_of_it() -> None:
    ds = own_result().rename(error="accuracy", overlap="loss")
    assert spec_in(ds, "accuracy").better == ""
    assert spec_in(ds, "accuracy").unit == "V"
    assert answers(ds) == []
    told = [each for each in jaxattn.findings(ds) if each.measure == "accuracy"]
    assert told[0].text.startswith("Error of the map [V] at the end, test: shallow ")
    assert spec_in(example_result(seeds=1), "accuracy").better == "more"


def test_what_was_declared_beside_attention_is_summarised_and_nothing_else_changes() -> None:
    ds = example_result(seeds=2)
    own = ds.assign(mine=ds["objective"].assign_attrs(units="1", long_name="mine"))
    assert declared_in(ds) == []
    assert declared_in(own) == ["mine"]
    ours = jaxattn.summary(own)
    pd.testing.assert_frame_equal(
        ours[ours["measure"] != "mine"].reset_index(drop=True), jaxattn.summary(ds)
    )
    assert (ours["measure"] == "mine").sum() == 8


def test_a_result_says_what_it_is_about_and_which_dynamics_are_theories() -> None:
    ds, attention = own_result(), example_result(seeds=1, flow_seeds=1, theory=True)
    assert (is_of_attention(ds), is_of_attention(attention)) == (False, True)
    assert (problem_word(ds), problem_word(attention)) == ("problem", "paradigm")
    assert theories_in(ds) == ["saxe"]
    assert theories_in(attention) == []
    mine = json.dumps(spec_of(ds) | {"against": ["flow", "modified", "saxe"]})
    # What training is held against is a limit, whoever wrote it.
    assert theories_in(ds.assign_attrs(spec=mine)) == []
    assert solved_dynamics(ds) == "train"
    assert solved_dynamics(own_flows()) == "flow"
    assert solved_dynamics(ds.sel(dynamics=["saxe"])) == ""


def test_the_distance_from_a_theory_is_the_largest_and_the_last_difference_of_what_both_have() -> (
    None
):
    ds = own_result()
    table = theory_gaps(ds).set_index(["paradigm", "learning_rate", "split", "measure"])
    assert (table["theory"] == "saxe").all()
    assert (table["dynamics"] == "train").all()
    assert "overlap" not in table.index.get_level_values("measure")
    at = {"paradigm": "deep", "learning_rate": 0.1}
    apart = abs(ds["modes"].sel(dynamics="train") - ds["modes"].sel(dynamics="saxe"))
    apart = apart.sel(at, drop=True).sel(split="train", drop=True).max("mode")
    line = table.loc[("deep", 0.1, "train", "modes")]
    assert line["largest"] == pytest.approx(float(apart.max("save").median("seed")))
    assert line["last"] == pytest.approx(float(apart.isel(save=-1).median("seed")))
    times = ds["time"].sel(learning_rate=0.1).values[apart.argmax("save").values]
    assert line["time"] == np.median(times)
    assert (line["seeds"], line["scale"]) == (4, 3.0)
    said = [each for each in jaxattn.findings(ds) if "theory saxe" in each.text]
    assert any(
        each.text.startswith("Training differs from the theory saxe in strength of each mode by")
        and each.setting == "learning rate 0.1"
        for each in said
    )


def test_a_flow_alone_is_held_against_the_theory_and_a_seed_lost_in_either_is_left_out() -> None:
    ds = own_flows()
    ds["status"].loc[{"dynamics": "flow", "seed": 0}] = int(Status.SOLVER_FAILED)
    (line,) = theory_gaps(ds).to_dict("records")
    assert (line["dynamics"], line["measure"], line["seeds"]) == ("flow", "objective", 2)
    # 1.2 and 1.4 over 1 + time, against 1 / time.
    assert line["largest"] == pytest.approx(np.median([1 - 0.6, 1 - 0.7]))
    assert line["last"] == pytest.approx(0.3e-12, rel=1e-3)
    assert theory_gaps(own_flows(theory=False)).empty
    assert theory_gaps(example_result(seeds=1, theory=True)).empty


def test_a_theory_of_attention_is_held_against_what_it_tells_each_paradigm_as_it_answers() -> None:
    ds = example_result(("soft", "hard"), (0.1,), seeds=3, flow_seeds=3)
    ds = ds.assign_coords(dynamics=["train", "mine"])
    for name in ("loss", "error_cell", "mu", "nu"):
        ds[name].loc[{"dynamics": "mine"}] = np.nan
    table = theory_gaps(ds).set_index(["paradigm", "split", "measure"])
    assert {"objective", "accuracy", "attention_foreground"} <= set(table.index.levels[2])
    assert not {"loss", "mu", "status", "steps"} & set(table.index.levels[2])
    own = ds["accuracy"].sel(paradigm="hard", inference="argmax-segment", split="test")
    apart = abs(own.sel(dynamics="train") - own.sel(dynamics="mine")).max("save").squeeze()
    expected = float(apart.median("seed"))
    assert table.loc[("hard", "test", "accuracy"), "largest"] == pytest.approx(expected)
    never = ds.assign(time_to_focus=ds["attention_foreground"].isel(save=0, drop=True) * np.nan)
    # What a theory does not tell is not censored.
    times = jaxattn.summary(never).query("measure == 'time_to_focus'")
    assert set(times["dynamics"]) == {"train"}
    drawn = [one.name for one in plots.gallery(ds)]
    assert {"curves_objective", "curves_accuracy"} <= set(drawn)


def test_the_rate_of_a_gradient_flow_without_training_is_not_spoken_of() -> None:
    ds, beside = own_flows(), own_result(("deep",), (0.1,))
    assert unspoken_axes(ds) == {"learning_rate"}
    assert {each.setting for each in jaxattn.findings(ds)} == {""}
    assert "learning rate" not in plots.curves(ds).get_title(loc="left")
    # It sets the steps of training, and the modified flow depends on it.
    for one in (beside, beside.sel(dynamics=["flow", "modified"])):
        assert unspoken_axes(one) == set()
    assert unspoken_axes(own_result().sel(dynamics=["flow"])) == set()


def test_theories_have_no_positions_and_are_no_limits() -> None:
    ds = own_result()
    assert set(jaxattn.orders(ds)["dynamics"]) == {"flow", "modified"}
    assert set(jaxattn.departures(ds)["limit"]) == {"flow", "modified"}
    with pytest.raises(InputError, match="got 'saxe', expected one of flow, modified"):
        jaxattn.departures(ds, "saxe")


def test_declared_measures_are_compared_and_asked_about_as_any_other() -> None:
    ds = own_result(limits=(), theory=False, seeds=8)
    ds["overlap"].attrs = attributes_of(OVERLAP)
    ds["overlap"].loc[{"paradigm": "deep"}] += 0.5 + 0.01 * ds["seed"]
    assert set(differences(ds)["measure"]) == {"overlap"}
    assert set(best_rates(ds)["selection"]) == {"least mean objective of all seeds"}
    ends = ds["objective"].sel(dynamics="train").isel(save=-1).mean("seed")
    rates = ends["learning_rate"].values[ends.argmin("learning_rate").values]
    assert best_rates(ds)["learning_rate"].tolist() == rates.tolist()
    assert answers(ds) == claims(ds) == []
    asked = plain_questions((Question("who", "overlap", title="Who overlaps most?"),))
    ds = ds.assign_attrs(spec=canonical_json(spec_of(ds) | {"questions": asked}))
    assert {each.title for each in answers(ds)} == {"Who overlaps most?"}
    assert any("deep ends with the highest overlap" in each.text for each in jaxattn.findings(ds))


def test_one_seed_is_too_few_only_where_two_problems_are_to_be_told_apart() -> None:
    few = [each.text for each in jaxattn.findings(own_result(seeds=1)) if each.measure == "seeds"]
    assert len(few) == 1
    assert "between problems" in few[0]
    assert "seeds=8" in few[0]
    alone = jaxattn.findings(own_result(("deep",), seeds=1))
    assert not [each for each in alone if each.measure == "seeds"]


def test_a_flow_alone_reaches_no_edge_and_leaves_no_limit() -> None:
    ds = own_result().sel(dynamics=["flow"])
    assert "sharpness" in ds
    assert edge_saves(ds) is None
    assert limits_in(ds) == []
    assert jaxattn.orders(ds).empty
    assert jaxattn.departures(ds).empty


def test_a_flow_that_converged_keeps_the_values_that_it_has() -> None:
    for ds, dynamics in ((own_flows(), "flow"), (own_result(), "flow")):
        ended = ds.copy(deep=True)
        ended["status"].loc[{"dynamics": dynamics}] = int(Status.CONVERGED)
        ended["steps"].loc[{"dynamics": dynamics}] = 7.0
        xr.testing.assert_identical(hold_last(ended["objective"], ended), ds["objective"])
        pd.testing.assert_frame_equal(jaxattn.summary(ended), jaxattn.summary(ds))
