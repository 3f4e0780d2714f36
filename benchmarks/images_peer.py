"""The peer of images: the published CNNs trained eagerly in PyTorch, as a person writes it."""

from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional

from jaxattn.core.contracts import Example, Params
from jaxattn.models.cnn import CLASSIFY, FOCUS, Convolved, Layers


def _network(layers: Layers, part: Params, side: int) -> torch.nn.Sequential:
    """Layers from exactly the parameters that Flax initialised, channels first."""
    made: list[torch.nn.Module] = []
    channels, flat = 3, False
    for number, layer in enumerate(layers):
        if isinstance(layer, Convolved):
            kernel = np.asarray(part[f"Conv_{number}"]["kernel"]).transpose(3, 2, 0, 1)
            bias = part[f"Conv_{number}"].get("bias")
            one: torch.nn.Module = torch.nn.Conv2d(
                channels, layer.features, layer.size, bias=bias is not None
            )
            channels, side = layer.features, (side - layer.size + 1) // layer.pool
        else:
            kernel = np.asarray(part[f"Dense_{number}"]["kernel"])
            bias = part[f"Dense_{number}"].get("bias")
            if not flat:
                # From channels last to channels first.
                kernel = kernel.reshape(side, side, channels, -1).transpose(2, 0, 1, 3)
                kernel, flat = kernel.reshape(-1, layer), True
                made.append(torch.nn.Flatten())
            one, kernel = torch.nn.Linear(*kernel.shape, bias=bias is not None), kernel.T
        with torch.no_grad():
            one.weight.copy_(torch.tensor(kernel.copy()))
            if bias is not None:
                one.bias.copy_(torch.tensor(np.asarray(bias)))
        made += [one, torch.nn.ReLU()]
        if isinstance(layer, Convolved) and layer.pool > 1:
            made.append(torch.nn.MaxPool2d(layer.pool))
    return torch.nn.Sequential(*made[:-1])


class Loop:
    """Plain gradient descent on one minibatch, again and again; images lie channels first."""

    def __init__(self, batch: Example, params: Params, paradigm: str, network: str, rate: float):
        images = np.asarray(batch.segments).transpose(0, 1, 4, 2, 3)
        self.images = torch.tensor(np.ascontiguousarray(images))
        self.labels = torch.tensor(np.asarray(batch.label), dtype=torch.long)
        classes = params["classify"][f"Dense_{len(CLASSIFY[network])}"]["bias"].size
        side = images.shape[-1]
        self.focus = _network(FOCUS[network], params["focus"], side)
        self.classify = _network((*CLASSIFY[network], classes), params["classify"], side)
        self.paradigm = paradigm
        learnt = [*self.focus.parameters(), *self.classify.parameters()]
        self.optimiser = torch.optim.SGD(learnt, lr=rate)

    def loss(self) -> torch.Tensor:
        bags, segments = self.images.shape[:2]
        flat = self.images.flatten(0, 1)
        log_attention = torch.log_softmax(self.focus(flat).view(bags, segments), dim=1)
        if self.paradigm == "soft":
            value = torch.einsum("bs,bschw->bchw", log_attention.exp(), self.images)
            return functional.cross_entropy(self.classify(value), self.labels)
        read = torch.log_softmax(self.classify(flat), dim=-1).view(bags, segments, -1)
        places = self.labels[:, None, None].expand(-1, segments, 1)
        told = read.gather(2, places).squeeze(-1)
        return -(log_attention.exp() * told).sum(1).mean()

    def running(self, steps: int, threads: int) -> Callable[[], list[float]]:
        """So many steps on so many threads, to be timed: the loss before each, and after all."""

        def run() -> list[float]:
            torch.set_num_threads(threads)
            losses = []
            for _ in range(steps):
                loss = self.loss()
                losses.append(float(loss.detach()))
                self.optimiser.zero_grad()
                loss.backward()
                self.optimiser.step()
            return losses

        return run
