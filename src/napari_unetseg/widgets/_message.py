"""Where a dock says what went wrong, and what it noticed."""

from __future__ import annotations

import re
import traceback
from typing import Literal

from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_unetseg.schema.errors import UnetSegError

COLOURS = {"error": "#d1495b", "warning": "#edae49", "note": "#4f8fc0"}  # told apart by colour-blind people too
Kind = Literal["error", "warning", "note"]
FIELDS = {
    "axes": "Axes",
    "channel": "Channels",
    "link": "Join slices",
    "memory": "Memory",
    "min-size": "Smallest object",
    "three-axes": "Three axes",
    "tile": "Tile",
    "z-step": "Z step",
}
"""What the docks call an option of the command line that messages advise."""
PHRASES = {
    "pass --overwrite": "choose 'replace its result' at 'If done'",  # batch, and segmenting onto disk
    "go on with --resume": "start it again to go on",
    "(--diameter none)": "('Object width': as it is)",
    "memory (--memory)": "'Memory' in Advanced",
    "start again with --overwrite": "start again under another name",  # training
}
"""What takes the place of a whole piece of advice."""
ADVICE = "; run again with -v for details"  # of the command line; a dock has the button "Copy details"


class Message(QFrame):
    """A framed text with a coloured edge; hidden while there is nothing to say."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("unetseg_message")
        self.text = QLabel()
        self.text.setTextFormat(Qt.TextFormat.PlainText)  # a file's name is no markup
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.text.setWordWrap(True)
        self.copy = QPushButton("Copy details")
        self.copy.setToolTip("Copy the message with its traceback, for a report")
        self.copy.clicked.connect(self._on_copy_clicked)
        self.close_button = QPushButton("Dismiss")
        self.close_button.setToolTip("Hide this message")
        self.close_button.clicked.connect(self.clear)
        buttons = QHBoxLayout()
        buttons.addWidget(self.copy)
        buttons.addWidget(self.close_button)
        buttons.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 4, 4, 4)
        layout.addWidget(self.text)
        layout.addLayout(buttons)
        self._details = ""
        self.setVisible(False)

    def show_error(self, error: BaseException) -> None:
        """Show an error: ours in its own words, any other with its type; the traceback goes to the clipboard only."""
        words = str(error) if isinstance(error, UnetSegError) else f"unexpected {type(error).__name__}: {error}"
        self._details = "".join(traceback.format_exception(error))
        self._show(words, kind="error")

    def show_text(self, text: str, *, kind: Kind = "note") -> None:
        """Show a sentence."""
        self._details = text
        self._show(text, kind=kind)

    def clear(self) -> None:
        """Hide the message."""
        self.text.clear()
        self.setVisible(False)

    def _show(self, text: str, *, kind: Kind) -> None:
        self.text.setText(in_dock_words(text))
        self.copy.setVisible(kind == "error")
        self.setStyleSheet(f"#unetseg_message {{ border: none; border-left: 4px solid {COLOURS[kind]}; }}")
        self.setVisible(True)

    def _on_copy_clicked(self) -> None:
        QGuiApplication.clipboard().setText(self._details)


def in_dock_words(text: str) -> str:
    """Name fields of a dock in place of options of the command line: "pass --axes" becomes "pass 'Axes'"."""
    for phrase, words in {ADVICE: "", **PHRASES}.items():
        text = text.replace(phrase, words)
    return re.sub(r"--([a-z]+(?:-[a-z]+)*)", _field, text)


def _field(option: re.Match[str]) -> str:
    name = FIELDS.get(option.group(1))
    return f"'{name}'" if name else option.group(0)
