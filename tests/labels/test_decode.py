import tracemalloc

import numpy as np
import pytest
from scipy import ndimage

from napari_unetseg.images.large import DECODE_BYTES
from napari_unetseg.labels.decode import decode, seed_score
from napari_unetseg.labels.targets import make_targets
from napari_unetseg.schema.config import TargetConfig
from napari_unetseg.schema.decoding import DecodingConfig
from napari_unetseg.schema.errors import InputError, JobError

KINDS = ("boundary", "distance", "both")
CONFIG = DecodingConfig(min_size=0, min_seed=0)
DISTANCE = TargetConfig(kind="distance")


def _maps(labels, *, target):
    """What a network that made no mistake would give."""
    targets = make_targets(labels, config=target)
    maps = [targets.classes == index for index in range(target.class_count)]
    return np.array([*maps, *([targets.distance] if target.has_distance else [])], np.float32)


def _noise(shape, *, seed=0):
    """Smooth random maps of target 'both' with many touching pieces."""
    rng = np.random.default_rng(seed)
    maps = ndimage.gaussian_filter(rng.random((4, *shape)), (0, *(1.5,) * len(shape)))
    maps = (maps - maps.min()) / (maps.max() - maps.min())
    maps[:3] = np.exp(8 * maps[:3]) / np.exp(8 * maps[:3]).sum(axis=0)
    return maps.astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
def test_perfect_maps_give_the_labels_back(kind):
    labels = np.zeros((20, 30), np.uint32)
    labels[1:9, 2:10], labels[1:9, 10:18], labels[9:16, 2:10], labels[12:, 22:] = 1, 2, 3, 4
    target = TargetConfig(kind=kind)
    decoded = decode(_maps(labels, target=target), config=CONFIG, target=target)
    assert decoded.dtype == np.uint32
    assert decoded.flags.c_contiguous
    np.testing.assert_array_equal(decoded, labels)


@pytest.mark.parametrize("kind", KINDS)
def test_perfect_maps_give_the_volume_back(kind):
    labels = np.zeros((8, 12, 14), np.uint32)
    labels[:5, 1:7, 1:7], labels[:5, 1:7, 7:13], labels[5:, 1:7, 1:7] = 1, 2, 3
    target = TargetConfig(kind=kind)
    np.testing.assert_array_equal(decode(_maps(labels, target=target), config=CONFIG, target=target), labels)


@pytest.mark.parametrize("kind", KINDS)
def test_where_three_cells_meet_few_pixels_change_hands(kind):
    labels = np.zeros((20, 30), np.uint32)
    labels[1:9, 2:10], labels[1:9, 10:18], labels[9:17, 4:16] = 1, 2, 3
    target = TargetConfig(kind=kind)
    decoded = decode(_maps(labels, target=target), config=CONFIG, target=target)
    assert np.count_nonzero(decoded != labels) <= 4


@pytest.mark.parametrize("shape", [(5, 6), (1, 1), (0, 4), (2, 3, 4)])
@pytest.mark.parametrize("kind", KINDS)
def test_background_gives_nothing(kind, shape):
    target = TargetConfig(kind=kind)
    maps = np.zeros((target.out_channels, *shape), np.float32)
    maps[0] = 1
    decoded = decode(maps, config=CONFIG, target=target)
    assert decoded.shape == shape
    assert decoded.dtype == np.uint32
    assert not decoded.any()


def test_piece_without_seed_is_an_object():
    maps = np.zeros((3, 3, 7), np.float32)
    maps[0] = 1
    maps[0, 1, 1:3] = maps[0, 1, 4:6] = 0.1
    maps[2, 1, 5] = 0.9
    decoded = decode(maps, config=CONFIG, target=DISTANCE)
    np.testing.assert_array_equal(decoded, [[0] * 7, [0, 1, 1, 0, 2, 2, 0], [0] * 7])


@pytest.mark.parametrize(("min_seed", "count"), [(0, 3), (2, 2), (3, 1), (50, 1)])
def test_small_seeds_split_nothing_but_the_largest_stays(min_seed, count):
    """One bar with seeds of 4, 2 and 1 pixels.

    seeds  # # # # . # # . # .
    """
    maps = np.zeros((3, 3, 12), np.float32)
    maps[0] = 1
    maps[0, 1, 1:11] = 0.1
    maps[2, 1, [1, 2, 3, 4, 6, 7, 9]] = 0.9
    decoded = decode(maps, config=CONFIG.replace(min_seed=min_seed), target=DISTANCE)
    assert decoded.max() == count
    np.testing.assert_array_equal(decoded > 0, maps[0] < 0.5)


def test_the_only_seed_of_a_piece_stays_however_small():
    maps = np.zeros((3, 3, 9), np.float32)
    maps[0] = 1
    maps[0, 1, 1:3] = maps[0, 1, 5:8] = 0.1
    maps[2, 1, [1, 6]] = 0.9
    assert decode(maps, config=CONFIG.replace(min_seed=9), target=DISTANCE).max() == 2


def test_two_seeds_meet_where_the_score_is_lowest():
    maps = np.zeros((3, 1, 9), np.float32)
    maps[2, 0] = [0.8, 0.9, 0.4, 0.3, 0.2, 0.1, 0.3, 0.7, 0.2]
    np.testing.assert_array_equal(decode(maps, config=CONFIG, target=DISTANCE)[:, [0, 1, 2, 3, 4]], 1)
    np.testing.assert_array_equal(decode(maps, config=CONFIG, target=DISTANCE)[:, [6, 7, 8]], 2)
    low = decode(maps, config=CONFIG.replace(seed_threshold=0.75), target=DISTANCE)
    np.testing.assert_array_equal(low, np.ones((1, 9)))


def test_corners_do_not_connect():
    maps = np.stack([1 - np.eye(4), np.eye(4), np.eye(4)])
    np.testing.assert_array_equal(decode(maps, config=CONFIG, target=DISTANCE), np.diag([1, 2, 3, 4]))


def test_thresholds_are_exclusive():
    maps = np.zeros((3, 1, 4), np.float32)
    maps[0, 0] = [0.5, 0.49, 0.51, 0.2]
    np.testing.assert_array_equal(decode(maps, config=CONFIG, target=DISTANCE), [[0, 1, 0, 2]])


def test_small_objects_are_dropped_and_the_rest_renumbered():
    labels = np.zeros((4, 12), np.uint32)
    labels[0, 0], labels[1:3, 2:5], labels[1:3, 7:9] = 1, 2, 3
    maps = _maps(labels, target=DISTANCE)
    assert decode(maps, config=CONFIG.replace(min_size=4), target=DISTANCE).max() == 2
    only = decode(maps, config=CONFIG.replace(min_size=5), target=DISTANCE)
    np.testing.assert_array_equal(only, labels == 2)


def test_objects_the_network_is_unsure_of_are_dropped():
    foreground = np.zeros((6, 12))
    foreground[1:5, 1:5], foreground[1:5, 7:11] = 0.9, 0.6
    foreground[1, 1] = 0.6  # the mean counts, not each pixel
    maps = np.array([1 - foreground, foreground, foreground * 0])
    target = TargetConfig(kind="boundary")
    for least, ids in ((0, [0, 1, 2]), (0.59, [0, 1, 2]), (0.61, [0, 1]), (0.9, [0])):
        decoded = decode(maps, config=CONFIG.replace(min_confidence=least), target=target)
        assert list(np.unique(decoded)) == ids


def _sides(ndim, *ends):
    """Return open sides: those of the given (axis, end)."""
    return tuple(tuple((axis, end) in ends for end in (0, 1)) for axis in range(ndim))


@pytest.mark.parametrize(
    ("ends", "kept"),
    [((), []), (((0, 0),), [1, 2]), (((0, 1),), [3, 4]), (((1, 0),), [1, 3]), (((1, 1),), [2, 4])],
)
@pytest.mark.parametrize("change", [{"min_size": 5}, {"min_confidence": 0.9}])
def test_objects_on_an_open_side_are_neither_too_small_nor_too_doubtful(ends, kept, change):
    """Objects of 4 pixels and confidence 0.6, one in each corner and one (5) in the middle, which always goes."""
    labels = np.zeros((9, 9), np.uint32)
    labels[:2, :2], labels[:2, 7:], labels[7:, :2], labels[7:, 7:], labels[3:5, 3:5] = 1, 2, 3, 4, 5
    foreground = np.where(labels > 0, 0.6, 0)
    maps = np.array([1 - foreground, foreground, foreground * 0])
    config, target = CONFIG.replace(**change), TargetConfig(kind="boundary")
    decoded = decode(maps, config=config, target=target, open_sides=_sides(2, *ends))
    np.testing.assert_array_equal(decoded > 0, np.isin(labels, kept))
    assert sorted(np.unique(decoded[decoded > 0])) == list(range(1, len(kept) + 1))  # 1..n all the same


def test_an_object_a_pixel_away_from_an_open_side_is_dropped():
    labels = np.zeros((4, 8), np.uint32)
    labels[1:3, 1:3] = 1
    maps, config = _maps(labels, target=DISTANCE), CONFIG.replace(min_size=5)
    for crop, count in ((maps, 0), (maps[..., 1:], 1), (maps[..., :3], 0)):
        assert decode(crop, config=config, target=DISTANCE, open_sides=_sides(2, (1, 0))).max() == count


def test_open_sides_of_a_volume():
    labels = np.zeros((6, 6, 6), np.uint32)
    labels[0, 2, 2], labels[5, 2, 2], labels[2, 0, 5] = 1, 2, 3
    maps, config = _maps(labels, target=DISTANCE), CONFIG.replace(min_size=2)
    for ends, kept in ((((0, 0),), [1]), (((0, 1), (1, 0)), [2, 3]), (((2, 1),), [3]), (((1, 1), (2, 0)), [])):
        decoded = decode(maps, config=config, target=DISTANCE, open_sides=_sides(3, *ends))
        np.testing.assert_array_equal(decoded > 0, np.isin(labels, kept))


def test_closed_sides_are_those_of_a_whole_image():
    maps, config = _noise((60, 70), seed=3), CONFIG.replace(min_size=60, fill_holes=False)
    whole = decode(maps, config=config, target=TargetConfig())
    closed = decode(maps, config=config, target=TargetConfig(), open_sides=_sides(2))
    np.testing.assert_array_equal(closed, whole)
    opened = decode(maps, config=config, target=TargetConfig(), open_sides=_sides(2, (0, 0), (0, 1), (1, 0), (1, 1)))
    assert opened.max() > whole.max()  # those on the rim stayed
    kept = np.unique(opened[whole > 0])
    np.testing.assert_array_equal(whole > 0, np.isin(opened, kept))
    rim = np.unique(np.concatenate([opened[0], opened[-1], opened[:, 0], opened[:, -1]]))
    assert set(range(1, opened.max() + 1)) == set(kept) | set(rim) - {0}


def test_holes_are_filled_on_request():
    ring = np.ones((5, 5), np.uint32)
    ring[2, 2] = 0
    maps = _maps(np.pad(ring, 1), target=DISTANCE)
    assert decode(maps, config=CONFIG, target=DISTANCE).sum() == 25
    assert decode(maps, config=CONFIG.replace(fill_holes=False), target=DISTANCE).sum() == 24


@pytest.mark.parametrize("shape", [(60, 70), (12, 24, 24)])
def test_each_object_depends_on_its_piece_alone(shape):
    """A piece that lies whole in a crop is decoded there as in the whole image: what exact tiles need."""
    target, maps, config = TargetConfig(), _noise(shape), CONFIG.replace(fill_holes=False)
    whole = decode(maps, config=config, target=target)
    pieces, _ = ndimage.label(maps[0] < 0.5)
    boxes = ndimage.find_objects(pieces)
    assert max(len(np.unique(whole[box])) for box in boxes) > 4  # some pieces were split
    for index, box in enumerate(boxes, start=1):
        alone = maps[(slice(None), *box)].copy()
        alone[0][pieces[box] != index] = 1
        decoded = decode(alone, config=config, target=target)
        pairs = np.unique(np.stack([decoded, np.where(pieces[box] == index, whole[box], 0)]).reshape(2, -1), axis=1)
        assert len(np.unique(pairs[0])) == len(np.unique(pairs[1])) == pairs.shape[1]


def test_every_foreground_pixel_belongs_to_one_connected_object():
    target, maps = TargetConfig(), _noise((60, 60), seed=1)
    decoded = decode(maps, config=CONFIG.replace(fill_holes=False), target=target)
    np.testing.assert_array_equal(decoded > 0, maps[0] < 0.5)
    assert all(ndimage.label(decoded == index)[1] == 1 for index in range(1, decoded.max() + 1))
    first = [np.flatnonzero(decoded == index)[0] for index in range(1, decoded.max() + 1)]
    assert first == sorted(first)


def test_memory_layout_and_repetition_do_not_matter():
    target, maps = TargetConfig(), _noise((40, 50), seed=2)
    before, expected = maps.copy(), decode(maps, config=CONFIG, target=target)
    maps.flags.writeable = False
    for view in (maps, np.asfortranarray(maps), maps[:, ::-1][:, ::-1], maps.astype(np.float64)):
        np.testing.assert_array_equal(decode(view, config=CONFIG, target=target), expected)
    np.testing.assert_array_equal(maps, before)


def test_seed_scores():
    maps = np.array([0.1, 0.6, 0.3, 0.8], np.float32).reshape(4, 1, 1)
    assert seed_score(maps, kind="boundary").item() == pytest.approx(0.6)
    assert seed_score(maps[[0, 1, 3]], kind="distance").item() == pytest.approx(0.8)
    assert 0.6 < seed_score(maps, kind="both").item() < 0.8


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("channel", [0, 1, 2])
def test_values_that_are_not_finite_stop_the_job(channel, bad):
    maps = np.full((3, 4, 4), 0.3, np.float32)
    maps[channel, 1, 2] = bad
    with pytest.raises(JobError, match="not finite"):
        decode(maps, config=CONFIG, target=DISTANCE)


@pytest.mark.parametrize("shape", [(4, 8, 8), (2, 8, 8), (3, 8), (3, 1, 2, 8, 8)])
def test_maps_of_another_target_are_refused(shape):
    with pytest.raises(InputError, match="target 'distance'"):
        decode(np.zeros(shape, np.float32), config=CONFIG, target=DISTANCE)


def test_specks_split_no_object_that_goes_on_beyond_the_maps():
    """Its seed may lie there; of an object that is seen whole, the largest seed is spared however small."""
    maps = np.zeros((3, 3, 12), np.float32)
    maps[0] = 1
    maps[0, 1] = 0.1
    maps[2, 1, [2, 5, 8]] = 0.9
    config = CONFIG.replace(min_seed=4)
    cut = decode(maps, config=config, target=DISTANCE, open_sides=((False, False), (False, True)))
    assert cut.max() == 1
    maps[2, 1, 5:7] = 0.9
    whole = decode(maps, config=config, target=DISTANCE)
    assert whole.max() == 1


def test_a_sheet_of_cells_takes_no_more_memory_than_is_planned_for():
    rng = np.random.default_rng(0)
    score = ndimage.gaussian_filter(rng.random((512, 512)).astype(np.float32), 5)
    score = (score - score.min()) / np.ptp(score)
    maps = np.stack([np.full_like(score, 0.05), score, 1 - score, score])  # foreground everywhere, in one piece
    config = DecodingConfig(seed_threshold=float(np.quantile(score, 0.9)))
    tracemalloc.start()
    found = decode(maps, config=config, target=TargetConfig())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.max() > 100
    assert peak < 1.05 * DECODE_BYTES * score.size


def test_classes_are_the_most_probable_ones_and_nothing_is_dropped() -> None:
    maps = np.random.default_rng(0).random((4, 9, 7)).astype(np.float32)
    target = TargetConfig(kind="semantic", classes=4)
    config = DecodingConfig(min_size=1000, threshold=0.9, min_confidence=0.9)
    np.testing.assert_array_equal(decode(maps, config=config, target=target), maps.argmax(axis=0))
    with pytest.raises(InputError, match="pass 3 maps"):
        decode(maps, config=config, target=target.replace(classes=3))
