"""A 2D model on volumes: whole cells in 3D, the same in tiles, and clear words where that makes no sense."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tifffile
from scipy import ndimage
from tests.tasks.test_predict import drain, image_of, make_network
from tests.tasks.test_segment import make_model, stack

from napari_unetseg.images.read import from_array
from napari_unetseg.networks.three_axes import ThreeAxes
from napari_unetseg.schema.config import TargetConfig, TilingConfig
from napari_unetseg.schema.decoding import DecodingConfig
from napari_unetseg.schema.errors import InputError
from napari_unetseg.schema.events import Note
from napari_unetseg.tasks.batch import segment_files
from napari_unetseg.tasks.jobs import finish
from napari_unetseg.tasks.predict import Predictor
from napari_unetseg.tasks.scaled import sized
from napari_unetseg.tasks.segment import run, segment
from napari_unetseg.tasks.volumes import model_for

THREE = DecodingConfig(min_size=0, three_axes=True)


def test_cells_of_a_stack_are_whole_in_3d() -> None:
    image = stack(6, 20, 24)
    expected = ndimage.label(image > 500)[0]
    np.testing.assert_array_equal(segment(image, model=make_model(), axes="ZYX", decoding=THREE), expected)
    movie = segment(np.stack([image, image]), model=make_model(), axes="TZYX", decoding=THREE)
    np.testing.assert_array_equal(movie > 0, np.stack([expected, expected]) > 0)


@pytest.mark.parametrize("step", [1, 2, 3])
@pytest.mark.parametrize("tile", [16, 32])
def test_tiled_equals_untiled(step: int, tile: int) -> None:
    network, image = ThreeAxes(make_network(), z_step=step, classes=3), image_of(13, 37, 26)

    def predict(edge: int) -> np.ndarray:
        tiling = TilingConfig(device="cpu", precision="float32", tile=edge)
        return drain(Predictor(network, target=TargetConfig(kind="both"), tiling=tiling), image)

    whole = predict(256)
    assert np.ptp(whole[1]) > 0.02  # or there would be nothing to compare
    np.testing.assert_allclose(predict(tile), whole, atol=1e-6)


def test_half_precision_is_near() -> None:
    network, image = ThreeAxes(make_network(), z_step=2, classes=3), image_of(16, 32, 32)
    near, exact = (
        drain(
            Predictor(
                network, target=TargetConfig(kind="both"), tiling=TilingConfig(device="cpu", precision=precision)
            ),
            image,
        )
        for precision in ("bfloat16", "float32")
    )
    np.testing.assert_allclose(near, exact, atol=0.03)


def test_the_distance_of_planes_comes_from_the_voxel_size_unless_it_is_given() -> None:
    def step_of(scale: dict[str, float], **changes: object) -> int:
        source = from_array(np.zeros((4, 8, 8)), axes="ZYX", scale=scale)
        network = model_for(source, model=make_model(), decoding=THREE.replace(**changes)).network
        assert isinstance(network, ThreeAxes)
        return network.z_step

    assert step_of({"Z": 0.28, "Y": 0.13, "X": 0.13}) == 2
    assert step_of({"Z": 0.28, "Y": 0.13, "X": 0.13}, z_step=3) == 3
    assert step_of({"Z": 0.1, "Y": 0.4, "X": 0.4}) == 1
    assert step_of({"Z": 1e6, "Y": 0.1, "X": 0.1}) == 64
    assert step_of({"Y": 0.1, "X": 0.1}) == step_of({}) == 1


def test_a_model_is_made_one_for_volumes_once_and_the_first_stays_as_it_was() -> None:
    source, model = from_array(np.zeros((4, 8, 8)), axes="ZYX"), make_model()
    made = model_for(source, model=model, decoding=THREE)
    assert (made.card.network.ndim, made.card.axes, model.card.network.ndim) == (3, "ZYX", 2)
    assert model_for(source, model=made, decoding=THREE) is made
    assert model_for(source, model=model, decoding=DecodingConfig()) is model


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(InputError, match="is a 3D model"):
        segment(stack(3, 20, 24), model=make_model(ndim=3), axes="ZYX", decoding=THREE)
    with pytest.raises(InputError, match="no Z axis"):
        segment(stack(20, 24), model=make_model(), decoding=THREE)
    with pytest.raises(InputError, match="is for --three-axes"):
        segment(stack(3, 20, 24), model=make_model(), axes="ZYX", decoding=DecodingConfig(z_step=2))
    own = make_model()
    own = replace(own, card=own.card.replace(decoding=THREE.replace(z_step=2)))
    segment(stack(3, 20, 24), model=own, axes="ZYX", decoding=own.card.decoding.replace(three_axes=False))
    with pytest.raises(ValueError, match="exclude each other"):
        THREE.replace(link_slices=True)


@pytest.mark.parametrize(("step", "voxels"), [(1, (524, 65)), (2, (262, 33))])
def test_sizes_of_a_2d_model_become_those_of_balls(step: int, voxels: tuple[int, int]) -> None:
    """Discs of 10 and 5 px in diameter: balls of that diameter have 524 and 65 cubes, half as many twice as high."""
    source, model = from_array(np.zeros((4, 8, 8)), axes="ZYX"), make_model()
    own = DecodingConfig(min_size=79, min_seed=20)
    model = replace(model, card=model.card.replace(decoding=own, object_diameter=20))
    three = own.replace(three_axes=True, z_step=step)
    card, network = (made := model_for(source, model=model, decoding=three)).card, made.network
    found = sized(three, card=card, network=network)
    np.testing.assert_allclose((found.min_size, found.min_seed), voxels, rtol=0.05)
    assert sized(found, card=card, network=network) == found
    given = sized(three.replace(min_size=50), card=card, network=network)
    assert (given.min_size, given.min_seed) == (50, found.min_seed)
    small = sized(three.replace(diameter=10.0), card=card, network=network)
    np.testing.assert_allclose(small.min_size, voxels[0] / 8, rtol=0.05)
    assert sized(own, card=model.card, network=model.network) == own


def test_a_speck_as_small_as_in_a_plane_is_left_out() -> None:
    image = stack(6, 20, 24)
    image[1:3, 14:17, 4:7] = 1000  # 18 voxels; the squares are 4 x 4 px
    model = make_model()
    model = replace(model, card=model.card.replace(decoding=DecodingConfig(min_size=12)))
    decoding = model.card.decoding.replace(three_axes=True)
    result = finish(run(from_array(image, axes="ZYX"), model=model, decoding=decoding))
    assert (result.objects, result.decoding.min_size) == (2, 31)
    assert segment(image, model=model, axes="ZYX", decoding=decoding.replace(min_size=13)).max() == 3
    assert segment(image[1], model=model).max() == 2


def test_a_model_that_usually_looks_along_three_axes_takes_a_plane_as_one() -> None:
    image, model = stack(20, 24), make_model()
    model = replace(model, card=model.card.replace(decoding=DecodingConfig(min_size=16, three_axes=True)))
    job = run(from_array(image, name="plane"), model=model)
    notes = [event.message for event in list(job) if isinstance(event, Note)]
    assert notes[0].startswith("plane: no Z axis (axes YX), so segmented as a plane")
    np.testing.assert_array_equal(segment(image, model=model) > 0, image > 500)  # 16 px, not voxels
    movie = segment(np.stack([image, image]), model=model, axes="TYX")
    assert movie.max() == 4
    events = run(from_array(stack(6, 20, 24), axes="ZYX"), model=model)
    assert not any("plane" in getattr(event, "message", "") for event in events)


def test_nobody_is_told_to_join_planes_that_are_joined() -> None:
    events = run(from_array(stack(3, 20, 24), axes="ZYX"), model=make_model(), decoding=THREE)
    assert not any("--link" in getattr(event, "message", "") for event in events)


def test_files_each_with_its_voxel_size_and_one_without_z(tmp_path) -> None:
    image = stack(6, 20, 24)
    for name, spacing in (("near", 0.5), ("far", 1.5)):
        tifffile.imwrite(
            tmp_path / f"{name}.ome.tif",
            image,
            metadata={"axes": "ZYX", "PhysicalSizeZ": spacing, "PhysicalSizeY": 0.5, "PhysicalSizeX": 0.5},
        )
    tifffile.imwrite(tmp_path / "plane.tif", image[0])
    paths = [tmp_path / name for name in ("near.ome.tif", "plane.tif", "far.ome.tif")]
    first, flat, last = finish(segment_files(paths, folder=tmp_path / "out", model=make_model(), decoding=THREE))
    assert (first.error, last.error) == (None, None)
    assert first.objects == last.objects == ndimage.label(image > 500)[1]
    assert "no Z axis" in flat.error
    with pytest.raises(InputError, match="three_axes True, now False"):
        finish(segment_files(paths, folder=tmp_path / "out", model=make_model(), existing="skip"))
