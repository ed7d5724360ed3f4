"""Half the binary cross entropy plus Dice, as UNet++ is trained with; of several classes, each against all others."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, one_hot

from napari_unetseg.networks.pixel_mean import IGNORE, Total, alone, mean_over_samples, mean_over_valid

SMOOTH = 1e-5


def bce_dice_loss(
    logits: Tensor, target: Tensor, weight: Tensor | None = None, *, sure: Tensor | None = None, total: Total = alone
) -> Tensor:
    """Half the binary cross entropy, plus 1 - Dice, as UNet++ is trained with (Zhou et al. 2018, arXiv:1807.10165).

    Dice is the mean over samples of (2 sum(p t) + s) / (sum(p) + sum(t) + s), with s = 1e-5.

    The paper has one sigmoid output. Here p are the softmax probabilities of the foreground classes, by which maps are
    read later, and t whether a pixel is of that class. Of two classes that is the same, with the log-odds as output.
    The cross entropy is the mean over these classes; Dice counts those of a sample together.

    Pixel weights are those of the BCE, divided by the number of pixels; Dice has none, and is of the `sure` pixels.
    """
    sure = target if sure is None else sure
    odds = log_odds(logits)[:, 1:]
    truth = one_hot(target.clamp_min(0), logits.shape[1]).movedim(-1, 1)[:, 1:].float()
    entropy = binary_cross_entropy_with_logits(odds, truth, reduction="none").mean(dim=1)
    dice = _dice(logits.float().softmax(dim=1)[:, 1:], truth, valid=sure != IGNORE, total=total)
    return 0.5 * mean_over_valid(entropy, weight, target, total=total) + dice


def _dice(probability: Tensor, truth: Tensor, *, valid: Tensor, total: Total) -> Tensor:
    probability, truth = ((value * valid[:, None]).flatten(1) for value in (probability, truth))
    overlap, sizes = (probability * truth).sum(dim=1), probability.sum(dim=1) + truth.sum(dim=1)
    loss = 1 - (2 * overlap + SMOOTH) / (sizes + SMOOTH)
    return mean_over_samples(loss, valid.flatten(1), total=total)


def log_odds(logits: Tensor) -> Tensor:
    """Return log(p_c / (1 - p_c)) of each class (N, K, ...), with softmax probabilities p, finite for any logits.

    That is z_c - log sum of exp(z_j) over the other classes j: of two classes the difference of their logits. The sum
    without c is that of all but for a factor of 1 - p_c, which is at least a half unless c is the most probable
    class; of that one the others are summed.
    """
    logits = logits.float()
    is_most = torch.zeros_like(logits, dtype=torch.bool).scatter_(1, logits.argmax(dim=1, keepdim=True), value=True)
    of_others = logits.masked_fill(is_most, -torch.inf).logsumexp(dim=1, keepdim=True)
    share = logits.softmax(dim=1).masked_fill(is_most, 0.0)
    others = torch.where(is_most, of_others, logits.logsumexp(dim=1, keepdim=True) + torch.log1p(-share))
    return logits - others
