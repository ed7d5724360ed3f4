"""What is put into the mailbox reaches the run between two steps; an empty one changes nothing."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_unetseg.labels.annotated import annotate
from napari_unetseg.models import file
from napari_unetseg.schema.config import Recipe
from napari_unetseg.schema.events import Event, Note, Previewed, Relabelled, StepDone, Validated
from napari_unetseg.tasks import train
from napari_unetseg.tasks.live import Field, Live
from napari_unetseg.tasks.samples import Sample, crop_to_known, renew, split


def painted(sample: Sample, *, count: int) -> Sample:
    labels = np.where(sample.labels <= count, sample.labels, 0)
    return replace(sample, labels=annotate(labels, zero_is_background=False))


def run_until(job: Any, kind: type[Event]) -> Event:
    return next(event for event in job if isinstance(event, kind))


def test_an_empty_mailbox_changes_not_a_bit(samples: list[Sample], recipe: Recipe, tmp_path: Path) -> None:
    results = []
    for name, options in {"without": {}, "with": {"live": Live(scores_training=True)}}.items():
        output = tmp_path / f"{name}.safetensors"
        events = list(train.run(samples, recipe=recipe, output=output, **options))
        results.append(([e.loss for e in events if isinstance(e, StepDone)], file.load(output)[1]))
    (losses, weights), (others, other_weights) = results
    assert losses == others
    for name, value in weights.items():
        np.testing.assert_array_equal(value, other_weights[name])


def test_labels_painted_meanwhile_are_learnt_from(samples: list[Sample], recipe: Recipe, tmp_path: Path) -> None:
    before, after = painted(samples[0], count=1), painted(samples[0], count=3)
    live = Live(read=lambda labels: [replace(before, labels=labels[0])])
    output = tmp_path / "m.safetensors"
    job = train.run([before], recipe=recipe.replace(validation=0.0), output=output, live=live)
    run_until(job, StepDone)
    live.relabel([after.labels])
    taken = run_until(job, Relabelled)
    assert taken == Relabelled(objects=3, images=1, step=1)
    list(job)
    record = file.read_card(output).training
    assert record is not None
    assert (record.objects, record.data_sha256) == (3, "")


def test_labels_that_cannot_be_used_are_told_and_leave_the_run_as_it_was(
    samples: list[Sample], recipe: Recipe, tmp_path: Path
) -> None:
    live = Live(read=lambda labels: [replace(samples[0], labels=labels[0])])
    job = train.run(samples[:1], recipe=recipe, output=tmp_path / "m.safetensors", live=live)
    run_until(job, StepDone)
    live.relabel([np.zeros_like(samples[0].labels)])
    assert any(isinstance(event, Note) and "not used" in event.message for event in list(job))
    assert (tmp_path / "m.safetensors").exists()


def test_a_field_is_predicted_and_comes_back_with_what_came_with_it(
    samples: list[Sample], recipe: Recipe, tmp_path: Path
) -> None:
    live = Live()
    job = train.run(samples, recipe=recipe, output=tmp_path / "m.safetensors", live=live)
    run_until(job, StepDone)
    live.look(Field(lambda: samples[0].image[:, :40], samples[0].name, (slice(0, 32), slice(8, 64)), where="here"))
    seen = run_until(job, Previewed)
    assert isinstance(seen, Previewed)
    assert (seen.labels.shape, seen.where) == ((32, 56), "here")


def test_previews_leave_time_for_training() -> None:
    live = Live()
    field = Field(lambda: np.zeros((1, 4, 4)), "a", (slice(None),), None)
    live.look(field)
    assert live.take_field() is field
    live.rest_after(0.05)
    live.look(field)
    assert live.take_field() is None
    time.sleep(0.2)
    assert live.take_field() is field
    assert live.take_field() is None


@pytest.mark.parametrize("validation", [0.0, 0.25])
def test_stopping_keeps_a_model_and_leaves_no_checkpoint(
    samples: list[Sample], recipe: Recipe, tmp_path: Path, validation: float
) -> None:
    live, output = Live(), tmp_path / "m.safetensors"
    recipe = recipe.replace(steps=1000, validation=validation)
    job = train.run(samples, recipe=recipe, output=output, live=live)
    run_until(job, StepDone)
    live.stop()
    assert sum(isinstance(event, StepDone) for event in job) <= 1
    assert file.read_card(output).training is not None
    assert [path.name for path in tmp_path.iterdir()] == ["m.safetensors"]


def test_a_waiting_run_does_not_use_up_its_minutes(samples: list[Sample], recipe: Recipe, tmp_path: Path) -> None:
    recipe = recipe.replace(steps=None, minutes=0.02)
    job = train.run(samples, recipe=recipe, output=tmp_path / "m.safetensors")
    run_until(job, StepDone)
    time.sleep(1.5)
    after = run_until(job, StepDone)
    assert isinstance(after, StepDone)
    assert after.seconds < 1.2


def test_without_validation_the_score_is_said_to_be_on_training_objects(
    samples: list[Sample], recipe: Recipe, tmp_path: Path
) -> None:
    few = [painted(samples[0], count=2)]
    output = tmp_path / "m.safetensors"
    job = train.run(few, recipe=recipe.replace(validation=0.0), output=output, live=Live(scores_training=True))
    scores = [event for event in job if isinstance(event, Validated)]
    assert scores
    assert all(event.on_training for event in scores)
    record = file.read_card(output).training
    assert record is not None
    assert record.scores == {}  # the card claims nothing


def test_what_is_held_back_stays_held_back(samples: list[Sample]) -> None:
    """New labels are cut to the same parts; a plane painted for the first time is cut like the others of its stack."""
    wide = Sample(
        np.concatenate([sample.image for sample in samples], axis=2),
        np.concatenate([s.labels + 10 * i * (s.labels > 0) for i, s in enumerate(samples)], axis=1),
        "plane 0",
        origin="stack",
    )
    training, held, _ = split([wide], fraction=0.25, seed=0)
    fresh = [replace(wide, labels=wide.labels * 2), replace(wide, name="plane 1")]
    assert [sample.labels.shape for sample in renew(training, fresh)] == [(64, 192)] * 2
    assert [sample.labels.shape for sample in renew(held, fresh)] == [(64, 64)] * 2
    np.testing.assert_array_equal(renew(held, fresh)[0].labels, 2 * held[0].labels)
    other, elsewhere = split([replace(s, origin=s.name) for s in samples], fraction=0.25, seed=0)[:2]
    names = [{sample.name for sample in renew(part, samples)} for part in (other, elsewhere)]
    assert names[0].isdisjoint(names[1])
    assert len(names[0] | names[1]) == 4


def test_the_strip_moves_to_where_objects_are() -> None:
    labels = np.zeros((64, 400), np.int32)
    for index in range(20):
        labels[10:20, 10 * index + 1 : 10 * index + 8] = index + 1
    _, held, how = split([Sample(labels[None], labels, "a")], fraction=0.15, seed=0)
    assert "held back" in how
    assert 1 <= len(np.unique(held[0].labels)) - 1 <= 5
    few = np.where(labels > 5, 0, labels)
    assert "too few objects" in split([Sample(few[None], few, "a")], fraction=0.15, seed=0)[2]


def test_only_the_painted_part_is_scored(samples: list[Sample]) -> None:
    large = Sample(np.zeros((1, 300, 300)), np.full((300, 300), -1), "a")
    large.labels[100:120, 200:230] = 4
    cut = crop_to_known(large)
    assert cut.image.shape == (1, 84, 94)
    assert (cut.labels == 4).sum() == 600
    assert crop_to_known(samples[0]) is samples[0]
