"""ImageJ ROIs: .roi files, and .zip files of them as the ROI Manager saves; every ROI with an area is an object."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from roifile import ROI_SUBTYPE, ROI_TYPE, ImagejRoi

from napari_unetseg.images.annotation import Annotation
from napari_unetseg.images.budget import readable
from napari_unetseg.images.canvas import Canvas, Drawn
from napari_unetseg.images.polygons import OUTSIDE, OutlineError, Patch, fill, fill_ellipse
from napari_unetseg.images.source import ImageSource
from napari_unetseg.schema.errors import InputError

NO_AREA = "ROI without an area (point, line or text)"
NO_PLANE = "ROI on no particular plane of the stack"
DAMAGED = "ROI that is damaged"
_LARGEST_ROI, _LARGEST_ZIP = 2**26, 2**29
"""Bytes, unpacked, of a ROI and of all in an archive."""
_OUTLINED = (ROI_TYPE.POLYGON, ROI_TYPE.FREEHAND, ROI_TYPE.TRACED)
_WITHOUT_AREA = (ROI_SUBTYPE.TEXT, ROI_SUBTYPE.IMAGE, ROI_SUBTYPE.ARROW)
_ROI_ERRORS = (ValueError, TypeError, IndexError, OverflowError, struct.error, RuntimeError)
_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError)


def roi_annotation(path: Path, *, is_semantic: bool) -> Annotation:
    """Return the annotation that a .roi or .zip file is of the image of its name.

    Of a stack, a ROI lies in the plane that ImageJ noted. With `is_semantic` a ROI's group is its class; 1 if no ROI
    with an area has a group.
    """

    def draw(source: ImageSource) -> Drawn:
        canvas = Canvas(source.sizes, name=path.name)
        found = list(_read(path, canvas=canvas))
        groups = {roi.group for roi in found if _has_area(roi)}
        if is_semantic and 0 in groups and len(groups) > 1:
            raise InputError(f"{path}: some ROIs have a group and others none; give all of them a group, their class")
        for index, roi in enumerate(found, start=1):
            try:
                at = _place(roi, source=source)
                canvas.paint(_patch(roi, shape=canvas.plane), number=(roi.group or 1) if is_semantic else index, at=at)
            except OutlineError as problem:
                canvas.skip(str(problem))
        return canvas.finish()

    return Annotation(path.name, (path.stem,), draw)


def _read(path: Path, *, canvas: Canvas) -> Iterator[ImagejRoi]:
    """Give the ROIs of a file in order; those that cannot be decoded count as skipped."""
    for data in _contents(path):
        try:
            yield ImagejRoi.frombytes(data)
        except _ROI_ERRORS:
            canvas.skip(DAMAGED)


def _contents(path: Path) -> Iterator[bytes]:
    """Give the bytes of each ROI in a file; nothing is unpacked onto the disk."""
    try:
        if path.suffix.lower() == ".roi":
            if path.stat().st_size > _LARGEST_ROI:
                raise InputError(f"{path}: is too large for a ROI ({readable(path.stat().st_size)}); save it again")
            yield path.read_bytes()
            return
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            _check_archive(path, entries)
            for entry in entries:
                if entry.filename.lower().endswith(".roi"):
                    yield archive.read(entry)
    except _ZIP_ERRORS as error:
        raise InputError(f"{path}: the ROIs cannot be read ({error}); save them again in the ROI Manager") from error


def _check_archive(path: Path, entries: list[zipfile.ZipInfo]) -> None:
    """Refuse an archive that unpacks to more than ROIs take, leads out of its folder, or holds none."""
    total, most = sum(entry.file_size for entry in entries), max((entry.file_size for entry in entries), default=0)
    if total > _LARGEST_ZIP or most > _LARGEST_ROI:
        raise InputError(f"{path}: unpacks to {readable(total)}, which is too much for ROIs; is it another archive?")
    for entry in entries:
        place = PurePosixPath(entry.filename.replace("\\", "/"))
        if ".." in place.parts or place.is_absolute():
            raise InputError(
                f"{path}: holds '{entry.filename[:80]}', a name that leads out of the archive, as ImageJ never writes; "
                "save the ROIs again in the ROI Manager"
            )
    if not any(entry.filename.lower().endswith(".roi") for entry in entries):
        raise InputError(f"{path}: holds no ROIs; save them with 'Save...' in the ROI Manager")


def _has_area(roi: ImagejRoi) -> bool:
    has_outline = roi.composite or roi.roitype in (*_OUTLINED, ROI_TYPE.RECT, ROI_TYPE.OVAL)
    return has_outline and roi.subtype not in _WITHOUT_AREA


def _patch(roi: ImagejRoi, *, shape: tuple[int, int]) -> Patch:
    if not _has_area(roi):
        raise OutlineError(NO_AREA)
    if roi.composite:
        try:
            rings = roi.coordinates(multi=True)
        except _ROI_ERRORS:
            raise OutlineError(DAMAGED) from None
        return fill(list(rings), shape=shape, has_holes=True)
    if roi.roitype in _OUTLINED:
        return fill([roi.coordinates()], shape=shape)
    x, y, width, height = float(roi.left), float(roi.top), float(roi.right - roi.left), float(roi.bottom - roi.top)
    if roi.subpixelrect:
        x, y, width, height = roi.xd, roi.yd, roi.widthd, roi.heightd
    if roi.roitype == ROI_TYPE.OVAL:
        return fill_ellipse(centre=(x + width / 2, y + height / 2), radii=(width / 2, height / 2), shape=shape)
    return fill([[[x, y], [x + width, y], [x + width, y + height], [x, y + height]]], shape=shape)


def _place(roi: ImagejRoi, *, source: ImageSource) -> tuple[int, int]:
    """Return time point and plane, counted from 0; ImageJ counts from 1, in hyperstacks each axis by itself."""
    sizes = source.sizes
    t, z = roi.t_position - 1, roi.z_position - 1
    if roi.t_position <= 0 and roi.z_position <= 0 and roi.position > 0:
        channels = 1 if "S" in source.axes.letters else sizes["C"]
        t, z = divmod((roi.position - 1) // channels, sizes["Z"])
    t, z = 0 if sizes["T"] == 1 else t, 0 if sizes["Z"] == 1 else z
    if t < 0 or z < 0:
        raise OutlineError(NO_PLANE)
    if t >= sizes["T"] or z >= sizes["Z"]:
        raise OutlineError(OUTSIDE)
    return t, z
