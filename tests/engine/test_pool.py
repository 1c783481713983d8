"""Which thread is served first, and what serving costs."""

import os
import signal
import threading
import time

import pytest

from vsduf.engine.pool import PriorityPool


def wait_for(pool, count):
    """Returns when so many threads wait."""
    end = time.monotonic() + 10
    while pool.waiting != count and time.monotonic() < end:
        time.sleep(0.001)
    assert pool.waiting == count


def run(work, frames):
    threads = [threading.Thread(target=work, args=(frame,)) for frame in frames]
    for thread in threads:
        thread.start()
    return threads


def test_the_lowest_frame_is_served_first():
    pool, served, threads = PriorityPool(["only"]), [], []

    def work(frame):
        with pool.take(frame):
            served.append(frame)

    with pool.take(1):
        for count, frame in enumerate((9, 4, 7, 5), 1):
            threads += run(work, [frame])
            wait_for(pool, count)
    for thread in threads:
        thread.join()
    assert served == [4, 5, 7, 9]


def test_as_many_at_a_time_as_there_are_resources():
    pool, inside = PriorityPool("abc"), threading.Barrier(3, timeout=10)

    def work(frame):
        with pool.take(frame):
            inside.wait()

    for thread in run(work, range(6)):
        thread.join()
    assert not inside.broken


def test_an_error_gives_the_resource_back():
    pool = PriorityPool(["only"])
    with pytest.raises(ZeroDivisionError), pool.take(3):
        1 / 0  # noqa: B018
    with pool.take(2) as resource:
        assert resource == "only"


def test_a_thread_that_is_interrupted_leaves_the_queue():
    pool, held = PriorityPool(["only"]), threading.Event()

    def interrupt(_):
        with pool.take(1):
            held.set()
            wait_for(pool, 1)
            os.kill(os.getpid(), signal.SIGINT)
            wait_for(pool, 0)

    (thread,) = run(interrupt, [1])
    assert held.wait(10)
    with pytest.raises(KeyboardInterrupt), pool.take(0):
        pass
    thread.join()
    with pool.take(5) as resource:
        assert resource == "only"


def test_a_returned_resource_wakes_one_thread():
    """If it woke all of 128 threads, a frame would cost about 3 ms of processor time; it costs less than 0.1."""
    pool, frames, threads = PriorityPool(range(3)), 10, 128

    def work(first):
        for k in range(frames):
            with pool.take(first + k * threads):
                time.sleep(0.0005)

    start = time.process_time()
    for thread in run(work, range(threads)):
        thread.join()
    assert (time.process_time() - start) / (frames * threads) < 0.0006
