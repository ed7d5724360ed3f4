"""Simulated images: reproducible, of the size and density asked for, with a truth that holds together."""

from __future__ import annotations

import tracemalloc
from itertools import islice, pairwise

import numpy as np
import pytest
from scipy import ndimage

from napari_unetseg.images.simulate import simulate, simulate_planes
from napari_unetseg.schema.errors import InputError


def _parts(labels: np.ndarray) -> list[int]:
    """Number of connected parts of each label."""
    full = np.ones((3,) * labels.ndim)
    boxes = enumerate(ndimage.find_objects(labels.astype(np.int32)), start=1)
    return [ndimage.label(labels[box] == index, full)[1] for index, box in boxes if box is not None]


@pytest.mark.parametrize(
    ("shape", "time_points", "full"),
    [
        ((48, 40), None, (48, 40)),
        ((3, 48, 40), None, (3, 48, 40)),
        ((48, 40), 2, (2, 48, 40)),
        ((2, 48, 40), 2, (2, 2, 48, 40)),
    ],
)
def test_shapes_and_types(shape, time_points, full) -> None:
    image, labels = simulate(shape, time_points=time_points, diameter=12)
    assert image.shape == labels.shape == full
    assert (image.dtype, labels.dtype) == (np.uint16, np.uint32)
    assert labels.any()


@pytest.mark.parametrize("options", [{"shape": (5, 48, 48), "anisotropy": 2.0}, {"shape": (48, 48), "time_points": 4}])
def test_plane_by_plane_is_the_same_as_at_once_and_seeds_matter(options) -> None:
    image, labels = simulate(**options, seed=3, diameter=14)
    planes = list(simulate_planes(**options, seed=3, diameter=14))
    np.testing.assert_array_equal(image, np.stack([p for p, _ in planes]))
    np.testing.assert_array_equal(labels, np.stack([p for _, p in planes]))
    assert (simulate(**options, seed=4, diameter=14)[1] != labels).any()


@pytest.mark.parametrize("density", [0.1, 0.25])
def test_density_is_the_covered_share(density) -> None:
    flat = np.mean([(simulate((128, 128), seed=s, density=density, diameter=14)[1] > 0).mean() for s in range(3)])
    deep = np.mean([(simulate((12, 64, 64), seed=s, density=density, diameter=10)[1] > 0).mean() for s in range(3)])
    assert flat == pytest.approx(density, rel=0.25)
    assert deep == pytest.approx(density, rel=0.3)


@pytest.mark.parametrize("diameter", [12.0, 30.0])
def test_diameter_is_that_of_the_nuclei(diameter) -> None:
    _, labels = simulate((256, 256), diameter=diameter, density=0.15)
    areas = np.bincount(labels.ravel())[1:]
    assert 2 * np.sqrt(np.median(areas[areas > 0]) / np.pi) == pytest.approx(diameter, rel=0.15)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    "options", [{"shape": (96, 96)}, {"shape": (8, 48, 48)}, {"shape": (4, 48, 48), "anisotropy": 4}]
)
def test_each_label_is_one_connected_object_even_when_crowded(options, seed) -> None:
    parts = _parts(simulate(**options, seed=seed, density=0.6, diameter=12)[1])
    assert len(parts) > 5
    assert set(parts) == {1}


def test_nuclei_go_through_neighbouring_planes() -> None:
    _, labels = simulate((30, 80, 80), diameter=16, density=0.15)
    depth = [
        box[0].stop - box[0].start
        for box in ndimage.find_objects(labels.astype(np.int32))
        if box is not None and box[0].start > 1 and box[0].stop < 29
    ]
    assert np.median(depth) == pytest.approx(15, abs=4)
    _, flat = simulate((10, 80, 80), diameter=16, density=0.15, anisotropy=4)
    inner = [
        box[0].stop - box[0].start
        for box in ndimage.find_objects(flat.astype(np.int32))
        if box is not None and box[0].start > 0 and box[0].stop < 10
    ]
    assert np.median(inner) == pytest.approx(4, abs=1)


def test_ids_follow_their_nucleus_through_time_and_daughters_get_new_ones() -> None:
    _, labels = simulate((72, 72), time_points=15, diameter=16, seed=1)
    stayed = [
        len(np.intersect1d(a[b > 0][a[b > 0] == b[b > 0]], a)) / len(np.unique(a[a > 0])) for a, b in pairwise(labels)
    ]
    assert min(stayed) > 0.6  # most nuclei overlap themselves one frame later
    assert (labels[0] != labels[5]).any()
    assert labels[-1].max() > labels[0].max()  # someone divided


def test_nuclei_are_brighter_than_the_background_and_the_camera_is_sixteen_bit() -> None:
    image, labels = simulate((128, 128))
    assert np.median(image[labels > 0]) > 4 * np.median(image[labels == 0])
    assert 100 <= np.percentile(image, 1) < 400
    assert 2000 < image.max() < 15000


def test_noise_can_be_turned_off_and_up() -> None:
    quiet, labels = simulate((64, 64), noise=0)
    for noise, low, high in ((1, 0.5, 20), (3, 2, 60)):
        image, same = simulate((64, 64), noise=noise)
        np.testing.assert_array_equal(labels, same)
        assert low < np.std(image.astype(float) - quiet, where=labels == 0) < high * 2
    np.testing.assert_array_equal(quiet, simulate((64, 64), noise=0)[0])


def test_a_stack_larger_than_memory_comes_plane_by_plane() -> None:
    planes = simulate_planes((4000, 64, 64), diameter=40, density=0.1)  # 100 MB if it were kept
    tracemalloc.start()
    assert sum(1 for _ in islice(planes, 6)) == 6
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20e6


@pytest.mark.parametrize("shape", [(1, 1), (1, 40, 40), (3, 200), (7, 1, 9)])
def test_odd_and_tiny_images(shape) -> None:
    image, labels = simulate(shape, time_points=2)
    assert image.shape == labels.shape == (2, *shape)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shape": (64,)}, "shape"),
        ({"shape": (0, 64)}, "shape"),
        ({"density": 0.0}, "density"),
        ({"density": 0.9}, "at most 0.6"),
        ({"diameter": 2.0}, "diameter"),
        ({"time_points": 0}, "time_points"),
        ({"anisotropy": 0.0}, "anisotropy"),
        ({"noise": -1.0}, "noise"),
        ({"seed": -1}, "seed"),
    ],
)
def test_bad_settings_are_refused_before_the_first_plane(options, message) -> None:
    with pytest.raises(InputError, match=message):
        simulate_planes(**({"shape": (64, 64)} | options))
