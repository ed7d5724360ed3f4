"""Measuring how large objects are: the scale at which a model is surest, and the image as it is if in doubt."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from tests.tasks.test_scaled import model_of

from napari_unetseg.images.read import from_array
from napari_unetseg.models import library
from napari_unetseg.schema.config import TilingConfig
from napari_unetseg.schema.decoding import DecodingConfig
from napari_unetseg.schema.events import Note
from napari_unetseg.tasks import segment
from napari_unetseg.tasks.diameter import Trial, choose, measure_diameter, sentence, settle
from napari_unetseg.tasks.jobs import finish
from napari_unetseg.tasks.model import Model, load_model
from napari_unetseg.tasks.predict import Predictor
from napari_unetseg.tasks.scaled import factor_of
from napari_unetseg.tasks.volumes import model_for, planes_of


@pytest.fixture(scope="module")
def nuclei() -> Model:
    return load_model(library.find("nuclei"))


def discs(diameter: float, *, size: int) -> np.ndarray:
    """Bright discs of one diameter in rows, twice as far apart, with soft borders, on a slightly noisy ground."""
    y, x = np.mgrid[:size, :size] % round(2 * diameter) - diameter
    edge = np.clip((diameter / 2 - np.hypot(y, x)) / max(1.0, diameter / 20) + 0.5, 0, 1)
    return (200 + 1000 * edge + np.random.default_rng(0).normal(0, 10, (size, size))).astype(np.uint16)


def measured(image: np.ndarray, model: Model) -> float | None:
    predictor = Predictor(model.network, target=model.card.target, tiling=TilingConfig(precision="float32"))
    return finish(measure_diameter(from_array(image), model=model, predictor=predictor, channels=[0]))


def test_objects_that_the_model_knows_are_left_alone(nuclei: Model) -> None:
    assert measured(discs(22, size=200), nuclei) is None


@pytest.mark.parametrize("diameter", [4.0, 160.0])
def test_small_and_large_objects_are_measured(nuclei: Model, diameter: float) -> None:
    found = measured(discs(diameter, size=64 if diameter < 10 else 800), nuclei)
    assert found == pytest.approx(diameter, rel=0.3)


def test_an_image_of_nothing_is_taken_as_it_is(nuclei: Model) -> None:
    noise = np.random.default_rng(0).normal(500, 30, (150, 150)).astype(np.uint16)
    assert measured(noise, nuclei) is None
    assert measured(np.zeros((70, 70), np.uint16), nuclei) is None


def test_a_single_object_is_no_reason_to_scale(nuclei: Model) -> None:
    """A large blob with spots inside: enlarged, the model takes those for several cells and is fairly sure of them."""
    rng, (y, x) = np.random.default_rng(0), np.mgrid[:160, :160]
    blob = (np.hypot(y - 80, x - 80) < 30) * (1 + 3 * ndimage.gaussian_filter(rng.normal(size=(160, 160)), 2))
    image = ndimage.gaussian_filter(blob, 1.2) * 200 + 20 + 3 * rng.normal(size=blob.shape)
    assert measured(image.clip(0).astype(np.float32), nuclei) is None


def test_of_three_axes_planes_are_measured(nuclei: Model) -> None:
    """The model knows the diameter of outlines; voxels that are four times as high make balls seem smaller."""
    stack = np.repeat(discs(5, size=64)[None], 3, axis=0)
    source = from_array(stack, axes="ZYX")
    decoding = nuclei.card.usual_decoding.replace(three_axes=True, z_step=4)
    model = model_for(source, model=nuclei, decoding=decoding)
    tiling = TilingConfig(precision="float32")
    found = {}
    for one in (model, nuclei):
        predictor = Predictor(one.network, target=one.card.target, tiling=tiling)
        settling = settle(source, model=one, predictor=predictor, channels=[0], decoding=decoding)
        found[one.card.network.ndim] = finish(settling).diameter
    assert found[3] == found[2] == pytest.approx(5, rel=0.3)
    assert planes_of(model).network is nuclei.network
    assert planes_of(model).card == nuclei.card
    assert planes_of(nuclei) is nuclei


def test_another_scale_must_be_clearly_better() -> None:
    card = model_of(20).card
    here = Trial(1.0, 0.88, 10.0)
    assert choose([here, Trial(0.5, -1.0, 0.0), Trial(2.0, 0.90, 9.0)], card=card) is None
    assert choose([here, Trial(0.5, -1.0, 0.0), Trial(2.0, 0.93, 9.0)], card=card) == 9.0
    assert choose([here, Trial(0.5, 0.95, 18.0)], card=card) is None  # that size is no other
    assert choose([Trial(1.0, -1.0, 0.0), Trial(0.25, 0.9, 900.0)], card=card) == 160.0
    odd = model_of(20.31).card
    assert factor_of(odd, diameter=choose([here, Trial(0.25, 0.95, 900.0)], card=odd)) == 1 / 8
    assert factor_of(odd, diameter=choose([here, Trial(4.0, 0.95, 1.0)], card=odd)) == 4


def test_what_is_chosen_is_told_and_stays_within_the_result() -> None:
    model = model_of(20)
    assert "84 px wide: the image is shrunk to 0.24" in sentence(model.card, diameter=84)
    assert "enlarged to 2.5" in sentence(model.card, diameter=8)
    assert sentence(model.card, diameter=20) == sentence(model.card, diameter=None) == ""


def test_auto_gives_what_the_measured_diameter_gives(nuclei: Model) -> None:
    image = discs(5, size=70)
    job = segment.run(from_array(image), model=nuclei, decoding=nuclei.card.usual_decoding)
    notes = []
    while True:
        try:
            event = next(job)
        except StopIteration as end:
            result = end.value
            break
        notes += [event.message] if isinstance(event, Note) else []
    assert isinstance(result.decoding.diameter, float)
    assert any("the image is enlarged" in note for note in notes)
    assert result.decoding.min_size < nuclei.card.decoding.min_size
    np.testing.assert_array_equal(
        result.labels, segment.segment(image, model=nuclei, diameter=result.decoding.diameter)
    )
    assert result.objects >= 30


def test_the_usual_decoding_measures_only_where_a_size_is_known() -> None:
    card = model_of(20).card
    assert card.usual_decoding.diameter == "auto"
    assert model_of(None).card.usual_decoding.diameter is None
    assert card.replace(decoding=DecodingConfig(diameter=80)).usual_decoding.diameter == 80
