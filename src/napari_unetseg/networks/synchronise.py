"""What the layers of one network know of each other's patches when several processes share a batch.

Every process holds the same weights and a part of the patches. Its results and gradients are those one process would
have for these patches, were the whole batch in it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn.functional import batch_norm, dropout
from torch.nn.modules.batchnorm import _BatchNorm


def synchronise(network: nn.Module, *, share: slice, batch: int) -> None:
    """Make the layers of `network` that look at the batch look at all of it, of which this process has `share`.

    Names, parameters and buffers stay as they are: the state is that of the network before.
    """
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, _BatchNorm):
                setattr(module, name, SharedNorm(child))
            elif isinstance(child, nn.Dropout | nn.Dropout2d):
                of_maps = isinstance(child, nn.Dropout2d)
                setattr(module, name, SharedDropout(child.p, share=share, batch=batch, of_maps=of_maps))
    network.train(network.training)


def total(value: Tensor) -> Tensor:
    """Return the sum of `value` over all processes; its gradient is that of the own part.

    A loss of such sums is the same in every process, and the gradients of all, added up, are those of the whole.
    """
    summed: Tensor = _Total.apply(value)  # type: ignore[no-untyped-call]  # missing in torch's stubs
    return summed


class SharedNorm(_BatchNorm):
    """Batch normalisation whose mean and variance are those of all processes' patches (Ioffe and Szegedy 2015, alg. 1).

    torch's own, SyncBatchNorm, works on graphics cards only.
    """

    def __init__(self, norm: _BatchNorm) -> None:
        super().__init__(norm.num_features, norm.eps, norm.momentum, device="meta")
        self.weight, self.bias = norm.weight, norm.bias
        for name, value in norm.named_buffers():
            setattr(self, name, value)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise `x` (N, C, [Z,] Y, X); in training with the statistics of the whole batch."""
        if not self.training:
            return batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        mean, variance, count = _moments(x.detach())
        self._remember(mean, variance * count / (count - 1).clamp_min(1))
        normal: Tensor = _Normalise.apply(x, self.weight, self.bias, mean, variance, count, self.eps)  # type: ignore[no-untyped-call]  # missing in torch's stubs
        return normal

    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)


class SharedDropout(nn.Dropout):
    """Dropout that draws for the whole batch, the same in every process, and applies its share.

    Of values, or, `of_maps`, of whole maps.
    """

    def __init__(self, rate: float, *, share: slice, batch: int, of_maps: bool = False) -> None:
        super().__init__(rate)
        self.share = share
        self.batch = batch
        self.of_maps = of_maps

    def forward(self, x: Tensor) -> Tensor:
        """Drop values or maps of `x`, which has the patches of the share."""
        if not self.training:
            return x
        layout = torch.channels_last if x.ndim == 4 else torch.channels_last_3d  # a draw follows the order in memory
        drawn = (x.shape[1], *(1,) * (x.ndim - 2)) if self.of_maps else x.shape[1:]
        ones = x.new_ones((self.batch, *drawn)).contiguous(memory_format=layout)
        return x * dropout(ones, self.p)[self.share]


class _Total(torch.autograd.Function):
    @staticmethod
    def forward(_: Any, value: Tensor) -> Tensor:
        summed = value.clone()
        distributed.all_reduce(summed)
        return summed

    @staticmethod
    def backward(_: Any, gradient: Tensor) -> Tensor:
        return gradient


class _Normalise(torch.autograd.Function):
    """y = weight (x - mean) / sqrt(variance + eps) + bias, where mean and variance depend on every x of every process.

    With n = (x - mean) / sqrt(variance + eps) and <> for the mean over the whole batch:
    dx = weight / sqrt(variance + eps) (dy - <dy> - n <dy n>).
    """

    @staticmethod
    def forward(
        context: Any, x: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, variance: Tensor, count: Tensor, eps: float
    ) -> Tensor:
        context.save_for_backward(x, weight, mean, (variance + eps).rsqrt(), count)
        return batch_norm(x, mean, variance, weight, bias, eps=eps)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, scale, count = context.saved_tensors
        axes = _all_but_channels(x)
        gradient = gradient.float()
        centred = x.float() - _per_channel(mean, x)
        of_bias, of_weight = gradient.sum(dim=axes), (gradient * centred).sum(dim=axes) * scale
        means = torch.stack([of_bias, of_weight])
        distributed.all_reduce(means)
        means /= count
        change = centred.mul_(_per_channel(-scale * means[1], x)).add_(gradient).sub_(_per_channel(means[0], x))
        of_x = change.mul_(_per_channel(weight * scale, x)).to(x.dtype)
        return of_x, of_weight, of_bias, None, None, None, None


def _moments(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return mean and variance of each channel over all processes' patches, and the number of values.

    Sums of squares travel in float64: a variance far below the square of the mean stays as exact as float32 is.
    """
    axes = _all_but_channels(x)
    own = x.mean(dim=axes, dtype=torch.float32)
    variance = (x - _per_channel(own, x)).square_().mean(dim=axes).double()  # faster than var_mean on a processor
    mean = own.double()
    sums = torch.stack([mean, variance + mean**2, torch.ones_like(mean)]) * (x.numel() // x.shape[1])
    distributed.all_reduce(sums)
    mean, square = sums[:2] / sums[2]
    return mean.float(), (square - mean**2).clamp_min(0).float(), sums[2, 0].float()


def _all_but_channels(x: Tensor) -> list[int]:
    return [axis for axis in range(x.ndim) if axis != 1]


def _per_channel(values: Tensor, x: Tensor) -> Tensor:
    return values.view(-1, *[1] * (x.ndim - 2))
