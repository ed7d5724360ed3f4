"""The outer door of every command: what goes to which stream, the one JSON object, and the exit code."""

from __future__ import annotations

import json
import logging
import math
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from napari_unetseg.schema.errors import InputError, ModelFileError, UnetSegError

SOME_FAILED, UNUSABLE, STOPPED = 1, 2, 130


class Report:
    """Says things to people and programs: with `as_json` stdout carries the one object and nothing else.

    Of several processes that do one job together the first speaks; another, with its `rank`, says only why it failed.
    """

    def __init__(self, *, as_json: bool = False, verbose: bool = False, rank: int = 0) -> None:
        self.rank = rank
        self.as_json = as_json and not rank
        self.verbose = verbose
        self.notes: list[str] = []
        self.when_stopped: Callable[[], str] = lambda: "nothing was written"

    def say(self, text: str) -> None:
        """Print a result for people."""
        if not self.rank:
            typer.echo(printable(text), err=self.as_json)

    def step(self, text: str) -> None:
        """Say what is being done now, in passing."""
        if not self.rank:
            typer.echo(printable(text), err=True)

    def failure(self, item: str, error: str) -> None:
        """Print at once what went wrong with one of several items; `finish` counts them, and does not repeat it."""
        self.step(f"failed: {error if item in error else f'{item}: {error}'}")

    def note(self, message: str) -> None:
        """Print, once, what the user should know, and keep it for the JSON object."""
        if message not in self.notes:
            self.notes.append(message)
            self.step(f"note: {message}")

    def finish(self, result: dict[str, Any], *, failed: int = 0) -> None:
        """End the command: print the JSON object if asked for; if items failed, say how many, and leave with 1."""
        if self.as_json:
            typer.echo(json.dumps(plain(result), allow_nan=False))
        if failed:
            self.step(f"{failed} failed: the lines above that begin with 'failed:' name each and say why")
            raise typer.Exit(SOME_FAILED)

    def fail(self, message: str, *, code: int) -> typer.Exit:
        """Print `error: message` and return the exit to raise."""
        if self.verbose:
            traceback.print_exc(file=sys.stderr)
        who = f"error in process {self.rank}" if self.rank else "error"
        if code != STOPPED or not self.rank:
            typer.echo(printable(f"{who}: {message}"), err=True)
        if self.as_json:
            typer.echo(json.dumps({"error": message, "exit_code": code}))
        return typer.Exit(code)


@contextmanager
def reporting(*, as_json: bool, verbose: bool, rank: int = 0) -> Iterator[Report]:
    """Give a command its report, and turn whatever it raises into one clear line and an exit code."""
    report = Report(as_json=as_json, verbose=verbose, rank=rank)
    with _logging(verbose=verbose):
        try:
            yield report
        except typer.Exit:
            raise
        except (InputError, ModelFileError) as error:
            raise report.fail(str(error), code=UNUSABLE) from error
        except UnetSegError as error:
            raise report.fail(str(error), code=SOME_FAILED) from error
        except KeyboardInterrupt as error:
            raise report.fail(f"stopped by Ctrl-C; {report.when_stopped()}", code=STOPPED) from error
        except Exception as error:  # the outer door: everything is reported, nothing swallowed
            raise report.fail(_describe(error, verbose=verbose), code=SOME_FAILED) from error


def _describe(error: Exception, *, verbose: bool) -> str:
    hint = "" if verbose else "; run it again with -v for the details"
    if isinstance(error, OSError):
        return f"{error}{hint}"
    return f"unexpected {type(error).__name__}: {error}{hint}"


@contextmanager
def _logging(*, verbose: bool) -> Iterator[None]:
    logger = logging.getLogger("napari_unetseg")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(levelname).1s %(name)s: %(message)s"))
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG if verbose else logging.WARNING)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def plain(value: Any) -> Any:
    """Return `value` as JSON can hold it: paths as text, NaN and infinity as null, numpy numbers as Python's."""
    match value:
        case dict():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case Path():
            return str(value)
        case bool() | int() | str() | None:
            return value
        case float():
            return value if math.isfinite(value) else None
        case _:
            return plain(value.tolist()) if hasattr(value, "tolist") else str(value)


def printable(text: str) -> str:
    """Replace what would upset a terminal: control characters and undecodable bytes of a file name."""
    return "".join(letter if letter.isprintable() or letter in "\n\t" else "?" for letter in text)
