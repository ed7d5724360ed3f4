"""ImageJ ROIs: every kind with an area, positions in stacks, and archives that are none."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from roifile import ROI_OPTIONS, ROI_SUBTYPE, ROI_TYPE, ImagejRoi, roiwrite

from napari_unetseg.images import rois
from napari_unetseg.images.canvas import Drawn
from napari_unetseg.images.polygons import OUTSIDE
from napari_unetseg.images.read import from_array
from napari_unetseg.images.rois import DAMAGED, NO_AREA, NO_PLANE, roi_annotation
from napari_unetseg.schema.errors import InputError


def outline(x: int, y: int, edge: int, **fields: int) -> ImagejRoi:
    roi = ImagejRoi.frompoints(np.array([[x, y], [x + edge, y], [x + edge, y + edge], [x, y + edge]], np.int32))
    roi.roitype = ROI_TYPE.POLYGON
    return with_fields(roi, fields)


def box(kind: ROI_TYPE, *, left: int, top: int, right: int, bottom: int, **fields: int) -> ImagejRoi:
    roi = ImagejRoi()
    roi.version, roi.roitype = 227, kind
    return with_fields(roi, {"left": left, "top": top, "right": right, "bottom": bottom, **fields})


def with_fields(roi: ImagejRoi, fields: dict[str, int]) -> ImagejRoi:
    for name, value in fields.items():
        setattr(roi, name, value)
    return roi


def drawn(path: Path, *, shape: tuple[int, ...] = (6, 8), axes: str = "YX", is_semantic: bool = False) -> Drawn:
    item = roi_annotation(path, is_semantic=is_semantic)
    assert item.images == (path.stem,)
    assert item.draw is not None
    return item.draw(from_array(np.zeros(shape, np.uint8), axes=axes))


def test_one_roi(tmp_path: Path) -> None:
    outline(1, 2, 3).tofile(tmp_path / "a.roi")
    expected = np.zeros((6, 8))
    expected[2:5, 1:4] = 1
    np.testing.assert_array_equal(drawn(tmp_path / "a.roi").labels[0, 0], expected)


def test_every_kind_with_an_area_is_an_object(tmp_path: Path) -> None:
    ring = box(ROI_TYPE.RECT, left=0, top=0, right=3, bottom=3)
    path = [0, 0, 0, 1, 3, 0, 1, 3, 3, 1, 0, 3, 4, 0, 1, 1, 1, 2, 1, 1, 2, 2, 1, 1, 2, 4]
    ring.multi_coordinates, ring.shape_roi_size = np.array(path, np.float32), len(path)
    line = ImagejRoi.frompoints(np.array([[1, 1], [5, 5]], np.int32))
    line.roitype = ROI_TYPE.POLYLINE
    text = box(ROI_TYPE.RECT, left=0, top=0, right=3, bottom=3, subtype=ROI_SUBTYPE.TEXT)
    text.text_name, text.text = "f", "t"
    found = [
        ring,
        box(ROI_TYPE.RECT, left=4, top=0, right=6, bottom=2),
        box(ROI_TYPE.OVAL, left=4, top=3, right=7, bottom=6),
        line,
        text,
        outline(30, 30, 3),
    ]
    roiwrite(tmp_path / "a.zip", found, name=[f"{number}.roi" for number in range(6)])
    result = drawn(tmp_path / "a.zip")
    np.testing.assert_array_equal(
        result.labels[0, 0],
        [
            [1, 1, 1, 0, 2, 2, 0, 0],
            [1, 0, 1, 0, 2, 2, 0, 0],
            [1, 1, 1, 0, 0, 0, 0, 0],
            [0, 0, 0, 0, 3, 3, 3, 0],
            [0, 0, 0, 0, 3, 3, 3, 0],
            [0, 0, 0, 0, 3, 3, 3, 0],
        ],
    )
    assert result.skipped == {NO_AREA: 2, OUTSIDE: 1}


def test_boxes_may_lie_between_pixels(tmp_path: Path) -> None:
    roi = box(ROI_TYPE.RECT, left=1, top=1, right=4, bottom=4, options=ROI_OPTIONS.SUB_PIXEL_RESOLUTION)
    roi.version, roi.xd, roi.yd, roi.widthd, roi.heightd = 227, 1.6, 1.0, 2.0, 1.0
    roi.tofile(tmp_path / "a.roi")
    np.testing.assert_array_equal(np.argwhere(drawn(tmp_path / "a.roi").labels[0, 0]), [[1, 2], [1, 3]])


def test_positions_say_the_plane(tmp_path: Path) -> None:
    found = [
        outline(0, 0, 1, z_position=2, t_position=1),
        outline(1, 0, 1, z_position=3, t_position=2),
        outline(2, 0, 1, position=6),  # of 12 planes in the order channel, plane, time: plane 3 of time 1
        outline(3, 0, 1, z_position=4, t_position=1),
        outline(4, 0, 1),
    ]
    roiwrite(tmp_path / "a.zip", found, name=[f"{number}.roi" for number in range(5)])
    result = drawn(tmp_path / "a.zip", shape=(2, 3, 2, 6, 8), axes="TZCYX")
    assert np.argwhere(result.labels).tolist() == [[0, 1, 0, 0], [0, 2, 0, 2], [1, 2, 0, 1]]
    assert result.skipped == {OUTSIDE: 1, NO_PLANE: 1}


def test_groups_are_classes(tmp_path: Path) -> None:
    roiwrite(tmp_path / "a.zip", [outline(0, 0, 2, group=3), outline(4, 0, 2, group=1)], name=["a.roi", "b.roi"])
    assert drawn(tmp_path / "a.zip", is_semantic=True).labels[0, 0, 0].tolist() == [3, 3, 0, 0, 1, 1, 0, 0]
    roiwrite(tmp_path / "b.zip", [outline(0, 0, 2), outline(4, 0, 2)], name=["a.roi", "b.roi"])
    assert drawn(tmp_path / "b.zip", is_semantic=True).labels[0, 0, 0].tolist() == [1, 1, 0, 0, 1, 1, 0, 0]
    roiwrite(tmp_path / "b.zip", outline(4, 0, 2, group=1), name="c.roi")
    with pytest.raises(InputError, match="some ROIs have a group and others none"):
        drawn(tmp_path / "b.zip", is_semantic=True)


def test_a_point_without_a_group_leaves_groups_their_classes(tmp_path: Path) -> None:
    point = ImagejRoi.frompoints(np.array([[1, 1]], np.int32))
    point.roitype = ROI_TYPE.POINT
    roiwrite(tmp_path / "a.zip", [outline(0, 0, 2, group=3), point], name=["a.roi", "b.roi"])
    result = drawn(tmp_path / "a.zip", is_semantic=True)
    assert result.labels[0, 0, 0].tolist() == [3, 3, 0, 0, 0, 0, 0, 0]
    assert result.skipped == {NO_AREA: 1}


def archive(path: Path, **entries: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in entries.items():
            file.writestr(name, data)
    return path


def test_damaged_rois_are_counted(tmp_path: Path) -> None:
    good = outline(0, 0, 2).tobytes()
    entries = {"0.roi": good, "1.roi": b"", "2.roi": good[:66], "3.roi": b"Xout" + good[4:], "readme.txt": b"hello"}
    result = drawn(archive(tmp_path / "a.zip", **entries))
    assert result.skipped == {DAMAGED: 3}
    assert np.count_nonzero(result.labels) == 4


def test_archives_that_are_none_or_lead_elsewhere_are_refused(tmp_path: Path) -> None:
    good = outline(0, 0, 2).tobytes()
    for entries, message in [
        ({"../a.roi": good}, "'../a.roi', a name that leads out"),
        ({"/a.roi": good}, "a name that leads out"),
        ({"a\\..\\..\\b.roi": good}, "a name that leads out"),
        ({"a.txt": b""}, "holds no ROIs"),
        ({}, "holds no ROIs"),
    ]:
        with pytest.raises(InputError, match=message):
            drawn(archive(tmp_path / "a.zip", **entries))
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04 and so on")
    with pytest.raises(InputError, match=r"a\.zip: the ROIs cannot be read"):
        drawn(tmp_path / "a.zip")
    (tmp_path / "a.roi").write_bytes(b"")
    assert drawn(tmp_path / "a.roi").skipped == {DAMAGED: 1}


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = archive(tmp_path / "a.zip", **{f"{number}.roi": bytes(2**16) for number in range(4)})
    monkeypatch.setattr(rois, "_LARGEST_ZIP", 2**17)
    with pytest.raises(InputError, match=r"unpacks to 256\.0 KiB, which is too much for ROIs"):
        drawn(path)
