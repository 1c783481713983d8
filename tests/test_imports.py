"""The import rule: which rooms and libraries each module of the package may import."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "vsduf"

ROOMS = {  # room: the rooms that it may import besides the root modules and itself
    "network": set(),
    "film": set(),
    "engine": {"network"},
    "evaluation": {"network"},
    "filter": {"engine", "network"},
    "degradations": {"evaluation", "film"},
    "analysis": {"film"},
    "preview": set(),
    "cluster": {"film"},
    "training": {"degradations", "evaluation", "film", "network"},
    "bench": {"filter", "engine", "network", "evaluation"},
    "cli": {
        "filter",
        "engine",
        "network",
        "film",
        "evaluation",
        "training",
        "bench",
        "degradations",
        "analysis",
        "preview",
        "cluster",
    },
}
ROOT = {"__init__", "__main__", "cgroups", "cuts", "errors", "matrix", "output", "siting", "system", "upscaler"}
ROOT_IMPORTS = {"__init__": {"filter", "network"}, "__main__": {"cli"}}  # of the other root modules: no room

INSIDE = {  # parts of a room, and the modules outside them that may import them
    "vsduf.engine.cpu": {"vsduf.engine.engine"},
    "vsduf.engine.cuda": {"vsduf.engine.engine"},
    "vsduf.engine.torch": {"vsduf.engine.engine"},
}
DOORS = {  # library: the rooms or modules that may import it
    "torch": {
        "network.duf", "network.dynamic_upsample", "network.onnx_export", "network.conventions", "network.weights",
        "engine.cuda", "engine.torch", "engine.torch_devices", "engine.scratch", "engine.device", "evaluation",
        "degradations", "training", "bench", "cli.bench", "cli.train",
    },
    "vapoursynth": {
        "filter", "film", "analysis", "preview", "bench", "cluster", "cli.preview", "cli.upscale", "engine.cpu.library",
    },
    "cupy": {"engine.cuda.runtime"},
    "ffmpeg": {"film.command"},
    "imageio_ffmpeg": {"film.probe"},
    "h5py": {"network.conventions"},
    "matplotlib": {"evaluation.figures", "training.curves", "bench.report"},
    "onnx": {"network.onnx_export"},
    "PIL": {"film.arrays", "preview.page"},
    "platformdirs": {"film.source"},
    "ray": {"cluster.workers"},
    "rich": {"cli.table", "cli.terminal"},
    "psutil": {"system"},
    "safetensors": {"network.header", "network.weights"},
    "filelock": {"film.output", "training.run_folder"},
    "vskernels": {"filter.jetpack"},
    "vsscale": {"filter.jetpack"},
    "vsutil": {"filter"},
}  # fmt: skip
LAZY = {("filter", "engine"), ("filter", "network")}  # imported inside functions only: a refusal need not wait for them


def name_of(path):
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


MODULES = {name_of(path): path for path in PACKAGE.rglob("*.py") if "native" not in path.parts}


def room_of(name):
    """Returns a module's room: its first folder, or "" for a root module."""
    return (
        name.split(".")[1] if name.count(".") > 1 or (MODULES[name].name == "__init__.py" and name != "vsduf") else ""
    )


def imports(path):
    """Yields each module that a file imports, and whether at the top level; `import_module` counts too.

    `from vsduf import x` is an import of vsduf.x if that is a module.
    """
    tree = ast.parse(path.read_text())
    top = {id(node) for node in tree.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) in top
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                below = f"{node.module}.{alias.name}"
                yield below if below in MODULES else node.module, id(node) in top
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "import_module":
            yield from ((name, False) for name in constants(node.args[0]))


def constants(argument):
    """Returns the modules that `import_module(argument)` can load: for an f-string, all that begin as it does."""
    if isinstance(argument, ast.Constant):
        return [argument.value]
    assert isinstance(argument, ast.JoinedStr), f"import_module is called with {ast.unparse(argument)}"
    start = argument.values[0].value
    return [
        name for name in MODULES if name.startswith(start) and not name.endswith((".main", ".options", ".terminal"))
    ]


GRAPH = {name: list(imports(path)) for name, path in MODULES.items()}
OURS = {name: {m for m, _ in found if m in MODULES and m != "vsduf"} for name, found in GRAPH.items()}


def reach(name):
    """Returns all modules that a module imports, directly and indirectly."""
    found, todo = set(), [name]
    while todo:
        new = OURS[todo.pop()] - found
        found |= new
        todo += new
    return found


def test_every_module_has_a_room():
    assert {room_of(name) for name in MODULES} - {""} == set(ROOMS)
    assert {name.removeprefix("vsduf.") for name in MODULES if not room_of(name)} - {"vsduf"} == ROOT - {"__init__"}


@pytest.mark.parametrize("name", sorted(MODULES))
def test_a_module_imports_only_what_its_room_may(name):
    room = room_of(name)
    own = name.removeprefix("vsduf.") if name != "vsduf" else "__init__"
    allowed = ROOMS[room] | {room, ""} if room else ROOT_IMPORTS.get(own, set()) | {""}
    assert {m for m in OURS[name] if room_of(m) not in allowed} == set()


@pytest.mark.parametrize("wall", INSIDE)
def test_parts_of_the_engine_are_imported_by_few(wall):
    inside = [name for name in MODULES if name == wall or name.startswith(f"{wall}.")]
    users = {name for name in MODULES if name not in inside and OURS[name] & set(inside)}
    assert users <= INSIDE[wall]


@pytest.mark.parametrize("name", sorted(MODULES))
def test_the_filter_imports_engine_and_network_inside_functions(name):
    top = {m for m, at_top in GRAPH[name] if at_top and m in MODULES}
    assert {m for m in top if (room_of(name), room_of(m)) in LAZY} == set()


def test_there_are_no_circles():
    faces = {
        name for name, path in MODULES.items() if path.name == "__init__.py"
    }  # an __init__ imports the modules behind it
    assert [name for name in OURS if name not in faces and name in reach(name)] == []


def test_no_relative_imports():
    for path in MODULES.values():
        assert not any(isinstance(n, ast.ImportFrom) and n.level for n in ast.walk(ast.parse(path.read_text())))


@pytest.mark.parametrize("library", DOORS)
def test_a_library_is_imported_only_by_its_users(library):
    users = {
        name.removeprefix("vsduf.")
        for name, found in GRAPH.items()
        if library in {m.partition(".")[0] for m, _ in found}
    }
    assert {u for u in users if not any(f"{u}.".startswith(f"{door}.") for door in DOORS[library])} == set()


def test_importing_vsduf_loads_vapoursynth_numpy_and_vsutil_alone():
    """So `import vsduf` takes hardly longer than importing these three: no torch, no CuPy, no matplotlib."""
    script = (
        "import vapoursynth, numpy, vsutil, sys; before = set(sys.modules); import vsduf\n"
        "roots = lambda names: {name.partition('.')[0] for name in names}\n"
        "print(roots(sys.modules) - roots(before) - sys.stdlib_module_names)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "{'vsduf'}\n"


def test_the_cpu_makes_frames_without_torch():
    """`import torch` takes three times as long as all else up to the first frame, and 500 MB."""
    script = (
        "import sys, vapoursynth as vs; clip = vs.core.std.BlankClip(format=vs.RGB24, width=16, height=16, length=2)\n"
        "vs.core.duf.Upscale(clip, device='cpu').get_frame(0); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_packages_have_the_names_of_their_all():
    script = (
        "import importlib\n"
        "for name in ('vsduf', 'vsduf.filter', 'vsduf.network', 'vsduf.engine', 'vsduf.film', 'vsduf.training'):\n"
        "    face = importlib.import_module(name)\n"
        "    assert face.__all__ and all(getattr(face, n) is not None for n in face.__all__), name\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_python_m_vsduf_runs_the_program():
    done = subprocess.run([sys.executable, "-m", "vsduf", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("vsduf ")
