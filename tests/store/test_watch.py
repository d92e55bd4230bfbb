"""A watch tells that nothing has changed, or that something may have: never that nothing has where something did."""

import os
import time
from pathlib import Path

from url_viz.store.watch import CLOCK_S, Look, Watch

LONG_AGO_NS = time.time_ns() - 1_000_000_000 * (CLOCK_S + 60)


def aged(path: Path) -> Path:
    os.utime(path, ns=(LONG_AGO_NS, LONG_AGO_NS))
    return path


def seen(*paths: Path) -> Watch:
    watch = Watch(paths)
    watch.see(watch.look())
    return watch


def is_same(watch: Watch) -> bool:
    return watch.is_as_seen(watch.look())


def test_what_was_seen_stays_until_it_changes_goes_or_comes(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    watch = seen(aged(tmp_path / "folder"), tmp_path / "later")
    assert is_same(watch)
    (tmp_path / "later").touch()
    assert not is_same(watch)
    (tmp_path / "later").unlink()
    assert is_same(watch)
    (tmp_path / "folder" / "1.manifest").touch()
    assert not is_same(watch)


def test_what_changed_just_now_may_change_again_at_the_same_time_and_vouches_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert not is_same(seen(tmp_path / "file"))


def test_a_look_counts_from_when_it_was_not_from_when_the_reading_ended(tmp_path: Path) -> None:
    watch, now_ns = Watch([tmp_path]), time.time_ns()
    watch.see(Look(now_ns - 9_000_000_000, (now_ns - 10_000_000_000,)))
    assert not watch.is_as_seen(Look(now_ns, (now_ns - 10_000_000_000,)))
    watch.see(Look(now_ns, (now_ns - 10_000_000_000,)))
    assert watch.is_as_seen(Look(now_ns, (now_ns - 10_000_000_000,)))


def test_before_anything_was_seen_nothing_is_known(tmp_path: Path) -> None:
    assert not is_same(Watch([tmp_path]))
