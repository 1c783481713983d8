"""Who is served first."""

import threading
import time

import pytest

from vsduf.engine.pool import PriorityPool


def waits(turns, count):
    """Until so many threads stand in line."""
    end = time.monotonic() + 10
    while len(turns._waiting) < count and time.monotonic() < end:
        time.sleep(0.001)
    assert len(turns._waiting) == count


def test_the_lowest_frame_is_served_first():
    turns, served = PriorityPool(["only"]), []

    def work(frame):
        with turns.take(frame):
            served.append(frame)

    threads = [threading.Thread(target=work, args=(frame,)) for frame in (9, 4, 7, 5)]
    with turns.take(1):
        for count, thread in enumerate(threads, 1):
            thread.start()
            waits(turns, count)
    for thread in threads:
        thread.join()
    assert served == [4, 5, 7, 9]


def test_as_many_at_a_time_as_there_are_things():
    turns, inside = PriorityPool("abc"), threading.Barrier(3, timeout=10)

    def work(frame):
        with turns.take(frame):
            inside.wait()

    threads = [threading.Thread(target=work, args=(frame,)) for frame in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not inside.broken


def test_an_error_gives_it_back():
    turns = PriorityPool(["only"])
    with pytest.raises(ZeroDivisionError), turns.take(3):
        1 / 0  # noqa: B018
    with turns.take(2) as thing:
        assert thing == "only"


def test_whoever_is_interrupted_while_waiting_leaves_the_line(monkeypatch):
    turns = PriorityPool(["only"])

    def interrupted(_ready):
        raise KeyboardInterrupt

    with turns.take(1), monkeypatch.context() as patch:
        patch.setattr(turns._changed, "wait_for", interrupted)
        with pytest.raises(KeyboardInterrupt), turns.take(0):
            pass
    with turns.take(5) as thing:
        assert thing == "only"
