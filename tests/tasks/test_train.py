"""Training learns, is reproducible, survives interruption, and never keeps numbers that are not finite."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_unetseg.models import file
from napari_unetseg.schema.config import AugmentationConfig, Recipe, TargetConfig
from napari_unetseg.schema.errors import InputError, JobError
from napari_unetseg.schema.events import Event, Note, Saved, StepDone, Validated
from napari_unetseg.tasks import serving, train
from napari_unetseg.tasks.model import load_model
from napari_unetseg.tasks.samples import Sample
from napari_unetseg.tasks.segment import segment


def finish(job: Generator[Event, None, Any]) -> list[Event]:
    return list(job)


def losses(events: Sequence[Event]) -> list[float]:
    return [event.loss for event in events if isinstance(event, StepDone)]


def weights(path: Path) -> dict[str, np.ndarray]:
    return file.load(path)[1]


@pytest.mark.parametrize("kind", ["boundary", "distance", "both"])
def test_two_images_are_learnt_in_seconds(kind: str, samples: list[Sample], recipe: Recipe, tmp_path: Path) -> None:
    target = TargetConfig.model_validate({"kind": kind})
    network = recipe.network.replace(width=8, out_channels=target.out_channels)
    recipe = recipe.replace(
        network=network,
        target=target,
        steps=80,
        validate_every=0.1,
        batch=2,
        learning_rate=1e-2,
        ema=0.8,
        augmentation=AugmentationConfig(probability=0),
    )
    output = tmp_path / "discs.safetensors"
    events = finish(train.run(samples[:2], recipe=recipe, output=output, validation=samples[:2]))
    best = max(event.ap50 for event in events if isinstance(event, Validated))
    assert best == 1.0
    assert losses(events)[-1] < 0.5 * losses(events)[0]
    found = segment(samples[0].image[0], model=output)
    assert found.max() == 4


def test_same_seed_same_losses_other_seed_other_losses(samples: list[Sample], recipe: Recipe, tmp_path: Path) -> None:
    def run(seed: int) -> list[float]:
        output = tmp_path / f"{seed}.safetensors"
        return losses(finish(train.run(samples, recipe=recipe.replace(seed=seed, steps=3), output=output)))

    first = run(1)
    assert run(1) == first
    assert run(2) != first


def test_a_resumed_run_gives_the_weights_of_an_unbroken_one(
    samples: list[Sample], recipe: Recipe, tmp_path: Path
) -> None:
    recipe = recipe.replace(network=recipe.network.replace(dropout=0.3))
    whole, broken = tmp_path / "whole.safetensors", tmp_path / "broken.safetensors"
    finish(train.run(samples, recipe=recipe, output=whole))
    job = train.run(samples, recipe=recipe, output=broken)
    for event in job:
        if isinstance(event, Saved) and "checkpoint" in event.path.name:
            break
    job.close()
    assert (tmp_path / "broken.checkpoint.safetensors").exists()
    events = finish(train.run(samples, recipe=recipe, output=broken, resume=True))
    assert any(isinstance(event, Note) and "resumed at step 3" in event.message for event in events)
    for name, value in weights(whole).items():
        np.testing.assert_array_equal(weights(broken)[name], value, err_msg=name)
    assert not list(tmp_path.glob("*.checkpoint.safetensors"))


def test_resuming_from_nothing_or_from_another_run_is_refused(
    samples: list[Sample], recipe: Recipe, tmp_path: Path
) -> None:
    output = tmp_path / "m.safetensors"
    with pytest.raises(JobError, match="no checkpoint to resume from"):
        finish(train.run(samples, recipe=recipe, output=output, resume=True))
    job = train.run(samples, recipe=recipe, output=output)
    next(event for event in job if isinstance(event, Saved) and "checkpoint" in event.path.name)
    job.close()
    with pytest.raises(JobError, match="another recipe"):
        finish(train.run(samples, recipe=recipe.replace(learning_rate=0.5), output=output, resume=True))
    with pytest.raises(JobError, match="other images"):
        finish(train.run(samples[:3], recipe=recipe, output=output, resume=True))
    frozen = tmp_path / "m.checkpoint.safetensors"
    frozen.write_bytes(frozen.read_bytes()[:1000])
    with pytest.raises(JobError, match="cannot be read"):
        finish(train.run(samples, recipe=recipe, output=output, resume=True))


@pytest.mark.parametrize("factor", [float("nan"), 1e6])
def test_a_loss_that_is_not_finite_or_beyond_bounds_stops_and_keeps_the_best(
    samples: list[Sample], recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, factor: float
) -> None:
    output = tmp_path / "m.safetensors"
    forward = train.SegmentationLoss.forward
    calls = []

    def poisoned(self: Any, *args: Any) -> Any:
        calls.append(1)
        return forward(self, *args) * (factor if len(calls) > 3 else 1.0)

    monkeypatch.setattr(train.SegmentationLoss, "forward", poisoned)
    events = finish(train.run(samples, recipe=recipe.replace(steps=20, validate_every=0.1), output=output))
    assert sum(isinstance(event, StepDone) for event in events) < 8
    assert any(isinstance(event, Note) and "not finite" in event.message for event in events)
    assert all(np.isfinite(value).all() for value in weights(output).values())


def test_networks_that_nothing_normalises_learn_at_a_lower_rate(
    samples: list[Sample], recipe: Recipe, tmp_path: Path
) -> None:
    network = recipe.network.replace(architecture="fcn8s", depth=4, width=1)
    recipe = recipe.replace(network=network, steps=1, learning_rate=0.01, warmup=0.0)
    events = finish(train.run(samples, recipe=recipe, output=tmp_path / "m.safetensors"))
    assert [event.learning_rate for event in events if isinstance(event, StepDone)] == [pytest.approx(0.001)]
    assert any(isinstance(event, Note) and "0.1 of the learning rate" in event.message for event in events)


def test_a_loss_that_is_never_finite_is_an_error_and_leaves_no_model(
    samples: list[Sample], recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = train.SegmentationLoss.forward
    monkeypatch.setattr(train.SegmentationLoss, "forward", lambda self, *args: forward(self, *args) * float("nan"))
    with pytest.raises(JobError, match="no finite model"):
        finish(train.run(samples, recipe=recipe, output=tmp_path / "m.safetensors"))
    assert not (tmp_path / "m.safetensors").exists()


def test_no_better_score_for_long_ends_the_run(samples: list[Sample], recipe: Recipe, tmp_path: Path) -> None:
    recipe = recipe.replace(steps=40, validate_every=0.05, patience=2, learning_rate=1e-9)
    events = finish(train.run(samples, recipe=recipe, output=tmp_path / "m.safetensors"))
    assert len(losses(events)) < 40


def test_training_can_start_from_a_model(samples: list[Sample], recipe: Recipe, tmp_path: Path) -> None:
    first, second = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    finish(train.run(samples, recipe=recipe.replace(steps=20, learning_rate=5e-3), output=first))
    model = load_model(first)
    again = recipe.replace(steps=2, learning_rate=1e-8, warmup=0.0)
    finish(train.run(samples, recipe=again, output=second, start=model))
    name = next(name for name in weights(first) if name.endswith("weight"))
    np.testing.assert_allclose(weights(second)[name], weights(first)[name], atol=1e-4)
    other = recipe.replace(network=recipe.network.replace(width=7))
    with pytest.raises(InputError, match="another network"):
        finish(train.run(samples, recipe=other, output=second, start=model))


def test_the_card_tells_how_the_model_was_made(samples: list[Sample], recipe: Recipe, tmp_path: Path) -> None:
    output = tmp_path / "discs.safetensors"
    card = train.train(
        [(s.image[0], s.labels) for s in samples], recipe=recipe, output=output, data="discs", licence="CC0-1.0"
    )
    assert card == file.read_card(output)
    assert card.name == "discs"
    median = np.pi / 4 * (card.object_diameter or 0) ** 2
    assert card.licence == "CC0-1.0"
    assert card.training is not None
    assert card.training.recipe.replace(decoding=recipe.decoding) == recipe
    assert (card.decoding.min_size, card.decoding.min_seed) == (round(median / 8), round(median / 20))
    assert (card.training.images, card.training.validation_images) == (3, 1)
    assert 0 <= card.training.scores["mean_ap"] <= 1
    assert card.object_diameter == pytest.approx(16, abs=3)


def test_a_clock_budget_ends(samples: list[Sample], recipe: Recipe, tmp_path: Path) -> None:
    events = finish(
        train.run(samples, recipe=recipe.replace(steps=None, minutes=0.02), output=tmp_path / "m.safetensors")
    )
    assert [event.fraction for event in events if isinstance(event, StepDone)][-1] == 1.0


@pytest.mark.parametrize("dimensions", [2, 3])
def test_user_arrays_stay_as_they_are(dimensions: int, recipe: Recipe, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    shape = (24,) * dimensions
    image, labels = rng.integers(0, 200, shape).astype(">u2"), np.zeros(shape, np.int64)
    labels[(slice(4, 12),) * dimensions] = 2**40
    labels[(slice(14, 20),) * dimensions] = 5
    for array in (image, labels):
        array.flags.writeable = False
    network = recipe.network.replace(ndim=dimensions)
    recipe = recipe.replace(network=network, patch=(16,) * dimensions, steps=2)
    card = train.train([(image, labels), (image, labels)], recipe=recipe, output=tmp_path / "m.safetensors")
    assert card.axes == "ZYX"[3 - dimensions :]


def test_label_zero_may_mean_not_annotated(samples: list[Sample], recipe: Recipe, tmp_path: Path) -> None:
    recipe = recipe.replace(unlabelled_is_background=False)
    events = finish(train.run(samples, recipe=recipe, output=tmp_path / "m.safetensors"))
    assert np.isfinite(losses(events)).all()


def test_one_step_that_is_not_finite_changes_nothing(
    samples: list[Sample], recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One image with a pixel that is not a number, once: also BatchNorm's averages must stay clean."""
    draw = train.PatchSampler.batch

    def poisoned(self: Any, step: int, **options: Any) -> Any:
        batch = draw(self, step, **options)
        if step == 1:
            batch.images[0, 0, 5, 5] = float("nan")
        return batch

    monkeypatch.setattr(train.PatchSampler, "batch", poisoned)
    output = tmp_path / "m.safetensors"
    events = finish(train.run(samples, recipe=recipe, output=output))
    assert [np.isnan(loss) for loss in losses(events)] == [False, True, False, False, False, False]
    assert all(np.isfinite(value).all() for value in weights(output).values())


def test_the_unpadded_network_is_trained_too(samples: list[Sample], recipe: Recipe, tmp_path: Path) -> None:
    network = recipe.network.replace(padding="valid", norm="none")
    output = tmp_path / "m.safetensors"
    events = finish(train.run(samples, recipe=recipe.replace(network=network), output=output))
    assert np.isfinite(losses(events)).all()
    assert segment(samples[0].image[0], model=output).shape == (64, 64)


def test_the_last_weights_are_always_scored(samples: list[Sample], recipe: Recipe, tmp_path: Path) -> None:
    recipe = recipe.replace(steps=5, validate_every=0.7)
    events = finish(train.run(samples, recipe=recipe, output=tmp_path / "m.safetensors"))
    assert [event.step for event in events if isinstance(event, Validated)] == [4, 5]


def test_without_validation_the_last_weights_are_kept(samples: list[Sample], recipe: Recipe, tmp_path: Path) -> None:
    recipe = recipe.replace(steps=5, validate_every=0.3, validation=0.0)
    card = train.train([(s.image[0], s.labels) for s in samples], recipe=recipe, output=tmp_path / "m.safetensors")
    assert card.training is not None
    assert card.training.steps == 5


def test_slow_validation_does_not_eat_the_budget(
    samples: list[Sample], recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    validate = serving.validate

    def slow(*args: Any, **options: Any) -> Any:
        time.sleep(0.3)
        return (yield from validate(*args, **options))

    monkeypatch.setattr(serving, "validate", slow)
    recipe = recipe.replace(steps=None, minutes=0.06, validate_every=0.01)
    events = finish(train.run(samples, recipe=recipe, output=tmp_path / "m.safetensors"))
    assert sum(isinstance(event, Validated) for event in events) <= 5


def test_an_existing_model_is_not_replaced_by_accident(samples: list[Sample], recipe: Recipe, tmp_path: Path) -> None:
    output = tmp_path / "m (2).safetensors"
    output.write_bytes(b"precious")
    pairs = [(s.image[0], s.labels) for s in samples]
    with pytest.raises(InputError, match="exists"):
        train.train(pairs, recipe=recipe, output=output)
    assert output.read_bytes() == b"precious"
    assert train.train(pairs, recipe=recipe.replace(steps=1), output=output, overwrite=True).name == "m _2_"


def test_memory_that_runs_out_names_the_remedy(
    samples: list[Sample], recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise RuntimeError("CUDA out of memory")

    monkeypatch.setattr(train, "take_step", fail)
    with pytest.raises(JobError, match="smaller batch, patch or width"):
        finish(train.run(samples, recipe=recipe, output=tmp_path / "m.safetensors"))


def test_sizes_may_stay_as_given(samples: list[Sample], recipe: Recipe, tmp_path: Path) -> None:
    recipe = recipe.replace(fit_sizes=False, steps=1)
    card = train.train([(s.image[0], s.labels) for s in samples], recipe=recipe, output=tmp_path / "m.safetensors")
    assert card.decoding == recipe.decoding


def test_of_equal_scores_the_later_model_is_kept(
    samples: list[Sample], recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def score(*_: Any, **__: Any) -> Generator[Event, None, dict[str, Any]]:
        return {"ap": {"0.50": 0.5}, "mean_ap": 0.4}
        yield

    monkeypatch.setattr(train, "score", score)
    recipe = recipe.replace(steps=8, validate_every=0.125)
    events = finish(train.run(samples, recipe=recipe, output=tmp_path / "m.safetensors"))
    assert len([event for event in events if isinstance(event, Validated) and event.is_kept]) > 2
    assert file.read_card(tmp_path / "m.safetensors").training.steps == 8
