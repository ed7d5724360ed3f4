"""What is minimised: pure functions of logits (N, K, [Z,] Y, X), and the module that adds them up for a recipe.

Targets are class ids (N, [Z,] Y, X), int64, where -1 means: not annotated, ignore. Everything is computed in float32.
Sums over the batch go through `total`, which adds up those of all processes where several share a batch.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, max_pool2d, max_pool3d, one_hot

from napari_unetseg.networks.lovasz import lovasz_hinge, lovasz_softmax
from napari_unetseg.networks.one_vs_rest import bce_dice_loss
from napari_unetseg.networks.pixel_mean import IGNORE, Total, alone, mean_over_valid
from napari_unetseg.schema.config import LossConfig, TargetConfig
from napari_unetseg.schema.errors import InputError

BOUNDARY = 2  # the class of pixels at the rim of an object, where the target has one
BORDER_ALPHA = 0.25  # weight of border pixels against others (Lin et al. 2017, section 5.1)


class SegmentationLoss(nn.Module):
    """The loss of a recipe: classes from the first channels of the output, the distance, if any, from the last."""

    def __init__(self, loss: LossConfig, target: TargetConfig, total: Total = alone) -> None:
        super().__init__()
        self.loss = loss
        self.target = target
        self.total = total

    def forward(
        self,
        output: Tensor,
        classes: Tensor,
        distance: Tensor | None,
        weight: Tensor | None,
        unknown: Tensor | None = None,
    ) -> Tensor:
        """Return the scalar loss of `output` (N, K, ...) against `classes`, `distance` and `weight` (N, ...).

        `unknown` marks pixels whose class is a guess: what knows no weights (Dice, Lovasz) leaves them out.
        """
        loss, total = self._of_classes(output[:, : self.target.class_count], classes, weight, unknown), self.total
        if self.target.has_distance and self.loss.distance_weight:
            if distance is None:
                raise InputError(
                    f"target '{self.target.kind}' needs a distance map, got none; make it with the targets"
                )
            prediction = output[:, self.target.class_count]
            away = distance_loss(prediction, distance, weight, classes, total=total)
            loss = loss + self.loss.distance_weight * away
        return loss

    def _of_classes(self, logits: Tensor, classes: Tensor, weight: Tensor | None, unknown: Tensor | None) -> Tensor:
        total = self.total
        sure = classes if unknown is None else classes.masked_fill(unknown, IGNORE)
        match self.loss.kind:
            case "cross_entropy":
                return weighted_cross_entropy(logits, classes, weight, total=total)
            case "cross_entropy_dice":
                loss = weighted_cross_entropy(logits, classes, weight, total=total)
                return loss + soft_dice_loss(logits, sure, total=total)
            case "focal":
                return focal_loss(logits, classes, weight, self.loss.focal_gamma, total=total)
            case "bce_dice":
                return bce_dice_loss(logits, classes, weight, sure=sure, total=total)
            case "dice":
                return soft_dice_loss(logits, sure, total=total)
            case "lovasz_hinge":
                return lovasz_hinge(logits, sure, total=total)
            case "lovasz_softmax":
                return lovasz_softmax(logits, sure, total=total)

    def border(self, output: Tensor, classes: Tensor) -> Tensor:
        """Return the loss of a border output (N, 1, ...): binary focal loss (Lin et al. 2017, eq. 5).

        A border pixel is of the boundary class; without one, its class differs from that of a pixel beside it.
        """
        is_border = classes == BOUNDARY if self.target.kind in ("boundary", "both") else changes(classes)
        truth = is_border.float()
        logits = output[:, 0].float()
        wrong = (truth - logits.sigmoid()).abs().clamp_min(1e-6)
        balance = BORDER_ALPHA * truth + (1 - BORDER_ALPHA) * (1 - truth)
        loss = balance * wrong**2 * binary_cross_entropy_with_logits(logits, truth, reduction="none")
        return mean_over_valid(loss, None, classes, total=self.total)


def changes(classes: Tensor) -> Tensor:
    """Tell of each pixel (N, [Z,] Y, X) whether an annotated pixel around it has another class; not of unknown ones."""
    pool = max_pool2d if classes.ndim == 3 else max_pool3d
    known = (classes != IGNORE)[:, None]
    values = classes[:, None].float()
    highest = pool(values.where(known, values.new_tensor(-torch.inf)), 3, 1, 1)
    lowest = -pool((-values).where(known, values.new_tensor(-torch.inf)), 3, 1, 1)
    return ((highest > lowest) & known)[:, 0]


def weighted_cross_entropy(
    logits: Tensor, target: Tensor, weight: Tensor | None = None, *, total: Total = alone
) -> Tensor:
    """Cross entropy with pixel weights (Ronneberger et al. 2015, eq. 1), averaged over the valid pixels.

    The mean is sum(w * ce) / (number of valid pixels), not / sum(w): a heavier map pushes harder.
    """
    return mean_over_valid(_cross_entropy(logits, target), weight, target, total=total)


def focal_loss(
    logits: Tensor, target: Tensor, weight: Tensor | None = None, gamma: float = 2.0, *, total: Total = alone
) -> Tensor:
    """(1 - p_t)^gamma times the cross entropy (Lin et al. 2017, eq. 4, with softmax); gamma 0 is the cross entropy."""
    loss = _cross_entropy(logits, target)
    if gamma:
        wrong = -torch.expm1(-loss)  # 1 - p_t
        loss = wrong.clamp_min(1e-6) ** gamma * loss  # the clamp keeps the gradient finite for gamma < 1
    return mean_over_valid(loss, weight, target, total=total)


def soft_dice_loss(logits: Tensor, target: Tensor, smooth: float = 1.0, *, total: Total = alone) -> Tensor:
    """1 - mean over foreground classes of (2 sum(p t) + s) / (sum(p) + sum(t) + s) (Milletari et al. 2016, eq. 2).

    Sums run over the whole batch, so that patches without objects do not swing the loss.
    """
    count = logits.shape[1]
    valid = target != IGNORE
    probability = (logits.float().softmax(dim=1) * valid[:, None])[:, 1:]
    truth = (one_hot(target.clamp_min(0), count).movedim(-1, 1) * valid[:, None])[:, 1:].float()
    axes = [axis for axis in range(logits.ndim) if axis != 1]
    overlap = total((probability * truth).sum(dim=axes))
    sizes = total(probability.sum(dim=axes) + truth.sum(dim=axes))
    return 1 - ((2 * overlap + smooth) / (sizes + smooth)).mean()


def distance_loss(
    prediction: Tensor, distance: Tensor, weight: Tensor | None, target: Tensor, *, total: Total = alone
) -> Tensor:
    """Absolute error of the raw distance channel (N, ...), inside and outside objects, averaged likewise."""
    return mean_over_valid((prediction.float() - distance.float()).abs(), weight, target, total=total)


def _cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    return cross_entropy(logits.float(), target, ignore_index=IGNORE, reduction="none")
