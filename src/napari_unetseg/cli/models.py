"""`models`: the library of models, and the architectures they can have."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_unetseg.cli.network_settings import assignments
from napari_unetseg.cli.options import JsonFlag, OverwriteFlag, VerboseFlag
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
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Change a setting of the copy that needs no training: keep=1 to 4 of unet_plus_plus, to cut it down.",
        ),
    ] = None,
    overwrite: OverwriteFlag = False,
    as_json: JsonFlag = False,
    verbose: VerboseFlag = False,
) -> None:
    """Copy a model to a file of your own, to share or keep it.

    A copy that is cut down with --set is as large and predicts faster; the scores in its card are those before.
    """
    from napari_unetseg.models import library

    with reporting(as_json=as_json, verbose=verbose) as report:
        texts = assignments(settings)
        if texts:
            from napari_unetseg.tasks.adjust import export_adjusted

            written = export_adjusted(name, path, texts=texts, overwrite=overwrite)
            what = f", set to {', '.join(f'{setting}={value}' for setting, value in texts.items())}"
            report.note("the scores in its card are those of the model before")
        else:
            written = library.export_model(name, path, overwrite=overwrite)
            what = ""
        report.say(f"{name} -> {written}{what}")
        report.finish({"name": name, "path": written, "notes": report.notes})


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


@app.command(short_help="List the architectures for training, or the settings of one.")
def networks(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="An architecture, to be told all that it can be set to.")
    ] = None,
    as_json: JsonFlag = False,
    verbose: VerboseFlag = False,
) -> None:
    """List the architectures that 'train --network' knows, or what one of them can be set to with --set."""
    with reporting(as_json=as_json, verbose=verbose) as report:
        from napari_unetseg.cli.table import table
        from napari_unetseg.networks import registry
        from napari_unetseg.schema.words import blended

        if name is not None:
            entry = registry.describe_one(name)
            report.say(_about_network(entry))
            report.finish({"networks": [entry]})
            return
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
        report.say("\nwhat one is good for and can be set to: models networks NAME; published sizes too: --json")
        report.finish({"networks": entries})


def _about_network(entry: Mapping[str, Any]) -> str:
    """Return an architecture and its settings, to be read."""
    from napari_unetseg.cli.table import table, wrapped

    suits = "\n".join(line for _, line in wrapped({"": entry["suits"]}))
    head = f"{entry['name']}: {entry['summary']}\n{suits}\n{entry['reference']}"
    if not entry["settings"]:
        return f"{head}\n\nnothing to set but --width"
    rows = []
    for setting in entry["settings"]:
        for index, (_, text) in enumerate(wrapped({"": setting["description"]})):
            facts = (setting["name"], values_of(setting), _word(setting["default"])) if not index else ("", "", "")
            rows.append((*facts, text))
    return f"{head}\n\n{table(rows, head=('--set', 'values', 'default', 'what it is'))}"


def values_of(setting: Mapping[str, Any]) -> str:
    """Say which values a setting takes: 'true, false', its words, or its range."""
    if "choices" in setting:
        return ", ".join(map(str, setting["choices"]))
    if setting["type"] == "bool":
        return "true, false"
    low, high = setting.get("minimum", setting.get("above")), setting.get("maximum", setting.get("below"))
    return f"{low} to {high}" if high is not None else f"from {low}"


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
