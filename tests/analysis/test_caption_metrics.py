import numpy as np
import pytest
import sacrebleu

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


WRITTEN = ["a dog runs over the green grass", "two cats sit on a red sofa"]
SAID = [
    (
        "a brown dog runs over the grass",
        "a dog is running on green grass",
        "the dog runs over a green field today",
        "an animal on the grass",
        "a dog runs",
    ),
    (
        "two cats on a sofa",
        "a pair of cats sit on a red couch",
        "cats are sitting on the red sofa",
        "two cats sit there",
        "two cats sit on a big red sofa",
    ),
]


@pytest.mark.parametrize("most", [1, 2, 5])
def test_bleu_of_several_references_is_that_of_sacrebleu(most):
    found = caption_metrics(WRITTEN, [of[:most] for of in SAID])
    streams = [[of[n] for of in SAID] for n in range(most)]
    asked = {"tokenize": "none", "smooth_method": "none", "force": True}
    expected = sacrebleu.corpus_bleu(WRITTEN, streams, **asked)
    for order in range(1, 5):
        shares = np.array(expected.precisions[:order]) / 100
        # Its own of all four words; of fewer the mean of fewer logarithms. None is zero here.
        bleu = 100 * expected.bp * np.exp(np.log(shares).mean())
        assert found[f"BLEU-{order}"] == pytest.approx(bleu)
    assert found["BLEU-4"] == pytest.approx(expected.score)


def test_rouge_is_of_the_best_reference_of_each_caption():
    alone = [
        [caption_metrics([one], [[reference]])["ROUGE-L"] for reference in of]
        for one, of in zip(WRITTEN, SAID, strict=True)
    ]
    assert min(map(np.ptp, alone)) > 0
    found = caption_metrics(WRITTEN, SAID)["ROUGE-L"]
    assert found == pytest.approx(np.mean([max(of) for of in alone]))


@pytest.mark.parametrize("fewer", [1, 2])
def test_a_reference_said_twice_counts_once_so_fewer_may_be_filled_up(fewer):
    unequal = caption_metrics(WRITTEN, [SAID[0], SAID[1][:fewer]])
    filled = [SAID[0], (*SAID[1][:fewer], *SAID[1][:1] * (5 - fewer))]
    assert caption_metrics(WRITTEN, filled) == pytest.approx(unequal)
    assert unequal != pytest.approx(caption_metrics(WRITTEN, SAID))
