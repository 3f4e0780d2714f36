"""What is said of training and its limits follows from the numbers, and from nothing else."""

import numpy as np
import pytest
import xarray as xr
from example_limits import POWERS, RATES, example_limits, growing
from example_results import end, example_result

from jaxattn.analysis.findings import findings
from jaxattn.analysis.limit_departures import departure_records
from jaxattn.analysis.limit_findings import gap_findings
from jaxattn.analysis.limit_wording import limit_words
from jaxattn.core.contracts import Status
from jaxattn.terminal.tables import sentences

EDGE = 8.0
"""A sharpness that 0.4 times reaches 2 at END * 4 / 7, and 0.2 times does not."""

LEFT = "soft is seen to have left the gradient flow"


def texts(ds) -> list[str]:
    found = gap_findings(ds)
    assert all(one.measure == "distance" and one.text.endswith(".") for one in found)
    assert not any("nan" in one.text.split() or "inf" in one.text.split() for one in found)
    return [one.text for one in found]


def said(ds, *words: str) -> str:
    (text,) = [text for text in texts(ds) if all(word in text for word in words)]
    return text


def test_the_order_of_each_limit_is_said_with_its_interval_and_what_is_expected():
    ds = example_limits()
    assert said(ds, "gradient flow to order") == (
        "soft follows the gradient flow to order 1.00 [1.00, 1.00] in the learning rate, hard to "
        "1.00 [1.00, 1.00]; 1 is expected."
    )
    assert "2 is expected" in said(ds, "modified flow to order")
    assert not any("no one power" in text for text in texts(ds))


def test_a_departure_is_said_with_its_time_and_step_and_where_there_is_none_that_too():
    ds = example_limits()
    # 0.01 = 0.012 (t / END)(1 + 0.1 seed): the middle one of three seeds at 6.06, step 15.2.
    text = said(ds, LEFT)
    assert text.startswith(
        "At learning rate 0.4 soft is seen to have left the gradient flow (by 1 % of its way) by "
        "step 16 (time 6.4), within at step 15; at 0.2, 0.1, 0.05 and 0.025 it never does. Why: "
    )
    assert text.endswith(
        "no edge of stability is passed before; it is the error of steps of this size, which falls "
        "as the learning rate to the power 1.00. The distance is 1.00 times what order 1 predicts "
        "from the rate 0.025."
    )
    assert said(ds, "soft and hard never leave the modified flow")


def test_the_own_error_of_each_limit_is_said_and_no_order_claimed_where_distances_may_be_its():
    ds = example_limits(own_error=1.3e-4)
    assert said(ds, "The gradient flow has an error of its own") == (
        "The gradient flow has an error of its own of 1.3e-04 for soft and 1.3e-04 for hard: so "
        "far is a row of it from itself, solved at a tenth of its tolerances."
    )
    assert said(ds, "the distance from the gradient flow is less") == (
        "At 1 of 5 learning rates of soft and 1 of 5 learning rates of hard the distance from the "
        "gradient flow is less than 10 times its own error and may be the solver's: no order is "
        "claimed of it; ask for a smaller flow_rtol."
    )
    assert "the distance from the modified flow" in said(ds, "4 of 5 learning rates of soft")
    assert not any("follows the modified flow" in text for text in texts(ds))
    assert "or come too close to the limit's own error, are in no" in said(ds, "fitted to 4 of 5")
    close = example_limits(own_error=1e-9)
    assert not any("solver's" in text for text in texts(close))
    assert "soft follows the modified flow to order 2.00" in " ".join(texts(close))
    # What left it may be the solver.
    rough = said(example_limits(own_error=1.1e-3), LEFT)
    assert "Why: that is less than 10 times the limit's own error, 1.1e-03" in rough


def test_an_own_error_that_is_not_known_is_said_and_of_a_stochastic_limit_nothing():
    lost = example_limits(own_error=np.nan)
    assert said(lost, "own error of the gradient flow is not known for soft and hard")
    noisy = example_limits(powers={"sde": (0.1, 0.0)}, own_error=np.nan)
    assert not any("own error" in text or "error of its own" in text for text in texts(noisy))
    assert not any("own error" in text for text in texts(example_limits()))


def test_a_departure_by_growth_past_the_edge_is_put_down_to_it_and_one_before_is_not():
    late = growing(example_limits(powers={"flow": (0.03, 1.0)}, sharpest=EDGE))
    # The edge at 4.57, left at 6.06; there is a save every 0.4, at each step. From 12 to 16 the
    # product is 2.08 to 2.64.
    assert said(late, LEFT).endswith(
        "Why: growth past the edge of stability; learning rate times sharpness is seen to have "
        "reached 2 by step 12 (time 4.8), and the part of the distance along the top eigenvector, "
        "90 %, grows 1.35 times a step, where 1.35 is expected."
    )
    first = departure_records(late)[0]
    assert first["why"] == "edge of stability"
    factors = 0.4 * (1 + 7 * np.arange(12, 17) / 20) - 1
    expected = np.exp(np.mean(np.log(factors[1:]) + np.log(factors[:-1])) / 2)
    assert first["growth"] == pytest.approx(expected, rel=1e-6)
    assert first["expected_growth"] == pytest.approx(expected, rel=1e-6)
    assert first["along"] == pytest.approx(0.9)
    early = example_limits(powers={"flow": (0.06, 1.0)}, sharpest=EDGE)
    # Left at 3.03.
    assert "Why at 0.4" not in said(early, LEFT)
    assert "no edge of stability is passed before" in said(early, LEFT)
    assert "soft is seen to have reached the edge of stability" in " ".join(texts(early))


@pytest.mark.parametrize(("share", "pace"), [(0.9, 0.3), (0.9, 3.0), (0.5, 1.0)])
def test_past_the_edge_without_growth_along_the_eigenvector_it_is_the_error_of_steps(share, pace):
    ds = growing(example_limits(powers={"flow": (0.03, 1.0)}, sharpest=EDGE), share, pace)
    assert departure_records(ds)[0]["why"] == "finite steps"
    text = said(ds, LEFT)
    assert (
        "the edge of stability is passed by step 12 (time 4.8), but it is not growth past" in text
    )
    assert f"along the top eigenvector, {100 * share:.0f} %, grows {1.3504**pace:.3g} times" in text
    assert "where 1.35 is expected; it is the error of steps of this size, which falls" in text
    assert text.endswith("The distance is 1.00 times what order 1 predicts from the rate 0.025.")


def test_where_no_growth_can_be_seen_that_is_said():
    ds = example_limits(powers={"flow": (0.03, 1.0)}, sharpest=EDGE)
    assert "no growth along the top eigenvector is seen between" in said(ds, LEFT)
    # Past the edge from the start, and left at the first save after it.
    at_once = growing(example_limits(powers={"flow": (0.6, 1.0)}, sharpest=80.0, rates=(0.4, 0.1)))
    at_once["sharpness"] += 8
    text = said(at_once, LEFT)
    assert "the edge of stability is passed from the start, but no growth along" in text
    assert departure_records(at_once)[0]["edge_step"] == 0


def test_the_excess_over_what_smaller_rates_predict_is_said_with_its_spread():
    ds = example_limits(powers={"flow": (0.03, 1.0), "modified": (0.1, 2.0)})
    # Seeds 1 and 2 of the largest rate are further by a third and a half.
    ds["distance"].loc[{"learning_rate": 0.4}] *= xr.DataArray([1, 4 / 3, 3 / 2], dims="seed")
    first = departure_records(ds)[0]
    assert first["why"] == "finite steps"
    assert first["from_rate"] == 0.025
    assert (first["excess"], first["excess_low"]) == (pytest.approx(4 / 3), pytest.approx(1))
    assert first["excess_high"] == pytest.approx(3 / 2)
    assert said(ds, LEFT).endswith(
        "The distance is 1.33 times (1.00 to 1.50 over seeds) what order 1 predicts from the rate "
        "0.025."
    )
    # By the order that the limit has.
    assert "what order 2 predicts" in said(ds, "soft is seen to have left the modified flow")
    two = example_limits(powers={"flow": (0.06, 1.0)})
    assert said(two, LEFT).endswith(
        "The distance is 1.00 times at 0.4 and 1.00 times at 0.2 what order 1 predicts from the "
        "rate 0.025."
    )


def test_where_no_smaller_rate_can_be_relied_on_no_prediction_is_made():
    one = example_limits(rates=(0.4,))
    assert said(one, LEFT).endswith("No smaller rate predicts how large that is.")
    # A smaller rate whose distance may be the solver's, or that diverged, predicts nothing.
    rough = example_limits(powers={"flow": (0.06, 1.0)}, rates=(0.4, 0.2, 0.1), own_error=5e-4)
    records = departure_records(end(rough, Status.DIVERGED, learning_rate=0.1))
    np.testing.assert_array_equal([record["from_rate"] for record in records[:2]], [0.2, np.nan])
    text = said(end(rough, Status.DIVERGED, learning_rate=0.1), LEFT)
    assert text.endswith("the rate 0.2. No smaller rate predicts how large that is at 0.2.")
    batches = said(example_limits(batch_size=16), LEFT)
    assert batches.endswith(
        "No order is expected with minibatches, so smaller rates do not predict it."
    )


def test_how_far_below_the_edge_training_stays_is_said():
    assert said(example_limits(), "stays below") == (
        "Training stays below the edge of stability, 2: learning rate times sharpness is at most "
        "1.6."
    )
    assert not any("edge" in text for text in texts(example_limits(optimiser="rmsprop")))


def test_a_limit_that_training_does_not_follow_is_said_to_be_none():
    ds = example_limits(powers={"flow": (0.5, 0.02)})
    text = said(ds, "soft does not follow the gradient flow")
    assert "(order 0.02 [0.02, 0.02]; 1 is expected)" in text
    assert not any("Why" in one for one in texts(ds))
    assert {one["why"] for one in departure_records(ds)} == {"no limit"}


def test_slopes_that_disagree_are_said():
    ds = example_limits(powers={"flow": (0.03, 1.0)})
    rate = ds["learning_rate"]
    ds["distance"] = ds["distance"] * (0.3 + rate / 0.4)
    assert "the slope goes from 1.70 to 1." in said(ds, "no one power yet")
    assert "to the power" not in said(ds, LEFT)


def test_rates_past_the_edge_or_diverged_are_named_as_left_out_of_the_order():
    flow = {"powers": {"flow": (0.03, 1.0)}}
    past = said(example_limits(sharpest=EDGE, **flow), "are in no order")
    assert past.endswith("4 of 5 for soft and 4 of 5 for hard.")
    lost = end(example_limits(), Status.DIVERGED, paradigm="hard", learning_rate=0.4)
    assert "4 of 5 for hard." in texts(lost)[1]


def test_runs_that_diverge_have_left_and_why_is_said():
    ds = end(example_limits(), Status.DIVERGED, paradigm="soft", learning_rate=0.4)
    at = {"paradigm": "soft", "learning_rate": 0.4, "dynamics": "flow", "save": slice(4, None)}
    ds["distance"].loc[at] = np.nan
    assert said(ds, LEFT).endswith("Why: its runs diverge.")
    first = departure_records(ds)[0]
    assert (first["seeds"], first["left"], first["diverged"]) == (3, 3, 3)
    assert first["why"] == "diverged"


def test_a_stochastic_limit_claims_no_order_and_no_reason():
    ds = example_limits(powers={"sde": (0.5, 0.0)}, batch_size=16)
    assert said(ds, "limit in law").startswith("The stochastic modified equation is a limit in law")
    assert not any("order 0" in text or "Why" in text for text in texts(ds))
    assert {one["why"] for one in departure_records(ds)} == {"noise"}


def test_an_order_is_expected_only_of_what_it_holds_for():
    assert "expected" not in said(example_limits(batch_size=16), "gradient flow to order")
    adam = {"powers": {"adam": (0.01, 1.5)}, "optimiser": "adam"}
    assert "2 is expected with tau1 and tau2 held fixed" in said(example_limits(**adam), "to order")


def test_of_a_model_with_kinks_higher_orders_are_not_expected_and_why_is_said():
    kinked = example_limits(smooth=False)
    assert "2 is expected of a smooth model" in said(kinked, "modified flow to order")
    assert "1 is expected." in said(kinked, "gradient flow to order")
    assert said(kinked, "kinks of ReLU")
    assert not any("ReLU" in text for text in texts(example_limits()))


def test_seeds_that_part_are_counted():
    ds = example_limits(("soft",), powers={"flow": (0.023, 1.0)})
    # 0.0092 (1 + 0.1 seed): the first seed stays.
    assert "by step 19 (time 7.6; 2 of 3 seeds), within at step 18" in said(ds, "soft is seen")


def test_one_rate_one_seed_and_other_axes_are_said_without_an_interval_or_order():
    one = example_limits(rates=(0.4,), seeds=1)
    assert not any("to order" in text for text in texts(one))
    assert "steps of this size. No smaller rate predicts" in said(one, LEFT)
    assert any("[" not in text for text in texts(example_limits(seeds=1)) if "to order" in text)
    ds = example_limits().expand_dims(temperature=[1.0, 2.0], axis=-1)
    assert "soft (temperature 2) to 1.00" in said(ds, "gradient flow to order")
    assert said(ds, "soft (temperature 2) is seen to have left the gradient flow")


def test_records_are_one_a_limit_paradigm_and_rate():
    records = departure_records(growing(example_limits(sharpest=EDGE)))
    assert len(records) == len(POWERS) * 2 * len(RATES)
    first = records[0]
    assert (first["limit"], first["paradigm"], first["learning_rate"]) == ("flow", "soft", 0.4)
    assert first["edge"] == 2
    assert (first["edge_time"], first["edge_step"]) == (pytest.approx(4.8), 12)
    assert first["why"] == "edge of stability"
    assert (first["tolerance"], first["seeds"], first["left"]) == (0.01, 3, 3)
    assert np.isnan(records[1]["time"])
    assert records[1]["why"] == ""


def test_findings_begin_with_the_limits_and_the_terminal_shows_them():
    ds = example_limits()
    found = findings(ds)
    count = len(gap_findings(ds))
    assert found[:count] == gap_findings(ds)
    shown = sentences(found)
    assert shown[0] == "Training against its continuous limits:"
    assert "follows the gradient flow" in shown[1]
    assert gap_findings(findings_without := example_result(flow_seeds=2)) == []
    assert departure_records(findings_without) == []


def test_limits_have_names_in_words():
    assert limit_words("flow") == "the gradient flow"
    assert limit_words("of my own") == "the limit of my own"
