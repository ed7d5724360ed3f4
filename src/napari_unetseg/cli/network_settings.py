"""What `--set NAME=VALUE` says of a network, for one architecture or for those of several that know it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError

from napari_unetseg.schema.errors import InputError

if TYPE_CHECKING:
    from napari_unetseg.schema.config import NetworkConfig

SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="A setting of the network, such as attention=true; may be given several times. 'models networks NAME' "
        "lists those of a network.",
    ),
]

OPTIONS = {"width": "--width", "ndim": "--ndim", "architecture": "--network", "network": "--network"}
"""What else of a network has an option of its own in `train`."""
OPTIONS_OF_ALL = {"width": "--width", "architecture": "--networks", "network": "--networks"}
"""The same in `compare`."""


def assignments(given: Sequence[str] | None) -> dict[str, str]:
    """Return names and values of words such as 'attention=true'; of a name given twice the last value."""
    found = {}
    for text in given or ():
        name, equals, value = (part.strip() for part in text.partition("="))
        if not (name and equals and value):
            raise InputError(f"--set takes NAME=VALUE, such as attention=true; got '{text}'")
        found[name.replace("-", "_")] = value
    return found


def network_layer(texts: Mapping[str, str], *, architecture: str) -> dict[str, Any]:
    """Return the table `network` of a recipe that says the same; a setting that it does not have is refused.

    So is an architecture that there is not.
    """
    if not texts and architecture == "unet":
        return {}  # torch need not be loaded for the usual one
    from napari_unetseg.networks import registry
    from napari_unetseg.networks.setting import read_settings

    kind = registry.kind_of(architecture)
    _check_no_option(texts, options=OPTIONS)
    return read_settings(texts, kind=kind, name=architecture)


def belongs_to_settings(key: str) -> bool:
    """Tell whether some architecture has a setting of its own that is called so."""
    from napari_unetseg.networks import registry

    return any(key in registry.kind_of(name).Settings.model_fields for name in registry.names())


def _check_no_option(texts: Mapping[str, str], *, options: Mapping[str, str]) -> None:
    for name, text in texts.items():
        if name in options:
            raise InputError(f"--set {name}={text}: there is an option for that; give {options[name]} {text}")


def share_out(texts: Mapping[str, str], *, configs: Sequence[NetworkConfig]) -> list[NetworkConfig]:
    """Return each network with those of the settings that it knows; one that none of them knows is refused."""
    from napari_unetseg.networks import registry
    from napari_unetseg.networks.setting import fields_of, unknown

    _check_no_option(texts, options=OPTIONS_OF_ALL)
    known = {config.architecture: fields_of(registry.kind_of(config.architecture)) for config in configs}
    every = list(dict.fromkeys(name for fields in known.values() for name in fields))
    for name in texts:
        if name not in every:
            raise InputError(unknown(name, every, name=", ".join(known)))
    return [
        _with(config, {key: texts[key] for key in texts if key in known[config.architecture]}) for config in configs
    ]


def takers(texts: Mapping[str, str], *, configs: Sequence[NetworkConfig]) -> list[str]:
    """Say of each setting that not all of the networks know which of them take it."""
    from napari_unetseg.networks import registry
    from napari_unetseg.networks.setting import fields_of

    told = []
    for name, text in texts.items():
        taking = [one.architecture for one in configs if name in fields_of(registry.kind_of(one.architecture))]
        if len(taking) < len(configs):
            told.append(f"--set {name}={text} is for {', '.join(taking)} only, the others have no such setting")
    return told


def _with(config: NetworkConfig, texts: Mapping[str, str]) -> NetworkConfig:
    from napari_unetseg.cli.settings import complaints

    layer = network_layer(texts, architecture=config.architecture)
    if "settings" in layer:
        layer["settings"] = {**config.settings, **layer["settings"]}
    try:
        return config.replace(**layer)
    except ValidationError as error:
        names = {name: f"--set {name}" for name in layer}
        raise InputError("; ".join(complaints(error, model=type(config), names=names))) from error
