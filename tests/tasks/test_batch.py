"""Many files: results lie beside each other, bad files are named, nothing is overwritten by accident."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from tests.tasks.test_scaled import model_of, squares

from napari_unetseg.images.read import read_labels
from napari_unetseg.images.results import REPORT
from napari_unetseg.networks import registry
from napari_unetseg.schema.card import ModelCard
from napari_unetseg.schema.config import NetworkConfig, TargetConfig, TilingConfig
from napari_unetseg.schema.decoding import DecodingConfig
from napari_unetseg.schema.errors import InputError
from napari_unetseg.schema.events import TileDone
from napari_unetseg.tasks import diameter, report
from napari_unetseg.tasks.batch import segment_files
from napari_unetseg.tasks.jobs import finish
from napari_unetseg.tasks.manifest import NAME, Manifest
from napari_unetseg.tasks.model import Model
from napari_unetseg.tasks.segment import segment
from napari_unetseg.tasks.work import folder_of


@pytest.fixture
def model() -> Model:
    config = NetworkConfig(width=2, depth=1, out_channels=3)
    card = ModelCard(
        name="m", network=config, target=TargetConfig(kind="boundary"), decoding=DecodingConfig(min_size=0)
    )
    return Model(card, registry.build(config).eval(), Path("m.safetensors"))


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for index, name in enumerate(["a.tif", "b c.tif", "é.tif"]):
        tifffile.imwrite(folder / name, np.random.default_rng(index).integers(0, 999, (32, 40), np.uint16))
    return folder


def run(images: Path, model: Model, folder: Path, **options: object) -> list[object]:
    return finish(segment_files(sorted(images.iterdir()), folder=folder, model=model, **options))


def test_each_input_gets_labels_and_a_table(images: Path, model: Model, tmp_path: Path) -> None:
    results = run(images, model, tmp_path / "out")
    assert [result.error for result in results] == [None] * 3
    for stem in ("a", "b c", "é"):
        labels = read_labels(tmp_path / "out" / f"{stem}_labels.tif")
        table = pd.read_csv(tmp_path / "out" / f"{stem}_objects.csv")
        assert labels.shape == (32, 40)
        assert labels.max() == len(table)
    others = {path.name for path in (tmp_path / "out").iterdir() if path.suffix not in {".tif", ".csv"}}
    assert others == {NAME, REPORT, report.LINES}


def test_one_bad_file_does_not_stop_the_rest(images: Path, model: Model, tmp_path: Path) -> None:
    (images / "aa.tif").write_bytes(b"")
    (images / "ab.tif").write_bytes(b"II*\0 no TIFF")
    results = run(images, model, tmp_path / "out")
    assert [result.error is None for result in results] == [True, False, False, True, True]
    assert "aa.tif" in results[1].error
    assert not (tmp_path / "out" / "aa_labels.tif").exists()


def test_results_that_stand_are_never_overwritten_by_accident(images: Path, model: Model, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(images, model, out)
    before = {path: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(InputError, match="3 of 3 results there already"):
        run(images, model, out)
    (out / "a_labels.tif").unlink()
    results = run(images, model, out, existing="skip")
    assert [result.objects > 0 or result.seconds > 0 for result in results] == [True, False, False]
    assert {path: path.read_bytes() for path in out.iterdir() if path.suffix == ".tif"}.items() <= before.items()
    (out / "a_objects.csv").write_text("mine")
    run(images, model, out, existing="overwrite")
    assert (out / "a_objects.csv").read_text() != "mine"


def test_going_on_with_other_settings_is_refused_before_any_work(images: Path, model: Model, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(images, model, out)
    before = {path: path.read_bytes() for path in out.iterdir()}
    (out / "a_labels.tif").unlink()
    with pytest.raises(InputError, match=r"2 results here came from other settings \(threshold 0.5, now 0.7\)"):
        run(images, model, out, existing="skip", decoding=DecodingConfig(min_size=0, threshold=0.7))
    assert not (out / "a_labels.tif").exists()
    with pytest.raises(InputError, match=r"views 1, now 8"):
        run(images, model, out, existing="skip", decoding=DecodingConfig(min_size=0, views=8))
    results = run(images, model, out, existing="skip")
    assert [result.seconds > 0 for result in results] == [True, False, False]
    assert (out / "a_labels.tif").read_bytes() == before[out / "a_labels.tif"]
    run(images, model, out, existing="overwrite", decoding=DecodingConfig(min_size=0, threshold=0.7))
    results = run(images, model, out, existing="skip", decoding=DecodingConfig(min_size=0, threshold=0.7))
    assert not any(result.seconds for result in results)


def test_the_result_of_an_image_that_has_changed_is_made_again(images: Path, model: Model, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(images, model, out)
    tifffile.imwrite(images / "b c.tif", np.zeros((32, 40), np.uint16))
    results = run(images, model, out, existing="skip")
    assert [result.seconds > 0 for result in results] == [False, True, False]


def test_one_name_in_two_folders_is_never_one_result(images: Path, model: Model, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(images, model, out)
    before = {path: path.read_bytes() for path in out.iterdir()}
    other = tmp_path / "day 2"
    other.mkdir()
    tifffile.imwrite(other / "a.tif", np.zeros((32, 40), np.uint16))
    (other / "b c.tif").symlink_to(tmp_path / "gone.tif")
    results = run(other, model, out, existing="skip")
    assert "made from another image" in results[0].error
    assert results[1].error is not None
    assert {path: path.read_bytes() for path in before if "report" not in path.name}.items() <= before.items()


def test_zarr_output(images: Path, model: Model, tmp_path: Path) -> None:
    run(images, model, tmp_path / "tif")
    run(images, model, tmp_path / "zarr", format="zarr")
    np.testing.assert_array_equal(
        read_labels(tmp_path / "zarr" / "a_labels.zarr"), read_labels(tmp_path / "tif" / "a_labels.tif")
    )


def test_pixel_size_goes_from_image_to_labels(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "s.tif"
    tifffile.imwrite(
        path,
        np.zeros((3, 32, 40), np.uint16),
        ome=True,
        metadata={"axes": "ZYX", "PhysicalSizeZ": 2.0, "PhysicalSizeY": 0.5, "PhysicalSizeX": 0.25},
    )
    finish(segment_files([path], folder=tmp_path / "out", model=model))
    with tifffile.TiffFile(tmp_path / "out" / "s_labels.tif") as file:
        assert file.series[0].axes == "ZYX"
        assert all(text in file.ome_metadata for text in ('PhysicalSizeZ="2.0"', 'PhysicalSizeX="0.25"'))


def test_an_unexpected_failure_is_reported_not_raised(
    images: Path, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("bug")

    monkeypatch.setattr("napari_unetseg.tasks.segment.decode", fail)
    results = run(images, model, tmp_path / "out")
    assert all("unexpected ZeroDivisionError" in result.error for result in results)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {REPORT, report.LINES}


def test_a_result_is_noted_down_before_it_counts_as_complete(images, model, tmp_path, monkeypatch) -> None:
    """Killed in between, it is made again; it never counts for whatever settings come next."""
    noted: list[bool] = []
    add = Manifest.add

    def look(self, result, source, *args, **options):
        table = result.with_name(result.name.replace("_labels.tif", "_objects.csv"))
        noted.append(result.is_file() and not table.exists())
        add(self, result, source, *args, **options)

    monkeypatch.setattr(Manifest, "add", look)
    run(images, model, tmp_path / "out")
    assert noted == [True] * 3


def test_a_report_that_cannot_be_written_stops_nothing(images, model, tmp_path) -> None:
    (tmp_path / "out" / report.LINES).mkdir(parents=True)
    results = run(images, model, tmp_path / "out")
    assert [result.error for result in results] == [None] * 3


def test_work_that_another_process_does_is_left_alone_however_much_memory_there_is(images, model, tmp_path) -> None:
    """Another process has begun the image in blocks; here it would fit at once."""
    out = tmp_path / "out"
    out.mkdir()
    folder = folder_of(out / "a_labels.tif")
    folder.mkdir()
    (folder / "lock.all").write_text(json.dumps({"host": "elsewhere", "pid": 5}), "utf-8")
    results = run(images, model, out, existing="skip")
    assert "process 5 on elsewhere is writing it" in results[0].error
    assert [result.error for result in results[1:]] == [None, None]
    assert folder.is_dir()


def test_a_run_killed_while_it_removed_its_work_has_nothing_to_do_again(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is removed has another name by then, and goes with the next run."""
    image, folder = tmp_path / "stack.tif", tmp_path / "out"
    tifffile.imwrite(image, np.zeros((2, 32, 32), np.uint16), metadata={"axes": "ZYX"})
    monkeypatch.setattr("napari_unetseg.tasks.work.remove", lambda _path: None)
    finish(segment_files([image], folder=folder, model=model))
    assert any(path.name.endswith(".part") for path in folder.iterdir())
    monkeypatch.undo()
    [result] = finish(segment_files([image], folder=folder, model=model, existing="skip"))
    assert (result.error, result.seconds) == (None, 0)
    assert not any(path.name.endswith((".part", ".work")) for path in folder.iterdir())


def test_an_unfinished_run_goes_on_with_the_diameter_that_was_measured_first(tmp_path, monkeypatch) -> None:
    """Shards and later runs must not each measure: their blocks would not fit together."""
    measured = iter([40.0, 30.0, 20.0])

    def measure(*_args: object, **_kwargs: object):
        yield TileDone(0, 1)
        return next(measured)

    monkeypatch.setattr(diameter, "measure_diameter", measure)
    stack, model = np.repeat(squares(40)[None], 3, axis=0), model_of(12)
    tifffile.imwrite(tmp_path / "s.tif", stack, metadata={"axes": "ZYX"})
    options = {"folder": tmp_path / "out", "model": model, "decoding": model.card.usual_decoding, "existing": "skip"}
    options["tiling"] = TilingConfig(precision="float32")
    (shared,) = finish(segment_files([tmp_path / "s.tif"], shard=(1, 2), **options))
    assert (shared.error, shared.output) == (None, None)
    work = folder_of(tmp_path / "out" / "s_labels.tif")
    assert json.loads((work / "plan.json").read_text())["diameter"] == 40
    finish(segment_files([tmp_path / "s.tif"], shard=(2, 2), **options))
    (done,) = finish(segment_files([tmp_path / "s.tif"], **options))
    assert done.error is None
    assert next(measured) == 30
    whole = segment(stack, model=model, axes="ZYX", diameter=40, tiling=options["tiling"])
    np.testing.assert_array_equal(read_labels(tmp_path / "out" / "s_labels.tif"), whole)
    assert done.objects == 12
    assert json.loads((tmp_path / "out" / NAME).read_text().splitlines()[-1])["diameter"] == 40
