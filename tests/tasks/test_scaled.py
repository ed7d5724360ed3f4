"""Scaled prediction: tiles and windows give the maps of the whole; sizes follow; what cannot be is refused."""

from __future__ import annotations

import numpy as np
import pytest
from tests.tasks.test_predict import TARGET, image_of, make_network
from tests.tasks.test_segment import make_model

from napari_unetseg.images.blocks import cut, within
from napari_unetseg.images.large import frame_bytes
from napari_unetseg.images.read import from_array
from napari_unetseg.schema.config import TilingConfig
from napari_unetseg.schema.decoding import DecodingConfig
from napari_unetseg.schema.errors import InputError
from napari_unetseg.schema.events import LabelsPart, Note
from napari_unetseg.tasks import segment
from napari_unetseg.tasks.jobs import finish
from napari_unetseg.tasks.model import Model
from napari_unetseg.tasks.predict import Predictor
from napari_unetseg.tasks.scaled import ScaledPredictor, factor_of, lattice_in, plan_block, sized


def model_of(diameter: float | None, **options: int) -> Model:
    model = make_model(**options)
    return Model(model.card.replace(object_diameter=diameter), model.network, model.path)


def predictor_of(network, *, factor: float, tile: int | None = 16) -> ScaledPredictor:
    tiling = TilingConfig(device="cpu", precision="float32", tile=tile)
    return ScaledPredictor(Predictor(network, target=TARGET, tiling=tiling), factor=factor)


@pytest.mark.parametrize("factor", [0.2, 0.63, 1.9])
def test_tiles_give_the_maps_of_the_whole(factor: float) -> None:
    network, image = make_network(), image_of(73, 51)
    whole = finish(predictor_of(network, factor=factor, tile=512).predict(image))
    found = finish(predictor_of(network, factor=factor).predict(image))
    assert found.shape == (4, 73, 51)
    np.testing.assert_allclose(found, whole, atol=1e-6)
    np.testing.assert_allclose(found[:3].sum(axis=0), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("factor", "shape"),
    [(0.3, (160, 133)), (0.63, (90, 73)), (1.9, (40, 33)), (0.63, (28, 23, 26)), (1.6, (14, 9, 12))],
)
def test_blocks_give_the_maps_of_the_whole(factor: float, shape: tuple[int, ...]) -> None:
    network, image = make_network(ndim=len(shape), depth=1), image_of(*shape)
    predictor = predictor_of(network, factor=factor, tile=None)
    whole = finish(predictor.predict(image))
    lattice = lattice_in(predictor.lattice, factor=factor)
    blocks = cut(shape, counts=(3,) * len(shape), margin=(4,) * len(shape), lattice=lattice)
    assert any(block.window != block.seen for block in blocks)
    for block in blocks:
        plan = plan_block(predictor, block, frame=shape, budget=None)
        maps = finish(predictor.predict(image[(slice(None), *block.window)], plan=plan))
        np.testing.assert_allclose(maps, whole[(slice(None), *block.seen)], atol=1e-6)
        assert within(block.seen, block.window) == plan.inside


@pytest.mark.parametrize("factor", [0.3, 2.2])
def test_tiles_fill_the_maps_as_they_are_done(factor: float) -> None:
    """Each event leaves what its tiles show as it stays, and the tiles' parts cover all without overlap."""
    network, image = make_network(), image_of(90, 70)
    predictor = predictor_of(network, factor=factor)
    whole = finish(predictor.predict(image))
    plan, maps = predictor.plan((90, 70)), np.full((4, 90, 70), np.nan, np.float32)
    assert len(plan.tiles) > 3
    for event in predictor.predict(image, plan=plan, out=maps):
        for tile in plan.tiles[: event.done]:
            where = (slice(None), *plan.target(tile))
            np.testing.assert_array_equal(maps[where], whole[where])
    assert np.isfinite(maps).all()
    pixels = [np.zeros((90, 70))[plan.target(tile)].size for tile in plan.tiles]
    assert sum(pixels) == 90 * 70


def squares(edge: int) -> np.ndarray:
    """Four bright squares of `edge` pixels in a row of fields three times as wide."""
    field = np.full((3 * edge, 3 * edge), 100, np.uint16)
    field[edge : 2 * edge, edge : 2 * edge] = 1000
    return np.tile(field, (1, 4))


@pytest.mark.parametrize("edge", [5, 40])
def test_objects_of_another_size_are_found_and_keep_their_places(edge: int) -> None:
    found = segment.segment(squares(edge), model=model_of(12), diameter=edge)
    assert len(np.unique(found)) == 5
    assert np.mean((found > 0) != (squares(edge) > 500)) < 0.001  # corners


def test_within_a_quarter_nothing_is_scaled() -> None:
    rng = np.random.default_rng(0)
    image, model = rng.integers(0, 1000, (50, 60)).astype(np.uint16), model_of(20)
    np.testing.assert_array_equal(segment.segment(image, model=model, diameter=24), segment.segment(image, model=model))
    assert (
        factor_of(model.card, diameter=25) == factor_of(model.card, diameter=16) == factor_of(model.card, diameter=None)
    )


def test_sizes_of_the_model_follow_and_those_of_a_person_stay() -> None:
    card = model_of(20).card.replace(decoding=DecodingConfig(min_size=12, min_seed=4))
    network = make_network()
    found = sized(card.decoding.replace(diameter=80), card=card, network=network)
    assert (found.min_size, found.min_seed) == (192, 64)
    assert sized(found, card=card, network=network) == found
    own = sized(card.decoding.replace(diameter=80, min_size=50), card=card, network=network)
    assert (own.min_size, own.min_seed) == (50, 64)
    assert sized(card.decoding, card=card, network=network) == card.decoding


def test_a_run_says_what_is_scaled_and_shows_tiles() -> None:
    job = segment.run(
        from_array(squares(40)),
        model=model_of(12),
        decoding=DecodingConfig(diameter=40, min_size=0),
        tiling=TilingConfig(tile=16, precision="float32"),
        preview=True,
    )
    events = list(job)
    assert any("40 px wide: the image is shrunk to 0.3" in one.message for one in events if isinstance(one, Note))
    parts = [one for one in events if isinstance(one, LabelsPart)]
    assert sum(not one.is_final for one in parts) > 2
    assert parts[-1].labels.max() == 4


@pytest.mark.parametrize("diameter", [0, -3, float("nan"), float("inf"), "large"])
def test_what_is_no_diameter_is_refused(diameter: object) -> None:
    with pytest.raises(InputError, match="above 0"):
        segment.segment(squares(5), model=model_of(12), diameter=diameter)


@pytest.mark.parametrize("diameter", [np.float32(40), np.int64(40), np.float64(40)])
def test_a_diameter_may_be_a_number_of_numpy(diameter: float) -> None:
    assert DecodingConfig(diameter=diameter).diameter == 40.0
    assert segment.segment(squares(40), model=model_of(12), diameter=diameter).max() == 4


def test_an_enlarged_image_that_does_not_fit_into_memory_says_how_it_would(monkeypatch: pytest.MonkeyPatch) -> None:
    image, model = squares(5), model_of(15)
    needed = frame_bytes(image.shape, channels=1, maps=model.card.target.out_channels)
    monkeypatch.setattr(segment, "available_memory", lambda: needed)
    assert segment.segment(image, model=model).max() == 4
    with pytest.raises(InputError, match=r"plane enlarged to 3 .* or do not scale it \(--diameter none\)"):
        segment.segment(image, model=model, diameter=5)


@pytest.mark.parametrize("diameter", [2, 200])
def test_a_factor_beyond_reason_is_refused(diameter: float) -> None:
    with pytest.raises(InputError, match="from 3 to 96"):
        segment.segment(squares(5), model=model_of(12), diameter=diameter)


def test_a_model_that_knows_no_size_cannot_be_scaled() -> None:
    with pytest.raises(InputError, match="does not know how large"):
        segment.segment(squares(5), model=model_of(None), diameter=30)
    assert segment.segment(squares(5), model=model_of(None), diameter="auto").max() == 4
