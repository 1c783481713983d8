"""RawModule for the CPU: compiles the unmodified .cu source by g++, and launches its kernels on plain addresses.

Raises errors that CuPy does not check for: arguments of another number, size or kind than the kernel's, launch shapes
that no device takes, and barriers that some threads miss. Shared memory holds NaN until it is written.

COC_ORDER=0|1|2 runs threads forwards, backwards or shuffled. COC_SANITIZE=undefined finds misaligned vectors;
COC_SANITIZE=address, with LD_PRELOAD=$(g++ -print-file-name=libasan.so) ASAN_OPTIONS=detect_leaks=0, accesses out of
bounds; import everything before the first kernel then, since an import after it is reported as an underflow. The times
that kernels take here say nothing about their speed.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np

INCLUDE = Path(__file__).parent / "include"
COMPILER = os.environ.get("COC_CXX", "g++")
SANITIZE = os.environ.get("COC_SANITIZE", "")
CACHE = Path(os.environ.get("COC_CACHE", tempfile.gettempdir())) / f"cuda-on-cpu-{os.getuid()}"
FLAGS = [
    "-std=c++20", "-O1", "-fPIC", "-shared", "-fvisibility=hidden", "-ffp-contract=fast", "-march=x86-64-v3",
    "-fno-strict-aliasing", "-w", "-pthread",
]  # fmt: skip
KINDS = {"i": 1, "u": 2, "f": 3}  # the numbers that kind_of in cuda_on_cpu.h returns
STRUCT, FLOAT, POINTER = 0, 3, 4

LAUNCHER = """
extern "C" __attribute__((visibility("default")))
const char* coc_launch_{i}(const unsigned* d, unsigned long smem, void** a, int t)
{{ return coc::launch(&{name}, dim3(d[0], d[1], d[2]), dim3(d[3], d[4], d[5]), smem, a, t); }}
extern "C" __attribute__((visibility("default")))
int coc_info_{i}(coc::ArgInfo* o) {{ return coc::arg_info(&{name}, o); }}
"""


class ArgInfo(ctypes.Structure):
    """A kernel's parameter: bytes, kind, and for a pointer size * 16 + kind of what it points to."""

    _fields_ = [("size", ctypes.c_int), ("kind", ctypes.c_int), ("pointee", ctypes.c_int)]


class RawModule:
    """A source's kernels, compiled once for each set of options. names: their instances, such as "join<half, 8>"."""

    def __init__(self, code: str, options: tuple[str, ...] = (), names: tuple[str, ...] = ()) -> None:
        launchers = "".join(LAUNCHER.format(i=i, name=name) for i, name in enumerate(names))
        self.names = list(names)
        self.library = ctypes.CDLL(str(compiled(f'#include "cuda_on_cpu.h"\n{code}\n{launchers}', options)))

    def get_function(self, name: str) -> RawKernel:
        return RawKernel(self, self.names.index(name), name)


def compiled(source: str, options: tuple[str, ...]) -> Path:
    """Returns the compiled library of a source; raises RuntimeError with the compiler's messages."""
    flags = [*FLAGS, *(o for o in options if o.startswith(("-D", "-I"))), f"-I{INCLUDE}"]
    if SANITIZE:
        flags += [f"-fsanitize={SANITIZE}", "-fno-omit-frame-pointer"]
    headers = b"".join(path.read_bytes() for path in sorted(INCLUDE.iterdir()))
    key = hashlib.sha256(repr((source, flags, COMPILER)).encode() + headers).hexdigest()[:24]
    library = CACHE / f"{key}.so"
    if not library.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        text, part = CACHE / f"{key}.cpp", CACHE / f"{key}.{os.getpid()}"
        text.write_text(source)
        done = subprocess.run([COMPILER, *flags, str(text), "-o", str(part)], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{COMPILER} failed:\n{done.stderr}")
        part.rename(library)
    return library


class RawKernel:
    """A kernel that is called like CuPy's."""

    def __init__(self, module: RawModule, index: int, name: str) -> None:
        self.name = name
        self.run = getattr(module.library, f"coc_launch_{index}")
        self.run.restype = ctypes.c_char_p
        self.run.argtypes = [ctypes.c_void_p, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_int]
        wanted = (ArgInfo * 64)()
        self.wanted = wanted[: getattr(module.library, f"coc_info_{index}")(wanted)]

    def __call__(
        self, grid: tuple[int, ...], block: tuple[int, ...], args: tuple[object, ...], *, stream: object = None
    ) -> None:
        if len(args) != len(self.wanted):
            raise TypeError(f"{self.name} takes {len(self.wanted)} arguments, got {len(args)}")
        values = [
            pack(f"{self.name}: argument {i}", *pair) for i, pair in enumerate(zip(args, self.wanted, strict=True))
        ]
        pointers = (ctypes.c_void_p * len(values))(*(ctypes.addressof(v) for v in values))
        shape = (ctypes.c_uint * 6)(*(*grid, 1, 1)[:3], *(*block, 1, 1)[:3])
        error = self.run(shape, 0, pointers, int(os.environ.get("COC_THREADS", "1")))
        if error:
            raise RuntimeError(f"{self.name}: {error.decode()}")


def pack(where: str, given: object, wanted: ArgInfo) -> ctypes.Array[ctypes.c_char]:
    """Returns an argument's bytes as CuPy passes them; raises TypeError if the kernel takes another size or kind."""
    if wanted.kind == POINTER:
        if not isinstance(given, int) or isinstance(given, bool):
            raise TypeError(f"{where} must be an address, not {type(given).__name__}")
        return ctypes.create_string_buffer(np.uint64(given).tobytes(), 8)
    if isinstance(given, int | float) and not isinstance(given, np.generic):
        given = np.int64(given) if isinstance(given, int) else np.float64(given)  # what CuPy makes of them
    if isinstance(given, np.ndarray) and given.size == 1:
        given = given.reshape(())[()]
    if not isinstance(given, np.generic):
        raise TypeError(f"{where}: {type(given).__name__} passed by value")
    kind = KINDS.get(given.dtype.kind, STRUCT)
    if (
        given.dtype.itemsize != wanted.size
        or (kind == FLOAT) != (wanted.kind == FLOAT)
        or (kind == STRUCT) != (wanted.kind == STRUCT)
    ):
        raise TypeError(f"{where}: the kernel wants {wanted.size} bytes of kind {wanted.kind}, got {given.dtype}")
    return ctypes.create_string_buffer(given.tobytes(), wanted.size)
