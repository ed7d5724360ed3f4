"""Several processes train one network together: each takes its share of every batch, the first keeps the files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
from torch import Tensor, distributed

from napari_unetseg.networks import synchronise
from napari_unetseg.networks.network import Network
from napari_unetseg.schema.errors import InputError, JobError
from napari_unetseg.tasks import device as devices
from napari_unetseg.tasks.launch import launch

Value = TypeVar("Value")
WAIT = timedelta(hours=2)  # of the others, while the first scores; if it dies, torchrun ends them


@dataclass(frozen=True, slots=True)
class Team:
    """The processes that train together, as number `rank` of `count` sees them; by default it is alone.

    All of them hold the same weights and take the same steps; what differs is the patches they look at.
    """

    rank: int = 0
    count: int = 1
    has_own_group: bool = False

    @property
    def is_first(self) -> bool:
        """Whether this process scores and writes files."""
        return self.rank == 0

    def share(self, batch: int) -> slice:
        """Return which patches of a batch are this process's; where it does not divide, some take one more."""
        if batch < self.count:
            raise InputError(
                f"a batch of {batch} cannot be shared by {self.count} processes; "
                f"use --batch {self.count} or larger, or fewer processes"
            )
        return slice(self.rank * batch // self.count, (self.rank + 1) * batch // self.count)

    def synchronise(self, network: Network, *, batch: int) -> None:
        """Make the layers of `network` that look at the batch look at that of all processes."""
        if self.count > 1:
            synchronise.synchronise(network, share=self.share(batch), batch=batch)

    def total(self, value: Tensor) -> Tensor:
        """Return the sum of `value` over all processes, with the gradient of the own part."""
        return synchronise.total(value) if self.count > 1 else value

    def add_gradients(self, network: torch.nn.Module) -> None:
        """Give every process the gradients of the whole batch."""
        if self.count == 1:
            return
        gradients = [value.grad for value in network.parameters() if value.grad is not None]
        together = torch.cat([gradient.reshape(-1) for gradient in gradients])
        distributed.all_reduce(together)
        parts = torch.split(together, [gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def of_first(self, value: Value) -> Value:
        """Return the first process's `value` in all of them, which wait for it."""
        if self.count == 1:
            return value
        values = [value]
        distributed.broadcast_object_list(values, src=0)
        return values[0]

    def check_same(self, facts: tuple[str, ...]) -> None:
        """Refuse, in all processes, to train together on different things."""
        everybody = [facts] * self.count
        if self.count > 1:
            distributed.all_gather_object(everybody, facts)
        if len(set(everybody)) > 1:
            raise InputError(
                "the processes were given different images, recipes or outputs; start all with the same command, "
                "in a folder that all of them see"
            )


def join(device: torch.device) -> Team:
    """Meet the other processes that `torchrun` has started; a group that is there already is used as it is."""
    if distributed.is_available() and distributed.is_initialized():
        return Team(distributed.get_rank(), distributed.get_world_size())
    own = launch()
    if own.count > 1:
        if not distributed.is_available():
            raise InputError("this build of PyTorch cannot train in several processes; start without torchrun")
        # the second backend is for tensors; what is agreed on otherwise never waits for a graphics card
        backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
        distributed.init_process_group(backend, timeout=WAIT)
    return Team(own.rank, own.count, has_own_group=own.count > 1)


def leave(team: Team) -> None:
    """Part from the others at the end; after an error not, since that would wait for them."""
    if team.has_own_group:
        distributed.barrier()  # nobody hangs up while another still talks
        distributed.destroy_process_group()


@contextmanager
def naming_lost_peers() -> Iterator[None]:
    """Say in plain words that the connection to another process is gone; what it died of it has said itself."""
    try:
        yield
    except RuntimeError as error:
        if "gloo" not in str(error):
            raise
        raise JobError("another process of this training has ended, so this one ends too; see its message") from error


def own_device(name: str) -> torch.device:
    """Return the device of this process: on a computer with several, each takes the graphics card of its number."""
    device, own = devices.choose_device(name), launch()
    if own.count == 1 or device.type == "cpu":
        return device
    if device.type == "mps":
        if name == "auto":
            return torch.device("cpu")
        raise InputError("device 'mps' takes one process; start the command without torchrun, or use 'cpu'")
    if device.index is not None:
        raise InputError(f"device '{name}' would be that of {own.count} processes; use 'cuda': each takes its own")
    cards = torch.cuda.device_count()
    if own.local_rank >= cards:
        raise InputError(
            f"process {own.local_rank + 1} of this computer finds only {cards} CUDA devices; "
            f"use torchrun --nproc-per-node {cards}, or --device cpu"
        )
    torch.cuda.set_device(own.local_rank)
    return torch.device("cuda", own.local_rank)
