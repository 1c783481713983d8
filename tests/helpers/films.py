"""Films for tests, made with ffmpeg's own sources, and what one can ask of a film."""

import subprocess
from fractions import Fraction

import imageio_ffmpeg
import numpy as np
import vapoursynth as vs

from vsduf.film import timeline

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()  # of known age, whatever is on PATH

SUBTITLES = "1\n00:00:00,200 --> 00:00:00,900\nHello\n\n2\n00:00:01,000 --> 00:00:01,400\nWorld\n"
CHAPTERS = (
    ";FFMETADATA1\ntitle=The Film\n"
    "[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=700\ntitle=One\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=700\nEND=1500\ntitle=Two\n"
)


def ffmpeg(*words):
    """Runs ffmpeg; returns what it writes to stdout."""
    command = [FFMPEG, "-v", "error", "-y", "-nostdin", *map(str, words)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def version(program):
    """What an ffmpeg calls itself, such as "7.0.2"."""
    said = subprocess.run([program, "-version"], capture_output=True, text=True).stdout
    return said.split()[2].split("-")[0]


def told(path):
    """What ffmpeg prints of a file."""
    return subprocess.run([FFMPEG, "-hide_banner", "-i", path], capture_output=True, text=True).stderr


def full_film(folder):
    """1.5 s, 48x32, 23.976 fps, pixels not square; sound, subtitles, chapters, an attachment, languages, a title."""
    (folder / "words.srt").write_text(SUBTITLES)
    (folder / "chapters.txt").write_text(CHAPTERS)
    path = folder / "full.mkv"
    ffmpeg(
        *["-f", "lavfi", "-i", "testsrc2=s=48x32:r=24000/1001:d=1.5", "-f", "lavfi", "-i", "sine=d=1.5"],
        *["-i", folder / "words.srt", "-f", "ffmetadata", "-i", folder / "chapters.txt"],
        *["-map", 0, "-map", 1, "-map", 2, "-map_chapters", 3, "-map_metadata", 3],
        *["-attach", folder / "chapters.txt", "-metadata:s:t", "mimetype=text/plain"],
        *["-metadata:s:v", "language=fin", "-metadata:s:v", "title=Picture", "-metadata:s:v", "BPS=123"],
        *["-metadata:s:a", "language=ger", "-metadata:s:s", "language=fre"],
        "-vf",
        "setsar=8/9,setparams=colorspace=smpte170m:color_trc=smpte170m:color_primaries=smpte170m:range=tv,"
        "setparams=chroma_location=topleft",
        *["-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac", "-c:s", "srt", path],
    )
    return path


def picture_film(path, filters="null", source="testsrc2=s=48x32:r=25:d=1", *words):
    """Pictures alone, without loss unless `words` say otherwise."""
    ffmpeg("-f", "lavfi", "-i", source, "-vf", filters, *(words or ("-c:v", "ffv1")), path)
    return path


def opened(path):
    """The clip of a film and the seconds at which its frames are shown."""
    got = vs.core.bs.VideoSource(path, cachemode=0, exporttimestamps=True)
    tick = Fraction(got["timebasenum"], got["timebaseden"])
    return got["clip"], [stamp * tick for stamp in got["timestamps"]]


def sound_start(path):
    """The second of the first sound packet on the file's own clock."""
    lines = ffmpeg("-copyts", "-i", path, "-map", "0:a:0", "-c", "copy", "-f", "framecrc", "-").splitlines()
    tick = next(Fraction(line.split()[-1]) for line in lines if line.startswith("#tb"))
    return int(next(line for line in lines if not line.startswith("#")).split(",")[2]) * tick


def larger(clip, scale=4):
    """What stands in for the network."""
    return clip.resize.Point(clip.width * scale, clip.height * scale)


def same_frames(one, other):
    """Whether two clips hold the same samples."""
    if (one.format.id, one.width, one.height, one.num_frames) != (
        other.format.id,
        other.width,
        other.height,
        other.num_frames,
    ):
        return False
    return all(
        bytes(a[plane]) == bytes(b[plane])
        for a, b in zip(one.frames(close=True), other.frames(close=True), strict=True)
        for plane in range(one.format.num_planes)
    )


def noise(form=vs.YUV420P8, width=20, height=12, length=5):
    """Frames of random samples, all different, at 25 a second."""

    def fill(n, f):
        frame = f.copy()
        for plane in range(frame.format.num_planes):
            samples = np.asarray(frame[plane])
            samples[:] = np.random.default_rng((n, plane)).integers(0, 1 << frame.format.bits_per_sample, samples.shape)
        return frame

    blank = vs.core.std.BlankClip(None, width, height, form, length, 25, 1, keep=True)
    return blank.std.ModifyFrame(blank, fill)


def steady(length, rate=25):
    """The times of frames at a constant rate."""
    return timeline.constant(Fraction(rate), length)
