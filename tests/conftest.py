"""What every test wants: one thread for tiny tensors, and no deadlines on a machine that does other work."""

import torch
from hypothesis import settings

torch.set_num_threads(1)  # two threads that wait for each other at every small layer cost more than they give
settings.register_profile("vsduf", deadline=None)
settings.load_profile("vsduf")
