"""Serve those who watch a training run: take over new labels, predict a field, score, between two steps."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from napari_unetseg.images import normalize
from napari_unetseg.images.normalize import Stretch
from napari_unetseg.labels.decode import decode
from napari_unetseg.networks.network import Network
from napari_unetseg.schema.card import ModelCard
from napari_unetseg.schema.config import Recipe, TilingConfig
from napari_unetseg.schema.errors import InputError
from napari_unetseg.schema.events import Event, Note, Previewed, Relabelled
from napari_unetseg.tasks.checkpoint import Progress
from napari_unetseg.tasks.jobs import as_part
from napari_unetseg.tasks.live import PREVIEW, Field, Live
from napari_unetseg.tasks.matching import match
from napari_unetseg.tasks.patches import Batch, PatchSampler
from napari_unetseg.tasks.predict import Predictor
from napari_unetseg.tasks.samples import Sample, crop_to_known, image_count, prepare_for, renew
from napari_unetseg.tasks.scaled import diameter_in, factor_of, fitting, sized
from napari_unetseg.tasks.validate import told, validate


@dataclass(slots=True)
class Data:
    """What a run learns from, is scored on and says of it; labels painted meanwhile change all three."""

    sampler: PatchSampler
    held: list[Sample]
    card: ModelCard
    shown: int = 0
    """How many of the held ones are handed out at each validation."""

    def batch(self, step: int, *, device: torch.device | str = "cpu") -> Batch:
        """Return the batch of `step` from the newest labels."""
        return self.sampler.batch(step, device=device)


def serve(live: Live, *, data: Data, network: Network, recipe: Recipe, step: int) -> Generator[Event, None, None]:
    """Take over new labels and predict a field, if there are any."""
    fresh = live.take_samples()
    if fresh is not None:
        try:
            yield _take_over(fresh, data=data, recipe=recipe, step=step)
        except InputError as error:
            yield Note(f"the new strokes are not used: {error}")
    field = live.take_field()
    if field is not None:
        began = time.monotonic()
        yield from _predict(field, data=data, network=network, recipe=recipe, step=step)
        live.rest_after(time.monotonic() - began)


def score(network: Network, *, data: Data, recipe: Recipe, live: Live) -> Generator[Event, None, dict[str, Any] | None]:
    """Score on the held-back samples as `validate` does; none without them, or when the run is to stop."""
    job = validate(network, held=data.held, recipe=recipe, shown=data.shown, names=data.card.classes[1:])
    while True:
        try:
            event = next(job)
        except StopIteration as end:
            scores: dict[str, Any] | None = end.value
            return scores
        yield event
        if live.must_stop:
            job.close()
            return None


def score_training(network: Network, *, data: Data, recipe: Recipe, progress: Progress) -> Generator[Event, None, None]:
    """Score on the training objects and say that it is those."""
    painted = [crop_to_known(sample) for sample in data.sampler.samples]
    scores = yield from validate(network, held=painted, recipe=recipe)
    if scores is not None:
        yield told(scores, progress=progress, is_kept=True, on_training=True)


def _take_over(fresh: Sequence[Sample], *, data: Data, recipe: Recipe, step: int) -> Relabelled:
    factor = factor_of(data.card, diameter=diameter_in(data.card.decoding))
    ready = [match(sample, factor=factor) for sample in prepare_for(recipe, fresh)]
    training = renew(data.sampler.samples, ready)
    objects = sum(int(np.count_nonzero(np.unique(sample.labels) > 0)) for sample in training)
    if not objects:
        raise InputError("no object is left to learn from; paint some again")
    data.sampler = PatchSampler(training, recipe=recipe)
    data.held = renew(data.held, ready)
    record = data.card.training
    assert record is not None  # set by record.describe
    # the fingerprint is of the arrays at the start; of a moving target there is none
    changed = record.replace(objects=objects, images=image_count(training), data_sha256="")
    data.card = data.card.replace(training=changed)
    return Relabelled(objects, len(training), step)


def _stretch_of(origin: str, data: Data) -> Stretch | None:
    samples = [*data.sampler.samples, *data.held]
    return next((sample.stretch for sample in samples if origin in (sample.origin, sample.name)), None)


def _predict(field: Field, *, data: Data, network: Network, recipe: Recipe, step: int) -> Generator[Event, None, None]:
    pixels = field.read()
    stretch = _stretch_of(field.origin, data) or normalize.measure([pixels], config=recipe.normalization)
    tiling = TilingConfig(precision=recipe.precision, device=str(next(network.parameters()).device))
    factor = factor_of(data.card, diameter=diameter_in(data.card.decoding))
    predictor = fitting(Predictor(network.eval(), target=recipe.target, tiling=tiling), factor=factor)
    image = normalize.apply(pixels, stretch=stretch)
    probability = yield from as_part(predictor.predict(image), item=PREVIEW)
    decoding = sized(recipe.decoding, card=data.card, network=network)
    labels = decode(probability, config=decoding, target=recipe.target)
    yield Previewed(labels[field.inner], field.where, step)
