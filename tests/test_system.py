"""What torch's OpenMP has been told by the time that it is loaded; it says so itself."""

import os
import subprocess
import sys

import pytest

from vsduf.system import SPIN_COUNT, USER_SETTINGS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems' torch has another OpenMP")


def told(**environment):
    clean = {name: value for name, value in os.environ.items() if name not in USER_SETTINGS}
    command = [sys.executable, "-c", "import vsduf.engine"]
    environment |= {"OMP_DISPLAY_ENV": "VERBOSE"}
    done = subprocess.run(command, env=clean | environment, capture_output=True, text=True, timeout=120, check=True)
    return next(line.split("'")[1] for line in done.stderr.splitlines() if "GOMP_SPINCOUNT" in line)


def test_threads_spin_briefly():
    assert told() == str(SPIN_COUNT)


def test_what_the_user_says_counts():
    assert told(GOMP_SPINCOUNT="77") == "77"
    assert told(OMP_WAIT_POLICY="passive") == "0"
