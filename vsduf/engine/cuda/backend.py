"""The CUDA backend: cuDNN, cuBLAS and the kernels of kernels/.

One dedicated thread submits all work to one stream: cuDNN keeps its plans, and cuBLAS its workspaces, for each thread
that calls them, and VapourSynth has many. That thread never waits for the device, and uploads and downloads are done on
the threads that ask for frames, so upload, computation and download of neighbouring frames overlap.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from vsduf.engine import planning
from vsduf.engine.backend import Source, TileNetwork
from vsduf.engine.cuda import runtime
from vsduf.engine.cuda.frames import Result, Slot, SourceRing
from vsduf.engine.cuda.network import CudaTileNetwork, DeviceNetwork, strip_bytes, strip_pixels, to_device
from vsduf.engine.device import DeviceChoice
from vsduf.engine.folded import FoldedArrays
from vsduf.engine.planning import DeviceMemory
from vsduf.engine.pool import PriorityPool
from vsduf.engine.scratch import Scratch
from vsduf.engine.tiles import Tile
from vsduf.network.config import DufConfig
from vsduf.upscaler import WINDOW, Planes

STREAMS = 3  # pictures in work by default: one uploaded, one computed, one downloaded
SPARE = 3  # source frames kept on the device beyond a window, so that an upload seldom waits for the network
OUT_OF_MEMORY = 2  # cudaErrorMemoryAllocation and CUDA_ERROR_OUT_OF_MEMORY

# In the messages of RuntimeErrors:
OOM_MESSAGES = ("CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED")
NO_PLAN = "unable to find an engine to execute this computation"  # cuDNN: too little memory, or no kernel for it
SCARCE = 0.25  # share of the device's memory; with less of it free, NO_PLAN counts as too little memory

problem = runtime.problem


class CudaBackend:
    """See `backend.Backend`. num_streams: pictures that may be in work at a time."""

    def __init__(
        self,
        folded: FoldedArrays,
        extension: int,
        *,
        device: torch.device,
        dtype: torch.dtype,
        num_streams: int,
    ) -> None:
        self._device, self._extension = device, extension
        self._scratch = Scratch(device, dtype)
        self._worker = ThreadPoolExecutor(1, "vsduf-cuda")
        self._worker.submit(runtime.use, device).result()
        # On the worker thread: its stream then computes after these copies without any other synchronisation.
        strip = strip_pixels(torch.cuda.mem_get_info(device)[1])
        self._network: DeviceNetwork | None = self._worker.submit(to_device, folded, device, dtype, strip).result()
        with runtime.on_device(device):
            self._sources = SourceRing(WINDOW + SPARE, device)
            self._results = PriorityPool([Result(device) for _ in range(num_streams)])
        self.at_once = num_streams

    def tile_network(self, tile: Tile) -> TileNetwork:
        """See `backend.Backend`."""
        assert self._network is not None, "the backend is closed"
        return CudaTileNetwork(self._network, tile, self._extension, self._scratch)

    def make(
        self,
        window: Sequence[int],
        frames: Mapping[int, Planes],
        out: Planes,
        compute: Callable[[Source, Tensor], None],
    ) -> None:
        """See `backend.Backend`."""
        with self._results.take(window[len(window) // 2]) as result, runtime.on_device(self._device):
            try:
                slots = self._sources.load(window, frames)
                self._worker.submit(self._queue, slots, out, result, compute).result()
            except BaseException:
                self._sources.wait()  # the frames belong to the caller, who may free them after this error
                raise
            result.download(out)

    def ran_out(self, error: BaseException) -> bool:
        """See `backend.Backend`."""
        if isinstance(error, MemoryError | torch.OutOfMemoryError):
            return True
        code = getattr(error, "status", getattr(error, "error_code", None))  # CuPy's errors; torch's AcceleratorError
        if code == OUT_OF_MEMORY:
            return True
        if not isinstance(error, RuntimeError):
            return False
        free, total = torch.cuda.mem_get_info(self._device)
        return any(text in str(error) for text in OOM_MESSAGES) or (NO_PLAN in str(error) and free < SCARCE * total)

    def settle(self) -> None:
        """See `backend.Backend`; on one stream memory can be used again at once."""

    def release(self) -> None:
        """See `backend.Backend`."""
        self._scratch.clear()
        runtime.empty_cache()

    def close(self) -> None:
        """See `backend.Backend`."""
        self._worker.submit(runtime.wait_for_all).result()
        self._worker.shutdown()
        self._network = None
        self._scratch.clear()
        self._sources.clear()
        self._results.clear()
        runtime.empty_cache()

    @torch.inference_mode()
    def _queue(
        self, slots: Mapping[int, Slot], out: Planes, result: Result, compute: Callable[[Source, Tensor], None]
    ) -> None:
        """Queues all of a picture's work; runs on the worker."""
        with self._sources.reading(slots) as source:
            compute(source, result.prepare(out))
            result.finished()


def opener(choice: DeviceChoice, num_streams: int | None) -> Callable[[FoldedArrays, int], CudaBackend]:
    """Returns the function that opens a `CudaBackend` for a folded network and an extension."""
    dtype = torch.float16 if choice.fp16 else torch.float32
    return functools.partial(CudaBackend, device=choice.device, dtype=dtype, num_streams=num_streams or STREAMS)


def memory(choice: DeviceChoice, num_streams: int | None, config: DufConfig, width: int, height: int) -> DeviceMemory:
    """Returns the memory that is left beside the frames and pictures: width x height LR pixels, counted as float32."""
    free, total = torch.cuda.mem_get_info(choice.device)
    streams, dtype = num_streams or STREAMS, torch.float16 if choice.fp16 else torch.float32
    pictures = max(WINDOW + SPARE, WINDOW * streams) + streams * config.scale**2
    budget = int(free * planning.SHARE) - 3 * 4 * width * height * pictures
    return DeviceMemory(budget, functools.partial(strip_bytes, dtype, strip_pixels(total), config))
