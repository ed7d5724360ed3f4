"""Annotations of every format become pairs that training reads; originals stay, and a bad one stops no other."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image
from roifile import ROI_TYPE, ImagejRoi

from napari_unetseg.images.palette import voc_palette, write_palette
from napari_unetseg.images.read import open_image, read_labels
from napari_unetseg.images.write import write_image
from napari_unetseg.schema.errors import InputError
from napari_unetseg.schema.events import Event, Note
from napari_unetseg.tasks.import_labels import import_labels
from napari_unetseg.tasks.imported import Imported

LABELS = np.zeros((8, 10), np.uint8)
LABELS[1:3, 1:4], LABELS[4:7, 5:9] = 1, 2
"""..........
.111......
.111......
..........
.....2222.
.....2222.
.....2222.
.........."""
RINGS = ([[1, 1], [4, 1], [4, 3], [1, 3]], [[5, 4], [9, 4], [9, 7], [5, 7]])


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Give a folder with a.tif (with pixel size) and b.png (in colour)."""
    folder = tmp_path / "photos"
    folder.mkdir()
    image = np.arange(80, dtype=np.uint16).reshape(8, 10)
    write_image(folder / "a.tif", image, axes="YX", scale={"Y": 0.5, "X": 0.25})
    Image.fromarray(np.stack([image, image + 1, image + 2], axis=-1).astype(np.uint8)).save(folder / "b.png")
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def run(annotations: Path, **options: Any) -> tuple[Imported, list[str]]:
    """Return what an import returns, and its notes."""
    job: Generator[Event, None, Imported] = import_labels(annotations, **options)
    notes = []
    while True:
        try:
            event = next(job)
        except StopIteration as stop:
            return stop.value, notes
        if isinstance(event, Note):
            notes.append(event.message)


def folder_of(tmp_path: Path) -> Path:
    folder = tmp_path / "annotations"
    folder.mkdir()
    return folder


def labelme(path: Path, *, image: str = "", rings: Any = RINGS) -> None:
    shapes = [{"label": "cell", "points": ring, "shape_type": "polygon"} for ring in rings]
    path.write_text(json.dumps({"shapes": shapes, "imagePath": image}))


def coco(path: Path, *files: str) -> None:
    images = [{"id": number, "file_name": file, "height": 8, "width": 10} for number, file in enumerate(files)]
    annotations = [
        {"image_id": number, "category_id": category, "segmentation": [np.ravel(ring).tolist()]}
        for number in range(len(files))
        for category, ring in enumerate(RINGS)
    ]
    categories = [{"id": 0, "name": "nucleus"}, {"id": 1, "name": "vesicle"}]
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))


def roi(path: Path) -> None:
    outline = ImagejRoi.frompoints(np.array(RINGS[0], np.int32))
    outline.roitype = ROI_TYPE.POLYGON
    outline.tofile(path)


def coloured() -> Image.Image:
    return Image.fromarray(voc_palette()[LABELS])


def rois(path: Path) -> None:
    for number, ring in enumerate(RINGS):
        outline = ImagejRoi.frompoints(np.array(ring, np.int32))
        outline.roitype = ROI_TYPE.POLYGON
        outline.tofile(path, name=f"{number}.roi")


def masks(folder: Path) -> None:
    folder.mkdir()
    for number in (1, 2):
        Image.fromarray(np.where(number == LABELS, 255, 0).astype(np.uint8)).save(folder / f"{number}.png")


WRITERS = {
    "labelme": lambda place: labelme(place.with_suffix(".json")),
    "imagej": lambda place: rois(place.with_name(f"{place.name}_RoiSet.zip")),
    "palette": lambda place: write_palette(place.with_suffix(".png"), LABELS),
    "colours": lambda place: coloured().save(place.with_name(f"{place.name}_mask.png")),
    "masks": masks,
    "tiff": lambda place: tifffile.imwrite(place.with_name(f"{place.name}_labels.tif"), LABELS),
    "npy": lambda place: np.save(place.with_suffix(".npy"), LABELS),
    "npz": lambda place: np.savez(place.with_suffix(".npz"), LABELS),
}


def write_as(kind: str, folder: Path) -> None:
    """Write the labels of a and b in a format."""
    if kind == "coco":
        coco(folder / "all.json", "train/a.tif", "b.png")
        return
    for stem in "ab":
        WRITERS[kind](folder / stem)


@pytest.mark.parametrize("kind", ["coco", "labelme", "imagej", "palette", "colours", "masks", "tiff", "npy", "npz"])
def test_every_format_gives_the_same_pairs(tmp_path: Path, photos: Path, out: Path, kind: str) -> None:
    folder = folder_of(tmp_path)
    write_as(kind, folder)
    before = {path: path.read_bytes() for path in [*photos.iterdir(), *folder.rglob("*")] if path.is_file()}
    result, notes = run(folder, images=photos, output=out)
    assert [(item.error, item.objects) for item in result.items] == [(None, 2), (None, 2)]
    assert notes == []
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*.*")) == [
        "images/a.tif", "images/b.tif", "labels/a.tif", "labels/b.tif"
    ]  # fmt: skip
    for stem in "ab":
        np.testing.assert_array_equal(read_labels(out / "labels" / f"{stem}.tif"), LABELS)
    assert {path: path.read_bytes() for path in before} == before


def test_files_come_in_the_order_of_their_names(tmp_path: Path, photos: Path, out: Path) -> None:
    folder = folder_of(tmp_path)
    for name in ("cell10.npz", "cell9.npy", "cell11.png", "00071198.npy", "280.npz"):
        (folder / name).touch()
    result, _ = run(folder, images=photos, output=out)
    assert [item.item for item in result.items] == ["280.npz", "00071198.npy", "cell9.npy", "cell10.npz", "cell11.png"]


def test_images_keep_axes_and_pixel_size(tmp_path: Path, photos: Path, out: Path) -> None:
    folder = folder_of(tmp_path)
    write_as("npy", folder)
    run(folder, images=photos, output=out)
    a, b = open_image(out / "images" / "a.tif"), open_image(out / "images" / "b.tif")
    assert (a.axes.letters, a.scale, a.dtype) == ("YX", {"Y": 0.5, "X": 0.25}, np.uint16)
    assert open_image(out / "labels" / "a.tif").scale == a.scale
    assert (b.axes.letters, b.axes.is_guess) == ("YXS", False)
    np.testing.assert_array_equal(b.read(z=0), open_image(photos / "b.png").read(z=0))


def test_annotations_may_lie_beside_their_images(photos: Path, out: Path) -> None:
    labelme(photos / "x.json", image="C:\\data\\a.tif")
    labelme(photos / "b.json", image="gone.png")
    result, _ = run(photos, output=out)
    assert [item.error for item in result.items] == [None, None]
    result, notes = run(photos / "x.json", output=out, overwrite=True)
    assert [item.output.name for item in result.items if item.output] == ["a.tif"]
    assert notes == ["1 image without annotations, left out: b.png"]


def test_masks_beside_their_images_are_told_by_their_names(photos: Path, out: Path) -> None:
    write_palette(photos / "a_mask.png", LABELS)
    result, notes = run(photos, output=out)
    assert [(item.item, item.objects) for item in result.items] == [("a_mask.png", 2)]
    assert notes == ["1 image without annotations, left out: b.png"]


def test_the_layout_of_the_data_science_bowl(tmp_path: Path, photos: Path, out: Path) -> None:
    folder = folder_of(tmp_path)
    write_as("masks", folder)
    for sample in list(folder.iterdir()):
        (sample / "masks").mkdir()
        (sample / "images").mkdir()
        for mask in sample.glob("*.png"):
            mask.rename(sample / "masks" / mask.name)
        Image.fromarray(LABELS).convert("RGBA").save(sample / "images" / f"{sample.name}.png")
    Image.fromarray(np.full((8, 10), 255, np.uint8)).save(folder / "a" / "masks" / "3.png")
    result, notes = run(folder, output=out)
    assert [item.objects for item in result.items] == [3, 2]
    assert notes[-1] == "18 pixels in more than one object (most in a: 18), kept by the first by name"
    assert open_image(out / "images" / "a.tif").axes.letters == "YXS"


def test_one_image_takes_annotations_of_any_name(tmp_path: Path, photos: Path, out: Path) -> None:
    roi(tmp_path / "RoiSet.roi")
    result, _ = run(tmp_path / "RoiSet.roi", images=photos / "a.tif", output=out)
    assert [item.objects for item in result.items] == [1]
    assert (out / "labels" / "a.tif").is_file()


def test_a_bad_annotation_stops_no_other(tmp_path: Path, photos: Path, out: Path) -> None:
    folder = folder_of(tmp_path)
    labelme(folder / "a.json")
    labelme(folder / "gone.json")
    labelme(folder / "again.json", image="a.tif")
    (folder / "broken.json").write_text("{")
    (folder / "other.json").write_text('{"features": []}')
    result, notes = run(folder, images=photos, output=out)
    errors = {item.item: item.error or "" for item in result.items}
    assert errors.pop("a.json") == ""
    assert [item.item for item in result.items] == ["a.json", "again.json", "broken.json", "gone.json", "other.json"]
    assert "holds no image of that name (gone)" in errors.pop("gone.json")
    assert "a.tif is annotated in a.json already" in errors.pop("again.json")
    assert "is not JSON" in errors.pop("broken.json")
    assert "is no COCO or LabelMe file" in errors.pop("other.json")
    assert not errors
    assert notes == ["1 image without annotations, left out: b.png"]
    assert [path.name for path in (out / "labels").iterdir()] == ["a.tif"]


def test_what_is_lost_is_told(tmp_path: Path, photos: Path, out: Path) -> None:
    folder = folder_of(tmp_path)
    over = [[1, 1], [2, 1], [2, 3], [1, 3]]
    labelme(folder / "a.json", rings=[*RINGS, over, [[1, 1]], [[50, 50], [60, 50], [60, 60]]])
    labelme(folder / "b.json", rings=[])
    result, notes = run(folder, images=photos, output=out)
    assert (result.shared, result.skipped.total()) == (2, 2)
    assert notes == [
        "2 pixels in more than one object (most in a.json: 2), kept by the later one",
        "skipped: outline of fewer than 3 points, 1 time (first in a.json)",
        "skipped: outline outside the image, 1 time (first in a.json)",
        "1 image without an object: b.json",
    ]


def test_annotations_that_are_of_no_use_give_no_empty_labels(tmp_path: Path, photos: Path, out: Path) -> None:
    folder = folder_of(tmp_path)
    labelme(folder / "a.json", rings=[[[1, 1]], [[1, 1]], [[50, 50], [60, 50], [60, 60]]])
    labelme(folder / "b.json", rings=[])
    result, _ = run(folder, images=photos, output=out)
    assert [item.error for item in result.items] == [
        "a.json: nothing in it can be used (outline of fewer than 3 points, 2 times, outline outside the image, 1 "
        "time); export it again, or leave it out",
        None,
    ]
    assert [path.name for path in sorted(out.rglob("*.tif"))] == ["b.tif", "b.tif"]


def test_nothing_imported_leaves_no_folders(tmp_path: Path, photos: Path, out: Path) -> None:
    labelme(tmp_path / "gone.json")
    result, _ = run(tmp_path / "gone.json", images=photos, output=out, has_palette=True)
    assert [item.error is None for item in result.items] == [False]
    assert not out.exists()
    job = import_labels(tmp_path / "gone.json", images=photos, output=out)
    next(job)
    assert (out / "labels").is_dir()
    job.close()
    assert not out.exists()


def test_blank_masks_say_that_nothing_is_there(tmp_path: Path, photos: Path, out: Path) -> None:
    folder = folder_of(tmp_path)
    (folder / "a").mkdir()
    Image.fromarray(np.zeros_like(LABELS)).save(folder / "a" / "1.png")
    result, notes = run(folder, images=photos, output=out)
    assert [(item.error, item.objects) for item in result.items] == [(None, 0)]
    assert notes[0] == "1 image without an object: a"


def test_a_mask_of_all_cells_is_told(tmp_path: Path, photos: Path, out: Path) -> None:
    Image.fromarray(np.where(LABELS, 255, 0).astype(np.uint8)).save(tmp_path / "a_mask.png")
    _, notes = run(tmp_path / "a_mask.png", images=photos, output=out)
    assert notes[0].startswith("1 label map of 0 and 255 alone (a_mask.png): a mask, in which all cells are one object")
    _, notes = run(tmp_path / "a_mask.png", images=photos, output=out, overwrite=True, is_semantic=True)
    assert "alone" not in notes[0]
    np.testing.assert_array_equal(read_labels(out / "labels" / "a.tif"), LABELS > 0)


def test_a_void_is_not_annotated(tmp_path: Path, photos: Path, out: Path) -> None:
    folder = folder_of(tmp_path)
    labels = LABELS.astype(np.int32)
    labels[0] = -1
    write_palette(folder / "a.png", labels)
    result, notes = run(folder / "a.png", images=photos, output=out, has_palette=True)
    np.testing.assert_array_equal(read_labels(out / "labels" / "a.tif"), labels)
    np.testing.assert_array_equal(read_labels(out / "palette" / "a.png"), labels)
    assert result.ignored == 10
    assert notes[0].startswith("10 pixels not annotated: -1 in the label files")


def test_classes_come_from_categories_colours_and_masks(tmp_path: Path, photos: Path, out: Path) -> None:
    folder = folder_of(tmp_path)
    coco(folder / "all.json", "a.tif")
    result, _ = run(folder, images=photos, output=out / "1", is_semantic=True)
    assert result.classes == ("nucleus", "vesicle")
    np.testing.assert_array_equal(read_labels(out / "1" / "labels" / "a.tif"), LABELS)
    (folder / "all.json").unlink()
    coloured().save(folder / "a.png")
    (tmp_path / "table.toml").write_text('"#800000" = "vesicle"\n"#008000" = "vesicle"\n')
    result, _ = run(folder, images=photos, output=out / "2", colours=tmp_path / "table.toml")
    assert (result.classes, result.is_semantic) == (("vesicle",), True)
    np.testing.assert_array_equal(read_labels(out / "2" / "labels" / "a.tif"), LABELS > 0)
    (tmp_path / "table.json").write_text('{"#800000": 40, "#008000": -1}')
    result, _ = run(folder, images=photos, output=out / "4", colours=tmp_path / "table.json")
    assert (result.classes, result.is_semantic) == ((), True)
    np.testing.assert_array_equal(read_labels(out / "4" / "labels" / "a.tif"), np.array([0, 40, -1])[LABELS])
    (folder / "a.png").unlink()
    write_as("masks", folder)
    run(folder, images=photos, output=out / "3", is_semantic=True)
    np.testing.assert_array_equal(read_labels(out / "3" / "labels" / "a.tif"), LABELS > 0)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: tifffile.imwrite(path / "a.tif", LABELS[:, :9]), "labels of shape (8, 9) do not fit"),
        (lambda path: tifffile.imwrite(path / "a.tif", LABELS - 0.5), "holds fractions"),
        (lambda path: Image.fromarray(voc_palette()[LABELS] + 1).save(path / "a.png"), "the colour #010101 at row 0"),
        (lambda path: Image.fromarray(LABELS).save(path / "a.tif"), ""),
    ],
)
def test_labels_that_do_not_fit(tmp_path: Path, photos: Path, out: Path, write: Any, message: str) -> None:
    folder = folder_of(tmp_path)
    write(folder)
    result, _ = run(folder, images=photos, output=out)
    assert message in (result.items[0].error or "")
    assert (out / "images" / "a.tif").exists() == (not message)


def test_a_stack_takes_no_outlines_of_a_plane(tmp_path: Path, out: Path) -> None:
    write_image(tmp_path / "a.tif", np.zeros((3, 8, 10), np.uint8), axes="ZYX")
    labelme(tmp_path / "a.json")
    result, _ = run(tmp_path, output=out)
    assert "of a single plane, the image has 1 time points and 3 planes" in (result.items[0].error or "")


def test_ids_beyond_a_palette_are_in_the_tiff_alone(tmp_path: Path, photos: Path, out: Path) -> None:
    place = tmp_path / "a_labels.tif"
    tifffile.imwrite(place, LABELS)
    run(place, images=photos, output=out, has_palette=True)
    assert (out / "palette" / "a.png").is_file()
    labels = LABELS.astype(np.uint16) * 300
    tifffile.imwrite(place, labels)
    result, notes = run(place, images=photos, output=out, has_palette=True, overwrite=True)
    assert [item.error for item in result.items] == [None]
    told = next(note for note in notes if note.startswith("1 palette not written: "))
    assert told.endswith("a palette PNG holds ids up to 254, got 600; a TIFF holds all, leave --palette out")
    np.testing.assert_array_equal(read_labels(out / "labels" / "a.tif"), labels)
    assert [path.name for path in sorted(out.rglob("*.*"))] == ["a.tif", "a.tif"]


def test_nothing_is_replaced_unasked_and_originals_never(tmp_path: Path, photos: Path, out: Path) -> None:
    folder = folder_of(tmp_path)
    write_as("npy", folder)
    run(folder, images=photos, output=out)
    with pytest.raises(InputError, match="4 files of this import there already; pass --overwrite"):
        run(folder, images=photos, output=out)
    run(folder, images=photos, output=out, overwrite=True)
    photos.rename(tmp_path / "images")
    with pytest.raises(InputError, match="holds the originals"):
        run(folder, images=tmp_path / "images", output=tmp_path, overwrite=True)


def test_what_the_annotations_are_must_be_clear(tmp_path: Path, photos: Path, out: Path) -> None:
    folder = folder_of(tmp_path)
    with pytest.raises(InputError, match="holds no annotations; known are COCO"):
        run(folder, images=photos, output=out)
    labelme(folder / "a.json")
    roi(folder / "b.roi")
    with pytest.raises(InputError, match="holds 1 JSON file, 1 ImageJ ROI file; say with --format"):
        run(folder, images=photos, output=out)
    result, _ = run(folder, images=photos, output=out, format="imagej")
    assert [item.item for item in result.items] == ["b.roi"]
    with pytest.raises(InputError, match="holds no label files"):
        run(folder, images=photos, output=out, format="palette")
    with pytest.raises(InputError, match="holds no folders of masks; known are"):
        run(folder, images=photos, output=out, format="masks")
    with pytest.raises(InputError, match="leave one of them out"):
        run(folder, images=photos, output=out, format="coco", colours=folder / "a.json")
    result, _ = run(folder, images=photos, output=out / "2", format="coco")
    assert "is no COCO file" in (result.items[0].error or "")
    for gone in ({"annotations": folder / "x", "images": photos}, {"annotations": folder, "images": folder / "x"}):
        with pytest.raises(InputError, match="there is no such file or folder"):
            run(gone["annotations"], images=gone["images"], output=out, format="imagej")


def test_a_palette_that_is_asked_for_must_be_one(tmp_path: Path, photos: Path, out: Path) -> None:
    folder = folder_of(tmp_path)
    coloured().save(folder / "a.png")
    result, _ = run(folder, images=photos, output=out, format="palette")
    assert "has no palette" in (result.items[0].error or "")
