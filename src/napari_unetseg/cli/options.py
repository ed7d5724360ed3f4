"""Options that several commands share, so that they are spelt and explained once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

PrecisionName = Literal["auto", "float32", "bfloat16"]
FormatName = Literal["tiff", "zarr"]
TargetName = Literal["boundary", "distance", "both", "semantic"]

JsonFlag = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on stdout; everything else goes to stderr.")
]
VerboseFlag = Annotated[bool, typer.Option("--verbose", "-v", help="Show details, and the traceback of an error.")]
SeedOption = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of everything random.")]
FormatOption = Annotated[
    FormatName,
    typer.Option("--format", help="'tiff': OME-TIFF. 'zarr': OME-Zarr with smaller levels, for large images."),
]
AxesOption = Annotated[
    str | None,
    typer.Option(
        help="Meaning of the image's axes, e.g. ZYX, TYX, CYX or YXS (S: RGB); not needed if the file says it."
    ),
]
ChannelOption = Annotated[
    list[str] | None,
    typer.Option("--channel", "-c", help="Channel(s) for the network, counted from 0: -c 0 -c 2, or -c 0,2."),
]
ModelOption = Annotated[
    str, typer.Option("--model", "-m", help="Name of a model (see 'models list') or a .safetensors file.")
]
TargetOption = Annotated[
    TargetName | None,
    typer.Option(help="What the network learns of each object; semantic: no objects, but the class of each pixel."),
]
LossOption = Annotated[
    str | None,
    typer.Option(
        help="What is minimised: cross_entropy (the usual one), cross_entropy_dice, focal, bce_dice, dice, "
        "lovasz_softmax, or of two classes lovasz_hinge."
    ),
]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")]
MemoryOption = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="Memory a run may take, such as 4GiB; 2 GiB if not given (3D models: half of what is free). "
        "Larger planes and volumes are cut into blocks.",
    ),
]
OverwriteFlag = Annotated[bool, typer.Option("--overwrite", help="Replace results that are already there.")]
FolderOption = Annotated[Path, typer.Option("--output", "-o", help="Folder for the results; made if needed.")]
