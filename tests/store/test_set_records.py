"""Records of an image set: none is lost where two change them at once, and those of earlier versions are read."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest

from tests.processes import run_python
from url_viz.errors import DamageError, WorkspaceError
from url_viz.store.imported_columns import (
    FIRST_FOLDERS,
    FOLDERS,
    read_apart,
    read_label_choice,
    write_apart,
    write_label_choice,
)
from url_viz.store.second_model_choice import choose_second_model, is_second_model_used
from url_viz.store.set_records import changing_records
from url_viz.store.version_files import ROWS, rows_of, store_version, stored_versions
from url_viz.workspace import SetPaths

FEW, MANY = 3, 60


@pytest.fixture
def paths(tmp_path: Path) -> SetPaths:
    (tmp_path / "set").mkdir()
    return SetPaths(tmp_path / "set")


def at_once(*actions: Callable[[], object]) -> None:
    """Do these in a thread each, begun together; raises what one of them raised."""
    begin = threading.Barrier(len(actions))

    def act(action: Callable[[], object]) -> None:
        begin.wait()
        action()

    with ThreadPoolExecutor(len(actions)) as pool:
        for done in [pool.submit(act, action) for action in actions]:
            done.result()


def choose(paths: SetPaths, number: int) -> None:
    """Two choices of one file at once: both are made."""
    at_once(
        lambda: write_label_choice(paths, f"label {number}"),
        lambda: write_apart(paths, f"apart {number}"),
    )
    assert (read_label_choice(paths), read_apart(paths)) == (f"label {number}", f"apart {number}")


def store_versions(paths: SetPaths, number: int) -> None:
    """Two versions at once, of other rows: both are kept. Of equal rows one is."""
    last = 3 * number
    at_once(*(lambda who=who: keep(paths, f"{number} {who}") for who in "ab"))
    both = stored_versions(paths)[-2:]
    assert [version.number for version in both] == [last + 1, last + 2]
    assert {rows_of(paths, one.number)["path"][0].as_py() for one in both} == {
        f"{number} {who}".encode() for who in "ab"
    }
    at_once(*(lambda: keep(paths, f"{number} c") for _ in "ab"))
    assert [version.number for version in stored_versions(paths)][-2:] == [last + 2, last + 3]


def keep(paths: SetPaths, path: str) -> bool:
    rows = pa.table(
        [[path.encode()], [1], pa.array(["a"]).dictionary_encode(), pa.array(["b"]).dictionary_encode(), [0.5]], ROWS
    )
    return store_version(paths, rows, decisions=0, label_source=None, models="m")


@pytest.mark.parametrize("times", [FEW, pytest.param(MANY, marks=pytest.mark.torture)])
@pytest.mark.parametrize("both", [choose, store_versions])
def test_of_two_writers_at_once_none_is_lost(
    paths: SetPaths, both: Callable[[SetPaths, int], None], times: int
) -> None:
    for number in range(times):
        both(paths, number)


CHOOSE = """
import sys
from pathlib import Path
from url_viz.store.imported_columns import write_apart, write_label_choice
from url_viz.workspace import SetPaths
paths, write = SetPaths(Path(sys.argv[1])), {"label": write_label_choice, "apart": write_apart}[sys.argv[2]]
for number in range(100):
    write(paths, f"{sys.argv[2]} {number}")
"""


@pytest.mark.slow
def test_of_two_processes_none_is_lost(paths: SetPaths) -> None:
    at_once(
        *(lambda what=what: run_python("-c", CHOOSE, paths.folder, what, check=True) for what in ("label", "apart"))
    )
    assert (read_label_choice(paths), read_apart(paths)) == ("label 99", "apart 99")


class TestOfEarlierVersions:
    """The bytes that earlier versions wrote."""

    @pytest.mark.parametrize(
        ("text", "label", "apart"),
        [
            ('{"label": "folders", "rule": "class level", "seal": "a34a7f5035b5c521"}', FOLDERS, None),
            ('{"label": "folders"}', FIRST_FOLDERS, None),
            ('{"label": null, "rule": "class level"}', None, None),
        ],
    )
    def test_choice_of_the_label(self, paths: SetPaths, text: str, label: str | None, apart: str | None) -> None:
        paths.labels.write_text(text)
        assert (read_label_choice(paths), read_apart(paths)) == (label, apart)
        write_apart(paths, "photographer")
        assert (read_label_choice(paths), read_apart(paths)) == (label, "photographer")

    def test_choice_of_a_second_model(self, paths: SetPaths) -> None:
        assert is_second_model_used(paths)
        paths.second.write_text('{"is_asked": false, "seal": "c53e6e1dc7333303"}')
        assert not is_second_model_used(paths)


def test_a_damaged_choice_is_chosen_again_and_nothing_else_writes_over_it(paths: SetPaths) -> None:
    write_apart(paths, "camera")
    paths.labels.write_bytes(paths.labels.read_bytes().replace(b"camera", b"camero"))
    with pytest.raises(DamageError, match=r"labels.json is damaged .* `python -m url_viz labels FOLDER folders`"):
        read_label_choice(paths)
    with pytest.raises(DamageError):
        write_apart(paths, "camera")
    write_label_choice(paths, FOLDERS)
    assert (read_label_choice(paths), read_apart(paths)) == (FOLDERS, None)


def test_of_a_forgotten_set_nothing_is_written(paths: SetPaths) -> None:
    paths.folder.rename(paths.folder.with_name("forgotten"))
    with pytest.raises(WorkspaceError, match="was forgotten meanwhile"):
        choose_second_model(paths, is_used=False)
    assert not paths.folder.exists()


def test_a_lock_that_is_not_given_back_is_a_sentence(paths: SetPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("url_viz.store.set_records.LOCK_S", 0.1)
    with changing_records(paths), pytest.raises(WorkspaceError, match="Another process has been writing"):
        choose_second_model(paths, is_used=False)
