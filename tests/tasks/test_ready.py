"""Maps averaged over views: the mean that numpy makes of them, and the same whatever the tile."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.tasks.test_predict import drain, image_of, limited, make_network, predict

from napari_unetseg.networks.network import Network
from napari_unetseg.schema.card import ModelCard
from napari_unetseg.schema.config import TargetConfig, TilingConfig
from napari_unetseg.schema.decoding import DecodingConfig
from napari_unetseg.schema.errors import JobError
from napari_unetseg.tasks.model import Model
from napari_unetseg.tasks.predict import Predictor
from napari_unetseg.tasks.ready import predictor_of


def ready(network: Network, *, views: int, **tiling: object) -> Predictor:
    card = ModelCard(name="random", network=network.config, target=TargetConfig(kind="both"))
    settings = TilingConfig.model_validate({"device": "cpu", "precision": "float32", **tiling})
    decoding = DecodingConfig.model_validate({"views": views})
    return predictor_of(Model(card, network, Path("random.safetensors")), decoding=decoding, tiling=settings)


def by_hand(network: Network, image: np.ndarray, *, views: int) -> np.ndarray:
    """The mean of the maps of turned and mirrored copies of the image, each turned back."""
    kinds = {
        2: ((0, False), (0, True)),
        4: ((0, False), (0, True), (2, False), (2, True)),
        8: [(turns, is_mirrored) for turns in range(4) for is_mirrored in (False, True)],
    }
    maps = []
    for turns, is_mirrored in kinds[views]:
        view = np.rot90(image, turns, axes=(-2, -1))
        found = predict(network, np.ascontiguousarray(view[..., ::-1] if is_mirrored else view))
        maps.append(np.rot90(found[..., ::-1] if is_mirrored else found, -turns, axes=(-2, -1)))
    return np.mean(maps, axis=0)


@pytest.mark.parametrize("views", [2, 4, 8])
def test_the_mean_of_the_maps_of_all_views(views: int) -> None:
    network, image = make_network(), image_of(48, 64)
    found = drain(ready(network, views=views), image)
    np.testing.assert_allclose(found, by_hand(network, image, views=views), atol=1e-6)
    assert np.abs(found - predict(network, image)).max() > 1e-3


@pytest.mark.parametrize("views", [2, 4, 8])
@pytest.mark.parametrize("tile", [16, 48])
def test_tiled_equals_untiled_with_views(views: int, tile: int) -> None:
    network, image = make_network(), image_of(103, 71)
    whole = drain(ready(network, views=views, tile=256), image)
    np.testing.assert_allclose(drain(ready(network, views=views, tile=tile, batch=3), image), whole, atol=1e-6)


def test_tiled_equals_untiled_with_views_of_a_volume_and_of_the_unpadded_network() -> None:
    for network, image in (
        (make_network(ndim=3, flat_levels=1), image_of(21, 45, 38)),
        (make_network(padding="valid", norm="none"), image_of(75, 90)),
    ):
        whole = drain(ready(network, views=8, tile=256), image)
        np.testing.assert_allclose(drain(ready(network, views=8, tile=32), image), whole, atol=1e-6)


def test_out_of_memory_gives_the_same_mean() -> None:
    network, image = make_network(), image_of(100, 130)
    whole = drain(ready(network, views=8, tile=256), image)
    predictor = ready(network, views=8, tile=64, batch=4)
    predictor._network.forward_cropped = limited(predictor._network, pixels=6000)
    np.testing.assert_allclose(drain(predictor, image), whole, atol=1e-6)


def test_half_precision_is_near() -> None:
    network, image = make_network(), image_of(64, 64)
    found = drain(ready(network, views=4, precision="bfloat16"), image)
    np.testing.assert_allclose(found, drain(ready(network, views=4), image), atol=0.03)


def test_numbers_that_are_not_finite_are_still_found() -> None:
    network = make_network()
    with torch.no_grad():
        network.head.bias.fill_(float("nan"))
    with pytest.raises(JobError, match="not finite"):
        drain(ready(network, views=2), image_of(16, 16))
