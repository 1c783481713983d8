"""Upscalers for tests of `upscale_with`, in place of the network's."""

import numpy as np

from vsduf.siting import Siting


class Nearest:
    """Repeats every pixel of the centre frame; keeps the windows and centre frames of all calls, and counts `close`."""

    at_once = 1

    def __init__(self, scale=2, siting=Siting.CENTER):
        self.scale, self.siting, self.closed, self.windows, self.seen = scale, siting, 0, [], {}

    def __call__(self, window, frames, out):
        self.windows.append(list(window))
        self.seen[window[3]] = [plane.copy() for plane in frames[window[3]]]
        for low, high in zip(frames[window[3]], out, strict=True):
            high[...] = low.repeat(self.scale, 0).repeat(self.scale, 1)

    def close(self):
        self.closed += 1


class Mixing(Nearest):
    """Makes a picture that depends on all seven frames and on their order."""

    def __call__(self, window, frames, out):
        for channel, high in enumerate(out):
            mixed = sum((i + 1) * frames[n][channel].astype(np.float64) for i, n in enumerate(window)) / 28
            high[...] = mixed.astype(high.dtype).repeat(self.scale, 0).repeat(self.scale, 1)


class Failing(Nearest):
    """Raises an error for chosen frames."""

    def __init__(self, bad, error):
        super().__init__()
        self.bad, self.error = bad, error

    def __call__(self, window, frames, out):
        if window[3] in self.bad:
            raise self.error
        super().__call__(window, frames, out)
