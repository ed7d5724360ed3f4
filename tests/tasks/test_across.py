"""Planes of a volume across Y and X."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from numpy.testing import assert_allclose, assert_array_equal

from napari_unetseg.networks.three_axes import ThreeAxes
from napari_unetseg.networks.unet import UNet
from napari_unetseg.schema.config import NetworkConfig
from napari_unetseg.schema.errors import InputError
from napari_unetseg.tasks.across import planes_across
from napari_unetseg.tasks.jobs import finish
from napari_unetseg.tasks.loading import read_samples
from napari_unetseg.tasks.samples import Sample

SHAPE = (4, 6, 8)


def volume() -> Sample:
    image = np.arange(np.prod(SHAPE), dtype=np.uint16).reshape(1, *SHAPE)
    return Sample(image, image[0].astype(np.int32), "v", pixel_size=(2.0, 1.0, 1.0))


def test_every_plane_across_y_and_x_is_there_with_its_own_labels() -> None:
    planes = list(planes_across(volume(), z_step=1))
    assert [plane.name for plane in planes] == [f"v y{y}" for y in range(6)] + [f"v x{x}" for x in range(8)]
    for index, plane in enumerate(planes):
        across = volume().labels[:, index] if index < 6 else volume().labels[:, :, index - 6]
        assert_array_equal(plane.labels, across)
        assert_array_equal(plane.image[0], across)


def test_z_is_stretched_linearly_and_labels_are_those_of_the_nearest_plane() -> None:
    first = next(iter(planes_across(volume(), z_step=2)))
    assert first.pixel_size == (1.0, 1.0)
    assert_array_equal(first.labels, np.repeat(volume().labels[:, 0], 2, axis=0))
    step = SHAPE[1] * SHAPE[2]  # grey values from one plane to the next
    assert_allclose(first.image[0, :, 0], step * np.array([0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3]))


def test_the_network_that_looks_along_three_axes_sees_the_same_planes(monkeypatch: pytest.MonkeyPatch) -> None:
    flat = UNet(NetworkConfig(width=2, depth=1)).eval()
    seen: list[np.ndarray] = []
    forward = flat.forward_cropped

    def look(x: torch.Tensor, halos: object) -> torch.Tensor:
        seen.extend(x.numpy().copy())
        return forward(x, halos)  # type: ignore[arg-type]

    monkeypatch.setattr(flat, "forward_cropped", look)
    with torch.inference_mode():
        network = ThreeAxes(flat, z_step=2, classes=3).eval()
        network.forward_cropped(torch.from_numpy(volume().image.astype(np.float32))[None], [(0, 0)] * 3)
    for plane in planes_across(volume(), z_step=2):
        assert any(one.shape == plane.image.shape and np.allclose(one, plane.image, atol=1e-3) for one in seen)


def test_files_give_them_beside_the_planes(tmp_path: Path) -> None:
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
        metadata = {"axes": "ZYX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5, "PhysicalSizeZ": 1.0}
        array = volume().image[0] if folder == "images" else np.uint8(volume().labels > 90)
        tifffile.imwrite(tmp_path / folder / "a.tif", array, ome=True, metadata=metadata)
    samples = finish(read_samples(tmp_path / "images", tmp_path / "labels", three_axes=True))
    assert [sample.image.shape for sample in samples] == [(1, 6, 8)] * 4 + [(1, 8, 8)] * 6 + [(1, 8, 6)] * 8
    assert len({sample.stretch for sample in samples}) == len({sample.origin for sample in samples}) == 1
    assert {sample.pixel_size for sample in samples} == {(0.5, 0.5)}


def test_an_image_without_z_is_refused(tmp_path: Path) -> None:
    for name in ("image.tif", "labels.tif"):
        tifffile.imwrite(tmp_path / name, np.ones((16, 16), np.uint8))
    with pytest.raises(InputError, match="need a Z axis"):
        finish(read_samples(tmp_path / "image.tif", tmp_path / "labels.tif", three_axes=True))
