"""Which image of a folder annotations mean: by path, by name, by stem, or by a stem with a suffix."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Collection
from pathlib import Path, PurePosixPath

from napari_unetseg.images.annotation import Annotation
from napari_unetseg.images.find import ENDINGS, list_images
from napari_unetseg.images.layouts import LABEL_SUFFIXES, stem_of
from napari_unetseg.images.zarr_store import is_zarr
from napari_unetseg.schema.errors import InputError

_SUFFIXES: tuple[str, ...] = (*LABEL_SUFFIXES, "_rois", "_RoiSet", "-rois", "-RoiSet")


class ImageIndex:
    """The images in a folder (but for those in `without`), or one image; each is given to one annotation.

    `is_given`: a person has named the place, so that errors do not ask for it.
    """

    def __init__(
        self, place: Path, *, without: Collection[Path] = (), is_for_one: bool = False, is_given: bool = False
    ) -> None:
        if not place.exists():
            raise InputError(f"{place}: there is no such file or folder of images; check the path")
        self._is_single = not place.is_dir() or is_zarr(place)
        self._place = place
        taken = {path.resolve() for path in without}  # both folders may be spelled differently, or be links
        listed = [] if self._is_single else list_images(place)
        self._paths = [place] if self._is_single else [path for path in listed if path.resolve() not in taken]
        self._by_stem: dict[str, list[Path]] = defaultdict(list)
        for path in self._paths:
            self._by_stem[stem_of(path)].append(path)
        self._takers: dict[Path, str] = {}
        self._is_for_one = is_for_one and self._is_single
        self._is_given = is_given

    def take(self, annotation: Annotation) -> Path:
        """Return the image of an annotation; none, several, or one that is annotated twice is an `InputError`."""
        path = self._paths[0] if self._is_for_one else self._find(annotation)
        if path is None:
            names = " or ".join(str(name)[:80] for name in annotation.images)
            where = f"{self._place} {'is' if self._is_single else 'holds'} no image of that name"
            raise InputError(f"{annotation.name}: {where} ({names}); {self._remedy(annotation)}")
        key = path.resolve()
        if key in self._takers:
            raise InputError(f"{annotation.name}: {path.name} is annotated in {self._takers[key]} already; keep one")
        self._takers[key] = annotation.name
        return path

    def left(self) -> list[Path]:
        """Return the images that no annotation has taken."""
        return [path for path in self._paths if path.resolve() not in self._takers]

    def _remedy(self, annotation: Annotation) -> str:
        """Say what to do about an annotation without an image; a name that differs a little is shown, never taken."""
        wanted = {_letters(stem) for name in annotation.images for stem in _stems(str(name), is_exact=False)}
        if near := next((path for path in self._paths if _letters(stem_of(path)) in wanted - {""}), None):
            return (
                f"did you mean {near.name}? Capitals, accents and signs must be alike, also in endings such as _mask; "
                "rename one of the two"
            )
        if self._is_single:
            return "give the folder of all images with --images"
        if self._is_given:
            return "put the image there, give another folder, or correct the name"
        return "give the folder of its images with --images"

    def _find(self, annotation: Annotation) -> Path | None:
        for name in annotation.images:
            if isinstance(name, Path):
                return name
            if found := self._called(name, annotation=annotation):
                return found
        return None

    def _called(self, name: str, *, annotation: Annotation) -> Path | None:
        last = PurePosixPath(name.replace("\\", "/")).name
        if not last:
            return None
        try:
            return self._by_path(name) or self._named(last) or self._of_stem(last, annotation=annotation)
        except OSError:  # a name longer than file systems allow
            return None

    def _by_path(self, name: str) -> Path | None:
        """Return the file at a path below the folder, such as train/a.png."""
        place = PurePosixPath(name.replace("\\", "/"))
        if self._is_single or len(place.parts) < 2 or place.is_absolute() or ".." in place.parts:
            return None
        path = self._place / place
        return path if path.name.lower().endswith(ENDINGS) and path.is_file() else None

    def _named(self, name: str) -> Path | None:
        return next((path for path in self._paths if path.name == name), None)

    def _of_stem(self, name: str, *, annotation: Annotation) -> Path | None:
        for stem in _stems(name):
            found = self._by_stem.get(stem, [])
            if len(found) > 1:
                raise InputError(
                    f"{annotation.name}: there are several images of that name "
                    f"({', '.join(path.name for path in found)}); keep one"
                )
            if found:
                return found[0]
        return None


def _stems(name: str, *, is_exact: bool = True) -> list[str]:
    """Return the stem of a name, whole and without each suffix it ends with; unless exact, in small letters."""
    last = PurePosixPath(name.replace("\\", "/")).name
    stem, suffixes = stem_of(Path(last)) if last else "", _SUFFIXES
    if not is_exact:
        stem, suffixes = stem.casefold(), tuple(suffix.casefold() for suffix in _SUFFIXES)
    return [stem.removesuffix(suffix) for suffix in suffixes if stem.endswith(suffix)]


def _letters(stem: str) -> str:
    """Return the letters and digits of a stem, without case and accents."""
    return "".join(sign for sign in unicodedata.normalize("NFKD", stem.casefold()) if sign.isalnum())
