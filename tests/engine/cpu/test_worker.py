"""All arithmetic on the CPU happens on one thread, whoever asks."""

import os
import subprocess
import sys
import threading

import pytest

from vsduf.engine.cpu.worker import on_compute_thread


def test_every_caller_gets_the_same_thread():
    found, lock = set(), threading.Lock()

    def ask():
        thread = on_compute_thread(threading.get_ident)
        with lock:
            found.add(thread)

    callers = [threading.Thread(target=ask) for _ in range(5)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(found) == 1
    assert found != {threading.get_ident()}


def test_work_may_ask_for_work():
    assert on_compute_thread(lambda: on_compute_thread(threading.get_ident)) == on_compute_thread(threading.get_ident)


def test_errors_reach_the_caller_and_the_thread_lives_on():
    with pytest.raises(ZeroDivisionError):
        on_compute_thread(lambda: 1 // 0)
    assert on_compute_thread(lambda: 5) == 5


FORK = """
import os, signal
from vsduf.engine.cpu.worker import on_compute_thread
assert on_compute_thread(lambda: 5) == 5
child = os.fork()
if child == 0:
    signal.alarm(20)
    os._exit(on_compute_thread(lambda: 7))
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
assert on_compute_thread(lambda: 5) == 5
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_a_forked_process_has_a_thread_of_its_own():
    subprocess.run([sys.executable, "-c", FORK], check=True)
