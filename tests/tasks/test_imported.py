"""What a person is told of an import."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_unetseg.images.canvas import Drawn
from napari_unetseg.tasks.imported import Imported, Tally


def told(*maps: np.ndarray, classes: tuple[str, ...] = (), is_semantic: bool = False) -> list[str]:
    """Return the sentences about label maps named 0.png, 1.png, ..."""
    tally = Tally(Imported(Path("images"), Path("labels"), is_semantic, classes))
    for number, labels in enumerate(maps):
        tally.add(f"{number}.png", Drawn(labels), labels)
    return tally.sentences()


def test_classes_that_no_file_shows_are_named() -> None:
    first, second = np.array([[0, 1, 1]]), np.array([[3, 0, 0]])
    assert told(first, second, classes=("large", "dot", "small", "torn"), is_semantic=True) == [
        "2 classes without a pixel in these label files: dot, torn; 'train' cannot learn a class that no file shows"
    ]
    assert told(first, second, classes=("large",), is_semantic=True) == []
    assert told(classes=("large",), is_semantic=True) == []


def test_classes_that_were_imported_as_objects_are_told() -> None:
    labels = np.zeros((20, 20), np.uint32)
    labels[::6, ::6], labels[3:18:6, 3:18:6] = 40, 7
    assert told(labels, np.where(labels == 7, 7, 0)) == [
        "the label maps hold at most 2 numbers, most of them in many separate pieces, as classes are; 'train' refuses "
        "them as objects. If they are classes, import them with --semantic (and --overwrite); if not, give every cell "
        "its own number"
    ]
    assert told(labels, is_semantic=True) == []
    assert told(np.eye(20, dtype=np.uint32)) == []
    (note,) = told(np.where(labels == 40, 255, 0))
    assert "255 alone (0.png): a mask" in note
