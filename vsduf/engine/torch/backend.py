"""The backend for any device of torch's, in torch's operations: AMD, Intel and Apple GPUs, and NVIDIA without CuPy.

One thread submits all work, to one stream of its own where the device has streams. Pictures are downloaded on their
callers' threads, so the next frame is computed meanwhile. Pictures may differ from the CPU's in the last bit, for every
device adds products in an order of its own; with CUDA, float32 follows torch's global TF32 setting.
"""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vsduf import system
from vsduf.engine import planning
from vsduf.engine.backend import Source, TileNetwork
from vsduf.engine.device import DeviceChoice
from vsduf.engine.folded import FoldedArrays
from vsduf.engine.planning import DeviceMemory
from vsduf.engine.tiles import Tile
from vsduf.engine.torch.network import STRIP, TorchNetwork, TorchTileNetwork, strip_bytes
from vsduf.network.config import DufConfig
from vsduf.upscaler import WINDOW, Planes

AT_ONCE = 2  # one picture is computed while another is downloaded
SPARE = 3  # source frames kept on the device beyond a window
WITH_STREAMS = ("cuda", "xpu")  # as torch names devices; ROCm's are "cuda" too
PEAKS = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535}


class TorchBackend:
    """See `backend.Backend`. extension: LR pixels by which a frame is extended at every side before tiles are cut."""

    at_once = AT_ONCE

    def __init__(self, folded: FoldedArrays, extension: int, *, device: torch.device, dtype: torch.dtype) -> None:
        self._device, self._extension = device, extension
        self._frames: OrderedDict[int, Tensor] = OrderedDict()
        self._worker = ThreadPoolExecutor(1, "vsduf-torch")
        self._worker.submit(_use, device).result()
        self._network: TorchNetwork | None = self._worker.submit(TorchNetwork, folded, device, dtype).result()

    def tile_network(self, tile: Tile) -> TileNetwork:
        """See `backend.Backend`."""
        assert self._network is not None
        return TorchTileNetwork(self._network, tile, self._extension)

    def make(
        self,
        window: Sequence[int],
        frames: Mapping[int, Planes],
        out: Planes,
        compute: Callable[[Source, Tensor], None],
    ) -> None:
        """See `backend.Backend`."""
        picture, made = self._worker.submit(self._compute, window, frames, out, compute).result()
        if made is not None:
            made.synchronize()
        for plane, values in zip(out, picture.cpu().numpy(), strict=True):
            plane[...] = values  # integers were rounded on the device; numpy converts int32 to uint16

    def ran_out(self, error: BaseException) -> bool:
        """See `backend.Backend`; MPS raises its error as RuntimeError."""
        return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
            isinstance(error, RuntimeError) and "out of memory" in str(error)
        )

    def settle(self) -> None:
        """See `backend.Backend`; torch uses memory again in the order of its stream."""

    def release(self) -> None:
        """See `backend.Backend`."""
        if self._device.type != "cpu":
            getattr(torch, self._device.type).empty_cache()

    def close(self) -> None:
        """See `backend.Backend`."""
        self._worker.shutdown()
        self._network = None
        self._frames.clear()
        self.release()

    @torch.inference_mode()
    def _compute(
        self,
        window: Sequence[int],
        frames: Mapping[int, Planes],
        out: Planes,
        compute: Callable[[Source, Tensor], None],
    ) -> tuple[Tensor, Any]:
        picture = torch.empty(3, *out[0].shape, device=self._device)
        compute(functools.partial(self._samples, window, frames), picture)
        picture = _as_samples(picture, out[0].dtype)
        return picture, self._event()

    def _samples(self, window: Sequence[int], frames: Mapping[int, Planes], number: int) -> Tensor:
        """Returns a source frame on the device, [3, H, W], uploaded unless it is there."""
        if number not in self._frames:
            while len(self._frames) >= WINDOW + SPARE:
                self._frames.popitem(last=False)
            self._frames[number] = torch.from_numpy(_stacked(frames[number])).to(self._device)
        self._frames.move_to_end(number)
        return self._frames[number]

    def _event(self) -> Any:
        """Returns an event behind all work that is queued; None where the download itself waits for it."""
        if self._device.type not in WITH_STREAMS:
            return None
        event = torch.Event(self._device, blocking=True)
        event.record(torch.accelerator.current_stream(self._device))
        return event


def opener(choice: DeviceChoice) -> Callable[[FoldedArrays, int], TorchBackend]:
    """Returns the function that opens a `TorchBackend` for a folded network and an extension."""
    dtype = torch.float16 if choice.fp16 else torch.float32
    return functools.partial(TorchBackend, device=choice.device, dtype=dtype)


def memory(choice: DeviceChoice, config: DufConfig, width: int, height: int) -> DeviceMemory:
    """Returns the device's memory after pictures of width x height LR pixels."""
    pictures = 4 * 3 * width * height * (WINDOW + SPARE + 2 * AT_ONCE * config.scale**2)
    pixel = strip_bytes(config, 2 if choice.fp16 else 4)
    return DeviceMemory(int(_free(choice.device) * planning.SHARE) - pictures, lambda width: max(STRIP, width) * pixel)


def _free(device: torch.device) -> int:
    """Returns the device's free bytes."""
    if device.type == "mps":
        return int(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    if device.type == "cpu":
        return system.free_bytes()
    return int(getattr(torch, device.type).mem_get_info(device)[0])


def _use(device: torch.device) -> None:
    """Makes the device and a new stream the calling thread's current ones until the thread ends."""
    if device.type in WITH_STREAMS:
        torch.accelerator.set_device_index(device.index)
        torch.accelerator.set_stream(torch.Stream(device))


def _stacked(planes: Planes) -> NDArray[Any]:
    """Returns planes as one array; 16-bit integers as int32, since few devices compute with uint16."""
    return np.stack(planes, dtype=np.int32 if planes[0].dtype == np.uint16 else None)


def _as_samples(picture: Tensor, dtype: np.dtype[Any]) -> Tensor:
    """Converts a picture in 0..1 to samples; 16-bit integers as int32, as `_stacked` does."""
    if dtype not in PEAKS:
        return picture.to(torch.float16 if dtype == np.float16 else torch.float32)
    peak = PEAKS[dtype]
    rounded = (picture.clamp_(0, 1) * peak + 0.5).floor_()
    return rounded.to(torch.uint8 if peak == 255 else torch.int32)
