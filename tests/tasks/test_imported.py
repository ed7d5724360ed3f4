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
