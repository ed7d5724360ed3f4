"""Train a U-Net on annotated images: one flat loop that yields what happens and saves the best model as it goes."""

from __future__ import annotations

import copy
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from napari_unetseg.images.atomic import check_destination, check_folder
from napari_unetseg.models import file, library
from napari_unetseg.networks import registry
from napari_unetseg.networks.losses import SegmentationLoss
from napari_unetseg.networks.network import Network
from napari_unetseg.schema.card import ModelCard
from napari_unetseg.schema.config import Recipe
from napari_unetseg.schema.errors import InputError, JobError
from napari_unetseg.schema.events import Event, Note, Saved, StepDone
from napari_unetseg.schema.words import counted
from napari_unetseg.tasks import checkpoint, distributed, record
from napari_unetseg.tasks import device as devices
from napari_unetseg.tasks.budget import Clock, next_mark, used
from napari_unetseg.tasks.checkpoint import Progress
from napari_unetseg.tasks.classes import fit_classes
from napari_unetseg.tasks.distributed import Team
from napari_unetseg.tasks.jobs import finish
from napari_unetseg.tasks.keep import keep_best
from napari_unetseg.tasks.live import Live
from napari_unetseg.tasks.matching import match_sizes
from napari_unetseg.tasks.model import Model
from napari_unetseg.tasks.optimize import learning_rate, make_optimizer
from napari_unetseg.tasks.patches import Batch, PatchSampler, fit_patch, prefetch
from napari_unetseg.tasks.samples import Sample, fingerprint, fit_sizes, prepare_for, split
from napari_unetseg.tasks.serving import Data, score, score_training, serve
from napari_unetseg.tasks.showcase import shortage
from napari_unetseg.tasks.start import check_batch, check_loss, check_start, left_out, slowed, start_recipe
from napari_unetseg.tasks.step import Run, take_step
from napari_unetseg.tasks.validate import affordable

MAX_SKIPPED = 3  # steps in a row whose loss is not finite
VALIDATION_SHARE = 4  # between two validations lies at least this many times the last one's duration


def run(
    samples: Sequence[Sample],
    *,
    recipe: Recipe,
    output: Path,
    validation: Sequence[Sample] | None = None,
    start: Model | None = None,
    resume: bool = False,
    device: str = "auto",
    live: Live | None = None,
    class_names: Sequence[str] = (),
    shown: int = 0,
    **facts: str,
) -> Generator[Event, None, ModelCard]:
    """Train on `samples` and write the best model to `output`; yield at every step.

    Started by `torchrun`, the processes train this one model together; the first scores and writes.

    Parameters
    ----------
    samples
        Images with labels of objects, or of classes (target 'semantic'); some are held back for validation unless
        `validation` is given.
    recipe
        All settings. The budget is `steps` or `minutes`; with neither, 20 minutes.
    validation
        Images to score on; none: taken from `samples` as the recipe says; empty: no validation.
    output
        The model file. A checkpoint to resume from stands beside it while the run lasts.
    start
        Model whose weights are the starting point; its network and target must be those of the recipe.
    resume
        Go on from the checkpoint; weights come out as those of an unbroken run (on CPU, with a budget in steps).
    device
        Where to train: 'auto', 'cpu', 'cuda', 'cuda:1', 'mps'.
    live
        A mailbox for labels painted meanwhile, fields to predict, and the wish to stop; for one process only.
    class_names
        Of target 'semantic': a name for each class but the background; none: "class 1", "class 2", ...
    shown
        How many of the images held back are handed out at each validation, with what is found in them (`Sampled`).
    facts
        `description`, `licence`, `citation`, `data`, `name`: kept in the model's card.

    Raises
    ------
    InputError
        Samples, recipe or start model do not fit together.
    JobError
        No checkpoint to resume from, or the loss stays not finite.

    """
    check_folder(output)
    if recipe.steps is None and recipe.minutes is None:
        recipe = recipe.replace(minutes=20.0)
    place = distributed.own_device(device)
    team = distributed.join(place)
    if team.count > 1 and live is not None:
        raise InputError("a run that takes labels painted meanwhile is for one process; start it without torchrun")
    torch.manual_seed(recipe.seed)
    matched = match_sizes(samples, validation=validation, start=start, recipe=recipe)
    recipe = matched.recipe
    training, held, how = _split(matched.samples, matched.validation, recipe=recipe)
    unseen = shortage(shown, total=len(affordable(held)))
    yield from map(Note, filter(None, (matched.note, how, unseen)))
    recipe = fit_classes(recipe, [sample.labels for sample in (*training, *held)])
    check_loss(recipe)
    network = registry.build(recipe.network)
    yield from map(Note, filter(None, [left_out(recipe), slowed(network)]))
    if recipe.target.is_semantic:
        yield Note(f"learns {counted(recipe.target.class_count, 'class', 'classes')}, background included")
    elif recipe.fit_sizes:
        recipe = recipe.replace(decoding=fit_sizes(recipe.decoding, training))
        least = round(recipe.decoding.min_size / matched.factor**recipe.network.ndim)
        yield Note(f"objects under {counted(least, 'pixel')} are dropped (an eighth of the median)")
    if recipe.patch is None:
        recipe = fit_patch(recipe, samples=training)
        yield Note(f"patches of {' x '.join(map(str, recipe.patch or ()))} pixels")
    check_batch(network, recipe=recipe)
    data_sha256 = fingerprint([*training, *held])
    team.check_same((recipe.model_dump_json(), data_sha256, output.name))
    run_ = _set_up(network, recipe=recipe, start=start, device=place, team=team)
    if resume:
        frozen = library.checkpoint_of(output)
        run_.progress = checkpoint.read(
            frozen,
            network=run_.network,
            average=run_.average,
            optimizer=run_.optimizer,
            recipe=recipe,
            data_sha256=data_sha256,
        )
        yield Note(f"resumed at step {run_.progress.step}")
    names = class_names or (start.card.classes[1:] if start is not None else ())
    card = record.describe(
        recipe, training=training, held=held, output=output, data_sha256=data_sha256, facts=facts, names=names
    )
    card = card.replace(object_diameter=matched.learnt or card.object_diameter)
    data = Data(PatchSampler(training, recipe=recipe, share=team.share(recipe.batch)), held, card, shown)
    job = _loop(run_, data=data, live=live or Live(), recipe=recipe, output=output, device=place)
    with distributed.naming_lost_peers():
        yield from run_.clock.through(job)
    if team.is_first:
        library.checkpoint_of(output).unlink(missing_ok=True)
        card = file.read_card(output)
    card = team.of_first(card)
    distributed.leave(team)
    return card


def train(
    pairs: Sequence[tuple[np.ndarray, np.ndarray]],
    *,
    output: str | Path,
    recipe: Recipe | None = None,
    overwrite: bool = False,
    **options: Any,
) -> ModelCard:
    """Train on pairs of image ([C,] [Z,] Y, X) and labels ([Z,] Y, X) arrays, write `output`, and return its card.

    The network gets the axes and channels of the pairs; `options` are those of `run`. An existing `output` is replaced
    only with `overwrite` (or `resume`), else `InputError`. Without `recipe`, one that suits the start model.
    """
    output = Path(output)
    check_destination(output, overwrite=overwrite or options.get("resume", False))
    samples = []
    for number, (image, labels) in enumerate(pairs, start=1):
        image, labels = np.asarray(image), np.asarray(labels)
        with_channels = image[None] if image.ndim == labels.ndim else image
        samples.append(Sample(with_channels, labels, f"pair {number}"))
    start: Model | None = options.get("start")
    if recipe is None:
        recipe = start_recipe(None if start is None else start.card)
    if samples and samples[0].labels.ndim in (2, 3):
        first = samples[0]
        network = recipe.network.replace(ndim=first.labels.ndim, in_channels=first.image.shape[0])
        recipe = recipe.replace(network=network)
    return finish(run(samples, recipe=recipe, output=output, **options))


def _split(
    samples: Sequence[Sample], validation: Sequence[Sample] | None, *, recipe: Recipe
) -> tuple[list[Sample], list[Sample], str]:
    if validation is None:
        return split(prepare_for(recipe, samples), fraction=recipe.validation, seed=recipe.seed)
    held = prepare_for(recipe, validation) if validation else []
    return prepare_for(recipe, samples), held, f"{counted(len(held), 'image')} given for validation"


def _set_up(network: Network, *, recipe: Recipe, start: Model | None, device: torch.device, team: Team) -> Run:
    if start is not None:
        check_start(recipe, start.card)
        network.load_state_dict(start.network.state_dict())
    network = devices.place(network, device=device)
    average = copy.deepcopy(network)
    team.synchronise(network, batch=recipe.batch)
    return Run(network, average, make_optimizer(network, recipe=recipe), Progress(), Clock(), team)


def _loop(
    run_: Run, *, data: Data, live: Live, recipe: Recipe, output: Path, device: torch.device
) -> Generator[Event, None, None]:
    loss_function = SegmentationLoss(recipe.loss, target=recipe.target, total=run_.team.total)
    progress = run_.progress
    run_.clock.start(progress.seconds)
    fraction = used(progress, recipe=recipe)
    next_validation = next_mark(fraction, every=recipe.validate_every)
    for batch in prefetch(data, start=progress.step, device=device):
        if fraction >= 1:
            break
        # 1. the learning rate of this moment
        rate = run_.network.rate_factor * learning_rate(fraction, recipe=recipe)
        for group in run_.optimizer.param_groups:
            group["lr"] = rate
        # 2. forward, backward, step
        loss = _step(run_, batch=batch, loss_function=loss_function, recipe=recipe, device=device)
        progress.step += 1
        progress = run_.agree()
        if progress.skipped >= MAX_SKIPPED:
            yield Note(
                f"the loss is not finite, or beyond all bounds, for {MAX_SKIPPED} steps: training stops; a lower "
                "learning rate may help"
            )
            break
        # 3. tell, and serve those who watch
        fraction = used(progress, recipe=recipe)
        yield StepDone(progress.step, loss, rate, progress.seconds, min(1.0, fraction))
        yield from serve(live, data=data, network=run_.average, recipe=recipe, step=progress.step)
        # 4. validate, keep the best, freeze
        if fraction >= min(1.0, next_validation) and not live.must_stop:
            yield from _validate(run_, data=data, live=live, recipe=recipe, output=output)
            progress = run_.agree()
            spent = used(progress, recipe=recipe) - fraction
            fraction += spent
            # in steps of the plan, unless validating takes so long that it would eat up the training
            next_validation = next_mark(fraction + VALIDATION_SHARE * spent, every=recipe.validate_every)
            yield from _freeze(run_, data=data, recipe=recipe, output=output)
            if recipe.patience is not None and progress.without_gain >= recipe.patience:
                yield Note(f"no gain in {counted(recipe.patience, 'validation')}: stopped at step {progress.step}")
                break
        if live.must_stop:
            break
    if live.must_stop and (not data.held or progress.best_step == 0):
        yield from keep_best(run_, scores=None, card=data.card, output=output)
    if progress.best_step == 0:
        raise JobError("training gave no finite model; lower the learning rate, check the labels, and start again")


def _step(run_: Run, *, batch: Batch, loss_function: SegmentationLoss, recipe: Recipe, device: torch.device) -> float:
    """Take a step; memory that runs out is told with its remedy."""
    try:
        return take_step(run_, batch=batch, loss_function=loss_function, recipe=recipe, device=device)
    except (RuntimeError, MemoryError) as error:
        if not devices.is_out_of_memory(error):
            raise
        raise JobError(
            f"out of memory in a training step on {device}: use a smaller batch, patch or width; "
            "what was saved so far is kept"
        ) from error


def _validate(run_: Run, *, data: Data, live: Live, recipe: Recipe, output: Path) -> Generator[Event, None, None]:
    if not run_.team.is_first:
        return  # what comes of it is agreed on afterwards
    scores = yield from score(run_.average, data=data, recipe=recipe, live=live)
    if scores is None and data.held:
        return  # the run is to stop
    yield from keep_best(run_, scores=scores, card=data.card, output=output)
    if scores is None and live.scores_training:
        yield from score_training(run_.average, data=data, recipe=recipe, progress=run_.progress)


def _freeze(run_: Run, *, data: Data, recipe: Recipe, output: Path) -> Generator[Event, None, None]:
    if not run_.team.is_first:
        return
    frozen = library.checkpoint_of(output)
    checkpoint.write(
        frozen,
        network=run_.network,
        average=run_.average,
        optimizer=run_.optimizer,
        progress=run_.progress,
        recipe=recipe,
        data_sha256=data.card.training.data_sha256 if data.card.training else "",
    )
    yield Saved(frozen)
