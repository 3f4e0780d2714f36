"""The first screen of a comparison's report: each question answered, and the paper's claims."""

from collections.abc import Iterable, Sequence

from jaxattn.analysis.answers import Answer
from jaxattn.analysis.claims import Claim
from jaxattn.analysis.wording import capital
from jaxattn.reports.page import Card, Collapsible, Figure, Section

__all__ = ["answers_section", "claims_section"]

_OPEN = 2
"""Settings whose answers are cards; those of further ones open on request."""

_SIGNS = {"holds": "\N{CHECK MARK}", "does not hold": "\N{BALLOT X}", "undecided": "?"}


def answers_section(said: Sequence[Answer], sure: str, figures: Sequence[Figure]) -> Section:
    """Each question as a card, how sure the answers are, and the figures that show them.

    Args:
        said: the answers, of all settings.
        sure: how they were judged, and of what they speak.
        figures: to be seen at once.
    """
    first = _first(one.setting for one in said)
    cards = [
        Card(one.title, one.text, capital(one.setting), one.more)
        for one in said
        if one.setting in first
    ]
    judged = [Collapsible("How sure this is, and of what", [sure], open=False)] if sure else []
    lines = [(one.setting, f"{one.line} {one.more}".rstrip()) for one in said]
    folds = [*judged, *_further(lines, first)]
    return Section("Answers", cards=cards, collapsibles=folds, figures=figures)


def claims_section(said: Sequence[Claim]) -> Section:
    """The claims of the paper's abstract by name, with what this result says of each."""
    first = _first(one.setting for one in said)
    cards = [
        Card(one.name, f"{one.text} Here: {one.why}.", _verdict_words(one))
        for one in said
        if one.setting in first
    ]
    lines = [(one.setting, f"{one.name}: {one.verdict}. {capital(one.why)}.") for one in said]
    lead = "What the abstract of Vashisht & Ramaswamy (2023) claims, held against this result."
    folds = list(_further(lines, first))
    return Section("The paper's claims", lead if said else "", cards=cards, collapsibles=folds)


def _verdict_words(claim: Claim) -> str:
    words = f"{_SIGNS[claim.verdict]} {claim.verdict}"
    return f"{words}, {claim.setting}" if claim.setting else words


def _first(settings: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(settings))[:_OPEN]


def _further(lines: Sequence[tuple[str, str]], first: Sequence[str]) -> Iterable[Collapsible]:
    """The lines of every setting that has no cards, each setting folded."""
    for setting in dict.fromkeys(setting for setting, _ in lines if setting not in first):
        texts = [text for at, text in lines if at == setting]
        yield Collapsible(capital(setting), texts, open=False)
