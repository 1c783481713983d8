"""Runs the `vsduf` program by `python -m vsduf`."""

import sys

from vsduf.cli.main import main

sys.exit(main())
