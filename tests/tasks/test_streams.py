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

    def work(item):
        both_here.wait()
        time.sleep(0.02 * (item % 2))
        return -item

    assert list(side_by_side(work, range(6), count=2)) == [0, -1, -2, -3, -4, -5]


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
    assert next(finished) is None
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


def test_of_two_at_the_same_time_both_get_all_threads_back(threads):
    """Each begins in a thread that has not asked for its number yet."""
    seen = []

    def run():
        list(side_by_side(lambda _: time.sleep(0.001), range(4), count=2))
        seen.append(torch.get_num_threads())

    for _ in range(20):
        pair = [threading.Thread(target=run) for _ in range(2)]
        for one in pair:
            one.start()
        for one in pair:
            one.join()
    assert set(seen) == {threads}
