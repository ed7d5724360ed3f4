"""Write docs/networks: a page for each architecture of the registry, from what its code says of itself, and an index.

    python docs/network_pages.py [--text]

Pictures are drawn from the networks (`network_graph.py`); `--text` leaves them as they are. Scores come from
`benchmarks/results/networks.jsonl`, and the plot of all from `benchmarks/networks.py --plot docs/images/networks.png`.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from pathlib import Path
from typing import Any

import torch
from recipe_page import HEAD, markdown_table, setting_row

from napari_unetseg.networks import registry
from napari_unetseg.networks.cost import macs_per_pixel, size_of
from napari_unetseg.networks.network import Network
from napari_unetseg.schema.config import NetworkConfig
from napari_unetseg.schema.words import blended, counted

DOCS = Path(__file__).resolve().parent
PAGES, PICTURES = DOCS / "networks", DOCS / "images" / "networks"
PLOT = DOCS / "images" / "networks.png"
ROWS = DOCS.parent / "benchmarks" / "results" / "networks.jsonl"
MINUTES = 10
"""The budget of the runs that are shown."""
COLUMNS = {
    "AP@0.5": "AP at IoU 0.5",
    "mean AP": "mean AP 0.5 to 0.9",
    "IoU": "IoU of the foreground",
    "steps": "steps",
    "ms_per_step": "ms a step",
    "ms_per_mpx": "ms to predict a million pixels",
}
"""Of a row of the comparison: what is shown of it, and how it is called."""
NOT_COMPARED = "Not compared yet."
HEADER = "<!-- Written by docs/network_pages.py; change the code that it tells of. -->"


def main() -> None:
    """Write all pages, and all pictures unless told otherwise."""
    PAGES.mkdir(exist_ok=True)
    PICTURES.mkdir(parents=True, exist_ok=True)
    entries = registry.describe()
    for entry in entries:
        name = entry["name"]
        (PAGES / f"{name}.md").write_text(page(entry), encoding="utf-8")
        if "--text" not in sys.argv[1:]:
            (PICTURES / f"{name}.svg").write_text(_picture(name), encoding="utf-8")
        print(name, flush=True)
    (PAGES / "README.md").write_text(index(entries), encoding="utf-8")


def page(entry: dict[str, Any]) -> str:
    """Return the page of a network, given what the registry says of it."""
    name = entry["name"]
    return "\n\n".join([opening(name), _facts(entry), settings(name), training(name), compared(name)]) + "\n"


def index(entries: list[dict[str, Any]]) -> str:
    """Return the page that lists all networks and compares them."""
    plot = f"\n![AP, time and size of each network](../images/{PLOT.name})\n" * PLOT.is_file()
    return f"""# Networks

{HEADER}

What `--network` and the Train dock offer: {counted(len(entries), "architecture")}, all trained from scratch on your
images. Without a reason for another take `unet`. `napari-unetseg compare` tells which of them suits images of yours.

{_overview(entries)}

Parameters for one channel and four maps, at the width that training takes by default ({NetworkConfig().width};
`--width` sets it). Tiles: *exact* means that an image of any size gives the same result in tiles as in one piece; the
others look at an image as a whole, and tiles of a large one are blended (in brackets: pixels that get another class by
it, measured by `benchmarks/seams.py`). Stride: pixels of the image for one of the last map.

## Compared

{comparison()}
{plot}
## How to read the pictures

Each box is a run of layers at one resolution, which the row tells. They are drawn in the order in which they are
computed, from left to right. The number above a box, and its height by the logarithm, are its channels (at width
{NetworkConfig().width}); its width is the logarithm of its convolutions. Lines are what flows from box to box; long
ones are skips. Nothing is drawn by hand: the network runs once, and what flows where is watched.
"""


def opening(name: str) -> str:
    """Return what the page begins with: idea, picture and structure."""
    kind = registry.kind_of(name)
    parts = [f"# {name}", HEADER, kind.summary, f"{_linked(kind.reference)}. [All networks](README.md)"]
    parts += [f"**Idea.** {kind.idea}"] * bool(kind.idea) + [f"**When to use it.** {kind.suits}"] * bool(kind.suits)
    parts += [f"![The stages of {name} and what flows between them](../images/networks/{name}.svg)"]
    parts += ["[How to read the picture](README.md#how-to-read-the-pictures)", "## Structure"]
    return "\n\n".join([*parts, inspect.getdoc(kind) or ""])


def _linked(reference: str) -> str:
    return re.sub(r"arXiv:(\d{4}\.\d{4,5})", r"[arXiv:\1](https://arxiv.org/abs/\1)", reference)


def plain_facts(kind: type[Network]) -> dict[str, str]:
    """Return what the class says, without building the network."""
    return {
        "Images": " and ".join(f"{ndim}D" for ndim in kind.dimensions),
        "Tiles": "exact: the same result as in one piece"
        if kind.is_tile_exact
        else f"{blended(kind.seam_error)}: it looks at the image as a whole; of a large one it gets tiles",
        "Pixels of the image for one of the last map": str(kind.output_stride),
        "Patches a training step needs": f"{kind.least_batch} or more",
    }


def _facts(entry: dict[str, Any]) -> str:
    name = entry["name"]
    config = NetworkConfig(architecture=name)
    with torch.device("meta"):
        network = registry.build(config)
    size = size_of(config)
    facts = {
        parameters(name): f"{size.parameters:,}",
        f"Parameters at the published width ({entry['published_width']})": f"{entry['published_parameters']:,}",
        **plain_facts(type(network)),
        "Edges of an image": _edges(network),
        "Other outputs while it learns": _others(network),
        "Multiplications for a million pixels": f"{macs_per_pixel(config) / 1000:.3g} thousand million",
        "Memory for a million pixels": f"about {size.bytes_per_pixel * 1e6 / 2**20:.0f} MiB (float32)",
    }
    return "## Facts\n\n| | |\n|---|---|\n" + "\n".join(f"| {key} | {value} |" for key, value in facts.items())


def parameters(name: str) -> str:
    """Return what the number of parameters is called."""
    return f"Parameters at width {NetworkConfig(architecture=name).width}, the default"


def _edges(network: Network) -> str:
    divisor, halo = network.divisor[0], network.halo[0]
    text = "any length" if divisor == 1 else f"mirrored behind their ends to multiples of {divisor} px"
    return f"{text}; tiles are read with {halo} px around them" if network.is_tile_exact else text


def _others(network: Network) -> str:
    """Tell what `forward_heads` gives besides the logits."""
    edge = -(-512 // network.divisor[0]) * network.divisor[0]
    with torch.no_grad():
        heads = network.eval().forward_heads(torch.empty(2, network.config.in_channels, edge, edge, device="meta"))
    deep, border = len(heads.deep), len(heads.border)
    texts = [f"the same maps from {counted(deep, 'earlier stage')}"] * bool(deep)
    texts += [f"{counted(border, 'map')} of borders"] * bool(border)
    return " and ".join(texts) or "none"


def settings(name: str) -> str:
    """Return the table of what it can be set to, besides the width."""
    kind = registry.kind_of(name)
    shared, own = NetworkConfig.model_json_schema()["properties"], kind.Settings.model_json_schema()["properties"]
    rows = [setting_row(key, shared[key]) for key in sorted(kind.takes)]
    rows += [setting_row(key, own[key]) for key in own]
    if not rows:
        return "## Settings\n\nNone but its width."
    where = "Besides `--width`; all go behind `--set`."
    if own and kind.takes:
        where += f" In a recipe {_listed(sorted(kind.takes))} stand in `[network]`, the others in `[network.settings]`."
    elif own:
        where += " In a recipe they stand in `[network.settings]`."
    else:
        where += " In a recipe they stand in `[network]`."
    return f"## Settings\n\n{where}\n\n" + markdown_table([HEAD, *rows])


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def training(name: str) -> str:
    """Return how to train it."""
    command = f"napari-unetseg train IMAGES LABELS -o my.safetensors --network {name}"
    text = f"## Train it\n\n```sh\n{command}\n```"
    own = registry.kind_of(name).Settings.model_json_schema()["properties"]
    if own:
        key, schema = next(iter(own.items()))
        value = schema["default"] if isinstance(schema["default"], str) else json.dumps(schema["default"])
        text += f"\n\nA setting goes behind it, such as `--set {key}={value}`."
    return f"{text}\n\nIn napari: *Network and loss* in the Train dock."


def compared(name: str) -> str:
    """Return its row of the comparison."""
    row = _rows().get(name)
    if row is None:
        return f"## Compared\n\n{NOT_COMPARED}"
    if row["error"]:
        return f"## Compared\n\nIt could not be trained: {row['error']}"
    table = markdown_table([tuple(COLUMNS.values()), _cells(row)])
    others = "With which images and machine, and beside the others: [all networks](README.md#compared)."
    return f"## Compared\n\n{table}\n\n{others}"


def comparison() -> str:
    """Return the table of all networks that were compared, the best first."""
    rows = sorted(_rows().values(), key=lambda row: -(row.get("AP@0.5") or 0))
    if not rows:
        return NOT_COMPARED
    cells = [(f"[{row['network']}]({row['network']}.md)", *_cells(row)) for row in rows]
    table = markdown_table([("network", *COLUMNS.values()), *cells])
    missing = ", ".join(name for name in registry.names() if name not in _rows())
    rest = f"\n\n{NOT_COMPARED.removesuffix('.')}: {missing}." if missing else ""
    return f"""Each learnt with the default recipe at its default width, for as many steps as the same time on one core
allows, and is scored on the validation images of `dsb2018_fluo` (fluorescent nuclei), which took no part. One run each,
so small differences mean nothing; times are of one thread, another program beside. Losses of different networks,
which some count at several stages, cannot be compared. Machine: {rows[0]["machine"]}.
Made by `benchmarks/networks.py`.

{table}{rest}"""


def _rows() -> dict[str, dict[str, Any]]:
    lines = ROWS.read_text("utf-8").splitlines() if ROWS.is_file() else []
    return {row["network"]: row for row in map(json.loads, lines) if row["minutes"] == MINUTES}


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    return tuple(_number(row.get(key)) for key in COLUMNS)


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if value < 1 else f"{value:,.0f}"


def _overview(entries: list[dict[str, Any]]) -> str:
    rows = [
        (
            f"[{entry['name']}]({entry['name']}.md)",
            entry["summary"],
            f"{entry['parameters']:,}",
            " and ".join(f"{ndim}D" for ndim in entry["dimensions"]),
            "exact" if entry["is_tile_exact"] else blended(entry["seam_error"]),
            str(entry["output_stride"]),
        )
        for entry in entries
    ]
    return markdown_table([("network", "in a line", "parameters", "for", "tiles", "stride"), *rows])


def _picture(name: str) -> str:
    from network_graph import graph_of  # here: the tests of the pages draw nothing
    from network_picture import draw

    settings = {"passes": 1} if "passes" in registry.kind_of(name).Settings.model_fields else {}  # more look alike
    with torch.device("meta"):
        return draw(graph_of(registry.build(NetworkConfig(architecture=name, settings=settings))))


if __name__ == "__main__":
    main()
