"""The loop with a tiny network: it learns, it resumes bit by bit, and a kill -9 leaves a checkpoint that goes on."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch
from helpers.footage import moving, texture, write_frames, write_picture

from vsduf.cli.main import main
from vsduf.errors import ArgumentError
from vsduf.network import weights
from vsduf.network.duf import DEPTHS
from vsduf.training import run_folder
from vsduf.training.config import read
from vsduf.training.muon import OPTIMISERS
from vsduf.training.trainer import Trainer

TOML = """
output = "out"
footage = ["clips"]
photos = ["photos"]
validation = ["val"]
licence = "CC0"
data = "made by a test"
validate_every = {validate_every}
save_minutes = {save_minutes}
[schedule]
steps = {steps}
warmup = 2
[samples]
scale = 2
patch = 8
batch = 2
frames = 8
[finish]
share = 0.5
patch = 12
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setitem(DEPTHS, 16, (4, 4))
    return prepare(tmp_path)


def prepare(folder):
    write_frames(folder / "clips" / "a", moving(12, 64, 64))
    write_frames(folder / "val" / "b", moving(9, 64, 64, seed=5))
    (folder / "photos").mkdir()
    write_picture(folder / "photos" / "p.png", texture(120, 120, seed=7))

    def configure(steps=6, validate_every=3, save_minutes=10.0):
        path = folder / "run.toml"
        path.write_text(TOML.format(steps=steps, validate_every=validate_every, save_minutes=save_minutes))
        return path

    return configure


def trainer(path):
    torch.set_num_threads(1)
    return Trainer(read(path), torch.device("cpu"))


def test_a_run_leaves_checkpoint_weights_and_curves(run, tmp_path):
    states = []
    trainer(run()).run(states.append)
    rows = [state.row for state in states if state.row]
    assert [row.step for row in rows] == [3, 6]
    assert rows[0].bicubic == rows[1].bicubic > 10
    assert 0 < rows[0].drawing < 1
    assert sorted(p.name for p in (tmp_path / "out").iterdir() if p.is_file()) == [
        run_folder.CURVES,
        run_folder.CHECKPOINT,
        run_folder.LOCK,
        run_folder.WEIGHTS,
    ]
    loaded = weights.load(tmp_path / "out" / run_folder.WEIGHTS)
    assert (loaded.config.scale, loaded.config.streaming, loaded.siting) == (2, True, "center")
    assert loaded.metadata["licence"] == "CC0"
    assert loaded.metadata["steps"] == "6"
    assert (tmp_path / "out" / run_folder.CURVES).read_bytes().startswith(b"\x89PNG")


def test_it_learns(run):
    path = run(steps=60)
    path.write_text(path.read_text().replace("share = 0.5", "share = 0"))
    learner = trainer(path)
    first = learner.validation(learner.network).psnr
    losses = [float(learner.train_step()) for _ in range(60)]
    assert sum(losses[-10:]) < sum(losses[:10])
    assert learner.validation(learner.network).psnr > first


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_resumed_is_the_same_bit_by_bit(run, tmp_path, optimiser):
    path = run(steps=8, validate_every=4)
    path.write_text(f'optimiser = "{optimiser}"\n{path.read_text()}')
    whole = trainer(path)
    whole.run(lambda state: None)
    (tmp_path / "out" / run_folder.CHECKPOINT).unlink()
    half = trainer(path)
    for _ in range(3):
        half.train_step()
    half.save()
    rest = trainer(path)
    assert rest.step == 3
    rest.run(lambda state: None)
    for name in ("network", "average"):
        ours, theirs = getattr(rest, name).state_dict(), getattr(whole, name).state_dict()
        assert all(torch.equal(ours[k], theirs[k]) for k in ours)
    kept = [[replace(row, seconds=0, drawing=0) for row in t.history] for t in (rest, whole)]
    assert kept[0] == kept[1]


def test_the_same_seed_is_the_same_run(run, tmp_path):
    path = run()
    a, b = trainer(path), trainer(path)
    assert [float(a.train_step()) for _ in range(3)] == [float(b.train_step()) for _ in range(3)]


def test_minutes_end_cleanly(run, tmp_path):
    short = trainer(run(steps=10_000, validate_every=10_000))
    short.run(lambda state: None, minutes=0.005)
    assert 0 < short.step < 10_000
    assert run_folder.read_checkpoint(tmp_path / "out" / run_folder.CHECKPOINT)["step"] == short.step
    assert [row.step for row in short.history] == [short.step]  # whoever trained for an hour is told what came of it
    assert (tmp_path / "out" / run_folder.CURVES).exists()


def test_another_network_or_optimiser_is_refused(run, tmp_path):
    path = run()
    trainer(path).run(lambda state: None)
    path.write_text(path.read_text().replace("scale = 2", "scale = 3"))
    with pytest.raises(ArgumentError, match="does not hold the network and optimiser that are configured"):
        trainer(path)
    path.write_text('optimiser = "adam"\n' + path.read_text().replace("scale = 3", "scale = 2"))
    with pytest.raises(ArgumentError, match="does not hold the network and optimiser that are configured"):
        trainer(path)
    (tmp_path / "out" / run_folder.CHECKPOINT).write_bytes(b"nothing")
    with pytest.raises(ArgumentError, match="is no checkpoint"):
        trainer(path)


def test_beginning_from_weights(run, tmp_path):
    path = run()
    trainer(path).run(lambda state: None)
    text = path.read_text() + "\n"
    path.write_text(f'start = "out/{run_folder.WEIGHTS}"\n' + text.replace('"out"', '"again"'))
    begun = trainer(path)
    saved = weights.load(tmp_path / "out" / run_folder.WEIGHTS).tensors()
    assert begun.step == 0
    assert all(torch.equal(v, saved[k]) for k, v in begun.network.state_dict().items() if v.is_floating_point())


def test_beginning_from_weights_for_another_scale(run, tmp_path):
    path = run()
    trainer(path).run(lambda state: None)
    text = path.read_text() + "\n"
    path.write_text(
        f'start = "out/{run_folder.WEIGHTS}"\n' + text.replace("scale = 2", "scale = 3").replace('"out"', '"b"')
    )
    begun = trainer(path).network.state_dict()
    saved = weights.load(tmp_path / "out" / run_folder.WEIGHTS).tensors()
    assert {k for k, v in saved.items() if not torch.equal(v, begun[k])} == {
        f"{head}.2.{kind}" for head in ("filter_head", "residual_head") for kind in ("weight", "bias")
    }


def test_beginning_from_weights_of_another_form_is_refused(run, tmp_path):
    path = run()
    trainer(path).run(lambda state: None)
    text = path.read_text() + "\n"
    path.write_text(
        f'start = "out/{run_folder.WEIGHTS}"\nstreaming = false\n'
        + text.replace('"out"', '"b"').replace("frames = 8", "frames = 7")
    )
    with pytest.raises(ArgumentError, match="make them alike"):
        trainer(path)


def test_clips_in_footage_and_validation_are_refused(run):
    path = run()
    path.write_text(path.read_text().replace('["val"]', '["val", "clips/a"]'))
    with pytest.raises(ArgumentError, match="is in footage and in validation"):
        trainer(path)


def test_a_crash_while_writing_leaves_the_old_file(tmp_path):
    target = tmp_path / "file"
    target.write_text("old")

    def crash(path):
        path.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_folder.write_atomically(target, crash)
    assert target.read_text() == "old"


def test_a_full_disk_is_said_and_leaves_the_old_file(tmp_path):
    target = tmp_path / "file"
    target.write_text("old")

    def fill(path):
        path.write_text("half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(ArgumentError, match=r"file cannot be written \(No space left on device\); make room"):
        run_folder.write_atomically(target, fill)
    assert [p.read_text() for p in tmp_path.iterdir()] == ["old"]


CHILD = """
import json, sys
from pathlib import Path
import torch
from vsduf.network.duf import DEPTHS
DEPTHS[16] = (4, 4)
from vsduf.training import Trainer, read_config as read
torch.set_num_threads(1)
trainer = Trainer(read(Path(sys.argv[1])), torch.device("cpu"))
print(json.dumps(trainer.step), flush=True)
trainer.run(lambda state: None)
"""


def test_kill_9_at_any_moment_loses_no_checkpoint(tmp_path):
    """Every step is saved, so a kill falls into a write more often than not; what is left always goes on."""
    path = prepare(tmp_path)(steps=100_000, validate_every=100_000, save_minutes=0.0)
    begun = []
    for wait in (0.03, 0.07):
        with subprocess.Popen([sys.executable, "-c", CHILD, str(path)], stdout=subprocess.PIPE) as child:
            begun.append(json.loads(child.stdout.readline()))
            wait_for_change(tmp_path / "out" / run_folder.CHECKPOINT)
            time.sleep(wait)
            child.send_signal(signal.SIGKILL)
    last = run_folder.read_checkpoint(tmp_path / "out" / run_folder.CHECKPOINT)["step"]
    assert 0 == begun[0] < begun[1] < last


def wait_for_change(path):
    before, until = path.exists() and path.stat().st_mtime_ns, time.monotonic() + 30
    while (path.exists() and path.stat().st_mtime_ns) == before and time.monotonic() < until:
        time.sleep(0.005)


def test_the_command(run, tmp_path, capsys):
    assert main(["train", str(run()), "--device-id", "-1"]) == 0
    said = capsys.readouterr().err
    assert "step 6: loss 0." in said
    assert "trained at step 6" in said
    assert main(["train", str(run(steps=9)), "--device-id", "-1", "--minutes", "5"]) == 0
    assert "trained at step 9" in capsys.readouterr().err
    for minutes in ("0", "-1", "nan"):
        assert main(["train", str(run()), f"--minutes={minutes}"]) == 1
        assert "it must be above 0" in capsys.readouterr().err
    assert main(["train", str(tmp_path / "none.toml")]) == 1
    assert "cannot be read" in capsys.readouterr().err


def test_what_it_began_from_is_not_forgotten(run, tmp_path):
    """Licence and data of the start go along, also through a checkpoint, unless the run states its own."""
    path = run(steps=2)
    trainer(path).run(lambda state: None)
    first = tmp_path / "out" / run_folder.WEIGHTS
    first.rename(tmp_path / "first.safetensors")
    text = path.read_text().replace('licence = "CC0"\n', "").replace('output = "out"', 'output = "next"')
    path.write_text(f'start = "first.safetensors"\n{text}')
    begun = trainer(path)
    begun.train_step()
    begun.save()
    (tmp_path / "first.safetensors").unlink()  # a run that has begun does not need it any more
    said = trainer(path).metadata()
    assert (said["licence"], said["data"], said["start"]) == ("CC0", "made by a test", "first.safetensors")


def test_a_start_of_another_siting_is_refused(run, tmp_path):
    path = run(steps=2)
    trainer(path).run(lambda state: None)
    text = (
        path.read_text()
        .replace('output = "out"', 'output = "next"')
        .replace("scale = 2", 'scale = 2\nsiting = "top-left"')
    )
    path.write_text(f'start = "out/{run_folder.WEIGHTS}"\n{text}')
    with pytest.raises(ArgumentError, match='start is sited center; set siting = "center"'):
        trainer(path)


def test_a_checkpoint_of_another_siting_or_seed_is_refused(run):
    path = run(steps=2)
    trainer(path).run(lambda state: None)
    text = path.read_text()
    path.write_text(text.replace("scale = 2", 'scale = 2\nsiting = "top-left"'))
    with pytest.raises(ArgumentError, match="is of a run whose siting is center, not top-left"):
        trainer(path)
    path.write_text(f"seed = 3\n{text}")
    with pytest.raises(ArgumentError, match="is of a run whose seed is 0, not 3"):
        trainer(path)


def test_two_trainings_in_one_folder(run):
    path = run(steps=3)
    second = trainer(path)

    def meanwhile(state):
        with pytest.raises(ArgumentError, match="another training runs in"):
            second.run(lambda state: None)

    trainer(path).run(meanwhile)
    second.run(lambda state: None)  # the folder is free again


def test_an_output_that_is_a_file(run, tmp_path):
    (tmp_path / "out").touch()
    with pytest.raises(ArgumentError, match="out cannot be made"):
        trainer(run())


def test_numbers_that_are_none_are_not_saved(run, tmp_path):
    path = run(steps=2)
    good = trainer(path)
    good.run(lambda state: None)
    kept = (tmp_path / "out" / run_folder.CHECKPOINT).read_bytes()
    next(good.average.parameters()).fill_(torch.nan)
    with pytest.raises(ArgumentError, match="became NaN or infinite by step 2"):
        good.save()
    assert (tmp_path / "out" / run_folder.CHECKPOINT).read_bytes() == kept


def test_a_run_on_degraded_footage(run, tmp_path):
    """Histories are made once, and the validation is degraded too."""
    path = run(steps=2, validate_every=2)
    clean = trainer(path).validation
    path.write_text(
        f'{path.read_text()}[degradation]\nfamilies = ["web", "dvd"]\nshare = 1.0\nvariants = 2\nphoto_clips = 1\n'
    )
    degraded = trainer(path)
    made = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "out" / "footage").glob("history-*.npy")}
    assert len(made) == 2 * 3  # the clip, the photograph's, and the clip of the validation
    assert degraded.validation.bicubic < clean.bicubic
    degraded.run(lambda state: None)
    trainer(path)
    assert made == {p.name: p.stat().st_mtime_ns for p in (tmp_path / "out" / "footage").glob("history-*.npy")}
