"""Whether a result will be able to answer a question, said before anything is run."""

from collections.abc import Iterable, Sequence

from jaxattn.core.contracts import InputError, MeasureSpec
from jaxattn.core.lookup import nearest
from jaxattn.core.question import Question
from jaxattn.problems.result_measures import RESULT_MEASURES

__all__ = ["refuse_unanswerable"]


def refuse_unanswerable(
    questions: Iterable[Question],
    measures: Iterable[MeasureSpec],
    paradigms: Sequence[str] | None,
) -> None:
    """Refuse questions about what is not measured, or not one number a run.

    Args:
        questions: of one's own.
        measures: of the problem.
        paradigms: by name; None: they are not all known here.

    Raises:
        InputError: with the nearest that is known.
    """
    every = [*measures, *RESULT_MEASURES]
    several = {spec.name for spec in every if set(spec.dims) - {"inference"}}
    times = {spec.name for spec in every if spec.of}
    single = {part.name for spec in every for part in (spec, *spec.parts)} - several
    for question in questions:
        name, measure = f"question {question.name!r}", question.measure
        if measure in several:
            raise InputError(
                f"{name}: got {measure}, expected a measure that is one number a run: "
                f"{', '.join(sorted(single))}."
            )
        if measure not in single:
            hint = nearest(measure, single)
            raise InputError(
                f"{name}: got the measure {measure!r}, expected one of "
                f"{', '.join(sorted(single))}{hint and f'; {hint}'}"
            )
        if measure in times and question.at != "end":
            raise InputError(
                f"{name}: got {measure} at {question.at}, but a time has no other value than the "
                "one at the end; leave at out."
            )
        for one in {one for pair in question.between for one in pair}:
            if paradigms is not None and one not in paradigms:
                raise InputError(
                    f"{name}: got the paradigm {one!r}, expected one of {', '.join(paradigms)}."
                )
