"""The command line as a whole: help at once, version, wrong usage."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from napari_unetseg import __version__

COMMANDS = ("demo", "segment", "train", "compare", "evaluate", "models", "import", "simulate")


def test_version(run):
    result = run("--version")
    assert result.code == 0
    assert result.out.strip() == f"napari-unetseg {__version__}"


def test_python_runs_it_as_a_module():
    command = [sys.executable, "-m", "napari_unetseg", "--version"]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert told.strip() == f"napari-unetseg {__version__}"


def test_help_names_every_command(run):
    text = run("--help").out
    assert all(f"  {name} " in text for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(run, name):
    result = run(name, "--help")
    assert result.code == 0
    assert "Usage: napari-unetseg" in result.out


@pytest.mark.parametrize(
    "words",
    [(), ("nonsense",), ("segment",), ("segment", "a.tif"), ("train", "x"), ("evaluate", "--frob"), ("simulate",)],
)
def test_wrong_usage_ends_with_2(run, words):
    result = run(*words)
    assert result.code == 2
    assert result.err or not words


def test_help_loads_neither_torch_nor_numpy():
    code = (
        "import sys; sys.argv = ['napari-unetseg', '--help']\n"
        "from napari_unetseg.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert end.code in (0, None), end.code\n"
        "heavy = {'torch', 'numpy', 'zarr', 'pandas', 'matplotlib', 'skimage', 'napari'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL, timeout=60)
    assert time.monotonic() - began < 10  # 0.3 s on an idle machine


def test_main_is_a_function_without_arguments():
    import inspect

    from napari_unetseg.cli import main

    assert not inspect.signature(main).parameters
