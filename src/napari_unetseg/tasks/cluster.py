"""Blocks on the workers of a dask cluster, which share the file system: each reads its part and keeps what it finds.

A worker that dies costs the block it was at: dask gives that to another one. A block that has taken three workers of a
local cluster with it (elsewhere the scheduler's settings decide) is left out, named at the end, and done by the next
run with --resume.
"""

from __future__ import annotations

import importlib.util
import os
import threading
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from napari_unetseg.images.read import open_image
from napari_unetseg.schema.config import TilingConfig
from napari_unetseg.schema.decoding import DecodingConfig
from napari_unetseg.schema.errors import InputError, JobError
from napari_unetseg.schema.events import Event, TileDone
from napari_unetseg.schema.words import counted
from napari_unetseg.tasks import blockwise
from napari_unetseg.tasks.blockwise import Contrast, Job
from napari_unetseg.tasks.jobs import finish
from napari_unetseg.tasks.layout import Layout, lay_out
from napari_unetseg.tasks.model import load_model
from napari_unetseg.tasks.ready import predictor_of
from napari_unetseg.tasks.scaled import scaled
from napari_unetseg.tasks.volumes import model_for
from napari_unetseg.tasks.work import Work

LOCAL = "local:"
PATIENCE = 20.0  # seconds to wait for the scheduler
WAIT = 0.5  # seconds between two signs of life
DEATHS = 3
"""Workers that a block may take with it."""


@dataclass(frozen=True)
class _Order:
    """What a worker needs to do blocks of an image; frozen and small, as it travels with every block."""

    image: Path
    axes: str
    model: Path
    channels: tuple[int, ...]
    decoding: DecodingConfig
    tiling: TilingConfig
    memory: int
    folder: Path
    blocks: tuple[int, ...]
    plan: str
    threads: int | None


class Cluster:
    """The workers at an address, met when there is work for them; "local:4" starts four on this computer."""

    def __init__(self, address: str) -> None:
        check_address(address)
        self.address = address
        self._open = ExitStack()
        self._client: Any = None

    @property
    def client(self) -> Any:
        """The connection to the workers, the same for all images."""
        if self._client is None:
            self._client = self._open.enter_context(_client(self.address))
        return self._client

    def close(self) -> None:
        """Leave nothing running behind."""
        self._client = None
        self._open.close()


def compute(job: Job, *, work: Work, layout: Layout, cluster: Cluster) -> Generator[Event, None, None]:
    """Have the workers do the blocks that are missing.

    Raises `JobError` once all others are done if blocks failed.
    """
    todo = blockwise.missing(work, layout)
    if not todo:
        return
    before, tiles = 0, blockwise.tiles_of(job, layout, todo)
    total = tiles + blockwise.joining_steps(tiles)
    yield from blockwise.measure_contrast(job, work=work, layout=layout)
    failed: list[tuple[int, BaseException]] = []
    client, order = cluster.client, _order(job, work=work, layout=layout, address=cluster.address)
    waiting = {client.submit(_do, order, number, pure=False): number for number in todo}
    lost: dict[int, int] = {}
    try:
        while waiting:
            yield TileDone(before, total, job.source.name)
            for future in _finished(list(waiting)):
                number = waiting.pop(future)
                if future.status == "finished":
                    before += job.tiles_of(layout.at(number)[1])
                elif future.status == "error" or lost.get(number, 0) == DEATHS:
                    failed.append((number, future.exception() or JobError(f"it was {future.status}")))
                else:  # its worker was restarted by somebody
                    lost[number] = lost.get(number, 0) + 1
                    waiting[client.submit(_do, order, number, pure=False)] = number
    finally:
        client.cancel(list(waiting))
    work.reread()
    left = blockwise.missing(work, layout)
    if left and not failed:
        raise JobError(
            f"{job.source.name}: {counted(len(left), 'block')} that the cluster has done are not in {work.folder}; "
            "do all workers see that folder? Restart them, and go on with --resume"
        )
    if failed:
        numbers = ", ".join(str(number) for number, _ in sorted(failed, key=lambda one: one[0])[:10])
        raise JobError(
            f"{job.source.name}: {counted(len(failed), 'block')} of {len(layout)} failed on the cluster ({numbers}): "
            f"{failed[0][1]}; the others are kept, go on with --resume"
        )


def _order(job: Job, *, work: Work, layout: Layout, address: str) -> _Order:
    if job.source.path is None:
        raise InputError(f"{job.source.name}: a cluster reads files, this image is in memory; save it first")
    threads = max(1, (os.cpu_count() or 1) // _count(address)) if address.startswith(LOCAL) else None
    return _Order(
        image=job.source.path.resolve(),
        axes=job.source.axes.letters,
        model=job.model.path.resolve(),
        channels=tuple(job.channels),
        decoding=job.decoding,
        # what "auto" means here, lest workers of different make disagree
        tiling=job.predictor.tiling.replace(precision=str(job.predictor.dtype).removeprefix("torch.")),
        memory=job.memory,
        folder=work.folder.resolve(),
        blocks=layout.counts,
        plan=work.plan,
        threads=threads,
    )


@contextmanager
def _client(address: str) -> Iterator[Any]:
    """Connect to a cluster, or start workers here."""
    import dask
    import distributed

    dask_client: Any = distributed.Client  # untyped
    dask_cluster: Any = distributed.LocalCluster
    dask.config.set({"distributed.scheduler.allowed-failures": DEATHS - 1})
    if not address.startswith(LOCAL):
        try:
            client = dask_client(address, timeout=PATIENCE)
        except (OSError, ValueError) as error:
            raise InputError(f"--cluster {address}: no scheduler answers there ({error}); check the address") from error
        with client:
            yield client
        return
    with (
        dask_cluster(n_workers=_count(address), threads_per_worker=1, dashboard_address=None) as cluster,
        dask_client(cluster) as client,
    ):
        yield client


def check_address(address: str) -> None:
    """Refuse at once what cannot be a cluster."""
    if address.startswith(LOCAL):
        _count(address)
    if importlib.util.find_spec("distributed") is None:
        raise InputError("--cluster needs dask.distributed: pip install distributed")


def _count(address: str) -> int:
    text = address.removeprefix(LOCAL)
    if not (text.isascii() and text.isdigit() and int(text)):
        raise InputError(f"--cluster takes the address of a dask scheduler, or local:N for N workers; got '{address}'")
    return int(text)


def _finished(futures: Sequence[Any]) -> list[Any]:
    """Return the futures that have ended, after waiting a moment for the first."""
    import distributed

    wait: Any = distributed.wait  # untyped
    try:
        return list(wait(futures, timeout=WAIT, return_when="FIRST_COMPLETED").done)
    except TimeoutError:
        return []
    except CancelledError:
        return [future for future in futures if future.status != "pending"]


_one_at_a_time = threading.Lock()
"""A worker may have many threads; memory and network are for one block."""


def _do(order: _Order, number: int) -> int:
    """Do one block; runs on a worker."""
    with _one_at_a_time:
        job, work, layout, contrast = _open(order)
        finish(blockwise.predict_blocks(job, work=work, layout=layout, todo=[number], contrast=contrast, total=1))
    return number


@lru_cache(maxsize=1)
def _open(order: _Order) -> tuple[Job, Work, Layout, Contrast]:
    """Open image, model and folder once in each worker; another plan is another order."""
    if order.threads is not None:
        import torch

        torch.set_num_threads(order.threads)
    source = open_image(order.image, axes=order.axes)
    model = model_for(source, model=load_model(order.model), decoding=order.decoding)
    tiles = predictor_of(model, decoding=order.decoding, tiling=_on_own_card(order.tiling))
    predictor = scaled(tiles, model=model, decoding=order.decoding)
    job = Job(source, model, predictor, order.decoding, order.channels, order.memory)
    work = Work.of(order.folder)
    layout = lay_out(
        source,
        model=model,
        channels=order.channels,
        memory=order.memory,
        counts=order.blocks,
        diameter=work.diameter,
        tiling=order.tiling,
    )
    contrast = finish(blockwise.measure_contrast(job, work=work, layout=layout))
    return job, work, layout, contrast


def _on_own_card(tiling: TilingConfig) -> TilingConfig:
    """Give each worker of a computer with several graphics cards one of its own, by the workers' numbers."""
    import torch
    from distributed import get_worker

    cards, name = torch.cuda.device_count(), str(get_worker().name)
    if tiling.device not in ("auto", "cuda") or cards < 2 or not name.isdecimal():
        return tiling
    return tiling.replace(device=f"cuda:{int(name) % cards}")
