"""How maps become objects."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from napari_unetseg.schema.base import Config

OF_MAPS = ("views", "three_axes", "z_step")
"""Settings that decide on the maps, of objects and of classes alike."""


class DecodingConfig(Config):
    """How maps become objects."""

    threshold: float = Field(
        0.5, gt=0, lt=1, description="Foreground probability above which a pixel belongs to an object."
    )
    seed_threshold: float = Field(0.5, gt=0, lt=1, description="Seed score above which a pixel starts an object.")
    min_seed: int = Field(
        4, ge=0, le=1_000_000, description="Smaller seeds (pixels or voxels) split no object that has a larger seed."
    )
    min_size: int = Field(12, ge=0, le=10_000_000, description="Smaller objects (pixels or voxels) are dropped.")
    min_confidence: float = Field(
        0.0, ge=0, lt=1, description="Objects whose mean foreground probability is lower are dropped."
    )
    views: Literal[1, 2, 4, 8] = Field(
        1,
        description="Mirrored and turned views of the image whose maps are averaged (test-time augmentation): "
        "takes that many times as long.",
    )
    fill_holes: bool = Field(True, description="Fill holes inside each object.")
    link_slices: bool = Field(False, description="2D model on a Z stack: join slices into 3D objects by overlap.")
    link_overlap: float = Field(
        0.25, gt=0, le=1, description="IoU from which two objects in neighbouring slices are one."
    )
    three_axes: bool = Field(
        False,
        description="2D model on a Z stack: look at XY, XZ and YZ planes and decode the mean in 3D; takes about three "
        "times as long; sizes that you set are voxels, those of the model follow.",
    )
    z_step: int | None = Field(
        None,
        ge=1,
        le=64,
        description="For three axes: pixels (px) of a plane between two planes. Auto: from the voxel size, else 1.",
    )

    diameter: float | Literal["auto"] | None = Field(
        None,
        description="Typical diameter (px) of the objects in the image, which is brought to the size that the model "
        "has learnt, and with it the smallest object and seed where they are the model's own; 'auto': measured; none: "
        "the image is taken as it is.",
    )

    @field_validator("diameter", mode="before")
    @classmethod
    def _check_diameter(cls, value: Any) -> Any:
        is_number = isinstance(value, Real) and not isinstance(value, bool) and 0 < float(value) < math.inf
        if value is not None and value != "auto" and not is_number:
            raise ValueError("must be a number of pixels above 0, 'auto' or none")
        return float(value) if is_number else value

    @model_validator(mode="after")
    def _check_planes(self) -> Self:
        if self.three_axes and self.link_slices:
            raise ValueError(
                "link_slices and three_axes exclude each other, as each makes 3D objects of planes; turn one off"
            )
        return self
