"""Fixtures of the docks' tests; none is collected where no window can be opened."""

from __future__ import annotations

import os

import pytest
from tests.qtguard import MISSING

collect_ignore_glob = ["test_*.py"] if MISSING else []


@pytest.fixture(autouse=True)
def _own_model_folder(tmp_path, monkeypatch):
    """Keep the user's own models, and those of other tests, out of every test."""
    monkeypatch.setenv("UNETSEG_MODELS", str(tmp_path / "models"))
    from napari_unetseg.widgets import _models  # here: where there is no Qt, this file is read all the same

    monkeypatch.setattr(_models._news, "latest", None)


def pytest_collection_modifyitems(items):
    if os.environ.get("QT_QPA_PLATFORM") != "offscreen":
        return
    for item in items:
        if item.get_closest_marker("screen"):
            item.add_marker(pytest.mark.skip(reason="needs an X screen; run under xvfb-run"))
