"""Build hook: compiles the library and lays it into VapourSynth's plugin folder, in wheels and editable installs.

CXX and CXXFLAGS are honoured. Linux is tested; the commands for macOS (clang++) and Windows (cl) follow the compilers'
manuals but nobody has run them yet.
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
)  # vectors and fused multiply-adds, no reordering
SOURCES = (
    "duf.cpp", "engine.cpp", "operations.cpp", "scheduler.cpp", "network.cpp", "kernels.cpp",
    "portable.cpp", "avx2.cpp", "avx512.cpp",
)  # fmt: skip


class NativeBuildHook(BuildHookInterface[Any]):
    """Adds libduf and manifest.vs to the wheel; kernels/ too, except where they are found in the checkout."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """version: "standard" or "editable". Raises CalledProcessError, the compiler's words on stderr, if it fails."""
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
    """The name that manifest.vs promises, with the platform's extension."""
    return "libduf" + {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")


def platform_tag() -> str:
    """linux_x86_64, macosx_11_0_arm64, win_amd64: the limited API makes the Python version not matter."""
    return sysconfig.get_platform().replace("-", "_").replace(".", "_")


def command(sources: list[Path], library: Path, version: str) -> list[str]:
    """The compiler's command line. version: "1.2.3", of which VapourSynth shows 1.2."""
    major, minor = version.split(".")[:2]
    define = f"VSDUF_VERSION=VS_MAKE_VERSION({major},{minor})"
    includes = [sysconfig.get_path("include"), vapoursynth.get_include()]
    flags = shlex.split(os.environ.get("CXXFLAGS", ""))
    if sys.platform == "win32":
        libs = Path(sys.base_prefix) / "libs"  # python3.lib, the limited API's import library
        compiler = [os.environ.get("CXX", "cl"), "/nologo", "/LD", "/O2", "/EHsc", "/std:c++17", f"/D{define}"]
        compiler += [f"/I{path}" for path in includes]
        return [*compiler, *flags, *map(str, sources), "/link", f"/LIBPATH:{libs}", f"/OUT:{library}"]
    compiler = [*shlex.split(os.environ.get("CXX", "c++")), "-std=c++17", "-O3", "-fPIC", "-shared", "-pthread"]
    compiler += ["-fvisibility=hidden", "-Wall", "-Wextra", *EXACT, f"-D{define}", *(f"-I{path}" for path in includes)]
    if sys.platform == "darwin":
        compiler += ["-undefined", "dynamic_lookup"]  # Python's symbols come from the process, as on Linux
    return [*compiler, *flags, *map(str, sources), "-o", str(library)]
