"""Questions of one's own as they are asked: objects, tables of a file, or words of a command."""

from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields
from typing import Any

from jaxattn.core.errors import InputError
from jaxattn.core.lookup import nearest, refuse_unwritable_name
from jaxattn.core.question import Question
from jaxattn.study.checks import known_keys, number, one_or_several, shown

__all__ = ["AT", "plain_questions", "read_questions"]

AT = ("end", "late gain", "late exponent")
"""What of a measure may be asked for by name."""

_FIELDS = tuple(one.name for one in fields(Question))
_EXPECTED = "a jaxattn.Question, a table of its fields, or NAME=MEASURE"


def read_questions(name: str, given: Any) -> tuple[Question, ...]:
    """Questions in their one form.

    Words are ``NAME=MEASURE``, then if wanted ``@AT`` (a word of `AT`, or a share of the run) and
    ``+-DELTA``: ``calm=attention_entropy@0.5+-0.05``.

    Raises:
        InputError: something that is no question, or one that cannot be asked.
    """
    if given is None:
        return ()
    each = (given,) if isinstance(given, Question | Mapping) else one_or_several(name, given)
    return tuple(_read(f"{name}[{place}]", one) for place, one in enumerate(each))


def plain_questions(questions: tuple[Question, ...]) -> list[dict[str, Any]]:
    """Questions as tables of plain values; what is as by default is left out."""
    usual = {one.name: one.default for one in fields(Question) if one.default is not MISSING}
    return [
        {
            key: [list(pair) for pair in value] if key == "between" else value
            for key, value in asdict(question).items()
            if key not in usual or value != usual[key]
        }
        for question in questions
    ]


def _read(name: str, given: Any) -> Question:
    if isinstance(given, str):
        given = _of_words(name, given)
    table = asdict(given) if isinstance(given, Question) else given
    if not isinstance(table, Mapping):
        raise InputError(f"{name}: got {shown(given)}, expected {_EXPECTED}.")
    known_keys(name, table, _FIELDS)
    texts = {key: table.get(key, "") for key in ("name", "measure", "title")}
    for key, text in texts.items():
        if not isinstance(text, str) or (not text and key != "title"):
            raise InputError(f"{name}: got the {key} {shown(text)}, expected text.")
    refuse_unwritable_name("question", texts["name"])
    delta = table.get("delta")
    return Question(
        **texts,
        at=_read_at(name, table.get("at", "end")),
        delta=None if delta is None else _above_zero(f"{name}: delta", delta),
        between=_read_pairs(name, table.get("between", ())),
    )


def _of_words(name: str, words: str) -> dict[str, Any]:
    asked, equals, rest = words.partition("=")
    if not equals:
        raise InputError(f"{name}: got {shown(words)}, expected {_EXPECTED}.")
    rest, _, delta = rest.partition("+-")
    measure, _, at = rest.partition("@")
    table: dict[str, Any] = {"name": asked.strip(), "measure": measure.strip()}
    for key, text in (("at", at.strip()), ("delta", delta.strip())):
        if text:
            table[key] = text if key == "at" and text in AT else _number_in(f"{name}: {key}", text)
    return table


def _number_in(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        among = f"one of {', '.join(AT)}, or " if name.endswith("at") else ""
        raise InputError(f"{name}: got {shown(text)}, expected {among}a number.") from error


def _read_at(name: str, at: Any) -> str | float:
    if isinstance(at, str):
        if at not in AT:
            hint = nearest(at, AT)
            raise InputError(
                f"{name}: at: got {shown(at)}, expected one of {', '.join(AT)}, or a share of the "
                f"run from 0 to 1{hint and f'; {hint}'}"
            )
        return at
    share = number(f"{name}: at", at)
    if not 0 <= share <= 1:
        raise InputError(f"{name}: at: got {share:g}, expected a share of the run from 0 to 1.")
    return share


def _above_zero(name: str, given: Any) -> float:
    value = number(name, given)
    if not value > 0:
        raise InputError(f"{name}: got {value:g}, expected a number above 0.")
    return value


def _read_pairs(name: str, given: Any) -> tuple[tuple[str, str], ...]:
    pairs = tuple(tuple(pair) if isinstance(pair, list | tuple) else (pair,) for pair in given)
    for pair in pairs:
        if len(pair) != 2 or not all(isinstance(one, str) for one in pair) or pair[0] == pair[1]:
            raise InputError(
                f"{name}: between: got {shown(list(pair))}, expected pairs of names of paradigms."
            )
    return pairs  # type: ignore[return-value]  # two names each, as checked
