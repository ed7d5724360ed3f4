"""What is special about training on classes instead of objects: how many there are, their names, and where they lie."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_unetseg.labels.ids import IGNORE
from napari_unetseg.schema.card import ModelCard
from napari_unetseg.schema.config import Recipe, TargetConfig
from napari_unetseg.schema.decoding import OF_MAPS, DecodingConfig
from napari_unetseg.schema.errors import InputError
from napari_unetseg.schema.words import counted

PLACES = 1000
"""Pixels of each class that patches are drawn around, in an image; evenly spread over all it has."""


def fit_classes(recipe: Recipe, labels: Sequence[np.ndarray]) -> Recipe:
    """Return the recipe with the number of classes, taken from the labels where it does not tell, as it is else."""
    if not recipe.target.is_semantic or recipe.target.classes is not None:
        return recipe
    return recipe.with_classes(max(2, 1 + max(int(one.max(initial=0)) for one in labels)))


def check_tellable(labels: Sequence[np.ndarray], *, zero_is_background: bool) -> None:
    """Refuse labels of one class: a network would call everything by it."""
    lowest = 0 if zero_is_background else 1
    found = {int(one) for array in labels for one in np.flatnonzero(np.bincount(array[array >= lowest]))}
    if len(found) < 2:
        what = f"the only class that is annotated is {found.pop()}" if found else "nothing is annotated"
        raise InputError(f"{what}; paint some of another class too, or some background")


def check_decoding(card: ModelCard, decoding: DecodingConfig) -> None:
    """Refuse settings of objects with a model of classes, which would do nothing; those of the maps do something."""
    given, own = decoding.model_dump(), card.decoding.model_dump()
    changed = ", ".join(name for name, value in given.items() if value != own[name] and name not in OF_MAPS)
    if card.target.is_semantic and changed:
        raise InputError(
            f"model '{card.name}' gives classes, not objects, for which {changed} means nothing; leave it out"
        )


def class_names(target: TargetConfig, given: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the name of each class: background, then those `given` or "class 1", "class 2", ..."""
    names = tuple(given) or tuple(f"class {number}" for number in range(1, target.class_count))
    if len(names) != target.class_count - 1:
        raise InputError(
            f"{counted(len(names), 'class name')} ({', '.join(names)}) for "
            f"{counted(target.class_count - 1, 'class', 'classes')} besides the background; name each one"
        )
    if len({"background", *names}) <= len(names):
        raise InputError(f"the class names {', '.join(names)} are not different; 'background' is the name of class 0")
    return ("background", *names)


def places_of_classes(labels: np.ndarray) -> np.ndarray:
    """Return pixels `(n, ndim)`, as many of each class: rare ones are to be in patches as often as others.

    Background counts as a class only where some pixels are not annotated, since else it lies around the others.
    """
    lowest = 0 if (labels == IGNORE).any() else 1
    flat = labels.ravel()
    chosen = []
    for number in range(lowest, int(flat.max(initial=0)) + 1):
        where = np.flatnonzero(flat == number)
        if len(where):
            chosen.append(where[np.linspace(0, len(where) - 1, PLACES).astype(int)])
    if not chosen:
        return np.zeros((0, labels.ndim), int)
    return np.stack(np.unravel_index(np.concatenate(chosen), labels.shape), axis=1)
