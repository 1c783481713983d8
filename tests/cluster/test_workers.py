"""Workers by a local Ray: the same film as by one process, also when a worker dies or a machine goes."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from helpers import films

from vsduf.cluster import workers
from vsduf.errors import DeviceError
from vsduf.film import work

pytestmark = pytest.mark.slow
SCRIPT = """
import os, time
from pathlib import Path
from vapoursynth import core
here = Path({here!r})
(here / f"{{os.getpid()}}.pid").touch()
clip = core.bs.VideoSource({source!r}, cachemode=0)
def wait(n, f):
    time.sleep({seconds})
    if {broken!r} == str(n): raise ValueError("frame of sand")
    return f
clip.std.FlipVertical().std.ModifyFrame(clip, wait).set_output()
"""


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A function that encodes a script's clip of 100 frames into a name, and returns the exit code and what is said.

    Each run is a process of its own, as Ray leaves threads in a process.
    """
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    source = films.picture_film(tmp_path / "in.mkv", "format=yuv420p", "testsrc2=s=48x32:r=25:d=4")

    def run(target, *words, seconds=0.0, broken=""):
        script = tmp_path / "script.vpy"
        script.write_text(SCRIPT.format(here=str(tmp_path), source=str(source), seconds=seconds, broken=broken))
        command = ["-m", "vsduf", "upscale", source, target, "--script", script, "--segment", "0.2", *words]
        done = subprocess.run([sys.executable, *map(str, command)], stderr=subprocess.PIPE, text=True, timeout=120)
        return done.returncode, done.stderr

    return run


def pids(folder):
    """The workers' processes: the first to run the script is vsduf's own."""
    files = sorted(folder.glob("*.pid"), key=lambda path: path.stat().st_mtime_ns)
    return [int(path.stem) for path in files[1:]]


def wait_until_four_are_made(folder):
    end = time.monotonic() + 60
    while time.monotonic() < end:
        films = work.unfinished(folder)
        if len(pids(folder)) >= 2 and films and len(work.parts(films[0][0])) >= 4:
            return
        time.sleep(0.05)
    raise TimeoutError


def test_two_workers_make_the_film_of_one_process_though_one_dies(made, tmp_path):
    def kill():
        wait_until_four_are_made(tmp_path)
        os.kill(pids(tmp_path)[0], signal.SIGKILL)

    assert made(tmp_path / "one.mkv")[0] == 0
    for path in tmp_path.glob("*.pid"):
        path.unlink()
    killer = threading.Thread(target=kill)
    killer.start()
    code, said = made(tmp_path / "two.mkv", "--workers", "2", seconds=0.02)
    killer.join()
    assert code == 0, said
    assert "a worker died; frames" in said
    assert len(pids(tmp_path)) >= 2
    assert films.same_frames(films.opened(tmp_path / "one.mkv")[0], films.opened(tmp_path / "two.mkv")[0])
    assert films.opened(tmp_path / "one.mkv")[1] == films.opened(tmp_path / "two.mkv")[1]
    assert work.unfinished(tmp_path) == []


def test_a_machine_that_goes_is_done_without(made, tmp_path):
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        other = cluster.add_node(num_cpus=1)

        def remove():
            wait_until_four_are_made(tmp_path)
            cluster.remove_node(other, allow_graceful=False)

        remover = threading.Thread(target=remove)
        remover.start()
        code, said = made(tmp_path / "out.mkv", "--cluster", cluster.address, seconds=0.02)
        remover.join()
    finally:
        cluster.shutdown()
    assert code == 0, said
    assert films.opened(tmp_path / "out.mkv")[0].num_frames == 100


def test_a_fault_in_the_clip_is_one_sentence_and_keeps_what_is_whole(made, tmp_path):
    code, said = made(tmp_path / "out.mkv", "--workers", "2", broken="55")
    assert code == 1
    assert "frame of sand" in said
    ((_, manifest),) = work.unfinished(tmp_path)
    assert 0 < manifest["done"] <= 90
    assert made(tmp_path / "out.mkv", "--workers", "1", "--restart")[0] == 0


def test_segments_come_back_from_machines_without_the_folder(tmp_path):
    parts = work.Work(tmp_path / "far", tmp_path / "out.mkv", 10, {}, [])
    clip = films.noise(length=10)
    encoder = workers.Encoder(lambda cores: clip, 1, {"c": "ffv1", "pix_fmt": "yuv420p"}, films.steady(10), parts)
    content = encoder.encode(0, 5)
    assert not parts.folder.exists()
    parts.open()
    assert encoder.encode(5, 10) is None
    with parts.made(0, 5) as part:
        work.partial(part).write_bytes(content)
    assert [(part.first, part.end) for part in work.parts(parts.folder)] == [(0, 5), (5, 10)]


@pytest.mark.parametrize(
    ("crew", "machines", "shares"),
    [
        (workers.Crew(), [{"CPU": 8.0}, {"CPU": 4.0}], [(8.0, 0), (4.0, 0)]),
        (workers.Crew(3), [{"CPU": 8.0}], [(2.0, 0)] * 3),
        (workers.Crew(4), [{"CPU": 2.0}], [(0.5, 0)] * 4),
        (workers.Crew(), [{"CPU": 16.0, "GPU": 2.0}], [(8.0, 1)] * 2),
        (workers.Crew(1), [{"CPU": 16.0, "GPU": 2.0}], [(8.0, 1)]),
        (workers.Crew(2, gpus=False), [{"CPU": 16.0, "GPU": 2.0}], [(8.0, 0)] * 2),
    ],
)
def test_shares_of_the_machines(crew, machines, shares):
    assert workers.shares(crew, machines) == shares


def test_more_workers_than_gpus_are_refused():
    with pytest.raises(DeviceError, match="--workers is 3, and there are 2 GPUs"):
        workers.shares(workers.Crew(3), [{"CPU": 8.0, "GPU": 2.0}])


def test_a_cluster_that_is_not_there_is_one_sentence(made, tmp_path):
    code, said = made(tmp_path / "out.mkv", "--cluster", "127.0.0.1:1")
    assert code == 1
    assert "Ray cannot be used on 127.0.0.1:1" in said
