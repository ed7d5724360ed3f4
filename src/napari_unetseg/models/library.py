"""The library of models: those bundled with the package, and those in the user's folder, by name."""

from __future__ import annotations

import difflib
import os
import re
import sys
from importlib import resources
from pathlib import Path

from napari_unetseg.models import disk, file
from napari_unetseg.schema.errors import ModelFileError

SUFFIX = ".safetensors"
DEFAULT = "nuclei"
"""The bundled model that is taken where none is named."""
_CHECKPOINT = f".checkpoint{SUFFIX}"
_preferred: dict[str, Path | None] = {"folder": None}
_NAME = re.compile(r"\w[\w .+\-]{0,99}(?<![ .])")


def bundled() -> dict[str, Path]:
    """Return the models that come with the package, first the default one."""
    models = _models_in(Path(str(resources.files("napari_unetseg") / "data")))
    return dict(sorted(models.items(), key=lambda entry: entry[0] != DEFAULT))


def user_folder() -> Path:
    """Return where imported models are kept: $UNETSEG_MODELS, the preferred folder, or the place for a user's data."""
    if chosen := os.environ.get("UNETSEG_MODELS"):
        return Path(chosen).expanduser()
    return _preferred["folder"] or _data_home() / "napari-unetseg" / "models"


def prefer_folder(folder: Path | None) -> None:
    """Keep the user's models in `folder` from now on; none: in the usual place."""
    _preferred["folder"] = folder


def checkpoint_of(model: Path) -> Path:
    """Return where a training run freezes its state beside the model it makes; the file is there until it ends."""
    return model.with_name(f"{model.stem}{_CHECKPOINT}")


def available() -> dict[str, Path]:
    """Return every model by name, bundled ones first; a bundled model is never hidden by another of its name."""
    own = bundled()
    return own | {name: path for name, path in _models_in(user_folder()).items() if name not in own}


def find(name_or_path: str | Path) -> Path:
    """Return the file of the model with this name, or the file at this path."""
    models = available()
    if str(name_or_path) in models:
        return models[str(name_or_path)]
    path = Path(name_or_path).expanduser()
    if path.exists():
        return path
    if path.suffix or len(path.parts) > 1:
        raise ModelFileError(f"{path}: there is no such model file; models known by name: {_listed(models)}")
    close = difflib.get_close_matches(path.name, models, n=1)
    hint = f"; did you mean '{close[0]}'?" if close else "."
    raise ModelFileError(
        f"no model is named '{path}'; known: {_listed(models)}{hint} Or give the path of a {SUFFIX} file"
    )


def import_model(path: str | Path, name: str | None = None) -> Path:
    """Check a model file in full and copy it into the user's folder, where it is known as `name` (else its file's)."""
    path = Path(path).expanduser()
    name = path.stem if name is None else name
    check_new_name(name)
    _copy(path, user_folder() / f"{name}{SUFFIX}")
    return user_folder() / f"{name}{SUFFIX}"


def export_model(name: str, path: str | Path, *, overwrite: bool = False) -> Path:
    """Copy a model out of the library, to a file or into a folder."""
    source = find(name)
    target = export_target(source, path, overwrite=overwrite)
    _copy(source, target)
    return target


def export_target(source: Path, path: str | Path, *, overwrite: bool = False) -> Path:
    """Return the file that a copy of `source` is to be, at `path` or in this folder.

    What exists is refused, unless it may be replaced (`overwrite`); the model itself never is.
    """
    target = Path(path).expanduser()
    if target.is_dir():
        target /= source.name
    elif not target.suffix:
        target = target.with_name(target.name + SUFFIX)
    if target.exists() and target.samefile(source):
        raise ModelFileError(f"{target}: is the model itself, which stays as it is; choose another name")
    if target.exists() and not overwrite:
        raise ModelFileError(f"{target}: exists already; choose another name or give --overwrite")
    return target


def _copy(source: Path, target: Path) -> None:
    """Write the very bytes that were checked."""
    data = disk.read(source)
    file.parse(data, path=source)
    disk.write(target, [data])


def check_new_name(name: str) -> None:
    """Refuse what cannot name a model of the user's, or names one already."""
    if not _NAME.fullmatch(name):
        raise ModelFileError(f"'{name[:100]}' cannot name a model; use letters, digits, '-', '_', '+', '.' and spaces")
    taken = {known.casefold(): path for known, path in available().items()}  # some file systems ignore case
    if name.casefold() in taken:
        where = "comes with the package" if name.casefold() in map(str.casefold, bundled()) else "is in your library"
        raise ModelFileError(f"a model named '{name}' {where} already; choose another name")


def _models_in(folder: Path) -> dict[str, Path]:
    try:
        paths = sorted(folder.glob(f"*{SUFFIX}"))
    except OSError:
        return {}
    return {path.stem: path for path in paths if path.is_file() and not _is_unfinished(path)}


def _is_unfinished(path: Path) -> bool:
    """Tell a file being written and the checkpoint of an interrupted training from a model."""
    return path.name.startswith(".") or path.name.endswith(_CHECKPOINT)


def _data_home() -> Path:
    match sys.platform:
        case "win32":
            return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
        case "darwin":
            return Path.home() / "Library" / "Application Support"
        case _:
            return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")


def _listed(models: dict[str, Path]) -> str:
    return ", ".join(models) or "none"
