"""The table of objects on disk: the rows of one call or of many, and nothing under its name before all are there."""

from __future__ import annotations

from contextlib import suppress

import pandas as pd
import pytest

from napari_unetseg.schema.errors import JobError
from napari_unetseg.tasks.object_table import ObjectTable, row_in_the_middle

ROWS = pd.DataFrame({"label": [1, 2, 3], "confidence": [0.25, 0.1, 1 / 3], "intensity_mean_a,b": [1.0, None, 3.5]})


def test_rows_added_in_parts_are_those_added_at_once(tmp_path) -> None:
    with ObjectTable(tmp_path / "parts.csv") as table:
        for part in (ROWS[:1], ROWS[1:1], ROWS[1:]):
            table.add(part)
            assert not (tmp_path / "parts.csv").exists()
    ROWS.to_csv(tmp_path / "whole.csv", index=False)
    assert (tmp_path / "parts.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "parts.csv"), ROWS)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_table_of_nothing_has_its_columns(tmp_path) -> None:
    with ObjectTable(tmp_path / "t.csv") as table:
        table.add(ROWS[:0])
    assert list(pd.read_csv(tmp_path / "t.csv")) == list(ROWS)
    assert row_in_the_middle(tmp_path / "t.csv") == {}


def test_what_fails_leaves_the_earlier_table(tmp_path) -> None:
    (tmp_path / "t.csv").write_text("earlier")
    with suppress(RuntimeError), ObjectTable(tmp_path / "t.csv") as table:
        table.add(ROWS)
        raise RuntimeError
    with ObjectTable(tmp_path / "t.csv"):
        pass  # no rows, no table
    assert [path.read_text() for path in tmp_path.iterdir()] == ["earlier"]


def test_a_full_disk_is_told(tmp_path, monkeypatch) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_csv", refuse)
    with pytest.raises(JobError, match=r"t\.csv.*No space left"), ObjectTable(tmp_path / "t.csv") as table:
        table.add(ROWS)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("count", "middle"), [(1, "1"), (2, "2"), (3, "3"), (1001, "503")])
def test_the_row_in_the_middle(tmp_path, count, middle) -> None:
    rows = pd.DataFrame({"label": range(1, count + 1), "a,b": ["x" * 50] * count})
    rows.to_csv(tmp_path / "t.csv", index=False)
    assert row_in_the_middle(tmp_path / "t.csv") == {"label": middle, "a,b": "x" * 50}
