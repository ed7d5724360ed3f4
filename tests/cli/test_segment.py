"""`segment`: what is written, what is refused, and how one bad file is told."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from napari_unetseg.images.read import read_labels
from napari_unetseg.images.results import REPORT
from napari_unetseg.models import file
from napari_unetseg.schema.events import ItemDone, TileDone


def names_in(folder: Path) -> list[str]:
    """Return the results in a folder: neither hidden files nor the report."""
    return sorted(path.name for path in folder.iterdir() if path.name[0] != "." and path.name != REPORT)


def test_a_folder_gives_labels_and_a_table_for_each_image(run, images, model, draw):
    result = run("segment", images, "-o", "out", "-m", model)
    assert result.code == 0, result.err
    assert names_in(Path("out")) == [f"{stem}_{what}" for stem in "abc" for what in ("labels.tif", "objects.csv")]
    assert f"look at all of them: {Path('out', REPORT)}" in result.out
    labels = tifffile.imread("out/a_labels.tif")
    assert labels.dtype == np.uint32
    np.testing.assert_array_equal(labels, draw(4)[1])
    assert len(pd.read_csv("out/a_objects.csv")) == 4
    assert "3 done: 7 objects" in result.out
    assert result.out.startswith("file ")


def test_labels_do_not_depend_on_the_tile(run, images, model):
    assert run("segment", images, "-o", "whole", "-m", model).code == 0
    assert run("segment", images, "-o", "tiled", "-m", model, "--tile", 16).code == 0
    for name in ("a_labels.tif", "b_labels.tif"):
        np.testing.assert_array_equal(tifffile.imread(f"whole/{name}"), tifffile.imread(f"tiled/{name}"))


def test_views_are_run_noted_down_and_checked(run, images, model):
    result = run("segment", images, "-o", "out", "-m", model, "--views", 3)
    assert result.code == 2
    assert "--views: input should be 1, 2, 4 or 8, got 3" in result.err
    assert run("segment", images, "-o", "out", "-m", model, "--views", 8, "--json").json["objects"] == 7
    again = run("segment", images, "-o", "out", "-m", model, "--resume")
    assert again.code == 2
    assert "views 8, now 1" in again.err


def test_three_axes_make_cells_of_a_stack_and_exclude_linking(run, model, draw):
    plane, truth = draw(4)
    tifffile.imwrite("stack.tif", np.stack([plane] * 6), metadata={"axes": "ZYX"})
    result = run("segment", "stack.tif", "-o", "out", "-m", model, "--three-axes", "--z-step", 2, "--json")
    assert result.code == 0, result.err
    assert result.json["objects"] == 4
    np.testing.assert_array_equal(tifffile.imread("out/stack_labels.tif") > 0, np.stack([truth > 0] * 6))
    again = run("segment", "stack.tif", "-o", "out", "-m", model, "--three-axes", "--resume")
    assert "z_step 2, now None" in again.err
    result = run("segment", "stack.tif", "-o", "both", "-m", model, "--three-axes", "--link")
    assert result.code == 2
    assert "exclude each other" in result.err
    result = run("segment", "stack.tif", "-o", "alone", "-m", model, "--z-step", 2)
    assert result.code == 2
    assert "--z-step 2 is for --three-axes" in result.err
    result = run("segment", "stack.tif", "-o", "flat", "-m", model, "--three-axes", "--axes", "CYX", "--channel", 0)
    assert result.code == 1
    assert "no Z axis" in result.err


def test_json_is_one_object(run, images, model):
    result = run("segment", images, "-o", "out", "-m", model, "--json")
    assert result.code == 0
    assert result.json["objects"] == 7
    assert (result.json["done"], result.json["kept"], result.json["failed"]) == (3, 0, 0)
    first = result.json["items"][0]
    assert (first["status"], first["axes"], first["objects"]) == ("done", "YX", 4)
    assert Path(first["output"]) == Path("out/a_labels.tif")
    assert "a.tif" in result.err  # the table is for people


def test_one_bad_file_is_named_and_the_rest_is_finished(run, images, model):
    (images / "b.tif").write_bytes(b"this is no image")
    result = run("segment", images, "-o", "out", "-m", model)
    assert result.code == 1
    lines = [line for line in result.err.splitlines() if "failed" in line]
    assert len(lines) == 2
    assert lines[0].startswith("failed: ")
    assert "b.tif" in lines[0]
    assert lines[1].startswith("1 failed: the lines above that begin with 'failed:'")
    assert "\nfailed:" not in result.out
    assert "Traceback" not in result.err
    assert names_in(Path("out")) == ["a_labels.tif", "a_objects.csv", "c_labels.tif", "c_objects.csv"]
    result = run("segment", images, "-o", "other", "-m", model, "--json")
    assert (result.code, result.json["done"], result.json["failed"]) == (1, 2, 1)
    assert result.json["items"][1]["error"]


def test_existing_results_are_refused_and_named(run, images, model):
    assert run("segment", images / "a.tif", "-o", "out", "-m", model).code == 0
    before = Path("out/a_labels.tif").stat().st_mtime_ns
    result = run("segment", images, "-o", "out", "-m", model)
    assert result.code == 2
    assert "a_labels.tif" in result.err
    assert "--resume" in result.err
    assert Path("out/a_labels.tif").stat().st_mtime_ns == before
    assert names_in(Path("out")) == ["a_labels.tif", "a_objects.csv"]


def test_resume_keeps_what_is_there_and_does_the_rest(run, images, model):
    assert run("segment", images / "a.tif", "-o", "out", "-m", model).code == 0
    before = Path("out/a_labels.tif").stat().st_mtime_ns
    result = run("segment", images, "-o", "out", "-m", model, "--resume", "--json")
    assert result.code == 0
    assert Path("out/a_labels.tif").stat().st_mtime_ns == before
    assert [item["status"] for item in result.json["items"]] == ["kept", "done", "done"]


def test_overwrite_replaces(run, images, model):
    out = Path("out")
    out.mkdir()
    tifffile.imwrite(out / "a_labels.tif", np.zeros((3, 3), np.uint8))
    result = run("segment", images / "a.tif", "-o", out, "-m", model, "--overwrite")
    assert result.code == 0
    assert tifffile.imread(out / "a_labels.tif").max() == 4


def test_ctrl_c_tells_what_is_done_and_how_to_go_on(run, images, model, monkeypatch):
    def stopped(inputs, **options):
        yield TileDone(1, 1, "a.tif")
        yield ItemDone("a.tif", 1, 3, Path("out/a_labels.tif"), 4, 0.5)
        raise KeyboardInterrupt

    monkeypatch.setattr("napari_unetseg.tasks.batch.segment_files", stopped)
    result = run("segment", images, "-o", "out", "-m", model, "--json")
    assert result.code == 130
    assert "1 of 3 images done" in result.json["error"]
    assert "--resume" in result.err


def test_a_real_stop_leaves_no_half_file(run, images, model, monkeypatch):
    from napari_unetseg.tasks import segment

    def interrupted(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(segment, "decode", interrupted)
    assert run("segment", images, "-o", "out", "-m", model).code == 130
    assert names_in(Path("out")) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--tile", 50), "multiple of 4, got 50; use 52"),
        (("--threshold", 2), "--threshold"),
        (("--min-size", -1), "--min-size"),
        (("--diameter", "wide"), "'auto' or 'none'; got 'wide'"),
        (("--diameter", -4), "above 0"),
        (("--diameter", 80), "does not know how large its objects are"),
        (("--channel", "x"), "--channel"),
        (("--device", "tpu"), "--device"),
        (("--device", "cuda:99"), "cuda:99"),
        (("--resume", "--overwrite"), "exclude each other"),
        (("--model", "nothing-like-it"), "nothing-like-it"),
        (("--model", "missing.safetensors"), "missing.safetensors"),
    ],
)
def test_what_cannot_be_is_refused_before_any_work(run, images, model, words, message):
    options = ("--model", model) if "--model" not in words else ()
    result = run("segment", images, "-o", "out", *options, *words)
    assert result.code == 2
    assert message in result.err
    assert "Traceback" not in result.err
    assert not Path("out").exists()


def test_no_input_is_wrong_usage(run, tmp_path, model):
    (tmp_path / "empty").mkdir()
    for given in ("empty", "missing.tif", "*.tif"):
        assert run("segment", given, "-o", "out", "-m", model).code == 2


def test_a_file_as_output_folder_is_refused(run, images, model):
    result = run("segment", images, "-o", images / "a.tif", "-m", model)
    assert result.code == 2
    assert "folder" in result.err


def test_output_inside_the_input_folder_is_never_an_input(run, images, model):
    assert run("segment", images, "-o", images, "-m", model).code == 0
    result = run("segment", images, "-o", images, "-m", model, "--resume", "--json")
    assert result.code == 0
    assert [Path(item["input"]).name for item in result.json["items"]] == ["a.tif", "b.tif", "c.tif"]


def test_equal_stems_do_not_share_an_output(run, images, model):
    from skimage.io import imsave

    imsave(images / "a.png", tifffile.imread(images / "b.tif").astype(np.uint16), check_contrast=False)
    result = run("segment", images, "-o", "out", "-m", model, "--json")
    assert result.code == 0, result.err
    outputs = {item["output"] for item in result.json["items"]}
    assert len(outputs) == 4
    assert sorted(tifffile.imread(name).max() for name in outputs) == [1, 2, 2, 4]


@pytest.mark.skipif(os.name == "nt", reason="these names are not allowed there")
@pytest.mark.parametrize(
    "name", ["with blanks.tif", "t=1:2.tif", "-leading.tif", "Zélé µm.tif", "Ze\u0301le.tif", "[1].tif"]
)
def test_names_survive(run, images, model, name):
    shutil.copy(images / "a.tif", name)
    result = run("segment", "-o", "out", "-m", model, "--json", "--", name)
    assert result.code == 0, result.err
    assert Path(result.json["items"][0]["output"]).name == name.removesuffix(".tif") + "_labels.tif"
    assert names_in(Path("out")) == sorted([name[:-4] + "_labels.tif", name[:-4] + "_objects.csv"])


def test_a_guess_of_the_axes_is_shown(run, model, draw):
    np.save("stack.npy", np.stack([draw(4)[0]] * 3))
    result = run("segment", "stack.npy", "-o", "out", "-m", model, "--json")
    assert result.code == 0, result.err
    assert result.json["items"][0]["axes"] == "ZYX (guess)"
    assert any("ZYX" in note for note in result.json["notes"])
    assert result.json["objects"] == 12
    result = run("segment", "stack.npy", "-o", "linked", "-m", model, "--axes", "ZYX", "--link", "--json")
    assert result.json["objects"] == 4
    assert result.json["items"][0]["axes"] == "ZYX"


def test_channels_have_to_be_chosen(run, model, draw):
    two = np.stack([np.zeros((64, 64), np.uint16), draw(4)[0]])
    tifffile.imwrite("two.ome.tif", two, metadata={"axes": "CYX"})
    result = run("segment", "two.ome.tif", "-o", "out", "-m", model)
    assert result.code == 1
    assert "--channel" in result.err
    result = run("segment", "two.ome.tif", "-o", "out", "-m", model, "-c", 1, "--json")
    assert result.code == 0, result.err
    assert result.json["objects"] == 4


def test_zarr_out(run, images, model, draw):
    import zarr

    result = run("segment", images / "a.tif", "-o", "out", "-m", model, "--format", "zarr")
    assert result.code == 0, result.err
    np.testing.assert_array_equal(zarr.open("out/a_labels.zarr/0", mode="r")[:], draw(4)[1])


def test_objects_are_brought_to_the_size_that_the_model_has_learnt(run, images, model, draw, tmp_path):
    card, weights = file.load(model)
    small = tmp_path / "small.safetensors"
    file.save(small, card=card.replace(object_diameter=5), weights=weights)
    result = run("segment", images / "a.tif", "-o", "out", "-m", small, "--diameter", 15, "--json")
    assert result.code == 0, result.err
    assert any("15 px wide: the image is shrunk to 0.33" in note for note in result.json["notes"])
    assert len(np.unique(read_labels(Path("out/a_labels.tif")))) == 5
    line = json.loads(Path("out/.unetseg_manifest.jsonl").read_text().splitlines()[-1])
    assert (line["diameter"], line["settings"]["diameter"]) == (15, 15)
    plain = run("segment", images / "a.tif", "-o", "plain", "-m", small, "--diameter", "none")
    assert "wide" not in plain.err
    np.testing.assert_array_equal(read_labels(Path("plain/a_labels.tif")), draw(4)[1])
    assert "from 2 to 40" in run("segment", images, "-o", "no", "-m", small, "--diameter", 400).err


def test_a_model_without_a_size_of_objects_says_so_if_asked_to_measure(run, images, model):
    assert "knows no size" not in run("segment", images, "-o", "plain", "-m", model).err
    result = run("segment", images, "-o", "out", "-m", model, "--diameter", "auto", "--json")
    assert result.code == 0, result.err
    assert result.json["notes"].count("model 'threshold' knows no size of objects: images are taken as they are") == 1
    result = run("segment", images, "-o", "no", "-m", model, "--diameter", 15)
    assert result.code == 2
    assert "does not know how large its objects are" in result.err


def test_without_a_word_the_diameter_is_measured(run, images, model, tmp_path, monkeypatch):
    def measure(*_args, **_kwargs):
        yield TileDone(0, 1)
        return 15.0

    monkeypatch.setattr("napari_unetseg.tasks.diameter.measure_diameter", measure)
    card, weights = file.load(model)
    small = tmp_path / "small.safetensors"
    file.save(small, card=card.replace(object_diameter=5), weights=weights)
    result = run("segment", images, "-o", "out", "-m", small)
    assert result.code == 0, result.err
    assert result.err.count("15 px wide") == 3
    lines = [json.loads(line) for line in Path("out/.unetseg_manifest.jsonl").read_text().splitlines()]
    assert {(line["diameter"], line["settings"]["diameter"]) for line in lines} == {(15, "auto")}


def test_thresholds_reach_the_decoder(run, images, model):
    result = run("segment", images, "-o", "out", "-m", model, "--min-size", 10_000, "--json")
    assert result.json["objects"] == 0


def test_verbose_shows_the_traceback_of_a_refusal(run, model):
    assert "Traceback" in run("segment", "none.tif", "-o", "out", "-m", model, "-v").err
    assert "Traceback" not in run("segment", "none.tif", "-o", "out", "-m", model).err


def test_a_grey_picture_in_colour_is_taken_as_grey(run, model, draw):
    from PIL import Image

    grey = (draw(4)[0] // 5).astype(np.uint8)
    Image.fromarray(np.stack([grey] * 3, axis=-1)).save("grey.png")
    result = run("segment", "grey.png", "-o", "out", "-m", model, "--json")
    assert result.code == 0, result.err
    assert result.json["objects"] == 4
    assert "note: grey.png: its colours are equal, taken as grey" in result.err
    Image.fromarray(np.stack([grey, grey, grey // 2], axis=-1)).save("colour.png")
    result = run("segment", "colour.png", "-o", "out", "-m", model)
    assert result.code == 1
    assert "--channel" in result.err


def test_every_image_is_opened_once(run, images, model, monkeypatch):
    from napari_unetseg.images import read
    from napari_unetseg.tasks import segment_file

    opened, real = [], read.open_image

    def counting(path, **options):
        opened.append(Path(path).name)
        return real(path, **options)

    for module in (segment_file, read):
        monkeypatch.setattr(module, "open_image", counting)
    assert run("segment", images, "-o", "out", "-m", model).code == 0
    assert opened == ["a.tif", "b.tif", "c.tif"]


@pytest.fixture
def stack(tmp_path):
    """Six planes with squares, and one plane beside."""
    image = np.full((6, 40, 50), 100, np.uint16)
    image[:, 8:16, 8:16] = 1000
    image[::2, 24:32, 24:32] = 1000
    folder = tmp_path / "stacks"
    folder.mkdir()
    tifffile.imwrite(folder / "stack.tif", image, metadata={"axes": "ZYX"})
    tifffile.imwrite(folder / "plane.tif", image[0], metadata={"axes": "YX"})
    return folder


def test_shards_share_the_work_and_make_the_same_files(run, stack, model):
    assert run("segment", stack, "-o", "whole", "-m", model).code == 0
    shares = [run("segment", stack, "-o", "out", "-m", model, "--shard", f"{one}/2", "--json") for one in (1, 2)]
    assert [share.code for share in shares] == [0, 0]
    statuses = [[item["status"] for item in share.json["items"]] for share in shares]
    assert statuses == [["shared"] * 2] * 2
    joined = run("segment", stack, "-o", "out", "-m", model, "--resume", "--json")
    assert [item["status"] for item in joined.json["items"]] == ["done", "done"]
    assert "6 of 6 blocks are done already" in joined.err
    for name in names_in(Path("whole")):
        assert Path("whole", name).read_bytes() == Path("out", name).read_bytes()
    assert not list(Path("out").glob(".*.work"))


def test_a_run_stopped_within_an_image_goes_on_at_the_next_plane(run, stack, model, monkeypatch):
    from napari_unetseg.tasks.work import Work

    keep, kept = Work.keep, []

    def stop_at_third(self, number, arrays):
        if len(kept) == 2:
            raise KeyboardInterrupt
        keep(self, number, arrays)
        kept.append(number)

    assert run("segment", stack / "stack.tif", "-o", "whole", "-m", model).code == 0
    monkeypatch.setattr(Work, "keep", stop_at_third)
    stopped = run("segment", stack / "stack.tif", "-o", "out", "-m", model)
    assert stopped.code == 130
    assert not names_in(Path("out"))
    monkeypatch.setattr(Work, "keep", keep)
    refused = run("segment", stack / "stack.tif", "-o", "out", "-m", model)
    assert refused.code == 2
    assert "stack_labels.tif: begun by a run that was stopped; pass --resume to go on" in refused.err
    other = run("segment", stack / "stack.tif", "-o", "out", "-m", model, "--threshold", "0.7", "--resume")
    assert other.code == 1
    assert "threshold 0.5, now 0.7" in other.err
    resumed = run("segment", stack / "stack.tif", "-o", "out", "-m", model, "--resume")
    assert resumed.code == 0
    assert "2 of 6 blocks are done already" in resumed.err
    for name in names_in(Path("whole")):
        assert Path("whole", name).read_bytes() == Path("out", name).read_bytes()


def test_less_memory_makes_more_blocks_and_the_same_labels(run, tmp_path, model):
    image = np.full((700, 900), 100, np.uint16)
    image[::30, ::40] = image[1::30, 1::40] = image[1::30, ::40] = 1000
    image[350:353] = 1000
    tifffile.imwrite("large.tif", image, metadata={"axes": "YX"})
    assert run("segment", "large.tif", "-o", "whole", "-m", model).code == 0
    small = run("segment", "large.tif", "-o", "out", "-m", model, "--memory", "64MiB")
    assert small.code == 0
    assert "700 x 900 pixels are cut into 4 blocks" in small.err
    for name in names_in(Path("whole")):
        assert Path("whole", name).read_bytes() == Path("out", name).read_bytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--shard", "3/2"), "--shard takes I/N with I from 1 to N, such as 2/4; got '3/2'"),
        (("--shard", "one"), "got 'one'"),
        (("--shard", "1/2", "--overwrite"), "leave --overwrite out"),
        (("--shard", "1/2", "--cluster", "local:2"), "exclude each other"),
        (("--cluster", "local:none"), "local:N for N workers"),
        (("--memory", "much"), "such as 4GiB or 800MB; got 'much'"),
        (("--memory", "3MB"), "a size of 64.0 MiB or more"),
    ],
)
def test_wrong_shares_and_sizes_are_told(run, stack, options, message):
    result = run("segment", stack, "-o", "out", *options)
    assert result.code == 2
    assert message in result.err
    assert not Path("out").exists()
