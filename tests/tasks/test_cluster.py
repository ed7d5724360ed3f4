"""Blocks done by the workers of a local cluster: the same bytes, whatever happens to the workers."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
from tests.tasks.test_segment import make_model

from napari_unetseg.images.results import REPORT
from napari_unetseg.models import file
from napari_unetseg.schema.config import NormalizationConfig, TilingConfig
from napari_unetseg.schema.errors import InputError
from napari_unetseg.tasks import cluster
from napari_unetseg.tasks.batch import segment_files
from napari_unetseg.tasks.jobs import finish
from napari_unetseg.tasks.model import Model, load_model, weights_of

distributed = pytest.importorskip("distributed")
PLANES = 12


@pytest.fixture
def model(tmp_path) -> Model:
    made = make_model()
    file.save(tmp_path / "bright.safetensors", card=made.card, weights=weights_of(made.network))
    return load_model(tmp_path / "bright.safetensors")


@pytest.fixture
def stack(tmp_path) -> Path:
    """Planes with squares at random places."""
    rng = np.random.default_rng(0)
    image = np.full((PLANES, 64, 80), 100, np.uint16)
    for plane in image:
        for y, x in rng.integers(0, 56, (4, 2)):
            plane[y : y + 6, x : x + 7] = 1000
    tifffile.imwrite(tmp_path / "stack.tif", image, metadata={"axes": "ZYX"})
    return tmp_path / "stack.tif"


def run(stack: Path, folder: Path, model: Model, address: str | None = None):
    results = finish(segment_files([stack], folder=folder, model=model, cluster=address, existing="skip"))
    return results[0]


def same(one: Path, other: Path) -> bool:
    names = sorted(path.name for path in one.iterdir() if path.name[0] != "." and path.name != REPORT)
    return len(names) == 2 and all((one / name).read_bytes() == (other / name).read_bytes() for name in names)


def test_blocks_of_a_worker_that_goes_are_done_by_another(tmp_path, stack, model) -> None:
    """One cluster for all three ways, since every worker takes seconds to load torch."""
    assert run(stack, tmp_path / "alone", model).error is None
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as local,
        distributed.Client(local) as client,
    ):
        for way in ("killed", "restarted", "retired"):
            gone = threading.Thread(target=_lose_a_worker, args=(client, tmp_path / way, way))
            gone.start()
            result = run(stack, tmp_path / way, model, local.scheduler_address)
            gone.join()
            assert (way, result.error) == (way, None)
            assert same(tmp_path / "alone", tmp_path / way)


def _lose_a_worker(client, folder: Path, way: str) -> None:
    """Wait for the first block, then take a worker away."""
    for _ in range(600):
        if any(one.read_bytes() for one in folder.glob(".*.work/done.*.jsonl")):
            break
        time.sleep(0.05)
    address = next(iter(client.scheduler_info()["workers"]))
    match way:
        case "killed":
            os.kill(client.run(os.getpid, workers=[address])[address], signal.SIGKILL)
        case "restarted":
            client.restart_workers([address], timeout=20)
        case "retired":
            client.retire_workers([address])


def test_a_block_that_fails_is_named_and_the_others_are_kept(tmp_path, stack, model) -> None:
    """One plane of the file is damaged: all others are done, and stay done."""
    with tifffile.TiffFile(stack) as opened:
        image = opened.asarray()
    tifffile.imwrite(stack, image, compression="zlib", metadata={"axes": "ZYX"})
    with tifffile.TiffFile(stack) as opened:
        offset = opened.pages[5].dataoffsets[0]
    with stack.open("r+b") as opened:
        opened.seek(offset)
        opened.write(b"\0" * 20)
    card = model.card.replace(normalization=NormalizationConfig(scope="plane"))  # else all is read beforehand
    file.save(model.path, card=card, weights=weights_of(model.network))
    result = run(stack, tmp_path / "out", load_model(model.path), "local:2")
    assert "1 block of 12 failed on the cluster (5)" in result.error
    assert "plane 6 of 12 cannot be read" in result.error
    assert len(list((tmp_path / "out").glob(".*.work/0*.npz.zst"))) == PLANES - 1


@pytest.mark.parametrize("address", ["local:0", "local:many", "local:"])
def test_a_wrong_number_of_workers_is_told(address) -> None:
    with pytest.raises(InputError, match="local:N for N workers"):
        cluster._count(address)


def test_a_scheduler_that_does_not_answer_is_told(tmp_path, stack, model, monkeypatch) -> None:
    monkeypatch.setattr(cluster, "PATIENCE", 0.5)
    result = run(stack, tmp_path / "out", model, "tcp://127.0.0.1:9")
    assert "no scheduler answers there" in result.error


@pytest.mark.parametrize(
    ("device", "cards", "name", "expected"),
    [
        ("auto", 4, 5, "cuda:1"),
        ("cuda", 2, 0, "cuda:0"),
        ("auto", 1, 3, "auto"),
        ("auto", 0, 3, "auto"),
        ("cpu", 4, 1, "cpu"),
        ("cuda:2", 4, 1, "cuda:2"),
        ("auto", 4, "SLURMCluster-0", "auto"),
    ],
)
def test_each_worker_takes_a_card_of_its_own(monkeypatch, device, cards, name, expected) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: cards)
    monkeypatch.setattr(distributed, "get_worker", lambda: SimpleNamespace(name=name))
    assert cluster._on_own_card(TilingConfig(device=device)).device == expected


def test_one_cluster_serves_all_images_of_a_batch(tmp_path, stack, model, monkeypatch) -> None:
    """Images of one block too: the workers may have graphics cards that this computer lacks."""
    image = tifffile.imread(stack)
    for name in ("a.tif", "b.tif"):
        tifffile.imwrite(tmp_path / name, image[0])
    begun, really = [], cluster._client

    def client(address):
        begun.append(address)
        return really(address)

    monkeypatch.setattr(cluster, "_client", client)
    paths = [tmp_path / "a.tif", tmp_path / "b.tif"]
    done = []
    monkeypatch.setattr("napari_unetseg.tasks.blockwise.predict_blocks", lambda *_a, **_k: done.append(1))
    results = finish(segment_files(paths, folder=tmp_path / "out", model=model, cluster="local:1", existing="skip"))
    assert [result.error for result in results] == [None, None]
    assert begun == ["local:1"]
    assert not done  # nothing was predicted in this process
