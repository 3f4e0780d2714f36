"""How like captions that people wrote are those that a model wrote: BLEU and ROUGE-L, by others.

METEOR and CIDEr are not here: METEOR needs WordNet, which has to be fetched, and what computes
CIDEr asks for Java and is not kept any more.
"""

from collections.abc import Sequence
from typing import Any

from jaxattn.core.contracts import InputError
from jaxattn.core.errors import needs_extra

__all__ = ["CAPTION_METRICS", "caption_metrics"]

CAPTION_METRICS = ("BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "ROUGE-L")


class _Words:
    """Captions are words with blanks between them; a hyphen is in a word."""

    def tokenize(self, text: str) -> list[str]:
        return text.split()


def caption_metrics(
    written: Sequence[str], references: Sequence[Sequence[str]]
) -> dict[str, float]:
    """`CAPTION_METRICS` of a set of captions, in percent.

    BLEU is of the whole set, without smoothing, its brevity penalty by the closest reference
    (sacrebleu). ROUGE-L is the mean over captions of the best F1 among the references of each (Lin
    2004, section 2.1; `rouge_score.rouge_scorer.RougeScorer.score_multi`). That of COCO's
    evaluation weighs recall 1.44 times, takes the best precision and the best recall apart, also of
    two references, and is a little higher.

    Args:
        written: words with blanks between them.
        references: for each, one or several that people wrote, of the same words.

    Raises:
        InputError: no captions, one without a reference, or the extra ``captions`` is not
            installed.
    """
    if not written or len(written) != len(references) or not all(references):
        least = min(map(len, references), default=0)
        raise InputError(
            f"caption metrics: got {len(written)} captions, references of {len(references)}, the "
            f"fewest {least}, expected one or more of each; leave out those without."
        )
    with needs_extra("caption metrics", "captions"):
        from rouge_score.rouge_scorer import RougeScorer
        from sacrebleu.metrics.bleu import BLEU
    most = max(map(len, references))
    # None where there are fewer, which sacrebleu takes and its annotations leave out.
    streams: list[Any] = [
        [of[n] if n < len(of) else None for of in references] for n in range(most)
    ]
    found = {}
    for order in range(1, 5):
        bleu = BLEU(max_ngram_order=order, tokenize="none", smooth_method="none", force=True)
        found[f"BLEU-{order}"] = float(bleu.corpus_score(list(written), streams).score)
    scorer = RougeScorer(["rougeL"], tokenizer=_Words())
    pairs = zip(written, references, strict=True)
    scores = [scorer.score_multi(list(of), one)["rougeL"].fmeasure for one, of in pairs]
    found["ROUGE-L"] = 100 * float(sum(scores) / len(scores))
    return found
