"""Settings for all tests: one thread, as tensors are tiny, and no deadlines, as other programs may run."""

import signal

import torch
from hypothesis import settings

torch.set_num_threads(1)  # with tiny tensors, threads wait for each other longer than they compute
settings.register_profile("vsduf", deadline=None)
settings.load_profile("vsduf")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as for a shell's background jobs; tests interrupt programs
    signal.signal(signal.SIGINT, signal.default_int_handler)
