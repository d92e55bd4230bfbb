"""Tables leave as files that open safely elsewhere, whole or not at all."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.given import given_set
from url_viz.base.errors import FolderError
from url_viz.export.result_files import answers_table, import_answers
from url_viz.export.table_files import table_bytes, without_formulas, write_table
from url_viz.imaging.uploaded_files import IncomingFile
from url_viz.store.columns.user_files import read_user_file
from url_viz.store.columns.user_paths import match_paths

pytestmark = pytest.mark.slow


@pytest.fixture
def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "id": np.array([2**62 + 1, 3], np.int64),
            "path": ['a "b", c.jpg', "日本🙂.jpg"],
            "label": pd.Series([None, "cat"], dtype=object),
            "uncertainty": np.array([0.1, np.nan], np.float32),
        }
    )


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "=cmd|' /C calc'!A0"])
def test_a_spreadsheet_runs_no_name_of_a_file_or_a_column(start: str) -> None:
    table = pd.DataFrame({"path": [f"{start}1+1.jpg", "plain=1.jpg"], f"{start}x": [-1.5, 2.0], "none": [None, 2]})
    safe = without_formulas(table)
    assert safe.columns.tolist() == ["path", f"'{start}x", "none"]
    assert safe["path"].tolist() == [f"'{start}1+1.jpg", "plain=1.jpg"]
    assert safe[f"'{start}x"].tolist() == [-1.5, 2.0], "numbers stay numbers"
    for kind in ("object", "string", "category"):
        text = table.astype({"path": kind})
        assert without_formulas(text)["path"].tolist() == safe["path"].tolist()
        assert text["path"].tolist() == table["path"].tolist(), "the table itself is left alone"
    assert table_bytes(table[["path"]], ".csv") == safe[["path"]].to_csv(index=False).encode()
    assert pd.read_parquet(io.BytesIO(table_bytes(table, ".parquet")))["path"].tolist() == table["path"].tolist()


PART = st.text(st.sampled_from("'=+-@＝－ab1.,\"; "), min_size=1, max_size=6).map(str.strip).filter(len)
PATHS = st.lists(st.lists(PART, min_size=1, max_size=2).map("/".join), min_size=1, max_size=8, unique=True)


@given(PATHS)
def test_every_path_of_a_csv_finds_its_picture_again(paths: list[str]) -> None:
    file = IncomingFile("table.csv", table_bytes(pd.DataFrame({"path": paths, "x": range(len(paths))}), ".csv"))
    again = read_user_file(file)
    found = match_paths(again.paths, [path.encode() for path in paths], root=Path("/pictures"))
    assert found.row.tolist() == list(range(len(paths)))


def test_what_was_exported_is_read_back_as_columns_and_answers(tmp_path: Path) -> None:
    paths = ("'=cmd/p0.png", "-5C/a.png", "=cmd/p0.png", "plain/b.png")
    image_set = given_set(tmp_path, paths)
    write_table(image_set.table()[["path", "width"]].rename(columns={"width": "wide"}), tmp_path / "table.csv")
    image_set.columns.add(tmp_path / "table.csv", name="mine")
    assert image_set.table()["wide"].notna().all()
    pairs = {(int(image_set.core.contents[0]), int(image_set.core.contents[2])): True}
    image_set.answers.log.answer(pairs)
    write_table(answers_table(image_set)[["path", "neighbour_path", "same"]], tmp_path / "answers.csv")
    image_set.decisions.undo()
    assert not len(image_set.answers.log.now().pairs)
    import_answers(image_set, tmp_path / "answers.csv")
    assert image_set.answers.log.now().pairs.tolist() == [sorted(next(iter(pairs)))]


@pytest.mark.parametrize(("name", "kind"), [("out.csv", np.float64), ("out.PARQUET", np.float32)])
def test_a_table_comes_back(table: pd.DataFrame, tmp_path: Path, name: str, kind: type) -> None:
    table.attrs = {"contents": np.zeros(3)}
    empty, back = (
        pd.read_csv(path) if name.endswith("csv") else pd.read_parquet(path)
        for path in (write_table(rows, tmp_path / name) for rows in (table.iloc[:0], table))
    )
    assert (list(empty.columns), len(empty)) == (list(table.columns), 0)
    assert back["id"].tolist() == table["id"].tolist()
    assert back["path"].tolist() == table["path"].tolist()
    assert back["label"].isna().tolist() == [True, False]
    assert back["uncertainty"].to_numpy() == pytest.approx(table["uncertainty"].to_numpy(), nan_ok=True)
    assert back["uncertainty"].dtype == kind
    assert table.attrs, "the table itself is left alone"


def test_what_is_there_is_replaced_whole_and_what_cannot_be_written_is_told(
    table: pd.DataFrame, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder.csv").mkdir()
    for name, said in (
        ("out.xlsx", "out.xlsx.*csv"),
        ("out", "out.*csv"),
        ("file/out.csv", "Cannot write"),
        ("folder.csv", "Cannot write"),
    ):
        with pytest.raises(FolderError, match=said):
            write_table(table, tmp_path / name)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder.csv"]
    (tmp_path / "out.csv").write_text("x" * 10_000)
    assert write_table(table, tmp_path / "out.csv").read_bytes() == table_bytes(table, ".csv")
