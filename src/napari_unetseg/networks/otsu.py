"""Otsu's threshold: the value that parts the pixels of an image into a dark and a bright group."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

BINS = 256
BINOMIAL = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)


def otsu_mask(images: Tensor) -> Tensor:
    """Return 1 where the smoothed mean over the channels of (N, C, Y, X) is bright, else 0: float32 (N, 1, Y, X).

    Smoothed, as a coarse map asks whether anything in a block of pixels is bright, and of noise something always is.
    """
    grey = _smooth(images.float().mean(dim=1, keepdim=True))
    return (grey > otsu_threshold(grey)[:, None, None, None]).float()


def otsu_threshold(images: Tensor) -> Tensor:
    """Return for each image of (N, ...) the threshold with the most variance between both groups (Otsu 1979).

    Each has a histogram of its own, from its least to its largest value; the threshold is the centre of the last bin
    of the dark group. Nothing is brighter than that of an image of one value.
    """
    values = images.flatten(1).float()
    least, largest = values.amin(dim=1, keepdim=True), values.amax(dim=1, keepdim=True)
    step = (largest - least) / BINS
    bins = ((values - least) / step.clamp_min(torch.finfo(values.dtype).tiny)).long().clamp_(0, BINS - 1)
    counts = bins.new_zeros(len(values), BINS).scatter_add_(1, bins, torch.ones_like(bins))  # whole numbers: exact
    numbers = torch.arange(BINS, device=counts.device)
    dark, of_dark = counts.cumsum(dim=1), (counts * numbers).cumsum(dim=1)
    bright, of_bright = dark[:, -1:] - dark, of_dark[:, -1:] - of_dark
    apart = of_dark / dark.clamp_min(1) - of_bright / bright.clamp_min(1)  # distance of the means, in bins
    last = ((dark / values.shape[1]) * (bright / values.shape[1]) * apart**2).argmax(dim=1, keepdim=True)
    return (least + (last + 0.5) * step).squeeze(1)


def _smooth(x: Tensor) -> Tensor:
    """Return the mean over 5 x 5 pixels of (N, 1, Y, X) with binomial weights; beyond the edge its pixels go on."""
    x = pad(x, (2, 2, 2, 2), mode="replicate")
    for axis in (2, 3):
        size = x.shape[axis] - 4
        x = torch.stack([weight * x.narrow(axis, start, size) for start, weight in enumerate(BINOMIAL)]).sum(dim=0)
    return x
