"""Small records in files: they come back as written, and say what is wrong with those that were not."""

import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import pytest
from filelock import FileLock

from url_viz.base.errors import DamageError, JobError
from url_viz.base.files import sealed
from url_viz.base.records import RecordFile


@dataclass(frozen=True)
class Inner:
    number: int


@dataclass(frozen=True)
class Example:
    """One field of every kind that a record of ours has."""

    name: str
    folder: Path = Path("/")
    pairs: tuple[tuple[str, int], ...] = ()
    some: frozenset[int] = frozenset()
    by_name: Mapping[str, Inner] = field(default_factory=dict)
    value: float = 0.0
    maybe: str | None = None


FULL = Example(
    "a\udcff\u2028b", Path("/x/\udcff"), (("k", 1),), frozenset({3, -(2**63)}), {"z": Inner(2)}, math.inf, "yes"
)


@pytest.fixture
def file(tmp_path: Path) -> RecordFile[Example]:
    return RecordFile(tmp_path / "a" / "example.json", Example, "Write it again.")


def test_comes_back(file: RecordFile[Example]) -> None:
    assert file.find() is None
    file.write(FULL)
    assert file.read() == file.find() == FULL
    assert [path.name for path in file.path.parent.iterdir()] == ["example.json"]


def test_one_that_was_never_written_is_its_default_or_missing(file: RecordFile[Example]) -> None:
    with pytest.raises(DamageError, match=r"example.json is missing. Write it again."):
        file.read()
    with pytest.raises(JobError, match="is missing"):
        replace(file, error=JobError).read()
    assert replace(file, default=FULL).read() == FULL
    assert file.is_whole()


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda text: text[:-9], id="cut off"),
        pytest.param(lambda text: b"", id="empty"),
        pytest.param(lambda text: text.replace(b'"yes"', b'"yet"'), id="another value"),
        pytest.param(lambda text: b'{"name": 5}', id="another kind"),
        pytest.param(lambda text: b"[" * 100_000, id="nested"),
        pytest.param(lambda text: b"[1]", id="a list"),
        pytest.param(lambda text: b"\xff\xfe", id="no text"),
    ],
)
def test_a_damaged_one_says_what_to_do_and_stays(file: RecordFile[Example], damage: object) -> None:
    file.write(FULL)
    assert callable(damage)
    damaged = damage(file.path.read_bytes())
    file.path.write_bytes(damaged)
    with pytest.raises(DamageError, match=r"example.json is damaged \(.+\). Write it again."):
        file.read()
    with pytest.raises(DamageError):
        file.change(partial(replace, name="other"))
    assert file.path.read_bytes() == damaged
    assert not file.is_whole()
    assert replace(file, default=FULL).change(partial(replace, name="other"), anew=True) == replace(FULL, name="other")
    assert file.read().name == "other"


def test_of_a_later_version_is_read_and_without_a_seal_is_not(file: RecordFile[Example]) -> None:
    file.path.parent.mkdir()
    file.path.write_text(sealed({"name": "new", "of_later": 1}))
    assert file.read() == Example("new")
    file.path.write_text('{"name": "new"}')
    with pytest.raises(DamageError, match="not as it was written"):
        file.read()


def test_a_file_that_may_not_be_read_is_no_damage_of_its_content(file: RecordFile[Example]) -> None:
    file.path.mkdir(parents=True)
    with pytest.raises(DamageError, match=r"cannot be read \(Is a directory\)"):
        file.read()


def test_a_change_that_fails_changes_nothing(file: RecordFile[Example]) -> None:
    file.write(FULL)

    def fail(_: Example) -> Example:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        file.change(fail)
    assert file.read() == FULL


def test_changes_at_once_are_all_made(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    file = RecordFile(
        tmp_path / "n.json", Inner, "Write it again.", Inner(0), writing=lambda: FileLock(lock, poll_interval=0.001)
    )
    writers = [
        threading.Thread(target=lambda: [file.change(lambda one: Inner(one.number + 1)) for _ in range(20)])
        for _ in range(4)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert file.read() == Inner(80)
