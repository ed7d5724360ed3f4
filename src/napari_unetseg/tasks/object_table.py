"""The table of objects as a CSV file, written as it comes: millions of rows take more memory than a block does."""

from __future__ import annotations

import csv
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import pandas as pd

from napari_unetseg.images.atomic import explained, replacing


class ObjectTable:
    """A table that gets its name when the block ends well and rows were added, be it none of them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stack = ExitStack()
        self._draft: Path | None = None

    def __enter__(self) -> ObjectTable:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with explained(self._path):
            self._stack.__exit__(kind, error, trace)

    def add(self, rows: pd.DataFrame) -> None:
        """Write rows below those that are there."""
        with explained(self._path):
            is_first = self._draft is None
            if self._draft is None:
                self._draft = self._stack.enter_context(replacing(self._path))
            rows.to_csv(self._draft, mode="a", header=is_first, index=False)


def row_in_the_middle(path: Path) -> dict[str, str]:
    """Return the row in the middle of a table's file, without reading the others; empty if the table is."""
    with path.open("rb") as file:
        head = file.readline()
        first = file.readline()
        file.seek(path.stat().st_size // 2)
        file.readline()  # most often only the end of a row
        lines = [head, file.readline() or first]
    names, values = csv.reader(line.decode() for line in lines)
    return dict(zip(names, values, strict=False))
