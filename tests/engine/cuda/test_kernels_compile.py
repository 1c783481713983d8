"""Every kernel compiles for every architecture as CuPy would compile it, and none spills registers. Needs no GPU."""

import re
import warnings

import pytest
from cuda_on_cpu.instances import NAMES

from vsduf.engine.cuda import launchers

nvrtc = pytest.importorskip("cuda.bindings.nvrtc", reason="NVRTC's Python bindings are not installed")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    core = pytest.importorskip("cupy._core.core", reason="CuPy is not installed")

ARCHITECTURES = [75, 80, 86, 89, 90, 100, 120]
REPORT = re.compile(
    r"Compiling entry function '(\S+)'.*?(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads"
    r".*?Used (\d+) registers(?:.*?(\d+) bytes smem)?",
    re.S,
)


def ok(answer):
    status, *values = answer
    assert not status, status
    return values[0] if len(values) == 1 else None


def instances(name, architecture):
    """All instances for one architecture; of dynamic_filter's 24 only those that differ most for the others."""
    return [
        n
        for n in NAMES[name]
        if name != "dynamic_filter" or architecture == 90 or "unsigned char" in n or "float, float, 4" in n
    ]


def compiled(name, architecture):
    """The compiler's log for a file's instances; fails with it if there is no code."""
    source = (launchers.folder() / f"{name}.cu").read_text()
    options = core.assemble_cupy_compiler_options(launchers.options())
    options += (f"-arch=sm_{architecture}", "--ptxas-options=-v", "-ftz=true", "--device-as-default-execution-space")
    program = ok(nvrtc.nvrtcCreateProgram(source.encode(), f"{name}.cu".encode(), 0, None, None))
    for instance in instances(name, architecture):
        ok(nvrtc.nvrtcAddNameExpression(program, instance.encode()))
    (status,) = nvrtc.nvrtcCompileProgram(program, len(options), [o.encode() for o in options])
    log = b" " * ok(nvrtc.nvrtcGetProgramLogSize(program))
    ok(nvrtc.nvrtcGetProgramLog(program, log))
    ok(nvrtc.nvrtcDestroyProgram(program))
    assert not status, log.decode()
    return log.decode()


def reports(log):
    """(stack, spilled bytes, registers, shared memory) of every kernel in a log."""
    for part in re.split(r"(?=ptxas info\s*: Compiling entry)", log):
        if found := REPORT.search(part):
            _, stack, stores, loads, registers, shared = found.groups()
            yield int(stack), int(stores) + int(loads), int(registers), int(shared or 0)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("name", NAMES)
def test_compiles_without_spills(name, architecture):
    found = list(reports(compiled(name, architecture)))
    assert len(found) == len(instances(name, architecture))
    for stack, spilled, registers, shared in found:
        assert stack == spilled == 0
        assert registers <= (96 if name == "dynamic_filter" else 64)
        assert shared <= 48 << 10


def test_every_kernel_is_compiled_here():
    assert {path.stem for path in launchers.folder().glob("*.cu")} == set(NAMES)
