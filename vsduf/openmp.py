"""How long the threads that torch computes with spin for each other before they sleep; to be imported before torch.

GNU's OpenMP, which torch brings on Linux, lets them spin for 300,000 turns: 15 ms on CPUs whose pause takes 140 cycles,
longer than a time slice. Where another program keeps the cores busy, an encoder say, one thread spins away its share of
time for another that the system has put aside, and then the other for the first. Two busy programs on two cores took
4.8 frames a second down to 1.4, to 0.2, or to none in 90 seconds; with a short spin 1.8 to 2.4 are left, the fair half.
Alone the short spin costs 5 % (4.55 against 4.81 frames a second, means of four runs).
"""

from __future__ import annotations

import os

TURNS = 2000  # about 0.1 ms; 5,000 is no faster alone, 1,000 is slower, 10,000 suffers from company again
SAID = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")  # by a user who knows better

if not any(name in os.environ for name in SAID):
    os.environ["GOMP_SPINCOUNT"] = str(TURNS)
