"""Know what label files hold, objects or classes, by the table that `segment` writes beside them."""

from __future__ import annotations

import csv
from itertools import zip_longest
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


def classes_held(predicted: Path, truth: Path, *, is_known: bool = False) -> tuple[str, ...]:
    """Return the names of the classes in the files that `evaluate_files` would compare with the truth; none of objects.

    Names on which the files do not agree are empty. Raises `InputError` where only some are known to hold classes,
    unless all of them do (`is_known`).
    """
    files = [path for _, path in layouts.pair_labels(truth, predicted)]
    named = {path: classes_of(path) for path in files}
    known = [path for path in files if named[path]]
    if known and len(known) < len(files) and not is_known:
        names = known[0].name if len(known) == 1 else f"{known[0].name}, ..."
        raise InputError(
            f"{predicted}: {counted(len(known), 'file')} with classes ({names}) and {len(files) - len(known)} without; "
            "say --semantic or --objects, or keep them in folders of their own"
        )
    together = zip_longest(*(named[path] for path in known), fillvalue="")
    return tuple(names[0] if len(set(names)) == 1 else "" for names in together)
