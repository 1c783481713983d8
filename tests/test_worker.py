"""All arithmetic on the CPU happens on one thread, whoever asks."""

import threading

import pytest

from vsduf.worker import computed


def test_every_caller_gets_the_same_thread():
    found, lock = set(), threading.Lock()

    def ask():
        thread = computed(threading.get_ident)
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
    assert computed(lambda: computed(threading.get_ident)) == computed(threading.get_ident)


def test_errors_reach_the_caller_and_the_thread_lives_on():
    with pytest.raises(ZeroDivisionError):
        computed(lambda: 1 // 0)
    assert computed(lambda: 5) == 5
