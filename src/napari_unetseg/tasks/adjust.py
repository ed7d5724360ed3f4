"""A copy of a model with settings of its network that can be changed after training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from napari_unetseg.models import file, library
from napari_unetseg.networks import registry
from napari_unetseg.networks.setting import fields_of, read_settings, unknown
from napari_unetseg.schema.card import LONGEST_NAME
from napari_unetseg.schema.errors import InputError
from napari_unetseg.tasks.model import load_model, weights_of


def export_adjusted(name_or_path: str | Path, path: str | Path, *, texts: Mapping[str, str]) -> Path:
    """Write a copy of a model set to `texts`, such as {"keep": "2"}; what exists is not replaced.

    It holds the same weights, so it is as large; its name tells what it is set to, and scores are those before.
    """
    model = load_model(name_or_path)
    target = library.export_target(model.path, path)
    config = model.card.network
    name, kind = config.architecture, registry.kind_of(config.architecture)
    for setting in texts:
        if setting not in (known := fields_of(kind)):
            raise InputError(unknown(setting, known, name=name))
        if setting not in kind.changeable:
            can = ", ".join(sorted(kind.changeable)) or "nothing"
            raise InputError(
                f"of a trained '{name}' {can} can be set, not '{setting}', which its weights are learnt for; train a "
                f"network with it: train --network {name} --set {setting}={texts[setting]}"
            )
    layer = read_settings(texts, kind=kind, name=name)
    network = config.replace(settings={**config.settings, **layer["settings"]})
    with torch.device("meta"):
        registry.build(network)  # what does not go together is refused
    words = " ".join(f"{setting} {value}" for setting, value in layer["settings"].items())
    name = f"{model.card.name[: LONGEST_NAME - len(words) - 1]} {words}"
    card = model.card.replace(name=name, network=network)
    file.save(target, card=card, weights=weights_of(model.network))
    return target
