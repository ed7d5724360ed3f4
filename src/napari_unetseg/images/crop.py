"""Cut a region out of a lazy image: another lazy image, of which still nothing is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from napari_unetseg.images.budget import available_memory, byte_count
from napari_unetseg.images.source import ImageSource, Reader, Region
from napari_unetseg.schema.errors import InputError


def crop(source: ImageSource, region: Mapping[str, slice]) -> ImageSource:
    """Return the part of `source` that `region` (a slice for some of T, Z, Y, X) names.

    Where Y or X are cut, the part remembers the whole planes it comes from, whose intensities set its contrast: a
    cut with nothing but background would else be stretched to noise. Where that is too much to read, it does not.
    """
    slices = [_span(source, letter, region.get(letter)) for letter in source.axes.letters]
    starts = [part.start for part in slices]
    shape = tuple(part.stop - part.start for part in slices)
    cut = replace(source, shape=shape, reader=_shifted(source.reader, starts), context=None)
    if any(cut.sizes[letter] < source.sizes[letter] for letter in "YX"):
        planes = crop(source, {letter: part for letter, part in region.items() if letter in "TZ"})
        if byte_count(planes.shape, source.dtype) < available_memory() // 8:
            return replace(cut, context=planes)
    return cut


def _shifted(reader: Reader, starts: list[int]) -> Reader:
    def read(index: Region) -> np.ndarray:
        return reader(
            tuple(slice(part.start + start, part.stop + start) for part, start in zip(index, starts, strict=True))
        )

    return read


def _span(source: ImageSource, letter: str, wanted: slice | None) -> slice:
    length = source.shape[source.axes.letters.index(letter)]
    start, stop, step = (wanted or slice(None)).indices(length)
    if step != 1 or stop <= start:
        raise InputError(f"{source.name}: the {letter} region {wanted} of {length} is empty; choose another region")
    return slice(start, stop)
