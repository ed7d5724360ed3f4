"""`train`: a model out of folders, recipes, and everything that would lose a model refused."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import get_args

import pytest
from PIL import Image

from napari_unetseg.cli.layers import RecipeLayers
from napari_unetseg.models.file import read_card
from napari_unetseg.schema.config import WEIGHTLESS, LossKind
from napari_unetseg.schema.events import Saved, StepDone

TINY = ("--width", 4, "--depth", 2, "--patch", 32, "--batch", 1)
"""Options for a network that takes a step in no time."""


@pytest.fixture
def never(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail if training starts."""

    def started(*args, **options):
        raise AssertionError("training started")

    monkeypatch.setattr("napari_unetseg.tasks.train.run", started)


def test_train_writes_a_model_that_segments(run, images, truth):
    result = run("train", images, truth, "-o", "mine.safetensors", "--steps", 2, "--seed", 3, *TINY)
    assert result.code == 0, result.err
    card = read_card("mine.safetensors")
    assert card.name == "mine"
    assert (card.network.width, card.network.depth) == (4, 2)
    assert card.training.steps in (1, 2)  # that of the best score
    assert card.training.recipe.seed == 3
    assert card.training.data == "images with truth"  # no private path
    assert "next: napari-unetseg segment" in result.out
    assert "validation score" in result.out
    assert sorted(path.name for path in Path().glob("*.safetensors")) == ["mine.safetensors"]
    assert run("segment", images / "a.tif", "-o", "out", "-m", "mine.safetensors").code == 0


def test_train_leaves_a_log_and_a_picture_of_its_curves(run, images, truth):
    result = run("train", images, truth, "-o", "mine.safetensors", "--steps", 2, "--json", *TINY)
    assert result.code == 0, result.err
    assert (result.json["log"], result.json["curves"]) == ("mine.log.csv", "mine.curves.png")
    rows = list(csv.DictReader(Path("mine.log.csv").read_text(encoding="utf-8").splitlines()))
    assert [row["step"] for row in rows] == ["1", "2"]
    assert all(row["mean_ap"] and row["loss"] for row in rows)
    with Image.open("mine.curves.png") as picture:
        assert picture.size[0] > 300


def test_json_is_one_object(run, images, truth):
    result = run("train", images, truth, "-o", "m.safetensors", "--steps", 1, "--val", 0, "--json", *TINY)
    assert result.code == 0, result.err
    assert result.json["steps"] == 1
    assert result.json["images"] == 3
    assert result.json["model"] == "m.safetensors"


def test_options_win_over_the_recipe(run, images, truth):
    Path("r.toml").write_text(
        "steps = 9\nbatch = 3\nminutes = 7.0\n[network]\nwidth = 4\ndepth = 1\n[target]\nkind = 'distance'\n"
    )
    result = run(
        "train",
        images,
        truth,
        "-o",
        "m.safetensors",
        "--recipe",
        "r.toml",
        "--steps",
        1,
        "--depth",
        2,
        "--patch",
        "32,32",
    )
    assert result.code == 0, result.err
    recipe = read_card("m.safetensors").training.recipe
    assert (recipe.steps, recipe.minutes, recipe.batch, recipe.patch) == (1, None, 3, (32, 32))
    assert (recipe.network.width, recipe.network.depth, recipe.network.out_channels) == (4, 2, 3)
    assert recipe.target.kind == "distance"


@pytest.mark.parametrize("loss", get_args(LossKind))
def test_every_loss_trains(run, images, truth, loss):
    words = ("--loss", loss, "--target", "distance", "--steps", 2, "--val", 0)
    result = run("train", images, truth, "-o", "m.safetensors", *words, *TINY)
    assert result.code == 0, result.err
    assert read_card("m.safetensors").training.recipe.loss.kind == loss
    told = "weighs all pixels alike: w0 and class weights do nothing but in the distance" in " ".join(
        result.err.split()
    )
    assert told == (loss in WEIGHTLESS)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("--loss", "lovas_hinge"),
            "there is no loss 'lovas_hinge'; known: cross_entropy, .*; did you mean 'lovasz_hinge'?",
        ),
        (
            ("--loss", "lovasz_hinge"),
            "tells two classes apart, but the target 'both' has 3; use the loss 'lovasz_softmax'",
        ),
        (("--loss", "lovasz_softmax", "--unlabelled"), r"nobody has annotated are to weigh less \(unlabelled 0.1,"),
    ],
)
def test_a_loss_that_does_not_fit_is_refused_before_images_are_read(run, images, truth, never, words, message):
    (images / "a.tif").write_bytes(b"no image")
    result = run("train", images, truth, "-o", "m.safetensors", *words, *TINY)
    assert result.code == 2
    assert re.search(message, " ".join(result.err.split()))


def test_twenty_minutes_unless_told_otherwise():
    assert RecipeLayers({}, file=None, patch=None).recipe(None).minutes == 20
    assert RecipeLayers({"steps": 5}, file=None, patch=None).recipe(None).minutes is None


def test_unlabelled_reaches_the_recipe(run, images, truth):
    result = run("train", images, truth, "-o", "m.safetensors", "--steps", 1, "--unlabelled", *TINY)
    assert result.code == 0, result.err
    recipe = read_card("m.safetensors").training.recipe
    assert recipe.unlabelled_is_background is False
    assert recipe.weights.unlabelled > 0


def test_from_takes_network_and_target_of_the_model(run, images, truth, model):
    result = run("train", images, truth, "-o", "finer.safetensors", "--from", model, "--steps", 1, "--patch", 32)
    assert result.code == 0, result.err
    card = read_card("finer.safetensors")
    assert card.target.kind == "boundary"
    assert card.network == read_card(model).network


def test_from_with_another_network_is_refused(run, images, truth, model):
    result = run("train", images, truth, "-o", "f.safetensors", "--from", model, "--width", 8, "--steps", 1)
    assert result.code == 2
    assert "another network or target than its own: --width 8 (model: 4); leave out --width," in " ".join(
        result.err.split()
    )
    Path("r.toml").write_text("[target]\nkind = 'distance'\n")
    words = ("--recipe", "r.toml", "--set", "dropout=0.5")
    result = run("train", images, truth, "-o", "f.safetensors", "--from", model, *words, "--steps", 1)
    assert "leave out --set dropout, target.kind, or start without a model" in " ".join(result.err.split())


def test_an_existing_model_is_refused_before_any_work(run, images, truth, never):
    Path("m.safetensors").write_bytes(b"precious")
    result = run("train", images, truth, "-o", "m.safetensors", "--steps", 1)
    assert result.code == 2
    assert "m.safetensors" in result.err
    assert "--overwrite" in result.err
    assert Path("m.safetensors").read_bytes() == b"precious"


def test_overwrite_replaces_the_model(run, images, truth):
    Path("m.safetensors").write_bytes(b"old")
    assert run("train", images, truth, "-o", "m.safetensors", "--steps", 1, "--overwrite", *TINY).code == 0
    assert read_card("m.safetensors").name == "m"


def test_an_interrupted_run_is_not_lost(run, images, truth, never):
    Path("m.checkpoint.safetensors").write_bytes(b"checkpoint")
    result = run("train", images, truth, "-o", "m.safetensors", "--steps", 1)
    assert result.code == 2
    assert "--resume" in result.err


def test_resume_without_a_checkpoint_is_refused(run, images, truth, never):
    result = run("train", images, truth, "-o", "m.safetensors", "--steps", 1, "--resume")
    assert result.code == 2
    assert "no such checkpoint" in result.err


def test_resuming_what_has_finished_says_how_to_go_on(run, images, truth, never):
    Path("m.safetensors").write_bytes(b"finished")
    result = run("train", images, truth, "-o", "m.safetensors", "--steps", 1, "--resume")
    assert result.code == 2
    assert "m.safetensors: this training has finished" in result.err
    assert "--from m.safetensors" in result.err


def test_ctrl_c_then_resume_gives_the_model_of_an_unbroken_run(run, images, truth, monkeypatch):
    from napari_unetseg.models.file import load
    from napari_unetseg.tasks import train as task

    words = ("train", images, truth, "--steps", 4, "--val", 0, *TINY)
    Path("r.toml").write_text("validate_every = 0.25\nprecision = 'float32'\n")
    assert run(*words, "-o", "unbroken.safetensors", "--recipe", "r.toml").code == 0

    original = task.run

    def stopped(*args, **options):
        for event in original(*args, **options):
            yield event
            if isinstance(event, Saved) and "checkpoint" in event.path.name:
                raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(task, "run", stopped)
        result = run(*words, "-o", "broken.safetensors", "--recipe", "r.toml")
    assert result.code == 130
    assert "--resume" in result.err
    assert "broken.safetensors" in result.err
    assert Path("broken.safetensors").exists()
    result = run(*words, "-o", "broken.safetensors", "--recipe", "r.toml", "--resume")
    assert result.code == 0, result.err
    weights, resumed = load("unbroken.safetensors")[1], load("broken.safetensors")[1]
    assert all((weights[name] == resumed[name]).all() for name in weights)


def test_ctrl_c_before_anything_is_saved_says_so(run, images, truth, monkeypatch):
    def stopped(*args, **options):
        yield StepDone(1, 1.0, 1e-3, 0.1, 0.1)
        raise KeyboardInterrupt

    monkeypatch.setattr("napari_unetseg.tasks.train.run", stopped)
    result = run("train", images, truth, "-o", "m.safetensors", "--steps", 5, "--json")
    assert result.code == 130
    assert "nothing was saved yet" in result.json["error"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--recipe", "bad.toml"), "unknown key 'network.widht'"),
        (("--recipe", "none.toml"), "none.toml"),
        (("--network", "transformer"), "unknown architecture 'transformer'"),
        (("--val", 1.5), "validation"),
        (("--steps", 0), "steps"),
        (("--patch", "32,32,32"), "--patch"),
        (("--patch", "big"), "--patch"),
        (("--channel", 7), "7"),
        (("--from", "nothing-like-it"), "nothing-like-it"),
        (("-o", "m.pt"), ".safetensors"),
        (("-o", "nowhere/m.safetensors"), "nowhere"),
        (("--resume", "--overwrite"), "exclude each other"),
    ],
)
def test_what_cannot_be_is_refused(run, images, truth, words, message):
    Path("bad.toml").write_text("[network]\nwidht = 4\n")
    output = () if "-o" in words else ("-o", "m.safetensors")
    steps = () if "--steps" in words else ("--steps", 1)
    result = run("train", images, truth, *output, *steps, *words)
    assert result.code == 2, result.err
    assert message in result.err
    assert "Traceback" not in result.err
    assert not Path("m.safetensors").exists()


def test_images_without_labels_are_named(run, images, truth):
    (truth / "b.tif").unlink()
    result = run("train", images, truth, "-o", "m.safetensors", "--steps", 1)
    assert result.code == 2
    assert "b.tif" in result.err
    assert run("train", "none", truth, "-o", "m.safetensors").code == 2


def test_one_mask_per_cell_is_understood_and_told(run, images, draw):
    from PIL import Image

    for name, count in (("a", 4), ("b", 2), ("c", 1)):
        Path("masks", name).mkdir(parents=True)
        for cell in range(1, count + 1):
            Image.fromarray((draw(count)[1] == cell).astype("uint8") * 255).save(f"masks/{name}/{cell}.png")
    result = run("train", images, "masks", "-o", "m.safetensors", "--steps", 1, "--val", 0, "--json", *TINY)
    assert result.code == 0, result.err
    assert result.json["objects"] == 7
    assert "note: masks: 3 folders of masks, one mask per cell (as masks/a)" in result.err
    assert "note: masks: 7 masks merged into 3 label maps" in result.err


def test_a_start_model_decides_about_grey_pictures_in_colour(model, tmp_path, monkeypatch):
    from napari_unetseg.tasks.model import load_model

    monkeypatch.chdir(tmp_path)
    Path("r.toml").write_text("[network]\nin_channels = 3\n")
    assert RecipeLayers({}, file=None, patch=None).in_channels(None) is None
    assert RecipeLayers({}, file=Path("r.toml"), patch=None).in_channels(None) == 3
    assert RecipeLayers({}, file=Path("r.toml"), patch=None).in_channels(load_model(model)) == 1


def test_three_axes_are_for_2d_networks(run, images, truth, never):
    result = run("train", images, truth, "-o", "m.safetensors", "--ndim", 3, "--three-axes")
    assert result.code == 2
    assert "sees all three axes by itself" in result.err
    assert not Path("m.safetensors").exists()
