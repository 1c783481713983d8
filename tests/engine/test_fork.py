"""A process that was forked after an engine had been opened: its own engine computes, its parent's is refused."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import os, signal, sys
import numpy as np
from vsduf.engine import open_engine
from vsduf.errors import DeviceError

def frame(engine):
    frames = {k: list(np.full((3, 24, 32), 10 * k, np.uint8)) for k in range(7)}
    out = list(np.zeros((3, 48, 64), np.uint8))
    engine(range(7), frames, out)
    return np.stack(out)

def opened():
    return open_engine(None, 2, 32, 24, device_id=-1, num_streams=2, warn=print)

def child(parents, expected):
    signal.alarm(60)
    try:
        frame(parents)
    except DeviceError as error:
        print(error, flush=True)
    parents.close()
    del parents
    own = opened()
    same = np.array_equal(frame(own), expected)
    own.close()
    return 0 if same else 3

parents = opened()
expected = frame(parents)
number = os.fork()
if number == 0:
    os._exit(child(parents, expected))
assert os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]) == 0
assert np.array_equal(frame(parents), expected)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_a_forked_process_opens_an_engine_of_its_own():
    environment = os.environ | {"OMP_NUM_THREADS": "4"}  # threads that the parent's torch has, on any machine
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", PROGRAM]
    done = subprocess.run(command, check=True, env=environment, capture_output=True, text=True, timeout=120)
    assert done.stdout == "the engine belongs to the process that opened it; open another one after the fork\n"
