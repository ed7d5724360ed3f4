"""A command line run in this process, images of bright squares, and a network made by hand that outlines them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from typer.testing import CliRunner

SQUARES = ((8, 8), (8, 40), (36, 10), (38, 42))  # upper left corners in a 64 x 64 image; the edge is 14
EDGE = 14


@dataclass(frozen=True)
class Run:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object on stdout; fails if there is anything else."""
        value = json.loads(self.out)
        assert isinstance(value, dict)
        return value


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    """Run a command in an empty folder, with an empty library of models."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UNETSEG_MODELS", str(tmp_path / ".models"))

    def call(*words: object) -> Run:
        from napari_unetseg.cli.app import app

        result = CliRunner().invoke(app, [str(word) for word in words], prog_name="napari-unetseg")
        return Run(result.exit_code, result.stdout, result.stderr)

    return call


def squares(count: int = len(SQUARES)) -> tuple[np.ndarray, np.ndarray]:
    """Return an image (uint16) with `count` bright squares, and their labels.

    ....11..22....
    ..............
    ....33..44....
    """
    image, labels = np.full((64, 64), 100, np.uint16), np.zeros((64, 64), np.uint32)
    for number, (y, x) in enumerate(SQUARES[:count], start=1):
        image[y : y + EDGE, x : x + EDGE] = 1000
        labels[y : y + EDGE, x : x + EDGE] = number
    return image, labels


@pytest.fixture
def draw() -> Callable[[int], tuple[np.ndarray, np.ndarray]]:
    """Give the function that draws squares."""
    return squares


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Give a folder with a.tif (4 squares), b.tif (2) and c.tif (1)."""
    folder = tmp_path / "images"
    folder.mkdir()
    for name, count in (("a", 4), ("b", 2), ("c", 1)):
        tifffile.imwrite(folder / f"{name}.tif", squares(count)[0])
    return folder


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    """Give a folder with the labels of `images`."""
    folder = tmp_path / "truth"
    folder.mkdir()
    for name, count in (("a", 4), ("b", 2), ("c", 1)):
        tifffile.imwrite(folder / f"{name}.tif", squares(count)[1])
    return folder


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a model file whose network passes the pixel on and calls it foreground above half of the stretched range."""
    from napari_unetseg.models.file import save
    from napari_unetseg.networks import registry
    from napari_unetseg.schema.card import ModelCard
    from napari_unetseg.schema.config import NetworkConfig, TargetConfig

    config = NetworkConfig(width=4, depth=2, out_channels=3)
    weights = {name: value.numpy() for name, value in registry.build(config).state_dict().items()}
    weights = {name: np.zeros_like(value) if value.ndim == 4 else value for name, value in weights.items()}
    for name in ("encoder.0.0", "encoder.0.3", "decoder.0.0", "decoder.0.3"):
        weights[f"{name}.weight"][0, 0, 1, 1] = 1  # the skip of level 0 comes first in the decoder's input
    weights["head.weight"][:, 0, 0, 0] = (-20, 20, 0)
    weights["head.bias"][:] = (10, -10, -50)
    card = ModelCard(name="threshold", network=config, target=TargetConfig(kind="boundary"))
    path = tmp_path_factory.mktemp("model") / "threshold.safetensors"
    save(path, card=card, weights={name: value for name, value in weights.items() if value.dtype.kind == "f"})
    return path
