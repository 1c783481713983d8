"""The clock of the measurements, their rows and their table."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass

import torch

HALF = torch.float16
SIZES = {"180p": (180, 320), "270p": (270, 480), "480p": (480, 854), "540p": (540, 960)}


@dataclass(frozen=True)
class Row:
    """A figure of the table. share: the time that its bytes or products need at least, over the measured time."""

    what: str
    value: float
    unit: str
    share: float | None = None
    note: str = ""


class Bench:
    """A CUDA device and its clock. Times are medians of repeats after a warm-up."""

    device = torch.device("cuda", 0)

    def milliseconds(self, work: Callable[[], object], repeats: int = 30) -> float:
        """Returns the time of a call on the device."""
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

    def replayed(self, work: Callable[[], object], calls: int = 20) -> float:
        """Returns the time of one of many calls without the cost of their launches: all are in one graph."""
        work()
        torch.cuda.synchronize()
        captured = torch.cuda.CUDAGraph()
        with torch.cuda.graph(captured, stream=torch.cuda.current_stream(), capture_error_mode="thread_local"):
            for _ in range(calls):
                work()
        return self.milliseconds(captured.replay) / calls

    def synchronize(self) -> None:
        """Waits for the device."""
        torch.cuda.synchronize()

    def peak_bytes(self, work: Callable[[], object]) -> int:
        """Returns the most bytes that torch has allocated at a time while `work` runs."""
        torch.cuda.reset_peak_memory_stats(self.device)
        work()
        return torch.cuda.max_memory_allocated(self.device)

    def random(self, *shape: int) -> torch.Tensor:
        """Returns random halves."""
        return torch.randn(shape, device=self.device, dtype=HALF)

    def picture(self, *shape: int) -> torch.Tensor:
        """Returns random 8-bit samples."""
        return torch.randint(0, 255, shape, device=self.device, dtype=torch.uint8)


def table(found: list[Row], computed: dict[str, float]) -> str:
    """Returns one line a row; where a figure was computed for this device, with that and the measured over it."""
    wide = max(len(row.what) for row in found)
    lines = []
    for row in found:
        share = f"{row.share:4.0%}" if row.share is not None else " " * 4
        guess = computed.get(row.what)
        beside = f"computed {guess:8.1f}, {row.value / guess:5.2f} of it" if guess is not None else ""
        lines.append(f"{row.what:{wide}}  {row.value:9.1f} {row.unit:8}{share}  {beside:31}{row.note}".rstrip())
    return "\n".join(lines)
