"""The network in ordinary torch operations: for AMD (ROCm), Intel (XPU), Apple (MPS), and NVIDIA without CuPy."""
