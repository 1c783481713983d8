"""Build hook: compiles the library and puts it into VapourSynth's plugin folder, in wheels and editable installs.

CXX and CXXFLAGS choose compiler and options; the code uses the vector types of GCC and clang. On Windows zig's clang is
the default, from the package ziglang. Linux is tested. For Windows and macOS zig has compiled all files but duf.cpp;
whole builds there have not been run yet.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

import vapoursynth
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PLUGINS = "vapoursynth/plugins/vsduf"
HERE = Path("vsduf/native")
EXACT = (
    "-fno-math-errno",
    "-fno-trapping-math",
    "-ffp-contract=fast",
)  # vectors and fused multiply-adds; sums keep their order
SOURCES = (
    "duf.cpp", "engine.cpp", "operations.cpp", "scheduler.cpp", "network.cpp", "kernels.cpp",
    "portable.cpp", "avx2.cpp", "avx512.cpp",
)  # fmt: skip


class NativeBuildHook(BuildHookInterface[Any]):
    """Adds libduf and manifest.vs to the wheel; kernels/ too, except where they are found in the checkout."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compiles. version: "standard" or "editable". Raises CalledProcessError; the compiler prints to stderr."""
        root = Path(self.root)
        self.folder = Path(tempfile.mkdtemp(prefix="vsduf-"))
        library = self.folder / library_name()
        sources = [root / HERE / name for name in SOURCES]
        subprocess.run(command(sources, library, self.metadata.version), check=True, cwd=self.folder)
        placed = {library: library.name, root / HERE / "manifest.vs": "manifest.vs"}
        included = {str(path): f"{PLUGINS}/{name}" for path, name in placed.items()}
        kernels = sorted(p for p in (root / "kernels").glob("*") if p.is_file())
        build_data["force_include_editable"].update(included)
        build_data["force_include"].update(included | {str(k): f"vsduf/kernels/{k.name}" for k in kernels})
        build_data["tag"] = f"py3-none-{platform_tag()}"
        build_data["pure_python"] = False

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Removes what was compiled; the wheel holds a copy."""
        shutil.rmtree(self.folder)


def library_name() -> str:
    """Returns the name that manifest.vs states, with the platform's extension."""
    return "libduf" + {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")


def platform_tag() -> str:
    """Returns a tag such as "linux_x86_64" or "macosx_11_0_arm64": by the limited API one library fits every Python."""
    return sysconfig.get_platform().replace("-", "_").replace(".", "_")


def command(sources: list[Path], library: Path, version: str) -> list[str]:
    """Returns the compiler's command line. version: "1.2.3", of which VapourSynth shows 1.2."""
    major, minor = version.split(".")[:2]
    define = f"VSDUF_VERSION=VS_MAKE_VERSION({major},{minor})"
    includes = [sysconfig.get_path("include"), vapoursynth.get_include()]
    flags = shlex.split(os.environ.get("CXXFLAGS", ""))
    windows, libraries = sys.platform == "win32", []
    compiler = shlex.split(os.environ["CXX"]) if "CXX" in os.environ else ["c++"]
    if windows and "CXX" not in os.environ:
        compiler = [sys.executable, "-m", "ziglang", "c++"]
    compiler += ["-std=c++17", "-O3", "-shared", *EXACT, f"-D{define}", *(f"-I{path}" for path in includes)]
    if windows:
        libraries = [f"-L{Path(sys.base_prefix) / 'libs'}", "-lpython3"]  # the limited API's import library
    else:
        compiler += ["-fPIC", "-pthread", "-fvisibility=hidden", "-Wall", "-Wextra"]
    if sys.platform == "darwin":
        compiler += ["-undefined", "dynamic_lookup"]  # Python's symbols come from the process, as on Linux
    return [*compiler, *flags, *map(str, sources), *libraries, "-o", str(library)]
