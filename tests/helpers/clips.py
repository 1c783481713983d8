"""Clips of any format from numpy arrays."""

import numpy as np
import vapoursynth as vs

core = vs.core  # a proxy: whichever core is current


def clip_of(arrays, fmt, **props):
    """Returns a clip of frames, each a list of planes as [H, W] arrays of the format's sample type."""
    height, width = arrays[0][0].shape
    blank = core.std.BlankClip(format=fmt, width=width, height=height, length=len(arrays), fpsnum=25, fpsden=1)

    def fill(n, f):
        made = f.copy()
        for plane, values in enumerate(arrays[n]):
            np.asarray(made[plane])[...] = values
        return made

    filled = blank.std.ModifyFrame([blank], fill)
    return filled.std.SetFrameProps(**props) if props else filled


def noise(fmt, width, height, frames=1, seed=0, low=0.2, high=0.8, **props):
    """Returns a clip of random samples between `low` and `high` of the range; float chroma lies around 0."""
    fmt = core.get_video_format(fmt)
    rng = np.random.default_rng(seed)
    return clip_of([list(_planes(fmt, width, height, rng, low, high)) for _ in range(frames)], fmt.id, **props)


def _planes(fmt, width, height, rng, low, high):
    for plane in range(fmt.num_planes):
        sub = plane > 0
        values = rng.uniform(low, high, (height >> (fmt.subsampling_h * sub), width >> (fmt.subsampling_w * sub)))
        if fmt.sample_type == vs.INTEGER:
            yield (values * (2**fmt.bits_per_sample - 1)).astype("u1" if fmt.bytes_per_sample == 1 else "u2")
        else:
            neutral = 0.5 if sub and fmt.color_family == vs.YUV else 0
            yield (values - neutral).astype("f2" if fmt.bytes_per_sample == 2 else "f4")


def planes_of(clip, n=0):
    """Returns copies of a frame's planes."""
    with clip.get_frame(n) as frame:
        return [np.array(frame[i]) for i in range(frame.format.num_planes)]


def bytes_of(clip, n=0):
    """Returns all samples of a frame, without the padding of its rows."""
    return b"".join(plane.tobytes() for plane in planes_of(clip, n))


def every_format():
    """Returns every format that Upscale takes: three families, 8-16 bits, half and float, subsampling up to 4x4."""
    samples = [(vs.INTEGER, bits) for bits in range(8, 17)] + [(vs.FLOAT, 16), (vs.FLOAT, 32)]
    shapes = [(vs.GRAY, 0, 0), (vs.RGB, 0, 0)] + [(vs.YUV, w, h) for w in range(3) for h in range(3)]
    return [core.query_video_format(f, t, bits, w, h) for f, w, h in shapes for t, bits in samples]
