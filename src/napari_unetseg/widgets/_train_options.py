"""The folded part of the Train dock: what is annotated, network and loss, augmentation."""

from __future__ import annotations

from typing import Any

from napari.layers import Shapes
from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QComboBox, QFormLayout, QLabel, QLineEdit, QSpinBox, QWidget

from napari_unetseg.schema.card import ModelCard
from napari_unetseg.schema.config import LossConfig, NetworkConfig, Recipe, TargetConfig, WeightConfig
from napari_unetseg.tasks.start import STRENGTHS, patch_of, start_recipe, strengthened
from napari_unetseg.widgets._dock import Dock
from napari_unetseg.widgets._form import Form, align
from napari_unetseg.widgets._layer_choice import LayerChoice
from napari_unetseg.widgets._layers import is_aid
from napari_unetseg.widgets._network_form import NetworkForm

ALL_CHANNELS = "all"
LARGEST_ID = 2**31 - 1
COARSEST = 16
"""Pixels that patch edges are multiples of, at least; a deeper network needs more."""
COARSEST_OF_OTHERS = 64
"""The same for every other architecture."""
WORDS = {
    "kind": {
        "cross_entropy": "Cross entropy",
        "cross_entropy_dice": "Cross entropy and Dice",
        "focal": "Focal loss",
        "bce_dice": "Binary cross entropy and Dice",
        "dice": "Dice",
        "lovasz_hinge": "Lovász hinge (two classes)",
        "lovasz_softmax": "Lovász softmax (1 - IoU)",
    },
    "classes": {"power": "By frequency", "median_frequency": "Median frequency", "enet": "As in ENet"},
}
"""What a person calls the choices of loss and class weights."""


class TrainOptions(QObject):
    """Builds the sections in a dock, and a recipe of what they show."""

    changed = Signal()

    def __init__(self, dock: Dock) -> None:
        super().__init__(dock)
        self.card: ModelCard | None = None
        self.regions = LayerChoice(dock.viewer, Shapes, none_word="none", accepts=lambda layer: not is_aid(layer))
        self.background = QSpinBox()
        self.background.setRange(0, LARGEST_ID)
        self.background.setSpecialValueText("none")
        self.axes = QLineEdit()
        self.axes.setPlaceholderText("as the layers say")
        self.channel = QComboBox()
        self.channel.addItem(ALL_CHANNELS)
        dock.add_section("Annotation and axes", self._annotation())
        recipe = start_recipe(None)
        self.network = NetworkForm(recipe.network)
        self.loss = Form(LossConfig(), ["kind"], labels={"kind": "Loss"}, words=WORDS)
        self.balance = Form(WeightConfig(), ["classes"], labels={"classes": "Class weights"}, words=WORDS)
        self.weights = Form(WeightConfig(), ["w0", "sigma"], labels={"w0": "Gap weight (w0)", "sigma": "Reach (sigma)"})
        self.run = Form(
            recipe,
            ["steps", "batch", "learning_rate", "validation", "match_size"],
            labels={
                "steps": "Most steps",
                "batch": "Patches a step",
                "learning_rate": "Learning rate",
                "validation": "Held back",
                "match_size": "Match size",
            },
        )
        self.patch = QSpinBox()
        self.patch.setRange(0, 1024)
        self.patch.setSingleStep(COARSEST)
        self.patch.setSuffix(" px")
        self.patch.setSpecialValueText("auto")
        self.fixed = QLabel("The network is that of the model to start from.")
        self.fixed.setWordWrap(True)
        patch = _rows([("Patch", self.patch, "Edge of the pieces that training draws from the images [patch]")])
        align(self.loss, self.balance, self.weights, self.run, patch)
        parts = (self.fixed, self.network, self.loss, self.balance, self.weights, self.run, patch)
        dock.add_section("Network and loss", *parts)
        self.strength = QComboBox()
        self.strength.addItems(list(STRENGTHS))
        self.strength.setCurrentText("normal")
        tip = "How much patches are bent, turned, scaled, brightened and blurred, so that few cells teach much"
        dock.add_section("Augmentation", _rows([("Strength", self.strength, tip)]))
        self._connect()
        self.set_start(None)

    def set_start(self, card: ModelCard | None) -> None:
        """Show what suits training from this model, or from scratch."""
        self.card = card
        recipe = start_recipe(card)
        self.network.setVisible(card is None)
        self.fixed.setVisible(card is not None)
        self.run.show_field("match_size", card is not None)
        self.run.set_value(recipe)

    def set_channels(self, count: int) -> None:
        """Offer the channels of the image."""
        if self.channel.count() == count + 1:
            return
        self.channel.blockSignals(True)
        self.channel.clear()
        self.channel.addItems([ALL_CHANNELS, *map(str, range(count))])
        wanted = self.card.network.in_channels if self.card else count
        self.channel.setCurrentIndex(1 if wanted == 1 < count else 0)
        self.channel.blockSignals(False)

    def channels(self) -> tuple[int, ...] | None:
        """Return the chosen channel; none for all."""
        text = self.channel.currentText()
        return None if text in ("", ALL_CHANNELS) else (int(text),)

    def recipe(self, *, channels: int, is_semantic: bool = False) -> Recipe:
        """Return the recipe; from scratch the network is to read `channels`, and learn objects or classes."""
        run = self.run.value()
        base = start_recipe(self.card)
        if self.card is None:
            target = TargetConfig(kind="semantic") if is_semantic else base.target
            base = base.replace(network=self.network.value().replace(in_channels=channels), target=target)
        network, edge = base.network, self.patch.value()
        step = max(COARSEST, 2**network.depth) if network.architecture == "unet" else COARSEST_OF_OTHERS
        return base.replace(
            loss=self.loss.value(),
            weights=self.weights.value().replace(classes=self.balance.value().classes),
            augmentation=strengthened(base.augmentation, factor=STRENGTHS[self.strength.currentText()]),
            patch=patch_of(edge, divisor=(step,) * network.ndim) if edge else None,
            **{name: getattr(run, name) for name in ("steps", "batch", "learning_rate", "validation", "match_size")},
        )

    def ndim(self) -> int:
        """Return whether planes or volumes are learnt."""
        network: NetworkConfig = self.card.network if self.card else self.network.value()
        return network.ndim

    def _annotation(self) -> QWidget:
        return _rows(
            [
                (
                    "Regions",
                    self.regions,
                    "Shapes layer: inside its shapes every cell is painted, so 0 is background there",
                ),
                (
                    "Background",
                    self.background,
                    "Label number that you paint background with, where 0 is not annotated",
                ),
                (
                    "Axes",
                    self.axes,
                    "Letters of the image's axes, such as ZYX or CYX, where the layers are taken wrongly",
                ),
                ("Channel", self.channel, "Channel of the image to learn from"),
            ]
        )

    def _connect(self) -> None:
        for form in (self.network, self.loss, self.balance, self.weights, self.run):
            form.changed.connect(self._on_changed)
        for box in (self.channel, self.strength):
            box.currentIndexChanged.connect(self._on_changed)
        for spin in (self.patch, self.background):
            spin.valueChanged.connect(self._on_changed)
        self.axes.textChanged.connect(self._on_changed)
        self.regions.changed.connect(self._on_changed)

    def _on_changed(self, _value: Any = None) -> None:
        self.changed.emit()


def _rows(rows: list[tuple[str, QWidget, str]]) -> QWidget:
    holder = QWidget()
    layout = QFormLayout(holder)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    for label, widget, tooltip in rows:
        name = QLabel(label)
        for part in (name, widget):
            part.setToolTip(tooltip)
        layout.addRow(name, widget)
    return holder
