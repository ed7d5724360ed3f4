"""The picture of a network as SVG, from what flows into what in it."""

from __future__ import annotations

from network_graph import WHOLE, Box, Graph
from network_layout import FONT, LEFT, Layout, Line, height_of, lay_out

INK, FAINT = "#333333", "#8a8a8a"
CONVOLUTION, DILATED = "#a9cde6", "#f0c27a"
ENTRIES = {"down": "#0072B2", "up": "#009E73", "unpool": "#CC79A7", "whole": "#D55E00"}
STRIP = 4.0
"""Width (px) of the strip that tells how a box begins."""
NAMES = {
    "convolution": "convolutions",
    "dilated": "dilated convolutions",
    "inner": "a small U of its own",
    "join": "sum or concatenation",
    "down": "smaller: pooling or stride",
    "up": "larger: interpolation or transposed convolution",
    "unpool": "larger: values back to where the maxima were",
    "places": "the way of their places",
    "whole": "mean of the whole image",
    "sees_all": "weighed by the whole image",
    "heard": "extra output while it learns",
    "training": "left out in prediction",
}


def draw(graph: Graph) -> str:
    """Return the SVG text."""
    layout = lay_out(graph)
    width = layout.size[0]
    legend, height = _legend(graph, layout)
    most = max(box.channels for box in graph.values())
    body = [_line(line, graph) for line in sorted(layout.lines, key=lambda line: line.is_skip)]
    body += [_box(number, graph, layout, most=most) for number in graph]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'font-family="Helvetica, Arial, sans-serif" font-size="{layout.font:.1f}">',
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="white"/>',
        *_scale(layout, width=width),
        *body,
        *legend,
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _scale(layout: Layout, *, width: float) -> list[str]:
    """Return a faint line for each resolution, and its name."""
    parts = []
    for level, row in layout.rows.items():
        y = layout.y[row]
        name = "whole image" if level == WHOLE else "full size" if level == 0 else f"1/{2**level}"
        parts.append(f'<path d="M{LEFT - 4:.0f} {y:.1f}H{width - 6:.0f}" stroke="#f0f0f0"/>')
        parts.append(f'<text x="4" y="{y + layout.font / 3:.1f}" fill="{FAINT}">{name}</text>')
    return parts


def _box(number: int, graph: Graph, layout: Layout, *, most: int) -> str:
    box, column = graph[number], layout.columns[number]
    x, y, width = layout.x[column], layout.y[layout.rows[box.level]], layout.widths[column]
    tall = height_of(box.channels, most)
    top = y - tall / 2
    opacity = ' opacity="0.45"' if box.is_training_only else ""
    parts = [f"<g{opacity}>"]
    if number == 0 or box.is_logits:
        name = "image" if number == 0 else "logits"
        parts.append(f'<rect x="{x:.1f}" y="{y - 5:.1f}" width="10" height="10" fill="white" stroke="{INK}"/>')
        at = y - 9 if number == 0 else y + 8 + layout.font  # logits: clear of the number before
        parts.append(f'<text x="{x + 5:.1f}" y="{at:.1f}" text-anchor="middle" fill="{INK}">{name}</text></g>')
        return "".join(parts)
    if _has(box, "join"):
        return "".join([*parts, _plus(x + width / 2, y), "</g>"])
    parts.append(_rect(x, top, width, tall, CONVOLUTION if box.layers else "white"))
    if box.dilated:
        share = width * box.dilated / box.layers
        parts.append(_rect(x + width - share, top, share, tall, DILATED))
    strips = [entry for entry in ENTRIES if entry in box.entries]
    for index, entry in enumerate(strips):
        parts.append(_rect(x + index * STRIP, top, STRIP, tall, ENTRIES[entry]))
    parts.append(f'<rect x="{x:.1f}" y="{top:.1f}" width="{width:.1f}" height="{tall:.1f}" fill="none" stroke="{INK}"')
    dash = ' stroke-dasharray="2 2"' if box.is_training_only else ""
    parts.append(f' stroke-width="0.8"{dash}/>')
    if box.inner:
        parts.append(_inner(x, y, width, tall, levels=box.inner))
    parts.append(f'<text x="{x + width / 2:.1f}" y="{top - 3:.1f}" text-anchor="middle" fill="{INK}">')
    parts.append(f"{box.channels}</text>")
    if box.sees_all:
        parts.append(_dot(x + width / 2, y + tall / 2, ENTRIES["whole"]))
    if box.is_heard:
        parts.append(f'<circle cx="{x + width + 3:.1f}" cy="{top:.1f}" r="2.6" fill="white" stroke="{INK}"/>')
    return "".join(parts) + "</g>"


def _inner(x: float, y: float, width: float, tall: float, *, levels: int) -> str:
    """Return a small U of so many levels inside a box."""
    left, right = x + STRIP + 3, x + width - 3
    step_x, step_y = (right - left) / (2 * levels), (tall - 8) / levels
    path, at_x, at_y = f"M{left:.1f} {y - tall / 2 + 4:.1f}", left, y - tall / 2 + 4
    for index in range(2 * levels):
        at_x += step_x
        at_y += step_y if index < levels else -step_y
        path += f"V{at_y:.1f}H{at_x:.1f}" if index < levels else f"H{at_x:.1f}V{at_y:.1f}"
    return f'<path d="{path}" fill="none" stroke="{INK}" stroke-width="0.9"/>'


def _rect(x: float, y: float, width: float, height: float, colour: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>'


def _plus(x: float, y: float) -> str:
    ring = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="white" stroke="{INK}" stroke-width="0.8"/>'
    return ring + f'<path d="M{x - 3:.1f} {y:.1f}h6M{x:.1f} {y - 3:.1f}v6" stroke="{INK}" stroke-width="0.8"/>'


def _dot(x: float, y: float, colour: str) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}" stroke="white" stroke-width="0.8"/>'


def _line(line: Line, graph: Graph) -> str:
    """Return a line with round corners."""
    colour = ENTRIES["unpool"] if line.is_places else "#555555" if line.is_skip else INK
    is_pale = graph[line.target].is_training_only
    dash = ' stroke-dasharray="4 3"' if line.is_places else ' stroke-dasharray="2 2"' if is_pale else ""
    opacity = ' opacity="0.45"' if is_pale else ""
    first, *others = line.points
    path = f"M{first[0]:.1f} {first[1]:.1f}"
    for index, (x, y) in enumerate(others):
        if index == len(others) - 1:
            path += f"L{x:.1f} {y:.1f}"
            continue
        before, after = line.points[index], line.points[index + 2]
        near, far = _toward((x, y), before), _toward((x, y), after)
        path += f"L{near[0]:.1f} {near[1]:.1f}Q{x:.1f} {y:.1f} {far[0]:.1f} {far[1]:.1f}"
    return f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1"{dash}{opacity}/>'


def _toward(point: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    """Return the point 4 px from one on the way to another, or half way."""
    away = max(abs(other[0] - point[0]), abs(other[1] - point[1]))
    share = min(0.5, 4 / away) if away else 0
    return point[0] + share * (other[0] - point[0]), point[1] + share * (other[1] - point[1])


def _legend(graph: Graph, layout: Layout) -> tuple[list[str], float]:
    """Return the legend of what occurs, in as many lines as it needs, and where it ends."""
    boxes = [box for number, box in graph.items() if number and not box.is_logits]
    scale, (width, top) = layout.font / FONT, layout.size
    x, y, parts = 10.0, top / scale + 12, []
    for name, text in NAMES.items():
        if not any(_has(box, name) for box in boxes):
            continue
        wide = 32 + 4.6 * len(text)
        if x + wide > width / scale:
            x, y = 10.0, y + 15
        parts.append(_sign(name, x, y))
        parts.append(f'<text x="{x + 15:.1f}" y="{y + 3:.1f}" fill="{INK}">{text}</text>')
        x += wide
    return [f'<g transform="scale({scale:.3f})" font-size="{FONT}">', *parts, "</g>"], scale * (y + 12)


def _has(box: Box, name: str) -> bool:
    match name:
        case "convolution":
            return box.layers > box.dilated
        case "dilated":
            return box.dilated > 0
        case "places":
            return box.places_of is not None
        case "inner":
            return box.inner > 0
        case "join":
            return bool(box.join) and not box.layers and not box.entries
        case "sees_all":
            return box.sees_all
        case "heard":
            return box.is_heard
        case "training":
            return box.is_training_only
    return name in box.entries


def _sign(name: str, x: float, y: float) -> str:
    match name:
        case "convolution" | "dilated":
            return _rect(x, y - 5, 11, 10, CONVOLUTION if name == "convolution" else DILATED)
        case "sees_all":
            return _dot(x + 5, y, ENTRIES["whole"])
        case "places":
            return f'<path d="M{x:.1f} {y:.1f}h12" stroke="{ENTRIES["unpool"]}" stroke-dasharray="4 3"/>'
        case "inner":
            return _inner(x - STRIP - 2, y, 17, 16, levels=2)
        case "join":
            return _plus(x + 5, y)
        case "heard":
            return f'<circle cx="{x + 5:.1f}" cy="{y:.1f}" r="2.6" fill="white" stroke="{INK}"/>'
        case "training":
            frame = f'fill="none" stroke="{INK}" stroke-dasharray="2 2" opacity="0.45"'
            return f'<rect x="{x:.1f}" y="{y - 5:.1f}" width="11" height="10" {frame}/>'
    return _rect(x + 3, y - 5, STRIP, 10, ENTRIES[name])
