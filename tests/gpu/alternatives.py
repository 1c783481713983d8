"""What the engine could do instead of what it does: pairs of rows that each decide one thing."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from gpu.bench import HALF, SIZES, Bench, Row
from gpu.steady import Steady
from gpu.triton_convolution import WAYS, taps
from gpu.triton_convolution import convolve as convolve_in_triton
from helpers.networks import random_network
from triton.runtime.errors import OutOfResources

from vsduf.engine.cuda import launchers, runtime
from vsduf.network.duf import DufConfig

ONES = [1, 1]
CONVOLUTIONS = [(96, 32), (192, 96), (256, 16), (160, 96), (256, 256)]  # input and output channels


def convolutions(bench: Bench, height: int, width: int) -> Iterator[Row]:
    """cuDNN by rule and autotuned, Triton, and for few channels a product and shift_add."""
    for features, channels in CONVOLUTIONS:
        x = bench.random(1, height, width, features).permute(0, 3, 1, 2)
        kernel = bench.random(channels, features, 3, 3).contiguous(memory_format=torch.channels_last)
        for how, benchmark in (("by rule", False), ("autotuned, any order of sums", True)):

            def convolve(x=x, kernel=kernel, benchmark=benchmark):
                same = not benchmark  # torch caches plans by this flag, not by how they were found
                torch.cudnn_convolution(x, kernel, ONES, ONES, ONES, 1, benchmark, same, False)

            taken = bench.milliseconds(convolve)  # not replayed: autotuning cannot be captured
            rate = 2 * 9 * features * channels * height * width / taken / 1e9
            yield Row(f"3x3, {features} -> {channels}, {how}", taken * 1e3, "us", None, f"{rate:.0f} TFLOP/s")
        yield in_triton(bench, x[0].permute(1, 2, 0), kernel)
        if channels <= 16:
            yield shifted(bench, height, width, features, channels)


def shifted(bench: Bench, height: int, width: int, features: int, channels: int) -> Row:
    """A convolution as one product whose nine taps are added at their pixels."""
    pixels, matrix = bench.random(height * width, features), bench.random(features, 9 * channels)
    product, out = bench.random(height, width, 9 * channels), bench.random(height, width, channels)

    def work():
        launchers.matmul(product.view(-1, 9 * channels), pixels, matrix)
        launchers.shift_add(out, product)

    return Row(f"3x3, {features} -> {channels}, product and shift_add", bench.replayed(work) * 1e3, "us")


def in_triton(bench: Bench, pixels: torch.Tensor, kernel: torch.Tensor) -> Row:
    """The same convolution in Triton, by the fastest of some ways, and how long it takes until one of them is ready."""
    outputs, inputs = kernel.shape[:2]
    weights, expected, found, ready = taps(kernel), launchers.convolve(pixels, kernel, 1), [], 0.0
    start = time.perf_counter()
    for way in (way for way in WAYS if inputs % way.channels == 0):
        try:
            made = convolve_in_triton(pixels, weights, way)
        except OutOfResources:  # of this device's shared memory
            continue
        bench.synchronize()
        ready = ready or time.perf_counter() - start
        torch.testing.assert_close(made, expected, atol=0.2, rtol=0.01)  # sums of up to 2304 products of variance 1
        found.append((bench.milliseconds(lambda way=way: convolve_in_triton(pixels, weights, way)), str(way)))
    what = f"3x3, {inputs} -> {outputs}, Triton"
    if not found:
        return Row(what, 0.0, "us", None, "no way fits into the shared memory")
    taken, way = min(found)
    rate = 2 * 9 * inputs * outputs * pixels.shape[0] * pixels.shape[1] / taken / 1e9
    return Row(what, taken * 1e3, "us", None, f"{rate:.0f} TFLOP/s, {way}, the first after {ready:.1f} s")


def fused(bench: Bench, height: int, width: int) -> Iterator[Row]:
    """Bias and ReLU in the library's call, or behind it."""
    x = bench.random(1, height, width, 256).permute(0, 3, 1, 2)
    kernel = bench.random(256, 256, 3, 3).contiguous(memory_format=torch.channels_last)
    bias, wide = torch.randn(256, device=bench.device), bench.random(256)

    def merge():
        launchers.bias_relu(launchers.convolve(x[0].permute(1, 2, 0), kernel, 1), bias)

    yield Row("merge, then bias_relu", bench.milliseconds(merge) * 1e3, "us")
    taken = bench.milliseconds(lambda: torch.cudnn_convolution_relu(x, kernel, wide, ONES, ONES, ONES, 1))
    yield Row("merge, cuDNN's own bias and ReLU", taken * 1e3, "us")
    flat, matrix, added = bench.random(height * width, 160), bench.random(160, 160), bench.random(160)
    into = torch.empty_like(flat)
    for name, work in [
        ("1x1 with bias and ReLU in one call", lambda: launchers.matmul_relu(into, added, flat, matrix)),
        ("1x1, then bias and ReLU", lambda: F.relu_(torch.addmm(added, flat, matrix, out=into))),
    ]:
        yield Row(name, bench.replayed(work) * 1e3, "us")


def strips(bench: Bench, size: str = "270p") -> Iterator[Row]:
    """The heads in strips of so many pixels."""
    for exponent in (12, 13, 14, 16, 17):
        steady = Steady(DufConfig.of_depth(16, 4, streaming=True), *SIZES[size], bench.device, 1 << exponent)
        with torch.inference_mode():
            taken = bench.milliseconds(steady, 20)
        yield Row(f"strips of 2^{exponent} pixels, {size}", 1e3 / taken, "fps")


def graph(bench: Bench, layers: int, size: str) -> Row:
    """A picture's launches replayed as one graph (on the same buffers: the picture is wrong, the time is right)."""
    steady = Steady(DufConfig.of_depth(layers, 4, streaming=True), *SIZES[size], bench.device)
    with torch.inference_mode():
        for _ in range(8):
            steady()
        return Row(f"{layers} layers streaming {size}, as a graph", 1e3 / bench.replayed(steady, 1), "fps")


def transfers(bench: Bench, size: str = "270p") -> Iterator[Row]:
    """A picture's way back into a frame, straight and through pinned memory."""
    height, width = (4 * n for n in SIZES[size])
    frame = np.zeros((3, height, width), np.uint8)
    made = runtime.empty_planes(frame[0], bench.device)
    pinned = torch.empty(3, height, width, dtype=torch.uint8).pin_memory()
    stream = runtime.stream()

    def straight():
        for plane, part in zip(frame, made, strict=True):
            runtime.download(plane, part, stream)
        stream.synchronize()

    def staged():
        pinned.copy_(made)
        np.copyto(frame, pinned.numpy())

    for name, work in (("straight", straight), ("through pinned memory", staged)):
        times = []
        for _ in range(20):
            start = time.perf_counter()
            work()
            times.append(time.perf_counter() - start)
        taken = statistics.median(times)
        yield Row(f"download {name}", taken * 1e3, "ms", None, f"{frame.nbytes / taken / 1e9:.1f} GB/s")


def plain(bench: Bench, layers: int, size: str, dtype: torch.dtype, compiled: bool = False) -> Row:
    """The network as it is written down, eager, autotuned: what a user of torch would have."""
    model = random_network(DufConfig.of_depth(layers)).to(bench.device, dtype)
    window = torch.rand(1, 3, 7, *SIZES[size], device=bench.device, dtype=dtype)
    name = f"plain {layers} layers {size}, {'half' if dtype == HALF else 'float32'}"
    start = time.perf_counter()
    if compiled:
        model, name = torch.compile(model), f"{name}, compiled"
    with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, benchmark=True):
        model(window)
        bench.synchronize()
        note = f"first frame after {time.perf_counter() - start:.1f} s"
        return Row(name, 1e3 / bench.milliseconds(lambda: model(window), 5), "fps", None, note)
