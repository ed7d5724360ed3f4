"""What is done of an unfinished run: only what is whole on disk counts, whatever ended the run."""

from __future__ import annotations

import errno
import inspect
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from napari_unetseg.schema.errors import InputError, JobError
from napari_unetseg.tasks import work as module
from napari_unetseg.tasks.work import WHOLE, Work, folder_of, is_begun

SETTINGS = {"model": "m 123", "channels": (0, 1), "min_size": 5}
BLOCKS = 5


def arrays_of(number: int) -> dict[str, np.ndarray]:
    """Return the arrays of a block, which tell its number."""
    rng = np.random.default_rng(number)
    labels = np.full((6, 7), number, np.uint32)
    return {"labels": labels, "last 0 -1": np.arange(number), "table confidence": rng.random(number + 20)}


def begin(result: Path, *, resume: bool = True, settings=SETTINGS, blocks=(2, 3), shard: str = WHOLE) -> Work:
    return Work.begin(result, settings=settings, blocks=blocks, resume=resume, shard=shard)


def assert_kept(work: Work, number: int) -> None:
    kept = work.load(number)
    for name, expected in arrays_of(number).items():
        np.testing.assert_array_equal(kept[name], expected)
        assert kept[name].dtype == expected.dtype


@pytest.fixture
def result(tmp_path: Path) -> Path:
    return tmp_path / "é image_labels.ome.tif"


@pytest.fixture
def stopped(result: Path) -> Work:
    """Work of which blocks 0 to 4 are done, of a run that is gone."""
    work = begin(result, resume=False)
    for number in range(BLOCKS):
        work.keep(number, arrays_of(number))
    work.release()
    return work


def block_file(work: Work, number: int) -> Path:
    (path,) = work.folder.glob(f"{number:06d}.npz*")
    return path


def lines_file(work: Work) -> Path:
    (path,) = work.folder.glob("done.*.jsonl")
    return path


def test_a_new_run_has_done_nothing_and_its_folder_is_hidden_beside_the_result(result: Path) -> None:
    work = begin(result)
    assert work.done == set()
    assert work.folder == folder_of(result)
    assert work.folder.parent == result.parent
    assert work.folder.name.startswith(".")
    plan = json.loads((work.folder / "plan.json").read_text("utf-8"))
    assert plan == {"settings": {**SETTINGS, "channels": [0, 1]}, "blocks": [2, 3], "diameter": None}
    assert {path.name for path in work.folder.iterdir()} == {"plan.json", "lock.all"}


def test_results_have_folders_of_their_own(tmp_path: Path) -> None:
    names = ["a.tif", "a.zarr", "b.tif", "x" * 60 + "1.tif", "x" * 60 + "2.tif"]
    folders = {folder_of(tmp_path / name) for name in names}
    assert len(folders) == len(names)
    assert all(len(os.fsencode(folder.name)) < 100 for folder in folders)


def test_a_run_that_goes_on_sees_what_is_done(result: Path, stopped: Work) -> None:
    work = begin(result)
    assert work.done == stopped.done == set(range(BLOCKS))
    for number in work.done:
        assert_kept(work, number)
    work.keep(9, arrays_of(9))
    assert work.done == {*range(BLOCKS), 9}
    work.release()
    assert begin(result).done == {*range(BLOCKS), 9}


def test_beginning_anew_forgets_all(result: Path, stopped: Work) -> None:
    stopped.write_note("contrast", 5)
    work = begin(result, resume=False, settings={"model": "other"})
    assert work.done == set()
    assert work.read_note("contrast") is None
    assert not list(work.folder.glob("*.npz*"))
    work.release()
    assert begin(result, settings={"model": "other"}).done == set()


@pytest.mark.parametrize("damage", ["cut", "empty", "flipped", "longer", "deleted", "another's", "folder"])
def test_a_damaged_block_is_not_done_and_can_be_made_again(result: Path, stopped: Work, damage: str) -> None:
    path = block_file(stopped, 2)
    data = path.read_bytes()
    match damage:
        case "cut":
            path.write_bytes(data[:-1])
        case "empty":
            path.write_bytes(b"")
        case "flipped":
            path.write_bytes(data[:40] + bytes([data[40] ^ 1]) + data[41:])
        case "longer":
            path.write_bytes(data + b"\0")
        case "deleted":
            path.unlink()
        case "another's":
            path.write_bytes(block_file(stopped, 3).read_bytes())
        case "folder":
            path.unlink()
            path.mkdir()
    work = begin(result)
    assert work.done == stopped.done == {0, 1, 3, 4}
    if path.is_dir():
        path.rmdir()
    work.keep(2, arrays_of(2))
    assert work.done == set(range(BLOCKS))
    assert_kept(work, 2)


@pytest.mark.parametrize("kept", [0, 1, 30, 80])
def test_a_line_that_was_cut_short_does_not_count(result: Path, stopped: Work, kept: int) -> None:
    lines = lines_file(stopped).read_bytes().splitlines(keepends=True)
    lines_file(stopped).write_bytes(b"".join(lines[:-1]) + lines[-1][:kept])
    work = begin(result)
    assert work.done == {0, 1, 2, 3}
    work.keep(4, arrays_of(4))  # on a line of its own, not behind the one cut short
    work.release()
    assert begin(result).done == set(range(BLOCKS))


def test_a_line_without_its_end_counts(result: Path, stopped: Work) -> None:
    lines_file(stopped).write_bytes(lines_file(stopped).read_bytes().rstrip())
    assert begin(result).done == set(range(BLOCKS))


def test_a_block_without_a_line_is_not_done(result: Path, stopped: Work) -> None:
    lines = [line for line in lines_file(stopped).read_bytes().splitlines(keepends=True) if line.strip()]
    lines_file(stopped).write_bytes(b"".join(lines[:1] + lines[3:]))
    assert begin(result).done == {0, 3, 4}
    lines_file(stopped).unlink()
    assert begin(result).done == set()
    assert block_file(stopped, 3).is_file()


def test_foreign_lines_and_files_count_for_nothing(result: Path, stopped: Work) -> None:
    digest = json.loads(lines_file(stopped).read_bytes().split(b"\n")[1])["sha256"]
    (stopped.folder / "done.zzzz.jsonl").write_bytes(
        b'\n[1]\nnull\n7\n"a"\n{}\n{"block": 1}\n{"block": "x", "sha256": "0"}\n\xff\xfe\n'
        + json.dumps({"block": 77, "sha256": digest}).encode()
    )
    whole = block_file(stopped, 0)
    whole.with_name(f".000050.npz.{'0' * 12}.{'1' * 8}.part").write_bytes(whole.read_bytes())
    whole.with_name("000051.npz.zst").write_bytes(whole.read_bytes())
    assert begin(result).done == set(range(BLOCKS))


def test_a_run_with_other_settings_is_refused_and_loses_nothing(result: Path, stopped: Work) -> None:
    other = {"model": "m 456", "channels": [0, 1], "min_size": 5, "new": True}
    with pytest.raises(InputError) as refused:
        begin(result, settings=other)
    message = str(refused.value)
    assert "model 'm 123', now 'm 456'; new None, now True" in message
    assert "channels" not in message
    assert "min_size" not in message
    assert str(result) in message
    assert "--overwrite" in message
    assert begin(result).done == set(range(BLOCKS))


def test_a_run_that_an_earlier_version_has_begun_goes_on(result: Path, stopped: Work) -> None:
    now = {**SETTINGS, "views": 1, "three_axes": False, "z_step": None, "diameter": None}
    assert is_begun(result, settings=now)
    assert begin(result, settings=now).done == set(range(BLOCKS))
    assert not is_begun(result, settings={**now, "views": 2})


def test_a_setting_that_is_gone_is_named(result: Path, stopped: Work) -> None:
    with pytest.raises(InputError, match="min_size 5, now None"):
        begin(result, settings={name: SETTINGS[name] for name in ("model", "channels")})


def test_of_several_runs_the_first_decides_on_the_blocks(result: Path) -> None:
    assert begin(result, blocks=(4, 1)).blocks == (4, 1)
    assert begin(result, blocks=(9, 9)).blocks == (4, 1)
    assert begin(result, blocks=(9, 9), shard="1-2").blocks == (4, 1)
    assert begin(result, blocks=[9, 9], resume=False).blocks == (9, 9)


@pytest.mark.parametrize("plan", [None, b"", b'{"settings": {"mod', b"[]", b"{}", b"\xff"])
def test_a_run_that_ended_before_its_plan_was_written_is_begun_anew(result: Path, plan: bytes | None) -> None:
    path = folder_of(result) / "plan.json"
    path.parent.mkdir()
    if plan is not None:
        path.write_bytes(plan)
    work = begin(result, settings={"model": "other"})
    assert (work.done, work.blocks) == (set(), (2, 3))
    assert json.loads(path.read_bytes()) == {"settings": {"model": "other"}, "blocks": [2, 3], "diameter": None}


def test_the_plan_of_a_run_that_was_quicker_stands(result: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look for a plan and its writing, another process writes its own."""
    link, theirs = os.link, {"settings": {"model": "theirs"}, "blocks": [7, 7]}

    def link_later(draft: Path, path: Path) -> None:
        if path.name == "plan.json":
            path.write_text(json.dumps(theirs), "utf-8")
        link(draft, path)

    monkeypatch.setattr(module.os, "link", link_later)
    with pytest.raises(InputError, match="model 'theirs', now 'm 123'"):
        begin(result)
    assert json.loads((folder_of(result) / "plan.json").read_bytes()) == theirs
    (folder_of(result) / "plan.json").unlink()
    assert begin(result, settings=theirs["settings"]).blocks == (7, 7)


def test_a_file_system_without_links_will_do(result: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cannot(*_arguments: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(module.os, "link", cannot)
    begin(result).keep(0, arrays_of(0))
    assert begin(result, blocks=(5, 5)).blocks == (2, 3)
    assert begin(result).done == {0}
    assert not list(folder_of(result).glob(".*.part"))


def hold(work: Work, *, host: str, process: int, shard: str = WHOLE) -> None:
    (work.folder / f"lock.{shard}").write_text(json.dumps({"host": host, "pid": process}), "utf-8")


@pytest.fixture
def neighbour():
    """Another process that lives as long as the test."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process.pid
        process.stdin.close()


@pytest.mark.parametrize("resume", [True, False])
def test_a_result_that_another_process_is_writing_is_refused(result, stopped, neighbour, resume) -> None:
    hold(stopped, host=socket.gethostname(), process=neighbour)
    with pytest.raises(InputError, match=rf"process {neighbour} on .* is writing it.*lock\.all"):
        begin(result, resume=resume)
    assert stopped.done == set(range(BLOCKS))  # nothing was removed
    hold(stopped, host=socket.gethostname(), process=os.getpid())
    assert begin(result).done == set(range(BLOCKS))


@pytest.mark.parametrize("resume", [True, False])
def test_a_process_on_another_host_is_taken_to_live(result: Path, stopped: Work, resume: bool) -> None:
    hold(stopped, host="elsewhere", process=os.getpid())
    with pytest.raises(InputError, match=rf"process {os.getpid()} on elsewhere is writing it"):
        begin(result, resume=resume)
    assert stopped.done == set(range(BLOCKS))


def test_a_process_of_someone_else_lives(result: Path, stopped: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    def not_yours(process: int, number: int) -> None:
        assert (process, number) == (4321, 0)
        raise PermissionError(errno.EPERM, "Operation not permitted")

    hold(stopped, host=socket.gethostname(), process=4321)
    monkeypatch.setattr(module.os, "kill", not_yours)
    with pytest.raises(InputError, match="process 4321"):
        begin(result)


@pytest.mark.parametrize("resume", [True, False])
def test_the_lock_of_a_process_that_is_gone_counts_for_nothing(result: Path, stopped: Work, resume: bool) -> None:
    gone = subprocess.Popen([sys.executable, "-S", "-c", ""])
    gone.wait()
    hold(stopped, host=socket.gethostname(), process=gone.pid)
    work = begin(result, resume=resume)
    assert work.done == (set(range(BLOCKS)) if resume else set())
    assert json.loads((work.folder / "lock.all").read_bytes())["pid"] == os.getpid()


@pytest.mark.parametrize("lock", [b"", b'{"host": "elsew', b"[]", b"{}", b'{"host": "a", "pid": "b"}', b"\xff"])
def test_a_lock_that_was_never_finished_counts_for_nothing(result: Path, stopped: Work, lock: bytes) -> None:
    (stopped.folder / "lock.all").write_bytes(lock)
    assert begin(result).done == set(range(BLOCKS))


def test_two_runs_of_one_process_are_kept_apart_but_what_was_dropped_goes_on(result: Path) -> None:
    first = begin(result)
    first.keep(0, arrays_of(0))
    for options in ({"resume": True}, {"resume": False}, {"shard": "1"}):
        with pytest.raises(InputError, match="another run of this program"):
            begin(result, **options)
    first.release()
    shard = begin(result, shard="1")
    with pytest.raises(InputError, match="another run of this program"):
        begin(result)
    del shard  # without a release
    assert begin(result).done == {0}
    assert begin(result, resume=False).done == set()


def test_of_two_threads_at_the_same_time_one_may_begin(result: Path) -> None:
    for _ in range(20):
        start, begun, refused = threading.Barrier(2), [], []

        def run(start=start, begun=begun, refused=refused) -> None:
            start.wait()
            try:
                begun.append(begin(result, resume=False))
            except InputError as error:
                refused.append(error)

        pair = [threading.Thread(target=run) for _ in range(2)]
        for one in pair:
            one.start()
        for one in pair:
            one.join()
        assert (len(begun), len(refused)) == (1, 1)
        begun[0].release()


def test_a_result_is_the_same_by_any_name(result: Path, tmp_path: Path) -> None:
    work = begin(result)
    (tmp_path / "other").symlink_to(result.parent)
    with pytest.raises(InputError, match="another run of this program"):
        begin(tmp_path / "other" / result.name, resume=False)
    assert work.folder.exists()


def test_a_release_lets_others_go_on_and_may_be_repeated(result: Path) -> None:
    work = begin(result)
    assert (work.folder / "lock.all").is_file()
    work.release()
    work.release()
    assert not (work.folder / "lock.all").exists()


def test_what_two_processes_have_done_counts_together(result: Path) -> None:
    one, other = begin(result, shard="1"), begin(result, shard="2")
    for number in range(6):
        (one if number % 2 else other).keep(number, arrays_of(number))
    assert one.done == {1, 3, 5}
    assert other.done == {0, 2, 4}
    assert len(list(one.folder.glob("done.*.jsonl"))) == 2
    one.release()
    assert (one.folder / "lock.2").is_file()
    other.release()
    both = begin(result)
    assert both.done == set(range(6))
    for number in both.done:
        assert_kept(both, number)


def test_shards_are_done_side_by_side_but_each_by_one_process(result, stopped, neighbour) -> None:
    hold(stopped, host=socket.gethostname(), process=neighbour, shard="1-2")
    with pytest.raises(InputError, match=r"lock\.1-2"):
        begin(result, shard="1-2")
    assert begin(result, shard="2-2").done == set(range(BLOCKS))


@pytest.mark.parametrize("resume", [True, False])
def test_the_whole_is_refused_while_a_shard_is_being_done(result, stopped, neighbour, resume) -> None:
    hold(stopped, host=socket.gethostname(), process=neighbour, shard="2-3")
    with pytest.raises(InputError, match=r"lock\.2-3"):
        begin(result, resume=resume)
    assert stopped.done == set(range(BLOCKS))


def test_a_shard_is_refused_while_the_whole_is_being_done(result, stopped, neighbour) -> None:
    hold(stopped, host=socket.gethostname(), process=neighbour)
    with pytest.raises(InputError, match=r"lock\.all"):
        begin(result, shard="2-3")


def test_notes(result: Path, stopped: Work) -> None:
    assert stopped.read_note("contrast") is None
    stopped.write_note("contrast", {"low": (1.5, 2), "high": (3, 4)})
    stopped.write_note("blocks", (3, 2))
    work = begin(result)
    assert work.read_note("contrast") == {"low": [1.5, 2], "high": [3, 4]}
    assert work.read_note("blocks") == [3, 2]
    (work.folder / "contrast.json").write_bytes(b'{"low": [1.5')
    assert work.read_note("contrast") is None
    assert work.done == set(range(BLOCKS))  # a note is no block


def full(*_arguments: object, **_options: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("where", ["_write", "sync_file"])
def test_a_full_disk_says_how_to_go_on_and_loses_nothing(result, stopped, monkeypatch, where) -> None:
    work = begin(result)
    with monkeypatch.context() as patch:
        patch.setattr(module, where, full)
        with pytest.raises(
            JobError, match=r"cannot be written \(No space left on device\).*make room.*--resume"
        ) as error:
            work.keep(7, arrays_of(7))
    assert str(work.folder) in str(error.value)
    assert isinstance(error.value.__cause__, OSError)
    assert work.done == set(range(BLOCKS))
    work.release()
    again = begin(result)
    assert again.done >= set(range(BLOCKS))
    again.keep(7, arrays_of(7))
    assert again.done == {*range(BLOCKS), 7}
    for number in again.done:
        assert_kept(again, number)


def test_a_disk_that_fills_up_while_a_block_is_written_leaves_no_part_of_it(result, stopped, monkeypatch) -> None:
    write = Path.write_bytes

    def write_half(path: Path, data: bytes) -> int:
        write(path, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    work = begin(result)
    before = sorted(path.name for path in work.folder.iterdir())
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", write_half)
        with pytest.raises(JobError, match="make room"):
            work.keep(2, arrays_of(33))  # one that was done, too
    assert sorted(path.name for path in work.folder.iterdir()) == before
    assert work.done == set(range(BLOCKS))
    assert_kept(work, 2)


def test_a_folder_that_cannot_be_made_is_explained(result: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(InputError, match=r"cannot be written \(No space left on device\).*make room"):
        begin(result)


@pytest.mark.parametrize("damage", ["cut", "deleted", "no zstd"])
def test_a_block_that_is_damaged_meanwhile_is_a_job_error(stopped: Work, damage: str) -> None:
    path = block_file(stopped, 1)
    match damage:
        case "cut":
            path.write_bytes(path.read_bytes()[:-5])
        case "deleted":
            path.unlink()
        case "no zstd":
            path.write_bytes(b"PK" + path.read_bytes()[2:])
    with pytest.raises(JobError, match=rf"{path.name}: (cannot be read|was damaged) .*--resume"):
        stopped.load(1)


def test_objects_are_never_kept(stopped: Work) -> None:
    with pytest.raises(TypeError, match="numbers only"):
        stopped.keep(8, {"labels": np.array([{}], object)})
    assert stopped.done == set(range(BLOCKS))


def test_keeping_a_block_again_replaces_it(result: Path, stopped: Work) -> None:
    stopped.keep(3, arrays_of(3) | {"labels": np.zeros((2, 2), np.uint8)})
    assert stopped.done == set(range(BLOCKS))
    work = begin(result)
    assert work.done == set(range(BLOCKS))
    assert work.load(3)["labels"].shape == (2, 2)


def test_discarding_removes_the_folder_alone(result: Path, stopped: Work) -> None:
    result.write_bytes(b"labels")
    module.discard(result)
    assert list(result.parent.iterdir()) == [result]
    module.discard(result)


WRITER = """
import sys
from pathlib import Path
import numpy as np
from napari_unetseg.tasks.work import Work
{arrays_of}
work = Work.begin(Path(sys.argv[1]), settings={settings}, blocks=(2, 3), resume=True)
done = work.done
print("begun", flush=True)
for number in range(100_000):
    if number not in done:
        work.keep(number, arrays_of(number))
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is a signal of POSIX systems")
def test_a_run_killed_at_any_moment_keeps_what_it_says_is_done(result: Path) -> None:
    """A writer is killed in the middle of its work ten times over, and goes on each time."""
    rng = random.Random(0)
    script = WRITER.format(arrays_of=inspect.getsource(arrays_of), settings=SETTINGS)
    before: set[int] = set()
    for _ in range(10):
        with subprocess.Popen([sys.executable, "-c", script, str(result)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout.readline() == b"begun\n"
            time.sleep(rng.uniform(0.005, 0.06))
            with pytest.raises(InputError, match=f"process {writer.pid}"):
                begin(result)
            writer.kill()
        assert writer.returncode == -signal.SIGKILL
        work = begin(result)
        done = work.done
        for number in done:
            assert_kept(work, number)
        assert done >= before
        assert done == set(range(len(done)))
        assert not {path.name for path in work.folder.glob(".*.part")} & {block_file(work, n).name for n in done}
        work.release()
        before = done
    assert len(before) > 10


def test_blocks_made_by_a_plan_that_is_lost_do_not_count(result: Path, stopped: Work) -> None:
    (stopped.folder / "plan.json").write_bytes(b"")
    work = begin(result, settings={"model": "other"}, blocks=(3, 3))
    assert (work.done, work.blocks) == (set(), (3, 3))


def test_a_block_made_again_counts_whichever_line_is_read_last(result: Path, stopped: Work) -> None:
    block_file(stopped, 2).unlink()
    for name in ("0", "z"):
        work = begin(result)
        work._lines = work.folder / f"done.{name}.jsonl"
        work.keep(2, arrays_of(40 + len(name)))
        work.release()
        assert begin(result).done == set(range(BLOCKS))


def test_a_folder_that_cannot_be_removed_is_told(result: Path, stopped: Work, monkeypatch) -> None:
    """A file in it is open, on Windows or a network disk."""
    monkeypatch.setattr(module, "remove", lambda _path: None)
    with pytest.raises(InputError, match="cannot be removed"):
        begin(result, resume=False, settings={"model": "other"})


def test_a_line_after_one_that_was_cut_short_counts(result: Path) -> None:
    work = begin(result)
    with work._lines.open("ab") as file:
        file.write(b'{"block": 0, "sha')
    work.keep(1, arrays_of(1))
    work.release()
    assert begin(result).done == {1}


def test_a_lock_of_an_impossible_process_counts_for_nothing(result: Path) -> None:
    work = begin(result)
    work.release()
    (work.folder / "lock.all").write_text(json.dumps({"host": socket.gethostname(), "pid": 10**20}), "utf-8")
    assert begin(result).done == set()


def test_every_flipped_bit_is_noticed(result: Path) -> None:
    work = begin(result)
    work.keep(0, {"x": np.arange(50)})
    path = block_file(work, 0)
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(JobError, match="damaged"):
            work.load(0)


def test_a_note_on_a_full_disk_is_explained(result: Path, monkeypatch) -> None:
    work = begin(result)
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(JobError, match=r"No space left.*make room"):
        work.write_note("contrast", 1)
