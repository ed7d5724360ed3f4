"""A message says what went wrong in the dock's words, and keeps the traceback for a report."""

from __future__ import annotations

import pytest
from qtpy.QtGui import QGuiApplication

from napari_unetseg.schema.errors import InputError
from napari_unetseg.widgets._message import COLOURS, Message, in_dock_words


@pytest.fixture
def message(qtbot) -> Message:
    message = Message()
    qtbot.addWidget(message)
    return message


def raised(error: Exception) -> Exception:
    try:
        raise error
    except type(error) as caught:
        return caught


def test_ours_speak_for_themselves_and_others_are_named(message) -> None:
    assert message.isHidden()
    message.show_error(raised(InputError("give ZYX")))
    assert message.text.text() == "give ZYX"
    assert not message.isHidden()
    message.show_error(raised(ZeroDivisionError("by 0")))
    assert message.text.text() == "unexpected ZeroDivisionError: by 0"
    message.clear()
    assert message.isHidden()


def test_the_traceback_is_in_the_clipboard_only(message) -> None:
    message.show_error(raised(InputError("give ZYX")))
    assert "Traceback" not in message.text.text()
    message.copy.click()
    copied = QGuiApplication.clipboard().text()
    assert "Traceback" in copied
    assert "raise error" in copied


@pytest.mark.parametrize("kind", ["error", "warning", "note"])
def test_each_kind_has_its_colour_and_only_an_error_has_details(message, kind) -> None:
    message.show_text("<i>a.tif</i>", kind=kind)
    assert COLOURS[kind] in message.styleSheet()
    assert message.copy.isHidden() == (kind != "error")
    assert message.text.text() == "<i>a.tif</i>"
    assert message.text.textFormat().name == "PlainText"
    message.close_button.click()
    assert message.isHidden()


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("pass --axes ZYX if they are slices", "pass 'Axes' ZYX if they are slices"),
        ("raise --min-size", "raise 'Smallest object'"),
        ("pip install --upgrade it", "pip install --upgrade it"),
        ("broken; run again with -v for details", "broken"),
        ("more memory (--memory) makes it faster", "more 'Memory' in Advanced makes it faster"),
        ("do not scale it (--diameter none)", "do not scale it ('Object width': as it is)"),
        ("make room, and go on with --resume", "make room, and start it again to go on"),
        ("pass --overwrite to begin anew", "choose 'replace its result' at 'If done' to begin anew"),
    ],
)
def test_options_of_the_command_line_become_fields_of_the_dock(said, shown) -> None:
    assert in_dock_words(said) == shown
