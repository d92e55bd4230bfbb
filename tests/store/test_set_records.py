"""Records of an image set: what it is called, and that none is lost where two change them at once or a disk is full."""

import errno
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tests.processes import run_python
from url_viz.base.errors import DamageError, WorkspaceError
from url_viz.base.workspace import SetPaths, Workspace
from url_viz.store.about import About, changing_records, choose_second_model, find_disk_error
from url_viz.store.columns.imported_columns import (
    FOLDERS,
    Import,
    LabelChoice,
    label_choice,
    read_imports,
    write_apart,
    write_import,
    write_label_choice,
)
from url_viz.store.columns.user_files import Values
from url_viz.store.decisions.answers import StoredReview, change_review, read_review, review_key
from url_viz.store.version_files import ROWS, read_version, store_version, stored_versions

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
    assert label_choice(paths).read() == LabelChoice(f"label {number}", f"apart {number}")


def store_versions(paths: SetPaths, number: int) -> None:
    """Two versions at once, of other rows: both are kept. Of equal rows one is."""
    last = 3 * number
    at_once(*(lambda who=who: keep(paths, f"{number} {who}") for who in "ab"))
    both = stored_versions(paths)[-2:]
    assert [version.number for version in both] == [last + 1, last + 2]
    assert {read_version(paths, one.number)["path"][0].as_py() for one in both} == {
        f"{number} {who}".encode() for who in "ab"
    }
    at_once(*(lambda: keep(paths, f"{number} c") for _ in "ab"))
    assert [version.number for version in stored_versions(paths)][-2:] == [last + 2, last + 3]


def keep(paths: SetPaths, path: str) -> bool:
    rows = pa.table(
        [[path.encode()], [1], pa.array(["a"]).dictionary_encode(), pa.array(["b"]).dictionary_encode(), [0.5]], ROWS
    )
    return store_version(paths, rows, decisions=0, label_source=None, models="m")


def skip(paths: SetPaths, number: int) -> None:
    """Two windows skip pictures of one review: both are skipped."""
    review = StoredReview({"review": ["names"]}, np.arange(9), "2026-11-25T10:00:00+00:00")
    skipped = {2 * number, 2 * number + 1}
    at_once(
        *(
            lambda one=one: change_review(paths, review, lambda kept: replace(kept, skipped=kept.skipped | {one}))
            for one in skipped
        )
    )
    kept = read_review(paths, review_key(review.query))
    assert kept is not None
    assert skipped <= kept.skipped


def add_columns(paths: SetPaths, number: int) -> None:
    """Two imports of one name at once: one of them is there whole, and nothing else."""
    names = f"a{number}", f"b{number}"
    at_once(*(lambda name=name: write_import(paths, imported(name)) for name in names))
    [one] = read_imports(paths)
    assert [*one.columns] == [names[one.ids[0] - 1]]
    assert len([*paths.columns.iterdir()]) == 1


def imported(column: str) -> Import:
    first = 1 if column.startswith("a") else 2
    ids = np.array([first, 7], np.int64)
    return Import("mine", "mine.csv", ids, ids, {column: Values("numeric", np.array([0.5, np.nan]))})


@pytest.mark.parametrize("times", [FEW, pytest.param(MANY, marks=pytest.mark.torture)])
@pytest.mark.parametrize("both", [choose, store_versions, skip, add_columns])
def test_of_two_writers_at_once_none_is_lost(
    paths: SetPaths, both: Callable[[SetPaths, int], None], times: int
) -> None:
    for number in range(times):
        both(paths, number)


CHOOSE = """
import sys
from pathlib import Path
from url_viz.store.columns.imported_columns import write_apart, write_label_choice
from url_viz.base.workspace import SetPaths, Workspace
paths, write = SetPaths(Path(sys.argv[1])), {"label": write_label_choice, "apart": write_apart}[sys.argv[2]]
for number in range(100):
    write(paths, f"{sys.argv[2]} {number}")
"""


@pytest.mark.slow
def test_of_two_processes_none_is_lost(paths: SetPaths) -> None:
    at_once(
        *(lambda what=what: run_python("-c", CHOOSE, paths.folder, what, check=True) for what in ("label", "apart"))
    )
    assert label_choice(paths).read() == LabelChoice("label 99", "apart 99")


def test_a_damaged_choice_is_chosen_again_and_nothing_else_writes_over_it(paths: SetPaths) -> None:
    write_apart(paths, "camera")
    paths.labels.write_bytes(paths.labels.read_bytes().replace(b"camera", b"camero"))
    with pytest.raises(DamageError, match=r"labels.json is damaged .* `url-viz labels use FOLDER folders`"):
        label_choice(paths).read()
    with pytest.raises(DamageError):
        write_apart(paths, "camera")
    write_label_choice(paths, FOLDERS)
    assert label_choice(paths).read() == LabelChoice(FOLDERS, None)


def test_of_a_forgotten_set_nothing_is_written(paths: SetPaths) -> None:
    paths.folder.rename(paths.folder.with_name("forgotten"))
    for write in (lambda: choose_second_model(paths, is_used=False), lambda: skip(paths, 0)):
        with pytest.raises(WorkspaceError, match=r"was forgotten meanwhile.*Read its folder again"):
            write()
    assert not paths.folder.exists()


def test_a_lock_that_is_not_given_back_is_a_sentence(paths: SetPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("url_viz.store.about.LOCK_S", 0.1)
    with changing_records(paths), pytest.raises(WorkspaceError, match="Another process has been writing"):
        choose_second_model(paths, is_used=False)


@pytest.mark.parametrize(
    ("root", "title"),
    [
        ("photos/zoo", "photos/zoo"),
        ("photos/coco128/data.yaml", "coco128"),
        ("photos/coco128/coco128.yml", "coco128"),
        ("photos/coco128/small.yaml", "coco128 · small"),
        ("photos/coco/annotations/instances_val.json", "coco · val"),
        ("photos/coco/annotations/instances.json", "coco"),
        ("photos/bees/train/_annotations.coco.json", "bees · train"),
    ],
)
def test_a_set_is_called_by_its_folder(root: str, title: str) -> None:
    assert About(Path("/home") / root, ()).title == title
    assert About(Path("/home") / root, (), name="Mine").title == "Mine"


def test_a_full_disk_says_that_something_is_kept_only_where_it_is(tmp_path: Path) -> None:
    paths, full = Workspace.at(tmp_path).set_paths("0123456789abcdef"), OSError(errno.ENOSPC, "No space left")
    assert "Nothing is kept yet: make room" in str(find_disk_error(full, paths))
    (paths.tables / "files.lance" / "_versions").mkdir(parents=True)
    assert "Nothing is kept yet" in str(find_disk_error(full, paths)), "a table that was begun"
    (paths.tables / "files.lance" / "_versions" / "1.manifest").write_bytes(b"1")
    assert "What was read is kept: make room" in str(find_disk_error(full, paths))
