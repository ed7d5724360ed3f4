"""Which image annotations mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_unetseg.images.annotation import Annotation
from napari_unetseg.images.image_names import ImageIndex
from napari_unetseg.schema.errors import InputError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files of no bytes: names are all that counts. a.tif, b.png, b.tif, c.ome.tif, train/a.tif."""
    inside = tmp_path / "photos"
    (inside / "train").mkdir(parents=True)
    for name in ("a.tif", "b.png", "b.tif", "c.ome.tif", "train/a.tif"):
        (inside / name).touch()
    (tmp_path / "secret.tif").touch()
    return inside


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (("a.tif",), "a.tif"),
        (("train/a.tif",), "train/a.tif"),
        (("train\\a.tif",), "train/a.tif"),
        (("elsewhere/a.tif",), "a.tif"),
        (("a.jpg",), "a.tif"),
        (("b.png",), "b.png"),
        (("c",), "c.ome.tif"),
        (("c_RoiSet",), "c.ome.tif"),
        (("c_mask.png",), "c.ome.tif"),
        (("gone.tif", "a"), "a.tif"),
    ],
)
def test_names_are_found(folder: Path, names: tuple[str, ...], found: str) -> None:
    index = ImageIndex(folder)
    assert index.take(Annotation("x.json", names)) == folder / found
    assert index.left() == [one for one in sorted(folder.glob("*.*")) if one != folder / found]


def test_no_image_several_or_one_for_two(folder: Path) -> None:
    index = ImageIndex(folder)
    for names, message in [
        (("d",), r"x\.json: .*holds no image of that name \(d\)"),
        (("../secret.tif",), "holds no image of that name"),
        (("", "/", "..", "x\0/y.tif", "x/" * 5000 + "y.tif", "y" * 5000 + ".tif"), "holds no image of that name"),
        (("b",), r"several images of that name \(b\.png, b\.tif\)"),
    ]:
        with pytest.raises(InputError, match=message):
            index.take(Annotation("x.json", names))
    index.take(Annotation("x.json", ("a",)))
    with pytest.raises(InputError, match=r"y\.json: a\.tif is annotated in x\.json already"):
        index.take(Annotation("y.json", ("a.tif",)))


def test_one_image_takes_one_annotation_of_any_name(folder: Path) -> None:
    assert ImageIndex(folder / "a.tif", is_for_one=True).take(Annotation("RoiSet.zip", ("RoiSet",))) == folder / "a.tif"
    with pytest.raises(InputError, match="is no image of that name"):
        ImageIndex(folder / "a.tif").take(Annotation("RoiSet.zip", ("RoiSet",)))


def remedy(index: ImageIndex, *names: str) -> str:
    """Return what an error tells to do about an annotation of these names."""
    with pytest.raises(InputError) as caught:
        index.take(Annotation("x.json", names))
    return str(caught.value).split("; ", 1)[1]


def test_the_remedy_is_one_that_was_not_tried(folder: Path) -> None:
    assert remedy(ImageIndex(folder), "d.png") == "give the folder of its images with --images"
    given = ImageIndex(folder, is_given=True)
    assert remedy(given, "d.png") == "put the image there, give another folder, or correct the name"
    single = ImageIndex(folder / "a.tif", is_given=True)
    assert remedy(single, "d.png") == "give the folder of all images with --images"
    with pytest.raises(InputError, match=r"a\.tif is no image of that name \(d\.png\)"):
        single.take(Annotation("x.json", ("d.png",)))


@pytest.mark.parametrize("name", ["003cee b.PNG", "train/003CEE-B.tif", "003CEE_B_Mask.npy", "003CÉE_B_roiset"])
def test_a_name_that_differs_a_little_is_shown(folder: Path, name: str) -> None:
    (folder / "003CEE_B.png").touch()
    for index in (ImageIndex(folder), ImageIndex(folder, is_given=True)):
        told = "did you mean 003CEE_B.png? Capitals, accents and signs must be alike, also in endings such as _mask; "
        assert remedy(index, "gone", name) == told + "rename one of the two"
        assert "003CEE" not in remedy(index, "003CEE_C.png", "---")


def test_label_files_are_no_images(folder: Path) -> None:
    index = ImageIndex(folder, without={folder / "b.png"})
    assert index.take(Annotation("b.png", ("b.png", "b"))) == folder / "b.tif"


def test_label_files_are_known_by_another_spelling_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    (folder.parent / "link").symlink_to(folder, target_is_directory=True)
    for other in (Path("photos"), Path("link"), folder / "train" / ".."):
        index = ImageIndex(folder, without={other / "b.png"})
        assert index.take(Annotation("b.png", ("b.png", "b"))) == folder / "b.tif"
