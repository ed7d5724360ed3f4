"""What a training makes of some held-back images, as pictures beside the model: NAME.samples/step_000123.png."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from napari_unetseg.cli.plot import save_figure
from napari_unetseg.cli.sample_folder import clear_samples, samples_of
from napari_unetseg.labels.outlines import COLOURS, outlined
from napari_unetseg.schema.events import Event, Sampled, StepDone, Validated
from napari_unetseg.schema.words import MEASURES

TRUTH, FOUND = COLOURS[0], COLOURS[1]
"""Orange and sky blue, which colour-blind readers tell apart."""
CELL = 2.6
"""Edge (inches) of a small picture."""
_LINE, _COLUMNS = 0.2, 4
"""Height (inches) of a line of names of classes, and how many are beside each other."""


class Samples:
    """Takes the events of a run, and draws a picture at each validation."""

    def __init__(self, model: Path) -> None:
        self.model = model
        self._found: list[Sampled] = []
        self._has_begun = False

    def add(self, event: Event) -> None:
        """Take one event."""
        match event:
            case StepDone():
                if not self._has_begun:  # after a checkpoint some steps are taken again
                    clear_samples(self.model, since=event.step)
                self._has_begun = True
                self._found = []  # of a validation that was broken off
            case Sampled():
                self._found.append(event)
            case Validated() if self._found:
                folder = samples_of(self.model)
                folder.mkdir(exist_ok=True)
                title = f"{self.model.stem}, step {event.step}: {MEASURES[event.measure]} {event.shown:.3f}"
                write_samples(self._found, path=folder / f"step_{event.step:06d}.png", title=title)
                self._found = []


def write_samples(samples: list[Sampled], *, path: Path, title: str) -> Path:
    """Draw a row for each sample: the image, the truth, and what was found; of classes with their names."""
    legend = _legend(samples)
    height = len(samples) * (CELL + 0.28) + 0.3 + _LINE * -(-len(legend) // _COLUMNS)
    figure = Figure(figsize=(3 * CELL, height), dpi=100, facecolor="white")
    figure.set_layout_engine("constrained", w_pad=0.02, h_pad=0.02, wspace=0.01, hspace=0.01)
    for row, sample in zip(figure.subplots(len(samples), 3, squeeze=False), samples, strict=True):
        empty = np.zeros_like(sample.truth)
        score = f"{'IoU' if sample.is_of_classes else 'AP'} {sample.score:.3f}"
        texts = (sample.name, "truth", f"found, {score}")
        for axes, labels, colour, text in zip(
            row, (empty, sample.truth, sample.found), (TRUTH, TRUTH, FOUND), texts, strict=True
        ):
            axes.imshow(_painted(sample, labels, colour=colour), interpolation="antialiased")
            axes.set_axis_off()
            axes.set_title(_short(text), fontsize=8, loc="left", pad=3)
    if legend:
        figure.legend(handles=legend, loc="outside lower left", ncols=_COLUMNS, fontsize=8, frameon=False)
    figure.suptitle(title, fontsize=10, x=0.01, ha="left")
    return save_figure(figure, path)


def _legend(samples: Sequence[Sampled]) -> list[Patch]:
    """Return the colour and name of each class that occurs in the pictures; of objects none."""
    occurring = {int(number) for one in samples for labels in (one.truth, one.found) for number in np.unique(labels)}
    return [
        Patch(color="#" + bytes(_colour_of(np.array(number)).tolist()).hex(), label=_short(name, most=24))
        for number, name in enumerate(samples[0].classes, start=1)
        if number in occurring
    ]


def _colour_of(classes: np.ndarray) -> np.ndarray:
    """Return the colours of classes 1, 2, ..., which come round again after the last."""
    colours: np.ndarray = COLOURS[(classes - 1) % len(COLOURS)]
    return colours


def _painted(sample: Sampled, labels: np.ndarray, *, colour: np.ndarray) -> np.ndarray:
    """Return the image as RGB with outlines of objects in one colour, or with classes in a colour each."""
    image = np.moveaxis(sample.image, 0, -1) if len(sample.image) == 3 else sample.image[0]
    if not sample.is_of_classes:
        colours = np.tile(colour, (max(0, int(labels.max(initial=0))) + 1, 1))
        return outlined(image, labels, colours=colours, zoom=max(1, 256 // max(labels.shape)))
    picture = outlined(image, np.zeros_like(labels), colours=COLOURS)
    is_class = labels > 0  # neither background nor what nobody annotated
    picture[is_class] = picture[is_class] // 2 + _colour_of(labels[is_class]) // 2
    return picture


def _short(text: str, *, most: int = 40) -> str:
    return text if len(text) <= most else f"...{text[3 - most :]}"
