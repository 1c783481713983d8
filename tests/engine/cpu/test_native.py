"""The native engine by itself: built with sanitizers, and free of warnings."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE, NATIVE = Path(__file__).parent, Path(__file__).parents[3] / "vsduf" / "native"
COMPILER = shlex.split(os.environ.get("CXX", "c++"))
SOURCES = [path for path in sorted(NATIVE.glob("*.cpp")) if path.name != "duf.cpp"]

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the sanitizers' flags are those of Linux"),
    pytest.mark.skipif(shutil.which(COMPILER[0]) is None, reason="there is no compiler"),
]


@pytest.mark.parametrize("sanitizer", ["address,undefined,float-cast-overflow", "thread"])
def test_sanitizers_find_nothing(tmp_path, sanitizer):
    flags = [
        "-std=c++17",
        "-O1",
        "-pthread",
        "-w",
        f"-I{NATIVE}",
        f"-fsanitize={sanitizer}",
        "-fno-sanitize-recover=all",
    ]
    program = tmp_path / "check"
    subprocess.run([*COMPILER, *flags, HERE / "check.cpp", *SOURCES, "-o", program], check=True)
    done = subprocess.run([program], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "portable: 0 from portable" in done.stdout
    assert not done.stderr


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_compiles_without_warnings(source):
    flags = ["-std=c++17", "-fsyntax-only", "-Wall", "-Wextra", "-Werror"]
    subprocess.run([*COMPILER, *flags, source], check=True)
