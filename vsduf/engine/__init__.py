"""Fast inference: a window of planes in, a picture out, on the CPU or on a CUDA device."""

from vsduf.engine.engine import Engine, cpu_kernels, open_engine

__all__ = ["Engine", "cpu_kernels", "open_engine"]
