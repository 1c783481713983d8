"""Runs CUDA kernels on the CPU, each thread as a fiber: `emulator` compiles and launches, `fakecupy` replaces CuPy."""
