"""The model card: what a model file says about itself, enough to run it and to train it again."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from napari_unetseg.schema.base import Config
from napari_unetseg.schema.config import NetworkConfig, NormalizationConfig, Recipe, TargetConfig
from napari_unetseg.schema.decoding import DecodingConfig

SCHEMA_VERSION = 1

LONGEST_NAME = 120


class TrainingRecord(Config):
    """How a model came to be."""

    recipe: Recipe
    data: str = Field("", max_length=4000, description="What it was trained on, in words.")
    data_sha256: str = Field("", pattern=r"^([0-9a-f]{64})?$", description="Fingerprint of the training arrays.")
    images: int = Field(0, ge=0, description="Number of training images.")
    objects: int = Field(0, ge=0, description="Number of labelled objects in them.")
    validation_images: int = Field(0, ge=0, description="Number of validation images.")
    steps: int = Field(0, ge=0, description="Optimiser steps taken.")
    seconds: float = Field(0.0, ge=0, description="Wall time.")
    scores: dict[str, float] = Field(default_factory=dict, description="Validation scores, e.g. 'ap50', 'mean_ap'.")
    versions: dict[str, str] = Field(default_factory=dict, description="Versions of the packages used.")
    date: str = Field("", max_length=40, description="ISO date of the end of training.")


class ModelCard(Config):
    """Facts stored in the header of a model file."""

    schema_version: int = Field(SCHEMA_VERSION, ge=1, le=1_000_000)
    name: str = Field(min_length=1, max_length=LONGEST_NAME, pattern=r"^[\w][\w .+\-]*$")
    description: str = Field("", max_length=4000)
    network: NetworkConfig
    channels: tuple[str, ...] = Field(("signal",), max_length=64, description="Names of the image channels, in order.")
    classes: tuple[str, ...] = Field(
        ("background", "interior", "boundary"), max_length=256, description="Names of the classes, in order."
    )
    pixel_size: tuple[float, ...] | None = Field(
        None, description="Size ([Z,] Y, X) of a training pixel in µm, if known."
    )
    object_diameter: float | None = Field(
        None, gt=0, description="Median equivalent diameter (px) of the training objects."
    )
    normalization: NormalizationConfig = NormalizationConfig()
    target: TargetConfig = TargetConfig()
    decoding: DecodingConfig = DecodingConfig()
    training: TrainingRecord | None = None
    thumbnail: str = Field(
        "", max_length=20_000, pattern=r"^[A-Za-z0-9+/=]*$", description="PNG of a training image, in base64."
    )
    licence: str = Field("", max_length=400)
    citation: str = Field("", max_length=4000)
    sha256: str = Field(
        "", pattern=r"^([0-9a-f]{64})?$", description="Hash of the tensor bytes; set when the file is written."
    )

    @property
    def usual_decoding(self) -> DecodingConfig:
        """The decoding where nobody has chosen another: with the size of the objects measured in each image."""
        if self.object_diameter is None or self.decoding.diameter is not None:
            return self.decoding
        return self.decoding.replace(diameter="auto")

    @property
    def axes(self) -> str:
        """Spatial axes the network reads."""
        return "ZYX" if self.network.ndim == 3 else "YX"

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
        if len(self.channels) != self.network.in_channels:
            raise ValueError(f"{len(self.channels)} channel names for {self.network.in_channels} input channels")
        if self.network.out_channels != self.target.out_channels:
            raise ValueError(
                f"{self.network.out_channels} output channels, "
                f"target '{self.target.kind}' needs {self.target.out_channels}"
            )
        if self.target.is_semantic and len(self.classes) != self.target.class_count:
            raise ValueError(f"{len(self.classes)} names for {self.target.class_count} classes")
        return self
