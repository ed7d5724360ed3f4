"""Two processes train one network as one process does: the same steps, the same files, the same end.

This file is also the program of each process: it runs all scenarios, one after the other, and notes what it saw.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch

import napari_unetseg
from napari_unetseg.models import file, library
from napari_unetseg.networks.losses import SegmentationLoss
from napari_unetseg.schema.config import NetworkConfig, Recipe, TargetConfig
from napari_unetseg.schema.errors import InputError, JobError
from napari_unetseg.schema.events import Event, Note, StepDone
from napari_unetseg.tasks import distributed, step, train
from napari_unetseg.tasks.budget import Clock
from napari_unetseg.tasks.distributed import Team
from napari_unetseg.tasks.live import Live

PATHS = [Path(__file__).parents[2], Path(napari_unetseg.__file__).parents[1]]
PROCESSES = 2
COUNT = 7
"""Steps."""


def make_recipe(**changes: Any) -> Recipe:
    """All that two processes could do differently: an odd batch, dropout, and pixels that nobody knows."""
    target = TargetConfig(kind="both")
    network = NetworkConfig(width=4, depth=2, dropout=0.3, out_channels=target.out_channels)
    basis = Recipe(
        network=network,
        target=target,
        batch=3,
        patch=(32, 32),
        steps=COUNT,
        validation=0.25,
        validate_every=0.5,
        ema=0.5,
        precision="float32",
        unlabelled_is_background=False,
    )
    return basis.replace(**changes)


def losses(events: list[Event]) -> list[float]:
    return [event.loss for event in events if isinstance(event, StepDone)]


# --- the program of one of the two processes


def main(rank: int, folder: Path) -> None:
    """Run the scenarios and write down what this process saw."""
    from tests.tasks.conftest import draw_sample

    where = f"file://{folder / 'meeting'}"
    torch.distributed.init_process_group("gloo", init_method=where, rank=rank, world_size=PROCESSES)
    samples = [draw_sample(seed) for seed in range(4)]
    seen: dict[str, Any] = {}

    def run(name: str, recipe: Recipe, **options: Any) -> list[Event]:
        return list(train.run(samples, recipe=recipe, output=folder / f"{name}.safetensors", **options))

    seen["gradients"] = _add_gradients(rank)
    seen["losses"] = losses(run("shared", make_recipe()))
    seen["resumed"] = _stop_and_resume(folder, samples, run)
    seen["steps in time"] = _disagree_on_time(rank, run)
    seen["not finite"] = _spoil_a_step(rank, run)
    seen["refused"] = _refuse(rank, samples, run)
    seen["lost"] = _lose_one(rank, run)
    (folder / f"{rank}.json").write_text(json.dumps(seen))


Start = Callable[..., list[Event]]


def _add_gradients(rank: int) -> list[list[float]]:
    """The first has 1 everywhere, the second 2; what has no gradient gets none."""
    layer = torch.nn.Linear(2, 1)
    layer.register_parameter("unused", torch.nn.Parameter(torch.zeros(1)))
    for value in (layer.weight, layer.bias):
        value.grad = torch.full_like(value, rank + 1.0)
    Team(rank, PROCESSES).add_gradients(layer)
    assert layer.unused.grad is None
    return [layer.weight.grad.flatten().tolist(), layer.bias.grad.tolist()]


def _stop_and_resume(folder: Path, samples: list[Any], run: Start) -> list[str]:
    job = train.run(samples, recipe=make_recipe(), output=folder / "resumed.safetensors")
    next(event for event in job if isinstance(event, StepDone) and event.step == 5)
    job.close()
    return [event.message for event in run("resumed", make_recipe(), resume=True) if isinstance(event, Note)]


def _disagree_on_time(rank: int, run: Start) -> int:
    """The clock of the second process runs ten times as fast."""
    with pytest.MonkeyPatch.context() as patch:
        honest = Clock.seconds.fget
        patch.setattr(Clock, "seconds", property(lambda clock: honest(clock) * (10 if rank else 1)))
        return len(losses(run("minutes", make_recipe(steps=None, minutes=0.01))))


def _spoil_a_step(rank: int, run: Start) -> list[bool]:
    """One loss of the second process is not a number."""
    forward, calls = SegmentationLoss.forward, []

    def poisoned(self: SegmentationLoss, *args: Any) -> torch.Tensor:
        calls.append(rank)
        return forward(self, *args) * (float("nan") if rank and len(calls) == 2 else 1.0)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SegmentationLoss, "forward", poisoned)
        return [bool(np.isfinite(loss)) for loss in losses(run("spoilt", make_recipe()))]


def _refuse(rank: int, samples: list[Any], run: Start) -> list[str]:
    messages = []
    for change, options in (({"batch": 1}, {}), ({}, {"live": Live()}), ({"seed": rank}, {})):
        try:
            run("refused", make_recipe(**change), **options)
        except InputError as error:
            messages.append(str(error))
    return messages


def _lose_one(rank: int, run: Start) -> str:
    """The second process fails in its third step, and ends."""

    def failing(run_: step.Run, **options: Any) -> float:
        if rank and run_.progress.step == 2:
            raise ValueError("the second process fails")
        return step.take_step(run_, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "take_step", failing)
        try:
            run("lost", make_recipe())
        except (ValueError, JobError) as error:
            if rank:
                torch.distributed.destroy_process_group()
            return f"{type(error).__name__}: {error}"
    return "nothing happened"


# --- the tests


def environment() -> dict[str, str]:
    """Return the environment in which processes find the same package, and these tests."""
    path = os.pathsep.join([*map(str, PATHS), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the program above twice, side by side."""
    place = tmp_path_factory.mktemp("two")
    command = [sys.executable, __file__]
    processes = [
        subprocess.Popen([*command, str(rank), str(place)], env=environment(), stderr=subprocess.PIPE)
        for rank in range(PROCESSES)
    ]
    try:
        for process in processes:
            _, errors = process.communicate(timeout=60)
            assert process.returncode == 0, errors.decode()
    finally:
        for process in processes:
            process.kill()
    return place


@pytest.fixture(scope="module")
def seen(folder: Path) -> list[dict[str, Any]]:
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(PROCESSES)]


def weights(path: Path) -> dict[str, np.ndarray]:
    return file.load(path)[1]


def test_gradients_are_added_not_averaged(seen: list[dict[str, Any]]) -> None:
    """AdamW would not notice a factor."""
    assert [one["gradients"] for one in seen] == [[[3.0, 3.0], [3.0]]] * PROCESSES


def test_two_processes_train_what_one_trains(
    samples: list[Any], folder: Path, seen: list[dict[str, Any]], tmp_path: Path
) -> None:
    output = tmp_path / "alone.safetensors"
    alone = losses(list(train.run(samples, recipe=make_recipe(), output=output)))
    assert len(alone) == COUNT
    for one in seen:
        assert one["losses"] == pytest.approx(alone, rel=1e-5)
    wanted, found = weights(output), weights(folder / "shared.safetensors")
    assert list(found) == list(wanted)
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, atol=5e-5, rtol=1e-4, err_msg=name)
    assert file.read_card(folder / "shared.safetensors").network == file.read_card(output).network


def test_a_resumed_run_gives_the_weights_of_an_unbroken_one(folder: Path, seen: list[dict[str, Any]]) -> None:
    for one in seen:
        assert any("resumed at step 4" in message for message in one["resumed"])
    whole = weights(folder / "shared.safetensors")
    for name, value in weights(folder / "resumed.safetensors").items():
        np.testing.assert_array_equal(value, whole[name], err_msg=name)
    assert not library.checkpoint_of(folder / "resumed.safetensors").exists()


def test_the_clock_of_the_first_counts(seen: list[dict[str, Any]]) -> None:
    assert seen[0]["steps in time"] == seen[1]["steps in time"] > 0


def test_a_step_that_is_not_finite_in_one_is_taken_by_none(folder: Path, seen: list[dict[str, Any]]) -> None:
    assert seen[0]["not finite"] == seen[1]["not finite"] == [True, False] + [True] * (COUNT - 2)
    assert all(np.isfinite(value).all() for value in weights(folder / "spoilt.safetensors").values())


def test_what_cannot_be_shared_is_refused(seen: list[dict[str, Any]]) -> None:
    assert "a batch of 1 cannot be shared by 2 processes" in seen[0]["refused"][0]
    assert "for one process" in seen[0]["refused"][1]
    assert "different images, recipes or outputs" in seen[0]["refused"][2]
    assert seen[0]["refused"] == seen[1]["refused"]


def test_when_one_fails_the_other_ends_and_says_why(seen: list[dict[str, Any]]) -> None:
    assert seen[1]["lost"] == "ValueError: the second process fails"
    assert seen[0]["lost"].startswith("JobError: another process of this training has ended")


def test_torchrun_starts_the_command_line(samples: list[Any], tmp_path: Path) -> None:
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    for number, sample in enumerate(samples):
        tifffile.imwrite(tmp_path / "images" / f"{number}.tif", sample.image[0])
        tifffile.imwrite(tmp_path / "labels" / f"{number}.tif", sample.labels)
    start = f"-m torch.distributed.run --standalone --nproc-per-node {PROCESSES} -m napari_unetseg"
    options = "train images labels -o m.safetensors --json --steps 2 --batch 2 --width 4 --depth 1 --patch 32"
    result = subprocess.run(
        [sys.executable, *start.split(), *options.split()],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=environment(),
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["model"] == "m.safetensors"
    assert result.stderr.count("note: held back for validation") == 1
    assert [path.name for path in tmp_path.glob("*.safetensors")] == ["m.safetensors"]


@pytest.mark.parametrize(("batch", "count"), [(4, 1), (4, 2), (5, 3), (7, 4)])
def test_shares_cover_the_batch_once_and_nearly_alike(batch: int, count: int) -> None:
    shares = [Team(rank, count).share(batch) for rank in range(count)]
    covered = [index for share in shares for index in range(batch)[share]]
    assert covered == list(range(batch))
    sizes = [share.stop - share.start for share in shares]
    assert max(sizes) - min(sizes) <= 1


def test_a_process_alone_joins_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "3")  # as some schedulers set it, without the rest
    team = distributed.join(torch.device("cpu"))
    assert team == Team()
    assert not torch.distributed.is_initialized()
    assert team.of_first("same") == "same"


def test_each_process_takes_the_card_of_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[int] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    for name, value in {"RANK": "5", "WORLD_SIZE": "8", "MASTER_ADDR": "node1", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    assert distributed.own_device("auto") == torch.device("cuda", 1)
    assert chosen == [1]
    assert distributed.own_device("cpu") == torch.device("cpu")
    with pytest.raises(InputError, match="each takes its own"):
        distributed.own_device("cuda:1")
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(InputError, match="--nproc-per-node 2"):
        distributed.own_device("auto")


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
