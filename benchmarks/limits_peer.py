"""The peer of a gradient flow: torchdiffeq on the same loss, one network after another."""

import numpy as np
import torch
from jax import tree
from peer import Loop
from torch.nn.utils import parameters_to_vector, vector_to_parameters
from torchdiffeq import odeint

from jaxattn.core.contracts import Data, Params


class Flow:
    """``theta' = -grad L(theta)`` in float64, on all of `data` at once.

    The state of the solver is one vector, as torchdiffeq's own examples have it: tuples are packed
    into one at every evaluation.
    """

    def __init__(self, data: Data, paradigm: str, params: Params):
        loop = Loop(data, params, paradigm, rate=0.0)
        # The segments are float32 numbers in float64 to begin with (see the task).
        loop.segments = loop.segments.double()
        self.learnt = [*loop.focus.double().parameters(), *loop.classify.double().parameters()]
        self.loss, self.rows = loop.loss, slice(None)
        self.evaluations = 0

    def field(self, time: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
        self.evaluations += 1
        vector_to_parameters(state, self.learnt)
        with torch.enable_grad():
            loss = self.loss(self.rows)
            gradients = torch.autograd.grad(loss, self.learnt)
        return -parameters_to_vector(gradients)

    def solve(
        self, params: Params, times: np.ndarray, method: str, rtol: float, atol: float
    ) -> np.ndarray:
        """The parameters at `times` from these, ``[save, parameter]``, in the order of `flat`."""
        start, at = torch.tensor(flat(params)), torch.tensor(times)
        with torch.no_grad():
            path = odeint(self.field, start, at, rtol=rtol, atol=atol, method=method)
        return path.numpy()


def flat(params: Params) -> np.ndarray:
    """Parameters as PyTorch orders them: ``[..., parameter]``, focus first, kernels transposed.

    Leading axes (rows, saves) stay.
    """
    kernels = [
        np.swapaxes(np.asarray(leaf), -1, -2)
        for part in ("focus", "classify")
        for leaf in tree.leaves(params[part])
    ]
    return np.concatenate([k.reshape(*k.shape[:-2], -1) for k in kernels], axis=-1)
