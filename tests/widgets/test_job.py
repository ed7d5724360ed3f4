"""A job runs one task off the main thread, tells in order what happens, and always ends."""

from __future__ import annotations

import threading
import time

import pytest

from napari_unetseg.schema.errors import JobError
from napari_unetseg.schema.events import Note
from napari_unetseg.widgets._job import Job


@pytest.fixture
def job(qapp):
    job = Job()
    yield job
    job.shut_down()


def record(job: Job) -> list:
    """Collect the job's signals by name, with what they carry."""
    told: list = []
    for name in ("started", "cancelled", "finished"):
        getattr(job, name).connect(lambda name=name: told.append((name, None)))
    for name in ("progressed", "succeeded", "failed"):
        getattr(job, name).connect(lambda value, name=name: told.append((name, value)))
    return told


def endless():
    while True:
        time.sleep(0.001)
        yield Note("tick")


def test_a_task_tells_its_events_then_its_result_then_that_it_finished(job, qtbot) -> None:
    def task():
        yield Note("one")
        yield Note("two")
        return 42

    told = record(job)
    with qtbot.waitSignal(job.finished, timeout=5000):
        assert job.start(task)
    assert told == [
        ("started", None),
        ("progressed", Note("one")),
        ("progressed", Note("two")),
        ("succeeded", 42),
        ("finished", None),
    ]
    assert not job.is_running


def test_the_task_runs_elsewhere_and_its_events_arrive_in_the_main_thread(job, qtbot) -> None:
    ran, heard = [], []

    def task():
        ran.append(threading.current_thread())
        yield Note("x")

    job.progressed.connect(lambda _: heard.append(threading.current_thread()))
    with qtbot.waitSignal(job.finished, timeout=5000):
        job.start(task)
    assert ran[0] is not threading.main_thread()
    assert heard == [threading.main_thread()]


@pytest.mark.parametrize("error", [RuntimeError("shape"), JobError("no"), MemoryError()])
def test_an_error_is_told_and_the_job_is_free_again(job, qtbot, error) -> None:
    """A RuntimeError in a generator hangs superqt's workers; torch raises it for nearly everything."""

    def task():
        yield Note("x")
        raise error

    told = record(job)
    with qtbot.waitSignal(job.finished, timeout=5000):
        job.start(task)
    assert told[-2:] == [("failed", error), ("finished", None)]
    assert not job.is_running
    with qtbot.waitSignal(job.succeeded, timeout=5000):
        job.start(lambda: iter_nothing())


def test_a_task_that_cannot_even_be_made_fails_in_the_same_way(job, qtbot) -> None:
    def task():
        raise ValueError("no such thing")

    with qtbot.waitSignal(job.failed, timeout=5000) as caught:
        job.start(task)
    assert str(caught.args[0]) == "no such thing"


def iter_nothing():
    return
    yield


def test_a_second_start_while_one_runs_does_nothing(job, qtbot) -> None:
    told = record(job)
    assert job.start(endless)
    assert not job.start(endless)
    with qtbot.waitSignal(job.finished, timeout=5000):
        job.cancel()
    assert [name for name, _ in told].count("started") == 1


def test_cancel_closes_the_generator_and_says_so(job, qtbot) -> None:
    closed = threading.Event()

    def task():
        try:
            yield from endless()
        finally:
            closed.set()

    told = record(job)
    with qtbot.waitSignal(job.progressed, timeout=5000):
        job.start(task)
    with qtbot.waitSignal(job.finished, timeout=5000):
        job.cancel()
        assert job.is_stopping
    assert closed.is_set()
    assert told[-2:] == [("cancelled", None), ("finished", None)]


def test_a_paused_task_waits_and_can_go_on_or_be_cancelled(job, qtbot) -> None:
    count = []

    def task():
        while True:
            count.append(1)
            time.sleep(0.001)
            yield Note("tick")

    with qtbot.waitSignal(job.progressed, timeout=5000):
        job.start(task)
    job.pause()
    assert job.is_paused
    qtbot.wait(100)
    held = len(count)
    qtbot.wait(100)
    assert len(count) == held
    job.resume()
    qtbot.waitUntil(lambda: len(count) > held, timeout=5000)
    job.pause()
    with qtbot.waitSignal(job.cancelled, timeout=5000):
        job.cancel()


def test_a_failing_slot_still_lets_the_job_finish(job, qtbot) -> None:
    def broken(_):
        raise KeyError("slot")

    job.succeeded.connect(broken)
    with qtbot.captureExceptions() as caught, qtbot.waitSignal(job.finished, timeout=5000):
        job.start(iter_nothing)
    assert len(caught) == 1
    assert not job.is_running


def test_shutting_down_ends_the_thread_and_tells_nothing(job, qtbot) -> None:
    told = record(job)
    with qtbot.waitSignal(job.progressed, timeout=5000):
        job.start(endless)
    job.shut_down()
    before = len(told)
    qtbot.wait(100)
    assert len(told) == before
    assert not any(thread.name == "unetseg job" for thread in threading.enumerate())


def test_fifty_cancels_at_any_moment_leave_a_working_job(job, qtbot) -> None:
    for wait in range(50):
        job.start(endless)
        qtbot.wait(wait % 7)
        with qtbot.waitSignal(job.finished, timeout=2000):
            job.cancel()
    with qtbot.waitSignal(job.succeeded, timeout=5000):
        job.start(iter_nothing)


def test_what_takes_long_to_put_away_is_put_away_aside_and_the_next_task_waits_for_it(job, qtbot) -> None:
    order: list[str] = []

    def slow_to_end():
        try:
            yield from endless()
        finally:
            time.sleep(0.5)
            order.append("put away")

    def following():
        order.append("next")
        yield Note("")

    job.start(slow_to_end, closes_aside=True)
    with qtbot.waitSignals([job.cancelled, job.finished], timeout=5000, order="strict"):
        job.cancel()
    assert not order
    with qtbot.waitSignal(job.finished, timeout=5000):
        job.start(following)
    assert order == ["put away", "next"]


def test_a_task_that_waits_for_the_one_before_can_be_cancelled(job, qtbot) -> None:
    ended, ran = threading.Event(), []

    def slow_to_end():
        try:
            yield from endless()
        finally:
            ended.wait(5)

    job.start(slow_to_end, closes_aside=True)
    with qtbot.waitSignal(job.finished, timeout=5000):
        job.cancel()
    job.start(lambda: iter(ran.append(1) or ()))
    with qtbot.waitSignals([job.cancelled, job.finished], timeout=2000, order="strict"):
        job.cancel()
    ended.set()
    assert not ran
