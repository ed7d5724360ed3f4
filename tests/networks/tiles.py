"""Whether tiles give what the whole image gives, and how far a pixel of the result looks."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from napari_unetseg.networks.network import Network

REGION = 16  # rows


def tiled(network: Network, image: Tensor, *, tile: tuple[int, ...]) -> Tensor:
    """Run every tile with the network's halo, cut at the image, and put the results side by side."""
    shape = tuple(image.shape[2:])
    output = image.new_full((1, network.config.out_channels, *shape), torch.nan)
    for corner in itertools.product(*(range(0, size, step) for size, step in zip(shape, tile, strict=True))):
        read, write, halos = [], [], []
        for start, size, step, halo in zip(corner, shape, tile, network.halo, strict=True):
            stop = min(size, start + step)
            first, last = max(0, start - halo), min(size, stop + halo)
            read.append(slice(first, last))
            write.append(slice(start, stop))
            halos.append((start - first, last - stop))
        output[(..., *write)] = network.forward_cropped(image[(..., *read)], halos)
    return output


def check_tiles(network: Network, *, tile: tuple[int, ...], shape: tuple[int, ...] | None = None) -> None:
    """Tiles give the logits of the whole image: one so high that inner tiles do not see its ends, if not told.

    In double precision: of two values that differ in the last digit, the higher one may be the other one in a tile.
    """
    assert network.is_tile_exact
    network = network.double()
    edges = shape or (2 * network.halo[0] + 4 * network.divisor[0], *tile[1:])
    image = torch.randn(1, network.config.in_channels, *edges, dtype=torch.float64)
    with torch.inference_mode():
        whole = network.forward_cropped(image, [(0, 0)] * len(edges))
        assert whole.shape[2:] == edges
        assert (tiled(network, image, tile=tile) - whole).abs().max() < 1e-12 * whole.abs().max()


def check_reach(network: Network, *, across: int) -> None:
    """What lies beyond the halo changes nothing, and one divisor less would be too little."""
    network, step, halo = make_positive(network), network.divisor[0], network.halo[0]
    start = halo + 2 * step
    image = torch.ones(1, network.config.in_channels, 2 * start + step, across, dtype=torch.float64)
    region = slice(start, start + step)

    def logits(beyond: int) -> Tensor:
        raised = image.clone()
        raised[:, :, : start - beyond] = 2
        raised[:, :, start + step + beyond :] = 2
        with torch.inference_mode():
            return network(raised)[:, :, region]

    with torch.inference_mode():
        expected = network(image)[:, :, region]
    assert torch.equal(logits(halo), expected)
    assert not torch.equal(logits(halo - step), expected)


def measured_radius(network: Network, *, rows: int) -> int:
    """Return how many rows away from 16 in the middle the farthest is that they depend on.

    A maximum hands its gradient to the largest pixel only: look from both sides.
    """
    network = make_positive(network)
    first = (rows - REGION) // 2
    ramp = torch.linspace(1, 2, rows, dtype=torch.float64)
    seen = []
    for image in (ramp, ramp.flip(0)):
        x = image.view(1, 1, -1, 1).repeat(1, 1, 1, network.divisor[1]).requires_grad_()
        network(x)[:, :, first : first + REGION].sum().backward()
        assert x.grad is not None
        seen += x.grad.abs().sum(dim=(0, 1, 3)).nonzero().flatten().tolist()
    return max(first - min(seen), max(seen) - (first + REGION - 1))


def make_positive(network: Network) -> Network:
    """Give all weights a positive value, in double precision: nothing cancels, and a raised pixel wins every maximum.

    For images that are nowhere negative; BatchNorms only add and multiply.
    """
    for parameter in network.parameters():
        parameter.data.abs_().clamp_(min=0.01)
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            module.reset_running_stats()
    return network.double()
