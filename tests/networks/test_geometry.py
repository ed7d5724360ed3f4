"""Geometry: exact cases, alignment of image and labels, and ids that stay what they are."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from napari_unetseg.networks.geometry import Geometry, draw_geometry, resample, sampling_grid
from napari_unetseg.schema.config import AugmentationConfig

CPU = torch.device("cpu")


def geometry(
    ndim: int = 2,
    *,
    displacement: Tensor | None = None,
    angle: float = 0.0,
    scale: float = 1.0,
    flip: tuple[bool, ...] | None = None,
) -> Geometry:
    """The geometry of one patch; by default it changes nothing."""
    return Geometry(
        displacement=torch.zeros(1, 2, 3, 3) if displacement is None else displacement[None],
        angle=torch.tensor([angle]),
        scale=torch.tensor([scale]),
        flip=torch.tensor([flip or (False,) * ndim]),
    )


def sample(shape: tuple[int, ...], *, ids: int = 1000) -> tuple[Tensor, Tensor]:
    """Noise in two channels and random ids."""
    torch.manual_seed(0)
    return torch.rand(1, 2, *shape), torch.randint(0, ids, (1, *shape), dtype=torch.int32)


@pytest.mark.parametrize("shape", [(16, 21), (1, 9), (5, 12, 15), (1, 8, 8)])
def test_identity(shape: tuple[int, ...]) -> None:
    images, labels = sample(shape)
    warped, ids = resample(images, labels, geometry=geometry(len(shape)), output_shape=shape)
    assert (warped - images).abs().max() < 1e-4
    assert torch.equal(ids, labels)


@pytest.mark.parametrize("flip", [(True, False), (False, True), (True, True)])
def test_flips(flip: tuple[bool, bool]) -> None:
    images, labels = sample((12, 17))
    axes = [axis for axis, flag in zip((-2, -1), flip, strict=True) if flag]
    warped, ids = resample(images, labels, geometry=geometry(flip=flip), output_shape=(12, 17))
    assert (warped - images.flip(axes)).abs().max() < 1e-4
    assert torch.equal(ids, labels.flip(axes))


@pytest.mark.parametrize("quarters", [1, 2, 3, -1])
def test_quarter_turns(quarters: int) -> None:
    images, labels = sample((16, 16))
    turn = geometry(angle=quarters * math.pi / 2)
    warped, ids = resample(images, labels, geometry=turn, output_shape=(16, 16))
    expected = torch.rot90(labels, quarters, (1, 2))
    assert torch.equal(ids, expected)
    assert (warped - torch.rot90(images, quarters, (2, 3))).abs().max() < 1e-4


def test_flips_and_turn_in_3d() -> None:
    images, labels = sample((5, 8, 8))
    change = geometry(3, angle=math.pi / 2, flip=(True, False, False))
    warped, ids = resample(images, labels, geometry=change, output_shape=(5, 8, 8))
    assert torch.equal(ids, torch.rot90(labels, 1, (2, 3)).flip(1))
    assert (warped - torch.rot90(images, 1, (3, 4)).flip(2)).abs().max() < 1e-4


def test_centre_is_kept_with_its_true_surroundings() -> None:
    images, labels = sample((20, 25))
    warped, ids = resample(images, labels, geometry=geometry(), output_shape=(12, 11))
    assert torch.equal(ids, labels[:, 4:16, 7:18])
    assert (warped - images[:, :, 4:16, 7:18]).abs().max() < 1e-4
    images, labels = sample((9, 8, 8))
    assert torch.equal(
        resample(images, labels, geometry=geometry(3), output_shape=(4, 8, 6))[1], labels[:, 2:6, :, 1:7]
    )


def test_constant_displacement_is_a_shift_that_mirrors_the_border() -> None:
    images, labels = sample((10, 12))
    shift = torch.stack([torch.full((3, 3), 3.0), torch.full((3, 3), -2.0)])
    _, ids = resample(images, labels, geometry=geometry(displacement=shift), output_shape=(10, 12))
    rows = [3, 4, 5, 6, 7, 8, 9, 8, 7, 6]
    columns = [2, 1, *range(10)]
    assert torch.equal(ids[0], labels[0][rows][:, columns])


def test_far_beyond_the_border_is_mirrored_again_and_again() -> None:
    images, labels = sample((4, 4))
    shift = torch.stack([torch.full((3, 3), 13.0), torch.zeros(3, 3)])  # 13 = 2 periods of 6, and 1
    _, ids = resample(images, labels, geometry=geometry(displacement=shift), output_shape=(4, 4))
    assert torch.equal(ids[0], labels[0][[1, 2, 3, 2]])


def test_scale_two_shows_the_middle_half_twice_as_large() -> None:
    labels = torch.arange(64, dtype=torch.int32).view(1, 8, 8)
    _, ids = resample(labels[:, None].float(), labels, geometry=geometry(scale=2.0), output_shape=(8, 8))
    expected = labels[0, 2:6, 2:6].repeat_interleave(2, 0).repeat_interleave(2, 1)
    assert torch.equal(ids[0], expected)


def test_scale_in_3d_interpolates_planes_linearly() -> None:
    planes = torch.arange(6.0).view(1, 1, 6, 1, 1).expand(1, 1, 6, 4, 4).contiguous()
    warped, ids = resample(planes, planes[:, 0].long(), geometry=geometry(3, scale=2.0), output_shape=(6, 4, 4))
    # centre 2.5; source = 2.5 + (z - 2.5) / 2
    assert warped[0, 0, :, 0, 0].tolist() == pytest.approx([1.25, 1.75, 2.25, 2.75, 3.25, 3.75], abs=1e-5)
    assert ids[0, :, 0, 0].tolist() == [1, 2, 2, 3, 3, 4]


def test_elastic_field_passes_through_the_control_points_as_bicubic() -> None:
    torch.manual_seed(0)
    displacement = torch.randn(2, 3, 3)
    grid = sampling_grid(
        geometry(displacement=displacement), index=0, shape=(41, 31), output_shape=(41, 31), device=CPU
    )
    place = (grid + 1) * torch.tensor([15.0, 20.0])  # pixels, (x, y)
    field = torch.stack([place[..., 1] - torch.arange(41.0)[:, None], place[..., 0] - torch.arange(31.0)])
    expected = interpolate(displacement[None], size=(41, 31), mode="bicubic", align_corners=True)[0]
    assert torch.allclose(field[:, 3:-3, 3:-3], expected[:, 3:-3, 3:-3], atol=1e-4)  # the frame is mirrored
    assert field[:, 20, 15].tolist() == pytest.approx(displacement[:, 1, 1].tolist(), abs=1e-4)


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_ids_of_any_size_survive(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    top = 2**31 - 1
    values = torch.tensor([-1, 0, 1, 2**24, 2**24 + 1, 2**24 + 3, top - 1, top], dtype=dtype)
    labels = values[torch.randint(0, 8, (1, 24, 24))]
    warp = geometry(displacement=3 * torch.randn(2, 3, 3), angle=0.4)
    index = torch.searchsorted(values, labels).to(torch.int32)
    _, ids = resample(labels[:, None].float(), labels, geometry=warp, output_shape=(24, 24))
    _, expected = resample(index[:, None].float(), index, geometry=warp, output_shape=(24, 24))
    assert ids.dtype == dtype
    assert torch.equal(ids, values[expected.long()])


@pytest.mark.parametrize("shape", [(64, 64), (8, 48, 48)])
def test_image_and_labels_stay_aligned(shape: tuple[int, ...]) -> None:
    """A disk warped as image and as label is the same disk."""
    rows, columns = torch.meshgrid(*(torch.arange(size) - size / 3 for size in shape[-2:]), indexing="ij")
    labels = ((rows**2 + columns**2) < 12**2).expand(1, *shape).to(torch.int32)
    config = AugmentationConfig(probability=1, elastic=4)
    for seed in range(5):
        change = draw_geometry(config, batch=1, shape=shape, generator=torch.Generator().manual_seed(seed))
        warped, ids = resample(labels[:, None].float(), labels, geometry=change, output_shape=shape)
        assert 0 < ids.sum() < ids.numel()
        disagreement = ((warped[:, 0] > 0.5) != (ids > 0)).float().mean()
        # they part only where a boundary pixel is a matter of rounding; in 3D nearest planes add their share of none
        assert disagreement < 0.01


def test_no_id_is_invented() -> None:
    images, labels = sample((40, 40), ids=5)
    labels *= 1000
    change = draw_geometry(AugmentationConfig(), batch=1, shape=(40, 40), generator=torch.Generator().manual_seed(1))
    _, ids = resample(images, labels, geometry=change, output_shape=(40, 40))
    assert set(ids.unique().tolist()) <= set(labels.unique().tolist())


def test_one_patch_does_not_depend_on_the_others() -> None:
    torch.manual_seed(0)
    images, labels = torch.rand(3, 1, 20, 20), torch.randint(0, 9, (3, 20, 20))
    change = draw_geometry(AugmentationConfig(), batch=3, shape=(20, 20), generator=torch.Generator().manual_seed(1))
    alone = Geometry(change.displacement[1:2], change.angle[1:2], change.scale[1:2], change.flip[1:2])
    together = resample(images, labels, geometry=change, output_shape=(20, 20))
    single = resample(images[1:2], labels[1:2], geometry=alone, output_shape=(20, 20))
    assert torch.equal(together[0][1:2], single[0])
    assert torch.equal(together[1][1:2], single[1])


def test_drawn_values_keep_their_bounds() -> None:
    config = AugmentationConfig(probability=1, elastic=10, rotation=30, scale=0.2)
    change = draw_geometry(config, batch=2000, shape=(512, 512), generator=torch.Generator().manual_seed(0))
    assert change.displacement.std().item() == pytest.approx(10, rel=0.03)
    assert math.radians(29) < change.angle.abs().max() <= math.radians(30)
    assert 0.8 <= change.scale.min() < 0.81
    assert 1.19 < change.scale.max() <= 1.2
    assert change.flip.float().mean().item() == pytest.approx(0.5, abs=0.05)


def test_small_patches_are_deformed_less_so_that_they_do_not_fold() -> None:
    config = AugmentationConfig(probability=1, elastic=10)
    change = draw_geometry(config, batch=2000, shape=(33, 65), generator=torch.Generator().manual_seed(0))
    assert change.displacement.std().item() == pytest.approx(16 / 8, rel=0.03)


def test_patches_that_are_not_drawn_keep_their_geometry_but_for_flips() -> None:
    config = AugmentationConfig(probability=0.25)
    change = draw_geometry(config, batch=2000, shape=(64, 64), generator=torch.Generator().manual_seed(0))
    is_still = (change.displacement.flatten(1) == 0).all(dim=1)
    assert is_still.float().mean().item() == pytest.approx(0.75, abs=0.04)
    assert (change.angle[is_still] == 0).all()
    assert (change.scale[is_still] == 1).all()
    assert change.flip[is_still].any()
    assert not draw_geometry(
        config.replace(flip=False), batch=9, shape=(64, 64), generator=torch.Generator().manual_seed(0)
    ).flip.any()
