"""The forecast grows with the image, says when it does not fit, and is near what is measured."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.tasks.test_blended import model_of
from tests.tasks.test_segment import make_model

from napari_unetseg.images.read import from_array
from napari_unetseg.networks import registry
from napari_unetseg.schema.config import NetworkConfig, TilingConfig
from napari_unetseg.tasks import forecast as task
from napari_unetseg.tasks import layout
from napari_unetseg.tasks.forecast import Pace, calibrate, forecast
from napari_unetseg.tasks.jobs import finish
from napari_unetseg.tasks.model import Model
from napari_unetseg.tasks.predict import Predictor

PACE = Pace(read=1e-6, written=1e-6, decoded=2e-6, device="cpu", precision="float32")


def predictor_of(model: Model) -> Predictor:
    tiling = TilingConfig(device="cpu", precision="float32")
    return Predictor(model.network, target=model.card.target, tiling=tiling)


def ready() -> dict[str, Any]:
    model = make_model()
    return {"model": model, "predictor": predictor_of(model), "pace": PACE}


@pytest.mark.parametrize("ndim", [2, 3])
def test_calibration_measures_a_time_for_each_step(ndim: int, monkeypatch) -> None:
    monkeypatch.setattr(task, "EDGES", {2: (64, 64), 3: (8, 32, 32)})
    model = make_model(ndim=ndim)
    pace = finish(calibrate(predictor_of(model), model=model))
    assert pace.read >= 0
    assert pace.written >= 0
    assert 0 < pace.read + pace.written < 1e-3
    assert pace.decoded > 0
    assert (pace.device, pace.precision) == ("cpu", "float32")


def test_time_is_that_of_the_pixels_read_and_written_in_every_plane() -> None:
    """Two planes of one tile each: 64 * 64 pixels read, written and decoded."""
    result = forecast(from_array(np.zeros((2, 64, 64), np.uint8), axes="ZYX"), **ready())
    assert result.seconds == pytest.approx(2 * 64 * 64 * 4e-6)
    assert result.labels == 4 * 2 * 64 * 64
    assert result.slowdown == 1
    assert (result.fits, result.advice) == (True, "")


def test_planes_cost_time_and_labels_but_no_more_maps() -> None:
    one, many = (
        forecast(from_array(np.zeros((planes, 64, 64), np.uint8), axes="ZYX"), **ready()) for planes in (1, 100)
    )
    assert many.seconds == pytest.approx(100 * one.seconds)
    assert many.memory - one.memory == many.labels - one.labels


def test_small_tiles_read_more_and_it_is_said(monkeypatch) -> None:
    monkeypatch.setattr("napari_unetseg.tasks.device.free_memory", lambda device: 3 * 8 * 4 * 48 * 48)
    result = forecast(from_array(np.zeros((256, 256), np.uint8)), **ready())
    assert result.slowdown > 1.05
    assert "smaller tiles" in result.advice
    assert "%" in result.advice


def test_a_run_corrects_the_pace() -> None:
    twice = PACE.corrected(2)
    assert (twice.read, twice.written, twice.decoded) == (2e-6, 2e-6, 4e-6)
    assert PACE.corrected(1e9).read == pytest.approx(1e-5)


def test_views_cost_time_in_the_network_only() -> None:
    pace = PACE.of_views(4)
    assert (pace.read, pace.written, pace.decoded) == (4e-6, 4e-6, 2e-6)


def test_what_does_not_fit_is_refused_with_advice() -> None:
    result = forecast(from_array(np.zeros((64, 64), np.uint8)), **ready())
    assert not replace(result, available=1000).fits
    assert "choose a smaller region" in replace(result, available=1000).advice


def test_a_terabyte_is_forecast_without_reading_it() -> None:
    class Huge:
        shape, dtype, ndim = (10_000, 10_000, 10_000), np.dtype(np.uint8), 3

        def __getitem__(self, index):
            raise AssertionError("read")

    result = forecast(from_array(Huge(), axes="ZYX"), **ready())
    assert not result.fits
    assert result.labels == 4 * 10**12


def test_blocks_read_more_than_the_image_and_need_no_room_for_labels(monkeypatch) -> None:
    """Four blocks of 64 x 64 look 16 px and the halo beyond their core, where the image goes on."""
    monkeypatch.setattr(layout, "margin_of", lambda _model: 16)
    little = 5 * 2**18
    source = from_array(np.zeros((2, 128, 128), np.uint8), axes="ZYX")
    whole, blocks = (task.forecast_blocks(source, memory=memory, channels=[0], **ready()) for memory in (2**30, little))
    joining = task.JOINING * ready()["pace"].decoded * 2 * 128 * 128
    assert whole.seconds == pytest.approx(forecast(source, **ready()).seconds + joining)
    assert 1.2 * whole.seconds < blocks.seconds < 3 * whole.seconds
    assert (blocks.memory, blocks.labels) == (little, 0)


def test_blended_tiles_are_told_beforehand_with_what_they_change() -> None:
    """DFN (measured: 0.15 %) in tiles of 512 px: of 600 px two are needed, 512 px are one."""
    model = model_of(registry.build(NetworkConfig(architecture="dfn", width=2)))
    known = {"model": model, "predictor": predictor_of(model), "pace": PACE}
    small, large = (forecast(from_array(np.zeros((64, edge), np.uint8)), **known) for edge in (512, 600))
    assert small.advice == ""
    assert "tiles of 512 px that are blended; in a test that gave 0.15 % of the pixels another class" in large.advice
