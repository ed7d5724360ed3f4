"""What `torchrun` says is taken; less than that means alone."""

from __future__ import annotations

import pytest

from napari_unetseg.tasks.launch import Launch, launch

NAMES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "LOCAL_RANK")


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def test_without_torchrun_a_process_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert launch() == Launch(0, 1, 0)
    monkeypatch.setenv("RANK", "2")
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert launch() == Launch(0, 1, 0)


def test_numbers_are_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in zip(NAMES, ("5", "8", "node1", "1"), strict=True):
        monkeypatch.setenv(name, value)
    assert launch() == Launch(5, 8, 1)
