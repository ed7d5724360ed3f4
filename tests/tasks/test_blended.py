"""Networks whose tiles are not exact: blended tiles, the same whatever memory and blocks; what cannot be is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.tasks.test_blockwise import spots
from tests.tasks.test_predict import TARGET, drain, image_of, limited, make_network, predict
from tests.tasks.test_segment import make_model

from napari_unetseg.images.blend import Blend
from napari_unetseg.images.blocks import within
from napari_unetseg.images.read import from_array, open_image
from napari_unetseg.images.results import results_of
from napari_unetseg.networks import registry
from napari_unetseg.networks.network import Network
from napari_unetseg.networks.three_axes import ThreeAxes
from napari_unetseg.networks.views import Views
from napari_unetseg.schema.card import ModelCard
from napari_unetseg.schema.config import NetworkConfig, TargetConfig, TilingConfig
from napari_unetseg.schema.decoding import DecodingConfig
from napari_unetseg.schema.errors import InputError, JobError
from napari_unetseg.schema.events import Note
from napari_unetseg.tasks import lattice as lattices
from napari_unetseg.tasks import layout, segment
from napari_unetseg.tasks.jobs import finish
from napari_unetseg.tasks.lattice import lattice_of
from napari_unetseg.tasks.layout import lay_out
from napari_unetseg.tasks.model import Model
from napari_unetseg.tasks.onto_disk import segment_onto_disk
from napari_unetseg.tasks.predict import Predictor
from napari_unetseg.tasks.ready import predictor_of
from napari_unetseg.tasks.scaled import fitting, plan_block
from napari_unetseg.tasks.segment_file import FileJob

TILED = TilingConfig(device="cpu", precision="float32", tile=32)


class Averaging(Network):
    """A network that looks at the mean of its whole input, so that tiles change what it gives."""

    divisor, halo = (4, 4), (0, 0)

    def __init__(self, config: NetworkConfig, *, share: float = 1.0) -> None:
        super().__init__(config)
        self.head, self.share = torch.nn.Conv2d(config.in_channels, config.out_channels, 1), share

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(x + self.share * x.mean(dim=(2, 3), keepdim=True))


def averaging(*, share: float = 1.0) -> Averaging:
    torch.manual_seed(0)
    return Averaging(NetworkConfig(out_channels=4, architecture="bisenet"), share=share)


def real(architecture: str = "deeplab_v3_plus") -> Network:
    """A small random network that looks at all of its input."""
    torch.manual_seed(0)
    network = registry.build(NetworkConfig(architecture=architecture, width=2))
    network.train()(torch.randn(2, 1, 64, 64))
    return network.eval()


def model_of(network: Network) -> Model:
    card = ModelCard(name="whole", network=network.config, channels=("c",), target=TargetConfig(kind="both"))
    return Model(card, network, Path("whole.safetensors"))


@pytest.mark.parametrize("tile", [None, 64])
def test_a_small_image_is_seen_at_once(tile) -> None:
    network, image = averaging(), image_of(63, 9)
    with torch.inference_mode():
        padded = np.pad(image, [(0, 0), (0, 1), (0, 3)], mode="reflect")[None]
        expected = network(torch.from_numpy(padded))[0, :3, :63, :9].softmax(dim=0)
    np.testing.assert_allclose(predict(network, image, tile=tile)[:3], expected, atol=1e-6)  # threads add up otherwise


def test_a_network_that_sees_single_pixels_is_the_same_in_tiles() -> None:
    network, image = averaging(share=0), image_of(103, 70)
    whole = predict(network, image, tile=256)
    for tile in (16, 36, 64):
        np.testing.assert_allclose(predict(network, image, tile=tile), whole, atol=1e-6)
    assert np.abs(predict(averaging(), image, tile=36) - predict(averaging(), image, tile=256)).max() > 0.01


def test_away_from_seams_an_exact_network_stays_exact() -> None:
    """Tiles of 64 begin every 56 px; the network looks at 8 px around each."""
    network, image = make_network(depth=1), image_of(150, 64)
    whole = predict(network, image, tile=256)
    assert network.halo == (8, 8)
    network.is_tile_exact = False
    found = predict(network, image, tile=64)
    far = np.ones(150, bool)
    for start in (56, 112):
        far[start - 8 : start + 16] = False  # where one of two tiles has an end within reach
    np.testing.assert_allclose(found[:, far], whole[:, far], atol=1e-6)
    assert np.abs(found - whole).max() > 1e-4


def test_dark_stays_dark_across_seams() -> None:
    """A constant image: every tile gives the same, and so does their blend."""
    found = predict(averaging(), np.full((1, 100, 90), 0.5, np.float32), tile=32)
    np.testing.assert_allclose(found, found[:, :1, :1] * np.ones((1, 100, 90)), atol=1e-6)


@pytest.mark.parametrize("pixels", [2 * 32 * 32, 32 * 32])
def test_batches_and_memory_do_not_change_the_maps(pixels) -> None:
    network, image = averaging(), image_of(100, 90)
    alone = predict(network, image, tile=32)
    predictor = Predictor(network, target=TARGET, tiling=TILED.replace(batch=4))
    np.testing.assert_allclose(drain(predictor, image), alone, atol=1e-6)
    predictor._network.forward_cropped = limited(predictor._network, pixels=pixels)
    np.testing.assert_allclose(drain(predictor, image), alone, atol=1e-6)
    assert predictor.batch == 1  # after the three of a row were too many
    for budget in (1, 10**12):
        assert predictor.plan((100, 90), budget=budget) == predictor.plan((100, 90))


def test_out_of_memory_to_the_end_asks_for_smaller_tiles() -> None:
    predictor = Predictor(averaging(), target=TARGET, tiling=TILED)
    predictor._network.forward_cropped = limited(predictor._network, pixels=1000)
    with pytest.raises(JobError, match=r"out of memory with a tile of 32 x 32 on the CPU; .*--tile"):
        drain(predictor, image_of(40, 40))


@pytest.mark.parametrize(
    ("tile", "message"), [(250, "multiple of 32, got 250; use 256"), (32, "blended over 32 px .*got 32; use 64")]
)
def test_tiles_that_do_not_fit_the_network_are_refused(tile, message) -> None:
    network = registry.build(NetworkConfig(architecture="bisenet", width=2))
    with pytest.raises(InputError, match=message):
        Predictor(network, target=TARGET, tiling=TilingConfig(tile=tile))
    assert lattice_of(network, tile=64).blend == replace(lattice_of(network).blend, edge=64, overlap=32)


@pytest.mark.parametrize("name", [name for name in registry.names() if not registry.kind_of(name).is_tile_exact])
def test_tiles_lie_on_the_grid_of_every_inexact_network(name) -> None:
    with torch.device("meta"):
        network = registry.build(NetworkConfig(architecture=name, width=2))
    looks = [network, Views(network, count=2, classes=3), ThreeAxes(network, z_step=3, classes=3)]
    for look in looks:
        blend = lattice_of(look).blend
        assert blend is not None
        assert not any(length % step for length in (blend.edge, blend.overlap) for step in look.divisor)
    assert lattice_of(looks[0]) == lattice_of(looks[1])


@pytest.mark.parametrize(("tile", "factor"), [(32, 1.0), (32, 0.63), (32, 1.7), (64, 1.0)])
def test_blocks_give_the_maps_of_the_whole(tile, factor, monkeypatch) -> None:
    """To the bit, as all tiles are the same, wherever a block begins; with tiles of 64 px in a real network."""
    monkeypatch.setattr(layout, "margin_of", lambda _model: 8)
    network, shape = averaging() if tile == 32 else real(), (round(130 / min(1, factor**2)), 97)
    model, image, tiling = model_of(network), image_of(*shape), TILED.replace(tile=tile)
    diameter = None if factor == 1 else 20
    model = replace(model, card=model.card.replace(object_diameter=20 * factor))
    predictor = fitting(Predictor(network, target=TARGET, tiling=tiling), factor=factor)
    whole = finish(predictor.predict(image))
    known = {"model": model, "channels": [0], "memory": 2**30, "diameter": diameter, "tiling": tiling}
    blocks = lay_out(from_array(image[0]), counts=(3, 1) if tile == 64 else (4, 3), **known).blocks
    assert any(block.window != tuple(slice(0, n) for n in shape) for block in blocks)
    for block in blocks:
        plan = plan_block(predictor, block, frame=shape, budget=None)
        maps = finish(predictor.predict(image[(slice(None), *block.window)], plan=plan))
        np.testing.assert_array_equal(maps, whole[(slice(None), *block.seen)])
        assert within(block.seen, block.window) == plan.inside


def bright(**options: int) -> Model:
    """A model whose cells are what is bright, said to be inexact."""
    model = make_model(**options)
    model.network.is_tile_exact = False
    return model


def file_job(model: Model, *, memory: int, resume: bool = False) -> FileJob:
    decoding = DecodingConfig(min_size=0)
    return FileJob(
        model=model, axes=None, channels=None, tiling=TILED, decoding=decoding, format="tiff", memory=memory,
        predictor=predictor_of(model, decoding=decoding, tiling=TILED), resume=resume, shard=None, cluster=None,
    )  # fmt: skip


def test_a_run_onto_disk_gives_the_labels_of_one_in_memory(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(layout, "margin_of", lambda _model: 16)
    model, image = bright(), spots(150, 101)
    source, place = from_array(image), results_of([tmp_path / "a.tif"], folder=tmp_path, format="tiff")
    job, told = file_job(model, memory=3 * 2**19), []
    run = segment_onto_disk(source, place=place[tmp_path / "a.tif"], job=job, facts={})
    while True:
        try:
            event = next(run)
        except StopIteration as end:
            objects = end.value
            break
        told += [event.message] if isinstance(event, Note) else []
    whole = finish(segment.run(source, model=model, tiling=TILED, decoding=job.decoding))
    found = np.asarray(open_image(place[tmp_path / "a.tif"].labels).reader((slice(0, 150), slice(0, 101))))
    np.testing.assert_array_equal(found, whole.labels)
    assert objects == whole.objects
    assert any("cut into" in text for text in told)
    assert any("tiles of 32 px that are blended" in text for text in told)


@pytest.mark.parametrize(("name", "edge"), [("gcn", 256), ("u2net", 256), ("u2net_lite", 256), ("deeplab_v3", 512)])
def test_networks_that_find_more_in_small_tiles_get_them_in_every_view(name, edge) -> None:
    network = real(name)
    assert lattice_of(network).blend == Blend(edge, edge // 8)
    assert lattice_of(Views(network, count=2, classes=3)).blend == Blend(edge, edge // 8)
    assert lattice_of(network, tile=1024).blend == Blend(1024, 128)


def test_three_axes_are_blended_too() -> None:
    network = ThreeAxes(averaging(), z_step=2, classes=3)
    image = image_of(40, 70, 50)
    predictor = Predictor(network, target=TARGET, tiling=TILED)
    plan = predictor.plan((40, 70, 50))
    assert len(plan.tiles) == 2 * 3 * 2
    maps = finish(predictor.predict(image, plan=plan))
    np.testing.assert_allclose(maps[:3].sum(axis=0), 1, atol=1e-5)


def test_a_run_says_that_tiles_are_blended_and_what_that_changed(monkeypatch) -> None:
    model = model_of(averaging())

    def notes(*shape: int) -> list[str]:
        run = segment.run(from_array(np.zeros(shape, np.uint16)), model=model, tiling=TILED)
        return [event.message for event in run if isinstance(event, Note) and "blended" in event.message]

    assert notes(32, 20) == []
    assert "gets tiles of 32 px that are blended" in notes(40, 20)[0]
    assert "another class" not in notes(40, 20)[0]
    monkeypatch.setattr(Averaging, "seam_error", 0.0023)
    assert notes(40, 20)[0].endswith("blended; in a test that gave 0.23 % of the pixels another class")


def test_too_little_memory_for_a_tile_names_one_that_fits() -> None:
    model = model_of(averaging())  # 8 x 16 numbers a pixel
    source = from_array(np.zeros((2000, 1500), np.uint16))
    limits = {"model": model, "channels": [0], "tiling": TilingConfig(device="cpu", precision="float32")}
    assert len(lay_out(source, memory=7 * 2**26, **limits).blocks) > 1
    with pytest.raises(InputError, match=r"a tile of 512 px .* than 128.0 MiB of memory; give --tile (\d+)") as told:
        lay_out(source, memory=2**27, **limits)
    advised = int(str(told.value).split("--tile ")[1].split(",")[0])
    assert 16 < advised < 512
    assert lay_out(source, memory=2**27, **{**limits, "tiling": limits["tiling"].replace(tile=advised)}).blocks
    with pytest.raises(InputError, match=r"more than 1\.0 MiB of memory; give more memory"):
        lay_out(source, memory=2**20, **limits)


def test_too_little_free_memory_is_told_before_a_run(monkeypatch) -> None:
    model, source = model_of(averaging()), from_array(np.zeros((600, 600), np.uint16))
    kept = 600 * 600 * 4 * (4 + 2)  # the image and its maps; objects are made when the network is done
    monkeypatch.setattr(segment, "available_memory", lambda: kept + 256 * 256 * 128 * 4)
    tiling = TilingConfig(device="cpu", precision="float32")
    with pytest.raises(InputError, match=r"a tile of 512 px .* that are free; give --tile 256"):
        finish(segment.run(source, model=model, tiling=tiling))
    finish(segment.run(source, model=model, tiling=tiling.replace(tile=256)))


def test_on_a_graphics_card_a_tile_takes_nothing_of_the_memory(monkeypatch) -> None:
    monkeypatch.setattr(lattices.devices, "choose_device", lambda _name: torch.device("cuda"))
    network, shape = averaging(), (4000, 4000)
    assert lattices.tile_bytes(network, tiling=TilingConfig(precision="float32"), tile=None, shape=shape) == 0


def test_results_remember_that_tiles_were_blended() -> None:
    exact, whole = make_model(), bright()
    assert "tiles" not in file_job(exact, memory=1).settings()
    assert file_job(whole, memory=1).settings()["tiles"] == "blended, 32 px"
