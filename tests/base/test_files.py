"""Files appear whole or not at all."""

import os
from pathlib import Path

import pytest

from url_viz.base.files import replaced


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """What was flushed to the disk and renamed, in order, each by its inode; both are really done."""
    done: list[tuple[str, int]] = []
    fsync, rename = os.fsync, os.replace

    def flushed(handle: int) -> None:
        done.append(("flush", os.fstat(handle).st_ino))
        fsync(handle)

    def renamed(old: Path, new: Path) -> None:
        done.append(("rename", os.stat(old).st_ino))
        rename(old, new)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(os, "replace", renamed)
    return done


def test_a_file_lies_on_the_disk_before_it_gets_its_name(tmp_path: Path, calls: list[tuple[str, int]]) -> None:
    target = tmp_path / "new" / "file"
    with replaced(target) as temporary:
        temporary.write_text("all")
    inode = target.stat().st_ino
    assert calls == [("flush", inode), ("rename", inode)]
    assert target.read_text() == "all"
    assert os.listdir(target.parent) == ["file"]


def test_what_can_be_made_again_need_not(tmp_path: Path, calls: list[tuple[str, int]]) -> None:
    with replaced(tmp_path / "file", is_flushed=False) as temporary:
        temporary.write_text("all")
    assert [name for name, _ in calls] == ["rename"]


def test_what_was_there_stays_until_all_is_written_and_at_an_error(
    tmp_path: Path, calls: list[tuple[str, int]]
) -> None:
    (tmp_path / "file").write_text("before")

    def write(temporary: Path) -> None:
        temporary.write_text("half")
        assert (tmp_path / "file").read_text() == "before"
        temporary.write_text(5)  # type: ignore[arg-type]

    with pytest.raises(TypeError), replaced(tmp_path / "file") as temporary:
        write(temporary)
    assert (tmp_path / "file").read_text() == "before"
    assert os.listdir(tmp_path) == ["file"]
    assert not calls
