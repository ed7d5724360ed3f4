"""`demo`: everything once, offline: simulate cells, segment them, score against the truth, and draw the result."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_unetseg.cli.options import JsonFlag, ModelOption, SeedOption, VerboseFlag
from napari_unetseg.cli.report import Report, plain, reporting

if TYPE_CHECKING:
    import numpy as np

    from napari_unetseg.schema.events import Event, ItemDone
    from napari_unetseg.tasks.model import Model

FRAMES = 6
SIZE = 768
PIXEL = {"Y": 0.32, "X": 0.32}  # µm, as of a 20x objective


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results; made if needed.")] = Path(
        "unetseg-demo"
    ),
    seed: SeedOption = 0,
    model: ModelOption = "nuclei",
    as_json: JsonFlag = False,
    verbose: VerboseFlag = False,
) -> None:
    """Simulate nuclei over time, segment them with the bundled model, score and draw the result; works offline."""
    with reporting(as_json=as_json, verbose=verbose) as report:
        from napari_unetseg.tasks.model import load_model

        _check_folder(output)
        began = time.monotonic()
        loaded = load_model(model)
        report.when_stopped = lambda: f"what is in {output} may be incomplete; run the same command again"
        report.step(f"simulating {FRAMES} frames of {SIZE} x {SIZE} pixels")
        image, truth = _simulate(output, seed=seed)
        report.step("segmenting them")
        item = _segment(output / "nuclei.tif", model=loaded, report=report)
        assert item.output is not None  # a failed item raises
        labels = _read(item.output)
        scores = _score(labels, truth)
        _write_scores(scores, path=output / "nuclei_scores.json")
        picture = _draw(image, labels, scores, objects=item.objects, path=output / "nuclei.png")
        _tell(output, picture, item, scores, truth=truth, seconds=time.monotonic() - began, report=report)


def _check_folder(folder: Path) -> None:
    """Refuse to replace an image that no demo has made."""
    from napari_unetseg.schema.errors import InputError

    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: this is a file; give a folder for the results with -o")
    image, truth = folder / "nuclei.tif", folder / "nuclei_truth.tif"
    if image.exists() and not truth.exists():
        raise InputError(f"{image}: this image is not from a demo; choose another folder with -o")


def _simulate(folder: Path, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Write the image and its truth, and return both as (T, Y, X)."""
    from napari_unetseg.images.simulate import simulate
    from napari_unetseg.images.write import LabelWriter, write_image

    folder.mkdir(parents=True, exist_ok=True)
    image, truth = simulate((SIZE, SIZE), seed=seed, time_points=FRAMES)
    path = folder / "nuclei_truth.tif"
    with LabelWriter(path, shape=truth.shape, axes="TYX", scale=PIXEL, format="tiff", overwrite=True) as writer:
        for index, plane in enumerate(truth):
            writer.write((index,), plane)
    write_image(folder / "nuclei.tif", image, axes="TYX", scale=PIXEL)
    return image, truth


def _segment(path: Path, *, model: Model, report: Report) -> ItemDone:
    """Run the same job as `segment nuclei.tif`."""
    from napari_unetseg.cli.progress import drive
    from napari_unetseg.schema.errors import JobError
    from napari_unetseg.schema.events import ItemDone
    from napari_unetseg.tasks.batch import segment_files

    def stop_at_failure(event: Event) -> None:
        if isinstance(event, ItemDone) and event.error is not None:
            raise JobError(event.error)

    job = segment_files([path], folder=path.parent, model=model, existing="overwrite", has_report=False)
    (item,) = drive(job, report=report, watch=stop_at_failure)
    return item


def _read(path: Path) -> np.ndarray:
    from napari_unetseg.images.read import read_labels

    return read_labels(path)


def _score(labels: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    from napari_unetseg.tasks.evaluate import evaluate_series

    return evaluate_series(labels, truth)


def _write_scores(scores: dict[str, Any], *, path: Path) -> None:
    from napari_unetseg.images.write import write_text

    write_text(path, json.dumps(plain(scores), indent=2) + "\n")


def _draw(image: np.ndarray, labels: np.ndarray, scores: dict[str, Any], *, objects: int, path: Path) -> Path:
    from napari_unetseg.cli.plot import write_outline_picture

    frame = len(image) // 2
    count = len(set(labels[frame].flat) - {0})
    title = (
        f"Frame {frame + 1} of {len(image)}: {count} nuclei found. "
        f"All frames: {objects:,} nuclei, AP at IoU 0.5 = {scores['ap']['0.50']:.3f}"
    )
    return write_outline_picture(image[frame], labels[frame], path=path, title=title)


def _tell(
    folder: Path,
    picture: Path,
    item: ItemDone,
    scores: dict[str, Any],
    *,
    truth: np.ndarray,
    seconds: float,
    report: Report,
) -> None:
    from napari_unetseg.cli.table import table

    true_objects = sum(len(set(plane.flat) - {0}) for plane in truth)
    files = {
        "image": folder / "nuclei.tif",
        "truth": folder / "nuclei_truth.tif",
        "labels": item.output,
        "objects": folder / "nuclei_objects.csv",
        "scores": folder / "nuclei_scores.json",
        "picture": picture,
    }
    rows = [(f"AP at IoU {key}", scores["ap"][key]) for key in ("0.50", "0.75", "0.90")]
    rows += [
        ("mean AP 0.50-0.90", scores["mean_ap"]),
        ("F1 at IoU 0.50", scores["f1"]),
        ("Dice, foreground", scores["dice"]),
    ]
    report.say(table(rows, head=("score", "value")))
    report.say(f"{item.objects:,} nuclei found, {true_objects:,} are there; {seconds:.0f} s in all\n")
    report.say(table([(name, str(path)) for name, path in files.items()], head=("what", "file")))
    report.say(f"\nLook at it: open {picture}, or drop nuclei.tif and nuclei_labels.tif onto napari or Fiji.")
    report.say("In napari: right-click the labels layer and choose 'Convert to Labels' if it shows as an image.")
    report.finish(
        {
            "objects": item.objects,
            "true_objects": true_objects,
            "seconds": seconds,
            "files": files,
            "scores": scores,
            "notes": report.notes,
        }
    )
