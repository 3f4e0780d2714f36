"""Convolutional pairs: those published for CIFAR-10 and CIFAR-100 (PAPER 2), and a small one."""

from collections.abc import Mapping
from functools import lru_cache, partial
from types import MappingProxyType
from typing import NamedTuple

import flax.linen as nn
from jaxtyping import Array, Float

from jaxattn.core.contracts import Example, Hyper, InputError, Model, Params
from jaxattn.models.convolution import Conv
from jaxattn.models.pair import pair
from jaxattn.models.pooling import max_pool

__all__ = ["MODELS", "cnn_cifar10", "cnn_cifar100", "cnn_small"]

IN_CACHE = 40
"""Images whose gradient stays in the cache of a core: bags of 5, 8 of them."""

# Glorot's normal law, which Flax's function of that name truncates.
XAVIER = nn.initializers.variance_scaling(1.0, "fan_avg", "normal")


class Convolved(NamedTuple):
    """A convolution without padding, maxima of windows that lie side by side, ReLU."""

    features: int
    size: int
    pool: int = 2


Layers = tuple[Convolved | int, ...]
"""From the input on; a number is the features of a dense layer. ReLU after each but the last."""

_SEEING = (Convolved(32, 3), Convolved(64, 3), Convolved(64, 3, pool=1))
FOCUS: Mapping[str, Layers] = MappingProxyType(
    {
        "cifar10": (*_SEEING, 512, 64, 10, 1),
        "cifar100": (*_SEEING, 512, 64, 1),
        "small": (Convolved(24, 5), Convolved(48, 3), 128, 1),
    }
)
"""Focus_cnn, Focus_cnn1 and a small one: no biases."""
CLASSIFY: Mapping[str, Layers] = MappingProxyType(
    {
        "cifar10": (Convolved(6, 5), Convolved(16, 5), 120, 84, 10),
        "cifar100": (Convolved(16, 5), Convolved(32, 5), 120),
        "small": (Convolved(8, 5), Convolved(16, 3), 64),
    }
)
"""Classification_cnn, Classification_cnn1 and a small one, without their logits: biases, from 0."""


class _Layered(nn.Module):
    """The layers of a network from one to another, each called as in the whole of it."""

    layers: Layers
    bias: bool
    first: int = 0
    last: int | None = None

    def named(self) -> dict[str, Convolved | int]:
        """The layers by their names."""
        last = len(self.layers) if self.last is None else self.last
        return {
            f"{'Conv' if isinstance(layer, Convolved) else 'Dense'}_{number}": layer
            for number, layer in enumerate(self.layers)
            if self.first <= number < last
        }

    @nn.compact
    def __call__(self, value: Array) -> Float[Array, "..."]:
        given = {"use_bias": self.bias, "kernel_init": XAVIER, "param_dtype": value.dtype}
        for name, layer in self.named().items():
            if isinstance(layer, Convolved):
                _check_image(value, layer)
                size = (layer.size, layer.size)
                value = Conv(layer.features, size, padding="VALID", name=name, **given)(value)
                # Before ReLU, which is the same, and of less.
                value = max_pool(value, (layer.pool, layer.pool)) if layer.pool > 1 else value
            else:
                value = nn.Dense(layer, name=name, **given)(value.reshape(-1))
            is_last = name.endswith(f"_{len(self.layers) - 1}")
            value = value if is_last else nn.relu(value)
        return value


def _check_image(value: Array, layer: Convolved) -> None:
    """Refuse what has no three axes, or too few points for a window."""
    least = layer.size + layer.pool - 1
    if value.ndim != 3 or min(value.shape[:2]) < least:
        raise InputError(
            f"cnn: got {value.shape} for a convolution, expected an image [height, width, channel] "
            f"of {least} points an axis or more; give larger images, or take mlp."
        )


def cnn_cifar10(classes: int, average: int = 0) -> Model:
    """Focus_cnn scores images and Classification_cnn reads them (PAPER 2).

    Segments are images ``[height, width, channel]``, 32 x 32 x 3 in the paper. Weights start from
    Xavier's normal law, biases from 0.

    Args:
        classes: number of logits.
        average: layers of the classification network before attention averages: 0, the input, to
            5, all but the logits. Whatever it is, a key gives the same start.

    Raises:
        InputError: no such layer.
    """
    return _cnn(classes, "cifar10", average)


def cnn_cifar100(classes: int, average: int = 0) -> Model:
    """Focus_cnn1 scores images and Classification_cnn1 reads them (PAPER 2).

    As `cnn_cifar10`; attention averages after 0 to 3 layers.

    Raises:
        InputError: no such layer.
    """
    return _cnn(classes, "cifar100", average)


def cnn_small(classes: int, average: int = 0) -> Model:
    """Two convolutions and dense layers in either network, for images of about 16 x 16.

    Of the same kinds of layers as `cnn_cifar10`, and not the paper's; attention averages after 0 to
    3 layers.

    Raises:
        InputError: no such layer.
    """
    return _cnn(classes, "small", average)


@lru_cache(maxsize=64)
def _cnn(classes: int, network: str, average: int) -> Model:
    layers = (*CLASSIFY[network], classes)
    if not 0 <= average < len(layers):
        raise InputError(
            f"average of cnn-{network}: got {average}, expected a number of layers: 0, the input, "
            f"to {len(layers) - 1}, all but the logits."
        )
    focus = _Layered(FOCUS[network], bias=False)
    make = partial(pair, focus, tile=1, smooth=False)
    whole = make(_Layered(layers, bias=True))._replace(in_cache=IN_CACHE)
    if average == 0:
        return whole
    before, after = (_Layered(layers, True, *ends) for ends in ((0, average), (average, None)))

    def init(key: Array, example: Example, hyper: Hyper) -> Params:
        start = whole.init(key, example, hyper)
        shared = {name: start["classify"].pop(name) for name in before.named()}
        return {**start, "shared": shared}

    return make(after, represent=before)._replace(init=init, in_cache=IN_CACHE)


MODELS = {"cnn-cifar10": cnn_cifar10, "cnn-cifar100": cnn_cifar100, "cnn-small": cnn_small}
