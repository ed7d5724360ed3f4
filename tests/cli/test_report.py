"""Exit codes, the one JSON object, and what an error looks like."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
import typer

from napari_unetseg.cli.report import Report, plain, printable, reporting
from napari_unetseg.schema.errors import InputError, JobError, ModelFileError


def leave(error: BaseException, **options: int) -> int:
    with pytest.raises(typer.Exit) as caught, reporting(**{"as_json": False, "verbose": False, **options}):
        raise error
    return caught.value.exit_code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("x"), 2),
        (ModelFileError("x"), 2),
        (JobError("x"), 1),
        (RuntimeError("x"), 1),
        (OSError(28, "No space left on device"), 1),
        (KeyboardInterrupt(), 130),
        (typer.Exit(7), 7),
    ],
)
def test_each_error_has_its_exit_code(error, code):
    assert leave(error) == code


def test_an_error_is_one_line_without_a_traceback(capsys):
    leave(InputError("tile size must be a multiple of 16, got 250; use 256"))
    assert capsys.readouterr().err == "error: tile size must be a multiple of 16, got 250; use 256\n"


def test_of_several_processes_only_the_first_speaks_but_each_says_why_it_failed(capsys):
    with reporting(as_json=True, verbose=False, rank=2) as report:
        report.say("result")
        report.note("note")
        report.step("step")
        report.finish({"model": "m"})
    leave(KeyboardInterrupt(), rank=2)
    assert capsys.readouterr() == ("", "")
    leave(InputError("no such folder"), rank=2, as_json=True)
    assert capsys.readouterr() == ("", "error in process 2: no such folder\n")


def test_an_unexpected_error_is_one_line_that_names_v(capsys):
    leave(KeyError("lost"))
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert err.startswith("error: unexpected KeyError")
    assert "-v" in err


def test_verbose_shows_the_traceback_and_the_debug_log(capsys):
    def work() -> None:
        with reporting(as_json=False, verbose=True):
            logging.getLogger("napari_unetseg.somewhere").debug("looked at %s", "it")
            raise InputError("x")

    with pytest.raises(typer.Exit):
        work()
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert "looked at it" in err
    assert err.endswith("error: x\n")


def test_the_log_is_quiet_again_afterwards(capsys):
    with reporting(as_json=False, verbose=True):
        pass
    assert not logging.getLogger("napari_unetseg").handlers


def test_json_carries_the_error_and_nothing_else(capsys):
    leave(InputError("no such file"), as_json=True)
    out, err = capsys.readouterr()
    assert json.loads(out) == {"error": "no such file", "exit_code": 2}
    assert err == "error: no such file\n"


def test_ctrl_c_says_what_is_kept(capsys):
    def work() -> None:
        with reporting(as_json=False, verbose=False) as report:
            report.when_stopped = lambda: "2 of 3 images are done"
            raise KeyboardInterrupt

    with pytest.raises(typer.Exit) as caught:
        work()
    assert caught.value.exit_code == 130
    assert capsys.readouterr().err == "error: stopped by Ctrl-C; 2 of 3 images are done\n"


def test_failed_items_end_with_1_after_the_object_is_printed(capsys):
    with pytest.raises(typer.Exit) as caught:
        Report(as_json=True).finish({"done": 3}, failed=1)
    assert caught.value.exit_code == 1
    out, err = capsys.readouterr()
    assert json.loads(out) == {"done": 3}
    assert err == "1 failed: the lines above that begin with 'failed:' name each and say why\n"


def test_a_failure_is_named_with_its_item_once(capsys):
    Report().failure("b.tif", "folder/b.tif: is empty")
    Report().failure("b.tif", "is empty")
    assert capsys.readouterr().err == "failed: folder/b.tif: is empty\nfailed: b.tif: is empty\n"


def test_people_read_stdout_programs_get_it_alone(capsys):
    Report().say("table")
    Report(as_json=True).say("other table")
    out, err = capsys.readouterr()
    assert (out, err) == ("table\n", "other table\n")


def test_a_note_is_shown_once_and_kept(capsys):
    report = Report()
    report.note("axes are a guess")
    report.note("axes are a guess")
    assert report.notes == ["axes are a guess"]
    assert capsys.readouterr().err == "note: axes are a guess\n"


def test_plain_makes_strict_json():
    value = {1: (Path("a b"), np.float32(0.5), np.int64(3), float("nan"), np.array([1, 2]), True, None, "é")}
    assert plain(value) == {"1": ["a b", 0.5, 3, None, [1, 2], True, None, "é"]}


def test_control_characters_and_broken_names_are_shown_as_question_marks():
    assert printable("a\x1b[31m\udcffé µ\tb\n") == "a?[31m?é µ\tb\n"
