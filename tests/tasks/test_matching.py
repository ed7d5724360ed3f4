"""Training images at the size of the start model's objects: what is scaled, what is kept, what the new model says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.tasks.conftest import draw_sample

from napari_unetseg.networks import registry
from napari_unetseg.schema.card import ModelCard
from napari_unetseg.schema.config import Recipe
from napari_unetseg.schema.events import Note, Previewed, Relabelled
from napari_unetseg.tasks import train
from napari_unetseg.tasks.jobs import finish
from napari_unetseg.tasks.live import Field, Live
from napari_unetseg.tasks.matching import match, match_sizes
from napari_unetseg.tasks.model import Model
from napari_unetseg.tasks.samples import Sample


def start_of(recipe: Recipe, *, diameter: float | None) -> Model:
    card = ModelCard(name="start", network=recipe.network, target=recipe.target, object_diameter=diameter)
    return Model(card, registry.build(recipe.network), Path("start.safetensors"))


@pytest.fixture
def recipe(recipe: Recipe) -> Recipe:
    return recipe.replace(match_size=True)


@pytest.mark.parametrize("diameter", [None, 16.0, 19.0, 300.0])
def test_what_fits_or_cannot_be_known_stays(samples, recipe, diameter) -> None:
    found = match_sizes(samples, validation=None, start=start_of(recipe, diameter=diameter), recipe=recipe)
    assert found.samples is samples
    assert (found.learnt, found.note, found.recipe.decoding.diameter) == (None, "", None)
    assert match_sizes(samples, validation=None, start=None, recipe=recipe).samples is samples


def test_larger_objects_are_shrunk_to_the_size_that_is_known(samples, recipe) -> None:
    start = start_of(recipe, diameter=8.0)
    found = match_sizes(samples, validation=samples[:1], start=start, recipe=recipe)
    assert found.learnt == 8
    assert found.recipe.decoding.diameter == pytest.approx(16, abs=1)
    assert found.samples[0].labels.shape == found.validation[0].labels.shape
    assert 31 <= len(found.samples[0].labels) <= 34
    assert len(np.unique(found.samples[0].labels)) == 5
    assert "shrunk to 0.5" in found.note
    off = recipe.replace(match_size=False)
    assert match_sizes(samples, validation=None, start=start, recipe=off).samples is samples


def test_image_and_labels_stay_on_each_other() -> None:
    sample = draw_sample(0)
    for factor in (0.5, 0.7, 1.8):
        found = match(replace(sample, pixel_size=(1.0, 1.0)), factor=factor)
        is_cell = found.image[0] > 750
        assert np.mean(is_cell != (found.labels > 0)) < 0.02
        assert found.pixel_size == (1 / factor, 1 / factor)
        assert set(np.unique(found.labels)) == set(np.unique(sample.labels))


def test_unknown_pixels_stay_unknown() -> None:
    labels = np.full((20, 20), -1, np.int32)
    labels[4:12, 4:12] = 3
    found = match(Sample(np.zeros((1, 20, 20), np.float32), labels, "a"), factor=0.5)
    assert set(np.unique(found.labels)) == {-1, 3}
    assert np.count_nonzero(found.labels == 3) == 16


def test_the_new_model_is_used_at_the_size_of_its_images(samples, recipe, tmp_path) -> None:
    start, output = start_of(recipe, diameter=8.0), tmp_path / "new.safetensors"
    live = Live(read=lambda _: samples)
    live.relabel([])
    live.look(Field(lambda: samples[0].image, samples[0].name, (slice(0, 64), slice(0, 64)), "here"))
    events = []
    job = train.run(samples, recipe=recipe.replace(patch=(32, 32)), output=output, start=start, live=live)
    while True:
        try:
            events.append(next(job))
        except StopIteration as end:
            card = end.value
            break
    assert any("shrunk" in event.message for event in events if isinstance(event, Note))
    assert any(isinstance(event, Relabelled) for event in events)
    assert [event.labels.shape for event in events if isinstance(event, Previewed)] == [(64, 64)]
    assert card.object_diameter == 8
    assert card.decoding.diameter == pytest.approx(16, abs=1)
    assert card.decoding.min_size == pytest.approx(np.pi * 16 / 8, abs=2)  # an eighth of a disc 8 px wide
    assert card.usual_decoding == card.decoding


def test_an_earlier_diameter_is_not_handed_on(samples, recipe, tmp_path) -> None:
    start = start_of(recipe, diameter=16.0)
    old = recipe.replace(decoding=recipe.decoding.replace(diameter=40.0))
    card = finish(train.run(samples, recipe=old, output=tmp_path / "new.safetensors", start=start))
    assert card.decoding.diameter is None
