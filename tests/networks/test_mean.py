"""The mean of maps, as logits whose maps are that mean."""

from __future__ import annotations

import pytest
import torch

from napari_unetseg.networks.mean import mean_logits


def test_probabilities_are_averaged_and_distances_clipped_first() -> None:
    """Probabilities 0.8 and 0.4 make 0.6 (the mean of logits would make 0.62), distances 2 and 0.5 make 0.75."""
    passes = [torch.tensor([[0.2, 0.8]]).log(), torch.tensor([[0.6, 0.4]]).log()]
    logits = [
        torch.cat([one, torch.tensor([[distance]])], dim=1) for one, distance in zip(passes, (2, 0.5), strict=True)
    ]
    mean = mean_logits(iter(logits), classes=2)
    torch.testing.assert_close(mean[:, :2].softmax(dim=1), torch.tensor([[0.4, 0.6]]))
    torch.testing.assert_close(mean[:, 2:], torch.tensor([[0.75]]))


def test_one_pass_keeps_its_maps() -> None:
    logits = torch.randn(2, 4, 3, 5)
    mean = mean_logits([logits], classes=3)
    torch.testing.assert_close(mean[:, :3].softmax(dim=1), logits[:, :3].softmax(dim=1))
    torch.testing.assert_close(mean[:, 3:], logits[:, 3:].clamp(0, 1))


def test_sure_networks_stay_finite() -> None:
    mean = mean_logits([torch.tensor([[1e4, -1e4]]), torch.tensor([[-1e4, 1e4]])], classes=2)
    torch.testing.assert_close(mean.softmax(dim=1), torch.tensor([[0.5, 0.5]]))


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_what_is_not_finite_is_not_hidden(broken: float) -> None:
    mean = mean_logits([torch.zeros(1, 3), torch.tensor([[broken, 0.0, 0.0]])], classes=3)
    assert not torch.isfinite(mean.softmax(dim=1)).all()
