"""CUDA kernels run by the CPU, each thread a fiber: `emulator` compiles and launches, `fakecupy` stands in for CuPy."""
