"""The peer: the same training as an eager PyTorch loop of one seed, as a person writes it."""

from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional

from jaxattn.core.contracts import Data, Params


def _network(part: Params) -> torch.nn.Sequential:
    """Dense layers, ReLU between them, with exactly the parameters that Flax initialised."""
    layers: list[torch.nn.Module] = []
    for name in sorted(part):
        kernel = torch.tensor(np.asarray(part[name]["kernel"]).T.copy())
        bias = part[name].get("bias")
        layer = torch.nn.Linear(*kernel.T.shape, bias=bias is not None)
        with torch.no_grad():
            layer.weight.copy_(kernel)
            if bias is not None:
                layer.bias.copy_(torch.tensor(np.asarray(bias)))
        layers += [layer, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


class Loop:
    """Plain gradient descent on given minibatches.

    The segments lie in memory as floats, ``[bag, segment, feature]``, so that a step pays for one
    indexing only. `alpha` imposes the attention; otherwise it is the softmax of the scores.
    """

    def __init__(
        self, data: Data, params: Params, paradigm: str, rate: float, alpha: float | None = None
    ):
        pool = np.asarray(data.pool, np.float32)
        self.segments = torch.tensor(pool[np.asarray(data.examples.segments)]).flatten(2)
        self.labels = torch.tensor(np.asarray(data.examples.label), dtype=torch.long)
        self.focus, self.classify = _network(params["focus"]), _network(params["classify"])
        self.paradigm, self.log_attention = paradigm, None
        learnt = list(self.classify.parameters())
        if alpha is None:
            learnt += self.focus.parameters()
        else:
            on = torch.tensor(np.asarray(data.examples.foreground))
            off = (1 - alpha) / (on.shape[1] - 1)  # one segment of a bag is foreground
            self.log_attention = torch.where(on, alpha, off).log()
        self.optimiser = torch.optim.SGD(learnt, lr=rate)

    def loss(self, rows: torch.Tensor) -> torch.Tensor:
        segments, labels = self.segments[rows], self.labels[rows]
        if self.log_attention is None:
            log_attention = torch.log_softmax(self.focus(segments).squeeze(-1), dim=1)
        else:
            log_attention = self.log_attention[rows]
        if self.paradigm == "soft":
            value = torch.einsum("bs,bsf->bf", log_attention.exp(), segments)
            return functional.cross_entropy(self.classify(value), labels)
        read = torch.log_softmax(self.classify(segments), dim=-1)
        places = labels[:, None, None].expand(-1, read.shape[1], 1)
        told = read.gather(2, places).squeeze(-1)
        if self.paradigm == "hard":
            return -(log_attention.exp() * told).sum(1).mean()
        return -torch.logsumexp(log_attention + told, dim=1).mean()

    def step(self, rows: torch.Tensor) -> None:
        loss = self.loss(rows)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()

    def running(self, batches: list[torch.Tensor]) -> Callable[[], None]:
        """All these steps, to be timed; goes on from where the last call ended."""

        def run() -> None:
            for rows in batches:
                self.step(rows)

        return run
