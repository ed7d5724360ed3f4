import numpy as np
import pytest
from scipy import ndimage

from napari_unetseg.labels.targets import make_targets
from napari_unetseg.schema.config import TargetConfig
from napari_unetseg.schema.errors import InputError

BOUNDARY, BOTH, DISTANCE = (TargetConfig(kind=kind) for kind in ("boundary", "both", "distance"))


def _cells(shape, *, count, seed=0):
    """Random blobs that touch each other and the border."""
    rng = np.random.default_rng(seed)
    points = np.array([rng.integers(0, size, count) for size in shape])
    marks = np.ones(shape, bool)
    marks[tuple(points)] = False
    distance, nearest = ndimage.distance_transform_edt(marks, return_indices=True)
    ids = np.zeros(shape, np.int32)
    ids[tuple(points)] = np.arange(1, count + 1)
    return np.where(distance < 6, ids[tuple(nearest)], 0).astype(np.int32)


def _naive(labels, *, width, spacing):
    """Classes and distance from one distance transform of the whole image per object."""
    classes = (labels > 0).astype(int)
    distance = np.zeros(labels.shape)
    for index in np.unique(labels[labels > 0]):
        inside = labels == index
        depth = ndimage.distance_transform_edt(inside, sampling=np.array(spacing) / min(spacing))
        faces = ndimage.binary_erosion(inside, border_value=1)
        classes[inside & ((depth <= width) | ~faces)] = 2
        distance[inside] = depth[inside] / depth[inside].max()
    return classes, distance


def test_row_of_the_docstring():
    labels = np.array([[0, 0, 3, 3, 3, 3, 3, 7, 7, 7, 0]])
    targets = make_targets(labels, config=BOTH)
    assert targets.classes.dtype == np.int64
    assert targets.distance.dtype == np.float32
    np.testing.assert_array_equal(targets.classes, [[0, 0, 2, 1, 1, 1, 2, 2, 1, 2, 0]])
    np.testing.assert_allclose(targets.distance, [[0, 0, 1 / 3, 2 / 3, 1, 2 / 3, 1 / 3, 0.5, 1, 0.5, 0]], rtol=1e-6)


def test_kinds_differ_in_what_they_hold():
    labels = np.pad(np.ones((3, 3), int), 1)
    assert make_targets(labels, config=BOUNDARY).distance is None
    np.testing.assert_array_equal(make_targets(labels, config=DISTANCE).classes, labels)
    np.testing.assert_array_equal(make_targets(labels, config=BOUNDARY).classes, np.where(labels, 2, 0) - _centre())


def _centre():
    centre = np.zeros((5, 5), int)
    centre[2, 2] = 1
    return centre


@pytest.mark.parametrize("width", [1, 2, 3])
@pytest.mark.parametrize(
    ("shape", "spacing"), [((40, 33), (1, 1)), ((33, 40), (2.0, 0.5)), ((10, 20, 20), (5.0, 1.0, 1.0))]
)
def test_equals_one_transform_of_the_image_per_object(shape, spacing, width):
    labels = _cells(shape, count=12)
    classes, distance = _naive(labels, width=width, spacing=spacing)
    targets = make_targets(labels, config=BOTH.replace(boundary_width=width), spacing=spacing)
    np.testing.assert_array_equal(targets.classes, classes)
    np.testing.assert_allclose(targets.distance, distance, atol=1e-6)


def test_only_the_ratio_of_pixel_sizes_matters():
    labels = _cells((8, 16, 16), count=6)
    a, b = (make_targets(labels, config=BOTH, spacing=spacing) for spacing in ((5, 1, 1), (1.0, 0.2, 0.2)))
    np.testing.assert_allclose(a.distance, b.distance, rtol=1e-6)


def test_image_border_is_no_boundary():
    labels = np.array([[1, 1, 1, 0], [1, 1, 1, 0], [1, 1, 1, 0]])
    targets = make_targets(labels, config=BOTH)
    np.testing.assert_array_equal(targets.classes, [[1, 1, 2, 0]] * 3)
    np.testing.assert_allclose(targets.distance, [[1, 2 / 3, 1 / 3, 0]] * 3, rtol=1e-6)


def test_one_object_everywhere_has_no_boundary():
    targets = make_targets(np.ones((4, 5), int), config=BOTH.replace(boundary_width=3))
    assert (targets.classes == 1).all()
    assert (targets.distance == 1).all()


@pytest.mark.parametrize("config", [BOUNDARY, BOTH, DISTANCE])
@pytest.mark.parametrize("shape", [(6, 7), (0, 7), (3, 4, 5)])
def test_no_object(config, shape):
    targets = make_targets(np.zeros(shape, np.uint16), config=config)
    assert targets.classes.shape == shape
    assert not targets.classes.any()


def test_ids_do_not_matter():
    labels = _cells((32, 32), count=8)
    ids = np.array([0, 900, 5, 70_000, 2**24 + 1, 2**33, 2**40, 7, 2**63], np.uint64)
    expected, got = make_targets(labels, config=BOTH), make_targets(ids[labels], config=BOTH)
    np.testing.assert_array_equal(got.classes, expected.classes)
    np.testing.assert_array_equal(got.distance, expected.distance)


def test_mirrored_labels_give_mirrored_targets():
    labels = _cells((32, 32), count=10)
    expected, got = make_targets(labels, config=BOTH), make_targets(labels[::-1].T, config=BOTH)
    np.testing.assert_array_equal(got.classes, expected.classes[::-1].T)
    np.testing.assert_array_equal(got.distance, expected.distance[::-1].T)


def test_ignored_pixels_are_neither_learned_nor_a_border():
    labels = np.array([[-1, -1, 4, 4, 4, 0]])
    targets = make_targets(labels, config=BOTH)
    np.testing.assert_array_equal(targets.classes, [[-1, -1, 1, 1, 2, 0]])
    np.testing.assert_allclose(targets.distance, [[0, 0, 1, 2 / 3, 1 / 3, 0]], rtol=1e-6)


def test_painted_object_is_background_only_around():
    labels = np.zeros((1, 12), int)
    labels[0, :3] = 1
    labels[0, 4] = -1
    classes = make_targets(labels, config=BOUNDARY, unlabelled_is_background=False).classes
    np.testing.assert_array_equal(classes, [[1, 1, 2, 0, -1, 0, -1, -1, -1, -1, -1, -1]])
    nothing = make_targets(np.zeros((4, 4), int), config=BOUNDARY, unlabelled_is_background=False)
    assert (nothing.classes == -1).all()


def test_input_is_left_alone():
    labels = _cells((16, 16), count=4)
    before = labels.copy()
    labels.flags.writeable = False
    make_targets(labels, config=BOTH, unlabelled_is_background=False)
    np.testing.assert_array_equal(labels, before)


@pytest.mark.parametrize(
    ("labels", "spacing", "message"),
    [
        (np.zeros((2, 2, 2, 2), int), None, "got 4 axes"),
        (np.zeros((2, 2), int), (1, 1, 1), "2 positive numbers"),
        (np.zeros((2, 2), int), (0, 1), "2 positive numbers"),
        (np.zeros((2, 2), int), (float("nan"), 1), "2 positive numbers"),
    ],
)
def test_bad_input_is_refused(labels, spacing, message):
    with pytest.raises(InputError, match=message):
        make_targets(labels, config=BOTH, spacing=spacing)


def test_classes_are_targets_as_they_are() -> None:
    labels = np.array([[0, 0, 5, 5, 2, -1]])
    target = TargetConfig(kind="semantic", classes=6)
    found = make_targets(labels, config=target)
    np.testing.assert_array_equal(found.classes, labels)
    assert found.distance is None
    painted = make_targets(labels, config=target, unlabelled_is_background=False)
    np.testing.assert_array_equal(painted.classes, [[-1, -1, 5, 5, 2, -1]])
