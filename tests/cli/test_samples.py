"""Pictures of held-back images, one at each validation, beside the model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_unetseg.cli import samples as module
from napari_unetseg.cli.destination import check_output
from napari_unetseg.cli.sample_folder import check_samples, clear_samples, samples_of
from napari_unetseg.cli.samples import FOUND, TRUTH, Samples
from napari_unetseg.labels.outlines import COLOURS
from napari_unetseg.models.library import checkpoint_of
from napari_unetseg.schema.errors import InputError
from napari_unetseg.schema.events import Sampled, StepDone, Validated

MODEL = Path("mine.safetensors")
TINY = ("--width", 4, "--depth", 2, "--patch", 32, "--batch", 1)


def step(number):
    return StepDone(number, 1.0, 1e-3, 1.0, 0.5)


def scored(number, **facts):
    return Validated(number, ap50=0.5, mean_ap=0.4, is_kept=True, seconds=1.0, **facts)


def sampled(*, classes=(), channels=1):
    """A square in the truth on the left, and what was found on the right of it."""
    truth, found = np.zeros((2, 64, 64), np.int32)
    truth[8:24, 8:24], found[40:56, 40:56] = 1, 2
    return Sampled("a.tif", np.full((channels, 64, 64), 0.2, np.float32), truth, found, 0.5, classes)


@pytest.fixture
def written(monkeypatch, tmp_path):
    """The steps of pictures as they are drawn, each an empty file."""
    monkeypatch.chdir(tmp_path)
    seen = []

    def write(samples, *, path, title):
        seen.append((path.as_posix(), len(samples), title))
        path.touch()

    monkeypatch.setattr(module, "write_samples", write)
    return seen


def test_each_validation_leaves_a_picture_of_what_it_handed_out(written):
    pictures = Samples(MODEL)
    for event in (step(1), sampled(), sampled(), scored(1), step(2), scored(2), step(3), sampled(), step(4), scored(4)):
        pictures.add(event)  # none are handed out at step 2; at step 3 the validation is broken off
    assert written == [("mine.samples/step_000001.png", 2, "mine, step 1: AP at IoU 0.5 0.500")]


def test_a_run_that_goes_on_keeps_what_was_before_it(written):
    folder = samples_of(MODEL)
    folder.mkdir()
    for name in ("step_000010.png", "step_000020.png", "notes.txt"):
        (folder / name).touch()
    Samples(MODEL).add(step(11))
    assert {path.name for path in folder.iterdir()} == {"step_000010.png", "notes.txt"}
    clear_samples(MODEL)
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def test_pictures_of_an_earlier_run_are_refused_other_files_are_not(written):
    check_samples(MODEL)
    samples_of(MODEL).mkdir()
    (samples_of(MODEL) / "notes.txt").touch()
    check_samples(MODEL)
    (samples_of(MODEL) / "step_000010.png").touch()
    with pytest.raises(InputError, match="earlier run; choose another model name or give --overwrite"):
        check_samples(MODEL)


def test_a_file_with_the_name_of_the_folder_is_refused(written):
    samples_of(MODEL).touch()
    for words in ({}, {"resume": True}, {"overwrite": True}):
        checkpoint_of(MODEL).touch() if "resume" in words else checkpoint_of(MODEL).unlink(missing_ok=True)
        with pytest.raises(InputError, match="a file has it"):
            check_output(MODEL, has_samples=True, **{"resume": False, "overwrite": False, **words})


@pytest.mark.parametrize("channels", [1, 3])
def test_truth_and_what_was_found_have_outlines_of_their_own_colour(tmp_path, channels):
    sample = sampled(channels=channels)
    picture = module._painted(sample, sample.truth, colour=TRUTH)
    assert picture.shape == (256, 256, 3)
    assert (picture[32, 40] == TRUTH).all()
    assert (picture[64, 64] == 51).all()  # the inside is the image
    assert not (picture == FOUND).all(axis=-1).any()
    path = module.write_samples([sample, sample], path=tmp_path / "a.png", title="two")
    with Image.open(path) as drawn:
        assert drawn.size[0] < 1000
        assert drawn.size[1] < 700


def test_classes_are_painted_and_what_nobody_annotated_is_not():
    sample = sampled(classes=("nucleus", "dividing"))
    sample.found[0, 0] = -1
    picture = module._painted(sample, sample.found, colour=FOUND)
    assert (picture[45, 45] == 51 // 2 + COLOURS[1] // 2).all()
    assert (picture[0, 0] == 51).all()


def test_classes_that_occur_are_named_in_their_colours(tmp_path):
    """The truth has class 1, and 2 was found."""
    classes = ("nucleus", "dividing", "dead")
    legend = module._legend([sampled(classes=classes)])
    assert [patch.get_label() for patch in legend] == ["nucleus", "dividing"]
    assert [patch.get_facecolor()[:3] for patch in legend] == [tuple(colour / 255) for colour in COLOURS[:2]]
    assert module._legend([sampled()]) == []
    heights = []
    for sample in (sampled(), sampled(classes=classes)):
        with Image.open(module.write_samples([sample], path=tmp_path / "a.png", title="one")) as drawn:
            heights.append(drawn.size[1])
    assert heights[1] - heights[0] == 20


def test_train_draws_samples_and_goes_on_or_starts_again_as_with_the_model(run, images, truth):
    words = ("train", images, truth, "-o", "mine.safetensors", "--steps", 2, "--samples", 5, *TINY)
    result = run(*words, "--json")
    assert result.code == 0, result.err
    assert result.json["samples"] == "mine.samples"
    names = [f"step_{number:06d}.png" for number in (1, 2)]
    assert sorted(path.name for path in Path("mine.samples").iterdir()) == names
    Path("mine.safetensors").unlink()
    assert "samples of an earlier run" in run(*words).err
    Path("mine.samples/step_000009.png").touch()
    assert run("train", images, truth, "-o", "mine.safetensors", "--steps", 1, "--overwrite", *TINY).code == 0
    assert not list(Path("mine.samples").iterdir())


def test_without_images_held_back_there_are_none_and_a_note_says_so(run, images, truth):
    words = ("--steps", 1, "--val", 0, "--samples", 2, *TINY)
    result = run("train", images, truth, "-o", "mine.safetensors", *words)
    assert result.code == 0, result.err
    assert "no images are held back, so there are no samples to show" in result.err
    assert not Path("mine.samples").exists()
