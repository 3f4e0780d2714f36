"""The first screen of a report: answers and claims as cards, of few settings at once."""

from jaxattn.analysis.answers import Answer
from jaxattn.analysis.claims import Claim
from jaxattn.reports.first_screen import answers_section, claims_section
from jaxattn.reports.page import Card, Figure


def answer(setting: str = "", more: str = "") -> Answer:
    return Answer("accuracy", "Who answers best?", setting, "lvml ends most accurate.", more, True)


def claim(setting: str = "") -> Claim:
    return Claim("Signatures differ", "They differ.", setting, "does not hold", "they are equal")


def test_an_answer_is_a_card_and_the_rest_of_it_is_told_on_request() -> None:
    picture = Figure("overview", "what is shown", b"", "png")
    made = answers_section([answer(more="hard - soft undecided.")], "Judged together.", [picture])
    (card,) = made.cards
    assert card == Card(
        "Who answers best?", "lvml ends most accurate.", "", "hard - soft undecided."
    )
    (sure,) = made.collapsibles
    assert (sure.sentences, sure.open) == (["Judged together."], False)
    assert list(made.figures) == [picture]


def test_a_claim_says_its_verdict_in_words_beside_its_sign_and_why() -> None:
    (card,) = claims_section([claim("temperature 2")]).cards
    assert card.mark.endswith(" does not hold, temperature 2")
    assert card.text == "They differ. Here: they are equal."


def test_settings_beyond_the_first_two_are_folded() -> None:
    settings = [f"temperature {at}" for at in (1, 2, 3, 4)]
    said = [answer(setting, "More of it.") for setting in settings]
    made = answers_section(said, "", [])
    assert [card.mark for card in made.cards] == ["Temperature 1", "Temperature 2"]
    assert [fold.heading for fold in made.collapsibles] == ["Temperature 3", "Temperature 4"]
    assert not any(fold.open for fold in made.collapsibles)
    (line,) = made.collapsibles[0].sentences
    assert line == "Who answers best? lvml ends most accurate. More of it."
    made = claims_section(list(map(claim, settings)))
    assert len(made.cards) == len(made.collapsibles) == 2
    assert made.collapsibles[0].sentences == ["Signatures differ: does not hold. They are equal."]


def test_where_nothing_was_compared_there_is_nothing() -> None:
    for made in (answers_section([], "", []), claims_section([])):
        assert not any(made[1:])
