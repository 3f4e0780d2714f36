"""A measure says what it is: known ones by name, those of one's own in their attributes."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from example_results import LABELS, example_result
from made_to_order import result

from jaxattn.analysis.findings import findings
from jaxattn.analysis.measures import (
    compared_in,
    heading_of,
    in_columns,
    measures_in,
    spoken_in,
    summarised_in,
    terminal_columns,
    watched_in,
)
from jaxattn.analysis.paired_differences import differences
from jaxattn.analysis.summary import summary
from jaxattn.core.canonical_json import canonical_json
from jaxattn.core.contracts import MeasureColumn, MeasureSpec, MeasureWording, Trajectory
from jaxattn.core.question import Question
from jaxattn.problems.result_measures import ATTRIBUTE, KNOWN, attributes_of, measure_of
from jaxattn.results.dataset import block, spec_of
from jaxattn.study.questions import plain_questions
from jaxattn.terminal.tables import results_table, sentences

REWARD = MeasureSpec("reward", unit="nat", long_name="reward", better="more", headline=True)
EFFORT = replace(
    REWARD,
    name="effort",
    long_name="effort of it",
    better="less",
    wording=MeasureWording("ends at its ease", "with less trouble than", "the trouble"),
    column=MeasureColumn("effort", digits=2),
)


def with_own(*specs: MeasureSpec, rng: np.random.Generator) -> xr.Dataset:
    """Soft above hard in each of them, in 16 seeds."""
    ds = result({"accuracy": np.broadcast_to(5.0, (2, 1, 16)).copy()}, rates=(0.1,), last=[100.0])
    for spec in specs:
        own = ds["accuracy"].isel(inference=0, drop=True).copy(deep=True)
        own[:] = rng.normal(size=own.shape)
        own.loc[{"paradigm": "soft"}] += 20.0
        ds[spec.name] = own.assign_attrs(attributes_of(spec))
    return ds


@pytest.mark.parametrize("spec", [REWARD, EFFORT, replace(KNOWN["error_cell"], name="mine")])
def test_what_a_measure_says_of_itself_is_read_from_its_attributes(spec: MeasureSpec) -> None:
    found = measure_of(spec.name, attributes_of(spec))
    assert replace(found, dims=spec.dims, coords=spec.coords) == spec


def test_a_known_measure_and_a_silent_one_say_nothing_but_their_labels() -> None:
    silent = MeasureSpec("loss", unit="nat", long_name="my loss")
    for spec in (*LABELS, *KNOWN.values(), silent):
        assert attributes_of(spec) == {"units": spec.unit, "long_name": spec.long_name}
    assert measure_of("loss", attributes_of(silent)).wording == KNOWN["loss"].wording
    assert ATTRIBUTE in attributes_of(REWARD)


def test_the_measures_of_a_result_are_told_in_the_orders_of_their_specs() -> None:
    ds = example_result(seeds=1)
    names = [spec.name for spec in summarised_in(ds)]
    assert names == [
        *("loss", "accuracy", "error_cell"),
        *("focus_accuracy", "attention_foreground", "attention_entropy"),
    ]
    time = ds["objective"].isel(save=0).drop_attrs()
    ds = ds.assign(time_to_focus=time, time_to_fit=time)
    assert [spec.name for spec in spoken_in(ds)] == [
        *("time_to_focus", "attention_foreground", "accuracy", "FTPT", "time_to_fit", "loss"),
    ]
    assert [heading_of(spec) for spec in in_columns(ds)] == [
        *("time to focus", "time to fit", "attention on the foreground", "accuracy [%]"),
        *("right for the right reason [%]", "right for the wrong reason [%]", "loss [nat]"),
    ]
    assert [heading for heading, *_ in terminal_columns(ds)] == [
        *("time to focus", "attention on foreground", "accuracy %"),
        *("right for the right reason %", "loss"),
    ]
    assert watched_in(ds) == ["attention_foreground", "accuracy"]
    assert {spec.name for spec in measures_in(ds)} >= {"objective", "gradient_norm", "steps"}


def test_a_measure_of_ones_own_is_summarised_compared_and_spoken_of(
    rng: np.random.Generator,
) -> None:
    ds = with_own(REWARD, EFFORT, rng=rng)
    questions = [Question(f"who-{name}", name) for name in ("reward", "effort")]
    spec = {**spec_of(ds), "questions": plain_questions(tuple(questions))}
    ds = ds.assign_attrs(spec=canonical_json(spec))
    assert {"reward", "effort"} <= set(summary(ds)["measure"])
    assert {"reward", "effort"} <= set(differences(ds)["measure"])
    texts = {one.measure: one.text for one in findings(ds)}
    assert texts["who-reward"].startswith(
        "who-reward: soft ends with the highest reward: more than hard by "
    )
    assert texts["who-effort"].startswith(
        "who-effort: hard ends at its ease: with less trouble than soft by "
    )
    assert "effort" in [str(column.header) for column in results_table(summary(ds), ds).columns]
    assert "reward" in watched_in(ds)
    assert any("highest reward" in line for line in sentences(findings(ds)))


def test_a_variable_of_a_result_keeps_what_its_measure_says() -> None:
    one = np.ones((1, 2))
    measures = {"objective": one, "gradient_norm": one[..., None], "reward": one[..., None]}
    work = {"gradients": one[:, 0], "steps": one[:, 0]}
    trajectory = Trajectory(one[0], one[0], measures, np.ones(1, int), one[:, 0], work)
    ds = block(trajectory, {"seed": [0]}, [REWARD.over_splits(("train",))], ["all"])
    assert measure_of("reward", ds["reward"].attrs) == REWARD
    for name in ("objective", "gradient_norm", "time_reached", "evaluations", "steps"):
        labels = {"units": KNOWN[name].unit, "long_name": KNOWN[name].long_name}
        assert ds[name].attrs == labels


def test_a_measure_with_axes_of_its_own_is_in_summaries_by_label_and_not_compared(
    rng: np.random.Generator,
) -> None:
    ds = with_own(REWARD, rng=rng)
    ds["reward"] = ds["reward"].expand_dims(colour=["red", "green"])
    assert {"reward red", "reward green"} <= set(summary(ds)["measure"])
    assert "reward" not in [one.spec.name for one in compared_in(ds)]
