"""Files become samples, and what was guessed or merged on the way is told."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_unetseg.schema.errors import InputError
from napari_unetseg.schema.events import Event, ItemDone, Note
from napari_unetseg.tasks.jobs import finish
from napari_unetseg.tasks.loading import read_samples

DATA = Path(os.environ.get("UNETSEG_DATA", Path(__file__).parents[3] / "shared" / "data"))


def notes(events: list[Event]) -> list[str]:
    return [event.message for event in events if isinstance(event, Note)]


def test_stacks_are_read_plane_by_plane_with_one_stretch(tmp_path: Path) -> None:
    stack = np.arange(3 * 16 * 20, dtype=np.uint16).reshape(3, 16, 20)
    for folder, array in (("images", stack), ("labels", (stack > 900).astype(np.uint8))):
        (tmp_path / folder).mkdir()
        metadata = {"axes": "ZYX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5, "PhysicalSizeZ": 2.0}
        tifffile.imwrite(tmp_path / folder / "a.tif", array, ome=True, metadata=metadata)
    planes = finish(read_samples(tmp_path / "images", tmp_path / "labels"))
    assert [sample.name for sample in planes] == ["a.tif z0", "a.tif z1", "a.tif z2"]
    assert len({sample.stretch for sample in planes}) == 1
    assert planes[0].pixel_size == (0.5, 0.5)
    np.testing.assert_array_equal(planes[2].image[0], stack[2])
    np.testing.assert_array_equal(planes[2].labels, stack[2] > 900)
    (volume,) = finish(read_samples(tmp_path / "images", tmp_path / "labels", ndim=3))
    assert volume.image.shape == (1, 3, 16, 20)
    assert volume.pixel_size == (2.0, 0.5, 0.5)


def test_a_3d_network_needs_stacks(tmp_path: Path) -> None:
    for name in ("image.tif", "labels.tif"):
        tifffile.imwrite(tmp_path / name, np.ones((16, 16), np.uint8))
    with pytest.raises(InputError, match="needs a Z axis"):
        finish(read_samples(tmp_path / "image.tif", tmp_path / "labels.tif", ndim=3))


def test_masks_are_merged_and_told(tmp_path: Path) -> None:
    """Give image a two masks that share a column, and image b one mask."""
    for name, columns in (("a", (slice(0, 9), slice(8, 16))), ("b", (slice(3, 9),))):
        (tmp_path / name / "images").mkdir(parents=True)
        (tmp_path / name / "masks").mkdir()
        Image.new("L", (16, 16)).save(tmp_path / name / "images" / f"{name}.png")
        for number, part in enumerate(columns):
            mask = np.zeros((16, 16), np.uint8)
            mask[:, part] = 255
            Image.fromarray(mask).save(tmp_path / name / "masks" / f"{number}.png")
    samples = finish(read_samples(tmp_path, tmp_path))
    assert [sample.name for sample in samples] == ["a.png", "b.png"]
    assert [int(sample.labels.max()) for sample in samples] == [2, 1]
    events = list(read_samples(tmp_path, tmp_path))
    layout, summary = notes(events)
    assert "2 folders of masks, one mask per cell" in layout
    assert "3 masks merged into 2 label maps; 16 pixels in more than one mask (most in a: 16)" in summary
    assert [event for event in events if isinstance(event, ItemDone)][-1] == ItemDone("b.png", 2, 2)


@pytest.mark.skipif(not (DATA / "dsb2018_kaggle_layout").is_dir(), reason="needs the data folder dsb2018_kaggle_layout")
def test_the_layout_of_the_data_science_bowl_is_read() -> None:
    folder = DATA / "dsb2018_kaggle_layout" / "stage1_train"
    samples = finish(read_samples(folder, folder))
    assert sorted(int(sample.labels.max()) for sample in samples) == [7, 7, 13, 22, 27]


def test_a_guess_of_the_axes_is_told_once_for_all_files(tmp_path: Path) -> None:
    """Three stacks that say nothing of themselves, of two sizes, and a plane that needs no guess."""
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
        for name, shape in {"a": (3, 16, 16), "b": (3, 16, 16), "c": (2, 20, 16), "d": (16, 16)}.items():
            np.save(tmp_path / folder / f"{name}.npy", np.ones(shape, np.uint8))
    assert notes(list(read_samples(tmp_path / "images", tmp_path / "labels"))) == [
        "a.npy and 2 others: 3 planes of 16x16 without metadata: taken for ZYX; pass --axes to change"
    ]
    (tmp_path / "images" / "d.npy").unlink()
    (tmp_path / "labels" / "d.npy").unlink()
    assert notes(list(read_samples(tmp_path / "images", tmp_path / "labels", axes="TYX"))) == []


@pytest.fixture
def in_colour(tmp_path: Path) -> Path:
    """Give images a (grey), b and c (grey in colour) with a label in each."""
    rng = np.random.default_rng(0)
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    for name in "abc":
        grey = rng.integers(0, 200, (16, 16), dtype=np.uint8)
        Image.fromarray(grey if name == "a" else np.stack([grey] * 3, axis=-1)).save(tmp_path / f"images/{name}.png")
        Image.fromarray(np.eye(16, dtype=np.uint8)).save(tmp_path / f"labels/{name}.png")
    return tmp_path


@pytest.mark.parametrize("in_channels", [None, 1])
def test_grey_pictures_in_colour_are_taken_as_grey(in_colour: Path, in_channels: int | None) -> None:
    job = read_samples(in_colour / "images", in_colour / "labels", in_channels=in_channels)
    assert notes(list(job)) == ["2 images in colour, but with equal colours: taken as grey"]
    samples = finish(read_samples(in_colour / "images", in_colour / "labels", in_channels=in_channels))
    assert [sample.image.shape for sample in samples] == [(1, 16, 16)] * 3
    assert all(len(sample.stretch.low) == len(sample.stretch.high) == 1 for sample in samples if sample.stretch)


def test_colours_stay_where_the_network_sees_colours(in_colour: Path) -> None:
    def channels(**options: int) -> list[int]:
        samples = finish(read_samples(in_colour / "images", in_colour / "labels", **options))
        return [sample.image.shape[0] for sample in samples]

    assert channels(in_channels=3) == [1, 3, 3]
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 9
    Image.fromarray(red).save(in_colour / "images" / "c.png")
    assert channels() == [1, 3, 3]
    assert channels(in_channels=1) == [1, 1, 3]


def test_images_in_the_place_of_labels_are_refused(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).poisson(100, (64, 64)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", noise)
    with pytest.raises(InputError, match="looks like an image"):
        finish(read_samples(tmp_path / "a.tif", tmp_path / "a.tif"))


@pytest.mark.parametrize(("count", "bad", "told", "left"), [(8, 1, 1, 0), (8, 3, 3, 0), (8, 7, 5, 3), (5, 5, 5, 0)])
def test_all_files_that_do_not_fit_are_named_at_once_up_to_five(
    tmp_path: Path, count: int, bad: int, told: int, left: int
) -> None:
    for number in range(count):
        for folder, edge in (("images", 8), ("labels", 9 if number < bad else 8)):
            (tmp_path / folder).mkdir(exist_ok=True)
            tifffile.imwrite(tmp_path / folder / f"{number}.tif", np.ones((8, edge), np.uint8))
    with pytest.raises(InputError) as error:
        finish(read_samples(tmp_path / "images", tmp_path / "labels"))
    lines = str(error.value).splitlines()
    assert len(lines) == (told + 1 if bad > 1 else 1)
    assert [name for name in range(count) if any(f"{name}.tif" in line for line in lines)] == list(range(told))
    assert ("more were not looked at" in lines[0]) == bool(left)
    assert not left or f"({left} more" in lines[0]
