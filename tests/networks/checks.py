"""What every architecture promises, as checks for the tests of each."""

from __future__ import annotations

import torch
from tests.networks.test_unet import tiled
from torch import nn
from torch.testing import assert_close

from napari_unetseg.networks.fold import fold_batch_norm
from napari_unetseg.networks.network import Network
from napari_unetseg.networks.registry import build
from napari_unetseg.schema.config import NetworkConfig


def lively(name: str, *, width: int = 2, **settings: object) -> Network:
    """A narrow network in evaluation mode, nothing in which is 0 or 1 as in a fresh one."""
    torch.manual_seed(0)
    config = {"architecture": name, "width": width, "out_channels": 3, **settings}
    network = build(NetworkConfig.model_validate(config))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.1)
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.8, 1.2)
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and not module.weight.any():
            nn.init.normal_(module.weight)
    return network.eval()


def parameters(name: str, *, width: int, inputs: int, outputs: int) -> int:
    """Number of parameters, without memory for them."""
    config = NetworkConfig(architecture=name, width=width, in_channels=inputs, out_channels=outputs)
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in build(config).parameters())


def check_promises(network: Network, *, edge: int) -> None:
    """Look at what holds for all: of an image with edges `edge`, a multiple of the divisor."""
    x = torch.randn(3, network.config.in_channels, edge, edge)
    with torch.no_grad():
        together = network.double()(x.double())
        assert together.shape == (3, network.config.out_channels, edge, edge)
        assert_close(network(x[1:2].double()), together[1:2], rtol=0, atol=1e-9 * float(together.abs().max()))
        folded = fold_batch_norm(network)
        assert_close(folded(x.double()), together, rtol=0, atol=1e-9 * float(together.abs().max()))
        network.float()
        check_state(network, x[:1])
        check_low_precision(network, x[:2])
    check_gradients(network, x[: max(2, network.least_batch)])


def check_state(network: Network, x: torch.Tensor) -> None:
    """The state makes another network of that name the same; only the counters of BatchNorm are integers."""
    state = network.state_dict()
    assert all(value.is_floating_point() for name, value in state.items() if not name.endswith("num_batches_tracked"))
    other = build(network.config).eval()
    other.load_state_dict(state)
    assert_close(other(x), network(x))


def check_low_precision(network: Network, x: torch.Tensor) -> None:
    """Channels-last maps in and out, and the two ways into bfloat16: autocast and converted weights."""
    expected = network(x)
    x = x.contiguous(memory_format=torch.channels_last)
    assert_close(network(x), expected, rtol=0, atol=1e-4 * float(expected.abs().max()))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low = network(x)
    converted = build(network.config).eval()
    converted.load_state_dict(network.state_dict())
    half = converted.to(torch.bfloat16)(x.to(torch.bfloat16))
    for logits in (low, half):
        assert logits.dtype == torch.bfloat16
        assert logits.isfinite().all()
        assert (logits.float() - expected).abs().mean() < 0.1 * expected.abs().max()


def check_gradients(network: Network, x: torch.Tensor) -> None:
    """Every parameter has a finite gradient, in float32 and under autocast."""
    for dtype in (torch.float32, torch.bfloat16):
        network.zero_grad()
        with torch.autocast("cpu", dtype=dtype, enabled=dtype is torch.bfloat16):
            heads = network.train().forward_heads(x)
        logits = (heads.logits, *heads.deep, *heads.border)
        assert all(one.shape[2:] == x.shape[2:] for one in logits)
        sum(one.float().square().mean() for one in logits).backward()
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
    network.eval()


def check_tiles(network: Network, *, across: int, tile: tuple[int, int]) -> None:
    """Tiles give the logits of the whole image, `across` wide and so high that inner tiles do not see its ends.

    In double precision: of two values that differ in the last digit, the higher one may be the other one in a tile.
    """
    assert network.is_tile_exact
    network, step, halo = network.double(), network.divisor[0], network.halo[0]
    image = torch.randn(1, network.config.in_channels, 2 * halo + 4 * step, across, dtype=torch.float64)
    with torch.inference_mode():
        whole = network(image)
        assert_close(tiled(network, image, tile=tile), whole, rtol=0, atol=1e-9 * float(whole.abs().max()))


def check_reach(network: Network, *, across: int) -> None:
    """What lies beyond the halo changes nothing, and one divisor less would be too little.

    All weights positive and inputs flat: nothing cancels, and a raised pixel wins every maximum it is in.
    """
    network, step, halo = network.double(), network.divisor[0], network.halo[0]
    for parameter in network.parameters():
        parameter.data.abs_().clamp_(min=0.01)
    start = halo + 2 * step
    image = torch.ones(1, network.config.in_channels, 2 * start + step, across, dtype=torch.float64)
    region = slice(start, start + step)

    def logits(beyond: int) -> torch.Tensor:
        raised = image.clone()
        raised[:, :, : start - beyond] = 2
        raised[:, :, start + step + beyond :] = 2
        with torch.inference_mode():
            return network(raised)[:, :, region]

    with torch.inference_mode():
        expected = network(image)[:, :, region]
    assert torch.equal(logits(halo), expected)
    assert not torch.equal(logits(halo - step), expected)
