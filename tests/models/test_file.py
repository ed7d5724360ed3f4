"""A model file survives a round trip, and a damaged one is refused with a reason (a8, a9, .. are the cases met)."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_unetseg.models import container, file
from napari_unetseg.schema.card import ModelCard
from napari_unetseg.schema.config import NetworkConfig
from napari_unetseg.schema.errors import ModelFileError


@pytest.fixture
def saved(tmp_path, card, weights):
    path = tmp_path / "toy.safetensors"
    file.save(path, card=card, weights=weights)
    return path


def flip(data: bytes, position: int, bit: int) -> bytes:
    changed = bytearray(data)
    changed[position] ^= 1 << bit
    return bytes(changed)


def test_what_is_saved_is_loaded(saved, card, weights):
    loaded, arrays = file.load(saved)
    assert loaded == card.replace(sha256=loaded.sha256)
    assert len(loaded.sha256) == 64
    assert arrays.keys() == weights.keys()
    for name, array in arrays.items():
        assert array.dtype == np.float32
        assert array.shape == weights[name].shape
        assert array.flags.writeable
        np.testing.assert_array_equal(array, weights[name])


def test_save_returns_the_card_that_is_in_the_file(tmp_path, card, weights):
    returned = file.save(tmp_path / "m.safetensors", card=card, weights=weights)
    assert returned == file.read_card(tmp_path / "m.safetensors")


def test_the_same_model_gives_the_same_bytes_in_any_order(tmp_path, card, weights):
    file.save(tmp_path / "a.safetensors", card=card, weights=weights)
    file.save(tmp_path / "b.safetensors", card=card, weights=dict(reversed(weights.items())))
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_the_safetensors_library_reads_it(saved, weights):
    numpy_reader = pytest.importorskip("safetensors.numpy")
    arrays = numpy_reader.load_file(saved)
    for name, array in weights.items():
        np.testing.assert_array_equal(arrays[name], array)


def test_the_checksum_is_the_documented_one(saved, weights):
    """Recomputed here by hand: per tensor in the order of names, a line of JSON, then the bytes."""
    total = hashlib.sha256()
    for name, shape in (("first.bias", "[2]"), ("first.weight", "[2,1,3,3]"), ("scale", "[]")):
        total.update(f'["{name}","F32",{shape}]\n'.encode() + weights[name].tobytes())
    assert file.read_card(saved).sha256 == total.hexdigest()


@pytest.mark.parametrize(
    "change",
    [
        lambda array: array.astype(">f4"),
        lambda array: np.asfortranarray(array),
        lambda array: array[::-1][::-1],
        lambda array: array.astype(np.float64),
    ],
)
def test_any_memory_layout_is_saved_alike(tmp_path, card, change):
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    file.save(tmp_path / "m.safetensors", card=card, weights={"w": change(array)})
    np.testing.assert_array_equal(file.load(tmp_path / "m.safetensors")[1]["w"], array)


def test_a20_half_precision_loads_as_float32(tmp_path, card, weights):
    file.save(tmp_path / "half.safetensors", card=card, weights=weights, half=True)
    file.save(tmp_path / "full.safetensors", card=card, weights=weights)
    arrays = file.load(tmp_path / "half.safetensors")[1]
    for name, array in arrays.items():
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, weights[name].astype(np.float16).astype(np.float32))
    saved_bytes = (tmp_path / "full.safetensors").stat().st_size - (tmp_path / "half.safetensors").stat().st_size
    assert saved_bytes >= sum(array.size for array in weights.values()) * 2 - 8


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e6])
def test_weights_that_cannot_be_stored_are_refused_by_name(tmp_path, card, value):
    with pytest.raises(ModelFileError, match=r"'w\.bias' hold NaN or infinity"):
        file.save(tmp_path / "m.safetensors", card=card, weights={"w.bias": np.float32([0, value])}, half=True)
    assert not list(tmp_path.iterdir())


def test_a_card_that_could_not_be_read_back_is_not_written(tmp_path, weights):
    training = {"recipe": {}, "scores": {"ap50": float("nan")}}
    card = ModelCard(name="toy", network=NetworkConfig(), training=training)
    with pytest.raises(ModelFileError, match=r"training\.scores\.ap50"):
        file.save(tmp_path / "m.safetensors", card=card, weights=weights)
    assert not list(tmp_path.iterdir())


def test_integer_weights_and_odd_names_are_refused(tmp_path, card):
    with pytest.raises(ModelFileError, match="int64"):
        file.save(tmp_path / "m.safetensors", card=card, weights={"steps": np.int64([1])})
    with pytest.raises(ModelFileError, match="named"):
        file.save(tmp_path / "m.safetensors", card=card, weights={"../x": np.float32([1])})


def test_a8_a_file_cut_anywhere_is_refused(saved):
    data = saved.read_bytes()
    for length in range(len(data)):
        with pytest.raises(ModelFileError):
            file.parse(data[:length], path=saved)


def test_a8_the_card_of_a_cut_file_is_refused_too(saved):
    data = saved.read_bytes()
    for length in (len(data) - 1, container.parse_header(data).data_start, 100, 8, 3):
        saved.write_bytes(data[:length])
        with pytest.raises(ModelFileError):
            file.read_card(saved)


def test_a9_one_flipped_bit_in_the_weights_is_found(saved):
    data = saved.read_bytes()
    for position in range(container.parse_header(data).data_start, len(data)):
        for bit in range(8):
            with pytest.raises(ModelFileError, match="checksum does not match"):
                file.parse(flip(data, position, bit), path=saved)


def test_a9_one_flipped_bit_in_the_header_is_found(saved):
    data = saved.read_bytes()
    for position in range(container.parse_header(data).data_start):
        for bit in range(8):
            with pytest.raises(ModelFileError):
                file.parse(flip(data, position, bit), path=saved)


def test_a12_weights_that_are_not_finite_are_named(tmp_path, monkeypatch, card):
    monkeypatch.setattr(file, "_storable", lambda array, **_: array)  # as an honest but broken writer would
    weights = {"good": np.float32([1]), "down.conv.weight": np.float32([1, np.inf])}
    file.save(tmp_path / "m.safetensors", card=card, weights=weights)
    with pytest.raises(ModelFileError, match=r"'down\.conv\.weight' hold NaN or infinity"):
        file.load(tmp_path / "m.safetensors")


def test_a_card_changed_by_hand_is_refused(saved):
    saved.write_bytes(saved.read_bytes().replace(b"BSD-3-Clause", b"BSD-4-Clause"))
    for read in (file.load, file.read_card):
        with pytest.raises(ModelFileError, match="card whose checksum does not match"):
            read(saved)


def test_a23_a_file_exchanged_after_reading_changes_nothing(saved, card, weights, monkeypatch):
    """The moment the bytes are hashed, another valid model takes the file's place."""
    honest = container.digest

    def exchange(*arguments):
        file_now = saved.read_bytes()
        saved.write_bytes(file_now[:-1] + b"\x7f")
        return honest(*arguments)

    monkeypatch.setattr(container, "digest", exchange)
    arrays = file.load(saved)[1]
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, weights[name])


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_give_our_error(data):
    with pytest.raises(ModelFileError):
        file.parse(data, path=Path("toy.safetensors"))
