import threading
import time

import pytest
import torch

from napari_unetseg.tasks.streams import side_by_side


@pytest.fixture
def threads():
    """Four threads of torch while a test lasts."""
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield 4
    torch.set_num_threads(before)


def test_all_is_done_in_order_and_at_the_same_time(threads):
    both_here = threading.Barrier(2, timeout=10)  # passed by two threads at once only
    done = []

    def work(item):
        both_here.wait()
        time.sleep(0.02 * (item % 2))
        done.append(item)

    assert list(side_by_side(work, range(6), count=2)) == list(range(6))
    assert sorted(done) == list(range(6))


@pytest.mark.parametrize(("count", "share"), [(2, 2), (3, 1), (4, 1), (8, 1)])
def test_threads_are_shared_and_given_back(threads, count, share):
    seen = []
    list(side_by_side(lambda _: seen.append(torch.get_num_threads()), range(8), count=count))
    assert set(seen) == {share}
    assert torch.get_num_threads() == threads
    later = []
    other = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
    other.start()
    other.join()
    assert later == [threads]


def test_nothing_to_do(threads):
    assert list(side_by_side(lambda _: None, [], count=2)) == []


def test_an_error_is_raised_in_its_turn_and_the_rest_left_out(threads):
    done = []

    def work(item):
        if item == 1:
            raise ValueError("one")
        done.append(item)

    finished = side_by_side(work, range(100), count=2)
    assert next(finished) == 0
    with pytest.raises(ValueError, match="one"):
        list(finished)
    assert len(done) < 10


def test_closed_early_nothing_is_done_afterwards(threads):
    done = []

    def work(item):
        time.sleep(0.01)
        done.append(item)

    finished = side_by_side(work, range(1000), count=2)
    next(finished)
    finished.close()
    count = len(done)
    assert count <= 4
    time.sleep(0.05)
    assert len(done) == count
