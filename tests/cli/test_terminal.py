"""Progress and messages on stderr: a bar on a terminal, plain lines elsewhere, and no harm from a closed stderr."""

import contextlib
import os
import pty
import re
import subprocess
import sys

from vsduf.cli.terminal import PERCENT, Counted, Progress, clock_time, say


def test_a_log_gets_a_line_every_thirty_seconds(capsys):
    now = [0.0]
    with Progress(1000, clock=lambda: now[0]) as progress:
        for done in range(1, 1001):
            now[0] += 0.0625
            progress.update(done)
    assert capsys.readouterr() == (
        "",
        "480/1000 frames, 16.0 FPS, 0:33 left\n"
        "960/1000 frames, 16.0 FPS, 0:03 left\n"
        "1000/1000 frames, 16.0 FPS, 0:00 left\n",
    )


def test_other_units_and_a_run_that_goes_on(capsys):
    now = [0.0]
    with Progress(100, Counted("steps", "samples/s", 8), "training", start=40, clock=lambda: now[0]) as progress:
        for done in range(41, 101):
            now[0] += 2
            progress.update(done, "loss 0.5")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "training 55/100 steps, 4.00 samples/s, 1:30 left, loss 0.5"
    assert lines[-1] == "training 100/100 steps, 4.00 samples/s, 0:00 left, loss 0.5"


def test_a_transient_display_leaves_nothing(capsys):
    with Progress(100, PERCENT, "reading", transient=True) as progress:
        for percent in range(101):
            progress.update(percent)
    assert capsys.readouterr() == ("", "")


def test_a_terminal_gets_a_bar_with_the_messages_above_it(monkeypatch):
    leader, follower = pty.openpty()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with os.fdopen(follower, "w") as terminal, monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", terminal)
        with Progress(4) as progress:
            for done in range(1, 5):
                progress.update(done)
                if done == 2:
                    say("a [strange] warning")
    shown = all_of(leader)
    lines = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown).split("\r\n")
    assert any(line.split("\r")[-1].strip() == "vsduf: a [strange] warning" for line in lines)
    assert re.fullmatch(r" *━{24} 4/4 frames, [\d.]+ FPS, 0:00 left", lines[-2].split("\r")[-1])


def all_of(leader):
    """Everything that was written to a terminal whose other end is closed."""
    read = b""
    with contextlib.suppress(OSError):  # the end, as Linux reports it
        while more := os.read(leader, 4096):
            read += more
    os.close(leader)
    return read.decode()


def test_a_reader_of_stderr_that_goes_away_ends_nothing():
    program = (
        "import sys\nfrom vsduf.cli.terminal import Progress, say\n"
        "sys.stdin.readline()\nsay('nobody reads this')\n"
        "with Progress(2) as progress:\n    progress.update(2)\n"
        "print('done')\n"
    )
    ends = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", program], text=True, **ends) as process:
        process.stderr.close()
        process.stdin.write("go\n")
        process.stdin.close()
        assert (process.stdout.read(), process.wait(60)) == ("done\n", 0)


def test_names_that_no_encoding_holds_are_shown_escaped(capsys):
    say("caf\udce9\nx is missing")
    assert capsys.readouterr().err == "vsduf: caf\\udce9 x is missing\n"


def test_durations():
    assert [clock_time(s) for s in (0.4, 59.6, 754, 3723)] == ["0:00", "1:00", "12:34", "1:02:03"]
