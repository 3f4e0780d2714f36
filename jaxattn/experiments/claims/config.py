"""What one size of all claims is: images, posts and captions, and how each is learnt from."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from jaxattn.experiments.captions.config import SCALES as CAPTIONS
from jaxattn.experiments.captions.config import Captions
from jaxattn.experiments.fixed_focus.config import FixedFocus, FixedFocusImages, Size
from jaxattn.experiments.mosaics import PUBLISHED, SMOKE, Mosaics
from jaxattn.experiments.rationales.config import SCALES as TEXT
from jaxattn.experiments.rationales.config import Rationales

__all__ = ["SCALES", "Claims"]

AnySize = TypeVar("AnySize", Mosaics, Rationales, Captions, Size)


@dataclass(frozen=True)
class Claims:
    """One size: sets of images, posts, captions, and sets of the fixed focus.

    Each has as many seeds as it takes.
    """

    sets: tuple[Mosaics, ...]
    fixed: tuple[Size, ...]
    seeds: int | None = None
    """Of all, in place of their own."""
    posts: Rationales | None = None
    captions: Captions | None = None
    data: str | None = None
    """Folder of the posts; None: invented ones."""

    def of_seeds(self, size: AnySize) -> AnySize:
        """One of the sizes, with as many seeds as are asked for."""
        return size if self.seeds is None else replace(size, seeds=self.seeds)


_DIGITS = Mosaics(
    task="digits",
    model="mlp",
    learning_rates=(0.1,),
    train=2048,
    test=1024,
    steps=400,
    evaluate=512,
    optimiser="sgd",
    saves=41,
    seeds=40,
)
_FASHION = replace(_DIGITS, task="fashion-mnist", seeds=24)
_CIFAR = replace(
    _DIGITS,
    task="cifar10",
    seeds=8,
    downsample=2,
    model="cnn-small",
    learning_rates=(0.15,),
    train=30000,
    batch_size=32,
    steps=4800,
)
"""What two cores learn in minutes, for as long as soft attention takes to pass 0.5."""
SCALES: Mapping[str, Claims] = {
    "smoke": Claims(
        (replace(SMOKE, paradigms=_DIGITS.paradigms, optimiser="sgd", saves=11),),
        (FixedFocus(classes=5, segments=5, bags=320, points=50, epochs=40),),
        seeds=3,
        posts=TEXT["smoke"],
        captions=replace(CAPTIONS["smoke"], paradigms=_DIGITS.paradigms),
    ),
    "small": Claims(
        (_DIGITS, _FASHION, _CIFAR),
        (
            FixedFocus(bags=2000, epochs=60, seeds=8),
            FixedFocusImages(bags=2560, epochs=40, images="fashion-mnist", seeds=8),
        ),
        posts=TEXT["small"],
        captions=CAPTIONS["small"],
    ),
    "paper": Claims(
        (
            replace(PUBLISHED, task="digits", model="mlp"),
            replace(PUBLISHED, task="fashion-mnist", model="mlp"),
            PUBLISHED,
        ),
        (FixedFocus(), FixedFocusImages()),
        posts=TEXT["paper"],
        captions=CAPTIONS["paper"],
    ),
}
