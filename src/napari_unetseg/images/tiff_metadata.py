"""What a TIFF file says of itself, pixel size in µm and number of planes: OME-XML, ImageJ, resolution tags."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any
from xml.etree import ElementTree

import tifffile

MICROMETRES = {
    "m": 1e6, "cm": 1e4, "mm": 1e3, "µm": 1.0, "μm": 1.0, "um": 1.0, "micron": 1.0, "microns": 1.0, "micrometer": 1.0,
    "micrometre": 1.0, "micrometers": 1.0, "micrometres": 1.0, "\\u00b5m": 1.0, "nm": 1e-3, "nanometer": 1e-3,
    "nanometre": 1e-3, "pm": 1e-6, "å": 1e-4, "angstrom": 1e-4, "inch": 25_400.0, "in": 25_400.0, "millimeter": 1e3,
    "millimetre": 1e3, "centimeter": 1e4, "centimetre": 1e4, "meter": 1e6, "metre": 1e6,
}  # fmt: skip
_LONGEST_XML = 64 * 2**20
_INCH, _CENTIMETRE = 2, 3
_FINEST_PRINT = 1200.0
"""Dots per inch; up to here a resolution tag speaks of paper, not of a specimen."""


@dataclass(frozen=True, slots=True)
class OmeFacts:
    """Of the first image: pixel sizes in µm, number of planes (C counted without samples), why it was refused."""

    scale: dict[str, float] = field(default_factory=dict)
    planes: int = 0
    refused: str = ""
    notes: tuple[str, ...] = ()


def in_micrometres(value: Any, unit: str | None) -> float | None:
    """Return a length in µm; none for an unknown unit or a value that is no positive number."""
    factor = MICROMETRES.get((unit or "").strip().lower())
    try:
        length = float(value) * (factor or math.nan)
    except (TypeError, ValueError):
        return None
    return length if math.isfinite(length) and length > 0 else None


def read_ome(xml: str) -> OmeFacts:
    """Parse OME-XML without entities; text with a DOCTYPE, of absurd length or naming files elsewhere is refused."""
    if len(xml) > _LONGEST_XML:
        return OmeFacts(refused=f"OME-XML of {len(xml):,} characters is ignored")
    if re.search(r"<!(DOCTYPE|ENTITY)", xml, re.IGNORECASE):
        return OmeFacts(refused="OME-XML with a DOCTYPE is ignored (it could expand without end or name other files)")
    try:
        root = ElementTree.fromstring(xml)  # noqa: S314  (entities were refused above)
    except (ElementTree.ParseError, ValueError) as error:
        return OmeFacts(refused=f"OME-XML that cannot be parsed is ignored ({error})")
    for element in root.iter():
        name = element.attrib.get("FileName", "") if element.tag.endswith("UUID") else ""
        if _is_elsewhere(name):
            return OmeFacts(refused=f"OME-XML that names a file outside its folder ({name!r}) is ignored")
    pixels = next(
        (element for element in root.iter() if element.tag.endswith("}Pixels") or element.tag == "Pixels"), None
    )
    return OmeFacts() if pixels is None else _facts_of(pixels)


def _is_elsewhere(name: str) -> bool:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return ".." in parts or len(parts) > 1 or name.startswith(("/", "\\")) or ":" in name[:3]


def _facts_of(pixels: ElementTree.Element) -> OmeFacts:
    scale, notes = {}, []
    for axis in "XYZ":
        value = pixels.attrib.get(f"PhysicalSize{axis}")
        if value is None:
            continue
        unit = pixels.attrib.get(f"PhysicalSize{axis}Unit", "µm")
        length = in_micrometres(value, unit)
        if length is None:
            notes.append(f"pixel size {value} {unit} along {axis} is no known length; ignored")
        else:
            scale[axis] = length
    channel = next((child for child in pixels if child.tag.endswith("Channel")), None)
    samples = int(channel.attrib.get("SamplesPerPixel", 1)) if channel is not None else 1
    try:
        planes = math.prod(int(pixels.attrib[f"Size{axis}"]) for axis in "TCZ") // max(samples, 1)
    except (KeyError, ValueError):
        planes = 0
    return OmeFacts(scale=scale, planes=planes, notes=tuple(notes))


def imagej_scale(metadata: dict[str, Any], page: tifffile.TiffPage) -> tuple[dict[str, float], tuple[str, ...]]:
    """Return the pixel size of an ImageJ file: XY from the resolution tags, Z from `spacing`, all in its `unit`."""
    unit = str(metadata.get("unit", "")).strip()
    if unit.lower() in ("", "pixel", "pixels", "px"):
        return {}, ()
    if in_micrometres(1, unit) is None:
        return {}, (f"unit '{unit}' is no known length; the pixel size is ignored",)
    lengths = {"Z": metadata.get("spacing")}
    for axis, tag in (("Y", "YResolution"), ("X", "XResolution")):
        per_unit = _ratio(page, tag)
        lengths[axis] = 1 / per_unit if per_unit else None
    return {axis: size for axis, value in lengths.items() if (size := in_micrometres(value, unit)) is not None}, ()


def resolution_scale(page: tifffile.TiffPage) -> dict[str, float]:
    """Return the pixel size from resolution tags with a real unit, unless it is one for print (up to 1200 dpi)."""
    tag = page.tags.get("ResolutionUnit")
    unit = int(tag.value) if tag is not None and isinstance(tag.value, int) else 1
    per_inch = {_INCH: 1.0, _CENTIMETRE: 2.54}.get(unit)
    scale = {}
    for axis, name in (("Y", "YResolution"), ("X", "XResolution")):
        per_unit = _ratio(page, name)
        if per_inch and per_unit and per_unit * per_inch > _FINEST_PRINT:
            scale[axis] = 25_400.0 / (per_unit * per_inch)
    return scale if len(scale) == 2 else {}


def _ratio(page: tifffile.TiffPage, name: str) -> float | None:
    tag = page.tags.get(name)
    try:
        numerator, denominator = tag.value  # type: ignore[union-attr]  # a missing tag has no value
        ratio = float(numerator) / float(denominator)
    except (AttributeError, TypeError, ValueError, ZeroDivisionError):
        return None
    return ratio if math.isfinite(ratio) and ratio > 0 else None
