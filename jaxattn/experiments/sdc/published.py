"""What was published of selective dependence classification: another protocol, never a result.

Source: PAPER 6.1 and 6.3, of the predecessor's project (arXiv 2212.14776): the same mosaics, other
optimisers, initial parameters and stopping rules. Its test mosaics are of the training images, as
``new-mosaics`` are here.
"""

from jaxattn.experiments.wording import Line

__all__ = ["published"]

_CIFAR = "published, another protocol: Adam 5e-4, float64, to a loss of 0.05, {} mosaics"
_MNIST = "published, another protocol: MLP and MLP, digits 0 and 1, {} mosaics"

# Images, mosaics learnt from, segments; then FTPT and FFPT on train and on new mosaics, percent.
_SOFT = (
    ("cifar10", "30,000", 5, (85.29, 14.16), (78.39, 13.31)),
    ("cifar10", "10,000", 5, (76.66, 22.82), (60.06, 15.92)),
    ("cifar10", "30,000", 9, (80.03, 19.92), (75.15, 16.17)),
    ("cifar10", "30,000", 10, (77.96, 21.94), (73.96, 17.55)),
    ("cifar10", "30,000", 20, (72.19, 27.63), (66.76, 23.85)),
    ("cifar10", "30,000", 50, (60.12, 39.01), (55.94, 26.65)),
    ("cifar10", "10,000", 50, (46.10, 53.80), (34.08, 26.42)),
    ("mnist", "10,000", 5, (98.28, 1.52), (97.72, 1.52)),
    ("mnist", "1,000", 5, (96.4, 3.6), (94.81, 3.43)),
    ("mnist", "10,000", 50, (97.13, 2.52), (96.09, 2.43)),
    ("mnist", "1,000", 50, (89.80, 10.10), (86.08, 8.58)),
)


def published(task: str) -> list[Line]:
    """The published lines of these images, none of others; soft attention alone."""
    return [
        {
            "source": (_CIFAR if name == "cifar10" else _MNIST).format(mosaics),
            "segments": segments,
            "paradigm": "soft",
            "split": split,
            "inference": "average-input",
            "own": True,
            "FTPT": {"median": right, "low": None, "high": None},
            "FFPT": {"median": wrong, "low": None, "high": None},
        }
        for name, mosaics, segments, *pairs in _SOFT
        for split, (right, wrong) in zip(("train", "new-mosaics"), pairs, strict=True)
        if name == task
    ]
