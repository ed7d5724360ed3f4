"""The pages of networks are those of the registry: `python docs/network_pages.py` writes them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from napari_unetseg.networks import registry
from napari_unetseg.networks.cost import size_of
from napari_unetseg.schema.config import NetworkConfig

DOCS = Path(__file__).parents[1] / "docs"
NAMES = registry.names()


@pytest.fixture
def pages(monkeypatch):
    monkeypatch.syspath_prepend(DOCS)
    import network_pages

    yield network_pages
    sys.modules.pop("network_pages")


def text_of(name):
    return (DOCS / "networks" / f"{name}.md").read_text("utf-8")


def test_every_network_has_a_page_and_a_small_picture_and_there_are_no_others():
    assert {path.stem for path in (DOCS / "networks").glob("*.md")} == {*NAMES, "README"}
    pictures = list((DOCS / "images" / "networks").iterdir())
    assert {path.name for path in pictures} == {f"{name}.svg" for name in NAMES}
    assert sum(path.stat().st_size for path in pictures) < 500_000


@pytest.mark.parametrize("name", NAMES)
def test_a_page_says_what_the_code_says(name, pages):
    text, kind = text_of(name), registry.kind_of(name)
    assert kind.idea
    assert kind.suits
    for part in (pages.opening(name), pages.settings(name), pages.training(name), pages.compared(name)):
        assert part in text
    for key, value in pages.plain_facts(kind).items():
        assert f"| {key} | {value} |" in text


@pytest.mark.parametrize("name", NAMES)
def test_page_and_index_tell_the_parameters_at_the_default_width(name, pages):
    count = size_of(NetworkConfig(architecture=name)).parameters
    assert f"| {pages.parameters(name)} | {count:,} |" in text_of(name)
    assert f"| [{name}]({name}.md) | {registry.kind_of(name).summary} | {count:,} |" in text_of("README")


def test_the_index_holds_the_comparison(pages):
    assert pages.comparison() in text_of("README")


def test_a_network_is_compared_failed_or_not_compared_yet(pages, monkeypatch, tmp_path):
    monkeypatch.setattr(pages, "ROWS", tmp_path / "rows.jsonl")
    assert pages.compared("unet") == f"## Compared\n\n{pages.NOT_COMPARED}"
    assert pages.comparison() == pages.NOT_COMPARED
    rows = [
        '{"network": "unet", "minutes": 10, "error": "", "AP@0.5": 0.8266, "steps": 2959, "machine": "M"}',
        '{"network": "fcn8s", "minutes": 10, "error": "too small", "machine": "M"}',
        '{"network": "segnet", "minutes": 30, "error": "", "machine": "M"}',
    ]
    pages.ROWS.write_text("\n".join(rows))
    assert "| 0.827 | - | - | 2,959 | - | - |" in pages.compared("unet")
    assert "too small" in pages.compared("fcn8s")
    assert "segnet.md" not in pages.comparison()  # another budget
    assert pages.comparison().index("unet.md") < pages.comparison().index("fcn8s.md")


@pytest.mark.parametrize(
    ("name", "levels"),
    [("unet", [0, 0, 1, 2, 3, 4, 3, 2, 1, 0, 0, 0]), ("segnet_basic", [0, 0, 1, 2, 3, 4, 3, 2, 1, 0, 0, 0])],
)
def test_the_picture_of_a_u_goes_down_and_up(name, levels, monkeypatch):
    """Image, five stages down, four up, head, logits; the skips (or the ways of places) join stages of one level."""
    monkeypatch.syspath_prepend(DOCS)
    from network_graph import graph_of

    with torch.device("meta"):
        network = registry.build(NetworkConfig(architecture=name))
    boxes = graph_of(network)
    assert [box.level for box in boxes.values()] == levels
    assert max(box.channels for box in boxes.values()) == (256 if name == "unet" else 16)
    assert [box.channels for box in boxes.values()][-3:] == [16, 4, 4]
    up = [box for box in boxes.values() if box.entries & {"up", "unpool"}]
    assert len(up) == 4
    for box in up:
        others = {box.places_of} if name == "segnet_basic" else box.sources
        assert box.level in {boxes[other].level for other in others}
