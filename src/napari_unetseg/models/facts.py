"""A model's card for people: the main facts, or every field."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_unetseg.schema.config import NetworkConfig
from napari_unetseg.schema.words import FOREGROUND_IOU, counted, duration

if TYPE_CHECKING:
    from napari_unetseg.schema.card import ModelCard, TrainingRecord

SCORES = {
    "ap0.50": "AP at IoU 0.50",
    "mean_ap": "mean AP 0.50-0.90",
    "f1": "F1",
    "dice": "Dice",
    "foreground_iou": FOREGROUND_IOU,
    "pixel_error": "pixel error",
    "rand_error": "adapted Rand error",
}


def main_facts(card: ModelCard, *, path: Path) -> dict[str, str]:
    """Return what matters when one chooses a model; what the card does not tell is left out."""
    network, record = card.network, card.training
    reads = f"{card.axes} ({'plane by plane' if network.ndim == 2 else 'whole volumes'})"
    facts = {
        "name": card.name,
        "description": card.description,
        "axes": f"{reads}; {counted(len(card.channels), 'channel')}: {', '.join(card.channels)}",
        "classes": ", ".join(card.classes) if card.target.is_semantic else "",
        "objects": _objects(card),
        "network": f"{network.architecture} {network.ndim}D, width {network.width}{_depth(network)}",
        "size": f"{path.stat().st_size / 1e6:.1f} MB",
        **({} if record is None else _training(record)),
        "licence": card.licence,
        "citation": card.citation,
        "file": str(path),
    }
    return {name: text for name, text in facts.items() if text}


def _objects(card: ModelCard) -> str:
    parts = [] if card.object_diameter is None else [f"about {card.object_diameter:.0f} px wide in training"]
    if isinstance(card.decoding.diameter, float):
        parts.append(f"images where they are {card.decoding.diameter:.0f} px wide are brought to that")
    if card.pixel_size is not None:
        parts.append(f"pixels of {' x '.join(f'{size:.3g}' for size in card.pixel_size)} µm")
    return ", ".join(parts)


def _training(record: TrainingRecord) -> dict[str, str]:
    amount = counted(record.images, "image")
    if record.objects:  # of classes none are counted
        amount = f"{counted(record.objects, 'object')} in {amount}"
    date = f", {record.date[:10]}" if record.date else ""
    scores = ", ".join(f"{text} {record.scores[key]:.3f}" for key, text in SCORES.items() if key in record.scores)
    return {
        "trained on": f"{record.data}; {amount}" if record.data else amount,
        "training": f"{counted(record.steps, 'step')} in {duration(record.seconds)}{date}",
        "scores": f"{scores} ({counted(record.validation_images, 'validation image')})" if scores else "none measured",
    }


def every_field(value: dict[str, Any], *, prefix: str = "") -> list[tuple[str, str]]:
    """Flatten nested tables to dotted names; empty fields are left out, and the picture is not spelt out."""
    lines: list[tuple[str, str]] = []
    for key, item in value.items():
        if isinstance(item, dict):
            lines += every_field(item, prefix=f"{prefix}{key}.")
        elif key == "thumbnail" and item:
            lines.append((prefix + key, f"PNG, {len(item) * 3 // 4:,} bytes"))
        elif item not in (None, "", []):
            lines.append((prefix + key, ", ".join(map(str, item)) if isinstance(item, list) else str(item)))
    return lines


def _depth(network: NetworkConfig) -> str:
    """Return the depth, which only the U-Net can be set to."""
    return f", depth {network.depth}" if network.architecture == "unet" else ""
