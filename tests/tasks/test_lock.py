import json
import multiprocessing
import os
import socket
import subprocess
import sys

from napari_unetseg.tasks import lock


def _of(path, *, process, host=None):
    path.write_text(json.dumps({"host": host or socket.gethostname(), "pid": process}), "utf-8")


def _gone():
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_free_lock_is_taken_and_names_this_process(tmp_path):
    path = tmp_path / "lock.all"
    assert lock.take(path)
    assert json.loads(path.read_text()) == {"host": socket.gethostname(), "pid": os.getpid()}
    assert lock.holder_of(path) == ""
    assert lock.take(path)  # of this process
    assert [one.name for one in tmp_path.iterdir()] == ["lock.all"]


def test_the_lock_of_a_process_that_is_gone_is_taken_over(tmp_path):
    path = tmp_path / "lock.all"
    _of(path, process=_gone())
    assert lock.take(path)
    path.write_text("cut sho")
    assert lock.take(path)
    assert json.loads(path.read_text())["pid"] == os.getpid()


def test_the_lock_of_others_stays(tmp_path):
    path = tmp_path / "lock.all"
    for process, host in ((os.getppid(), None), (1234, "node3")):
        _of(path, process=process, host=host)
        before = path.read_bytes()
        assert not lock.take(path)
        assert path.read_bytes() == before
    assert lock.holder_of(path) == "process 1234 on node3"


def _race(path, start, results):
    start.wait()
    results.put(lock.take(path))
    start.wait()  # all still live, so that none looks like a process that is gone


def test_of_many_at_the_same_time_one_gets_it(tmp_path):
    context = multiprocessing.get_context("spawn")
    count = 4
    start, results = context.Barrier(count, timeout=60), context.Queue()
    processes = [context.Process(target=_race, args=(tmp_path / "lock.all", start, results)) for _ in range(count)]
    for process in processes:
        process.start()
    taken = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert sum(taken) == 1
