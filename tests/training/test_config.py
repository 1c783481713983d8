"""The TOML of a run: defaults, schedules, and one clear sentence for each thing that cannot be."""

import pytest

from vsduf.errors import ArgumentError
from vsduf.training.config import Schedule, read

LEAST = 'footage = ["clips"]\nvalidation = ["val"]\n'


def write(tmp_path, text):
    path = tmp_path / "run.toml"
    path.write_text(text)
    return path


def test_paths_are_relative_to_the_file(tmp_path):
    config = read(write(tmp_path, LEAST + 'output = "out"\ncache = "decoded"'))
    assert config.footage == [tmp_path / "clips"]
    assert config.output == tmp_path / "out"
    assert config.footage_cache == tmp_path / "decoded"


def test_start_is_a_models_name_or_a_path(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/somewhere")
    named = {
        "duf-16s-x4": "duf-16s-x4",
        "a/b.safetensors": f"{tmp_path}/a/b.safetensors",
        "~/b.pth": "/somewhere/b.pth",
    }
    for said, meant in named.items():
        assert read(write(tmp_path, f'{LEAST}start = "{said}"')).start == meant


def test_defaults(tmp_path):
    config = read(write(tmp_path, LEAST))
    assert config.output == tmp_path / "runs" / "run"
    assert config.network.streaming
    assert config.network.layers == 16


def test_every_table_is_read(tmp_path):
    tables = '[schedule]\nsteps = 9\nrate = 1\n[samples]\nscale = 3\nsiting = "top-left"\n[camera]\npan = 2.5\n'
    config = read(write(tmp_path, LEAST + tables))
    assert (config.schedule.steps, config.samples.siting, config.camera.pan) == (9, "top-left", 2.5)
    assert config.samples.size % 3 == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("footage = [", "not valid TOML"),
        (LEAST + "layer = 16", "there is no 'layer'; known are"),
        (LEAST + "layers = 17", "layers is 17; it must be one of 16, 28, 52"),
        (LEAST + "seed = 9223372036854775808", "seed is 9223372036854775808; it must be 0 or more, and below"),
        (LEAST + "start = 3", "start is 3; it must be of type str"),
        (LEAST + 'seed = "one"', "seed is 'one'; it must be of type int"),
        (LEAST + "streaming = 1", "streaming is 1; it must be of type bool"),
        (LEAST + "[schedule]\nsteps = 0", r"\[schedule\] steps is 0; it must be 1 or more"),
        (LEAST + "[samples]\nscale = 5", r"\[samples\] scale is 5; it must be 2, 3 or 4"),
        (LEAST + '[samples]\nsiting = "left"', "siting is 'left'"),
        (LEAST + "[camera]\nspeed = 1", r"\[camera\] there is no 'speed'"),
        (LEAST + 'optimiser = "sgd"', r"optimiser is 'sgd'; it must be one of \['muon', 'adam'\]"),
        (LEAST + "[camera]\nturn = -1.0", r"\[camera\] turn is -1.0; it must be 0 or more, and finite"),
        (LEAST + "[camera]\nzoom = nan", r"\[camera\] zoom is nan"),
        (LEAST + "camera = 3", r"\[camera\] is 3; it must be a table"),
        (LEAST + 'width = "slim"', "width is 'slim'; it must be one of full, medium, light"),
        (LEAST + 'layers = 28\nwidth = "light"', "width 'light' is of 16 layers; set layers = 16"),
        (LEAST + "streaming = false", r"frames is 14, which needs streaming = true; set frames = 7 in \[samples\]"),
        (LEAST + "threads = -1", "threads is -1; it must be 0 or more"),
        (LEAST + 'precision = "half"', "precision is 'half'; it must be one of"),
        (LEAST + "[samples]\nframes = 6", r"\[samples\] frames is 6; it must be 7 to 64"),
        (LEAST + "[finish]\nshare = 2.0", r"\[finish\] share is 2.0; it must be a share"),
        (LEAST + "[finish]\npatch = 4", r"\[finish\] patch is 4; it must be 8 or more, or 0"),
        (LEAST + '[finish]\nloss = "l1"', r"\[finish\] loss is 'l1'; it must be one of"),
        (LEAST + '[degradation]\nfamilies = ["vhs"]', r"\[degradation\] families is \['vhs'\]; it must be a list of"),
        (LEAST + "[degradation]\nvariants = 0", r"\[degradation\] variants is 0; it must be 1 or more"),
        ('validation = ["val"]', "nothing to train on; set footage, photos or both"),
        ('footage = ["clips"]', "validation is empty"),
        ('footage = "clips"', "footage is 'clips'; write paths in quotes, as a list"),
    ],
)
def test_refuses_in_a_sentence(tmp_path, text, message):
    with pytest.raises(ArgumentError, match=message) as raised:
        read(write(tmp_path, text))
    assert str(raised.value).startswith(str(tmp_path / "run.toml"))


def test_a_missing_file(tmp_path):
    with pytest.raises(ArgumentError, match="cannot be read"):
        read(tmp_path / "none.toml")


def test_the_default_schedule_rises_holds_and_falls():
    schedule = Schedule(steps=1000, rate=1.0, warmup=10, fall=0.5)
    assert schedule.at(0) == pytest.approx(0.1)
    assert schedule.at(10) == schedule.at(500) == 1
    assert schedule.at(750) == pytest.approx(0.5)
    assert 0 < schedule.at(999) < 0.01


def test_the_published_schedule_divides_by_ten():
    schedule = Schedule(steps=500_000, published=True)
    assert schedule.at(0) == schedule.at(99_999) == 1e-3
    assert schedule.at(100_000) == pytest.approx(1e-4)
    assert schedule.at(250_000) == pytest.approx(1e-5)


@pytest.mark.parametrize("schedule", [Schedule(steps=1), Schedule(warmup=0), Schedule(fall=0.0), Schedule(fall=1.0)])
def test_every_step_has_a_rate(schedule):
    assert all(0 < schedule.at(step) <= schedule.rate for step in range(schedule.steps))
