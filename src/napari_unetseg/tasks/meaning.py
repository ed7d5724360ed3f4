"""Know what label files hold, objects or classes, by the table that `segment` writes beside them."""

from __future__ import annotations

import csv
from pathlib import Path

from napari_unetseg.images import layouts
from napari_unetseg.images.results import place_of
from napari_unetseg.labels.class_table import NAME, SHARE
from napari_unetseg.schema.errors import InputError
from napari_unetseg.schema.words import counted


def classes_of(labels: Path) -> tuple[str, ...]:
    """Return the names of the classes in a label file, the background first; none of objects, or without a table."""
    try:
        with place_of(labels).table.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file)
            if not {NAME, SHARE} <= set(rows.fieldnames or ()):
                return ()
            return tuple(dict.fromkeys(row[NAME] for row in rows))
    except (OSError, UnicodeDecodeError, csv.Error):
        return ()


def holds_classes(predicted: Path, truth: Path) -> bool:
    """Tell whether the files that `evaluate_files` would compare with the truth are known to hold classes.

    Raises `InputError` where some are and others are not.
    """
    files = [path for _, path in layouts.pair_labels(truth, predicted)]
    known = [path for path in files if classes_of(path)]
    if known and len(known) < len(files):
        names = known[0].name if len(known) == 1 else f"{known[0].name}, ..."
        raise InputError(
            f"{predicted}: {counted(len(known), 'file')} with classes ({names}) and {len(files) - len(known)} without; "
            "say --semantic or --objects, or keep them in folders of their own"
        )
    return bool(known)
