"""Labels are saved in both formats with their axes and pixel size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_unetseg.images.read import open_image, read_labels
from napari_unetseg.schema.errors import InputError
from napari_unetseg.tasks.jobs import finish
from napari_unetseg.tasks.save import save_labels


@pytest.mark.parametrize("name", ["a.ome.tif", "a.zarr"])
def test_labels_are_read_again_as_they_were(tmp_path: Path, name: str) -> None:
    labels = np.arange(2 * 1 * 4 * 5, dtype=np.uint32).reshape(2, 1, 4, 5)
    path = finish(save_labels(labels, path=tmp_path / name, axes="TYX", scale={"Y": 0.5, "X": 0.25}))
    np.testing.assert_array_equal(read_labels(path), labels[:, 0])
    source = open_image(path)
    assert source.axes.letters == "TYX"
    assert (source.scale["Y"], source.scale["X"]) == (0.5, 0.25)


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="ending says the format"):
        finish(save_labels(np.zeros((1, 1, 4, 5), np.uint32), path=tmp_path / "a.png", axes="YX", scale={}))
