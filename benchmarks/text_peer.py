"""The peer of posts: embedded words trained eagerly in PyTorch, as a person writes it."""

import numpy as np
import torch
from torch.nn import functional

from jaxattn.core.contracts import Example, Params


def _perceptron(part: Params) -> torch.nn.Sequential:
    """Two layers from exactly the parameters that Flax initialised."""
    made: list[torch.nn.Module] = []
    for number in range(2):
        kernel = torch.tensor(np.asarray(part[f"Dense_{number}"]["kernel"]).T.copy())
        one = torch.nn.Linear(kernel.shape[1], kernel.shape[0])
        with torch.no_grad():
            one.weight.copy_(kernel)
            one.bias.copy_(torch.tensor(np.asarray(part[f"Dense_{number}"]["bias"])))
        made += [one, torch.nn.ReLU()]
    return torch.nn.Sequential(*made[:-1])


class Loop:
    """An epoch of SGD with momentum over minibatches, each filled up to its longest post."""

    def __init__(
        self,
        posts: Example,
        rows: np.ndarray,
        params: Params,
        paradigm: str,
        rates: tuple[float, float],
        threads: int,
    ):
        self.paradigm, self.params, self.rates, self.threads = paradigm, params, rates, threads
        self.batches = []
        for taken in rows:
            taken = taken[taken >= 0]
            longest = int(np.asarray(posts.mask)[taken].sum(1).max())
            self.batches.append(
                (
                    torch.tensor(np.asarray(posts.segments)[taken, :longest].astype("int64")),
                    torch.tensor(np.asarray(posts.mask)[taken, :longest]),
                    torch.tensor(np.asarray(posts.label)[taken].astype("int64")),
                )
            )

    def __call__(self) -> list[float]:
        """The loss of each minibatch before its step."""
        torch.set_num_threads(self.threads)
        words = torch.tensor(np.asarray(self.params["shared"]["embedding"]).copy())
        embedding = torch.nn.Embedding.from_pretrained(words, freeze=False)
        focus, classify = (_perceptron(self.params[part]) for part in ("focus", "classify"))
        learnt = [*embedding.parameters(), *focus.parameters(), *classify.parameters()]
        optimiser = torch.optim.SGD(learnt, lr=self.rates[0], momentum=self.rates[1])
        losses = []
        for ids, mask, label in self.batches:
            loss = self._loss(embedding(ids), mask, label, focus, classify)
            losses.append(float(loss.detach()))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        return losses

    def _loss(
        self,
        values: torch.Tensor,
        mask: torch.Tensor,
        label: torch.Tensor,
        focus: torch.nn.Module,
        classify: torch.nn.Module,
    ) -> torch.Tensor:
        scores = focus(values).squeeze(-1).masked_fill(~mask, -torch.inf)
        log_attention = torch.log_softmax(scores, dim=1)
        if self.paradigm == "soft":
            value = torch.einsum("bs,bsf->bf", log_attention.exp(), values)
            return functional.cross_entropy(classify(value), label)
        read = torch.log_softmax(classify(values), dim=-1)
        told = read.gather(2, label[:, None, None].expand(-1, values.shape[1], 1)).squeeze(-1)
        if self.paradigm == "hard":
            return -(log_attention.exp() * told).sum(1).mean()
        return -torch.logsumexp(log_attention + told, dim=1).mean()
