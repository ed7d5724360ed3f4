"""Random changes of training patches on the batch's device: parameters are drawn, then applied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TypeVar

import torch
from torch import Tensor

from napari_unetseg.networks.geometry import Geometry, draw_geometry, resample
from napari_unetseg.networks.intensity import Intensity, change_intensity, draw_intensity
from napari_unetseg.schema.config import AugmentationConfig
from napari_unetseg.schema.errors import InputError

Drawn = TypeVar("Drawn", Geometry, Intensity)


@dataclass(frozen=True, slots=True)
class Parameters:
    """All that is random about the augmentation of one batch."""

    geometry: Geometry
    intensity: Intensity

    def of(self, share: slice) -> Parameters:
        """Return the parameters of a share of the patches."""
        return Parameters(_of(self.geometry, share), _of(self.intensity, share))


def draw(config: AugmentationConfig, *, batch: int, shape: tuple[int, ...], generator: torch.Generator) -> Parameters:
    """Draw parameters for a batch of patches of `shape` ([Z,] Y, X); `generator` is a CPU generator."""
    return Parameters(
        geometry=draw_geometry(config, batch=batch, shape=shape, generator=generator),
        intensity=draw_intensity(config, batch=batch, generator=generator),
    )


@torch.no_grad()
def apply(
    images: Tensor, labels: Tensor, parameters: Parameters, *, output_shape: Sequence[int] | None = None
) -> tuple[Tensor, Tensor]:
    """Return changed images (N, C, [Z,] Y, X) float32 and labels (N, [Z,] Y, X); the inputs stay as they are.

    `output_shape` keeps the centre only: a patch read with a margin shows real surroundings where it was turned.
    """
    output_shape = tuple(labels.shape[1:] if output_shape is None else output_shape)
    _check(images, labels, parameters, output_shape)
    with torch.autocast(images.device.type, enabled=False):
        images, labels = resample(images, labels, geometry=parameters.geometry, output_shape=output_shape)
        return change_intensity(images, intensity=parameters.intensity), labels


def _of(drawn: Drawn, share: slice) -> Drawn:
    return type(drawn)(**{field.name: getattr(drawn, field.name)[share] for field in fields(drawn)})


def _check(images: Tensor, labels: Tensor, parameters: Parameters, output_shape: tuple[int, ...]) -> None:
    if images.shape[:1] + images.shape[2:] != labels.shape:
        raise InputError(
            f"images {tuple(images.shape)} and labels {tuple(labels.shape)} differ in batch or size; pair them"
        )
    flags = tuple(parameters.geometry.flip.shape)
    if flags != (labels.shape[0], labels.ndim - 1):
        raise InputError(
            f"parameters are for {flags[0]} patches in {flags[1]}D, got {tuple(labels.shape)}; draw them for it"
        )
    if any(size < output for size, output in zip(labels.shape[1:], output_shape, strict=True)):
        raise InputError(f"output_shape {output_shape} exceeds the patch {tuple(labels.shape[1:])}; use a smaller one")
