"""The layers hold: arrows point downwards, torch and napari stay where they belong, modules stay small."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "napari_unetseg"
MODULES = sorted(PACKAGE.rglob("*.py"))
VIEWER = ("napari", "qtpy", "magicgui", "superqt", "PyQt5", "PyQt6", "PySide6")

BLOCKER = """
import importlib, sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise AssertionError(f"{name} was imported")

sys.meta_path.insert(0, Blocker())
for name in MODULES:
    importlib.import_module(name)
"""


def run(code: str, **names: object) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter, with these names defined first."""
    lines = "".join(f"{name} = {value!r}\n" for name, value in names.items())
    return subprocess.run([sys.executable, "-c", lines + code], capture_output=True, text=True, check=False)


def dotted(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules_in(*columns: str) -> list[str]:
    return [dotted(path) for column in columns for path in sorted((PACKAGE / column).rglob("*.py"))]


def name_of(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def test_importing_the_package_loads_nothing_heavy():
    """The viewer asks every plugin's package at its start: a second spent here is a second for everybody."""
    code = "import sys, napari_unetseg; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    loaded = run(code).stdout.split()
    assert "napari_unetseg" in loaded
    assert not {"torch", "napari", "numpy", "scipy", "skimage", "pandas", "pydantic", "typer"} & set(loaded)


def test_the_numpy_columns_import_without_torch():
    modules = modules_in("schema", "images", "labels", "models")
    assert len(modules) > 10
    result = run(BLOCKER, MODULES=modules, BLOCKED=("torch", "torchvision", *VIEWER))
    assert result.returncode == 0, result.stderr


def test_the_library_imports_without_the_viewer():
    modules = [dotted(path) for path in MODULES if "widgets" not in path.parts and path.name != "__main__.py"]
    result = run(BLOCKER, MODULES=modules, BLOCKED=VIEWER)
    assert result.returncode == 0, result.stderr


def test_the_blocker_blocks():
    """Without this the two tests above could pass for the wrong reason."""
    result = run(BLOCKER, MODULES=["napari_unetseg.schema.config"], BLOCKED=("pydantic",))
    assert "pydantic was imported" in result.stderr


def test_contracts_of_the_layers_are_kept():
    if importlib.util.find_spec("importlinter") is None:
        pytest.skip("import-linter is not installed; pip install '.[dev]'")
    code = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_contracts_name_every_column():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    layers = settings["contracts"][0]["layers"]
    named = {name.strip() for layer in layers for name in layer.split("|")}
    present = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    assert present - {"widgets"} <= named


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_says_what_it_is_for(path):
    docstring = ast.get_docstring(ast.parse(path.read_text("utf-8")))
    assert docstring, f"{path} needs a docstring whose first line says what it is for"
    assert docstring.splitlines()[0].endswith((".", ":", "?", "!"))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_is_one_idea_long(path):
    assert len(path.read_text("utf-8").splitlines()) <= 300
    assert path.stem not in {"utils", "helpers", "common", "manager", "misc"}


def test_nothing_stands_unused():
    """A name that only tests use is one more thing to keep right, for nobody; Qt may call widgets."""
    kept = {"forward", "separate_touching"}  # torch calls it; what tests of the weights look at
    trees = [ast.parse(path.read_text("utf-8")) for path in MODULES]
    used = {name for tree in trees for node in ast.walk(tree) for name in names_used(node)}
    named_in_manifest = (ROOT / "napari.yaml").read_text("utf-8")
    for path, tree in zip(MODULES, trees, strict=True):
        if "widgets" not in path.parts:
            unused = [name for name in names_defined(tree) if name not in used | kept and name not in named_in_manifest]
            assert not unused, f"{path}: nothing uses {', '.join(unused)}"


def names_used(node: ast.AST) -> list[str]:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.keyword(arg=str(name)):
            return [name]
        case ast.ImportFrom(names=aliases):
            return [alias.name for alias in aliases]
    return []


def names_defined(tree: ast.Module) -> list[str]:
    """Return functions, classes, their methods and fields; what is decorated with a call (a command) is used by it."""
    definitions = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    inner = [one for node in definitions if isinstance(node, ast.ClassDef) for one in node.body]
    functions = [node for node in definitions + inner if isinstance(node, ast.FunctionDef)]
    is_called = {node.name for node in functions if any(isinstance(one, ast.Call) for one in node.decorator_list)}
    names = [node.name for node in functions] + [node.name for node in definitions if isinstance(node, ast.ClassDef)]
    names += [node.target.id for node in inner if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)]
    return [name for name in names if name not in is_called and not name.startswith("__")]
