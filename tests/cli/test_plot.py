"""Pictures: outlines where they belong, and neighbours told apart."""

from __future__ import annotations

import numpy as np

from napari_unetseg.cli import plot


def test_an_image_without_objects_is_drawn(tmp_path):
    image, labels = np.zeros((40, 60), np.uint16), np.zeros((40, 60), np.uint32)
    path = plot.write_outline_picture(image, labels, path=tmp_path / "x.png", title="nothing here")
    assert path.read_bytes().startswith(b"\x89PNG")


def test_windows_are_crowded_places_apart_from_each_other():
    labels = np.zeros((64, 64), np.uint32)
    labels[2:14:3, 2:14:3] = np.arange(1, 17).reshape(4, 4)
    labels[40, 40] = 99
    windows = plot.choose_windows(labels, count=3, size=16)
    assert len(windows) == 3
    assert len(np.unique(labels[windows[0]])) == 17
    starts = [(rows.start, columns.start) for rows, columns in windows]
    assert all(max(abs(a - c), abs(b - d)) >= 16 for i, (a, b) in enumerate(starts) for c, d in starts[:i])
    assert len(plot.choose_windows(labels[:10, :10], count=3, size=16)) == 1
