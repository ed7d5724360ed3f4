"""Mirrored indices against numpy's 'reflect'."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_unetseg.networks.mirror import mirror


def test_indices_drawn_in_the_docstring() -> None:
    assert mirror(torch.arange(-3, 7), size=4).tolist() == [3, 2, 1, 0, 1, 2, 3, 2, 1, 0]


@pytest.mark.parametrize(("size", "pad"), [(2, 5), (3, 1), (5, 4), (7, 30)])
def test_equals_numpy_reflect(size: int, pad: int) -> None:
    expected = np.pad(np.arange(size), pad, mode="reflect")
    assert mirror(torch.arange(-pad, size + pad), size=size).tolist() == expected.tolist()


def test_a_single_sample_is_repeated() -> None:
    assert mirror(torch.tensor([-2, 0, 3]), size=1).tolist() == [0, 0, 0]
