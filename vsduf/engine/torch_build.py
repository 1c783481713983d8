"""What the installed torch was built with, read without importing torch, which takes seconds."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any


@dataclass(frozen=True)
class Build:
    """version: torch's, "none" without torch. cuda, hip, xpu: the versions that it was built with, else None."""

    version: str = "none"
    cuda: str | None = None
    hip: str | None = None
    xpu: str | None = None

    def has(self, kind: str) -> bool:
        """Tells whether torch was built for a kind of device: "cuda", "rocm", "xpu" or "mps"."""
        if kind == "mps":
            return sys.platform == "darwin" and self.version != "none"
        return {"cuda": self.cuda, "rocm": self.hip, "xpu": self.xpu}[kind] is not None

    def without(self, library: str) -> str:
        """Returns for an error what keeps torch from using a library: "torch 2.6.0 was built without CUDA"."""
        installed = self.version != "none"
        return f"torch {self.version} was built without {library}" if installed else "torch is not installed"


def torch_build() -> Build:
    """Returns the build of the torch that is imported, or else of the one that `import torch` would find."""
    stated: Any = sys.modules.get("torch.version") or _version_file()
    if stated is None:
        return Build()
    return Build(stated.__version__, *(getattr(stated, name, None) for name in ("cuda", "hip", "xpu")))


def _version_file() -> ModuleType | None:
    """Runs torch/version.py, constants alone, outside of its package; None without torch."""
    package = importlib.util.find_spec("torch")
    if package is None or package.origin is None:
        return None
    spec = importlib.util.spec_from_file_location("torch_version", Path(package.origin).with_name("version.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
