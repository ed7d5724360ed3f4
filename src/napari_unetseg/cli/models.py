"""`models`: the library of models, and the architectures they can have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from napari_unetseg.cli.options import JsonFlag, VerboseFlag
from napari_unetseg.cli.report import reporting

app = typer.Typer(help="List, show, export and import models; list the architectures.", no_args_is_help=True)
NameArgument = Annotated[str, typer.Argument(metavar="MODEL", help="Name of a model, or a .safetensors file.")]


@app.command("list", short_help="List the models known by name.")
def list_models(as_json: JsonFlag = False, verbose: VerboseFlag = False) -> None:
    """List the models that --model knows by name: bundled ones and those you imported."""
    from napari_unetseg.cli.table import table
    from napari_unetseg.models import library
    from napari_unetseg.models.file import read_card
    from napari_unetseg.schema.errors import ModelFileError

    with reporting(as_json=as_json, verbose=verbose) as report:
        bundled, entries, failed = library.bundled(), [], 0
        for name, path in library.available().items():
            entry: dict[str, Any] = {"name": name, "origin": "bundled" if name in bundled else "yours", "path": path}
            try:
                card = read_card(path)
                entry |= {"axes": card.axes, "channels": len(card.channels), "description": card.description}
            except ModelFileError as error:
                failed += 1
                entry["error"] = str(error)
                report.failure(name, str(error))
            entries.append(entry)
        head = ("name", "origin", "axes", "channels", "description")
        rows = [tuple(entry.get(key, "damaged" if key == "axes" else None) for key in head) for entry in entries]
        report.say(table(rows, head=head) if rows else "no models here yet")
        report.say(f"your models: {library.user_folder()}")
        report.finish({"models": entries, "user_folder": library.user_folder()}, failed=failed)


@app.command(short_help="Show what a model file says of itself.")
def show(
    name: NameArgument,
    full: Annotated[bool, typer.Option("--full", help="Show every field; so does -v.")] = False,
    as_json: JsonFlag = False,
    verbose: VerboseFlag = False,
) -> None:
    """Show what a model's file says about it: what it is for, training, scores, licence."""
    from napari_unetseg.cli.table import table, wrapped
    from napari_unetseg.models import library
    from napari_unetseg.models.facts import every_field, main_facts
    from napari_unetseg.models.file import read_card

    with reporting(as_json=as_json, verbose=verbose) as report:
        path = library.find(name)
        card = read_card(path)
        fields = card.model_dump(mode="json")
        is_full = full or verbose
        rows = every_field(fields) if is_full else wrapped(main_facts(card, path=path))
        report.say(table(rows, head=("field", "value")))
        if not is_full:
            report.say("\nevery field and setting: --full")
        report.finish({"path": path, **fields})


@app.command("export", short_help="Copy a model to a file.")
def export_model(
    name: NameArgument,
    path: Annotated[Path, typer.Argument(metavar="PATH", help="File or folder to copy the model to.")],
    as_json: JsonFlag = False,
    verbose: VerboseFlag = False,
) -> None:
    """Copy a model to a file of your own, to share or keep it."""
    from napari_unetseg.models import library

    with reporting(as_json=as_json, verbose=verbose) as report:
        written = library.export_model(name, path)
        report.say(f"{name} -> {written}")
        report.finish({"name": name, "path": written})


@app.command("import", short_help="Add a model file to your library.")
def import_model(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A .safetensors model file.")],
    name: Annotated[str | None, typer.Option(help="Name to know it by; its file name if not given.")] = None,
    as_json: JsonFlag = False,
    verbose: VerboseFlag = False,
) -> None:
    """Check a model file and copy it into your library, so that --model knows it by name."""
    from napari_unetseg.models import library

    with reporting(as_json=as_json, verbose=verbose) as report:
        written = library.import_model(path, name)
        report.say(f"{path} -> {written}; use it with --model {written.stem}")
        report.finish({"name": written.stem, "path": written})


@app.command(short_help="List the architectures for training.")
def networks(as_json: JsonFlag = False, verbose: VerboseFlag = False) -> None:
    """List the architectures that 'train --network' knows."""
    with reporting(as_json=as_json, verbose=verbose) as report:
        from napari_unetseg.cli.table import table
        from napari_unetseg.networks import registry
        from napari_unetseg.schema.words import blended

        entries = registry.describe()
        rows = [
            (
                entry["name"],
                entry["parameters"],
                ", ".join(f"{ndim}D" for ndim in entry["dimensions"]),
                "exact" if entry["is_tile_exact"] else blended(entry["seam_error"]),
                entry["summary"],
            )
            for entry in entries
        ]
        report.say(table(rows, head=("name", "parameters", "for", "tiles", "summary")))
        report.say("\nsources, settings and published sizes: --json")
        report.finish({"networks": entries})
