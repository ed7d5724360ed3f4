"""FANet: published parameter counts, and attention that is linear in the pixels."""

from __future__ import annotations

import pytest
import torch
from tests.networks.overfit import overfit
from tests.networks.promises import check_promises, lively, parameters
from torch.nn.functional import normalize

from napari_unetseg.networks.fanet import FANet, FastAttention, attend
from napari_unetseg.networks.registry import build
from napari_unetseg.schema.config import NetworkConfig

UNREAD = (9 * 512 * 128 + 256) + (9 * 128 * 128 + 256) + (64 * 32 + 64)
"""Parameters of the authors' program that nothing reads: two smoothings, and what would enlarge the finest map."""


@pytest.mark.parametrize(
    ("encoder", "channels", "classes", "count"),
    [
        ("resnet18", 3, 19, 13_820_032),
        ("resnet34", 3, 19, 23_928_192),
        ("resnet18", 1, 2, 13_815_168 - 2 * 3_136 + 2 * 256),
    ],
)
def test_published_parameters(encoder: str, channels: int, classes: int, count: int) -> None:
    settings = {"encoder": encoder}
    have = parameters(architecture="fanet", width=64, in_channels=channels, out_channels=classes, settings=settings)
    assert have + UNREAD == count


def test_promises() -> None:
    network = lively(architecture="fanet")
    check_promises(network, edges=(128, 128))


def test_stages_halve_once_more_and_the_logits_come_from_stride_8() -> None:
    network = lively(architecture="fanet")
    assert isinstance(network, FANet)
    assert [128 // one.shape[-1] for one in network.encoder(torch.zeros(1, 1, 128, 128))] == [8, 16, 32, 64]
    sizes = []
    network.head.register_forward_hook(lambda _, inputs, __: sizes.append(tuple(inputs[0].shape[2:])))
    network(torch.zeros(1, 1, 128, 64))
    assert sizes == [(16, 8)]


def test_attention_is_that_of_all_pairs_of_pixels() -> None:
    query, key, value = torch.randn(2, 4, 35), torch.randn(2, 4, 35), torch.randn(2, 6, 35)
    query, key = normalize(query, dim=1), normalize(key, dim=1)
    alike = query.transpose(1, 2) @ key  # (N, n, n), cosines
    pairwise = (alike @ value.transpose(1, 2)).transpose(1, 2) / 35
    assert torch.allclose(attend(query, key, value), pairwise, atol=1e-5)


def test_attention_does_not_depend_on_the_size_of_the_image() -> None:
    """An image beside a copy of itself: every pixel finds the same mean."""
    attention = FastAttention(4, keys=2).eval()
    x = torch.randn(1, 4, 3, 5)
    with torch.inference_mode():
        assert torch.allclose(attention(torch.cat([x, x], dim=3))[..., :5], attention(x), atol=1e-5)


def test_attention_never_holds_a_number_for_a_pair_of_pixels() -> None:
    """On 65,536 pixels all pairs would take 16 GiB; the largest result has the size of the input."""
    largest = 0

    class Watch(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            nonlocal largest
            result = function(*args, **(kwargs or {}))
            largest = max(largest, result.numel() if isinstance(result, torch.Tensor) else 0)
            return result

    with torch.device("meta"):
        query, value = torch.zeros(1, 2, 256 * 256), torch.zeros(1, 4, 256 * 256)
        with Watch():
            attend(query, query, value)
    assert largest == value.numel()


def test_overfits_one_image() -> None:
    torch.manual_seed(0)
    assert overfit(build(NetworkConfig(architecture="fanet", width=4, out_channels=2)), steps=100) > 0.95
