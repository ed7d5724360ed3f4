"""The recipe to start from: what suits the model and what is painted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from napari_unetseg.schema.card import ModelCard
from napari_unetseg.schema.config import AugmentationConfig, NetworkConfig, Recipe
from napari_unetseg.schema.errors import InputError
from napari_unetseg.schema.words import counted

if TYPE_CHECKING:
    from napari_unetseg.networks.network import Network

UNLABELLED = 0.1
"""Weight of unpainted pixels as background from scratch, where most cells are not painted: a network that is never
shown any calls everything a cell. A model that knows background would unlearn the cells that nobody has painted, unless
those that are painted lie close together (`benchmarks/few_cells.py`), which nobody can tell beforehand."""
BELIEVED = 0.5
"""Weight of unpainted pixels in a network that knows background, times how sure it is of each, squared."""
HELD_BACK = 30
"""Objects from which on some of a single image are held back for validation; the score of one or two would say little,
and they are missed in training."""
STRENGTHS = {"none": 0.0, "light": 0.5, "normal": 1.0, "strong": 1.5}
"""What a person calls the strength of augmentation, and the factor it means."""


def start_recipe(card: ModelCard | None, *, ndim: int = 2, channels: int = 1) -> Recipe:
    """Return the recipe for training from the model of `card`, or from scratch without one.

    How sure the model is of its own objects says nothing of how sure it will be of these: none is dropped for that.
    """
    if card is None:
        return Recipe(network=NetworkConfig(ndim=ndim, in_channels=channels))
    return Recipe(
        network=card.network,
        target=card.target,
        normalization=card.normalization,
        decoding=card.decoding.replace(min_confidence=0.0),
    )


def validation_share(*, images: int, objects: int, share: float, is_all_known: bool = False) -> float:
    """Return the share to hold back: 0 where the only image has too few objects to spare some.

    Of classes (`is_all_known`) a part of it is as good as any, if all of its pixels are annotated.
    """
    return share if images > 1 or objects >= HELD_BACK or is_all_known else 0.0


def fit_annotation(recipe: Recipe, *, zero_is_background: bool, is_from_scratch: bool) -> Recipe:
    """Return the recipe for what 0 means; pixels that are not annotated are a little background.

    From scratch all of them, since the network has no idea yet; else those that the network itself takes for it. Where
    classes are learnt, none: they may be of any class.
    """
    if recipe.target.is_semantic:
        return recipe.replace(weights=recipe.weights.replace(unlabelled=0.0, believed=0.0))
    unlabelled = UNLABELLED if is_from_scratch and not zero_is_background else 0.0
    believed = 0.0 if is_from_scratch or zero_is_background else BELIEVED
    return recipe.replace(weights=recipe.weights.replace(unlabelled=unlabelled, believed=believed))


def patch_of(edge: float, *, divisor: tuple[int, ...]) -> tuple[int, ...]:
    """Return patch edges of about `edge` pixels that a network with this divisor can take; in Z a quarter of them."""
    wanted = (edge / 4, edge, edge)[3 - len(divisor) :]
    return tuple(step * max(1, round(length / step)) for length, step in zip(wanted, divisor, strict=True))


def strengthened(augmentation: AugmentationConfig, *, factor: float) -> AugmentationConfig:
    """Return the augmentation with every change `factor` times as large, within its bounds; 0: no change at all."""
    if factor == 0:
        return augmentation.replace(probability=0.0, flip=False, gamma=0, brightness=0, contrast=0, blur=0, noise=0)
    most = {"scale": 0.9, "contrast": 0.95, "brightness": 1.0, "noise": 1.0, "rotation": 180.0, "gamma": 2.0}
    names = ("elastic", "rotation", "scale", "gamma", "brightness", "contrast", "blur", "noise")
    return augmentation.replace(
        **{name: min(most.get(name, 10.0), factor * getattr(augmentation, name)) for name in names}
    )


def check_loss(recipe: Recipe) -> None:
    """Refuse a loss that does not go with the classes, or would leave out what pixels are to weigh."""
    kind, count = recipe.loss.kind, recipe.target.class_count
    if kind == "lovasz_hinge" and count > 2:
        other = "" if recipe.target.is_semantic else ", or the target 'distance', which has two"
        raise InputError(
            f"the loss 'lovasz_hinge' tells two classes apart, but the target '{recipe.target.kind}' has {count}; use "
            f"the loss 'lovasz_softmax'{other}"
        )
    weights = recipe.weights
    if not recipe.loss.knows_weights and (weights.unlabelled or weights.believed):
        raise InputError(
            f"the loss '{kind}' weighs all pixels alike, but those that nobody has annotated are to weigh less ("
            f"unlabelled {weights.unlabelled:g}, believed {weights.believed:g}); use another loss, such as "
            "'cross_entropy_dice', or annotate everything, so that 0 means background"
        )


def check_start(recipe: Recipe, card: ModelCard, *, names: Mapping[str, str] | None = None) -> None:
    """Refuse a recipe with another network or target than the model that is to be trained further.

    `names` are those by which a person has given its settings, such as {"network.width": "--width"}.
    """
    differing = {
        f"{table}.{key}": (value, getattr(getattr(card, table), key))
        for table in ("network", "target")
        for key, value in getattr(recipe, table).model_dump().items()
        if value != getattr(getattr(card, table), key)
    }
    if len(differing) > 1:
        differing.pop("network.out_channels", None)  # they follow the target
    if not differing:
        return
    called = {key: (names or {}).get(key, key) for key in differing}
    told = ", ".join(f"{called[key]} {new!r} (model: {old!r})" for key, (new, old) in differing.items())
    raise InputError(
        f"the model '{card.name}' is trained further with another network or target than its own: {told}; leave out "
        f"{', '.join(called.values())}, or start without a model"
    )


def left_out(recipe: Recipe) -> str:
    """Say which weights the loss does not know, or nothing; those between touching objects are on by default."""
    weights = recipe.pixel_weights
    is_balanced = weights.classes != "power" or weights.balance > 0
    names = [name for name, is_on in (("w0", weights.w0 > 0), ("class weights", is_balanced)) if is_on]
    if recipe.loss.knows_weights or not names:
        return ""
    only = " but in the distance" if recipe.target.has_distance and recipe.loss.distance_weight else ""
    return f"the loss '{recipe.loss.kind}' weighs all pixels alike: {' and '.join(names)} do nothing{only}"


def slowed(network: Network) -> str:
    """Say that a network learns more slowly than the recipe says, and why; or nothing."""
    if network.rate_factor == 1:
        return ""
    return (
        f"the network '{network.config.architecture}' learns at {network.rate_factor:g} of the learning rate, as "
        "nothing normalises its maps"
    )


def check_batch(network: Network, *, recipe: Recipe) -> None:
    """Refuse batches too small for BatchNorm, which needs two values of each channel, also in the coarsest map."""
    config, least = recipe.network, network.least_batch
    strides = network.divisor if network.coarsest is None else (network.coarsest,) * config.ndim
    if config.norm == "batch" and all(strides):
        values = math.prod(-(-edge // stride) for edge, stride in zip(recipe.patch or (), strides, strict=True))
        least = max(least, 2 if values < 2 else 1)
    if recipe.batch < least:
        raise InputError(
            f"the network '{config.architecture}' cannot learn from {counted(recipe.batch, 'patch', 'patches')} a step "
            f"here; use a batch of {least} or more, or larger patches"
        )
