"""Plain text tables that survive a copy into an e-mail."""

from __future__ import annotations

from collections.abc import Sequence


def table(rows: Sequence[Sequence[object]], *, head: Sequence[str]) -> str:
    """Set `rows` under `head` in columns: numbers to the right, words to the left, two blanks between."""
    cells = [list(head), *([_text(value) for value in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    is_number = [
        bool(rows) and all(isinstance(row[i], (int, float)) or row[i] is None for row in rows) for i in range(len(head))
    ]
    lines = ["  ".join(_fit(row[i], widths[i], right=is_number[i]) for i in range(len(head))).rstrip() for row in cells]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def _text(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
    return str(value)


def _fit(text: str, width: int, *, right: bool) -> str:
    return text.rjust(width) if right else text.ljust(width)
