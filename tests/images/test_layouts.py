"""Pairs of images and labels or masks, names of outputs, lists of files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_unetseg.images.find import find_images
from napari_unetseg.images.layouts import describe_masks, output_names, pair_files, pair_labels, read_pair, stem_of
from napari_unetseg.schema.errors import InputError


def touch(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        tifffile.imwrite(folder / name, np.zeros((4, 4), np.uint8)) if ".tif" in name else Image.new("L", (4, 4)).save(
            folder / name
        )
    return folder


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        (["a.tif", "b.tif"], ["a.tif", "b.tif"]),
        (["a.png", "b.tif"], ["a.tif", "b.png"]),
        (["a.ome.tif"], ["a.tif"]),
        (["a.tif"], ["a_labels.tif"]),
        (["a.tif", "b.tif", "c.tif"], ["a_masks.png", "b_mask.tif", "c.tif"]),
        (["a.tif", "a_labels.tif"], ["a_mask.tif", "a_labels.tif"]),
    ],
)
def test_folders_are_paired_by_name(images: list[str], labels: list[str], tmp_path: Path) -> None:
    pairs = pair_files(touch(tmp_path / "i", *images), touch(tmp_path / "l", *labels))
    assert [(image.name, label.name) for image, label in pairs] == list(zip(images, labels, strict=True))


def test_one_folder_holds_both(tmp_path: Path) -> None:
    folder = touch(tmp_path / "i", "a.tif", "a_masks.tif", "b.tif", "b_masks.tif")
    assert [(one.name, two.name) for one, two in pair_files(folder, folder)] == [
        ("a.tif", "a_masks.tif"),
        ("b.tif", "b_masks.tif"),
    ]


def test_two_files_are_a_pair(tmp_path: Path) -> None:
    touch(tmp_path, "a.tif", "z.tif")
    assert pair_files(tmp_path / "a.tif", tmp_path / "z.tif") == [(tmp_path / "a.tif", tmp_path / "z.tif")]


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (["a.tif", "b.tif"], ["a.tif"], r"1 image without labels \(b\.tif\)"),
        (["a.tif"], ["a.tif", "c.tif"], r"1 label file without an image \(c\.tif\)"),
        (["a.tif"], ["b.tif"], r"a\.tif.*b\.tif"),
        (["a.tif"], ["a.png", "a.jpg"], "several label files"),
        ([], ["a.tif"], "i: holds no images; check the path"),
        (["a.tif"], [], "l: holds no label files; check the path"),
    ],
)
def test_unpaired_files_are_named(images: list[str], labels: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        pair_files(touch(tmp_path / "i", *images), touch(tmp_path / "l", *labels))


def test_unpaired_truth_is_called_so(tmp_path: Path) -> None:
    truth, found = touch(tmp_path / "t", "a.tif", "b.tif"), touch(tmp_path / "p", "a_labels.tif", "c_labels.tif")
    message = r"1 true label file without predicted labels \(b\.tif\) and 1 predicted label file without truth \(c_l"
    with pytest.raises(InputError, match=message):
        pair_labels(truth, found)


def test_the_same_folder_twice_is_told_so_where_it_holds_no_pair(tmp_path: Path) -> None:
    images, labels = touch(tmp_path / "i", "a.tif", "b.tif"), touch(tmp_path / "l", "a_labels.tif", "b_labels.tif")
    with pytest.raises(
        InputError, match=r"same folder was given twice, .*; give the folder of images, then that of labels"
    ):
        pair_files(images, images)
    for folder in (images, labels):
        with pytest.raises(
            InputError, match=r"same folder was given twice, .*; give the folder of predicted labels, then"
        ):
            pair_labels(folder, folder / ".." / folder.name)
    touch(images, "b_labels.tif")
    with pytest.raises(InputError, match=r"1 image without labels \(a\.tif\)"):
        pair_files(images, images)


def test_a_file_and_a_folder_are_no_pair(tmp_path: Path) -> None:
    touch(tmp_path, "a.tif")
    with pytest.raises(InputError, match="not one of each"):
        pair_files(tmp_path / "a.tif", tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        pair_files(tmp_path / "a.tif", tmp_path / "gone.tif")


@pytest.mark.parametrize(
    ("image", "axes", "labels", "expected"),
    [
        ((20, 30), "YX", (20, 30), (20, 30)),
        ((20, 30, 3), "YXS", (20, 30), (20, 30)),
        ((5, 20, 30), "TYX", (5, 20, 30), (5, 20, 30)),
        ((2, 5, 20, 30), "CZYX", (5, 20, 30), (5, 20, 30)),
        ((1, 20, 30), "ZYX", (20, 30), (1, 20, 30)),
        ((20, 30), "YX", (1, 20, 30), (20, 30)),
    ],
)
def test_labels_take_the_axes_of_their_image(
    image: tuple[int, ...], axes: str, labels: tuple[int, ...], expected: tuple[int, ...], tmp_path: Path
) -> None:
    photometric = "rgb" if "S" in axes else "minisblack"
    tifffile.imwrite(tmp_path / "i.tif", np.zeros(image, np.uint8), metadata={"axes": axes}, photometric=photometric)
    ids = np.arange(np.prod(labels)).reshape(labels).astype(np.uint32)
    tifffile.imwrite(tmp_path / "l.tif", ids, metadata=None, photometric="minisblack")
    source, read = read_pair(tmp_path / "i.tif", tmp_path / "l.tif")
    assert source.axes.letters == axes
    assert read.shape == expected
    np.testing.assert_array_equal(read.ravel(), ids.ravel())


@pytest.mark.parametrize("shape", [(20, 31), (30, 20), (2, 20, 30)], ids="D14-{}".format)
def test_labels_of_another_size_are_refused(shape: tuple[int, ...], tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "i.tif", np.zeros((20, 30), np.uint8))
    tifffile.imwrite(tmp_path / "l.tif", np.zeros(shape, np.uint16), photometric="minisblack")
    with pytest.raises(InputError, match="do not fit"):
        read_pair(tmp_path / "i.tif", tmp_path / "l.tif")


def masks(folder: Path, *columns: slice) -> Path:
    """Draw masks of 2 x 4 pixels, each with these columns set."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, part in enumerate(columns):
        mask = np.zeros((2, 4), np.uint8)
        mask[:, part] = 255
        Image.fromarray(mask).save(folder / f"{number}.png")
    return folder


def test_folders_of_masks_stand_for_label_files(tmp_path: Path) -> None:
    images = touch(tmp_path / "images", "a.tif", "b.tif", "c.png")
    masks(tmp_path / "masks" / "a", slice(1))
    masks(tmp_path / "masks" / "b" / "masks", slice(1))
    masks(tmp_path / "masks" / "c_masks", slice(1))
    pairs = pair_files(images, tmp_path / "masks")
    assert [(one.name, two.name) for one, two in pairs] == [("a.tif", "a"), ("b.tif", "b"), ("c.png", "c_masks")]
    described = describe_masks([label for _, label in pairs])
    assert described.startswith("3 folders of masks, one mask per cell (as ")
    assert describe_masks([images / "a.tif"]) == ""


def test_images_may_lie_beside_their_masks(tmp_path: Path) -> None:
    for name in ("x1", "x2"):
        touch(tmp_path / name / "images", f"{name}.png")
        masks(tmp_path / name / "masks", slice(1), slice(2))
    pairs = pair_files(tmp_path, tmp_path / "x1" / "..")
    assert [(one.name, two.name) for one, two in pairs] == [("x1.png", "x1"), ("x2.png", "x2")]
    touch(tmp_path / "x1" / "images", "second.png")
    with pytest.raises(InputError, match="2 images for one folder of masks"):
        pair_files(tmp_path, tmp_path)


def test_true_masks_and_predicted_labels_are_paired(tmp_path: Path) -> None:
    touch(tmp_path / "truth" / "x1" / "images", "x1.png")
    masks(tmp_path / "truth" / "x1" / "masks", slice(1))
    found = touch(tmp_path / "found", "x1_labels.tif")
    assert pair_labels(tmp_path / "truth", found) == [(tmp_path / "truth" / "x1", found / "x1_labels.tif")]
    assert pair_labels(tmp_path / "truth", masks(tmp_path / "f" / "x1", slice(1)).parent)[0][1].name == "x1"


def test_folders_of_images_and_label_files_are_no_masks(tmp_path: Path) -> None:
    touch(tmp_path / "images", "a.tif")
    touch(tmp_path / "masks", "a.tif")
    with pytest.raises(InputError, match=r"give .*images and .*masks"):
        pair_files(tmp_path, tmp_path)


def test_names_of_outputs(tmp_path: Path) -> None:
    inputs = [Path("in/a.tif"), Path("in/b.ome.tif"), Path("in/c.ome.zarr"), Path("in/b.tif")]
    outputs = output_names(inputs, folder=tmp_path, suffix="_labels.tif")
    assert [path.name for path in outputs.values()] == [
        "a_labels.tif",
        "b.ome.tif_labels.tif",
        "c_labels.tif",
        "b.tif_labels.tif",
    ]
    assert all(path.parent == tmp_path for path in outputs.values())


@pytest.mark.parametrize(
    ("name", "stem"),
    [("a.tif", "a"), ("a.b.TIFF", "a.b"), ("a.OME.tif", "a"), ("a", "a"), (".tif", ".tif"), ("x.ome.zarr", "x")],
)
def test_stem(name: str, stem: str) -> None:
    assert stem_of(Path(name)) == stem


def test_files_come_in_natural_order_and_once(tmp_path: Path) -> None:
    touch(tmp_path, "cell10.tif", "cell2.tif", "Cell1.tif", "b.png")
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "sub.tif").mkdir()
    names = [path.name for path in find_images([tmp_path, tmp_path / "b.png", tmp_path / "*.tif"])]
    assert names == ["b.png", "Cell1.tif", "cell2.tif", "cell10.tif"]


@pytest.mark.parametrize("given", ["gone.tif", "gone*.tif", "."])
def test_inputs_that_name_nothing_are_refused(given: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no "):
        find_images([tmp_path / given])
