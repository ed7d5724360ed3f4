"""Make the pictures of docs/tutorial.md, and the README's of the docks, with a real window and the real docks.

    xvfb-run -a -s "-screen 0 1366x768x24" python docs/screenshots.py [FOLDER]

The story of the tutorial is played by pressing the docks' own buttons; offline, some ten minutes on two cores. Where a
person looks and decides, the truth of the simulated samples does: it knows which object is wrong, and paints the cells.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from stage import DOCK, LARGEST, PLUGIN, WINDOW, Stage, dock_in, save

IMAGES = Path(__file__).resolve().parent / "images"
PLANE, MEMBRANE_PLANE = 16, 12
PAINTED = {6: 5, 12: 6, 18: 5}  # number of cells by plane
SMALLEST = 150  # px; cells worth painting
REVIEWED = 12
MINUTES = 5.0
NAME = "membranes"


def main() -> None:
    """Play the story in a folder of its own, with nobody's models and settings."""
    images = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else IMAGES
    (images / "tutorial").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        os.environ |= {"NAPARI_CONFIG": f"{folder}/napari.yaml", "UNETSEG_MODELS": f"{folder}/models"}
        stage = Stage(images / "tutorial")
        stage.sample("cells_3d", plane=PLANE)
        stage.shoot("sample.png")
        segment(stage)
        retune(stage)
        review(stage)
        fail(stage)
        paint(stage)
        train(stage)
        segment_with_own(stage)
        evaluate(stage)
        batch(stage)
        save(poster(stage.shots), images / "docks.png", largest=2 * LARGEST)
        stage.viewer.close()
        os.chdir(images)


def segment(stage: Stage) -> None:
    """Segment the stack with the bundled model."""
    dock = stage.open("Segment")
    stage.wait(lambda: dock.forecast.text().startswith("About"))
    join_slices(dock)
    dock.advanced.expand(animate=False)
    stage.shoot("segment.png", of="dock")
    dock.advanced.collapse(animate=False)
    dock.run.click()
    stage.wait(lambda: dock.session.fraction > 0.55)
    stage.shoot("segmenting.png")
    stage.work(dock.session.job)


def retune(stage: Stage) -> None:
    """Move a slider, and move it back."""
    dock = stage.frame.inner_widget()
    slider = dock.refine.sliders["min_size"]
    for value in (80, slider.value()):
        slider.setValue(value)
        stage.rest(3)
        stage.work(dock.session.refiner.job)
        if value == 80:
            stage.shoot("refine.png", of="dock")


def review(stage: Stage) -> None:
    """Go through the most doubtful objects; keep those that are nuclei, and delete the others."""
    stage.frame.inner_widget().refine.review.click()
    dock = stage.take("Review")
    stage.work(dock.session.job)
    truth, found = stage.layers["nuclei truth"].data, stage.layers["nuclei labels"]
    for _ in range(REVIEWED):
        dock.next.click()
        stage.rest(0.3)
        is_right = is_one_cell(truth[found.data == dock.session.current[1]])
        if not is_right and not dock.session.objects.items[dock.session.current].touches_border:
            stage.shoot("review.png")
        (dock.accept if is_right else dock.tools.remove).click()
        stage.rest(0.3)


def fail(stage: Stage) -> None:
    """Show what the bundled model makes of cells that it does not know."""
    stage.sample("membranes_3d", plane=MEMBRANE_PLANE)
    dock = stage.open("Segment")
    dock.region.buttons["slice"].click()
    dock.run.click()
    stage.work(dock.session.job)
    stage.shoot("unknown.png")


def paint(stage: Stage) -> None:
    """Paint some cells, each with its own number."""
    stage.close()
    stage.show("cells")
    stage.layers.selection.active = stage.layers["cells"]
    run_command("new_labels", viewer=stage.viewer)
    layer = stage.layers[-1]
    truth, number = stage.layers["cells truth"].data, 0
    for plane, count in PAINTED.items():
        for cell in cells_in(truth[plane], count):
            number += 1
            rows, columns = np.nonzero(truth[plane] == cell)
            layer.data_setitem((np.full(len(rows), plane), rows, columns), number)
    layer.selected_label = number
    stage.go_to(MEMBRANE_PLANE)
    stage.shoot("paint.png")


def train(stage: Stage) -> None:
    """Train on what is painted, with the live preview."""
    dock = stage.open("Train")
    dock.minutes.setValue(MINUTES)
    dock.name.setText(NAME)
    dock.name.textEdited.emit(NAME)
    stage.rest(2)
    stage.shoot("train.png", of="dock")
    dock.train.click()
    session = dock.session
    stage.wait(lambda: not session.job.is_running or session.history.fraction > 0.75)
    stage.shoot("training.png")
    stage.work(session.job)
    stage.shoot("trained.png", of="dock")


def segment_with_own(stage: Stage) -> None:
    """Press "Segment with it" and run the new model on the stack."""
    stage.frame.inner_widget().segment.click()
    dock = stage.take("Segment")
    stage.show("cells", "cells labels")
    join_slices(dock)
    dock.region.buttons["all"].click()
    dock.run.click()
    stage.work(dock.session.job)
    stage.wait(lambda: dock.forecast.text().startswith("About"))
    stage.shoot("own.png")


def evaluate(stage: Stage) -> None:
    """Compare the result with the truth."""
    dock = stage.open("Evaluate")
    dock.labels.set_value(stage.layers["cells labels"])
    dock.truth.set_value(stage.layers["cells truth"])
    dock.evaluate.click()
    stage.work(dock.session.job)
    stage.show("cells", "cells labels mistakes")
    stage.shoot("evaluate.png")
    print(dock.session.result.comparison.scores)


def batch(stage: Stage) -> None:
    """Segment a folder of images, and open one of them."""
    words = ["simulate", "practice", "--stain", "membranes", "--count", "6"]
    command = [sys.executable, "-m", "napari_unetseg", *words]
    subprocess.run(command, check=True, capture_output=True)
    stage.close()
    stage.layers.clear()
    dock = stage.open("Batch")
    dock.files.take_folder(Path("practice/images"))
    stage.wait(lambda: dock.session.rows)
    dock.run.click()
    stage.wait(lambda: dock.session.count("done") >= 3)
    stage.shoot("batch.png", of="dock")
    stage.work(dock.session.job)
    dock.table.selectRow(1)
    dock.table.doubleClicked.emit(dock.table.model().index(1, 0))
    stage.wait(lambda: len(stage.layers) == 2)
    stage.viewer.reset_view()
    stage.shoot("opened.png")


def join_slices(dock: Any) -> None:
    """Tick "Join slices" of the Segment dock."""
    dock.decoding.set_value(dock.decoding.value().replace(link_slices=True))


def run_command(name: str, **arguments: Any) -> None:
    """Do what an entry of napari's menus does."""
    from npe2 import PluginManager

    PluginManager.instance().commands.get(f"{PLUGIN}.{name}")(**arguments)


def is_one_cell(truth: np.ndarray) -> bool:
    """Say whether more than half of an object is one true cell."""
    return bool(np.bincount(truth)[1:].max(initial=0) > 0.5 * truth.size)


def cells_in(truth: np.ndarray, count: int) -> list[int]:
    """Return some cells of a plane, from small to large."""
    ids, sizes = np.unique(truth, return_counts=True)
    worth = [(size, cell) for cell, size in zip(ids, sizes, strict=True) if cell and size > SMALLEST]
    return [int(sorted(worth)[place][1]) for place in np.linspace(0, len(worth) - 1, count).astype(int)]


def poster(shots: dict[str, Image.Image]) -> Image.Image:
    """Put the window at work above the other docks."""
    gap = 6
    width = (WINDOW[0] - 3 * gap) // 4
    docks = [dock_in(shots[name]) for name in ("own.png", "review.png", "batch.png", "evaluate.png")]
    docks = [dock.resize((width, dock.height * width // DOCK), Image.Resampling.LANCZOS) for dock in docks]
    sheet = Image.new("RGB", (WINDOW[0], WINDOW[1] + gap + docks[0].height), "white")
    sheet.paste(shots["training.png"], (0, 0))
    for place, dock in enumerate(docks):
        sheet.paste(dock, (place * (width + gap), WINDOW[1] + gap))
    return sheet


if __name__ == "__main__":
    main()
