"""What flows into what in a network, found by running it: layers, then stages of layers at one resolution.

The network runs on the meta device, where tensors have shapes but no values. A dispatch mode sees every operation, so
nothing has to be said of a network by hand.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from napari_unetseg.networks.network import Network

Entry = Literal["down", "up", "unpool", "whole"]

EDGE = 512
"""Of the image (px): 2^9, so that nine poolings leave a whole number."""
WHOLE = 99
"""The level of what is said of the image as a whole, below all maps."""
SMALL = 3
"""Boxes of a concatenation that become one box."""
DROP = 4
"""Times as many channels before as after: where features end and logits begin."""
MOST = 50
"""Boxes in a picture; of a network with more, whole regions become one box."""


@dataclass
class Box:
    """Layers at one resolution; at first a single one."""

    order: int
    level: int
    """Binary logarithm of the pixels of the image for one of the map; `WHOLE` for one number a channel."""
    channels: int
    layers: int = 0
    """Convolutions in it."""
    sources: set[int] = field(default_factory=set)
    places_of: int | None = None
    """The box whose maxima tell where values go."""
    entries: set[Entry] = field(default_factory=set)
    """How the resolution changes at its beginning."""
    dilated: int = 0
    """Those of them that are dilated."""
    join: Literal["", "sum", "concat"] = ""
    sees_all: bool = False
    """It weighs its channels or pixels by the whole image."""
    inner: int = 0
    """Levels that it goes down and up again inside."""
    is_logits: bool = False
    is_heard: bool = False
    """The loss is taken of it too, while the network learns."""
    is_training_only: bool = False


Graph = dict[int, Box]


def graph_of(network: Network) -> Graph:
    """Return the boxes of a network on the meta device, in order; 0 is the image."""
    image = torch.empty(2, network.config.in_channels, EDGE, EDGE, device="meta")
    trace = _Trace(image)
    with trace, torch.no_grad():
        heads = network.eval().forward_heads(image)
    graph = trace.boxes
    early = [source for tensor in (*heads.deep, *heads.border) for source in trace.sources(tensor)]
    logits = trace.add(heads.logits, level=0, sources=trace.sources(heads.logits), is_logits=True)
    _keep_what_counts(graph, logits=logits, early=early)
    _simplify(graph)
    return dict(sorted(graph.items(), key=lambda item: (item[1].is_training_only, item[1].order)))


class _Trace(TorchDispatchMode):
    """Makes a box of every operation that changes resolution or channels, or joins maps; others hand their input on."""

    def __init__(self, image: Tensor) -> None:
        super().__init__()
        self.boxes: Graph = {0: Box(0, 0, image.shape[1])}
        self._sources = {id(image): {0}}
        self._alive: list[Any] = [image]  # an id means a tensor only as long as that lives
        self._pooled: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        inputs = [one for one in _tensors(args) if self.sources(one)]
        name = func.overloadpacket.__name__
        if not inputs or name == "gt":  # a mask is no map: what it is made of is not followed further
            return result
        first = result[0] if isinstance(result, tuple | list) else result
        if isinstance(result, list):  # views, such as chunks
            for one in result:
                self._keep(one, self.sources(inputs[0]))
        elif isinstance(first, Tensor):
            self._add_of(name, args, inputs=inputs, result=first)
        if name == "max_pool2d_with_indices":
            (before,) = self.sources(inputs[0])
            self._pooled[id(result[1])] = before
            self._alive.append(result[1])
        return result

    def sources(self, tensor: Tensor) -> set[int]:
        return self._sources.get(id(tensor), set())

    def add(self, tensor: Tensor, *, level: int, sources: set[int], **facts: Any) -> int:
        number = len(self.boxes)
        self.boxes[number] = Box(number, level, tensor.shape[1], sources=set(sources), **facts)
        self._keep(tensor, {number})
        return number

    def _keep(self, tensor: Tensor, sources: set[int]) -> None:
        self._sources[id(tensor)] = set(sources)
        self._alive.append(tensor)

    def _add_of(self, name: str, args: Any, *, inputs: list[Tensor], result: Tensor) -> None:
        sources = set().union(*(self.sources(one) for one in inputs))
        level = min(self.boxes[source].level for source in sources)
        match name:
            case "convolution":
                step = round(math.log2(args[3][0])) * (-1 if args[6] else 1)
                entries: set[Entry] = set() if not step else {"down"} if step > 0 else {"up"}
                below = level if level == WHOLE else level + step
                dilated = int(max(args[5]) > 1)
                self.add(result, level=below, sources=sources, layers=1, entries=entries, dilated=dilated)
            case "max_pool2d_with_indices":
                step = round(math.log2(args[2][0] if len(args) > 2 and args[2] else args[1][0]))
                self.add(result, level=level + step, sources=sources, entries={"down"})
            case "max_unpool2d":
                places = self._pooled[id(args[1])]
                only = self.sources(args[0])
                self.add(result, level=level - 1, sources=only, entries={"unpool"}, places_of=places)
            case "upsample_bilinear2d":
                self.add(result, level=round(math.log2(EDGE / result.shape[-1])), sources=sources, entries={"up"})
            case "mean" if result.shape[-1] == 1:
                self.add(result, level=WHOLE, sources=sources, entries={"whole"})
            case "bmm":
                self.add(result, level=level, sources=sources, join="sum", sees_all=True)
            case "cat":
                self.add(result, level=level, sources=sources, join="concat")
            case "mul" if {self._level(one) == WHOLE for one in inputs} == {True, False}:
                (gated,) = (one for one in inputs if self._level(one) != WHOLE)
                self.add(result, level=level, sources=self.sources(gated), join="sum", sees_all=True)
            case _ if len(sources) > 1:
                self.add(result, level=level, sources=sources, join="sum")
            case _:
                self._keep(result, sources)

    def _level(self, tensor: Tensor) -> int:
        return min(self.boxes[source].level for source in self.sources(tensor))


def _tensors(values: Any) -> Iterable[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from _tensors(value)


def _targets(graph: Graph) -> dict[int, set[int]]:
    """Return for each box those that it flows into."""
    targets: dict[int, set[int]] = {number: set() for number in graph}
    for number, box in graph.items():
        for source in box.sources:
            targets[source].add(number)
    return targets


def _ancestors(graph: Graph, number: int) -> set[int]:
    found, open_ = {number}, [number]
    while open_:
        for source in graph[open_.pop()].sources - found:
            found.add(source)
            open_.append(source)
    return found


def _keep_what_counts(graph: Graph, *, logits: int, early: Iterable[int]) -> None:
    """Remove what leads to no output (layers that only weigh channels); mark what is there for learning only."""
    predicting = _ancestors(graph, logits)
    for number in early:
        box = graph[number]
        is_enlarging = box.entries == {"up"} and not box.layers
        graph[next(iter(box.sources)) if is_enlarging else number].is_heard = True  # the same logits, before that
    used = predicting.union(*(_ancestors(graph, number) for number, box in graph.items() if box.is_heard))
    for number in set(graph) - used:
        del graph[number]
    for number in set(graph) - predicting:
        graph[number].is_training_only = True


def _simplify(graph: Graph) -> None:
    """Merge until nothing changes."""
    while _merge_lone(graph) or _merge_sums(graph) or _merge_chains(graph):
        pass
    if len(graph) > MOST:
        while _merge_least_region(graph) or _merge_chains(graph):
            pass


def _merge_lone(graph: Graph) -> bool:
    """Merge joins of a single box into that box: what a gate, or a sum with itself, leaves."""
    for number, box in graph.items():
        if box.join and not box.layers and len(box.sources) == 1:
            (source,) = box.sources
            if source and graph[source].level == box.level:
                graph[source].sees_all |= box.sees_all
                _replace(graph, {number}, source)
                return True
    return False


def _merge_sums(graph: Graph) -> bool:
    """Merge a sum with all that lies between it and the box where its terms part, at one resolution (or two).

    What is concatenated stays as it is, as the branches of a pyramid do, unless it is very little.
    """
    for number, box in graph.items():
        if not box.join or box.layers:
            continue
        region, begin = _region(graph, number)
        if box.join == "concat" and len(region) > SMALL:
            continue
        levels = {graph[one].level for one in region}
        if begin is None or not levels <= {box.level, graph[begin].level} or not _is_closed(graph, region, number):
            continue
        channels = box.channels
        _merge(graph, region, number)
        graph[number].channels = channels  # of a concatenation: those of its parts together
        return True
    return False


def _merge_chains(graph: Graph) -> bool:
    """Merge two boxes of one resolution where one flows into nothing but the other."""
    targets = _targets(graph)
    for number, box in graph.items():
        if not number or box.is_heard or len(targets[number]) != 1:
            continue
        (target,) = targets[number]
        other = graph[target]
        is_alone = len(other.sources) == 1 and not (other.entries and box.layers) and not _is_drop(box, other)
        is_way_up = bool(box.entries & {"up", "unpool"}) and box.layers <= 1 and not _is_drop(box, other)
        is_same = (box.level, box.is_training_only) == (other.level, other.is_training_only)
        if is_same and not other.is_logits and (is_alone or is_way_up):
            _merge(graph, {number, target}, target)
            return True
    return False


def _is_drop(box: Box, other: Box) -> bool:
    """Tell whether features become logits, which is worth a box of its own."""
    return not box.is_training_only and bool(box.layers) and box.channels >= DROP * other.channels


def _merge_least_region(graph: Graph) -> bool:
    """Merge the smallest region that goes down and up again and ends in a sum."""
    best: tuple[int, int, set[int]] | None = None
    for number, box in graph.items():
        if box.join == "sum" and not box.inner:
            region, begin = _region(graph, number)
            if begin is not None and len(region) > 2 and _is_closed(graph, region, number):
                best = min(best or (len(graph), 0, set()), (len(region), number, region), key=lambda one: one[0])
    if best is None:
        return False
    _, number, region = best
    deepest = max(graph[one].level for one in region)
    inner = deepest - graph[number].level
    _merge(graph, region, number)
    graph[number].inner = inner
    graph[number].entries = set()
    return True


def _region(graph: Graph, end: int) -> tuple[set[int], int | None]:
    """Return the boxes between the one where all ways to `end` part, and `end`, which is one of them."""
    region, front = {end}, set(graph[end].sources)
    while len(front) > 1:
        last = max(front, key=lambda one: graph[one].order)
        front.remove(last)
        region.add(last)
        front |= graph[last].sources
    return region, next(iter(front), None)


def _is_closed(graph: Graph, region: set[int], end: int) -> bool:
    """Tell whether nothing but the end of a region flows out of it."""
    targets = _targets(graph)
    is_uniform = len({graph[one].is_training_only for one in region}) == 1
    return is_uniform and 0 not in region and all(targets[one] <= region for one in region - {end})


def _merge(graph: Graph, region: set[int], end: int) -> None:
    """Make one box of several, in the place and at the level of `end`."""
    boxes = [graph[one] for one in region]
    whole = graph[end]
    changing = [box for box in boxes if box.level == whole.level]
    computed = [box.channels for box in changing if box.layers or box.join != "concat"]
    whole.channels = max(computed or [whole.channels])
    whole.layers = sum(box.layers for box in boxes)
    whole.dilated = sum(box.dilated for box in boxes)
    whole.join = whole.join or next((box.join for box in boxes if box.join), "")
    whole.is_heard |= any(box.is_heard for box in boxes)
    whole.sees_all = any(box.sees_all for box in boxes)
    whole.entries = set().union(*(box.entries for box in changing))
    whole.inner = max(box.inner for box in boxes)
    whole.sources = set().union(*(box.sources for box in boxes)) - region
    whole.places_of = next((box.places_of for box in boxes if box.places_of is not None), None)
    _replace(graph, region - {end}, end)


def _replace(graph: Graph, old: set[int], new: int) -> None:
    """Remove boxes whose outputs are those of `new` now."""
    for one in old:
        del graph[one]
    for number, box in graph.items():
        if box.sources & old:
            box.sources = (box.sources - old) | ({new} - {number})
        if box.places_of in old:
            box.places_of = new
