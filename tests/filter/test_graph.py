"""core.duf's functions, frame properties, siting, order of requests, threads and lifetime."""

import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import vapoursynth as vs
from helpers.clips import bytes_of, clip_of, noise, planes_of
from helpers.upscalers import Failing, Mixing, Nearest

import vsduf
from vsduf.filter import graph
from vsduf.siting import Siting

core = vs.core
HERE = Path(__file__).parents[1] / "helpers"


def test_vapoursynth_has_the_functions_without_an_import():
    script = (
        "from vapoursynth import core; import sys; print(core.duf.Upscale.signature); assert 'vsduf' not in sys.modules"
    )
    out = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=True)
    assert out.stdout.startswith(
        "clip:vnode;scale:int:opt;model:data:opt;device_id:int:opt;fp16:int:opt;tilesize:int[]"
    )
    assert not out.stderr


def test_version_lists_what_is_installed():
    found = core.duf.Version()
    assert found["version"] == vsduf.__version__
    assert set(found) == {"version", "torch", "cuda", "cpu", "devices", "models"}


def test_bind_is_not_for_users():
    with pytest.raises(vs.Error, match="only vsduf may call this function"):
        core.duf.Bind(upscale=print, version=print)


def test_the_native_and_the_python_function_make_the_same_picture():
    clip = noise(vs.YUV420P8, 16, 16, 3)
    assert bytes_of(core.duf.Upscale(clip), 1) == bytes_of(vsduf.upscale(clip), 1)


def test_all_properties_of_the_centre_frame_are_kept():
    colour = {"_Matrix": 6, "_Range": 0, "_Transfer": 6, "_Primaries": 6, "_ChromaLocation": 2}
    time = {"_DurationNum": 1001, "_DurationDen": 30000, "_SARNum": 8, "_SARDen": 9, "_AbsoluteTime": 1.5}
    props = colour | time | {"_PictType": "B", "mine": [1, 2, 3], "text": "äöü"}
    for fmt in (vs.YUV420P8, vs.RGBS, vs.GRAY16):
        source = noise(fmt, 8, 8, 3, **props | ({"_Matrix": 0} if fmt == vs.RGBS else {}))
        source = source.std.FrameEval(lambda n, c=source: c.std.SetFrameProps(number=n))
        result = graph.upscale_with(source, Nearest())
        for n in range(3):
            assert dict(result.get_frame(n).props) == dict(source.get_frame(n).props)


def wave(y, x):
    """A smooth picture at any coordinates."""
    return 0.5 + 0.25 * np.sin(0.21 * x + 0.3) * np.cos(0.17 * y)


class TopLeft(Nearest):
    """An exact upscaler that takes LR pixel i to lie on HR pixel R * i, as the authors' networks do."""

    def __call__(self, window, frames, out):
        # LR pixel i was sampled at R * i + (R - 1) / 2, which this upscaler takes for R * i
        rows, columns = np.mgrid[: out[0].shape[0], : out[0].shape[1]] + (self.scale - 1) / 2
        for high in out:
            high[...] = wave(rows, columns)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_top_left_upscaler_lines_up_with_the_resizers(scale):
    rows, columns = np.mgrid[:24, :32] * scale + (scale - 1) / 2
    source = clip_of([[wave(rows, columns).astype(np.float32)] * 3], vs.RGBS)
    made = planes_of(graph.upscale_with(source, TopLeft(scale, Siting.TOP_LEFT)))[0]
    truth = wave(*np.mgrid[: 24 * scale, : 32 * scale])
    inner = np.s_[12:-12, 12:-12]
    assert np.abs(made - truth)[inner].max() < 1e-3
    shifted = planes_of(graph.upscale_with(source, TopLeft(scale)))[0]  # the same picture without the shift
    assert np.abs(shifted - truth)[inner].max() > 0.02
    resized = planes_of(source.resize.Lanczos(32 * scale, 24 * scale))[0]
    assert np.abs(made - resized)[inner].max() < 0.01


def test_any_order_gives_the_same_bytes():
    source = noise(vs.YUV420P8, 16, 16, 20).std.SetFrameProps(_Matrix=1)
    linear = [bytes_of(graph.upscale_with(source, Mixing()), n) for n in range(20)]
    assert len(set(linear)) == 20
    node, other = graph.upscale_with(source, Mixing()), graph.upscale_with(source, Mixing())
    order = random.Random(1).choices(range(20), k=60)
    assert [bytes_of(node, n) for n in order] == [linear[n] for n in order]
    futures = [(n, clip.get_frame_async(n)) for n in order for clip in (node, other)]
    for n, future in futures:
        with future.result() as frame:
            assert b"".join(np.array(frame[i]).tobytes() for i in range(3)) == linear[n]


class Alone(Mixing):
    """Raises an error if it is called while another call runs."""

    free = threading.Lock()

    def __call__(self, window, frames, out):
        if not self.free.acquire(blocking=False):
            raise RuntimeError("two calls at a time")
        time.sleep(0.001)  # other threads may run
        super().__call__(window, frames, out)
        self.free.release()


def test_an_upscaler_is_called_by_one_thread_at_a_time():
    node = graph.upscale_with(noise(vs.RGB24, 8, 8, 40), Alone())
    for future in [node.get_frame_async(n) for n in range(40)]:
        future.result().close()


class Together(Mixing):
    """Returns only once two threads call it at a time."""

    at_once = 2

    def __init__(self):
        super().__init__()
        self.both = threading.Barrier(2, timeout=20)

    def __call__(self, window, frames, out):
        self.both.wait()
        super().__call__(window, frames, out)


def test_an_upscaler_with_at_once_2_is_called_by_two_threads():
    if vs.core.num_threads < 2:
        pytest.skip("VapourSynth has one thread here")
    source = noise(vs.RGB24, 8, 8, 20)
    node, linear = graph.upscale_with(source, Together()), graph.upscale_with(source, Mixing())
    for n, future in enumerate([node.get_frame_async(n) for n in range(20)]):
        with future.result() as frame:
            assert b"".join(np.array(frame[i]).tobytes() for i in range(3)) == bytes_of(linear, n)


def test_concurrent_threads_get_the_same_bytes():
    source = noise(vs.RGB24, 16, 16, 8)
    linear = [bytes_of(graph.upscale_with(source, Mixing()), n) for n in range(8)]
    node, wrong = graph.upscale_with(source, Mixing()), []

    def work(seed):
        for n in random.Random(seed).choices(range(8), k=40):
            if bytes_of(node, n) != linear[n]:
                wrong.append(n)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("fmt", [vs.RGB24, vs.YUV420P8])
def test_the_upscaler_is_closed_with_its_node(fmt):
    for ask in (False, True):
        upscaler = Nearest()
        node = graph.upscale_with(noise(fmt, 8, 8), upscaler).std.Loop(3)
        if ask:
            node.get_frame(2).close()
        assert not upscaler.closed
        del node
        assert upscaler.closed == 1


@pytest.mark.parametrize("error", [RuntimeError("broken"), SystemExit(3), KeyboardInterrupt("broken"), GeneratorExit()])
def test_an_upscaler_s_error_is_the_frame_s_error(error):
    node = graph.upscale_with(noise(vs.YUV420P8, 8, 8, 9), Failing({3}, error))
    for _ in range(2):
        with pytest.raises(vs.Error) as caught:
            node.get_frame(3)
        assert str(caught.value) == f"Upscale: frame 3: {type(error).__name__}: {error}".removesuffix(": ")
        node.get_frame(4).close()


@pytest.mark.slow
def test_cores_are_opened_and_destroyed():
    """Sixty cores in one process, each with an Upscale node that made frames; either is freed first."""
    run = subprocess.run(
        [sys.executable, "-m", "helpers.cores"], cwd=HERE.parent, capture_output=True, text=True, timeout=300
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.splitlines()[-1] == "60 cores, 1 picture, all closed"
