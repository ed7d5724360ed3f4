"""The command line: people's words in, tasks run, tables, JSON and exit codes out."""

from __future__ import annotations


def main() -> None:
    """Run the command that `sys.argv` names."""
    from napari_unetseg.cli.app import app, prepare_streams

    prepare_streams()
    app()
