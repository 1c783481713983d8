"""Encodes a clip as a film, with everything else that its source holds.

`prepare` checks and plans, and refuses what cannot be done before a frame is made; `Encoding.write` does it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import vapoursynth as vs

from vsduf.errors import ArgumentError, MediaError
from vsduf.film import feed, pipe, timeline
from vsduf.film.codec import Settings, video_options
from vsduf.film.command import Streams, command
from vsduf.film.formats import convert, has_alpha
from vsduf.film.matroska import ALPHA
from vsduf.film.output import Output, claim
from vsduf.film.packets import Span
from vsduf.film.readback import Expected
from vsduf.film.segments import Segments
from vsduf.film.segments import encode as encode_segments
from vsduf.film.source import Source
from vsduf.film.streams import Wishes, choose
from vsduf.film.timeline import Timeline
from vsduf.film.work import Part

EncodeSegments = Callable[..., list[Part]]
"""A function with the arguments of `segments.encode`, which encodes the segments that are missing."""

ALPHA_HINT = "libvpx-vp9 in .webm, prores_ks in .mov and ffv1 in .mkv can"
REHEARSAL = 0.1  # seconds of the source's other streams


@dataclass(frozen=True)
class Encoding:
    """A film that is ready to be written.

    form: the format that is encoded; a clip in another one is converted. video: ffmpeg's options for it.
    streams: what comes from the source. notes: a sentence about each change or loss. alpha: whether the clip's _Alpha
    is encoded.
    """

    output: Output
    form: vs.VideoFormat
    video: Mapping[str, str]
    times: Timeline
    streams: Streams | None = None
    notes: tuple[str, ...] = ()
    alpha: bool = False

    def command(self, target: Path, seconds: float | None = None, encoded: bool = False) -> list[str]:
        """Returns the ffmpeg command that writes `target`. seconds, encoded: as for `command.command`."""
        box = self.output.container
        return command(target, box, self.video, self.times, self.streams, seconds, encoded)

    def write(
        self,
        clip: vs.VideoNode,
        progress: Callable[[int], None] = lambda done: None,
        warn: Callable[[str], None] = lambda text: None,
        segments: Segments | None = None,
        encode: EncodeSegments = encode_segments,
    ) -> None:
        """Writes the film. progress: called with the number of frames done. warn: called with sentences for the user.

        segments: encode these first, and join them; a run that is stopped leaves them for the next one. Without it the
        film is encoded in one pass, and a run that is stopped leaves nothing. encode: makes the segments.

        Raises ArgumentError for a clip of another length or for segments of another film, MediaError if ffmpeg fails,
        vs.Error from the clip; then, and on any other exception, nothing has changed at the film's name.
        """
        if clip.num_frames != len(self.times.stamps):
            raise ArgumentError(f"the clip has {clip.num_frames} frames and its source {len(self.times.stamps)}")
        clip = convert(clip, self.form, self.alpha)
        streams = self.streams
        expected = Expected(self.times, streams.film.path, streams.mapped) if streams else Expected(self.times)
        source = expected.source()
        final = self._rehearsed(clip, expected, source, warn)
        if segments is None:
            final._finish(feed.raw(clip, self.times), expected, source, progress, warn)
        else:
            parts = encode(clip, self.video, self.times, segments, progress, warn)
            frames = feed.joined([part.path for part in parts], self.times)
            final._finish(frames, expected, source, warn=warn, encoded=True)
            segments.work.remove()

    def _rehearsed(
        self, clip: vs.VideoNode, expected: Expected, source: Mapping[int, Span], warn: Callable[[str], None]
    ) -> Encoding:
        """Encodes one frame, as ffmpeg refuses here what it would refuse later; returns the encoding with delays."""
        beginning = self.output.folder / f"rehearsal{self.output.path.suffix}"
        blank = vs.core.std.BlankClip(clip, length=1)
        if self.alpha:
            gray = vs.core.query_video_format(vs.GRAY, vs.INTEGER, self.form.bits_per_sample)
            blank = blank.std.ClipToProp(blank.std.BlankClip(format=gray.id), prop=ALPHA)
        pipe.run(self.command(beginning, REHEARSAL), feed.raw(blank, self.times), 1, warn=warn)
        delays = expected.delays(beginning, source)
        return replace(self, streams=replace(self.streams, delays=delays)) if self.streams and delays else self

    def _finish(
        self,
        frames: pipe.Feed,
        expected: Expected,
        source: Mapping[int, Span],
        progress: Callable[[int], None] = lambda done: None,
        warn: Callable[[str], None] = lambda text: None,
        encoded: bool = False,
    ) -> None:
        """Writes the film from frames, and reads it back."""
        with self.output.made() as part:
            pipe.run(self.command(part, encoded=encoded), frames, len(self.times.stamps), progress, warn)
            for text in expected.check(part, source):
                warn(text)


def prepare(
    film: Source | None,
    output: Output,
    settings: Settings,
    form: vs.VideoFormat,
    times: Timeline | None = None,
    alpha: Callable[[], bool] = lambda: False,
) -> Encoding:
    """Plans how a clip of format `form` is encoded into `output`, with the streams, tags and chapters of `film`.

    times: of the frames, default the film's. alpha: tells whether the clip has _Alpha, which is encoded if the encoder
    and the file can hold it; called after everything that may be refused. Raises ArgumentError for an option that the
    encoder does not have, MediaError for what does not fit into the file.
    """
    box = output.container
    times = times or (film.timeline if film is not None else None)
    if times is None:
        raise ArgumentError("neither a film nor times were given; give one of them")
    if not times.constant and not box.variable_rate:
        raise MediaError(f"{box.name} cannot hold a variable frame rate, which this film has; write to .mkv")
    codec = settings.codec or box.codec
    chosen, video, notes = video_options(codec, form, settings)
    plan = Encoding(output, chosen, video, times, None, tuple(notes))
    if film is not None:
        wishes = Wishes(settings.audio, settings.subtitles)
        trial = output.folder / f"trial{output.path.suffix}"
        taken, changes = choose(film.path, film.media, film.track, trial, box, wishes)
        plan = replace(plan, streams=Streams(film, taken, output.folder), notes=(*notes, *changes))
    return _with_alpha(plan, codec, form, settings) if alpha() else plan


def _with_alpha(plan: Encoding, codec: str, form: vs.VideoFormat, settings: Settings) -> Encoding:
    """Returns the plan with an alpha channel, or with a note where the encoder or the file cannot hold one."""
    box = plan.output.container
    try:
        if codec.startswith("libvpx") and box.name not in ("Matroska", "WebM"):
            raise MediaError(f"{box.name} has no place beside a frame, where {codec} puts alpha values")
        chosen, video, notes = video_options(codec, form, settings, alpha=True)
    except MediaError:
        note = f"the alpha channel is left out, as {codec} in {box.name} cannot hold it: {ALPHA_HINT}"
        return replace(plan, notes=(*plan.notes, note))
    changes = [note for note in plan.notes if note not in video_options(codec, form, settings)[2]]
    return replace(plan, form=chosen, video=video, notes=(*notes, *changes), alpha=True)


def encode(
    clip: vs.VideoNode,
    target: Path,
    source: Source | None = None,
    settings: Settings | None = None,
    overwrite: bool = False,
    progress: Callable[[int], None] = lambda done: None,
) -> tuple[str, ...]:
    """Writes `clip` as the film `target`, with everything else that `source` holds and at its times.

    Without `source`: at the clip's own constant rate, without sound. progress: called with the number of frames done.
    Returns a sentence about each change or loss. Raises as `claim`, `prepare` and `Encoding.write` do.
    """
    with claim(target, source.path if source else None, overwrite) as output:
        times = None if source is not None else times_of(clip)
        encoding = prepare(source, output, settings or Settings(), clip.format, times, lambda: has_alpha(clip))
        warnings: list[str] = []
        encoding.write(clip, progress, warnings.append)
        return (*encoding.notes, *warnings)


def times_of(clip: vs.VideoNode, film: Source | None = None) -> Timeline:
    """Returns the times of a clip made from `film`: the film's, or constant ones if the number of frames differs.

    Raises ArgumentError for a clip without a constant frame rate.
    """
    if film is not None and clip.num_frames == len(film.timeline.stamps):
        return film.timeline
    if not clip.fps:
        raise ArgumentError("the clip has no constant frame rate; give it one with std.AssumeFPS")
    start = Fraction(film.timeline.time(0), 10**9) if film is not None else Fraction(0)
    return timeline.constant(Fraction(clip.fps), clip.num_frames, start)
