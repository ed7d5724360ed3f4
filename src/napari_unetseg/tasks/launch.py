"""Which of several processes this is, as `torchrun` tells in environment variables; read without loading torch."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Launch:
    """Number `rank` of `count` processes, and number `local_rank` of those on this computer."""

    rank: int = 0
    count: int = 1
    local_rank: int = 0


def launch() -> Launch:
    """Return what `torchrun` says; without it a process is alone."""
    if not {"RANK", "WORLD_SIZE", "MASTER_ADDR"} <= os.environ.keys():
        return Launch()
    rank, count = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    return Launch(rank, count, int(os.environ.get("LOCAL_RANK", rank)))
