"""Encodes a clip as a film, with everything else that its source holds.

`prepare` checks and plans, and refuses what cannot be done before a frame is made; `Encoding.write` does it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import vapoursynth as vs

from vsduf.errors import ArgumentError, MediaError
from vsduf.film import pipe, timeline
from vsduf.film.codec import Settings, video_options
from vsduf.film.command import Streams, command
from vsduf.film.containers import fitting
from vsduf.film.output import Output, claim
from vsduf.film.source import Source
from vsduf.film.timeline import Timeline

REHEARSAL = 0.1  # seconds of the source's other streams


@dataclass(frozen=True)
class Encoding:
    """A film that is ready to be written.

    args: the ffmpeg command. rehearsal: the same for a moment of the source. form: the format of the clip.
    notes: a sentence about each stream that is changed or left out.
    """

    output: Output
    args: tuple[str, ...]
    rehearsal: tuple[str, ...]
    times: Timeline
    form: vs.VideoFormat
    notes: tuple[str, ...] = ()

    def write(
        self,
        clip: vs.VideoNode,
        progress: Callable[[int], None] = lambda done: None,
        warn: Callable[[str], None] = lambda text: None,
    ) -> None:
        """Writes the film. progress: called with the number of frames done. warn: with a sentence if ffmpeg stalls.

        Raises ArgumentError for a clip of another length, MediaError if ffmpeg fails, vs.Error from the clip; then, and
        on any other exception, nothing has changed at the film's name.
        """
        if clip.num_frames != len(self.times.stamps):
            raise ArgumentError(f"the clip has {clip.num_frames} frames and its source {len(self.times.stamps)}")
        blank = vs.core.std.BlankClip(clip, length=1)
        with self.output.made():
            pipe.run(self.rehearsal, blank, self.times, warn=warn)  # what ffmpeg refuses, it refuses here
            pipe.run(self.args, clip, self.times, progress, warn)


def prepare(
    film: Source | None, output: Output, settings: Settings, form: vs.VideoFormat, times: Timeline | None = None
) -> Encoding:
    """Plans how a clip of format `form` is encoded into `output`, with the streams, tags and chapters of `film`.

    times: of the frames, default the film's. Raises ArgumentError for an option that the encoder does not have,
    MediaError for what does not fit into the file.
    """
    box = output.container
    times = times or (film.timeline if film is not None else None)
    if times is None:
        raise ArgumentError("neither a film nor times were given; give one of them")
    if not times.constant and not box.variable_rate:
        raise MediaError(f"{box.name} cannot hold a variable frame rate, which this film has; write to .mkv")
    video = video_options(settings.codec or box.codec, form, settings)
    streams = None
    notes: list[str] = []
    if film is not None:
        copied, notes = fitting(film.media, film.track, box, settings.subtitles)
        streams = Streams(film, copied)
    args, rehearsal = (
        tuple(command(output.part, box, video, times, streams, seconds)) for seconds in (None, REHEARSAL)
    )
    return Encoding(output, args, rehearsal, times, form, tuple(notes))


def encode(
    clip: vs.VideoNode,
    target: Path,
    source: Source | None = None,
    settings: Settings | None = None,
    overwrite: bool = False,
    progress: Callable[[int], None] = lambda done: None,
) -> None:
    """Writes `clip` as the film `target`, with everything else that `source` holds and at its times.

    Without `source`: at the clip's own constant rate, without sound. progress: called with the number of frames done.
    Raises as `claim`, `prepare` and `Encoding.write` do.
    """
    with claim(target, source.path if source else None, overwrite) as output:
        times = None if source is not None else _constant(clip)
        prepare(source, output, settings or Settings(), clip.format, times).write(clip, progress)


def _constant(clip: vs.VideoNode) -> Timeline:
    if not clip.fps:
        raise ArgumentError("the clip has no constant frame rate; give it one with std.AssumeFPS")
    return timeline.constant(Fraction(clip.fps), clip.num_frames)
