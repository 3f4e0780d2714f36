"""The peer of captions: a captioner trained eagerly in PyTorch, as a person writes it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from jaxattn.core.contracts import Example, Params
from jaxattn.core.words import PAD, SOS

Layers = Mapping[str, Any]


def _tensors(part: Any) -> Any:
    """Exactly the parameters that Flax initialised, to be learnt."""
    if isinstance(part, Mapping):
        return {name: _tensors(leaf) for name, leaf in part.items()}
    return torch.tensor(np.asarray(part)).requires_grad_()


def _leaves(part: Any) -> list[torch.Tensor]:
    if isinstance(part, Mapping):
        return [leaf for one in part.values() for leaf in _leaves(one)]
    return [part]


def _dense(part: Layers, value: torch.Tensor) -> torch.Tensor:
    product = value @ part["kernel"]
    return product + part["bias"] if "bias" in part else product


def _given(part: Layers, output: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    hidden = torch.tanh(_dense(part["Dense_0"], output) + _dense(part["Dense_1"], value))
    return _dense(part["Dense_2"], hidden)


class Loop:
    """Steps of SGD over minibatches, one word after the other, teacher forced."""

    def __init__(
        self,
        examples: Example,
        rows: np.ndarray,
        params: Params,
        paradigm: str,
        rate: float,
        threads: int,
    ):
        self.paradigm, self.params, self.rate, self.threads = paradigm, params, rate, threads
        self.batches = [
            (
                torch.tensor(np.asarray(examples.segments)[taken]),
                torch.tensor(np.asarray(examples.label)[taken].astype("int64")),
            )
            for taken in rows
        ]

    def __call__(self) -> list[float]:
        """The loss of each minibatch before its step."""
        torch.set_num_threads(self.threads)
        params = _tensors(self.params)
        cell = _cell(params["shared"]["words"])
        words = params["shared"]["words"]["Dense_0"]["kernel"]
        parts = (params["shared"]["segments"], params["focus"], params["classify"])
        learnt = [words, *(leaf for part in parts for leaf in _leaves(part))]
        learnt += [one for one in cell.parameters() if one.requires_grad]
        optimiser = torch.optim.SGD(learnt, lr=self.rate)
        losses = []
        for segments, label in self.batches:
            loss = self._loss(params, cell, words, segments, label)
            losses.append(float(loss.detach()))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        return losses

    def _loss(
        self,
        params: Layers,
        cell: torch.nn.LSTMCell,
        words: torch.Tensor,
        segments: torch.Tensor,
        label: torch.Tensor,
    ) -> torch.Tensor:
        of_segments = params["shared"]["segments"]
        hidden = torch.tanh(_dense(of_segments["Dense_0"], segments.flatten(2)))
        values = torch.tanh(_dense(of_segments["Dense_1"], hidden)) + of_segments["place"]
        count = len(label)
        nothing = values.new_zeros(count, values.shape[-1])
        first = torch.full((count,), SOS)
        state = cell(torch.cat([words[first], nothing], 1), (nothing, nothing))
        total = values.new_zeros(count)
        for place in range(label.shape[1]):
            word, output = label[:, place], state[0][:, None]
            attention = torch.softmax(_given(params["focus"], output, values)[..., 0], 1)
            context = torch.einsum("bs,bsf->bf", attention, values)
            found = self._of_word(params["classify"], output, values, attention, context, word)
            total = total + torch.where(word == PAD, 0.0, found)
            state = cell(torch.cat([words[word], context], 1), state)
        return total.mean()

    def _of_word(
        self,
        classify: Layers,
        output: torch.Tensor,
        values: torch.Tensor,
        attention: torch.Tensor,
        context: torch.Tensor,
        word: torch.Tensor,
    ) -> torch.Tensor:
        if self.paradigm == "soft":
            logits = _given(classify, output[:, 0], context)
            return functional.cross_entropy(logits, word, reduction="none")
        read = torch.log_softmax(_given(classify, output, values), -1)
        told = read.gather(2, word[:, None, None].expand(-1, values.shape[1], 1)).squeeze(-1)
        return -(attention * told).sum(1)


def _cell(part: Layers) -> torch.nn.LSTMCell:
    """An LSTM by the library; PyTorch's gates are in the order i, f, g, o."""
    of = part["OptimizedLSTMCell_0"]
    joined = {
        side: torch.cat([of[f"{side}{gate}"]["kernel"].T for gate in "ifgo"]) for side in "ih"
    }
    bias = torch.cat([of[f"h{gate}"]["bias"] for gate in "ifgo"])
    cell = torch.nn.LSTMCell(joined["i"].shape[1], joined["h"].shape[1])
    with torch.no_grad():
        cell.weight_ih.copy_(joined["i"])
        cell.weight_hh.copy_(joined["h"])
        cell.bias_ih.zero_()
        cell.bias_hh.copy_(bias)
    # The second bias of PyTorch's would be learnt too, twice as fast together.
    cell.bias_ih.requires_grad_(False)
    return cell
