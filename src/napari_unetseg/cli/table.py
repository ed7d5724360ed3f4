"""Plain text tables that survive a copy into an e-mail."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from napari_unetseg.schema.words import decimal

WIDTH = 96  # characters of a text in a table
GROUPED = 10_000  # whole numbers from here on have a comma at every thousand


def table(rows: Sequence[Sequence[object]], *, head: Sequence[str]) -> str:
    """Set `rows` under `head` in columns: numbers to the right, words to the left, two blanks between."""
    cells = [list(head), *([_text(value) for value in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    is_number = [
        bool(rows) and all(isinstance(row[i], (int, float)) or row[i] is None for row in rows) for i in range(len(head))
    ]
    lines = ["  ".join(_fit(row[i], widths[i], right=is_number[i]) for i in range(len(head))).rstrip() for row in cells]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def wrapped(facts: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return names and texts as rows; a long text goes on in rows without a name."""
    rows = []
    for name, text in facts.items():
        lines = textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)
        rows += [(name if not index else "", line) for index, line in enumerate(lines)]
    return rows


def _text(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return decimal(value)
    return f"{value:,}" if isinstance(value, int) and value >= GROUPED else str(value)


def _fit(text: str, width: int, *, right: bool) -> str:
    return text.rjust(width) if right else text.ljust(width)
