import math

import numpy as np
import pytest
from scipy import ndimage

from napari_unetseg.labels.targets import Targets, make_targets
from napari_unetseg.labels.weights import boundary_weights, separate_touching, weight_map
from napari_unetseg.schema.config import TargetConfig, WeightConfig
from napari_unetseg.schema.errors import InputError

CONFIG = WeightConfig()


def _cells(shape, *, count, radius=4, seed=0):
    """Random balls; later ones cover earlier ones, so many touch."""
    rng = np.random.default_rng(seed)
    grid = np.indices(shape)
    labels = np.zeros(shape, np.int32)
    for index in range(1, count + 1):
        centre = np.array([rng.integers(size) for size in shape]).reshape(-1, *(1,) * len(shape))
        labels[((grid - centre) ** 2).sum(axis=0) <= radius**2] = index
    return labels


def _naive(labels, *, config=CONFIG, spacing=None):
    """The formula, with one distance transform of the whole image per object."""
    separated = separate_touching(labels)
    sampling = None if spacing is None else np.array(spacing) / min(spacing)
    nearest = second = np.full(labels.shape, np.inf)
    for index in np.unique(separated[separated > 0]):
        distance = ndimage.distance_transform_edt(separated != index, sampling=sampling)
        nearest, second = np.minimum(nearest, distance), np.minimum(second, np.maximum(nearest, distance))
    weight = config.w0 * np.exp(-((nearest + second) ** 2) / (2 * config.sigma**2))
    return np.where(separated == 0, weight, 0)


def test_gap_of_one_pixel():
    labels = np.zeros((1, 9), int)
    labels[0, :4], labels[0, 5:] = 1, 2
    weight = boundary_weights(labels, config=CONFIG)
    assert weight.dtype == np.float32
    expected = np.zeros((1, 9))
    expected[0, 4] = 10 * math.exp(-(2**2) / 50)
    np.testing.assert_allclose(weight, expected, rtol=1e-6)
    assert weight[0, 4] == pytest.approx(9.231, abs=5e-4)


@pytest.mark.parametrize(
    ("shape", "spacing", "config"),
    [
        ((64, 50), None, CONFIG),
        ((50, 64), (2.0, 1.0), CONFIG),
        ((64, 64), None, WeightConfig(w0=50, sigma=6)),
        ((64, 64), None, WeightConfig(w0=1000, sigma=2)),
        ((10, 24, 24), (3.0, 0.5, 0.5), WeightConfig(sigma=3)),
    ],
)
def test_equals_one_transform_of_the_image_per_object(shape, spacing, config):
    labels = _cells(shape, count=15)
    weight = boundary_weights(labels, config=config, spacing=spacing)
    reference = _naive(labels, config=config, spacing=spacing)
    assert reference.max() > config.w0 / 2
    np.testing.assert_allclose(weight, reference, atol=1e-4)


@pytest.mark.parametrize(
    "labels", [np.zeros((6, 6), int), np.eye(6, dtype=int), np.ones((4, 4), int), np.zeros((0, 3), int)]
)
def test_fewer_than_two_objects_weigh_nothing(labels):
    assert not boundary_weights(labels, config=CONFIG).any()


def test_weight_can_be_turned_off():
    assert not boundary_weights(_cells((32, 32), count=9), config=WeightConfig(w0=0)).any()


def test_objects_themselves_weigh_nothing_but_for_the_separation_border():
    labels = _cells((32, 32), count=9)
    weight = boundary_weights(labels, config=CONFIG)
    assert not weight[separate_touching(labels) > 0].any()
    assert weight[(labels > 0) & (separate_touching(labels) == 0)].min() > 8


def test_mirrored_labels_give_mirrored_weights():
    labels = _cells((32, 32), count=9)
    np.testing.assert_allclose(
        boundary_weights(labels[:, ::-1].T, config=CONFIG),
        boundary_weights(labels, config=CONFIG)[:, ::-1].T,
        rtol=1e-5,
    )


def test_ids_do_not_matter():
    labels = _cells((32, 32), count=3)
    ids = np.array([0, 5, 900, 70_000], np.uint32)
    np.testing.assert_array_equal(boundary_weights(ids[labels], config=CONFIG), boundary_weights(labels, config=CONFIG))


def test_the_larger_of_touching_objects_gives_way():
    np.testing.assert_array_equal(separate_touching(np.array([[1, 1, 2, 2, 2]])), [[1, 1, 0, 2, 2]])
    np.testing.assert_array_equal(separate_touching(np.array([[2, 2, 2, 1, 1]])), [[2, 2, 0, 1, 1]])
    np.testing.assert_array_equal(separate_touching(np.array([[70, 70], [9, 9]])), [[0, 0], [9, 9]])


def test_objects_that_share_no_face_stay():
    labels = np.array([[1, 0, 3], [0, 2, -1], [0, 0, -1]])
    np.testing.assert_array_equal(separate_touching(labels), labels)


def test_separation_leaves_no_contact_and_works_in_3d():
    labels = _cells((8, 16, 16), count=12)
    before = labels.copy()
    separated = separate_touching(labels)
    np.testing.assert_array_equal(labels, before)
    np.testing.assert_array_equal(separate_touching(separated), separated)
    assert (separated != labels).any()


def test_object_lost_to_separation_is_no_obstacle():
    labels = np.array([[1, 2, 2, 3]])  # both pixels of 2 give way
    weight = boundary_weights(labels, config=CONFIG)
    np.testing.assert_allclose(weight, [[0, 10 * math.exp(-9 / 50), 10 * math.exp(-9 / 50), 0]], rtol=1e-6)


def test_weight_map_adds_class_and_border_weight_and_leaves_out_ignored_pixels():
    labels = np.array([[1, 1, 1, 0, 2, 2, 2, -1]])
    targets = make_targets(labels, config=TargetConfig(kind="boundary"))
    classes = np.array([0.5, 1, 3], np.float32)
    weight = weight_map(labels, targets=targets, config=CONFIG, class_weight=classes)
    assert weight.dtype == np.float32
    np.testing.assert_allclose(weight, [[1, 1, 3, 0.5 + 10 * math.exp(-4 / 50), 3, 1, 1, 0]], rtol=1e-6)
    plain = weight_map(labels, targets=targets, config=WeightConfig(w0=0), class_weight=None)
    np.testing.assert_array_equal(plain, [[1] * 7 + [0]])


def test_pixels_that_are_not_annotated_weigh_a_little():
    labels = np.array([[1, 1, 0, 0, 0, 0, 0, -1]])
    targets = make_targets(labels, config=TargetConfig(kind="boundary"), unlabelled_is_background=False)
    config = WeightConfig(w0=0, unlabelled=0.25)
    weight = weight_map(labels, targets=targets, config=config, class_weight=None)
    np.testing.assert_array_equal(weight, [[1] * 5 + [0.25] * 3])  # 3 px of background around the 1


def test_targets_of_other_labels_are_refused():
    targets = Targets(np.zeros((2, 3), np.int64), None)
    with pytest.raises(InputError, match=r"\(2, 3\).*\(3, 2\)"):
        weight_map(np.zeros((3, 2), int), targets=targets, config=CONFIG, class_weight=None)
