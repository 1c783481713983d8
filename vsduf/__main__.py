"""Runs the `vsduf` program as `python -m vsduf`."""

import sys

from vsduf.cli.main import main

sys.exit(main())
