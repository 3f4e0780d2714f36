"""Questions of one's own, at every door, in one form."""

import json
from dataclasses import asdict

import pytest
import xarray as xr

import jaxattn
from jaxattn.analysis.questions import QUESTIONS, questions_of
from jaxattn.cli.main import parse
from jaxattn.core.contracts import InputError
from jaxattn.core.question import Question
from jaxattn.study.plain_values import checked_settings
from jaxattn.study.questions import plain_questions, read_questions
from jaxattn.study.settings import Settings

FULL = Question(
    "early", "attention_foreground", 0.1, 0.02, (("soft", "hard"),), title="Who is first?"
)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("calm=attention_entropy", Question("calm", "attention_entropy")),
        ("calm=loss@0.5+-0.05", Question("calm", "loss", 0.5, 0.05)),
        ("late=accuracy@late gain", Question("late", "accuracy", "late gain")),
        ({"name": "a", "measure": "loss", "delta": 1}, Question("a", "loss", delta=1.0)),
        (FULL, FULL),
        (asdict(FULL), FULL),
    ],
)
def test_objects_tables_and_words_say_the_same(given, wanted):
    assert read_questions("questions", given) == (wanted,)
    assert read_questions("questions", [given]) == (wanted,)
    plain = plain_questions((wanted,))
    assert read_questions("questions", json.loads(json.dumps(plain))) == (wanted,)
    assert checked_settings({"questions": plain}, set())["questions"] == plain


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("calm", "NAME=MEASURE"),
        (3, "a jaxattn.Question"),
        ({"name": "a"}, "the measure ''"),
        ({"name": "a", "measure": "loss", "mesure": 1}, "did you mean 'measure'"),
        ({"name": "a", "measure": "loss", "at": "late gian"}, "did you mean 'late gain'"),
        ("a=loss@sometime", "late exponent, or a number"),
        ("a=loss@2", "a share of the run from 0 to 1"),
        ("a=loss+-0", "a number above 0"),
        ("a=loss+-much", "expected a number"),
        ({"name": "a", "measure": "loss", "between": ["soft"]}, "pairs of names"),
        ({"name": "a", "measure": "loss", "between": [["soft", "soft"]]}, "pairs of names"),
        ({"name": "a$", "measure": "loss"}, "rename it"),
    ],
)
def test_what_is_no_question_is_refused_in_one_line(given, said):
    with pytest.raises(InputError, match=r"questions\[0\]|question:") as error:
        Settings(questions=given)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_question_about_what_is_not_measured_is_refused_before_anything_runs():
    with pytest.raises(InputError, match="did you mean 'accuracy'"):
        jaxattn.compare("orthogonal", questions=["a=acuracy"], steps=2, seeds=2)
    with pytest.raises(InputError, match="one number a run"):
        jaxattn.compare("orthogonal", questions=["a=answer_map"], steps=2, seeds=2)
    with pytest.raises(InputError, match="a time has no other value"):
        jaxattn.compare("orthogonal", questions=["a=time_to_fit@0.5"], steps=2, seeds=2)
    question = Question("a", "loss", between=(("soft", "hrd"),))
    with pytest.raises(InputError, match="paradigm 'hrd'"):
        jaxattn.compare("orthogonal", questions=[question], steps=2, seeds=2)


def test_the_command_line_asks_too():
    command = parse(["compare", "digits", "--questions", "calm=attention_entropy", "b=loss@0.5"])
    assert Settings(questions=command.settings.questions).questions == (
        Question("calm", "attention_entropy"),
        Question("b", "loss", 0.5),
    )


def test_every_comparison_is_asked_the_six_questions_first():
    spec = json.dumps({"questions": plain_questions((FULL,))})
    asked = questions_of(xr.Dataset(attrs={"spec": spec}))
    assert asked == (*QUESTIONS, FULL)
    assert list(dict.fromkeys(question.name for question in QUESTIONS)) == [
        *("first-to-focus", "most-attention", "late-gain"),
        *("accuracy", "right-reason", "hybrid"),
    ]
