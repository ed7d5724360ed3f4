"""Every setting as frozen data with its unit, bounds and meaning; shared by forms, CLI, recipes and model files."""

from __future__ import annotations

import difflib
from typing import Literal, Self, get_args

from pydantic import Field, field_validator, model_validator

from napari_unetseg.schema.base import Config
from napari_unetseg.schema.decoding import DecodingConfig

Precision = Literal["auto", "float32", "bfloat16"]
TargetKind = Literal["boundary", "distance", "both", "semantic"]
MAX_CLASSES = 255
LEAST_TILE = 16
LossKind = Literal["cross_entropy", "cross_entropy_dice", "focal", "bce_dice", "dice", "lovasz_hinge", "lovasz_softmax"]
WEIGHTLESS = frozenset({"dice", "lovasz_hinge", "lovasz_softmax"})
"""Losses of whole patches, in which no pixel can weigh more than another."""
ClassWeights = Literal["power", "median_frequency", "enet"]


class NetworkConfig(Config):
    """Which architecture, and how large."""

    architecture: str = Field(
        "unet", pattern=r"^[a-z][a-z0-9_]{0,39}$", description="Name in the registry of networks."
    )
    ndim: Literal[2, 3] = Field(2, description="Spatial dimensions: 2 for YX, 3 for ZYX.")
    in_channels: int = Field(1, ge=1, le=64, description="Image channels the network reads.")
    out_channels: int = Field(4, ge=1, le=256, description="Maps the network gives: class logits, then the distance.")
    width: int = Field(
        16, ge=1, le=256, description="Feature channels at full resolution; doubled at each level below."
    )
    depth: int = Field(4, ge=1, le=7, description="Number of 2x poolings.")
    padding: Literal["same", "valid"] = Field("same", description="'valid' is the unpadded network of the 2015 paper.")
    norm: Literal["batch", "none"] = Field("batch", description="Normalisation after each convolution.")
    dropout: float = Field(0.0, ge=0, le=0.9, description="Dropout rate at the end of the contracting path.")
    flat_levels: int = Field(0, ge=0, le=7, description="3D only: finest levels that pool in Y and X but not in Z.")
    settings: dict[str, bool | int | float | str] = Field(
        {}, max_length=20, description="What else the architecture can be set to (see 'models networks')."
    )

    @model_validator(mode="after")
    def _check_size(self) -> Self:
        if self.width * 2**self.depth > 8192:
            raise ValueError(f"width {self.width} at depth {self.depth} needs over 8192 channels; reduce one of them")
        if self.flat_levels and self.ndim == 2:
            raise ValueError("flat_levels is for 3D networks only; use 0")
        if self.flat_levels > self.depth:
            raise ValueError(f"flat_levels {self.flat_levels} exceeds the depth {self.depth}")
        return self


class NormalizationConfig(Config):
    """Robust stretch of each channel: (value - low percentile) / (high percentile - low percentile)."""

    low: float = Field(1.0, ge=0, lt=50, description="Percentile (%) that becomes 0.")
    high: float = Field(99.8, gt=50, le=100, description="Percentile (%) that becomes 1.")
    scope: Literal["stack", "plane"] = Field("stack", description="One stretch for the stack, or one for each plane.")


class TargetConfig(Config):
    """What the network learns to predict: parts of objects, from instance labels, or the classes that labels name."""

    kind: TargetKind = Field(
        "both",
        description="'boundary': background, interior, boundary. 'distance': background, foreground, distance. "
        "'both': the first plus distance. 'semantic': the class of each pixel, as labels number it, without objects.",
    )
    boundary_width: int = Field(1, ge=1, le=9, description="Thickness (px) of the boundary class inside each object.")
    classes: int | None = Field(
        None,
        ge=2,
        le=MAX_CLASSES,
        description="Number of classes of 'semantic', background included; none: taken from the labels.",
    )

    @property
    def is_semantic(self) -> bool:
        """Whether pixels get classes, and no objects are told apart."""
        return self.kind == "semantic"

    @property
    def class_count(self) -> int:
        """Number of softmax classes; background is class 0. Of 'semantic' the fewest while labels are to tell it."""
        match self.kind:
            case "semantic":
                return self.classes or 2
            case "distance":
                return 2
            case _:
                return 3

    @property
    def has_distance(self) -> bool:
        """Whether one more channel, after the classes, holds the normalised distance to the object's border."""
        return self.kind in ("distance", "both")

    @property
    def out_channels(self) -> int:
        """Channels the network must give."""
        return self.class_count + int(self.has_distance)

    @model_validator(mode="after")
    def _check_classes(self) -> Self:
        if self.classes is not None and not self.is_semantic:
            raise ValueError(
                f"classes is for kind 'semantic' only, got kind '{self.kind}'; set kind to 'semantic' (train: --target "
                "semantic), or leave classes out"
            )
        return self


class WeightConfig(Config):
    """Pixel weights of Ronneberger et al. 2015, eq. 2: w_c + w0 exp(-(d1 + d2)^2 / (2 sigma^2))."""

    w0: float = Field(
        10.0, ge=0, le=1000, description="Height of the weight between two touching cells; 0 turns it off."
    )
    sigma: float = Field(5.0, gt=0, le=100, description="Reach of that weight, in pixels of the finest axis.")
    classes: ClassWeights = Field(
        "power",
        description="Class weights w_c, 1 in the mean over pixels. 'power': inverse frequency to the power of balance. "
        "'median_frequency': median frequency / frequency, in images that have the class (Eigen and Fergus 2015). "
        "'enet': 1 / ln(1.02 + frequency) (Paszke et al. 2016).",
    )
    balance: float = Field(0.25, ge=0, le=1, description="Exponent of 'power': 1 inverse frequency, 0 none.")
    unlabelled: float = Field(
        0.0, ge=0, le=1, description="Weight of pixels that are not annotated, taken for background; 0: left out."
    )
    believed: float = Field(
        0.0,
        ge=0,
        le=1,
        description="The same once 40 % of the budget are used, times the square of the network's own probability of "
        "background there.",
    )


class LossConfig(Config):
    """What is minimised."""

    kind: LossKind = Field(
        "cross_entropy",
        description="Loss over the classes. 'cross_entropy': weighted. 'cross_entropy_dice': plus Dice of the batch. "
        "'focal': less for what is right already. 'bce_dice': each class against all others, plus Dice of each patch. "
        "'dice': Dice of the batch alone. 'lovasz_softmax', of two classes 'lovasz_hinge': 1 - IoU of each patch. "
        "These last three have no pixel weights.",
    )
    distance_weight: float = Field(1.0, ge=0, le=100, description="Factor of the distance channel's loss.")
    focal_gamma: float = Field(2.0, ge=0, le=5, description="Focusing exponent of the focal loss.")

    @property
    def knows_weights(self) -> bool:
        """Whether pixels can weigh more or less in the loss over the classes."""
        return self.kind not in WEIGHTLESS

    @field_validator("kind", mode="before")
    @classmethod
    def _check_kind(cls, kind: object) -> object:
        known = get_args(LossKind)
        if isinstance(kind, str) and kind not in known:
            close = difflib.get_close_matches(kind, known, n=1, cutoff=0.4)
            hint = f"; did you mean '{close[0]}'?" if close else ""
            raise ValueError(f"there is no loss '{kind}'; known: {', '.join(known)}{hint}")
        return kind


class AugmentationConfig(Config):
    """Random changes of each training patch; geometry is composed into one resampling."""

    probability: float = Field(0.9, ge=0, le=1, description="Share of patches whose geometry is changed beyond flips.")
    elastic: float = Field(
        10.0, ge=0, le=100, description="Standard deviation (px) of the displacements on a 3x3 grid."
    )
    rotation: float = Field(180.0, ge=0, le=180, description="Largest rotation (degrees) in the YX plane.")
    scale: float = Field(0.25, ge=0, le=0.9, description="Largest relative change of size.")
    flip: bool = Field(True, description="Mirror along any spatial axis.")
    gamma: float = Field(0.3, ge=0, le=2, description="Largest |log| of the gamma exponent.")
    brightness: float = Field(0.1, ge=0, le=1, description="Largest offset, in units of the normalised range.")
    contrast: float = Field(0.25, ge=0, lt=1, description="Largest relative change of contrast.")
    blur: float = Field(
        1.0, ge=0, le=10, description="Largest Gaussian sigma (px); applied to a quarter of the patches."
    )
    noise: float = Field(0.05, ge=0, le=1, description="Largest standard deviation of added Gaussian noise.")


class TilingConfig(Config):
    """How an image is cut for the network; labels depend on it only where tiles are blended."""

    tile: int | None = Field(
        None,
        ge=LEAST_TILE,
        le=16384,
        description="Edge of a tile (px); none: chosen from memory; of blended tiles 512 or 256, in 3D 128.",
    )
    batch: int = Field(1, ge=1, le=256, description="Tiles per forward pass.")
    device: str = Field(
        "auto", pattern=r"^(auto|cpu|mps(:0)?|cuda(:\d{1,2})?)$", description="'auto', 'cpu', 'cuda', 'cuda:1', 'mps'."
    )
    precision: Precision = Field("auto", description="'auto' takes bfloat16 where the processor is fast in it.")


class MemoryConfig(Config):
    """What a run may take; labels do not depend on it."""

    memory: float | None = Field(
        None,
        ge=0.1,
        le=4096,
        description="Memory that a run may take (GiB); what needs more goes block by block onto disk. "
        "Auto: 2 GiB, or half of what is free; 3D models that half.",
    )

    @property
    def bytes(self) -> int | None:
        """The memory in bytes; none: chosen from what is free."""
        return None if self.memory is None else round(self.memory * 2**30)


class Recipe(Config):
    """Everything a training run needs besides the data."""

    network: NetworkConfig = NetworkConfig()
    normalization: NormalizationConfig = NormalizationConfig()
    target: TargetConfig = TargetConfig()
    weights: WeightConfig = WeightConfig()
    loss: LossConfig = LossConfig()
    augmentation: AugmentationConfig = AugmentationConfig()
    decoding: DecodingConfig = DecodingConfig()
    fit_sizes: bool = Field(
        True,
        description="Set decoding.min_size and decoding.min_seed to an eighth and a twentieth of the median object.",
    )
    match_size: bool = Field(
        False,
        description="Starting from a model: bring the images to the size of objects that it has learnt, where the "
        "labelled ones differ by more than a quarter; the new model does so with images like these.",
    )
    patch: tuple[int, ...] | None = Field(
        None, description="Patch edges ([Z,] Y, X) in px; none: chosen from the images."
    )
    batch: int = Field(4, ge=1, le=256, description="Patches per step.")
    steps: int | None = Field(None, ge=1, le=10_000_000, description="Budget in optimiser steps.")
    minutes: float | None = Field(
        None, gt=0, le=100_000, description="Budget in minutes; the schedule follows the clock."
    )
    learning_rate: float = Field(
        1e-3,
        gt=0,
        le=1,
        description="Peak rate of AdamW; fcn8s, fcn16s and fcn32s, which nothing normalises, take a tenth of it.",
    )
    weight_decay: float = Field(1e-4, ge=0, le=1, description="Decay of AdamW.")
    warmup: float = Field(0.03, ge=0, le=0.5, description="Share of the budget over which the rate rises.")
    ema: float = Field(0.995, ge=0, lt=1, description="Decay of the running average of weights that is kept; 0: none.")
    validation: float = Field(0.15, ge=0, lt=1, description="Share of the images held back for validation.")
    validate_every: float = Field(0.05, gt=0, le=1, description="Share of the budget between two validations.")
    patience: int | None = Field(
        None, ge=1, le=1000, description="Stop after so many validations without a better score."
    )
    unlabelled_is_background: bool = Field(True, description="What label 0 means: background, or not annotated.")
    precision: Precision = Field("auto", description="'auto' trains in bfloat16 where the processor is fast in it.")
    seed: int = Field(0, ge=0, lt=2**32, description="Seed of everything random.")

    @property
    def pixel_weights(self) -> WeightConfig:
        """The weights as they apply: between classes there are no gaps that w0 could mean."""
        return self.weights.replace(w0=0.0) if self.target.is_semantic else self.weights

    def with_classes(self, count: int) -> Recipe:
        """Return the recipe for so many classes of labels, background included; its network gives a map of each."""
        return self.replace(target=self.target.replace(classes=count), network=self.network.replace(out_channels=count))

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
        is_open = self.target.is_semantic and self.target.classes is None  # labels will tell how many maps there are
        if not is_open and self.network.out_channels != self.target.out_channels:
            raise ValueError(
                f"network.out_channels is {self.network.out_channels}, "
                f"target '{self.target.kind}' needs {self.target.out_channels}"
            )
        if self.patch is not None and len(self.patch) != self.network.ndim:
            raise ValueError(f"patch needs {self.network.ndim} edges, got {self.patch}")
        return self
