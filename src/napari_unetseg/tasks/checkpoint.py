"""A training run frozen in one file: weights, their average, the optimiser and the counters; no pickle."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from napari_unetseg.images.write import write_bytes
from napari_unetseg.schema.config import Recipe
from napari_unetseg.schema.errors import JobError


@dataclass(slots=True)
class Progress:
    """Where a run stands."""

    step: int = 0
    seconds: float = 0.0
    best: float = -1.0
    rival: float = -1.0
    """The best score that weights must not fall short of to be kept."""
    best_step: int = 0
    without_gain: int = 0
    skipped: int = 0


def write(
    path: Path,
    *,
    network: torch.nn.Module,
    average: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    progress: Progress,
    recipe: Recipe,
    data_sha256: str,
) -> None:
    """Write the checkpoint; until the new one is complete the old one stands."""
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    tensors |= {f"average.{name}": value for name, value in average.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": value for name, value in state.items()}
    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    facts = {"progress": asdict(progress), "recipe": recipe.model_dump_json(), "data_sha256": data_sha256}
    write_bytes(path, save(tensors, {"unetseg_checkpoint": json.dumps(facts)}))


def read(
    path: Path,
    *,
    network: torch.nn.Module,
    average: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    recipe: Recipe,
    data_sha256: str,
) -> Progress:
    """Put a run back as it was; `JobError` when the file is missing, damaged, or of another recipe or data set."""
    if not path.is_file():
        raise JobError(f"{path}: no checkpoint to resume from; start again without --resume")
    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads((file.metadata() or {})["unetseg_checkpoint"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise JobError(f"{path}: the checkpoint cannot be read ({error}); start again with --overwrite") from error
    try:
        progress = Progress(**facts["progress"])
        _check(facts, recipe=recipe, data_sha256=data_sha256, path=path)
    except (ValidationError, TypeError, KeyError) as error:
        raise JobError(f"{path}: this checkpoint is of another version; start again with --overwrite") from error
    network.load_state_dict(_part(tensors, "network."))
    average.load_state_dict(_part(tensors, "average."))
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in _part(tensors, "optimizer.").items():
        index, field = name.split(".", 1)
        state.setdefault(int(index), {})[field] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    return progress


def _part(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _check(facts: dict[str, str], *, recipe: Recipe, data_sha256: str, path: Path) -> None:
    """Refuse to resume with anything but the budget changed."""
    free = {"steps": None, "minutes": 1.0, "patience": None}
    if Recipe.model_validate_json(facts["recipe"]).replace(**free) != recipe.replace(**free):
        raise JobError(
            f"{path}: this checkpoint was made with another recipe; use that recipe, or start again with --overwrite"
        )
    if facts["data_sha256"] != data_sha256:
        raise JobError(f"{path}: this checkpoint was made from other images or labels; start again with --overwrite")
