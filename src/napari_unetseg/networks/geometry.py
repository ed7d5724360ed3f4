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
    """(N,): rotation in the YX plane, radians; pi / 2 is torch.rot90."""
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
    device = images.device
    if device.type == "mps":  # has no bicubic sampling
        images, labels = images.cpu(), labels.cpu()
    pairs = [
        _resample_one(image, label, geometry=geometry, index=index, output_shape=output_shape)
        for index, (image, label) in enumerate(zip(images, labels, strict=True))
    ]
    return torch.stack([image for image, _ in pairs]).to(device), torch.stack([label for _, label in pairs]).to(device)


def _resample_one(
    image: Tensor, label: Tensor, *, geometry: Geometry, index: int, output_shape: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """Warp one patch; one at a time keeps the working set in the processor's cache."""
    if len(output_shape) == 3:
        image, label = _resample_planes(image, label, geometry=geometry, index=index, depth=output_shape[0])
    size = (image.shape[-2], image.shape[-1])
    grid = sampling_grid(geometry, index=index, shape=size, output_shape=output_shape[-2:], device=image.device)[None]
    planes = image.reshape(1, -1, *size)
    warped = grid_sample(planes, grid, mode="bicubic", padding_mode="border", align_corners=True)
    ids = _sample_ids(label.reshape(1, -1, *size), grid=grid)
    return warped.reshape(image.shape[0], *output_shape), ids.reshape(tuple(output_shape))


def _sample_ids(ids: Tensor, *, grid: Tensor) -> Tensor:
    """Look up the nearest id, exactly: float32 holds integers up to 2**24, larger ones travel as two halves."""
    lowest, highest = ids.aminmax()
    is_large = int(highest) > 2**24 or int(lowest) < -(2**24)
    parts = [ids & 0xFFFF, ids >> 16] if is_large else [ids]
    sampled = [
        grid_sample(part.float(), grid, mode="nearest", padding_mode="border", align_corners=True).to(ids.dtype)
        for part in parts
    ]
    return (sampled[1] << 16) + sampled[0] if is_large else sampled[0]


def sampling_grid(
    geometry: Geometry, *, index: int, shape: tuple[int, int], output_shape: Sequence[int], device: torch.device
) -> Tensor:
    """Return where each output pixel of patch `index` looks: (Y, X, 2) as (x, y).

    -1 and 1 are the centres of the outermost pixels. The product with the rows is written as a sum: a matrix product
    could be rounded to TF32 or bfloat16 by global settings, which would tear the grid.
    """
    matrix = _matrix(geometry, index=index, shape=shape)
    (rows, row_bound), (columns, column_bound) = (
        _basis(size, output) for size, output in zip(shape, output_shape, strict=True)
    )
    mixed = (matrix @ columns.T).float().to(device)[:, :, None]  # (2, 5, 1, X), small and in float64 until here
    factors = rows.T.float().to(device)[:, :, None]  # (5, Y, 1)
    grid = mixed[:, -1] * factors[-1]
    for term in range(CONTROL + 1):
        grid = grid.addcmul_(mixed[:, term], factors[term])
    reach = float((matrix.abs() * row_bound[:, None] * column_bound).sum(dim=(1, 2)).max())
    for _ in range(math.ceil((reach - 1) / 2 - 1e-9)):
        grid = grid.clamp(-1, 1).mul_(2).sub_(grid)  # mirrors -3 .. 3 at -1 and 1
    return grid.permute(1, 2, 0)


def _matrix(geometry: Geometry, *, index: int, shape: tuple[int, int]) -> Tensor:
    """Coefficients (2, 5, 5) of the grid, x then y, in units of half the patch: source = displacement + R F p / s."""
    angle, scale = float(geometry.angle[index]), float(geometry.scale[index])
    flip_y, flip_x = (-1 / scale if flag else 1 / scale for flag in geometry.flip[index, -2:].tolist())
    cosine, sine = math.cos(angle), math.sin(angle)
    displacement_y, displacement_x = geometry.displacement[index].tolist()
    half_y, half_x = (max((size - 1) / 2, 0.5) for size in shape)
    x = _coefficients(displacement_x, of_y=-sine * flip_y, of_x=cosine * flip_x, unit=half_x)
    y = _coefficients(displacement_y, of_y=cosine * flip_y, of_x=sine * flip_x, unit=half_y)
    return torch.tensor([x, y], dtype=torch.float64, device="cpu")


def _coefficients(points: list[list[float]], *, of_y: float, of_x: float, unit: float) -> list[list[float]]:
    """Rows belong to the basis along Y, columns to that along X: three cubics, the linear term, the constant."""
    rows = [[*row, 0.0, 0.0] for row in points] + [[0.0, 0.0, 0.0, 0.0, of_y], [0.0, 0.0, 0.0, of_x, 0.0]]
    return [[value / unit for value in row] for row in rows]


@lru_cache(maxsize=64)
def _basis(size: int, output: int) -> tuple[Tensor, Tensor]:
    """Columns (output, 5): three cubic basis functions over `size` pixels, the distance from the centre, and 1.

    With them the largest magnitude in each column.
    The cubic is torch's bicubic (Keys 1981, a = -0.75) through the control points at the first, middle and last pixel.
    """
    eye = torch.eye(CONTROL, dtype=torch.float64, device="cpu")[None, None]
    cubic = interpolate(eye, size=(size, CONTROL), mode="bicubic", align_corners=True)[0, 0]
    place = torch.arange(size, dtype=torch.float64, device="cpu")[:, None] - (size - 1) / 2
    basis = torch.cat([cubic, place, torch.ones_like(place)], dim=1).narrow(0, (size - output) // 2, output)
    return basis, basis.abs().amax(dim=0)


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
