import pytest

from jaxattn.analysis.caption_metrics import CAPTION_METRICS, caption_metrics
from jaxattn.core.contracts import InputError

# Papineni et al. 2002, example 1 and the first of its candidates.
CANDIDATE = (
    "It is a guide to action which ensures that the military always obeys the commands of the party"
)
REFERENCES = (
    "It is a guide to action that ensures that the military will forever heed Party commands",
    "It is the guiding principle which guarantees the military forces always being under the "
    "command of the Party",
    "It is the practical guide for the army always to heed the directions of the party",
)


def test_bleu_is_that_of_its_paper_and_of_nltk():
    found = caption_metrics([CANDIDATE], [REFERENCES])
    # The paper counts 17 of 18 words and 10 of 17 pairs; NLTK documents 0.5045 for all four.
    assert found["BLEU-1"] == pytest.approx(100 * 17 / 18)
    assert found["BLEU-2"] == pytest.approx(100 * (17 / 18 * 10 / 17) ** 0.5)
    assert found["BLEU-4"] == pytest.approx(50.45666840058485)
    assert tuple(found) == CAPTION_METRICS


def test_rouge_is_that_of_its_paper():
    # Lin 2004: of "police killed the gunman", 3/4 and 2/4.
    reference = ("police killed the gunman",)
    for written, share in (("police kill the gunman", 75), ("the gunman kill police", 50)):
        assert caption_metrics([written], [reference])["ROUGE-L"] == pytest.approx(share)


def test_of_several_captions_each_is_held_against_its_own_references():
    both = caption_metrics(["a red t-shirt", "a dog"], [("a red t-shirt",), ("no", "a dog")])
    assert [both["BLEU-2"], both["ROUGE-L"]] == pytest.approx([100, 100])
    crossed = caption_metrics(["a red t-shirt", "a dog"], [("no", "a dog"), ("a red t-shirt",)])
    assert crossed["ROUGE-L"] < 50


@pytest.mark.parametrize("references", [[], [()]])
def test_captions_without_a_reference_are_refused(references):
    with pytest.raises(InputError, match="expected one or more of each"):
        caption_metrics(["a dog"], references)
