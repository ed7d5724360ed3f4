"""Labels on disk are known to be classes by the table beside them, and by nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from napari_unetseg.labels.class_table import class_table
from napari_unetseg.schema.errors import InputError
from napari_unetseg.tasks.meaning import classes_held, classes_of

CLASSES = class_table(np.array([3, 1]), names=["background", "rim"], axes="yx", scale={})
OBJECTS = pd.DataFrame({"label": [1, 2], "area_px": [3, 4]})


def write(path: Path, table: pd.DataFrame | None = None) -> Path:
    path.parent.mkdir(exist_ok=True)
    tifffile.imwrite(path, np.eye(4, dtype=np.uint8))
    if table is not None:
        table.to_csv(path.with_name(path.name.replace("_labels.tif", "_objects.csv")), index=False)
    return path


def test_classes_are_told_by_the_table_with_their_names(tmp_path: Path) -> None:
    assert classes_of(write(tmp_path / "a_labels.tif", CLASSES)) == ("background", "rim")
    series = pd.concat([CLASSES.assign(t=t) for t in range(2)])
    assert classes_of(write(tmp_path / "b_labels.tif", series)) == ("background", "rim")
    (tmp_path / "a_labels.zarr").mkdir()
    assert classes_of(tmp_path / "a_labels.zarr") == ("background", "rim")


def test_without_a_table_of_classes_nothing_is_known(tmp_path: Path) -> None:
    assert classes_of(write(tmp_path / "a_labels.tif", OBJECTS)) == ()
    assert classes_of(write(tmp_path / "b_labels.tif")) == ()
    for number, content in enumerate((b"", b"\xff\xfe\x00", b"class,share")):
        (tmp_path / f"{number}_objects.csv").write_bytes(content)
        assert classes_of(tmp_path / f"{number}_labels.tif") == ()


def test_a_folder_holds_classes_or_objects_but_not_both(tmp_path: Path) -> None:
    truth, found = tmp_path / "truth", tmp_path / "found"
    write(truth / "a.tif")
    write(found / "a_labels.tif", CLASSES)
    assert classes_held(found, truth) == ("background", "rim")
    assert classes_held(found / "a_labels.tif", truth / "a.tif") == ("background", "rim")
    assert classes_held(truth / "a.tif", found / "a_labels.tif") == ()  # it is the labels that are judged
    write(truth / "b.tif")
    write(found / "b_labels.tif", OBJECTS)
    with pytest.raises(InputError, match=r"1 file with classes \(a_labels.tif\) and 1 without; say --semantic"):
        classes_held(found, truth)
    assert classes_held(found, truth, is_known=True) == ("background", "rim")
    write(found / "b_labels.tif", CLASSES.replace("rim", "nucleus"))
    assert classes_held(found, truth) == ("background", "")
