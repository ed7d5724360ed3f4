"""Segmenting arrays: every layout gives the labels of its planes, ids are unique, inputs stay untouched."""

from __future__ import annotations

from pathlib import Path

import dask.array
import numpy as np
import pytest
import torch

from napari_unetseg.images.crop import crop
from napari_unetseg.images.read import from_array
from napari_unetseg.networks import registry
from napari_unetseg.networks.network import Network
from napari_unetseg.schema.card import ModelCard
from napari_unetseg.schema.config import NetworkConfig, NormalizationConfig, TargetConfig, TilingConfig
from napari_unetseg.schema.decoding import DecodingConfig
from napari_unetseg.schema.errors import InputError
from napari_unetseg.schema.events import LabelsPart, Note, TileDone
from napari_unetseg.tasks import segment as task
from napari_unetseg.tasks.jobs import finish
from napari_unetseg.tasks.model import Model


def bright_is_cell(network: Network) -> Network:
    """Set the weights so that the network copies its input: bright is interior, dark is background."""
    with torch.no_grad():
        for value in network.parameters():
            value.zero_()
        first, last = network.encoder[0], network.decoder[-1]
        centre = (0, 0, *(1,) * network.config.ndim)
        for block in (first, last):
            for layer in block:
                if hasattr(layer, "kernel_size"):
                    layer.weight[centre] = 1.0
                    layer.bias[0] = 0.0
        network.head.weight[1, 0] = 20.0
        network.head.bias[0] = 10.0
    return network.eval()


def make_model(*, ndim: int = 2, channels: int = 1, link: bool = False) -> Model:
    config = NetworkConfig(ndim=ndim, in_channels=channels, out_channels=3, width=1, depth=1, norm="none")
    card = ModelCard(
        name="bright",
        network=config,
        channels=tuple(f"c{i}" for i in range(channels)),
        target=TargetConfig(kind="boundary"),
        normalization=NormalizationConfig(low=0, high=100),
        decoding=DecodingConfig(min_size=0, link_slices=link),
    )
    return Model(card, bright_is_cell(registry.build(config)), Path("bright.safetensors"))


def stack(*shape: int) -> np.ndarray:
    """Two bright squares in every plane; the second one is missing in the last plane.

    . . . . .
    . A . B .
    . . . . .
    """
    image = np.full(shape, 100, np.uint16)
    image[..., 4:8, 4:8] = 1000
    image[..., 4:8, 12:16] = 1000
    if image.ndim > 2:
        image[..., -1, 4:8, 12:16] = 100
    return image


def test_a_plane() -> None:
    image = stack(20, 24)
    labels = task.segment(image, model=make_model())
    np.testing.assert_array_equal(labels > 0, image > 500)
    assert labels.dtype == np.uint32
    assert (labels[5, 5], labels[5, 13]) == (1, 2)


@pytest.mark.parametrize("axes", ["ZYX", "TYX", "TZYX", "ZTYX"])
def test_stacks_have_unique_ids_in_every_plane(axes: str) -> None:
    image = stack(*(3, 2, 20, 24)[4 - len(axes) :])
    labels = task.segment(image, model=make_model(), axes=axes)
    assert labels.shape == image.shape
    np.testing.assert_array_equal(labels > 0, image > 500)
    planes = labels.reshape(-1, 20, 24)
    ids = [set(np.unique(plane)) - {0} for plane in planes]
    assert sum(map(len, ids)) == len(set.union(*ids)) == labels.max()


def test_linked_slices_make_objects_in_3d() -> None:
    labels = task.segment(stack(3, 20, 24), model=make_model(link=True), axes="ZYX")
    assert labels.max() == 2
    assert set(labels[:, 5, 5]) == {1}
    assert list(labels[:, 5, 13]) == [2, 2, 0]


def test_linking_starts_anew_at_every_time_point() -> None:
    labels = task.segment(stack(2, 2, 20, 24), model=make_model(link=True), axes="TZYX")
    assert labels[0, 0, 5, 5] == labels[0, 1, 5, 5]
    assert labels[1, 0, 5, 5] not in labels[0]


def test_linked_objects_are_measured_as_one() -> None:
    source = from_array(stack(3, 20, 24), axes="ZYX", scale={"Z": 2.0, "Y": 0.5, "X": 0.5})
    result = finish(task.run(source, model=make_model(link=True)))
    assert list(result.table["volume_px"]) == [48, 32]
    assert result.table["volume_um3"].iloc[0] == pytest.approx(24)
    assert result.objects == 2


def test_a_3d_model_reads_the_volume() -> None:
    image = stack(8, 20, 24)
    labels = task.segment(image, model=make_model(ndim=3), axes="ZYX")
    np.testing.assert_array_equal(labels > 0, image > 500)
    assert labels.max() == 2


def test_a_3d_model_refuses_a_plane() -> None:
    with pytest.raises(InputError, match="no Z axis"):
        task.segment(stack(20, 24), model=make_model(ndim=3))


@pytest.mark.parametrize("order", ["YXC", "CYX"])
def test_the_channel_must_be_chosen_and_is_used(order: str) -> None:
    plane = stack(20, 24)
    image = np.stack([np.zeros_like(plane), plane], axis=order.index("C"))
    with pytest.raises(InputError, match="--channel"):
        task.segment(image, model=make_model(), axes=order)
    labels = task.segment(image, model=make_model(), axes=order, channels=[1])
    np.testing.assert_array_equal(labels > 0, plane > 500)
    with pytest.raises(InputError, match="no channel 7"):
        task.segment(image, model=make_model(), axes=order, channels=[7])


def test_a_model_of_three_channels_refuses_one() -> None:
    flat = np.zeros((20, 24), np.uint8)
    message = (
        r"1 channel, model .* reads 3 .*; it is made for images of 3 channels, such as colour: .* --channel 0,0,0$"
    )
    with pytest.raises(InputError, match=message):
        task.segment(flat, model=make_model(channels=3))
    assert task.segment(flat, model=make_model(channels=3), channels=[0, 0, 0]).shape == (20, 24)
    with pytest.raises(
        InputError, match=r"2 channels, .*--channel 0,1,1, or correct the axes with --axes, e\.g\. --axes"
    ):
        task.segment(np.stack([flat, flat]), model=make_model(channels=3), axes="CYX")


@pytest.mark.parametrize("tile", [16, 32])
def test_the_tile_changes_nothing(tile: int) -> None:
    image = stack(50, 70)
    whole = task.segment(image, model=make_model())
    np.testing.assert_array_equal(task.segment(image, model=make_model(), tiling=TilingConfig(tile=tile)), whole)


def test_any_array_gives_the_same_labels() -> None:
    image = stack(3, 20, 24)
    expected = task.segment(image, model=make_model(), axes="ZYX")
    variants = {
        "big endian": image.astype(">u2"),
        "fortran": np.asfortranarray(image),
        "negative stride": image[:, :, ::-1].copy()[:, :, ::-1],
        "dask": dask.array.from_array(image, chunks=(1, 7, 9)),
        "float": image.astype(np.float32),
    }
    for name, variant in variants.items():
        labels = task.segment(variant, model=make_model(), axes="ZYX")
        np.testing.assert_array_equal(labels, expected, err_msg=name)


@pytest.mark.parametrize("value", [0, 7])
def test_a_constant_image_has_no_cells(value: int) -> None:
    assert not task.segment(np.full((20, 20), value, np.uint8), model=make_model()).any()


@pytest.mark.parametrize(("edge", "is_told"), [(19, True), (16, False)])
def test_an_object_that_fills_nearly_all_is_told(edge: int, is_told: bool) -> None:
    image = np.full((20, 20), 100, np.uint16)
    image[:edge, :edge] = 1000
    events = list(task.run(from_array(image, name="cells"), model=make_model()))
    told = [event.message for event in events if isinstance(event, Note)]
    assert [text.partition(":")[0] for text in told] == ["cells"] * is_told
    assert all("one object fills 90 % of its plane: if that is wrong" in text for text in told)


def test_pixels_that_are_not_numbers_do_not_spread() -> None:
    image = stack(20, 24).astype(np.float32)
    image[0, 0], image[19, 23] = np.nan, np.inf
    source = from_array(image, name="cells")
    events = list(task.run(source, model=make_model()))
    assert Note("cells: 2 pixels not finite (NaN or infinite), taken for dark") in events
    labels = task.segment(image, model=make_model())
    np.testing.assert_array_equal(labels > 0, np.nan_to_num(image, posinf=0) > 500)


def test_read_only_input_stays_as_it_is() -> None:
    image = stack(20, 24)
    image.flags.writeable = False
    before = image.tobytes()
    task.segment(image, model=make_model())
    assert image.tobytes() == before


def test_progress_and_notes() -> None:
    source = from_array(stack(3, 40, 40), name="cells")
    events = list(task.run(source, model=make_model(), tiling=TilingConfig(tile=32)))
    tiles = [event for event in events if isinstance(event, TileDone)]
    assert [event.done for event in tiles] == [0, 0, 0, *range(1, 13)]  # planes are measured, then segmented
    assert {event.total for event in tiles} == {12}
    assert any(isinstance(event, Note) and "ZYX" in event.message for event in events)


def test_a_preview_hands_over_tiles_then_planes() -> None:
    image = stack(3, 40, 40)
    parts = [
        event
        for event in task.run(
            from_array(image, axes="ZYX"), model=make_model(), tiling=TilingConfig(tile=32), preview=True
        )
        if isinstance(event, LabelsPart)
    ]
    assert [part.is_final for part in parts] == [False, False, False, False, True] * 3
    seen = np.zeros((1, *image.shape), np.uint32)
    for part in parts:
        seen[part.region] = part.labels
        assert part.is_final == (part.maps is not None)
    np.testing.assert_array_equal(seen[0], task.segment(image, model=make_model(), axes="ZYX"))
    assert [set(np.unique(part.labels)) - {0} for part in parts[5:10:4]] == [{3, 4}, {3, 4}]


def test_the_parts_of_a_volume_are_volumes() -> None:
    job = task.run(from_array(stack(8, 20, 24), axes="ZYX"), model=make_model(ndim=3), preview=True)
    (part,) = [event for event in job if isinstance(event, LabelsPart)]
    assert part.region == (slice(0, 1), slice(0, 8), slice(0, 20), slice(0, 24))
    assert part.labels.shape == (8, 20, 24)


def test_a_cut_is_stretched_as_its_plane_is() -> None:
    """Alone, the noise of the empty corner would be stretched to cells."""
    image = stack(40, 40)
    image[30:, 30:] += np.random.default_rng(0).integers(0, 9, (10, 10), dtype=np.uint16)
    corner = {"Y": slice(24, 40), "X": slice(24, 40)}
    assert not finish(task.run(crop(from_array(image), corner), model=make_model())).objects
    assert task.segment(image[24:, 24:], model=make_model()).any()


def test_each_plane_may_be_stretched_on_its_own() -> None:
    image = stack(2, 20, 24)
    image[1] //= 10
    model = make_model()
    by_plane = Model(
        model.card.replace(normalization=NormalizationConfig(low=0, high=100, scope="plane")), model.network, model.path
    )
    assert not task.segment(image, model=model, axes="ZYX")[1].any()
    assert task.segment(image, model=by_plane, axes="ZYX")[1].any()


def test_a_plane_that_does_not_fit_into_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task, "available_memory", lambda: 10_000)
    with pytest.raises(InputError, match="needs about"):
        task.segment(stack(20, 24), model=make_model())


def test_intensities_carry_the_number_of_their_channel() -> None:
    image = np.stack([np.zeros((20, 24), np.uint16), stack(20, 24)])
    result = finish(task.run(from_array(image, axes="CYX"), model=make_model(), channels=[1]))
    assert list(result.table["intensity_mean_c1"]) == [1000, 1000]


def test_planes_that_are_not_linked_are_pointed_out() -> None:
    def notes(*, link: bool) -> list[str]:
        events = task.run(from_array(stack(3, 20, 24), axes="ZYX"), model=make_model(link=link))
        return [event.message for event in events if isinstance(event, Note)]

    assert any("--link" in note for note in notes(link=False))
    assert not any("--link" in note for note in notes(link=True))


def test_each_note_comes_once() -> None:
    events = task.run(from_array(stack(3, 20, 24), name="cells"), model=make_model(link=True))
    notes = [event.message for event in events if isinstance(event, Note)]
    assert len(notes) == len(set(notes)) == 1
