"""The typer application: which commands there are; each one lives in a file of its own."""

from __future__ import annotations

import io
import sys
from typing import Annotated

import typer

from napari_unetseg import __version__
from napari_unetseg.cli import compare, demo, evaluate, import_labels, models, segment, simulate, train

app = typer.Typer(
    name="napari-unetseg",
    help="Outline every cell with a U-Net.",
    epilog="Exit codes: 0 all done, 1 some items failed, 2 wrong usage or unusable input, 130 stopped by Ctrl-C.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # plain help: it is there 0.2 s sooner, and reads the same in every terminal
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
app.command("demo", short_help="Simulate, segment, score and draw nuclei; offline.")(demo.demo)
app.command("segment", short_help="Outline every cell in images, folders and stacks.")(segment.segment)
app.command("train", short_help="Train a U-Net on your own images and labels.")(train.train)
app.command("compare", short_help="Train several architectures alike, and compare them.")(compare.compare)
app.command("evaluate", short_help="Score labels against the truth.")(evaluate.evaluate)
app.add_typer(models.app, name="models", short_help="List, show, export and import models.")
app.command("import", short_help="Turn annotations of other programs into pairs for training.")(
    import_labels.import_labels
)
app.command("simulate", short_help="Make images of cells with known truth.")(simulate.simulate)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"napari-unetseg {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Outline every cell with a U-Net."""


def prepare_streams() -> None:
    """Let a terminal that lacks a letter (µ, an accent, a broken file name) show '?' instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
