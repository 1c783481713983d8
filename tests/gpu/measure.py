"""What a CUDA device makes of the engine: kernels against their floors, the network against the largest matrix product,
the whole engine with its transfers, and the choices that only a measurement can decide. Prints one table, beside the
figures that were computed for the card.

    python tests/gpu/measure.py [--json OUT] [--table OUT] [--quick] [--frames N]

Times are medians of repeats after a warm-up, by the device's own clock, on random data in several sets of buffers that
do not fit into the cache together.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch.profiler import ProfilerActivity as Activity

sys.path.insert(0, str(Path(__file__).parents[1]))
from gpu import alternatives, computed
from gpu.bench import HALF, SIZES, Bench, Row, table
from gpu.steady import Steady
from helpers.networks import random_weights

from vsduf.engine import planning
from vsduf.engine.cuda import launchers, runtime
from vsduf.engine.cuda.backend import STREAMS, CudaBackend
from vsduf.engine.engine import Engine
from vsduf.network.duf import DufConfig

FORMS = [(16, True), (52, True), (16, False), (28, False), (52, False)]
SETS, WINDOWS = 4, 48  # of buffers, which do not fit into the cache together; windows are small


def ceilings(bench: Bench, side: int = 8192, copied: int = 2 << 30) -> tuple[float, float]:
    """Bytes a second of a large copy, read and written counted, and FLOP a second of a large half-precision product."""
    a, b = (bench.random(side, side) for _ in range(2))
    flops = 2 * side**3 / bench.milliseconds(lambda: a @ b) * 1e3
    here, there = bench.picture(2, copied)
    return 2 * copied / bench.milliseconds(lambda: there.copy_(here)) * 1e3, flops


def kernels(bench: Bench, height: int, width: int, bandwidth: float) -> Iterator[Row]:
    """Every kernel at the sizes of the streaming network of 16 layers, four times up, 8-bit pictures."""
    pixels, features = height * width, 160
    planes = [bench.picture(3, height, width) for _ in range(WINDOWS)]
    windows = [(bench.random(height, width, 8), frame) for frame in planes]
    pieces = [[bench.random(height, width, c) for c in (64, 32, 32, 32)] for _ in range(SETS)]
    joined, bounds = bench.random(height, width, features), torch.randn(3, features, device=bench.device)
    sums, total = [bench.random(height, width, 96) for _ in range(SETS)], bench.random(height, width, 32)
    products, narrow = [bench.random(height, width, 144) for _ in range(SETS)], bench.random(height, width, 16)
    merged, bias = [bench.random(pixels, 256) for _ in range(SETS)], torch.randn(256, device=bench.device)
    logits, residual = ([bench.random(height, width, c) for _ in range(SETS)] for c in (400, 48))
    out, added = bench.picture(3, 4 * height, 4 * width), torch.randn(448, device=bench.device)
    turn = itertools.count()

    def at(sets):
        return sets[next(turn) % len(sets)]

    def thirds():
        part = at(sums)
        return [(part, k) for k in range(3)]

    for name, size, work in [
        ("planes_to_window", 3 + 16, lambda: launchers.planes_to_window(*at(windows), 0, 0)),
        ("join", 4 * features, lambda: launchers.join(joined, at(pieces), bounds)),
        ("accumulate", 2 * 32 * 4, lambda: launchers.accumulate(total, thirds())),
        ("shift_add", 2 * 16 * 10, lambda: launchers.shift_add(narrow, at(products))),
        ("bias_relu", 4 * 256, lambda: launchers.bias_relu(at(merged), bias)),
        ("dynamic_filter", 2 * 448 + 3 + 48,
         lambda: launchers.dynamic_filter(out, planes[0], at(logits), at(residual), added, (0, 0), range(width))),
    ]:  # fmt: skip
        taken = bench.replayed(work)
        floor = size * pixels / bandwidth * 1e3
        yield Row(name, taken * 1e3, "us", floor / taken, f"{size * pixels / taken / 1e6:.0f} GB/s")


def network(bench: Bench, layers: int, streaming: bool, size: str, peak: float) -> Iterator[Row]:
    """Pictures a second of the network alone; for the streaming form the share of the peak that its products reach."""
    steady = Steady(DufConfig.of_depth(layers, 4, streaming=streaming), *SIZES[size], bench.device)
    with torch.inference_mode():
        start = time.perf_counter()
        steady()
        bench.synchronize()
        first = time.perf_counter() - start
        for _ in range(8):
            steady()
        taken = bench.milliseconds(steady, 10)
        bench.synchronize()
        start = time.perf_counter()
        for _ in range(10):
            steady()
        queued = (time.perf_counter() - start) * 100
        used = bench.peak_bytes(steady) / 2**20
    reached = 2 * steady.multiply_adds() / taken * 1e3
    note = f"{reached / 1e12:.0f} TFLOP/s, " if streaming else ""
    note += f"{taken:.2f} ms, queued in {queued:.2f} ms, first after {first:.1f} s, {used:.0f} MiB"
    yield Row(_name(layers, streaming, size), 1e3 / taken, "fps", reached / peak if streaming else None, note)


def shares(bench: Bench, layers: int, size: str, pictures: int = 10, most: int = 8) -> Iterator[Row]:
    """The kernels in which the device spends most of a picture's time."""
    steady = Steady(DufConfig.of_depth(layers, 4, streaming=True), *SIZES[size], bench.device)
    with torch.inference_mode():
        for _ in range(8):
            steady()
        bench.synchronize()
        with torch.profiler.profile(activities=[Activity.CUDA]) as profiled:
            for _ in range(pictures):
                steady()
            bench.synchronize()
    yield from shared(_name(layers, True, size), profiled.key_averages(), pictures, most)


def shared(name, events, pictures: int, most: int) -> Iterator[Row]:
    """Rows of the events with the most time, each with its share of all events' time."""
    taken = {event.key: event.self_device_time_total for event in events}
    whole = sum(taken.values())
    for kernel in sorted(taken, key=lambda kernel: -taken[kernel])[:most] if whole else []:
        share = f"{taken[kernel] / whole:.0%} of the device's time"
        yield Row(f"{name}: {kernel[:48]}", taken[kernel] / pictures, "us", None, share)


def engine(bench: Bench, layers: int, size: str, num_streams: int, frames: int = 120, threads: int = 0) -> Row:
    """Pictures a second of the whole engine, frames in and out of main memory. threads: that ask, by default 3."""
    weights = random_weights(DufConfig.of_depth(layers, 4, streaming=True))
    height, width = SIZES[size]
    source = np.random.default_rng(0).integers(0, 255, (16, 3, height, width), np.uint8)

    def backend(folded, extension):
        return CudaBackend(folded, extension, device=bench.device, dtype=HALF, num_streams=num_streams)

    made = Engine(weights, width, height, plan=planning.TilePlan(None), overlap=0, warn=print, backend=backend)

    def work(numbers, last):
        out = list(np.empty((3, 4 * height, 4 * width), np.uint8))
        while (n := next(numbers)) < last:
            made(range(n - 3, n + 4), {k: list(source[k % 16]) for k in range(n - 3, n + 4)}, out)

    work(itertools.count(3), 20)
    start, numbers, before = time.perf_counter(), itertools.count(20), time.process_time()
    running = [threading.Thread(target=work, args=(numbers, 20 + frames)) for _ in range(threads or num_streams)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    taken = time.perf_counter() - start
    cores = (time.process_time() - before) / taken
    made.close()
    asking = f", {threads} threads" if threads else ""
    return Row(f"engine {_name(layers, True, size)}, {num_streams} streams{asking}", frames / taken, "fps", None,
               f"{cores:.1f} cores busy")  # fmt: skip


def rows(bench: Bench, quick: bool) -> Iterator[Row]:
    """Everything, the quickest and most wanted first."""
    bandwidth, peak = ceilings(bench)
    yield Row("copy", bandwidth / 1e9, "GB/s")
    yield Row("matrix product", peak / 1e12, "TFLOP/s")
    yield from kernels(bench, *SIZES["270p"], bandwidth)
    for layers, streaming in FORMS:
        for size in ["270p"] if quick else SIZES:
            yield from network(bench, layers, streaming, size, peak)
    yield from alternatives.convolutions(bench, *SIZES["270p"])
    for num_streams in (1, 2, 3, 4):
        yield engine(bench, 16, "270p", num_streams)
    yield engine(bench, 16, "270p", STREAMS, threads=64)
    yield engine(bench, 52, "270p", STREAMS)
    for layers in (16, 52):
        yield alternatives.graph(bench, layers, "270p")
        yield from shares(bench, layers, "270p")
    yield from alternatives.transfers(bench)
    yield from alternatives.fused(bench, *SIZES["270p"])
    yield from alternatives.strips(bench)
    for dtype in (torch.float32, HALF):
        yield alternatives.plain(bench, 16, "270p", dtype)
    if not quick:
        yield alternatives.plain(bench, 52, "270p", HALF)
        yield alternatives.plain(bench, 16, "270p", HALF, compiled=True)


def _name(layers: int, streaming: bool, size: str) -> str:
    return f"{layers} layers{' streaming' if streaming else ''} {size}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the figures there")
    parser.add_argument("--table", type=Path, metavar="OUT", help="write the table there too")
    parser.add_argument("--quick", action="store_true", help="480x270 alone")
    parser.add_argument("--frames", type=int, metavar="N", help="only N frames of the engine of 16 layers")
    args = parser.parse_args()
    bench, found = Bench(), []
    runtime.use(bench.device)
    name = torch.cuda.get_device_name(bench.device)
    guesses = computed.figures(name)
    chosen = rows(bench, args.quick) if args.frames is None else [engine(bench, 16, "270p", STREAMS, args.frames)]
    for row in chosen:
        found.append(row)
        sys.stderr.write(table([row], guesses) + "\n")
        if args.json is not None:  # after each row, so that the figures survive an error in a later one
            args.json.write_text(json.dumps({"device": name, "rows": [asdict(r) for r in found]}, indent=2) + "\n")
    text = f"{name}, torch {torch.__version__}\n{table(found, guesses)}\n"
    sys.stdout.write(text)
    if args.table is not None:
        args.table.write_text(text)


if __name__ == "__main__":
    main()
