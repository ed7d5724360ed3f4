"""The chooser of models lists, describes and keeps a choice, whatever happens to the files."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from qtpy.QtWidgets import QApplication, QFileDialog, QLabel

from napari_unetseg.models import file, library
from napari_unetseg.schema.errors import ModelFileError
from napari_unetseg.widgets._card import CardDialog
from napari_unetseg.widgets._models import BROWSE, ModelChooser, announce_model, summary_of

PNG = base64.b64encode(
    base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==")
).decode()


@pytest.fixture
def own(card, weights) -> Path:
    """A model in the user's folder."""
    path = library.user_folder() / "mine.safetensors"
    path.parent.mkdir(parents=True)
    file.save(path, card=card.replace(description="<b>cells</b>", thumbnail=PNG), weights=weights)
    return path


@pytest.fixture
def chooser(own, qtbot) -> ModelChooser:
    chooser = ModelChooser(extra=("from scratch",))
    qtbot.addWidget(chooser)
    return chooser


def texts(chooser: ModelChooser) -> list[str]:
    return [chooser.combo.itemText(index) for index in range(chooser.combo.count())]


def test_extra_words_come_first_then_bundled_then_own(chooser) -> None:
    bundled = [f"{name} · bundled" for name in library.bundled()]
    assert bundled[0] == "nuclei · bundled"
    assert texts(chooser) == ["from scratch", *bundled, "mine · own", BROWSE]
    assert chooser.value() == "from scratch"
    assert chooser.card is None
    assert chooser.details.isHidden()


def test_a_model_is_described_by_its_card_and_never_as_markup(chooser, own) -> None:
    told: list = []
    chooser.changed.connect(told.append)
    chooser.set_value("mine")
    chooser.set_value(own)
    assert told == [own]
    assert chooser.card.name == "toy"
    assert chooser.summary.text().startswith("<b>cells</b>\nYX, 1 channel")
    assert chooser.summary.textFormat().name == "PlainText"
    assert not chooser.picture.isHidden()
    chooser.set_value("from scratch")
    assert (chooser.card, chooser.summary.text(), told[-1]) == (None, "", "from scratch")
    assert chooser.picture.isHidden()


def test_what_the_bundled_model_says_fits_a_line_or_two() -> None:
    lines = summary_of(file.read_card(library.find("nuclei"))).splitlines()
    assert len(lines) == 2
    assert "objects of about" in lines[1]
    assert "AP@0.5" in lines[1]


def test_a_file_from_elsewhere_joins_the_list(chooser, tmp_path, card, weights) -> None:
    path = tmp_path / "there.safetensors"
    file.save(path, card=card, weights=weights)
    chooser.set_value(path)
    assert chooser.value() == path
    assert texts(chooser)[-2:] == [f"there · {tmp_path}", BROWSE]
    chooser.refresh()
    assert chooser.value() == path
    with pytest.raises(ModelFileError, match="no model is named"):
        chooser.set_value("nowhere")
    assert chooser.value() == path


@pytest.mark.parametrize("content", [b"", b"hello", b"\x80\x02 a pickle"])
def test_a_broken_file_says_so_and_another_can_be_chosen(chooser, own, content) -> None:
    chooser.set_value("mine")
    own.write_bytes(content)
    chooser.refresh()
    assert chooser.card is None
    assert "mine.safetensors" in chooser.summary.text()
    chooser.set_value("nuclei")
    assert chooser.card.name == "nuclei"


def test_a_picture_that_cannot_be_read_is_left_out(chooser, own, card, weights) -> None:
    for thumbnail in ("A", "AAAA"):  # not in fours; no PNG
        file.save(own, card=card.replace(thumbnail=thumbnail), weights=weights)
        chooser.set_value("from scratch")
        chooser.set_value("mine")
        assert chooser.picture.isHidden()


def test_a_model_that_is_gone_makes_way_for_the_first_and_tells(chooser, own) -> None:
    chooser.set_value("mine")
    told: list = []
    chooser.changed.connect(told.append)
    own.unlink()
    chooser.refresh()
    assert told == ["from scratch"]
    chooser.refresh()
    assert told == ["from scratch"]


def test_browsing_takes_a_file_or_keeps_the_choice(chooser, own, tmp_path, card, weights, monkeypatch) -> None:
    path = tmp_path / "there.safetensors"
    file.save(path, card=card, weights=weights)
    chooser.set_value("mine")
    for answer, expected in (("", own), (str(path), path)):
        monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_, answer=answer: (answer, ""))
        chooser.combo.setCurrentIndex(chooser.combo.count() - 1)
        chooser.combo.activated.emit(chooser.combo.count() - 1)
        assert chooser.value() == expected


def test_news_of_a_model_reach_every_chooser(chooser, qtbot, card, weights) -> None:
    plain = ModelChooser()
    qtbot.addWidget(plain)
    new = library.user_folder() / "new.safetensors"
    file.save(new, card=card, weights=weights)
    announce_model(new)
    assert plain.value() == new
    assert chooser.value() == "from scratch"  # what to start from is not taken away
    assert "new · own" in texts(chooser)
    new.unlink()
    later = ModelChooser()
    qtbot.addWidget(later)
    assert later.value() == library.find("nuclei")


def test_a_chooser_that_is_gone_hears_no_news(own, qtbot) -> None:
    chooser = ModelChooser()
    chooser.deleteLater()
    del chooser
    QApplication.sendPostedEvents(None, 52)  # QEvent.DeferredDelete
    announce_model(own)


def test_the_card_can_be_read_in_brief_and_in_full(chooser) -> None:
    chooser.set_value("mine")
    chooser.details.click()
    dialog = chooser.findChildren(CardDialog)[-1]
    texts = [label.text() for label in dialog.facts.findChildren(QLabel)]
    assert {"description", "<b>cells</b>", "licence", "BSD-3-Clause"} <= set(texts)
    assert any(not label.pixmap().isNull() for label in dialog.facts.findChildren(QLabel))
    assert dialog.settings.isHidden()
    dialog.more.click()
    assert not dialog.settings.isHidden()
    assert dialog.facts.isHidden()
    assert "network.width = 2" in dialog.settings.toPlainText()
    assert PNG not in dialog.settings.toPlainText()
