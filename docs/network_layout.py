"""Where the boxes of a network's picture lie, and the ways of the lines between them: none crosses a box.

A column for each box, in the order in which they are computed; a row for each resolution. A line leaves a box on its
right and enters one on its left. It goes along the middle of a row where that is free, else along a lane above the
row; up and down it goes in the gaps between columns. Lines of one box share their way, like a bus.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from network_graph import Graph

TALL, LOW = 42.0, 8.0
"""Heights (px) of the box with the most channels, and of one with few."""
LANE, TRACK, GAP = 5.0, 4.0, 8.0
"""Distance of lanes above a row, of tracks in a gap, and what is free on either side of those."""
FONT = 9.0
"""Size (px) of letters in a picture of the usual width; in a wider one, which is shown smaller, they are larger."""
LEFT, TOP, RIGHT = 66.0, 8.0, 22.0
LEAST_WIDTH = 760.0


@dataclass(frozen=True)
class Line:
    """A way from one box to another through these points."""

    source: int
    target: int
    points: tuple[tuple[float, float], ...]
    is_skip: bool
    is_places: bool


@dataclass
class _Route:
    """A way in columns, rows and lanes: from its source along (row, lane) to the gap before its target."""

    source: int
    target: int
    row: int
    lane: int
    """0: the middle of the row; 1 and more: above it."""
    turns_first: bool
    """Whether it changes rows in the gap behind its source, rather than before its target."""
    is_places: bool


@dataclass
class Layout:
    """Columns and rows in pixels."""

    columns: dict[int, int]
    rows: dict[int, int]
    """Of each level."""
    x: list[float] = field(default_factory=list)
    widths: list[float] = field(default_factory=list)
    y: list[float] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    size: tuple[float, float] = (0.0, 0.0)
    font: float = FONT

    @property
    def caption(self) -> float:
        """Room for the number above a box."""
        return self.font + 3


def lay_out(graph: Graph) -> Layout:
    """Place boxes and lines."""
    levels = sorted({box.level for box in graph.values()})
    layout = Layout({number: column for column, number in enumerate(graph)}, {lvl: i for i, lvl in enumerate(levels)})
    routes = _routes(graph, layout)
    lanes = {row: max((one.lane for one in routes if one.row == row), default=0) for row in range(len(levels))}
    tracks = _tracks(routes, graph, layout)
    layout.widths = [width_of(box.layers) for box in graph.values()]
    tight = [2 * GAP + TRACK * max(0, len(tracks[column]) - 1) for column in range(1, len(graph))]
    natural = LEFT + sum(layout.widths) + sum(tight) + RIGHT
    wider = max(0.0, LEAST_WIDTH - natural) / len(tight)
    layout.x = [LEFT + sum(layout.widths[:one]) + sum(tight[:one]) + one * wider for one in range(len(graph))]
    layout.font = FONT * max(1.0, natural / LEAST_WIDTH)
    y, tallest = TOP, max(box.channels for box in graph.values())
    for row, level in enumerate(levels):
        tall = max(height_of(box.channels, tallest) for box in graph.values() if box.level == level)
        y += lanes[row] * LANE + layout.caption + tall / 2 + 4
        layout.y.append(y)
        y += tall / 2 + 4
    layout.lines = [_line(route, graph, layout, tracks) for route in routes]
    layout.size = (max(natural, LEAST_WIDTH), y + 4)
    return layout


def width_of(layers: int) -> float:
    """Return the width of a box with so many convolutions; without any it is a join or an enlargement."""
    return 10.0 + 5.0 * math.log2(1 + layers)


def height_of(channels: int, most: int) -> float:
    """Return the height of a box, by the logarithm of its channels."""
    return LOW + (TALL - LOW) * math.log(channels) / math.log(max(2, most))


def _edges(graph: Graph) -> list[tuple[int, int, bool]]:
    edges = [(source, number, False) for number, box in graph.items() for source in box.sources]
    edges += [(box.places_of, number, True) for number, box in graph.items() if box.places_of is not None]
    return edges


def _routes(graph: Graph, layout: Layout) -> list[_Route]:
    """Choose a way for each line, short ones first."""
    columns = layout.columns
    row_of = {number: layout.rows[box.level] for number, box in graph.items()}
    taken: dict[tuple[int, int], list[tuple[float, float, int]]] = defaultdict(list)
    boxes = defaultdict(list)
    for number, column in columns.items():
        boxes[row_of[number]].append(column)

    def is_free(row: int, lane: int, begin: float, end: float, source: int) -> bool:
        hit = any(begin < column < end for column in boxes[row]) if lane == 0 else False
        return not hit and all(who == source or end <= start or stop <= begin for start, stop, who in taken[row, lane])

    routes = []
    for source, target, is_places in sorted(_edges(graph), key=lambda one: (columns[one[1]] - columns[one[0]], one)):
        begin, end = columns[source], columns[target]
        from_row, to_row = row_of[source], row_of[target]
        for row, lane, turns_first in _choices(from_row, to_row):
            start, stop = (begin + 0.5 if turns_first else begin), (end if turns_first else end - 0.5)
            if is_free(row, lane, start, stop, source):
                taken[row, lane].append((start, stop, source))
                routes.append(_Route(source, target, row, lane, turns_first, is_places))
                break
    return routes


def _choices(from_row: int, to_row: int) -> Iterator[tuple[int, int, bool]]:
    """Yield (row, lane, whether it turns first), best first."""
    if from_row == to_row:
        yield from_row, 0, False
    else:
        yield from_row, 0, False
        yield to_row, 0, True
    for lane in range(1, 40):
        yield to_row, lane, True


def _tracks(routes: list[_Route], graph: Graph, layout: Layout) -> dict[int, list[int]]:
    """Return for the gap before each column who goes up or down in it, from left to right."""
    tracks: dict[int, list[int]] = defaultdict(list)
    for route in routes:
        for column in _turns(route, graph, layout):
            if route.source not in tracks[column]:
                tracks[column].append(route.source)
    for keys in tracks.values():  # those of the box just before the gap turn first
        keys.sort(key=lambda source: -layout.columns[source])
    return tracks


def _turns(route: _Route, graph: Graph, layout: Layout) -> list[int]:
    """Return the columns before which a line goes up or down."""
    begin, end = layout.columns[route.source] + 1, layout.columns[route.target]
    from_row, to_row = (layout.rows[graph[one].level] for one in (route.source, route.target))
    turns = []
    if (from_row, 0) != (route.row, route.lane):
        turns.append(begin)
    if (to_row, 0) != (route.row, route.lane):
        turns.append(end)
    return turns


def _line(route: _Route, graph: Graph, layout: Layout, tracks: dict[int, list[int]]) -> Line:
    begin, end = layout.columns[route.source], layout.columns[route.target]
    from_y, to_y = (layout.y[layout.rows[graph[one].level]] for one in (route.source, route.target))
    x, y = layout.x[begin] + layout.widths[begin], from_y
    points = [(x, y)]
    level = next(box.level for box in graph.values() if layout.rows[box.level] == route.row)
    tall = max(
        height_of(box.channels, max(one.channels for one in graph.values()))
        for box in graph.values()
        if box.level == level
    )
    way = layout.y[route.row] - (tall / 2 + layout.caption + (route.lane - 1) * LANE if route.lane else 0)
    for column, after in zip(_turns(route, graph, layout), (way, to_y), strict=False):
        goal = after if after != y else to_y
        middle = (layout.x[column - 1] + layout.widths[column - 1] + layout.x[column]) / 2
        here = middle + TRACK * (tracks[column].index(route.source) - (len(tracks[column]) - 1) / 2)
        points += [(here, y), (here, goal)]
        y = goal
    points.append((layout.x[end], to_y))
    is_skip = end - begin > 1
    return Line(route.source, route.target, tuple(points), is_skip, route.is_places)
