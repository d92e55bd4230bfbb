"""Cores, reading ahead, the memory that threads share, latest results, and how often cycles are searched for."""

import gc
import os
import subprocess
import sys
import threading
import time
import tomllib
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.browser.fixtures import ROOT
from tests.processes import run_python
from url_viz.base import processes as gc_settings
from url_viz.base.processes import EVERY, Latest, MemoryBudget, awaited, collect_soon, read_ahead, read_each

SCRIPT = """
import os
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
from url_viz.base.processes import usable_cores
from url_viz.base.processes import read_ahead
import threading, time
threads = set()
list(read_ahead([range(20)], lambda _: (threads.add(threading.get_ident()), time.sleep(0.01))))
print(usable_cores(), len(threads))
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="macOS binds no process to cores")
def test_a_process_bound_to_one_core_reads_by_one_thread() -> None:
    assert run_python("-c", SCRIPT, check=True).stdout.split() == ["1", "1"]


def test_by_identity() -> None:
    made: list[int] = []
    latest: Latest[int] = Latest()
    one, equal = [1], [1]

    def make() -> int:
        made.append(len(made))
        return made[-1]

    assert [latest.get(cause, make) for cause in (one, one, equal, equal, one)] == [0, 0, 1, 1, 2]


def test_a_result_may_be_none() -> None:
    nothing: Latest[None] = Latest()
    calls: list[None] = []
    for _ in range(2):
        nothing.get(calls, lambda: calls.append(None))
    assert len(calls) == 1


def test_results_come_in_order_a_batch_at_a_time() -> None:
    batches = [range(3), range(3, 5), range(0)]
    assert list(read_ahead(batches, lambda item: item * item)) == [[0, 1, 4], [9, 16], []]
    assert list(read_ahead([], str)) == []
    assert read_each("abc", str.upper) == ["A", "B", "C"]


def test_the_next_batch_is_read_while_one_is_worked_on() -> None:
    second = threading.Event()
    batches = read_ahead([["one"], ["two"], ["three"]], lambda item: second.set() if item == "two" else None)
    next(batches)
    assert second.wait(10)
    assert len(list(batches)) == 2


@pytest.mark.parametrize("ahead", [1, 3])
def test_no_more_batches_are_begun_ahead_than_were_asked_for(ahead: int) -> None:
    begun: list[int] = []

    def batches() -> Iterator[list[int]]:
        for number in range(5):
            begun.append(number)
            yield [number]

    results = read_ahead(batches(), str, ahead=ahead)
    next(results)
    assert begun == list(range(1 + ahead))
    assert [*results] == [[str(number)] for number in range(1, 5)]


def test_one_more_is_begun_before_the_first_is_waited_for() -> None:
    said: list[str] = []

    def begun() -> Iterator[Callable[[], int]]:
        for number in range(4):
            said.append(f"begin {number}")
            yield partial(waited, number)

    def waited(number: int) -> int:
        said.append(f"wait {number}")
        return number

    assert list(awaited(begun(), ahead=1)) == [0, 1, 2, 3]
    assert " ".join(said) == "begin 0 begin 1 wait 0 begin 2 wait 1 begin 3 wait 2 wait 3"


def test_closed_early_it_waits_only_for_what_is_being_read() -> None:
    begun: list[int] = []
    is_free = threading.Event()

    def read(number: int) -> None:
        begun.append(number)
        if number:
            is_free.wait(10)

    results = read_ahead([[0], range(1, 1_000)], read)
    next(results)
    threading.Timer(0.1, is_free.set).start()
    results.close()
    assert len(begun) <= 1 + (os.cpu_count() or 1)


def test_an_error_of_one_item_is_raised_at_its_batch() -> None:
    results = read_ahead([[1], [0], [1]], lambda item: 1 // item)
    assert next(results) == [1]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_as_many_are_read_beside_each_other_as_is_asked() -> None:
    meet = threading.Barrier(7)
    assert list(read_ahead([range(7)], lambda _: meet.wait(10) >= 0, at_a_time=7)) == [[True] * 7]


def test_threads_hold_no_more_bytes_together_than_there_is_room_for() -> None:
    budget, held, most, lock = MemoryBudget(100), [0], [0], threading.Lock()

    def hold(size: int) -> int:
        with budget.reserve(size):
            with lock:
                held[0] += size
                most[0] = max(most[0], held[0])
            time.sleep(0.001)
            with lock:
                held[0] -= size
        return size

    sizes = [30, 40, 30, 50, 60, 10, 100, 5] * 5
    assert list(read_ahead([sizes], hold, at_a_time=16)) == [sizes]
    assert 40 < most[0] <= 100


def test_what_is_larger_than_the_room_is_held_alone() -> None:
    budget = MemoryBudget(10)
    with budget.reserve(1_000):
        began = threading.Event()

        def wait() -> None:
            with budget.reserve(1):
                began.set()

        other = threading.Thread(target=wait)
        other.start()
        assert not began.wait(0.05)
    other.join(10)
    assert began.is_set()


AT_THE_END = """import atexit, gc
atexit.register(lambda: print(gc.get_threshold()[0], gc.get_freeze_count() > 10_000))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-m", "training.config"], f"{EVERY} True"),
        (["-c", "import url_viz.image_set, training.config"], f"{gc.get_threshold()[0]} False"),
    ],
)
def test_commands_search_rarely_and_not_at_their_end(tmp_path: Path, arguments: list[str], said: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(AT_THE_END)
    variables = {"PYTHONPATH": f"{tmp_path}:{ROOT}"}
    done = subprocess.run([sys.executable, *arguments], env=variables, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == said


class Cycle:
    """An object that holds itself, so that only a collection frees it."""

    def __init__(self) -> None:
        self.itself = self


def test_cycles_are_collected_some_time_after_pages_not_after_each_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    assert config["runner"]["postScriptGC"] is False
    monkeypatch.setattr(gc_settings, "WAIT_S", 0.1)
    monkeypatch.setattr(gc_settings, "_wished", threading.Lock())  # without the wishes of tests before
    gc.disable()
    try:
        for _ in range(2):  # a later wish is another collection
            held, before = weakref.ref(Cycle()), set(threading.enumerate())
            for _ in range(50):
                collect_soon()
            timers = set(threading.enumerate()) - before
            assert len(timers) == 1
            assert held() is not None
            timers.pop().join(120)  # a collection that begins before another one has ended does nothing
            assert held() is None
    finally:
        gc.enable()
