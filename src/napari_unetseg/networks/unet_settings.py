"""What a U-Net can be set to besides its size."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from napari_unetseg.schema.base import Config


class UNetSettings(Config):
    """By default the network of 2015, padded and with BatchNorm."""

    attention: bool = Field(False, description="Weigh each skip by attention (Oktay et al. 2018, arXiv:1804.03999).")
    residual: bool = Field(False, description="Add what comes into a block to what comes out (He et al. 2016).")
    groups: int = Field(
        1,
        ge=1,
        le=64,
        description="Groups of the 3-wide convolutions, whose channels are shuffled after each (Zhang et al. 2018, "
        "arXiv:1707.01083): fewer weights. The width must be a multiple.",
    )
    skips: Literal["concatenate", "sum"] = Field("concatenate", description="How a skip joins the decoder.")
    upsampling: Literal["transposed", "bilinear"] = Field(
        "transposed", description="'transposed' convolution, or 'bilinear' (in 3D trilinear) after a 1-wide one."
    )
    activation: Literal["relu", "leaky_relu", "prelu"] = Field(
        "relu", description="After each convolution; 'leaky_relu' has a slope of 0.01, 'prelu' learns one a channel."
    )
    padding_mode: Literal["zeros", "reflect"] = Field(
        "zeros", description="What lies beyond the image for the 3-wide convolutions: 'zeros', or the image mirrored."
    )


PLAIN = UNetSettings()
