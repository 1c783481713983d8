"""Who may import whom: downwards only, and each foreign library behind one door."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "vsduf"

# From top to bottom. A layer may import those below it and its own modules; what is not named here may stand anywhere
# that makes no module reach upwards.
LAYERS = [
    ("vsduf.cli",),
    ("vsduf.video", "vsduf.training"),
    ("vsduf.plugin",),
    ("vsduf.render", "vsduf.colour", "vsduf.alpha"),
    ("vsduf.engine",),
    ("vsduf.network", "vsduf.ops", "vsduf.weights"),
    ("vsduf.cuda",),
    ("vsduf.upscaler", "vsduf.window", "vsduf.errors"),
]
DOORS = {"ffmpeg": {"vsduf.video", "vsduf.pipe"}, "cupy": {"vsduf.cuda"}, "h5py": {"vsduf.foreign"}}


def name_of(path):
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


MODULES = {name_of(path): path for path in PACKAGE.rglob("*.py") if "native" not in path.parts}


def imports(path):
    """Every module that a file imports, anywhere in it; `from vsduf import x` counts as vsduf.x."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            below = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in MODULES else node.module for name in below)


GRAPH = {name: {m for m in imports(path) if m in MODULES and m != "vsduf"} for name, path in MODULES.items()}


def reach(name):
    """All modules that a module leads to."""
    found, todo = set(), [name]
    while todo:
        new = GRAPH[todo.pop()] - found
        found |= new
        todo += new
    return found


def layer_of(name):
    return next((i for i, layer in enumerate(LAYERS) if any(f"{name}.".startswith(f"{m}.") for m in layer)), None)


@pytest.mark.parametrize("name", sorted(GRAPH))
def test_imports_point_downwards(name):
    own = layer_of(name)
    if own is not None:
        assert [m for m in reach(name) if (layer_of(m) or own) < own or layer_of(m) == 0 < own] == []


def test_there_are_no_circles():
    assert [name for name in GRAPH if name in reach(name)] == []


def test_no_relative_imports():
    for path in MODULES.values():
        assert not any(isinstance(n, ast.ImportFrom) and n.level for n in ast.walk(ast.parse(path.read_text())))


@pytest.mark.parametrize("library", DOORS)
def test_a_library_has_its_door(library):
    users = {name for name, path in MODULES.items() if library in {m.partition(".")[0] for m in imports(path)}}
    assert users <= DOORS[library]


def test_importing_vsduf_loads_no_torch_and_no_cupy():
    script = "import vsduf, sys; print(sorted({'torch', 'cupy', 'ffmpeg', 'h5py'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout == "[]\n"
