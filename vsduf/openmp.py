"""How long the threads that torch computes with spin for each other before they sleep; to be imported before torch.

GNU's OpenMP, which torch brings on Linux, lets them spin for 300,000 turns: 15 ms on CPUs whose pause takes 140 cycles,
longer than a time slice. Where another program keeps the cores busy, an encoder say, one thread spins away its share of
time for another that the system has put aside, and then the other for the first.

Two busy programs on two cores took 4.4 frames a second down to 1.4, to 0.2, or to none in 90 seconds; with a shorter
spin 1.3 to 2.3 were left in seven runs. Alone that costs about 5 % (4.2 against 4.4 frames a second, means of eight
runs each, which vary more than that).
"""

from __future__ import annotations

import os

TURNS = 10_000  # about 0.5 ms; 2,000 leaves 1.8 to 2.4 in company but costs up to 14 % alone, 30,000 fell to 0.7 once
SAID = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")  # by a user who knows better

if not any(name in os.environ for name in SAID):
    os.environ["GOMP_SPINCOUNT"] = str(TURNS)
