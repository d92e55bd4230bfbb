"""Names that every program takes as plain, folders that appear whole or not at all, and selected pictures as a file."""

import errno
import io
import os
import re
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from url_viz.base.errors import FolderError, ImageSetError, UsageError
from url_viz.base.progress import silent
from url_viz.export.picture_files import lay_out, new_folder, rows_to_export, safe_names
from url_viz.export.selection import leading_first, selection_file
from url_viz.image_set import ImageSet

PART = st.binary(min_size=1, max_size=40).filter(lambda b: b not in (b".", b"..") and not {0, 47} & set(b))
PATHS = st.lists(st.lists(PART, min_size=1, max_size=3).map(b"/".join), unique=True, max_size=12)


MANY = [f"{first}{second}.jpg".encode() for first in "→←↑↓" * 25 for second in "★☆" * 20]


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        ([b"cat/0001.jpg", "café/été 1.png".encode()], ["cat/0001.jpg", "café/été 1.png"]),
        ([b"a.jpg", b"x/y/z (2), b+c@d=e.webp"], ["a.jpg", "x/y/z (2), b+c@d=e.webp"]),
        ([b"cat/A.jpg", b"cat/a.jpg", b"Cat/a.jpg"], ["cat/A.jpg", "cat/a-2.jpg", "Cat-2/a.jpg"]),
        ([b"x.png", b"X.PNG/y.png"], ["x.png", "X-2.PNG/y.png"]),  # a file and a folder, too
        (MANY, ["__.jpg", *(f"__-{number}.jpg" for number in range(2, 4001))]),
        ([b"test/1", b"my-train_2/1", b"contest/1", b"valid/1"], ["Test/1", "my-Train_2/1", "contest/1", "Valid/1"]),
        ([b"eval/1"], ["Eval/1"]),
    ],
    ids=["plain", "plain signs", "alike but for case", "file and folder", "thousands", "a split to loaders", "eval"],
)
def test_names_stay_where_they_are_plain_and_are_kept_apart(paths: list[bytes], names: list[str]) -> None:
    assert safe_names(paths) == names


LIKE = (b"a", b"A", b"a-2", b"A-2", b"a-2-2", b"a.")
LIKE_PATHS = st.lists(
    st.lists(st.sampled_from(LIKE), min_size=1, max_size=3).map(b"/".join), unique=True, min_size=2, max_size=10
)


@given(LIKE_PATHS)
def test_however_alike_they_can_all_be_made_on_a_disk_that_ignores_case(paths: list[bytes]) -> None:
    names = [name.casefold() for name in safe_names(paths)]
    folders = {str(folder) for name in names for folder in Path(name).parents}
    assert len(set(names)) == len(names)
    assert not folders & set(names)
    spelled = {str(folder) for name in safe_names(paths) for folder in Path(name).parents}
    assert len(spelled) == len(folders)


@given(PATHS)
def test_no_name_leads_out_or_is_like_another(paths: list[bytes]) -> None:
    names = safe_names(paths)
    assert len({name.casefold() for name in names}) == len(names)
    for name in names:
        parts = name.split("/")
        assert all(re.fullmatch(r"[\w,()][\w .,+()@=-]*", part) and len(part.encode()) <= 125 for part in parts), name
        assert name.encode("utf-8").decode("utf-8") == name


def test_a_folder_appears_whole_or_not_at_all(shared_set: ImageSet, tmp_path: Path) -> None:
    with pytest.raises(FolderError, match="disk"):
        fill_a_full_disk(tmp_path / "out", shared_set)
    assert os.listdir(tmp_path) == []
    (tmp_path / "empty").mkdir()
    with new_folder(tmp_path / "empty", shared_set) as folder:
        (folder / "whole").touch()
    assert os.listdir(tmp_path) == ["empty"]
    assert (tmp_path / "empty" / "whole").exists()


def fill_a_full_disk(out: Path, image_set: ImageSet) -> None:
    with new_folder(out, image_set) as folder:
        (folder / "half").touch()
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_folder_that_is_taken_or_within_the_pictures_is_refused(shared_set: ImageSet, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place_, said in (
        (tmp_path, "not an empty folder"),
        (tmp_path / "file", "not an empty folder"),
        (shared_set.root / "out", "which is only read"),
        (tmp_path / "file" / "below", "Cannot write"),
    ):
        with pytest.raises((FolderError, UsageError), match=said), new_folder(place_, shared_set):
            pass


def test_ids_that_are_not_there_are_told(shared_set: ImageSet) -> None:
    with pytest.raises(ImageSetError, match="no picture with id 5"):
        rows_to_export(shared_set, [5])
    with pytest.raises(ImageSetError, match="None of 0 pictures"):
        lay_out(shared_set, [], [], how="link", progress=silent)


def test_tables_and_paths_have_the_most_ambiguous_first(shared_set: ImageSet) -> None:
    table = shared_set.table().assign(rank_percentile=1.0)
    ordered = leading_first(shared_set, table)
    measure = str(shared_set.order().measure)
    assert ordered[measure].is_monotonic_decreasing
    assert ordered["id"].tolist() != table["id"].tolist()
    rows = pd.read_csv(io.BytesIO(selection_file(shared_set, table, ".csv")))
    assert rows["path"].tolist() == ordered["path"].tolist()
    assert "rank_percentile" not in rows
    packed = pd.read_parquet(io.BytesIO(selection_file(shared_set, table, ".parquet")))
    assert packed["path"].tolist() == ordered["path"].tolist()
    two = ordered[~ordered["path"].str.contains("\\s", regex=True)].iloc[:2][::-1]
    paths = selection_file(shared_set, two, ".txt").decode().splitlines()
    assert paths == [str(shared_set.folder / path) for path in two["path"][::-1]]
