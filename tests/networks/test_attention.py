"""Attention gates: weights between 0 and 1, one a pixel."""

from __future__ import annotations

import pytest
import torch

from napari_unetseg.networks.attention import AttentionGate


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_gate_weighs_each_pixel_of_the_skip(ndim: int) -> None:
    torch.manual_seed(0)
    gate = AttentionGate(4, ndim=ndim)
    skip, up = torch.rand(2, 4, *[6] * ndim) + 1, torch.randn(2, 4, *[6] * ndim)
    with torch.inference_mode():
        weights = gate(skip, up) / skip
    assert ((weights > 0) & (weights < 1)).all()
    assert torch.allclose(weights, weights[:, :1].expand_as(weights), atol=1e-6)
    assert weights.std() > 0.01


def test_an_open_and_a_closed_gate() -> None:
    gate, skip, up = AttentionGate(2, ndim=2), torch.randn(1, 2, 3, 3), torch.randn(1, 2, 3, 3)
    with torch.inference_mode():
        gate.weigh[0].weight.zero_()
        gate.weigh[0].bias.fill_(50)
        assert torch.allclose(gate(skip, up), skip)
        gate.weigh[0].bias.fill_(-50)
        assert gate(skip, up).abs().max() < 1e-6


def test_a_weight_depends_on_its_pixel_alone() -> None:
    torch.manual_seed(1)
    gate, skip, up = AttentionGate(8, ndim=2), torch.randn(1, 8, 5, 5), torch.randn(1, 8, 5, 5)
    with torch.inference_mode():
        before = gate(skip, up)
        up[..., 2, 3] += 1
        changed = (gate(skip, up) != before).any(dim=1)[0]
    assert changed.nonzero().tolist() == [[2, 3]]


def test_hand_computed() -> None:
    """One channel: the weight is sigmoid(3 relu(2 skip - up + 1) - 4)."""
    gate = AttentionGate(1, ndim=2)
    with torch.inference_mode():
        for layer, weight, bias in ((gate.of_skip, 2, None), (gate.of_up, -1, 1), (gate.weigh[0], 3, -4)):
            layer.weight.fill_(weight)
            if bias is not None:
                layer.bias.fill_(bias)
        found = gate(torch.full((1, 1, 1, 1), 0.5), torch.full((1, 1, 1, 1), 0.8))
    assert found.item() == pytest.approx(0.5 * torch.sigmoid(torch.tensor(3 * 1.2 - 4)).item())
