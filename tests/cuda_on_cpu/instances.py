"""The kernels by name, each with all template arguments that the launchers use."""

import itertools

SAMPLES, FLOATS, SCALES = ["unsigned char", "unsigned short", "half", "float"], ["half", "float"], [2, 3, 4]
INSTANCES = {
    "planes_to_window": [f"{t}, {s}" for t, s in itertools.product(FLOATS, SAMPLES)],
    "join": ["half, 8", "half, 4", "float, 4"],
    "accumulate": ["half, 8", "half, 4", "float, 4"],
    "shift_add": ["half, 8", "half, 4", "float, 4"],
    "bias_relu": FLOATS,
    "dynamic_filter": [f"{t}, {s}, {r}" for t, s, r in itertools.product(FLOATS, SAMPLES, SCALES)],
}
NAMES = {kernel: tuple(f"{kernel}<{arguments}>" for arguments in all_) for kernel, all_ in INSTANCES.items()}
