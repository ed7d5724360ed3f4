"""The layers a training recipe is made of, one over the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_unetseg.cli.network_settings import assignments, network_layer
from napari_unetseg.cli.settings import make_recipe, numbers, read_recipe

if TYPE_CHECKING:
    from napari_unetseg.schema.config import Recipe
    from napari_unetseg.tasks.model import Model


class RecipeLayers:
    """The layers a recipe is made of: the start model's own recipe, then the file, then the options."""

    def __init__(
        self,
        given: Mapping[str, Any],
        *,
        file: Path | None,
        patch: str | None,
        settings: Sequence[str] | None = None,
        minutes: float = 20.0,
    ) -> None:
        self.given = _without_nones(given)
        self.settings = assignments(settings)
        self.file = {} if file is None else read_recipe(file)
        if "steps" in self.given or "minutes" in self.given:  # a budget given here replaces the file's
            self.file = {key: value for key, value in self.file.items() if key not in ("steps", "minutes")}
        self.patch = patch
        self.minutes = minutes
        """The budget if nobody names one."""
        self.where = "train" if file is None else str(file)

    def in_channels(self, model: Model | None) -> int | None:
        """Return the channels that the start model or the file fixes; none if the images decide."""
        network = self.file.get("network", {})
        channels = network.get("in_channels") if isinstance(network, Mapping) else None
        return channels if model is None else model.card.network.in_channels

    def recipe(self, model: Model | None, *, in_channels: int | None = None) -> Recipe:
        """Return the recipe for images of `in_channels`."""
        base = {} if model is None else _recipe_of(model)
        layers: list[Mapping[str, Any]] = [base, self._annotation(model), self.file, self.given]
        layers.append({"network": network_layer(self.settings, architecture=self._architecture(model))})
        if in_channels is not None and model is None:
            layers.insert(0, {"network": {"in_channels": in_channels}})
        recipe = make_recipe(layers, where=self.where)
        if self.patch is not None:
            recipe = make_recipe([*layers, {"patch": _patch(self.patch, ndim=recipe.network.ndim)}], where="--patch")
        if model is not None:
            self._check_start(recipe, model)
        if recipe.steps is None and recipe.minutes is None:
            recipe = recipe.replace(minutes=self.minutes)
        return recipe

    def _check_start(self, recipe: Recipe, model: Model) -> None:
        """Refuse what changes the model's network or target, called as it was given."""
        from napari_unetseg.tasks.start import check_start

        options = {"architecture": "--network", "kind": "--target"}
        names = {
            f"{table}.{key}": options.get(key, f"--{key}")
            for table in ("network", "target")
            for key in self.given.get(table, {})
        }
        if self.settings:
            names |= {f"network.{key}": f"--set {key}" for key in self.settings}
            names["network.settings"] = "--set"
        check_start(recipe, model.card, names=names)

    def _annotation(self, model: Model | None) -> dict[str, Any]:
        """Return the settings that suit what 0 means."""
        from napari_unetseg.schema.config import Recipe, TargetConfig
        from napari_unetseg.tasks.start import fit_annotation

        is_background = bool({"unlabelled_is_background": True, **self.file, **self.given}["unlabelled_is_background"])
        recipe = Recipe(target=TargetConfig(kind="semantic")) if self._is_semantic(model) else Recipe()
        recipe = fit_annotation(recipe, zero_is_background=is_background, is_from_scratch=model is None)
        return {"weights": recipe.weights.model_dump(include={"unlabelled", "believed"})}

    def _architecture(self, model: Model | None) -> str:
        name = "unet" if model is None else model.card.network.architecture
        for layer in (self.file, self.given):
            network = layer.get("network")
            name = str(network.get("architecture", name)) if isinstance(network, Mapping) else name
        return name

    def _is_semantic(self, model: Model | None) -> bool:
        kind = None if model is None else model.card.target.kind
        for layer in (self.file, self.given):
            target = layer.get("target")
            kind = target.get("kind", kind) if isinstance(target, Mapping) else kind
        return kind == "semantic"


def _without_nones(given: Mapping[str, Any]) -> dict[str, Any]:
    inner = {key: _without_nones(value) if isinstance(value, Mapping) else value for key, value in given.items()}
    return {key: value for key, value in inner.items() if value is not None and value != {}}


def _recipe_of(model: Model) -> dict[str, Any]:
    """Return the settings that suit training this model further."""
    from napari_unetseg.tasks.start import start_recipe

    names = {"network", "target", "normalization", "decoding", "learning_rate"}
    return start_recipe(model.card).model_dump(include=names)


def _patch(text: str, *, ndim: int) -> tuple[int, ...]:
    edges = numbers(text, option="--patch")
    return edges * ndim if len(edges) == 1 else edges
