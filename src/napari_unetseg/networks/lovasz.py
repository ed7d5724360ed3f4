"""The Jaccard index as a loss: its Lovasz extension is convex, so that it can be minimised (Berman et al. 2018).

Berman, Triki, Blaschko 2018, arXiv:1705.08790. 1 - IoU is known where each pixel is right or wrong. The extension is
the same there, and linear between: the errors, largest first, times what each adds to 1 - IoU (`jaccard_steps`).

All pixels weigh the same. The IoU is that of each sample by itself, so a batch that several processes share needs no
common order of pixels; samples without an annotated pixel do not count.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from napari_unetseg.networks.pixel_mean import IGNORE, Total, alone, mean_over_samples


def lovasz_hinge(logits: Tensor, target: Tensor, *, total: Total = alone) -> Tensor:
    """Lovasz extension of 1 - IoU of the foreground, of hinge errors (Berman et al. 2018, binary case).

    The error of a pixel is max(0, 1 - F y), with the log-odds F of class 1 against 0, and y = 1 in the foreground, else
    -1: nothing is left to learn where they are right by 1 or more.
    """
    odds = (logits[:, 1] - logits[:, 0]).float().flatten(1)
    truth, valid = (target == 1).flatten(1), (target != IGNORE).flatten(1)
    errors = (1 - odds * torch.where(truth, 1.0, -1.0)).clamp_min(0)
    return mean_over_samples(_extension(errors, truth, valid), valid, total=total)


def lovasz_softmax(logits: Tensor, target: Tensor, *, total: Total = alone) -> Tensor:
    """Mean of the Lovasz extension of 1 - IoU over the classes that a sample has (Berman et al. 2018, Lovasz-softmax).

    The error of a pixel in class c is 1 - p_c where c is its class, else p_c, with softmax probabilities p. Of a class
    that is not there, any pixel would make the IoU 0, so these are left out.
    """
    count = logits.shape[1]
    valid = (target != IGNORE).flatten(1)  # (N, pixels)
    truth = one_hot(target.clamp_min(0), count).movedim(-1, 1).flatten(2).bool() & valid[:, None]  # (N, K, pixels)
    errors = (truth.float() - logits.float().softmax(dim=1).flatten(2)).abs()
    losses = _extension(errors, truth, valid[:, None])  # (N, K)
    is_there = truth.any(dim=2)
    mean = torch.where(is_there, losses, 0.0).sum(dim=1) / is_there.sum(dim=1).clamp_min(1)
    return mean_over_samples(mean, valid, total=total)


def _extension(errors: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """Return the sum over pixels (last axis) of errors, the largest first, times their steps (the paper's def. 2)."""
    errors = torch.where(valid, errors, 0.0)  # comes last, and adds nothing
    order = errors.detach().argsort(dim=-1, descending=True)
    steps = jaccard_steps((truth & valid).gather(-1, order))
    return (errors.gather(-1, order) * steps).sum(dim=-1)


def jaccard_steps(truth: Tensor) -> Tensor:
    """Return by how much 1 - IoU grows with each pixel that is wrong, one after the other (Berman et al. 2018, alg. 1).

    `truth` (..., pixels) tells which pixels are foreground. With G of them, after k wrong pixels of which f were
    foreground, the intersection is I = G - f and the union U = G + k - f. A foreground pixel adds 1 / U, another
    one I / (U (U - 1)): the paper's differences of 1 - I / U, but without those of nearly equal numbers.
    """
    misses = truth.long().cumsum(dim=-1)
    size = misses[..., -1:]
    positions = torch.arange(1, truth.shape[-1] + 1, device=truth.device)
    overlap, union = (size - misses).float(), (size + positions - misses).float()
    steps = torch.where(truth, 1 / union, overlap / (union * (union - 1)).clamp_min(1))
    return torch.where((size == 0) & (positions == 1), 1.0, steps)  # without foreground one pixel is wrong or none
