"""Random geometry of training patches: elastic, rotation, scale and flips, composed into one resampling.

The sampling grid is a sum of products f(y) g(x): cubic basis functions for the 3x3 control points of the elastic field,
and y, x, 1 for the affine part. So one small matrix per patch holds all of it, and the grid is
rows @ matrix @ columns^T, with rows and columns computed once per size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate

from napari_unetseg.networks.mirror import mirror
from napari_unetseg.schema.config import AugmentationConfig

CONTROL = 3
"""Control points of the elastic field along Y and X, corners included (Ronneberger et al. 2015, section 3.1)."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """Drawn geometry of a batch of N patches; small CPU tensors."""

    displacement: Tensor
    """(N, 2, 3, 3): how far, in pixels along Y and X, each control point looks away from its place."""
    angle: Tensor
    """(N,): rotation in the YX plane, radians."""
    scale: Tensor
    """(N,): size of things after / before, along every axis."""
    flip: Tensor
    """(N, [Z,] Y, X) flags, bool."""


def draw_geometry(
    config: AugmentationConfig, *, batch: int, shape: Sequence[int], generator: torch.Generator
) -> Geometry:
    """Draw geometry for patches of `shape`; a share of `1 - probability` of them gets flips only.

    The elastic sigma is held below an eighth of the distance between control points, so that small patches do not fold.
    """
    is_changed = (torch.rand(batch, generator=generator) < config.probability).double()
    sigma = min(config.elastic, (min(shape[-2:]) - 1) / (CONTROL - 1) / 8)
    normal = torch.randn(batch, 2, CONTROL, CONTROL, generator=generator, dtype=torch.float64)
    angle, size = 2 * torch.rand(2, batch, generator=generator, dtype=torch.float64) - 1
    flip = torch.rand(batch, len(shape), generator=generator) < 0.5
    return Geometry(
        displacement=normal * sigma * is_changed[:, None, None, None],
        angle=angle * math.radians(config.rotation) * is_changed,
        scale=1 + size * config.scale * is_changed,
        flip=flip & config.flip,
    )


def resample(
    images: Tensor, labels: Tensor, *, geometry: Geometry, output_shape: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """Warp images (N, C, [Z,] Y, X) and labels (N, [Z,] Y, X), and keep the centre of `output_shape`.

    Images are interpolated bicubically in the plane and linearly along Z, labels take the nearest id. Beyond the
    border both are mirrored. The elastic field and the rotation are those of the plane, the same for every Z.
    """
    pairs = [
        _resample_one(image, label, geometry=geometry, index=index, output_shape=output_shape)
        for index, (image, label) in enumerate(zip(images, labels, strict=True))
    ]
    return torch.stack([image for image, _ in pairs]), torch.stack([label for _, label in pairs])


def _resample_one(
    image: Tensor, label: Tensor, *, geometry: Geometry, index: int, output_shape: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """Warp one patch; one at a time keeps the working set in the processor's cache."""
    if len(output_shape) == 3:
        image, label = _resample_planes(image, label, geometry=geometry, index=index, depth=output_shape[0])
    height, width = image.shape[-2:]
    grid = sampling_grid(
        geometry, index=index, shape=(height, width), output_shape=output_shape[-2:], device=image.device
    )
    planes = image.reshape(1, -1, height, width)
    warped = grid_sample(planes, grid[None], mode="bicubic", padding_mode="border", align_corners=True)
    rows = grid[..., 1].add(1).mul_((height - 1) / 2).round_().int()
    columns = grid[..., 0].add(1).mul_((width - 1) / 2).round_().int()
    nearest = label.reshape(-1, height * width).index_select(1, (rows * width + columns).flatten())
    return warped.reshape(image.shape[0], *output_shape), nearest.reshape(tuple(output_shape))


def sampling_grid(
    geometry: Geometry, *, index: int, shape: tuple[int, int], output_shape: Sequence[int], device: torch.device
) -> Tensor:
    """Return where each output pixel of patch `index` looks: (Y, X, 2) as (x, y).

    -1 and 1 are the centres of the outermost pixels. Computed in float64, which reduced-precision matrix products
    (autocast, TF32) leave alone.
    """
    matrix = _matrix(geometry, index=index, shape=shape)
    rows, columns = (_basis(size, output) for size, output in zip(shape, output_shape, strict=True))
    place = torch.device("cpu") if device.type == "mps" else device  # no float64 there
    mixed = (matrix @ columns.T).permute(1, 2, 0).flatten(1)  # (5, X * 2)
    grid = (rows.to(place) @ mixed.to(place)).float().to(device)
    reach = float((matrix.abs() * rows.abs().amax(dim=0)[:, None] * columns.abs().amax(dim=0)).sum(dim=(1, 2)).max())
    for _ in range(math.ceil((reach - 1) / 2 - 1e-9)):
        grid = grid.clamp(-1, 1).mul_(2).sub_(grid)  # mirrors -3 .. 3 at -1 and 1
    return grid.clamp_(-1, 1).view(*output_shape, 2)


def _matrix(geometry: Geometry, *, index: int, shape: tuple[int, int]) -> Tensor:
    """Coefficients (2, 5, 5) of the grid, x then y, in units of half the patch: source = displacement + R F p / s."""
    cosine, sine = math.cos(float(geometry.angle[index])), math.sin(float(geometry.angle[index]))
    flip_y, flip_x = (-1.0 if flag else 1.0 for flag in geometry.flip[index, -2:].tolist())
    scale = float(geometry.scale[index])
    matrix = torch.zeros(2, CONTROL + 2, CONTROL + 2, dtype=torch.float64, device="cpu")
    matrix[:, :CONTROL, :CONTROL] = geometry.displacement[index].flip(0)
    linear, constant = CONTROL, CONTROL + 1
    matrix[0, linear, constant], matrix[0, constant, linear] = sine * flip_y / scale, cosine * flip_x / scale
    matrix[1, linear, constant], matrix[1, constant, linear] = cosine * flip_y / scale, -sine * flip_x / scale
    half = [max((size - 1) / 2, 0.5) for size in shape]
    matrix[0] /= half[1]
    matrix[1] /= half[0]
    return matrix


@lru_cache(maxsize=64)
def _basis(size: int, output: int) -> Tensor:
    """Columns (output, 5): three cubic basis functions over `size` pixels, the pixel's distance from the centre, and 1.

    The cubic is torch's bicubic (Keys 1981, a = -0.75) through the control points at the first, middle and last pixel.
    """
    eye = torch.eye(CONTROL, dtype=torch.float64, device="cpu")[None, None]
    cubic = interpolate(eye, size=(size, CONTROL), mode="bicubic", align_corners=True)[0, 0]
    place = torch.arange(size, dtype=torch.float64, device="cpu")[:, None] - (size - 1) / 2
    return torch.cat([cubic, place, torch.ones_like(place)], dim=1).narrow(0, (size - output) // 2, output)


def _resample_planes(
    image: Tensor, label: Tensor, *, geometry: Geometry, index: int, depth: int
) -> tuple[Tensor, Tensor]:
    """Scale, flip and crop along Z: linear for the image (C, Z, Y, X), nearest for the label (Z, Y, X)."""
    size = label.shape[0]
    factor = (-1.0 if bool(geometry.flip[index, 0]) else 1.0) / float(geometry.scale[index])
    centre = (size - 1) / 2
    source = (torch.arange(depth, dtype=torch.float64, device="cpu") + (size - depth) // 2 - centre) * factor + centre
    below = source.floor()
    lower, upper, nearest = (
        mirror(position.long(), size=size).to(image.device) for position in (below, below + 1, source.round())
    )
    share = (source - below).to(image)[:, None, None]
    lower_planes = image.index_select(1, lower)
    if bool((source != below).any()):
        lower_planes = lower_planes.lerp(image.index_select(1, upper), share)
    return lower_planes, label.index_select(0, nearest)
