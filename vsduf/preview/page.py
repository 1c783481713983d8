"""Writes a preview: a PNG of every picture, and one HTML page that holds all of them and needs nothing else."""

from __future__ import annotations

import base64
import html
import io
import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vsduf.output import write_whole
from vsduf.preview.frames import Shown


def write(folder: Path, title: str, names: Sequence[str], shown: Sequence[Shown], facts: Sequence[str]) -> Path:
    """Writes `frame-N-NAME.png` for every picture and `index.html` into a folder; returns the page's path.

    names: of the clips. facts: lines of text for the head of the page. Raises OSError where that cannot be done.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for frame in shown:
        for name, picture in zip(names, frame.pictures, strict=True):
            _write(folder / f"frame-{frame.number}-{_file_name(name)}.png", _encoded(picture, "PNG"))
    page = folder / "index.html"
    _write(page, page_of(title, names, shown, facts).encode())
    return page


def _write(path: Path, content: bytes) -> None:
    write_whole(path, lambda part: part.write_bytes(content))


def page_of(title: str, names: Sequence[str], shown: Sequence[Shown], facts: Sequence[str]) -> str:
    """Returns the page's text; pictures are lossless WebP inside it."""
    frames = [
        {"number": frame.number, "pictures": [_address(picture) for picture in frame.pictures]} for frame in shown
    ]
    height, width = shown[0].pictures[0].shape[:2]
    data = {"names": list(names), "frames": frames, "width": width, "height": height}
    template = (resources.files("vsduf") / "preview" / "template.html").read_text(encoding="utf-8")
    listed = "".join(f"<li>{html.escape(fact)}</li>" for fact in facts)
    filled = template.replace("{{title}}", html.escape(title)).replace("{{facts}}", listed)
    return filled.replace("{{data}}", json.dumps(data).replace("</", "<\\/"))


def _address(picture: NDArray[np.uint8]) -> str:
    return "data:image/webp;base64," + base64.b64encode(_encoded(picture, "WEBP")).decode()


def _encoded(picture: NDArray[np.uint8], form: str) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    options = {"lossless": True, "method": 2} if form == "WEBP" else {"compress_level": 4}
    Image.fromarray(picture).save(out, form, **options)
    return out.getvalue()


def _file_name(name: str) -> str:
    """Returns a name that every file system takes."""
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in name).strip("-.")[:60] or "clip"
