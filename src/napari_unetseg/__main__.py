"""`python -m napari_unetseg`: the command line, where its script is not on the path."""

from napari_unetseg.cli import main

main()
