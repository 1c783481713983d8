"""The spin count that torch's OpenMP reports when it is loaded."""

import os
import subprocess
import sys

import pytest

from vsduf.system import SPIN_COUNT, USER_SETTINGS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems' torch has another OpenMP")


def spin_count(**environment):
    clean = {name: value for name, value in os.environ.items() if name not in USER_SETTINGS}
    command = [sys.executable, "-c", "import vsduf.engine"]
    environment |= {"OMP_DISPLAY_ENV": "VERBOSE"}
    done = subprocess.run(command, env=clean | environment, capture_output=True, text=True, timeout=120, check=True)
    return next(line.split("'")[1] for line in done.stderr.splitlines() if "GOMP_SPINCOUNT" in line)


def test_vsduf_shortens_the_spin():
    assert spin_count() == str(SPIN_COUNT)


def test_the_user_s_settings_are_kept():
    assert spin_count(GOMP_SPINCOUNT="77") == "77"
    assert spin_count(OMP_WAIT_POLICY="passive") == "0"
