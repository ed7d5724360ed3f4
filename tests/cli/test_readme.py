"""The README's commands are commands: each is parsed as it would be typed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

from napari_unetseg.cli.app import app

README = Path(__file__).parents[2] / "README.md"
LINES = [
    line
    for block in re.findall(r"```sh\n(.*?)```", README.read_text("utf-8"), flags=re.DOTALL)
    for line in block.splitlines()
]
MODULE = "-m napari_unetseg "  # how torchrun is told what to start
COMMANDS = [line for line in LINES if line.startswith("napari-unetseg")]
COMMANDS += [f"napari-unetseg {line.split(MODULE)[1]}" for line in LINES if MODULE in line]


def parse(words: list[str]) -> None:
    """Parse a command line as far as its options, without running it."""
    command = typer.main.get_command(app)
    context = command.make_context("napari-unetseg", list(words), resilient_parsing=False)
    while hasattr(command, "commands"):
        name, *words = words
        command = command.commands[name]
        context = command.make_context(name, list(words), parent=context)


@pytest.mark.parametrize("line", COMMANDS)
def test_the_line_parses(line):
    parse(shlex.split(line)[1:])


def test_every_command_is_shown():
    text = "\n".join(COMMANDS)
    for name in ("segment", "train", "compare", "evaluate", "import", "simulate", "models list"):
        assert f"napari-unetseg {name}" in text
    assert any("napari-unetseg demo" in line for line in LINES)


def test_a_wrong_line_would_be_noticed():
    with pytest.raises(Exception, match=r"(?i)no such option"):
        parse(["segment", "a.tif", "-o", "out", "--nonsense"])


def test_the_recipe_shown_is_a_recipe():
    import tomllib

    from napari_unetseg.cli.settings import make_recipe

    for block in re.findall(r"```toml\n(.*?)```", README.read_text("utf-8"), flags=re.DOTALL):
        make_recipe([tomllib.loads(block)], where="README.md")


def test_the_files_it_names_are_there():
    for target in re.findall(r"\]\(([^)#:]+)\)", README.read_text("utf-8")):
        if target.endswith(".png"):
            continue  # made by benchmarks/picture.py
        assert (README.parent / target).exists(), target


def test_the_python_block_runs(tmp_path, monkeypatch):
    from napari_unetseg.images.simulate import simulate

    (block,) = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), flags=re.DOTALL)
    assert "minutes=10" in block
    monkeypatch.chdir(tmp_path)
    image, truth = simulate((64, 64), seed=1)
    names = {"image": image, "truth": truth}
    exec(block.replace("minutes=10", "steps=1, network=dict(width=2, depth=2)"), names)
    assert names["labels"].shape == (64, 64)
    assert 0 <= names["scores"]["mean_ap"] <= 1
    assert names["card"].name == "mine"
