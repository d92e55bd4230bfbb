"""Tables leave as files that open safely elsewhere, whole or not at all."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from url_viz.errors import FolderError
from url_viz.export.tables import table_bytes, without_formulas, write_table


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
def test_a_spreadsheet_runs_no_file_name(start: str) -> None:
    safe = without_formulas(pd.DataFrame({"path": [f"{start}1+1.jpg", "plain=1.jpg"], "x": [-1.5, 2.0]}))
    assert safe["path"].tolist() == [f"'{start}1+1.jpg", "plain=1.jpg"]
    assert safe["x"].tolist() == [-1.5, 2.0], "numbers stay numbers"


def test_a_spreadsheet_runs_no_name_of_a_column_either() -> None:
    table = pd.DataFrame([["=1", 2, None]], columns=["=cmd|' /C calc'!A0", "\r@sum", "plain"])
    assert without_formulas(table).columns.tolist() == ["'=cmd|' /C calc'!A0", "'\r@sum", "plain"]
    assert without_formulas(table).iloc[0].tolist() == ["'=1", 2, None]


def test_csv_is_written_without_formulas_and_parquet_as_it_is() -> None:
    table = pd.DataFrame({"path": ["=1+1.jpg"]})
    assert table_bytes(table, ".csv") == b"path\n'=1+1.jpg\n"
    assert pd.read_parquet(io.BytesIO(table_bytes(table, ".parquet")))["path"].tolist() == ["=1+1.jpg"]


@pytest.mark.parametrize("kind", ["object", "string", "category"])
def test_formulas_are_found_in_every_kind_of_text_column(kind: str) -> None:
    table = pd.DataFrame({"label": pd.Series(["=1", "b"]).astype(kind)})
    assert without_formulas(table)["label"].tolist() == ["'=1", "b"]
    assert table["label"].tolist() == ["=1", "b"], "the table itself is left alone"


def test_csv_comes_back(table: pd.DataFrame, tmp_path: Path) -> None:
    back = pd.read_csv(write_table(table, tmp_path / "out.csv"))
    assert back["id"].tolist() == table["id"].tolist()
    assert back["path"].tolist() == table["path"].tolist()
    assert back["label"].isna().tolist() == [True, False]
    assert back["uncertainty"].to_numpy() == pytest.approx(table["uncertainty"].to_numpy(), nan_ok=True)


def test_parquet_comes_back_with_its_types(table: pd.DataFrame, tmp_path: Path) -> None:
    table.attrs = {"contents": np.zeros(3)}
    back = pd.read_parquet(write_table(table, tmp_path / "out.PARQUET"))
    assert back["id"].tolist() == table["id"].tolist()
    assert back["path"].tolist() == table["path"].tolist()
    assert back["uncertainty"].dtype == np.float32
    assert back["label"].isna().tolist() == [True, False]
    assert table.attrs, "the table itself is left alone"


@pytest.mark.parametrize("kind", [".csv", ".parquet"])
def test_an_empty_table_keeps_its_columns(table: pd.DataFrame, tmp_path: Path, kind: str) -> None:
    path = write_table(table.iloc[:0], tmp_path / f"out{kind}")
    back = pd.read_csv(path) if kind == ".csv" else pd.read_parquet(path)
    assert list(back.columns) == list(table.columns)
    assert len(back) == 0


def test_another_ending_is_refused_and_leaves_nothing(table: pd.DataFrame, tmp_path: Path) -> None:
    for name in ("out.xlsx", "out"):
        with pytest.raises(FolderError, match=f"{name}.*csv"):
            write_table(table, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_says_so(table: pd.DataFrame, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder.csv").mkdir()
    for path in (tmp_path / "file" / "out.csv", tmp_path / "folder.csv"):
        with pytest.raises(FolderError, match="Cannot write"):
            write_table(table, path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder.csv"]


def test_a_file_that_is_there_is_replaced_whole(table: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("x" * 10_000)
    write_table(table, path)
    assert path.read_bytes() == table_bytes(table, ".csv")
