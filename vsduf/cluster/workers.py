"""Encodes segments by several workers, each a process of Ray with a network of its own, on one machine or many.

Workers take the numbers of frames and leave files; frames never go through Ray. What a worker that dies was at is done
again by another one. Ray starts a new process for it, on another machine if its own is gone.
"""

from __future__ import annotations

import os
import platform
import socket
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import vapoursynth as vs

from vsduf.errors import ArgumentError, DeviceError, DufError, MediaError
from vsduf.film import segments as plan
from vsduf.film.segments import Segments
from vsduf.film.timeline import Timeline
from vsduf.film.work import Part, Work, partial

ATTEMPTS = 3  # at one segment, before the film is given up
PATIENCE = 600.0  # seconds without any segment until the user is told

MakeClip = Callable[[int], vs.VideoNode]
"""Makes the clip to encode, in a worker's process; takes the cores that the worker may use, 0 if it has a GPU."""


@dataclass(frozen=True)
class Crew:
    """The workers.

    count: how many, None for one on each GPU, or on each machine without any. address: of a running cluster, None for
    this machine alone. gpus: whether workers compute on GPUs where there are some.
    """

    count: int | None = None
    address: str | None = None
    gpus: bool = True


class Encoder:
    """Encodes segments in a worker's process; the clip is made once, with the first of them."""

    def __init__(self, make: MakeClip, cores: int, video: Mapping[str, str], times: Timeline, work: Work) -> None:
        self._make, self._cores = make, cores
        self._clip: vs.VideoNode | None = None
        self._video, self._times, self._work = video, times, work

    def ready(self) -> None:
        """Returns, which shows that the process is there."""

    def encode(self, first: int, end: int) -> bytes | None:
        """Encodes a segment into the work's folder; returns its bytes where this machine does not have that folder.

        Raises MediaError with the sentence of whatever fails.
        """
        try:
            if self._clip is None:
                self._clip = self._make(self._cores)
            if self._work.here():
                with self._work.made(first, end) as part:
                    plan.encode_one(self._clip, self._video, self._times, part)
                return None
            with tempfile.TemporaryDirectory(prefix="vsduf-") as folder:
                part = Part(first, end, Path(folder, "segment.mkv"))
                plan.encode_one(self._clip, self._video, self._times, part)
                return partial(part).read_bytes()
        except (DufError, vs.Error, OSError) as error:
            raise MediaError(f"a worker on {platform.node()} failed: {error}") from None


@dataclass
class _Run:
    """What is left to do, and what the workers are at: for each of Ray's references the worker and its segment."""

    pending: Iterator[tuple[int, int]]
    again: deque[tuple[int, int]] = field(default_factory=deque)
    workers: list[Any] = field(default_factory=list)
    idle: list[Any] = field(default_factory=list)
    busy: dict[Any, tuple[Any, tuple[int, int] | None]] = field(default_factory=dict)

    def give(self, worker: Any) -> None:
        """Hands the next segment to a worker, if any is left."""
        part = self.again.popleft() if self.again else next(self.pending, None)
        if part is None:
            self.idle.append(worker)
        else:
            self.busy[worker.encode.remote(*part)] = worker, part

    def fail(self, worker: Any, part: tuple[int, int] | None) -> None:
        """Has a segment made again by an idle worker, or by the next one; a worker that died joins when it is back."""
        self.busy[worker.ready.remote()] = worker, None
        if part is not None:
            self.again.append(part)
            if self.idle:
                self.give(self.idle.pop())

    @property
    def encoding(self) -> bool:
        """Whether any worker is at a segment, or one is left."""
        return bool(self.again) or any(part is not None for _, part in self.busy.values())


def encode(
    video: Mapping[str, str],
    times: Timeline,
    segments: Segments,
    make: MakeClip,
    crew: Crew,
    progress: Callable[[int], None] = lambda done: None,
    warn: Callable[[str], None] = lambda text: None,
) -> list[Part]:
    """Encodes the segments that are missing by a crew of workers, and returns all of them in order.

    video, times, segments, progress, warn: as for `film.segments.encode`, and the bytes are the same. make: picklable.
    Raises ArgumentError without Ray or for a cluster that cannot be reached, MediaError if a segment fails.
    """
    ray = _ray()
    made = plan.opened(segments, warn)
    done = sum(part.count for part in made)
    progress(done)
    run = _Run(plan.missing(made, segments, times))
    try:
        _connect(ray, crew)
        for worker in _hired(ray, crew, make, video, times, segments.work):
            run.workers.append(worker)
            run.give(worker)
        attempts: Counter[tuple[int, int]] = Counter()
        while run.encoding:
            ready, _ = ray.wait(list(run.busy), timeout=PATIENCE)
            if not ready:
                warn(
                    f"no worker has finished anything for {PATIENCE:.0f} s; `ray status` shows which machines are there"
                )
                continue
            worker, part = run.busy.pop(ready[0])
            try:
                result = ray.get(ready[0])
            except ray.exceptions.RayTaskError as error:
                raise error.cause from None
            except ray.exceptions.RayActorError:
                _count(part, attempts, warn)
                run.fail(worker, part)
                continue
            if part is not None:
                made.append(_received(segments.work, part, result, made, video["c"], warn))
                done += part[1] - part[0]
                progress(done)
            run.give(worker)
    finally:
        for worker in run.workers:
            ray.kill(worker)
        segments.work.remove_if_empty()
    return sorted(made)


def _count(part: tuple[int, int] | None, attempts: Counter[tuple[int, int]], warn: Callable[[str], None]) -> None:
    """Counts how often workers have died at a segment; raises MediaError if that is too often."""
    if part is None:  # a worker that is not back yet
        time.sleep(1)
        return
    attempts[part] += 1
    if attempts[part] == ATTEMPTS:
        raise MediaError(f"{ATTEMPTS} workers died at frames {part[0]} to {part[1] - 1}; does their memory suffice?")
    warn(f"a worker died; frames {part[0]} to {part[1] - 1} are made again")


def _received(
    work: Work,
    frames: tuple[int, int],
    content: bytes | None,
    made: list[Part],
    codec: str,
    warn: Callable[[str], None],
) -> Part:
    """Returns a segment that a worker has made; writes it first if the worker has sent its bytes."""
    if content is not None:
        with work.made(*frames) as part:
            partial(part).write_bytes(content)
    part = work.part(*frames)
    if not part.path.exists() or not plan.whole(part, warn):
        raise MediaError(f"a worker's segment is missing in {work.folder}; is the folder shared, and writable there?")
    plan.check_headers(part, made, codec)
    return part


def _hired(
    ray: Any, crew: Crew, make: MakeClip, video: Mapping[str, str], times: Timeline, work: Work
) -> Iterator[Any]:
    """Yields the workers: Ray starts each where there are cores or a GPU for it."""
    actor = ray.remote(Encoder)
    for cores, gpus in shares(crew, [node["Resources"] for node in ray.nodes() if node["Alive"]]):
        options = {"num_cpus": cores, "num_gpus": gpus, "max_restarts": -1}
        yield actor.options(**options).remote(make, 0 if gpus else max(1, int(cores)), video, times, work)


def shares(crew: Crew, machines: list[Mapping[str, float]]) -> list[tuple[float, int]]:
    """Returns each worker's share: cores, and 1 if it has a GPU."""
    found: list[tuple[float, int]] = []
    for machine in machines:
        cores, gpus = machine.get("CPU", 1), int(machine.get("GPU", 0)) if crew.gpus else 0
        found += [(cores // gpus or cores / gpus, 1)] * gpus if gpus else [(cores, 0)]
    if crew.count is None:
        return found
    if with_gpu := [share for share in found if share[1]]:
        if crew.count > len(with_gpu):
            raise DeviceError(f"--workers is {crew.count}, and there are {len(with_gpu)} GPUs; give at most as many")
        return with_gpu[: crew.count]
    cores = sum(share[0] for share in found) / crew.count
    return [(float(int(cores)) if cores >= 1 else cores, 0)] * crew.count


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise ArgumentError("several workers need the package ray; pip install 'vsduf[cluster]'") from error
    return ray


def _connect(ray: Any, crew: Crew) -> None:
    """Starts Ray on this machine, or connects to a cluster; raises ArgumentError for one that does not answer."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if ray.is_initialized():  # by the film before, in a batch
        return
    try:
        _check_address(crew.address)
        ray.init(address=crew.address or "local", logging_level="error", log_to_driver=False)
    except (OSError, ValueError, RuntimeError) as error:
        where = crew.address or "this machine"
        raise ArgumentError(f"Ray cannot be used on {where} ({error}); is `ray start --head` running?") from error


def _check_address(address: str | None) -> None:
    """Raises OSError or ValueError if nothing listens at HOST:PORT, for which Ray itself would wait for minutes."""
    if address is None or address in ("auto", "local"):
        return
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal():
        raise ValueError(f"{address!r} is neither auto nor HOST:PORT")
    socket.create_connection((host, int(port)), timeout=10).close()
