"""The bundled models and weights files by name; works without torch."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from vsduf.errors import WeightsError
from vsduf.network.header import Header, read_header

SUFFIX = ".safetensors"
SUFFIXES = (SUFFIX, ".h5", ".hdf5", ".pth", ".pt")


def bundled() -> list[str]:
    """Returns the names of the models that come with the package, sorted."""
    folder = _folder()
    return sorted(p.name.removesuffix(SUFFIX) for p in folder.glob(f"*{SUFFIX}"))


def headers() -> dict[str, Header]:
    """Returns what each bundled model's file states, by name."""
    return {name: read_header(_folder() / f"{name}{SUFFIX}") for name in bundled()}


def best(scale: int) -> str:
    """Returns the bundled model with the highest validation PSNR at that scale; raises WeightsError without one."""
    fitting = {name: header for name, header in headers().items() if header.config.scale == scale}
    if not fitting:
        raise WeightsError(f"no model for scale {scale} comes with vsduf; name a weights file with model=")
    return max(fitting, key=lambda name: float(fitting[name].metadata.get("psnr", 0)))


def find(model: str | Path) -> Path:
    """Returns the file of a bundled model's name or of a path.

    Raises WeightsError for an unknown name, an unknown suffix and a missing file.
    """
    if str(model) in bundled():
        return _folder() / f"{model}{SUFFIX}"
    path = Path(model)
    if path.suffix.lower() not in SUFFIXES:
        names = ", ".join(bundled()) or "none"
        raise WeightsError(f"there is no model {str(model)!r}; bundled are {names}, or name a file")
    try:
        exists = path.is_file()
    except OSError as error:  # a name that is too long, or a folder without permission
        raise WeightsError(f"the weights file {path} cannot be read ({error.strerror}); name another file") from error
    if not exists:
        raise WeightsError(f"the weights file {path} does not exist; check its path")
    return path


def _folder() -> Path:
    return Path(str(resources.files("vsduf") / "models"))
