"""Where `train` writes: refuse, before any work, what would lose a model, an interrupted run, or pictures of one."""

from __future__ import annotations

from pathlib import Path

from napari_unetseg.cli.sample_folder import check_samples
from napari_unetseg.cli.trained import quoted
from napari_unetseg.models.library import checkpoint_of
from napari_unetseg.schema.errors import InputError


def check_output(output: Path, *, resume: bool, overwrite: bool, has_samples: bool) -> Path:
    """Refuse, before any work, what would lose a model or an interrupted run."""
    if resume and overwrite:
        raise InputError("--resume and --overwrite exclude each other; give one of them")
    if output.suffix != ".safetensors":
        raise InputError(
            f"{output}: a model file ends in .safetensors; use -o {output.with_name(output.name + '.safetensors')}"
        )
    if not output.parent.is_dir():
        raise InputError(f"{output.parent}: there is no such folder; make it first")
    checkpoint = checkpoint_of(output)
    if resume and not checkpoint.is_file():
        if output.exists():
            raise InputError(
                f"{output}: this training has finished, there is nothing to resume; to train the model further, "
                f"give it to a new one with --from {quoted(output)}; to train anew, --overwrite"
            )
        raise InputError(f"{checkpoint}: no such checkpoint, there is nothing to resume; start without --resume")
    if not resume and not overwrite:
        if checkpoint.exists():
            raise InputError(
                f"{checkpoint}: an interrupted run is there; --resume goes on with it, --overwrite starts again"
            )
        if output.exists():
            raise InputError(f"{output}: this file exists; choose another name or give --overwrite")
    if has_samples:
        check_samples(output, may_hold_some=resume or overwrite)
    return output
