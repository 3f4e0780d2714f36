"""What every comparison of attention is asked, in one table, before it is run.

All that is judged is a contrast of one of these questions or of one's own (`jaxattn.compare` takes
``questions``): one correction covers them all, see `jaxattn.analysis.contrasts`. Everything else in
a result is there to be looked at, and has no verdict.
"""

import xarray as xr

from jaxattn.analysis.subject import is_of_attention
from jaxattn.core.question import Question
from jaxattn.results.dataset import spec_of
from jaxattn.study.questions import read_questions

__all__ = ["QUESTIONS", "questions_of"]

QUESTIONS = (
    Question("first-to-focus", "time_to_focus", title="Who finds the segment first?"),
    Question("most-attention", "attention_foreground", title="Who ends with most attention on it?"),
    # Odds of 1 that grow by a tenth: no one sees that on a curve.
    Question(
        "late-gain",
        "attention_foreground",
        "late gain",
        delta=0.1,
        title="Who still improves late?",
    ),
    Question("late-gain", "attention_foreground", "late exponent", delta=0.1),
    Question("accuracy", "accuracy", title="Who answers best?"),
    Question("right-reason", "FTPT", title="Who is right for the right reason?"),
    Question(
        "hybrid",
        "attention_foreground",
        between=(("hybrid", "soft"),),
        title="What does the hybrid bring?",
    ),
    Question("hybrid", "time_to_focus", between=(("hybrid", "hard"),)),
)
"""Lines of one name are one question."""


def questions_of(ds: xr.Dataset) -> tuple[Question, ...]:
    """Those of every comparison of attention, then those that this one was asked, by its spec."""
    own = spec_of(ds).get("questions") or ()
    return (*(QUESTIONS if is_of_attention(ds) else ()), *read_questions("questions", own))
