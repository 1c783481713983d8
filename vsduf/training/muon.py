"""Optimises matrices by Muon, momentum whose singular values are all set to one, and the other parameters by Adam.

Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024. A convolution's kernel [out, in, ...] is
taken as a matrix [out, in * ...]. torch's own Muon takes parameters of two dimensions alone, and multiplies in
bfloat16, which is slow on processors without an instruction for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Adam, Optimizer

OPTIMISERS = ("muon", "adam")
MOMENTUM = 0.9
STEPS, A, B, C = 5, 3.4445, -4.7750, 2.0315  # a polynomial that, done so often, brings 0.01..1 to 0.7..1.2


class Muon(Optimizer):
    """Changes each matrix by `lr` times the root of its longer side in the direction of its momentum, made orthogonal.

    So a matrix's entries change by lr in the root mean square, whatever its gradient's scale is.
    """

    def __init__(self, parameters: Iterable[Tensor], lr: float) -> None:
        super().__init__(parameters, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Changes the parameters once. closure: must be None; torch's interface has it for other optimisers."""
        assert closure is None
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    momentum = self.state[parameter].setdefault("momentum", torch.zeros_like(parameter))
                    momentum.lerp_(parameter.grad, 1 - MOMENTUM)
                    ahead = parameter.grad.lerp(momentum, MOMENTUM).flatten(1)
                    change = orthogonal(ahead).view(parameter.shape)
                    parameter.add_(change, alpha=-group["lr"] * max(ahead.shape) ** 0.5)


def orthogonal(matrix: Tensor) -> Tensor:
    """Returns about the nearest matrix with orthonormal rows, or columns if these are fewer, by Newton and Schulz."""
    x = matrix.T if len(matrix) > matrix.shape[1] else matrix
    x = x / x.norm().clamp(min=1e-12)
    for _ in range(STEPS):
        square = x @ x.T
        x = torch.addmm(x, torch.addmm(square, square, square, beta=B, alpha=C), x, beta=A)
    return x.T if len(matrix) > matrix.shape[1] else x


def optimisers(name: str, parameters: Iterable[Tensor], lr: float) -> list[Optimizer]:
    """Returns the optimisers of a run: Muon for matrices and Adam for the rest, or Adam alone, as in the paper."""
    everything = list(parameters)
    fused = everything[0].device.type == "cuda"
    if name == "adam":
        return [Adam(everything, lr, fused=fused)]
    matrices = [p for p in everything if p.ndim > 1]
    return [Muon(matrices, lr), Adam([p for p in everything if p.ndim == 1], lr, fused=fused)]
