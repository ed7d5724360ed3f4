"""Tiled equals untiled, also after running out of memory; damaged numbers never pass."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_unetseg.images.tiles import volume
from napari_unetseg.networks import registry
from napari_unetseg.networks.network import Network
from napari_unetseg.schema.config import NetworkConfig, TargetConfig, TilingConfig
from napari_unetseg.schema.errors import InputError, JobError
from napari_unetseg.schema.events import TileDone
from napari_unetseg.tasks.jobs import finish
from napari_unetseg.tasks.predict import Predictor

TARGET = TargetConfig(kind="both")


def make_network(*, ndim: int = 2, depth: int = 2, **options: object) -> Network:
    """A small random network whose BatchNorm has seen data, so that folding it matters.

    Its logits are made small, as a trained network's are: those of a random one enlarge the rounding of float32.
    """
    torch.manual_seed(1)
    config = NetworkConfig.model_validate({"ndim": ndim, "width": 4, "depth": depth, "out_channels": 4, **options})
    network = registry.build(config)
    if config.padding == "same":
        for _ in range(30):
            network.train()(torch.randn(2, 1, *(32,) * ndim))
    with torch.no_grad():
        network.head.weight.mul_(0.05)
    return network.eval()


def predict(network: Network, image: np.ndarray, **tiling: object) -> np.ndarray:
    settings = TilingConfig.model_validate({"device": "cpu", "precision": "float32", **tiling})
    return drain(Predictor(network, target=TARGET, tiling=settings), image)


def drain(predictor: Predictor, image: np.ndarray) -> np.ndarray:
    return finish(predictor.predict(image))


def image_of(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(1, *shape)).astype(np.float32)


@pytest.mark.parametrize("tile", [16, 32, 48, 112])
@pytest.mark.parametrize("batch", [1, 3])
def test_tiled_equals_untiled_2d(tile: int, batch: int) -> None:
    network, image = make_network(), image_of(103, 71)
    whole = predict(network, image, tile=256)
    np.testing.assert_allclose(predict(network, image, tile=tile, batch=batch), whole, atol=1e-6)
    assert whole.shape == (4, 103, 71)
    np.testing.assert_allclose(whole[:3].sum(axis=0), 1, atol=1e-5)


@pytest.mark.parametrize("options", [{}, {"flat_levels": 1}])
def test_tiled_equals_untiled_3d(options: dict[str, int]) -> None:
    network, image = make_network(ndim=3, **options), image_of(21, 45, 38)
    whole = predict(network, image, tile=64)
    np.testing.assert_allclose(predict(network, image, tile=16), whole, atol=1e-6)


def test_tiled_equals_untiled_for_the_unpadded_network() -> None:
    network, image = make_network(padding="valid", norm="none"), image_of(75, 90)
    whole = predict(network, image, tile=256)
    np.testing.assert_allclose(predict(network, image, tile=32), whole, atol=1e-6)


def test_untiled_is_the_plain_forward_pass() -> None:
    network, image = make_network(), image_of(64, 48)
    with torch.inference_mode():
        logits = network(torch.from_numpy(image[None]))[0]
    found = predict(network, image)
    assert np.ptp(found[1]) > 0.05  # or there would be nothing to compare
    np.testing.assert_allclose(found[:3], logits[:3].softmax(dim=0), atol=1e-6)
    np.testing.assert_allclose(found[3], logits[3].clamp(0, 1), atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (17, 16)])
def test_tiny_images_are_extended_and_cropped(shape: tuple[int, int]) -> None:
    found = predict(make_network(), image_of(*shape))
    assert found.shape == (4, *shape)
    assert np.isfinite(found).all()


def test_progress_counts_every_tile() -> None:
    predictor = Predictor(make_network(), target=TARGET, tiling=TilingConfig(device="cpu", tile=32, batch=2))
    events = list(predictor.predict(image_of(64, 96)))
    assert events[-1] == TileDone(6, 6)
    assert [event.done for event in events] == sorted({event.done for event in events})


def limited(network: Network, *, pixels: int) -> Callable[..., torch.Tensor]:
    """A forward pass on a device whose memory holds `pixels` pixels."""
    forward = network.forward_cropped

    def run(x: torch.Tensor, halos: object) -> torch.Tensor:
        if x.shape[0] * x.shape[2] * x.shape[3] > pixels:
            raise torch.OutOfMemoryError("out of memory (simulated)")
        return forward(x, halos)

    return run


@pytest.mark.parametrize("pixels", [20_000, 6_000, 3_500])
def test_out_of_memory_gives_the_same_probabilities(pixels: int) -> None:
    network, image = make_network(), image_of(100, 130)
    whole = predict(network, image, tile=256)
    predictor = Predictor(
        network, target=TARGET, tiling=TilingConfig(device="cpu", precision="float32", tile=64, batch=4)
    )
    predictor._network.forward_cropped = limited(predictor._network, pixels=pixels)
    np.testing.assert_allclose(drain(predictor, image), whole, atol=1e-6)


def test_out_of_memory_to_the_end_is_one_clear_error() -> None:
    predictor = Predictor(make_network(), target=TARGET, tiling=TilingConfig(device="cpu"))
    predictor._network.forward_cropped = limited(predictor._network, pixels=0)
    with pytest.raises(JobError, match="out of memory"):
        drain(predictor, image_of(40, 40))


def test_other_failures_are_raised_once_and_not_retried() -> None:
    calls = []

    def fail(x: torch.Tensor, halos: object) -> torch.Tensor:
        calls.append(x.shape)
        raise RuntimeError("cuDNN error")

    predictor = Predictor(make_network(), target=TARGET, tiling=TilingConfig(device="cpu"))
    predictor._network.forward_cropped = fail
    with pytest.raises(RuntimeError, match="cuDNN"):
        drain(predictor, image_of(40, 40))
    assert len(calls) == 1


def test_numbers_that_are_not_finite_never_become_labels() -> None:
    network = make_network()
    with torch.no_grad():
        network.head.bias[0] = float("nan")
    with pytest.raises(JobError, match="not finite"):
        predict(network, image_of(32, 32))


def test_overflow_in_bfloat16_is_repeated_in_float32() -> None:
    network, image = make_network(), image_of(32, 32)
    predictor = Predictor(network, target=TARGET, tiling=TilingConfig(device="cpu", precision="bfloat16"))
    real = predictor._network.forward_cropped
    predictor._network.forward_cropped = lambda x, halos: real(x, halos) * float("inf")
    np.testing.assert_allclose(drain(predictor, image), predict(network, image), atol=1e-6)


def test_bfloat16_stays_near_float32() -> None:
    network, image = make_network(), image_of(64, 64)
    difference = np.abs(predict(network, image, precision="bfloat16") - predict(network, image))
    assert 0 < difference.max() < 0.1


@pytest.mark.parametrize("shape", [(2, 32, 32), (1, 8, 32, 32), (32, 32)])
def test_images_the_network_cannot_read_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="the model reads 1 channel"):
        drain(Predictor(make_network(), target=TARGET), np.zeros(shape, np.float32))


def test_a_tile_that_is_no_multiple_names_the_next() -> None:
    with pytest.raises(InputError, match="multiple of 4, got 250; use 252"):
        predict(make_network(), image_of(300, 300), tile=250)


def test_the_image_and_the_network_stay_as_they_are() -> None:
    network, image = make_network(), image_of(40, 40)
    image.flags.writeable = False
    before = {name: value.clone() for name, value in network.state_dict().items()}
    predict(network, image)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@contextmanager
def two_threads() -> Iterator[None]:
    """Two threads of torch for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("ndim", "shape"), [(2, (103, 71)), (3, (20, 36, 40))])
def test_tiles_side_by_side_give_the_same(ndim: int, shape: tuple[int, ...]) -> None:
    predictor = Predictor(make_network(ndim=ndim), target=TARGET, tiling=TilingConfig(device="cpu", tile=16))
    image = image_of(*shape)
    alone = finish(predictor.predict(image, plan=replace(predictor.plan(shape), at_once=1)))
    with two_threads():
        plan = predictor.plan(shape)
        assert plan.at_once == 2
        together = predictor.predict(image, plan=plan)
        done = [next(together).done for _ in plan.tiles]
        assert done == list(range(1, len(plan.tiles) + 1))
        np.testing.assert_allclose(finish(together), alone, atol=1e-2 if predictor.dtype is torch.bfloat16 else 1e-6)


def test_as_many_tiles_at_once_as_there_is_memory_for() -> None:
    predictor = Predictor(make_network(), target=TARGET, tiling=TilingConfig(device="cpu"))
    shape = (2048, 2048)
    with two_threads():
        assert predictor.plan(shape).at_once == 2
        assert predictor.plan((64, 64)).at_once == 1
        ample = predictor.plan(shape, budget=2**40)
        need = max(volume(tile.read) for tile in ample.tiles) * predictor.bytes_per_pixel()
        for budget, expected in ((2 * need, 2), (1.9 * need, 1), (need, 1)):
            plan = predictor.plan(shape, budget=int(budget) + 1)
            assert (plan.tiles, plan.at_once) == (ample.tiles, expected)


def test_memory_for_one_tile_at_a_time_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = Predictor(make_network(), target=TARGET, tiling=TilingConfig(device="cpu", tile=32))
    image, running = image_of(128, 128), threading.Semaphore(1)
    really = predictor._forward

    def forward(batch: np.ndarray, *, halos: object) -> np.ndarray:
        if not running.acquire(blocking=False):
            raise MemoryError
        try:
            time.sleep(0.01)
            return really(batch, halos=halos)  # type: ignore[arg-type]
        finally:
            running.release()

    monkeypatch.setattr(predictor, "_forward", forward)
    with two_threads():
        plan = predictor.plan((128, 128))
        job = predictor.predict(image, plan=plan)
        assert [next(job).done for _ in plan.tiles] == list(range(1, 17))
        maps = finish(job)
    assert predictor.limit is None
    monkeypatch.undo()
    np.testing.assert_allclose(maps, finish(predictor.predict(image, plan=replace(plan, at_once=1))), atol=1e-2)
