"""The packages: an sdist, a wheel built from it, both installed into an empty environment, a script in vspipe."""

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
import vapoursynth as vs

import vsduf

ROOT = Path(__file__).parents[1]
PLUGIN = "vapoursynth/plugins/vsduf"


def run(*words, **options):
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, timeout=600, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Returns the paths of the sdist and of the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT)
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return sdist, wheel


def test_the_wheel_is_for_any_python_on_one_platform(built):
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    assert built[1].name == f"vsduf-{vsduf.__version__}-py3-none-{platform}.whl"


def test_the_wheel_holds_plugin_weights_and_kernels(built):
    names = set(zipfile.ZipFile(built[1]).namelist())
    assert {f"{PLUGIN}/manifest.vs", "vsduf/filter/graph.py", "vsduf/py.typed"} <= names
    assert len([n for n in names if n.startswith(f"{PLUGIN}/libduf.")]) == 1
    models = {f"vsduf/models/{p.name}" for p in (ROOT / "vsduf/models").glob("*.safetensors")}
    kernels = {f"vsduf/kernels/{p.name}" for p in (ROOT / "kernels").glob("*") if p.is_file()}
    assert models and models | kernels <= names
    assert not [n for n in names if n.startswith(("tests/", "examples/", "vsduf/native/"))]
    assert max(info.file_size for info in zipfile.ZipFile(built[1]).infolist()) < 25_000_000


def test_the_sdist_holds_the_sources(built):
    with tarfile.open(built[0]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "vsduf/native/duf.cpp", "vsduf/native/build.py"} <= names


def test_the_manifest_names_the_library(built):
    archive = zipfile.ZipFile(built[1])
    lines = archive.read(f"{PLUGIN}/manifest.vs").decode().splitlines()
    library = next(Path(n).stem for n in archive.namelist() if n.startswith(f"{PLUGIN}/libduf."))
    assert lines == ["[VapourSynth Manifest V1]", library]


@pytest.fixture(scope="module")
def environment(built, tmp_path_factory):
    """Returns the Python of a new virtual environment with the wheel in it.

    The packages that vsduf depends on are those of this environment, but VapourSynth is copied: it loads the plugins
    that are installed beside it.
    """
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=os.name != "nt")
    here, python = Path(sysconfig.get_path("purelib")), folder / "bin" / "python"
    there = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    shutil.copytree(here / "vapoursynth", there / "vapoursynth", ignore=shutil.ignore_patterns("vsduf", "ov", "ort"))
    (there / "lent.pth").write_text(f"{here}\n")
    assert run(python, "-c", "import importlib.util as u; print(u.find_spec('vsduf'))", cwd=folder) == "None\n"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", built[1])
    return python


def test_the_installed_wheel_upscales_in_vspipe(environment, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))  # where VapourSynth notes which Python belongs to which vspipe
    run(environment, "-m", "vapoursynth", "config", cwd=tmp_path)
    script = tmp_path / "script.vpy"
    script.write_text(
        "import sys\nfrom vapoursynth import core\nassert 'vsduf' not in sys.modules\n"
        "clip = core.std.BlankClip(format=core.query_video_format(3, 0, 8, 1, 1).id, width=16, height=16, length=3)\n"
        "core.duf.Upscale(clip).set_output()\nimport vsduf\nprint(vsduf.__file__, file=sys.stderr)\n"
    )
    vspipe = ["-c", "from vapoursynth import vspipe; import sys; sys.exit(vspipe())"]
    done = subprocess.run(
        [environment, *vspipe, "-c", "y4m", script, "-"], capture_output=True, cwd=tmp_path, timeout=300
    )
    assert done.returncode == 0, done.stderr.decode()
    header = done.stdout.partition(b"\n")[0]
    assert len(done.stdout) == len(header) + 1 + 3 * (6 + 64 * 64 * 3 // 2)
    assert str(environment.parents[1]) in done.stderr.decode()


def test_the_command_is_installed(environment):
    assert "upscale" in run(environment.with_name("vsduf"), "--help", cwd=environment.parent)


@pytest.fixture
def hook():
    spec = importlib.util.spec_from_file_location("build_hook", ROOT / "vsduf/native/build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("platform", "compiler", "word"), [
    ("linux", "c++", "-fPIC"), ("darwin", "c++", "dynamic_lookup"), ("win32", sys.executable, "ziglang"),
])  # fmt: skip
def test_the_compiler_s_command_line(hook, monkeypatch, platform, compiler, word):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr(sys, "platform", platform)
    command = hook.command([Path("duf.cpp")], Path("libduf"), "1.2.3")
    assert command[0] == compiler and word in command and "duf.cpp" in command
    assert any("VS_MAKE_VERSION(1,2)" in w for w in command)
    assert any(vs.get_include() in w for w in command)


def test_compiler_and_flags_come_from_the_environment(hook, monkeypatch):
    monkeypatch.setenv("CXX", "ccache clang++")
    monkeypatch.setenv("CXXFLAGS", "-g -DX='a b'")
    command = hook.command([Path("duf.cpp")], Path("libduf"), "1.2.3")
    assert command[:2] == ["ccache", "clang++"] and {"-g", "-DX=a b"} <= set(command)
