"""vsduf as a Scaler of vs-jetpack, for vsscale and other code that takes one; needs `pip install 'vsduf[jetpack]'`."""

from __future__ import annotations

from typing import Any

import vapoursynth as vs
from vskernels import Catrom, KernelLike
from vsscale import BaseGenericScaler

from vsduf.filter.graph import upscale


class DUF(BaseGenericScaler):
    """Scales with `vsduf.upscale` to any size, by the smallest of 2, 3 and 4 that reaches it and zimg from there.

    kernel: resizes nothing by itself, but moves the picture where a caller gives a shift. options: arguments of
    `vsduf.upscale`, such as model or device_id.
    """

    _static_kernel_radius = 8  # pixels that an output pixel depends on at each side, with 16 layers

    def __init__(self, *, kernel: KernelLike = Catrom, **options: Any) -> None:
        super().__init__(kernel=kernel)
        self.options = options

    def scale(
        self,
        clip: vs.VideoNode,
        width: int | None = None,
        height: int | None = None,
        shift: tuple[float, float] = (0, 0),
        **options: Any,
    ) -> vs.VideoNode:
        """Returns `clip` at that size, by default its own. shift: pixels of the output, down and to the right.

        options: as for the class; those given here are preferred. Raises vs.Error like `vsduf.upscale`.
        """
        width, height = self._wh_norm(clip, width, height)
        made = upscale(clip, width=width, height=height, **self.options | options)
        return self._finish_scale(made, clip, width, height, shift)
