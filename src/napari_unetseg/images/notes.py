"""What images say to a person, such as a guess of their axes: every sentence once, however many images say it."""

from __future__ import annotations

from napari_unetseg.images.source import ImageSource
from napari_unetseg.schema.words import counted


def sentences_of(source: ImageSource) -> list[str]:
    """Return what one image says, without its name in front."""
    names = (f"{source.name}: ", f"{source.path}: ")
    told = [source.axes.note, *source.notes]
    for name in names:
        told = [text.removeprefix(name) for text in told]
    return [text for text in dict.fromkeys(told) if text]


class GroupedNotes:
    """Collects what many images say; images whose axes are guessed alike are one group, whatever their sizes."""

    def __init__(self) -> None:
        self._groups: dict[str, tuple[str, str, int]] = {}

    def add(self, source: ImageSource) -> None:
        """Take in what this image says."""
        for text in sentences_of(source):
            key = source.axes.letters if source.axes.is_guess and text == source.axes.note else text
            first, shown, count = self._groups.get(key, (source.name, text, 0))
            self._groups[key] = first, shown, count + 1

    def sentences(self) -> list[str]:
        """Return one sentence for each group, with the name of its first image and the number of the others."""
        return [f"{name}{_others(count - 1)}: {text}" for name, text, count in self._groups.values()]


def _others(count: int) -> str:
    return f" and {counted(count, 'other')}" if count else ""
