"""The network on a CUDA device: launchers of the kernels in kernels/, transfers, and the thread that queues work."""
