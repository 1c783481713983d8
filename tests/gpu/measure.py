"""What a CUDA device makes of the engine: kernels against their floors, the network against the largest matrix product,
the whole engine with its transfers, and the choices that only a measurement can decide. Prints a table, the last thing
it does; writes the same figures as JSON where it is told to.

    python tests/gpu/measure.py [--json OUT] [--quick]

Times are medians of repeats after a warm-up, by the device's own clock, on random data in several sets of buffers that
do not fit into the cache together.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch.profiler import ProfilerActivity as Activity

sys.path.insert(0, str(Path(__file__).parents[1]))
from helpers.networks import random_network, random_weights
from triton.runtime.errors import OutOfResources
from triton_convolution import WAYS, taps
from triton_convolution import convolve as convolve_in_triton

from vsduf.engine import planning
from vsduf.engine.cuda import backend as cuda_backend
from vsduf.engine.cuda import frames, launchers, runtime
from vsduf.engine.cuda import network as cuda_network
from vsduf.engine.cuda.network import CudaTileNetwork, Scratch, to_device
from vsduf.engine.engine import IDLE_FRAMES, Engine
from vsduf.engine.feature_cache import FeatureCache
from vsduf.engine.folded import fold
from vsduf.engine.tiles import cut
from vsduf.network.duf import DufConfig

DEVICE = torch.device("cuda", 0)
HALF = torch.float16
SIZES = {"180p": (180, 320), "270p": (270, 480), "480p": (480, 854), "540p": (540, 960)}
FORMS = [(16, True), (52, True), (16, False), (28, False), (52, False)]
SETS, WINDOWS = 4, 48  # of buffers, which do not fit into the cache together; windows are small


@dataclass(frozen=True)
class Row:
    """One figure of the table, with what bounds it: share is the floor's time over the measured."""

    what: str
    value: float
    unit: str
    share: float | None = None
    note: str = ""


def milliseconds(work: Callable[[], object], repeats: int = 30) -> float:
    """The median time of a call on the device."""
    for _ in range(3):
        work()
    times = []
    for _ in range(repeats):
        start, stop = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        work()
        stop.record()
        stop.synchronize()
        times.append(start.elapsed_time(stop))
    return statistics.median(times)


def replayed(work: Callable[[], object], calls: int = 20) -> float:
    """The time of one of many calls without what their launches cost: all in one graph."""
    work()
    torch.cuda.synchronize()
    captured = torch.cuda.CUDAGraph()
    with torch.cuda.graph(captured, stream=torch.cuda.current_stream(), capture_error_mode="thread_local"):
        for _ in range(calls):
            work()
    return milliseconds(captured.replay) / calls


def ceilings(side: int = 8192, copied: int = 2 << 30) -> tuple[float, float]:
    """Bytes a second of a large copy, read and written counted, and FLOP a second of a large half-precision product."""
    a, b = (torch.randn(side, side, device=DEVICE, dtype=HALF) for _ in range(2))
    flops = 2 * side**3 / milliseconds(lambda: a @ b) * 1e3
    here, there = torch.randint(0, 255, (2, copied), device=DEVICE, dtype=torch.uint8)
    return 2 * copied / milliseconds(lambda: there.copy_(here)) * 1e3, flops


def kernels(height: int, width: int, bandwidth: float) -> Iterator[Row]:
    """Every kernel at the sizes of the streaming network of 16 layers, four times up, 8-bit pictures."""
    pixels, features = height * width, 160
    planes = [torch.randint(0, 255, (3, height, width), device=DEVICE, dtype=torch.uint8) for _ in range(WINDOWS)]
    windows = [(torch.empty(height, width, 8, device=DEVICE, dtype=HALF), frame) for frame in planes]
    pieces = [[_random(height, width, c) for c in (64, 32, 32, 32)] for _ in range(SETS)]
    joined, bounds = _random(height, width, features), torch.randn(3, features, device=DEVICE)
    shares, total = [_random(height, width, 96) for _ in range(SETS)], _random(height, width, 32)
    merged, bias = [_random(pixels, 256) for _ in range(SETS)], torch.randn(256, device=DEVICE)
    logits, residual = ([_random(height, width, c) for _ in range(SETS)] for c in (400, 48))
    out = torch.empty(3, 4 * height, 4 * width, device=DEVICE, dtype=torch.uint8)
    added = torch.randn(448, device=DEVICE)
    turn = itertools.count()

    def at(sets):
        return sets[next(turn) % len(sets)]

    def thirds():
        share = at(shares)
        return [share[..., 32 * k : 32 * (k + 1)] for k in range(3)]

    for name, size, work in [
        ("planes_to_window", 3 + 16, lambda: launchers.planes_to_window(*at(windows), 0, 0)),
        ("join", 4 * features, lambda: launchers.join(joined, at(pieces), bounds)),
        ("accumulate", 2 * 32 * 4, lambda: launchers.accumulate(total, thirds())),
        ("bias_relu", 4 * 256, lambda: launchers.bias_relu(at(merged), bias)),
        ("dynamic_filter", 2 * 448 + 3 + 48,
         lambda: launchers.dynamic_filter(out, planes[0], at(logits), at(residual), added, (0, 0), range(width))),
    ]:  # fmt: skip
        taken = replayed(work)
        floor = size * pixels / bandwidth * 1e3
        yield Row(name, taken * 1e3, "us", floor / taken, f"{size * pixels / taken / 1e6:.0f} GB/s")


class Steady:
    """A network in the middle of a clip whose frames are on the device already: each call makes the next picture."""

    def __init__(self, config: DufConfig, height: int, width: int) -> None:
        self.config, self.size = config, (height, width)
        network = to_device(fold(random_network(config)), DEVICE, HALF)
        source = [torch.randint(0, 255, (3, height, width), device=DEVICE, dtype=torch.uint8) for _ in range(8)]
        (tile,) = cut(height, width, None, 0)
        self.source = lambda n: source[n % 8]
        self.cache = FeatureCache(CudaTileNetwork(network, tile, 0, Scratch(DEVICE, HALF)), IDLE_FRAMES)
        self.out = torch.empty(3, config.scale * height, config.scale * width, device=DEVICE, dtype=torch.uint8)
        self.n = 3

    def __call__(self) -> None:
        pieces = self.cache(range(self.n - 3, self.n + 4), self.source)
        self.cache.network.finish(pieces, self.source(self.n), self.out)
        self.n += 1

    def multiply_adds(self) -> float:
        """Returns the multiply-adds of a picture in the middle of a clip, with the features of earlier ones cached."""
        config, scale = self.config, self.config.scale**2
        heads = config.merge * (config.filter_hidden + config.residual_hidden)
        last = config.filter_hidden * 25 * scale + config.residual_hidden * 3 * scale
        per_pixel = 27 * config.stem + 9 * config.features * config.merge + heads + last
        for k in range(config.blocks):
            features = config.stem + k * config.growth
            apart = config.streaming and k < config.full_window_blocks
            per_pixel += features**2 + 9 * features * config.growth * (1 if apart else 3)
        return per_pixel * self.size[0] * self.size[1]


def network(layers: int, streaming: bool, size: str, peak: float) -> Iterator[Row]:
    """Pictures a second of the network alone; for the streaming form the share of the peak that its products reach."""
    steady = Steady(DufConfig.of_depth(layers, 4, streaming=streaming), *SIZES[size])
    with torch.inference_mode():
        for _ in range(8):
            steady()
        torch.cuda.reset_peak_memory_stats(DEVICE)
        taken = milliseconds(steady, 10)
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(10):
            steady()
        queued = (time.perf_counter() - start) * 100
        torch.cuda.synchronize()
    reached = 2 * steady.multiply_adds() / taken * 1e3
    share = reached / peak if streaming else None
    memory_used = torch.cuda.max_memory_allocated(DEVICE) / 2**20
    note = f"{reached / 1e12:.0f} TFLOP/s, " if streaming else ""
    note += f"{taken:.2f} ms, queued in {queued:.2f} ms, {memory_used:.0f} MiB"
    yield Row(f"{_name(layers, streaming)} {size}", 1e3 / taken, "fps", share, note)


def shares(layers: int, size: str, pictures: int = 10, most: int = 8) -> Iterator[Row]:
    """The kernels in which the device spends most of a picture's time."""
    steady = Steady(DufConfig.of_depth(layers, 4, streaming=True), *SIZES[size])
    with torch.inference_mode():
        for _ in range(8):
            steady()
        torch.cuda.synchronize()
        with torch.profiler.profile(activities=[Activity.CUDA]) as profiled:
            for _ in range(pictures):
                steady()
            torch.cuda.synchronize()
    taken = {event.key: event.self_device_time_total for event in profiled.key_averages()}
    whole = sum(taken.values())
    for name in sorted(taken, key=lambda name: -taken[name])[:most] if whole else []:
        what = f"{_name(layers, True)} {size}: {name[:48]}"
        yield Row(what, taken[name] / pictures, "us", None, f"{taken[name] / whole:.0%} of the device's time")


def engine(layers: int, streaming: bool, size: str, num_streams: int, frames: int = 120) -> Row:
    """Pictures a second of the whole engine, frames in and out of main memory, asked for by as many threads."""
    weights = random_weights(DufConfig.of_depth(layers, 4, streaming=streaming))
    height, width = SIZES[size]
    source = np.random.default_rng(0).integers(0, 255, (16, 3, height, width), np.uint8)

    def backend(folded, extension):
        return cuda_backend.CudaBackend(folded, extension, device=DEVICE, dtype=HALF, num_streams=num_streams)

    made = Engine(weights, width, height, plan=planning.TilePlan(None), overlap=0, warn=print, backend=backend)

    def work(numbers, last):
        out = list(np.empty((3, 4 * height, 4 * width), np.uint8))
        while (n := next(numbers)) < last:
            made(range(n - 3, n + 4), {k: list(source[k % 16]) for k in range(n - 3, n + 4)}, out)

    work(itertools.count(3), 20)
    start, numbers = time.perf_counter(), itertools.count(20)
    threads = [threading.Thread(target=work, args=(numbers, 20 + frames)) for _ in range(num_streams)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = time.perf_counter() - start
    made.close()
    return Row(f"engine {_name(layers, streaming)} {size}, {num_streams} streams", frames / taken, "fps")


def plain(layers: int, size: str, dtype: torch.dtype, compiled: bool = False) -> Row:
    """The network as it is written down, eager, autotuned: what a user of torch would have."""
    model = random_network(DufConfig.of_depth(layers)).to(DEVICE, dtype)
    window = torch.rand(1, 3, 7, *SIZES[size], device=DEVICE, dtype=dtype)
    name = f"plain {_name(layers, False)} {size}, {'float32' if dtype == torch.float32 else 'half'}"
    start = time.perf_counter()
    if compiled:
        model, name = torch.compile(model), f"{name}, compiled"
    with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, benchmark=True):
        model(window)
        torch.cuda.synchronize()
        note = f"first frame after {time.perf_counter() - start:.1f} s"
        return Row(name, 1e3 / milliseconds(lambda: model(window), 5), "fps", None, note)


def choices(height: int, width: int) -> Iterator[Row]:
    """Alternatives to what the engine does; each pair of rows decides one thing."""
    ones = [1, 1]
    for features, channels in ((96, 32), (192, 96), (256, 256)):
        x = _random(1, height, width, features).permute(0, 3, 1, 2)
        kernel = _random(channels, features, 3, 3).contiguous(memory_format=torch.channels_last)
        for how, benchmark in (("by rule", False), ("autotuned, any order of sums", True)):

            def convolve(x=x, kernel=kernel, benchmark=benchmark):
                same = not benchmark  # bit by bit; torch keeps what it has found by this, and not by how it was found
                torch.cudnn_convolution(x, kernel, ones, ones, ones, 1, benchmark, same, False)

            taken = milliseconds(convolve)  # not replayed: autotuning cannot be captured
            rate = 2 * 9 * features * channels * height * width / taken / 1e9
            yield Row(f"3x3, {features} -> {channels}, {how}", taken * 1e3, "us", None, f"{rate:.0f} TFLOP/s")
        yield in_triton(x[0].permute(1, 2, 0), kernel)
    bias, wide = torch.randn(channels, device=DEVICE), torch.randn(channels, device=DEVICE, dtype=HALF)
    yield Row("merge, then bias_relu", milliseconds(lambda: _merge(x, kernel, bias)) * 1e3, "us")
    fused = milliseconds(lambda: torch.cudnn_convolution_relu(x, kernel, wide, ones, ones, ones, 1))
    yield Row("merge, cuDNN's own bias and ReLU", fused * 1e3, "us")
    flat, mix, added = _random(height * width, 160), _random(160, 160), _random(160)
    into = torch.empty_like(flat)
    for name, work in [
        ("1x1 with bias and ReLU in one call", lambda: torch._addmm_activation(added, flat, mix, out=into)),
        ("1x1, then bias and ReLU", lambda: F.relu_(torch.addmm(added, flat, mix, out=into))),
    ]:
        yield Row(name, replayed(work) * 1e3, "us")


def in_triton(pixels: torch.Tensor, kernel: torch.Tensor) -> Row:
    """The same convolution in Triton, by the fastest of some ways, and how long it takes until one of them is ready."""
    outputs, inputs = kernel.shape[:2]
    weights, expected, found, ready = taps(kernel), launchers.convolve(pixels, kernel, 1), [], 0.0
    start = time.perf_counter()
    for way in (way for way in WAYS if inputs % way.channels == 0):
        try:
            made = convolve_in_triton(pixels, weights, way)
        except OutOfResources:  # of this device's shared memory
            continue
        torch.cuda.synchronize()
        ready = ready or time.perf_counter() - start
        torch.testing.assert_close(made, expected, atol=0.2, rtol=0.01)  # sums of up to 2304 products of variance 1
        found.append((milliseconds(lambda way=way: convolve_in_triton(pixels, weights, way)), str(way)))
    what = f"3x3, {inputs} -> {outputs}, Triton"
    if not found:
        return Row(what, 0.0, "us", None, "no way fits into the shared memory")
    taken, way = min(found)
    rate = 2 * 9 * inputs * outputs * pixels.shape[0] * pixels.shape[1] / taken / 1e9
    return Row(what, taken * 1e3, "us", None, f"{rate:.0f} TFLOP/s, {way}, the first after {ready:.1f} s")


def strips(size: str = "540p") -> Iterator[Row]:
    """The heads in strips of so many pixels."""
    usual = cuda_network.STRIP
    for exponent in (14, 15, 16, 17, 20):
        cuda_network.STRIP = 1 << exponent
        row = next(network(16, True, size, 1.0))
        yield Row(f"strips of 2^{exponent} pixels, {size}", row.value, "fps")
    cuda_network.STRIP = usual


def graph(layers: int, size: str) -> Row:
    """A picture's launches replayed as one graph (on the same buffers: the picture is wrong, the time is right)."""
    steady = Steady(DufConfig.of_depth(layers, 4, streaming=True), *SIZES[size])
    stream = torch.cuda.Stream()
    with torch.inference_mode(), torch.cuda.stream(stream):
        for _ in range(8):
            steady()
        torch.cuda.synchronize()
        captured = torch.cuda.CUDAGraph()
        with torch.cuda.graph(captured, stream=stream, capture_error_mode="thread_local"):
            steady()
        return Row(f"{_name(layers, True)} {size}, as a graph", 1e3 / milliseconds(captured.replay, 20), "fps")


def transfers(size: str = "270p") -> Iterator[Row]:
    """A picture's way back into a frame, straight and through pinned memory."""
    height, width = (4 * n for n in SIZES[size])
    made = frames._planes((height, width), np.dtype(np.uint8), DEVICE)
    frame = np.zeros((3, height, width), np.uint8)
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


def rows(quick: bool) -> Iterator[Row]:
    """Everything, the quickest and most wanted first."""
    bandwidth, peak = ceilings()
    yield Row("copy", bandwidth / 1e9, "GB/s")
    yield Row("matrix product", peak / 1e12, "TFLOP/s")
    yield from kernels(*SIZES["270p"], bandwidth)
    for layers, streaming in FORMS:
        for size in ["270p"] if quick else SIZES:
            yield from network(layers, streaming, size, peak)
    for layers in (16, 52):
        yield graph(layers, "270p")
        yield from shares(layers, "270p")
    for num_streams in (1, 2, 3, 4):
        yield engine(16, True, "270p", num_streams)
    yield engine(52, True, "270p", cuda_backend.STREAMS)
    yield from transfers()
    yield from choices(*SIZES["270p"])
    yield from strips()
    for dtype in (torch.float32, HALF):
        yield plain(16, "270p", dtype)
    if not quick:
        yield plain(52, "270p", HALF)
        yield plain(16, "270p", HALF, compiled=True)


def table(found: list[Row]) -> str:
    """One line a row."""
    wide = max(len(row.what) for row in found)
    lines = []
    for row in found:
        share = f"{row.share:4.0%}" if row.share is not None else " " * 4
        lines.append(f"{row.what:{wide}}  {row.value:9.1f} {row.unit:8}{share}  {row.note}".rstrip())
    return "\n".join(lines)


def _name(layers: int, streaming: bool) -> str:
    return f"{layers} layers{' streaming' if streaming else ''}"


def _random(*shape: int) -> torch.Tensor:
    return torch.randn(shape, device=DEVICE, dtype=HALF)


def _merge(x: torch.Tensor, kernel: torch.Tensor, bias: torch.Tensor) -> None:
    launchers.bias_relu(launchers.convolve(x[0].permute(1, 2, 0), kernel, 1), bias)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the figures there")
    parser.add_argument("--quick", action="store_true", help="480x270 alone")
    args = parser.parse_args()
    found: list[Row] = []
    name = torch.cuda.get_device_name(DEVICE)
    with torch.cuda.stream(torch.cuda.Stream(DEVICE)):
        for row in rows(args.quick):
            found.append(row)
            sys.stderr.write(table([row]) + "\n")
            if args.json is not None:  # after each, lest a machine that goes takes all with it
                args.json.write_text(json.dumps({"device": name, "rows": [asdict(r) for r in found]}, indent=2) + "\n")
    sys.stdout.write(f"{name}, torch {torch.__version__}\n{table(found)}\n")


if __name__ == "__main__":
    main()
