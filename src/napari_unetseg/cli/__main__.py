"""`python -m napari_unetseg.cli`: the command line where no script is installed."""

from __future__ import annotations

from napari_unetseg.cli import main

main()
