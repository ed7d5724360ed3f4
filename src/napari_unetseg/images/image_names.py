"""Which image of a folder annotations mean: by path, by name, by stem, or by a stem with a suffix."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from pathlib import Path, PurePosixPath

from napari_unetseg.images.annotation import Annotation
from napari_unetseg.images.find import ENDINGS, list_images
from napari_unetseg.images.layouts import LABEL_SUFFIXES, stem_of
from napari_unetseg.images.zarr_store import is_zarr
from napari_unetseg.schema.errors import InputError

_SUFFIXES = (*LABEL_SUFFIXES, "_rois", "_RoiSet", "-rois", "-RoiSet")


class ImageIndex:
    """The images in a folder (but for those in `without`), or one image; each is given to one annotation."""

    def __init__(self, place: Path, *, without: Collection[Path] = (), is_for_one: bool = False) -> None:
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

    def take(self, annotation: Annotation) -> Path:
        """Return the image of an annotation; none, several, or one that is annotated twice is an `InputError`."""
        path = self._paths[0] if self._is_for_one else self._find(annotation)
        if path is None:
            names = " or ".join(str(name)[:80] for name in annotation.images)
            raise InputError(
                f"{annotation.name}: {self._place} holds no image of that name ({names}); "
                "give the folder of its images with --images"
            )
        key = path.resolve()
        if key in self._takers:
            raise InputError(f"{annotation.name}: {path.name} is annotated in {self._takers[key]} already; keep one")
        self._takers[key] = annotation.name
        return path

    def left(self) -> list[Path]:
        """Return the images that no annotation has taken."""
        return [path for path in self._paths if path.resolve() not in self._takers]

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
        stem = stem_of(Path(name))
        for suffix in _SUFFIXES:
            found = self._by_stem.get(stem.removesuffix(suffix), []) if stem.endswith(suffix) else []
            if len(found) > 1:
                raise InputError(
                    f"{annotation.name}: there are several images of that name "
                    f"({', '.join(path.name for path in found)}); keep one"
                )
            if found:
                return found[0]
        return None
