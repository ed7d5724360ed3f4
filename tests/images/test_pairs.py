"""Pairs are written whole, side by side, and never over another."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unetseg.images import layouts, pairs
from napari_unetseg.images.read import open_image, read_labels
from napari_unetseg.schema.errors import InputError

IMAGE = np.arange(2 * 6 * 8, dtype=np.uint16).reshape(2, 6, 8)
LABELS = np.kron(np.eye(2, dtype=np.int64), np.ones((3, 4), np.int64)) * 7


def test_a_pair_is_found_by_training_as_it_was(tmp_path):
    image, labels = pairs.add_pair(
        tmp_path / "set", "my cells/1", IMAGE, LABELS, axes="CYX", scale={"Y": 0.5, "X": 0.5}
    )
    assert layouts.pair_files(tmp_path / "set" / "images", tmp_path / "set" / "labels") == [(image, labels)]
    np.testing.assert_array_equal(open_image(image).read(), IMAGE[:, None])
    np.testing.assert_array_equal(read_labels(labels), LABELS)
    assert open_image(image).scale["X"] == pytest.approx(0.5)


def test_the_same_name_again_gets_a_number(tmp_path):
    first, _ = pairs.add_pair(tmp_path, "a", IMAGE, LABELS, axes="CYX", scale={})
    before = first.read_bytes()
    second, labels = pairs.add_pair(tmp_path, "a", IMAGE + 1, LABELS, axes="CYX", scale={})
    assert (second.name, labels.name) == ("a-2.tif", "a-2.tif")
    assert first.read_bytes() == before


def test_a_field_without_objects_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(InputError, match="holds no object"):
        pairs.add_pair(tmp_path / "new", "a", IMAGE, LABELS * 0, axes="CYX", scale={})
    assert not (tmp_path / "new").exists()


def test_labels_that_fail_take_their_image_along(tmp_path, monkeypatch):
    real = pairs.write_image

    def failing(path, *args, **kwargs):
        if path.parent.name == "labels":
            raise InputError("disk full")
        return real(path, *args, **kwargs)

    monkeypatch.setattr(pairs, "write_image", failing)
    with pytest.raises(InputError, match="disk full"):
        pairs.add_pair(tmp_path, "a", IMAGE, LABELS, axes="CYX", scale={})
    assert not list((tmp_path / "images").iterdir())
