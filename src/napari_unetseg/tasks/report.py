"""What became of the images of a folder, as a page: a picture, the objects, and the time or the error of each."""

from __future__ import annotations

import base64
import html
import io
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from PIL import Image

from napari_unetseg.images.read import open_image
from napari_unetseg.images.results import REPORT, Result
from napari_unetseg.images.source import ImageSource
from napari_unetseg.images.write import write_text
from napari_unetseg.labels.ids import compact
from napari_unetseg.labels.outlines import COLOURS, outlined, stretch
from napari_unetseg.schema.errors import UnetSegError
from napari_unetseg.schema.events import ItemDone
from napari_unetseg.schema.words import counted, duration
from napari_unetseg.tasks.object_table import row_in_the_middle

LINES = ".unetseg_report.jsonl"
EDGE = 160  # px of a picture
STYLE = """
body { font: 14px system-ui, sans-serif; margin: 2em; color: #222; }
table { border-collapse: collapse; }
th, td { text-align: left; padding: 6px 14px 6px 0; border-bottom: 1px solid #ddd; vertical-align: top; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
.failed { color: #b00020; }
img { image-rendering: pixelated; display: block; }
"""


@dataclass(frozen=True, slots=True)
class _Row:
    """One image; the picture is a PNG in base64."""

    path: str
    name: str
    status: str
    objects: int | None = None
    seconds: float | None = None
    axes: str = ""
    error: str = ""
    picture: str = ""


class Report:
    """The rows of a folder: those of earlier runs, and of this one and of others at work, which take their place."""

    def __init__(self, folder: Path, *, title: str, has_objects: bool = True) -> None:
        self._folder, self._title, self._has_objects = folder, title, has_objects

    def add(self, item: ItemDone, *, path: Path, picture: str = "") -> None:
        """Note what became of the image at `path`; one that was kept has its row already."""
        key = str(path.resolve())
        if item.error is None and item.seconds == 0:
            known = _read_rows(self._folder / LINES).get(key)
            if known is not None and known.status in ("done", "kept"):
                return
        status = "failed" if item.error else "in parts" if item.output is None else "done" if item.seconds else "kept"
        is_known = status == "done" and self._has_objects
        row = _Row(
            path=key,
            name=item.item,
            status=status,
            objects=item.objects if is_known else None,
            seconds=round(item.seconds, 2) if item.seconds else None,
            axes=item.axes,
            error=item.error or "",
            picture=picture,
        )
        with (self._folder / LINES).open("a", encoding="utf-8") as file:
            file.write(f"\n{json.dumps(asdict(row))}\n")  # on a line of its own, should the last have been cut short

    def write(self) -> Path:
        """Write the page."""
        rows = sorted(_read_rows(self._folder / LINES).values(), key=lambda row: (row.name, row.path))
        body = "\n".join(_as_html(row) for row in rows)
        head = "".join(f"<th>{name}</th>" for name in ("", "image", "", "objects", "time", "axes"))
        return write_text(
            self._folder / REPORT,
            f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(self._title)}</title>'
            f"<style>{STYLE}</style></head>\n<body><h1>{html.escape(self._title)}</h1>\n<p>{_summary(rows)}</p>\n"
            f"<table><tr>{head}</tr>\n{body}\n</table></body></html>\n",
        )


def picture_of(source: ImageSource, place: Result, *, channel: int) -> str:
    """Return the surroundings of the middle object, with outlines, as a PNG in base64.

    Empty where image or results can no longer be read: they stand all the same.
    """
    try:
        middle = _place_of(row_in_the_middle(place.table), sizes=source.sizes)
        return _picture(source, open_image(place.labels), middle=middle, channel=channel)
    except (UnetSegError, OSError, ValueError):
        return ""


def _picture(source: ImageSource, result: ImageSource, *, middle: dict[str, int], channel: int) -> str:
    y, x = (_around(middle[letter], length=source.sizes[letter]) for letter in "YX")
    where = {"t": middle["T"], "z": middle["Z"], "yx": (y, x)}
    grey = stretch(source.read(channels=[channel], **where)[0])  # type: ignore[arg-type]  # by keyword
    ids, former = compact(result.read(**where)[0])  # type: ignore[arg-type]
    colours = COLOURS[former % len(COLOURS)]
    stream = io.BytesIO()
    Image.fromarray(outlined(grey, ids, colours=colours)).save(stream, format="PNG")
    return base64.b64encode(stream.getvalue()).decode()


def _place_of(row: dict[str, str], *, sizes: dict[str, int]) -> dict[str, int]:
    """Return the place of an object; without a row, the middle of the image."""
    place = {letter: sizes[letter] // 2 for letter in "TZYX"}
    for letter in "TZYX":
        for name in (letter.lower(), f"centroid_{letter.lower()}_px"):
            if name in row:
                place[letter] = min(int(float(row[name])), sizes[letter] - 1)
    return place


def _around(place: int, *, length: int) -> slice:
    start = min(max(0, place - EDGE // 2), max(0, length - EDGE))
    return slice(start, min(start + EDGE, length))


def _read_rows(path: Path) -> dict[str, _Row]:
    rows: dict[str, _Row] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return rows
    for line in lines:
        try:
            row = _Row(**json.loads(line))
            rows[row.path] = row
        except (ValueError, TypeError):
            continue  # a line that a crash has cut short
    return rows


def _summary(rows: list[_Row]) -> str:
    done, failed = (sum(row.status == status for row in rows) for status in ("done", "failed"))
    objects, seconds = sum(row.objects or 0 for row in rows), sum(row.seconds or 0.0 for row in rows)
    found = f": {counted(objects, 'object')}" if any(row.objects is not None for row in rows) else ""
    told = f"{counted(len(rows), 'image')}, {done} done{found} in {duration(seconds)}"
    return f'{told}; <span class="failed">{failed} failed</span>' if failed else told


def _as_html(row: _Row) -> str:
    picture = f'<img alt="" src="data:image/png;base64,{row.picture}">' if row.picture else ""
    state = html.escape(f"{row.status}: {row.error}" if row.error else row.status)
    numbers = (
        "" if row.objects is None else f"{row.objects:,}",
        "" if row.seconds is None else duration(row.seconds),
    )
    cells = [f"<td>{picture}</td>", f"<td>{html.escape(row.name)}</td>"]
    cells.append(f'<td class="failed">{state}</td>' if row.error else f"<td>{state}</td>")
    cells += [f'<td class="number">{number}</td>' for number in numbers]
    return f"<tr>{''.join(cells)}<td>{html.escape(row.axes)}</td></tr>"
