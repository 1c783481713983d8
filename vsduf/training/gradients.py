"""Computes a step's gradients: each thread draws its share of the batch, and runs the network forward and backward.

On a CPU every thread works alone from the footage to the gradients, with one core: threads that share each operation
wait for each other at its end, and beside other programs they would lose most of the machine to that (ten times the
time for a sample, measured on two busy cores).
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vsduf.network.duf import Duf
from vsduf.network.dynamic_upsample import dynamic_upsample
from vsduf.training.samples import Sampler
from vsduf.upscaler import RADIUS

Share = tuple[Tensor, float, float]
"""A share's loss, the seconds spent drawing its samples, and the seconds spent on all of it."""


@dataclass(frozen=True)
class Loss:
    """The loss of a step: its kind, "huber" or "l2"; delta of the Huber loss; whether batch norms are frozen."""

    kind: str
    delta: float
    freeze_norm: bool

    def __call__(self, output: Tensor, truth: Tensor) -> Tensor:
        """Returns the loss of pictures of range 0..1."""
        return F.mse_loss(output, truth) if self.kind == "l2" else F.huber_loss(output, truth, delta=self.delta)


class Gradients:
    """Leaves the gradients of a batch in a network's parameters.

    threads: shares of the batch that are computed at a time, each by a copy of the network that has the parameters in
    common with it and batch-norm statistics of its own. dtype: of the convolutions.
    """

    def __init__(self, network: Duf, threads: int, dtype: torch.dtype) -> None:
        self.network, self.dtype = network, dtype
        self.device = network.stem.weight.device
        self.copies = [network, *(_sharing(network) for _ in range(threads - 1))]
        self.drawing = 0.0  # seconds that threads have spent drawing samples
        self.working = 0.0  # seconds that threads have spent in all
        self._pool = ThreadPoolExecutor(threads, "vsduf-train", _one_core if threads > 1 else None)

    def step(self, sampler: Sampler, loss: Loss, seeds: list[int]) -> Tensor:
        """Computes one step, and returns its loss. seeds: for each sequence of the batch, the seed that draws it."""
        shares = [seeds[k :: len(self.copies)] for k in range(len(self.copies))]
        shares = [share for share in shares if share]
        for duf in self.copies:
            duf.train()
            if loss.freeze_norm:
                _freeze_norms(duf)
            duf.zero_grad(set_to_none=True)
        work = zip(self.copies, shares, strict=False)
        futures = [self._pool.submit(self._share, duf, sampler, loss, share, len(seeds)) for duf, share in work]
        losses, drawing, working = zip(*(future.result() for future in futures), strict=True)
        self.drawing += sum(drawing)
        self.working += sum(working)
        self._gather(self.copies[1 : len(shares)])
        return torch.stack(losses).sum()

    def spread[Item, Result](self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Applies a function to items, on the threads."""
        return self._pool.map(function, items)

    def close(self) -> None:
        """Ends the threads."""
        self._pool.shutdown()

    def _share(self, duf: Duf, sampler: Sampler, loss: Loss, seeds: list[int], count: int) -> Share:
        started = time.perf_counter()
        drawn = [sampler.draw(1, np.random.default_rng(seed)) for seed in seeds]
        sequence, truth = (torch.cat(parts) for parts in zip(*drawn, strict=True))
        drawing = time.perf_counter() - started
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            logits, residual = duf(sequence.contiguous(memory_format=torch.channels_last_3d))
        centres = sequence[:, :, RADIUS : sequence.shape[2] - RADIUS].transpose(1, 2).flatten(0, 1)
        output = dynamic_upsample(centres, logits.float(), residual.float())
        value = loss(output, truth) * (len(seeds) / count)
        torch.autograd.backward(value)
        return value.detach(), drawing, time.perf_counter() - started

    @torch.no_grad()
    def _gather(self, others: list[Duf]) -> None:
        """Adds the copies' gradients to the network's, and averages their running statistics."""
        for parameter, *theirs in zip(*(d.parameters() for d in (self.network, *others)), strict=True):
            for other in theirs:
                assert parameter.grad is not None and other.grad is not None
                parameter.grad += other.grad
        for buffer, *theirs in zip(*(d.buffers() for d in (self.network, *others)), strict=True):
            if theirs and buffer.is_floating_point():
                buffer.copy_(torch.stack([buffer, *theirs]).mean(0))
        for copied in self.copies[1:]:
            for mine, original in zip(copied.buffers(), self.network.buffers(), strict=True):
                mine.copy_(original)


def _sharing(network: Duf) -> Duf:
    """Returns a copy whose parameters lie in the network's memory."""
    copied = copy.deepcopy(network)
    for mine, theirs in zip(copied.parameters(), network.parameters(), strict=True):
        mine.data = theirs.data
    return copied


def _one_core() -> None:
    torch.set_num_threads(1)


def _freeze_norms(network: Duf) -> None:
    for module in network.modules():
        if isinstance(module, nn.BatchNorm3d):
            module.eval()
