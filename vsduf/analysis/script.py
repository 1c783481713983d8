"""Writes the VapourSynth script that a restorer would begin with, each line with its reason and its figure."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from vsduf.analysis.facts import Facts
from vsduf.matrix import BT601, BT709, SD_HEIGHT, assumed_matrix

NOISY = 2.5  # levels: more is sharpened visibly by a network that was trained on clean video
BLOCKY = 0.25  # excess of steps at block edges
REPEATING = 0.3  # share of repeated frames from which drawings are upscaled once
RESTORE = {2: "duf-restore-x2", 4: "duf-restore-x4"}  # models for noisy and compressed video, by scale
HD = 1080  # lines that a script aims at


def write_script(facts: Facts, source: Path, scale: int | None = None) -> str:
    """Returns the text of a .vpy for a film. scale: of the network; default the least that reaches 1080 lines."""
    chosen = scale or min(4, max(2, -(-HD // facts.height)))
    if scale is None and _faults(facts) and chosen not in RESTORE:
        chosen = min(RESTORE)  # a poor source has no more to show
    lines = [*_head(facts, source), *_fields(facts), *_crop(facts), *_tags(facts), *_noise(facts, chosen)]
    lines += [*_upscale(facts, chosen), *_aspect(facts), "clip.set_output()"]
    return "\n".join(lines) + "\n"


def _head(facts: Facts, source: Path) -> Iterator[str]:
    rate = f"{float(facts.rate):.6g} frames a second" if facts.rate else "variable frame rate"
    yield f"# {source.name}: {facts.width}x{facts.height}, {facts.frames} frames, {rate}; {facts.looked_at} looked at."
    yield "import vapoursynth as vs"
    yield "import vsduf"
    yield ""
    yield "core = vs.core"
    yield f"clip = core.bs.VideoSource({str(source.absolute())!r})"


def _fields(facts: Facts) -> Iterator[str]:
    found = facts.fields
    shares = (
        f"of {found.moving} moving frames {found.progressive:.0%} are progressive, {found.matched:.0%} match a "
        f"neighbour's field, {found.interlaced:.0%} are interlaced"
    )
    yield ""
    yield f"# Fields: marked as {_marked(facts)}; {shares}."
    order = 1 if found.top_first else 0
    if found.kind == "progressive":
        if facts.marked != "progressive":
            yield "# The pictures are progressive, so the marks are wrong."
            yield "clip = core.std.SetFieldBased(clip, 0)"
    elif found.kind == "telecine":
        yield "# Telecine: two of every five frames hold fields of two pictures (pip install vapoursynth-vivtc)."
        yield f"clip = core.vivtc.VFM(clip, order={order})  # weaves the fields of each picture together"
        yield "clip = core.vivtc.VDecimate(clip)  # drops the picture that is there twice"
        yield "clip = core.std.SetFieldBased(clip, 0)"
    else:
        if found.kind == "hybrid":
            yield "# Hybrid: progressive and interlaced parts. All are deinterlaced; progressive parts lose little."
        yield f"# A picture of every field, {'top' if order else 'bottom'} field first (pip install vapoursynth-bwdif)."
        yield f"clip = core.std.SetFieldBased(clip, {1 + order})"
        yield f"clip = core.bwdif.Bwdif(clip, field={2 + order})"


def _marked(facts: Facts) -> str:
    return {"top": "top field first", "bottom": "bottom field first", "mixed": "both"}.get(facts.marked, facts.marked)


def _crop(facts: Facts) -> Iterator[str]:
    edge = facts.borders
    if edge:
        yield ""
        yield f"# Black borders: {edge.left} left, {edge.right} right, {edge.top} top, {edge.bottom} bottom."
        yield f"clip = core.std.Crop(clip, left={edge.left}, right={edge.right}, top={edge.top}, bottom={edge.bottom})"


def _tags(facts: Facts) -> Iterator[str]:
    if facts.matrix is None:
        matrix = assumed_matrix(facts.height)
        name, why = ("BT.601", "up to") if matrix == BT601 else ("BT.709", "above")
        yield ""
        yield f"# The matrix is untagged; {name}, as usual {why} {SD_HEIGHT} lines."
        yield f"clip = core.std.SetFrameProps(clip, _Matrix={matrix})"


def _noise(facts: Facts, scale: int) -> Iterator[str]:
    yield ""
    yield f"# Noise: {facts.noise:.1f} levels of 255; steps at block edges: {facts.blocking:.0%} larger than elsewhere."
    if what := _faults(facts):
        yield f"# A model for clean video sharpens {what}; " + (
            "the one below was trained to take them off."
            if scale in RESTORE
            else f"for scale {scale} there is no other: take them off here, with a denoiser that you trust."
        )
        yield "# examples/grain.vpy takes grain off and puts it back as it was."


def _faults(facts: Facts) -> str:
    """Returns what a network for clean video would sharpen, "" for nothing."""
    found = (("blocks", facts.blocking > BLOCKY), ("noise", facts.noise > NOISY))
    return " and ".join(name for name, there in found if there)


def _upscale(facts: Facts, scale: int) -> Iterator[str]:
    yield ""
    yield "clip = core.resize.Point(clip, format=clip.format.replace(bits_per_sample=16, sample_type=vs.INTEGER).id)"
    yield "clip = vsduf.mark_cuts(clip)  # windows of frames end at scene cuts"
    options = f"scale={scale}" + (f", model={RESTORE[scale]!r}" if _faults(facts) and scale in RESTORE else "")
    if facts.repeats > REPEATING:
        yield f"# {facts.repeats:.0%} of the frames repeat the frame before: each picture is upscaled once."
        yield f"clip = vsduf.once(clip, lambda pictures: core.duf.Upscale(pictures, {options}))"
    else:
        yield f"clip = core.duf.Upscale(clip, {options})"
    yield "bits = clip.format.replace(bits_per_sample=10)"
    yield 'clip = core.resize.Point(clip, format=bits.id, dither_type="error_diffusion")'


def _aspect(facts: Facts) -> Iterator[str]:
    matrix = facts.matrix if facts.matrix is not None else assumed_matrix(facts.height)
    to_hd = matrix != BT709 and facts.height <= SD_HEIGHT
    if facts.sar != 1:
        edge = facts.borders
        shape = Fraction(facts.width - edge.left - edge.right, facts.height - edge.top - edge.bottom) * facts.sar
        yield ""
        yield f"# Samples are {facts.sar.numerator}:{facts.sar.denominator}; square ones of the same picture shape."
        yield f"width = round(clip.height * {shape.numerator} / {shape.denominator} / 2) * 2"
        yield f"clip = core.resize.Spline36(clip, width, clip.height{', matrix=vs.MATRIX_BT709' if to_hd else ''})"
        yield "clip = core.std.SetFrameProps(clip, _SARNum=1, _SARDen=1)"
    yield ""
