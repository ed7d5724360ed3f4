"""What the documentation points at is there: pictures, the script that makes them, menu entries, and other pages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
NETWORKS = ROOT / "docs" / "networks"
MAKERS = [
    *(ROOT / "docs" / name for name in ("screenshots.py", "network_pages.py")),
    *(ROOT / "benchmarks" / name for name in ("picture.py", "gallery.py")),
]
PICTURES = sorted(
    {
        (page.parent / target).resolve()
        for page in (*PAGES, NETWORKS / "README.md")
        for target in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", page.read_text("utf-8"))
    }
)


@pytest.mark.parametrize("picture", PICTURES, ids=lambda path: path.name)
def test_a_picture_exists_is_small_and_is_made_by_a_script(picture):
    assert picture.stat().st_size < (200_000 if picture.parent.name == "tutorial" else 1_500_000)
    assert any(f'"{picture.name}"' in maker.read_text("utf-8") for maker in MAKERS)


def test_no_picture_is_left_over():
    assert set(PICTURES) == set((ROOT / "docs" / "images").rglob("*.png"))


@pytest.mark.parametrize("page", [*PAGES, *sorted(NETWORKS.glob("*.md"))], ids=lambda path: path.name)
def test_the_pages_it_names_are_there(page):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), target


def test_the_tutorial_names_menus_as_the_manifest_does():
    """Docks, samples and commands, by what stands last in "*Plugins > U-Net segmentation > Train*"."""
    manifest = (ROOT / "napari.yaml").read_text("utf-8")
    tutorial = (ROOT / "docs" / "tutorial.md").read_text("utf-8")
    entries = re.findall(r"\*(?:Plugins|File|Layers) > [^*]+ > ([^*>]+)\*", tutorial)
    assert len(entries) >= 7
    for entry in entries:
        assert re.search(rf"(?:display_name|title): {re.escape(entry)}\n", manifest), entry


def test_the_tutorials_commands_are_commands():
    from tests.cli.test_readme import parse

    lines = re.findall(r"^napari-unetseg (.+)$", (ROOT / "docs" / "tutorial.md").read_text("utf-8"), flags=re.MULTILINE)
    assert lines
    for line in lines:
        parse(line.split())


def test_the_page_of_recipes_says_what_the_code_says(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    import recipe_page

    text = (ROOT / "docs" / "recipe.md").read_text("utf-8")
    assert text == recipe_page.page()
    assert "| `w0` | `10.0` | 0 to 1,000 | Height of the weight between two touching cells; 0 turns it off. |" in text
    assert "| `warmup` | `0.03` | 0 to 0.5 |" in text
