"""`napari-unetseg compare`: several architectures, one data set, the same budget; a table and a picture."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_unetseg.cli.network_settings import SetOption, assignments, share_out, takers
from napari_unetseg.cli.options import (
    AxesOption,
    ChannelOption,
    DeviceOption,
    JsonFlag,
    LossOption,
    OverwriteFlag,
    TargetOption,
    VerboseFlag,
)
from napari_unetseg.cli.report import Report, reporting
from napari_unetseg.schema.words import FOREGROUND_IOU

if TYPE_CHECKING:
    from napari_unetseg.schema.config import NetworkConfig, Recipe
    from napari_unetseg.tasks.compare_networks import Row

MINUTES = 10.0
SCORES = {"ap50": "AP@0.5", "mean_ap": "mean AP", "foreground_iou": FOREGROUND_IOU}
COLUMNS = ("parameters", "GMAC/Mpx", "MiB/Mpx", "ms/Mpx", "step")
COSTS = "for a million pixels (Mpx): GMAC, thousand million multiplications; MiB, memory (estimate); ms, time here"


def compare(
    images: Annotated[Path, typer.Argument(metavar="IMAGES", help="Images, as for 'train'.")],
    labels: Annotated[Path, typer.Argument(metavar="LABELS", help="Their labels, as for 'train'.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for models and table; made if needed.")],
    networks: Annotated[
        str, typer.Option(metavar="NAMES", help="Architectures with commas between (see 'models networks'), or all.")
    ] = "all",
    settings_given: SetOption = None,
    width: Annotated[int | None, typer.Option(help="Feature channels at full resolution, of each of them.")] = None,
    target: TargetOption = None,
    loss: LossOption = None,
    minutes: Annotated[float | None, typer.Option(help="Budget of each in minutes; 10 if nothing sets one.")] = None,
    steps: Annotated[int | None, typer.Option(help="Budget of each in steps.")] = None,
    recipe: Annotated[
        Path | None, typer.Option(metavar="FILE.toml", help="Settings of training; options given here win over it.")
    ] = None,
    patch: Annotated[str | None, typer.Option(metavar="Y,X", help="Size of the training patches in pixels.")] = None,
    batch: Annotated[int | None, typer.Option(help="Patches per step.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random.")] = None,
    channel: ChannelOption = None,
    axes: AxesOption = None,
    device: DeviceOption = "auto",
    overwrite: OverwriteFlag = False,
    as_json: JsonFlag = False,
    verbose: VerboseFlag = False,
) -> None:
    """Train several architectures on the same images with the same budget, and compare what they give and take.

    Scores are those on the images held back (the same for all). Writes a model of each, compare.csv and compare.png;
    rows of other architectures that are in compare.csv already stay. --set goes to each architecture that has the
    setting; one that none of them has is refused.
    """
    with reporting(as_json=as_json, verbose=verbose) as report:
        from napari_unetseg.cli.layers import RecipeLayers
        from napari_unetseg.cli.progress import drive
        from napari_unetseg.cli.train import reading
        from napari_unetseg.tasks import compare_networks as task
        from napari_unetseg.tasks.budget import in_words

        given = {
            "network": {"width": width},
            "target": {"kind": target},
            "loss": {"kind": loss},
            "minutes": minutes,
            "steps": steps,
            "batch": batch,
            "seed": seed,
        }
        settings = RecipeLayers(given, file=recipe, patch=patch, minutes=MINUTES)
        chosen = _chosen(networks)
        texts = assignments(settings_given)
        share_out(texts, configs=_configs(chosen, recipe=settings.recipe(None)))
        rows = _check_folder(output, names=chosen, overwrite=overwrite)
        job = reading(
            images,
            labels,
            settings.recipe(None),
            channel,
            axes=axes,
            in_channels=settings.in_channels(None),
            three_axes=False,
        )
        samples = drive(job, report=report)
        final = settings.recipe(None, in_channels=samples[0].image.shape[0])
        output.mkdir(parents=True, exist_ok=True)

        def keep(row: Row) -> None:
            rows.append(row)
            _write_table(rows, output)

        report.when_stopped = lambda: f"{output / 'compare.csv'} has what is done; start again with the others"
        configs = share_out(texts, configs=_configs(chosen, recipe=final))
        for text in takers(texts, configs=configs):
            report.note(text)
        drive(
            task.compare(samples, networks=configs, recipe=final, folder=output, device=device, keep=keep),
            report=report,
        )
        _note_budgets(rows, budget=in_words(final), report=report)
        _tell(rows, output, report=report)


def _chosen(text: str) -> list[str]:
    from napari_unetseg.networks import registry

    wanted = [name.strip() for name in text.split(",") if name.strip()]
    chosen = registry.names() if wanted in ([], ["all"]) else list(dict.fromkeys(wanted))
    for name in chosen:
        registry.kind_of(name)
    return chosen


def _configs(names: Sequence[str], *, recipe: Recipe) -> list[NetworkConfig]:
    """Return each architecture with what all share, channels and width; that of the recipe with all it says."""
    from napari_unetseg.schema.config import NetworkConfig

    own = recipe.network
    shared = own.model_dump(include={"ndim", "in_channels", "out_channels", "width"})
    return [own if name == own.architecture else NetworkConfig(architecture=name, **shared) for name in names]


def _check_folder(folder: Path, *, names: Sequence[str], overwrite: bool) -> list[Row]:
    """Refuse to replace models, and return the rows of others that the folder's table has."""
    from napari_unetseg.schema.errors import InputError

    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file; choose a folder for the results")
    rows = _read_table(folder)
    there = [name for name in names if (folder / f"{name}.safetensors").exists()]
    if there and not overwrite:
        done = {row.network for row in rows}
        what = "" if done.issuperset(there) else " (a model without a row in compare.csv was not finished)"
        raise InputError(
            f"{folder}: holds {', '.join(there)} already{what}; choose another folder, leave what is done out of "
            "--networks, or give --overwrite to train anew"
        )
    return [row for row in rows if row.network not in names]


def _read_table(folder: Path) -> list[Row]:
    from napari_unetseg.schema.errors import InputError
    from napari_unetseg.tasks.compare_networks import Row

    path = folder / "compare.csv"
    if not path.exists():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [Row.of_text(row) for row in csv.DictReader(file)]
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise InputError(f"{path}: is no table of compare ({error}); move it away") from error


def _write_table(rows: Sequence[Row], folder: Path) -> None:
    from napari_unetseg.images.atomic import write_text
    from napari_unetseg.tasks.compare_networks import Row

    names = [field.name for field in fields(Row)]
    text = io.StringIO()
    lines = [[_cell(row, name) for name in names] for row in _ranked(rows)]
    csv.writer(text, lineterminator="\n").writerows([names, *lines])
    write_text(folder / "compare.csv", text.getvalue())


def _ranked(rows: Sequence[Row]) -> list[Row]:
    """Return the rows, the best first, those without a score last."""
    return sorted(rows, key=lambda row: 1.0 if row.score is None else -row.score)


def _note_budgets(rows: Sequence[Row], *, budget: str, report: Report) -> None:
    """Say which rows of earlier runs had another budget, since their scores are no fair comparison."""
    others = [f"{row.network} ({row.budget or 'not noted'})" for row in rows if row.budget != budget]
    if others:
        report.note(f"rows that had another budget than {budget}, and so compare badly: {', '.join(others)}")


def _tell(rows: Sequence[Row], folder: Path, *, report: Report) -> None:
    from napari_unetseg.cli.compare_plot import write_comparison
    from napari_unetseg.cli.table import table

    ranked = _ranked(rows)
    scores = [name for name in SCORES if any(getattr(row, name) is not None for row in rows)]
    names = ("network", "width", *(SCORES[name] for name in scores), *COLUMNS)
    report.say(table([_line(row, scores=scores) for row in ranked], head=names))
    report.say(COSTS)
    picture = write_comparison(ranked, path=folder / "compare.png")
    report.say(f"{folder / 'compare.csv'} has the table, {picture.name} the picture; the models lie beside them")
    failed = [row for row in rows if row.error]
    report.finish({"rows": [asdict(row) for row in ranked], "notes": report.notes}, failed=len(failed))


def _cell(row: Row, name: str) -> Any:
    value = getattr(row, name)
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else value


def _line(row: Row, *, scores: Sequence[str]) -> tuple[Any, ...]:
    costs = (row.parameters, row.gmacs_per_mpx, round(row.mib_per_mpx), row.ms_per_mpx and round(row.ms_per_mpx))
    return (row.network, row.width, *(getattr(row, name) for name in scores), *costs, row.steps or None)
