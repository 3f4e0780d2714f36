"""Rows that did not end well, as a person reads of them."""

import pytest

from jaxattn.core.contracts import Status
from jaxattn.core.reasons import Reason
from jaxattn.run.failures import Failed
from jaxattn.terminal.failures import failure_words

DIVERGED = {Status.DIVERGED: 8}
EIGHT = Failed("mine", "train", {}, 8, DIVERGED, 11, 12)


@pytest.mark.parametrize(
    ("failed", "words"),
    [
        (EIGHT, "8 of 8 rows of 'mine' diverged, first at step 12."),
        (
            EIGHT._replace(good=0, bad=20),
            "8 of 8 rows of 'mine' diverged, first between steps 0 and 20.",
        ),
        (EIGHT._replace(good=0, bad=1), "8 of 8 rows of 'mine' diverged, first by step 1."),
        (EIGHT._replace(good=800, bad=800), "8 of 8 rows of 'mine' diverged, first at step 800."),
        (EIGHT._replace(good=None, bad=None), "8 of 8 rows of 'mine' diverged."),
        (
            EIGHT._replace(setting={"learning_rate": 10.0, "optimiser": "adam"}, more=1),
            "8 of 8 rows of 'mine' at learning rate 10, optimiser adam diverged, first at step 12; "
            "so did rows at 1 more setting.",
        ),
        (
            EIGHT._replace(more=5, good=None),
            "8 of 8 rows of 'mine' diverged; so did rows at 5 more settings.",
        ),
        (
            Failed("soft", "flow", {}, 2, {Status.SOLVER_FAILED: 1}, 60, 80),
            "1 of 2 rows of 'soft' (flow) was not solved, first between steps 60 and 80.",
        ),
        (
            Failed(
                *("soft", "flow", {}, 2, {Status.SOLVER_FAILED: 1}),
                more=1,
                reason=Reason.STEPS_USED_UP,
                time=12345.6,
            ),
            "1 of 2 rows of 'soft' (flow) was not solved (steps used up at t = 1.23e+04); so did "
            "rows at 1 more setting.",
        ),
        (
            Failed("soft", "sde", {}, 2, {Status.INTERRUPTED: 2}, 60, 80),
            "2 of 2 rows of 'soft' (sde) were cut short, first between steps 60 and 80.",
        ),
        (
            Failed("soft", "adam", {}, 8, {Status.DIVERGED: 2, Status.SOLVER_FAILED: 1}, 0, 2),
            "3 of 8 rows of 'soft' (adam) did not finish: 2 diverged and 1 not solved, first "
            "between steps 0 and 2.",
        ),
    ],
)
def test_failures_are_one_sentence_of_what_is_known(failed: Failed, words: str) -> None:
    assert failure_words(failed) == words
