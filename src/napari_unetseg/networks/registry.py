"""The architectures by name."""

from __future__ import annotations

import difflib
import unicodedata
from typing import Any

import torch

from napari_unetseg.networks.bisenet import BiSeNet
from napari_unetseg.networks.deconvnet import DeconvNet
from napari_unetseg.networks.deeplab import DeepLabV3, DeepLabV3Plus
from napari_unetseg.networks.dfn import DFN
from napari_unetseg.networks.enet import ENet
from napari_unetseg.networks.fanet import FANet
from napari_unetseg.networks.fanet_feedback import FANetFeedback
from napari_unetseg.networks.fcn import FCN8s, FCN16s, FCN32s, FCNResNet18
from napari_unetseg.networks.fusionnet import FusionNet
from napari_unetseg.networks.gcn import GCN
from napari_unetseg.networks.network import Network
from napari_unetseg.networks.rednet import RedNet
from napari_unetseg.networks.segnet import SegNet, SegNetBasic
from napari_unetseg.networks.setting import SHARED, check_settings, describe_settings
from napari_unetseg.networks.u2net import U2Net, U2NetLite
from napari_unetseg.networks.unet import UNet
from napari_unetseg.networks.unet_plus_plus import UNetPlusPlus
from napari_unetseg.schema.config import NetworkConfig
from napari_unetseg.schema.errors import InputError

__all__ = ["Network", "build", "describe", "describe_one", "divisor", "kind_of", "names"]

_ARCHITECTURES: dict[str, type[Network]] = {
    "bisenet": BiSeNet,
    "deconvnet": DeconvNet,
    "deeplab_v3": DeepLabV3,
    "deeplab_v3_plus": DeepLabV3Plus,
    "dfn": DFN,
    "enet": ENet,
    "fanet": FANet,
    "fanet_feedback": FANetFeedback,
    "fcn16s": FCN16s,
    "fcn32s": FCN32s,
    "fcn8s": FCN8s,
    "fcn_resnet18": FCNResNet18,
    "fusionnet": FusionNet,
    "gcn": GCN,
    "rednet": RedNet,
    "segnet": SegNet,
    "segnet_basic": SegNetBasic,
    "u2net": U2Net,
    "u2net_lite": U2NetLite,
    "unet": UNet,
    "unet_plus_plus": UNetPlusPlus,
}


def build(config: NetworkConfig) -> Network:
    """Return a freshly initialised network of the architecture that `config` names."""
    check(config)
    return kind_of(config.architecture)(config)


def kind_of(name: str) -> type[Network]:
    """Return the class of an architecture, which says what it is and takes; a wrong name is told the nearest."""
    if name not in _ARCHITECTURES:
        plain = {_plain(known): known for known in names()}
        close = difflib.get_close_matches(_plain(name), plain, n=1)
        hint = f"; did you mean '{plain[close[0]]}'?" if close else ""
        raise InputError(f"unknown architecture '{name}'; known: {', '.join(names())}{hint}")
    return _ARCHITECTURES[name]


def _plain(name: str) -> str:
    """Return what is alike in all spellings of a name, as papers have them too: U-Net++, U²-Net, DeepLabv3+."""
    letters = unicodedata.normalize("NFKC", name).lower().replace("+", "plus")
    return "".join(letter for letter in letters if letter.isalnum())


def check(config: NetworkConfig) -> None:
    """Refuse an architecture that there is not, and what it would not heed."""
    name = config.architecture
    kind = kind_of(name)
    if config.ndim not in kind.dimensions:
        only = " and ".join(f"{ndim}D" for ndim in kind.dimensions)
        raise InputError(f"the network '{name}' is for {only} only, not {config.ndim}D; choose another, such as unet")
    for field in SHARED:
        if field not in kind.takes and getattr(config, field) != NetworkConfig.model_fields[field].default:
            raise InputError(f"the network '{name}' has no setting '{field}'; leave it out")
    check_settings(config.settings, kind=kind, name=name)


def names() -> list[str]:
    """Names of all architectures, sorted."""
    return sorted(_ARCHITECTURES)


def describe() -> list[dict[str, Any]]:
    """Say of each architecture what it is and suits, where it is from, its parameters, what it can do and be set to."""
    return [describe_one(name) for name in names()]


def describe_one(name: str) -> dict[str, Any]:
    """Say the same of one architecture."""
    kind = kind_of(name)
    return {
        "name": name,
        "summary": kind.summary,
        "suits": kind.suits,
        "reference": kind.reference,
        "parameters": _parameters(NetworkConfig(architecture=name)),
        "published_width": kind.published_width,
        "published_parameters": _parameters(NetworkConfig(architecture=name, width=kind.published_width)),
        "dimensions": list(kind.dimensions),
        "is_tile_exact": kind.is_tile_exact,
        "seam_error": kind.seam_error,
        "output_stride": kind.output_stride,
        "least_batch": kind.least_batch,
        "settings": describe_settings(kind),
    }


def divisor(config: NetworkConfig) -> tuple[int, ...]:
    """Return what the network's input must be a multiple of, per spatial axis."""
    with torch.device("meta"):
        return build(config).divisor


def _parameters(config: NetworkConfig) -> int:
    with torch.device("meta"):  # shapes only, no memory
        return sum(parameter.numel() for parameter in build(config).parameters())
