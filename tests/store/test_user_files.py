"""A user's file becomes plain columns, whatever wrote it, and its paths find their picture and never another one."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from url_viz.base.errors import FolderError
from url_viz.imaging.uploaded_files import IncomingFile
from url_viz.store.columns.user_files import ARRAY, UserFile, distinct_names, read_user_file
from url_viz.store.columns.user_paths import match_paths


def of_csv(text: str | bytes, **options: Any) -> UserFile:
    data = text if isinstance(text, bytes) else text.encode()
    return read_user_file(IncomingFile("mine.csv", data), **options)


def of_json(text: str) -> UserFile:
    return read_user_file(IncomingFile("mine.json", text.encode()))


def of_parquet(columns: dict[str, object]) -> UserFile:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return read_user_file(IncomingFile("mine.parquet", file.getvalue()))


def of_arrays(name: str, *, beside: IncomingFile | None = None, **arrays: np.ndarray) -> UserFile:
    file = io.BytesIO()
    if name.endswith(".npy"):
        np.save(file, arrays["values"])
    else:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # of its own arguments
    return read_user_file(IncomingFile(name, file.getvalue()), paths=beside)


def cells(file: UserFile, name: str) -> list[object]:
    return file.columns[name].values.tolist()


class TestCsv:
    """Spreadsheets of every kind."""

    def test_numbers_text_and_what_is_missing(self) -> None:
        file = of_csv('path,score,who,ok\na.jpg,0.5,"Eve, ill",True\nb.jpg,n/a,,false\nc.jpg,inf,None,TRUE\n')
        assert file.paths == ("a.jpg", "b.jpg", "c.jpg")
        assert np.array_equal(file.columns["score"].values, [0.5, np.nan, np.nan], equal_nan=True)
        assert (file.columns["score"].kind, file.columns["score"].infinite) == ("numeric", 1)
        assert cells(file, "who") == ["Eve, ill", None, "None"]  # may be a class; only an empty cell is missing
        assert cells(file, "ok") == ["true", "false", "true"]

    @pytest.mark.parametrize("code", ["007", "1234567890123456", "1e5x", "0x10", "1_000", "12:30"])
    def test_what_is_no_plain_number_stays_text(self, code: str) -> None:
        assert cells(of_csv(f"path,code\na,{code}\n"), "code") == [code]

    def test_a_spreadsheet_of_europe(self) -> None:
        file = of_csv("file;score;name\na;0,5;Grün\nb;1,25;x\n".encode("latin-1"))
        assert cells(file, "score") == [0.5, 1.25]
        assert cells(file, "name") == ["Grün", "x"]

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
    def test_marks_of_byte_order(self, encoding: str) -> None:
        file = of_csv("Path\tv\r\nä.jpg\t1\r\n".encode(encoding))
        assert (file.path_column, file.paths, cells(file, "v")) == ("Path", ("ä.jpg",), [1.0])

    def test_markup_and_formulas_are_text_on_one_line(self) -> None:
        file = of_csv('path,t\na,<img src=x>\nb,=1+1\nc,"two\nlines\u202e"\n')
        assert cells(file, "t") == ["<img src=x>", "=1+1", "two lines"]

    def test_names_of_columns(self) -> None:
        file = of_csv("path,a,a,,path\nx,1,2,3,4\n")
        assert (file.path_column, list(file.columns)) == ("path", ["a", "a_2", "column_4", "path_2"])
        assert distinct_names(["a", "a_2", "a", "\x00b "]) == ["a", "a_2", "a_3", "b"]

    def test_a_column_that_cannot_be_taken_is_told(self) -> None:
        file = of_csv(f"path,long,empty,v\na,{'x' * 501},,1\n")
        assert list(file.columns) == ["v"]
        assert dict(file.left_out) == {
            "long": "its longest text has 501 characters; at most 500 are kept",
            "empty": "it has no values",
        }

    def test_logits_are_put_together_in_the_order_of_their_numbers(self) -> None:
        file = of_csv("path,logit_10,logit_2,v\na,3,1,7\nb,,2,8\n")
        assert np.array_equal(file.lists["logits"], np.array([[1, 3], [2, np.nan]]), equal_nan=True)
        assert list(file.columns) == ["v"]

    def test_the_column_of_paths_is_named_or_told(self) -> None:
        assert of_csv("id,Filename,v\n1,a,2\n").paths == ("a",)
        assert of_csv("where,v\na,2\n", path_column="where").paths == ("a",)
        with pytest.raises(FolderError, match=r"'where', 'v'.*--path-column"):
            of_csv("where,v\na,2\n")
        with pytest.raises(FolderError, match="no column 'x'"):
            of_csv("path,v\na,2\n", path_column="x")

    @pytest.mark.parametrize(
        ("data", "said"),
        [
            (b"", "is empty"),
            (b"path,v\n", "no rows"),
            (b"path,v\na,1,2\n", "line 2"),
            (b'path,v\na,"open\n', "cannot be read as a table"),
            (b"\x89PNG\r\n\x1a\n\x00\x00", "is not text"),
            ("path,v\na,1\n".encode("utf-16"), "is not text in UTF-8"),
        ],
    )
    def test_hostile_files_end_in_a_sentence(self, data: bytes, said: str) -> None:
        with pytest.raises(FolderError, match=said):
            of_csv(data)


TWO = pa.array(["a.jpg", "b.jpg"])
NO_UTF8 = pa.StringArray.from_buffers(2, pa.py_buffer(np.array([0, 2, 3], np.int32)), pa.py_buffer(b"\xff\xfex"))


class TestParquet:
    """Typed columns."""

    def test_every_kind_of_column(self) -> None:
        file = of_parquet(
            {
                "path": ["a", "b"],
                "f": pa.array([0.5, None], pa.float32()),
                "i": [1, 2],
                "huge": [2**60, 1],
                "b": [True, None],
                "d": pa.array(["x", "y"]).dictionary_encode(),
                "day": pa.array([0, 1], pa.date32()),
                "logits": [[1.0, 2.0], [3.0, 4.0]],
                "ragged": [[1.0], [1.0, 2.0]],
                "struct": [{"a": 1}, {"a": 2}],
                "bytes": [b"x", b"y"],
            }
        )
        assert np.array_equal(file.columns["f"].values, [0.5, np.nan], equal_nan=True)
        assert cells(file, "i") == [1.0, 2.0]
        assert cells(file, "huge") == [str(2**60), "1"]
        assert cells(file, "b") == ["true", None]
        assert cells(file, "d") == ["x", "y"]
        assert cells(file, "day") == ["1970-01-01", "1970-01-02"]
        assert file.lists["logits"].tolist() == [[1, 2], [3, 4]]
        assert [name for name, _ in file.left_out] == ["ragged", "struct", "bytes"]

    def test_a_damaged_one(self) -> None:
        with pytest.raises(FolderError, match="cannot be read as Parquet"):
            read_user_file(IncomingFile("x.parquet", b"PAR1 and no more"))

    def test_one_whose_footer_would_abort_its_reader(self) -> None:
        file = io.BytesIO()
        pq.write_table(pa.table({"path": ["a", None]}), file)
        head = b"\x18\x04path"  # the name of the column, after whether it may be null
        damaged = file.getvalue().replace(b"\x25\x02" + head, b"\x25\x00" + head)
        assert damaged != file.getvalue()
        with pytest.raises(FolderError, match=r"'x.parquet' ends the process that reads it .*: it is damaged"):
            read_user_file(IncomingFile("x.parquet", damaged))

    @pytest.mark.parametrize(
        ("odd", "said"),
        [
            (pa.array([2**62, 0], pa.timestamp("ms")), "cannot be read"),
            (pa.array([2**62, 0], pa.timestamp("us")), "cannot be read"),
            (NO_UTF8, "cannot be read ('utf-8' codec"),
        ],
        ids=["milliseconds out of range", "microseconds out of range", "no UTF-8"],
    )
    def test_values_that_cannot_be_read(self, odd: pa.Array, said: str) -> None:
        found = of_parquet({"path": TWO, "odd": odd, "v": [1, 2]})
        assert list(found.columns) == ["v"]
        [(name, why)] = found.left_out
        assert (name, said in why) == ("odd", True)
        with pytest.raises(FolderError, match=r"The paths in 'mine.parquet' cannot be read"):
            of_parquet({"path": odd})

    def test_bytes_are_names_of_files(self) -> None:
        assert of_parquet({"path": pa.array([b"a\xff.jpg", b"b.jpg"]), "v": [1, 2]}).paths == ("a\udcff.jpg", "b.jpg")

    def test_nothing_among_texts_and_in_dictionaries(self) -> None:
        among, coded = pa.array(["x", None]), pa.array([None, "y"]).dictionary_encode()
        found = of_parquet({"path": TWO, "t": among, "d": coded, "n": pa.array([7, None])})
        assert [one.values.tolist() for one in found.columns.values()][:2] == [["x", None], [None, "y"]]
        assert np.array_equal(found.columns["n"].values, [7, np.nan], equal_nan=True)


class TestArrays:
    """(N, C) with paths beside."""

    values = np.arange(6, dtype=np.float64).reshape(2, 3)

    def test_paths_in_the_same_file_or_in_a_list(self) -> None:
        names = np.array(["a", "b"])
        both = of_arrays("x.npz", values=self.values, paths=names)
        beside = of_arrays("x.npy", values=self.values, beside=IncomingFile("p.txt", b"a\r\n\r\nb\n"))
        table = of_arrays("x.npy", values=self.values, beside=IncomingFile("p.csv", b"path,v\na,1\nb,2\n"))
        for file in (both, beside, table):
            assert file.paths == ("a", "b")
            assert np.array_equal(file.lists[ARRAY], self.values)

    def test_what_does_not_fit_is_told(self) -> None:
        with pytest.raises(FolderError, match="which row is which picture"):
            of_arrays("x.npy", values=self.values)
        with pytest.raises(FolderError, match="2 rows and there are 1 paths"):
            of_arrays("x.npy", values=self.values, beside=IncomingFile("p.txt", b"a\n"))
        with pytest.raises(FolderError, match=r"holds values float64 \(3,\)"):
            of_arrays("x.npz", values=self.values[0])

    def test_pickles_are_not_opened(self) -> None:
        file = io.BytesIO()
        np.save(file, np.array([{"a": 1}], dtype=object), allow_pickle=True)
        with pytest.raises(FolderError, match=r"NumPy's \(it holds Python objects, which can run code\)\. Save it"):
            read_user_file(IncomingFile("x.npy", file.getvalue()))

    def test_a_reason_is_no_longer_than_a_sentence(self) -> None:
        with pytest.raises(FolderError) as raised:
            read_user_file(IncomingFile("x.npy", header_of(f"{'(' * 3000}1,{')' * 3000}")))
        assert len(str(raised.value)) < 300

    @pytest.mark.parametrize("shape", ["(10000000000000, 2)", "(2, 10000000000000)", "(-10000000000000, -1)", "(4, 2)"])
    def test_an_array_that_says_it_is_larger_than_it_is_takes_no_memory(self, shape: str) -> None:
        lie = header_of(shape) + bytes(32)
        zipped = io.BytesIO()
        with zipfile.ZipFile(zipped, "w") as archive:
            archive.writestr("values.npy", lie)
        for name, data in (("x.npy", lie), ("x.npz", zipped.getvalue())):
            with pytest.raises(FolderError, match="cannot be read as NumPy's"):
                read_user_file(IncomingFile(name, data))

    def test_names_of_no_length_take_none_either(self) -> None:
        with pytest.raises(FolderError, match="10,000,000,000,000 rows of 1; at most"):
            read_user_file(IncomingFile("x.npy", header_of("(10000000000000,)", kind="<U0")))

    def test_a_file_that_unfolds_to_too_much_is_not_unfolded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("url_viz.store.columns.user_files.MOST_UNFOLDED", 1 << 20)
        file = io.BytesIO()
        np.savez_compressed(file, values=np.zeros((1 << 16, 8)))
        with pytest.raises(FolderError, match=r"unfolds to 4,194,\d+ bytes; at most 1,048,576 are read"):
            read_user_file(IncomingFile("x.npz", file.getvalue()))

    def test_damaged_files_end_in_a_sentence(self) -> None:
        file = io.BytesIO()
        np.savez_compressed(file, values=self.values, paths=np.array(["a", "b"]))
        whole = file.getvalue()
        for seed in range(300):
            rng = np.random.default_rng(seed)
            data = np.frombuffer(whole, np.uint8).copy()
            data[rng.integers(0, len(data), 1 + seed % 4)] = rng.integers(0, 256, 1 + seed % 4)
            try:
                file = read_user_file(IncomingFile("x.npz", data[: len(data) - seed % 3].tobytes()))
            except FolderError:
                continue
            assert len(file.paths) == 2

    def test_an_encrypted_one_and_one_with_other_files(self) -> None:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("readme.txt", "no array")
        data = bytearray(file.getvalue())
        with pytest.raises(FolderError, match="holds nothing"):
            read_user_file(IncomingFile("x.npz", bytes(data)))
        data[6] |= 1  # the flag for encryption, in the member and in the directory
        data[data.index(b"PK\x01\x02") + 8] |= 1
        with pytest.raises(FolderError, match="encrypted"):
            read_user_file(IncomingFile("x.npz", bytes(data)))


def header_of(shape: str, *, kind: str = "<f8") -> bytes:
    """The head of an .npy file, whatever it says."""
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


class TestJson:
    """Records by path, as other tools dump them."""

    def test_records_by_path_and_a_list_of_them(self) -> None:
        file = of_json('{"b/a.jpg": {"possible_fp": 0.5, "n": 3, "who": "Eve"}, "b.jpg": {"possible_fp": NaN, "n": 4}}')
        assert file.paths == ("b/a.jpg", "b.jpg")
        assert np.array_equal(file.columns["possible_fp"].values, [0.5, np.nan], equal_nan=True)
        assert (cells(file, "n"), file.columns["n"].kind) == ([3, 4], "numeric")
        assert cells(file, "who") == ["Eve", None]
        listed = of_json('[{"image": "a.jpg", "issue": "possible_fp", "score": 1, "box": [1, 2], "code": "007"}]')
        assert (listed.path_column, listed.paths, cells(listed, "score")) == ("image", ("a.jpg",), [1])
        assert cells(listed, "code") == ["007"]
        assert listed.left_out == (("box", "its cells are nested; one number or text per cell is read"),)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("{", "cannot be read as JSON"),
            ("[" * 100_000, "cannot be read as JSON"),
            ('[{"path": "a.jpg", "risk": "\\ud800x"}]', "cannot be read as JSON"),
            ('[{"path": "a.jpg", "\\ud800": 1}]', "cannot be read as JSON"),
            ("[1, 2]", "neither a list of records"),
            ("{}", "neither a list of records"),
            ('{"a.jpg": 1}', "neither a list of records"),
            ('[{"score": 1}]', "None of the columns"),
        ],
    )
    def test_what_is_something_else_is_told(self, text: str, said: str) -> None:
        with pytest.raises(FolderError, match=said):
            of_json(text)

    def test_numbers_beyond_floats_are_left_out(self) -> None:
        assert of_json(f'[{{"path": "a.jpg", "n": {10**400}, "m": 1}}]').left_out == (
            ("n", "its numbers are too large"),
        )


def test_a_file_that_is_not_there_or_of_another_kind(tmp_path: Path) -> None:
    with pytest.raises(FolderError, match="Cannot read"):
        read_user_file(tmp_path / "none.csv")
    with pytest.raises(FolderError, match=r"ends in one of: \.csv"):
        read_user_file(IncomingFile("mine.xlsx", b"x"))


@pytest.mark.parametrize("seed", range(2))
def test_a_table_comes_back_as_pandas_wrote_it(seed: int) -> None:
    """Property: what is written with full precision is read as it was, numbers to the last bit."""
    rng = np.random.default_rng(seed)
    scale = 10.0 ** rng.integers(-30, 30, 20)
    table = pd.DataFrame({"path": [f"{i}.jpg" for i in range(20)], "v": rng.normal(size=20) * scale})
    assert np.array_equal(of_csv(table.to_csv(index=False)).columns["v"].values, table["v"].to_numpy())


ROOT = Path("/data/photos")
PICTURES = [b"cat/1.jpg", b"cat/2.JPG", b"dog/1.jpg", b"deep/er/3.png", b"top.jpg", b"odd\xff.jpg"]


def found(*paths: str) -> list[int]:
    return match_paths(paths, PICTURES, root=ROOT).row.tolist()


@pytest.mark.parametrize(
    ("path", "row"),
    [
        ("cat/1.jpg", 0),
        ("./cat//1.jpg", 0),
        ("cat\\1.jpg", 0),
        (" CAT/1.JPG ", 0),
        ("/data/photos/cat/1.jpg", 0),
        ("file:///data/photos/cat/1.jpg", 0),
        ("C:\\Users\\eve\\photos\\cat\\1.jpg", 0),
        ("photos/cat/1.jpg", 0),
        ("2.jpg", 1),
        ("er/3.png", 3),
        ("3", 3),
        ("/elsewhere/top.jpg", 4),
        ("odd\\xff.jpg", 5),
        ("1.jpg", -1),  # two pictures have this name
        ("bird/2.jpg", -1),  # a folder that is told and is another
        ("", -1),
        ("../cat/9.jpg", -1),
    ],
)
def test_ways_to_write_a_path(path: str, row: int) -> None:
    assert found(path) == [row]


def test_an_exact_path_goes_before_one_of_other_case() -> None:
    pictures = [b"A.jpg", b"a.jpg"]
    assert match_paths(["a.jpg"], pictures, root=ROOT).row.tolist() == [1]
    assert match_paths(["A.JPG"], pictures, root=ROOT).row.tolist() == [-1]


def test_two_rows_of_one_picture_are_refused_and_what_is_not_found_counted() -> None:
    with pytest.raises(FolderError, match=r"2 rows are of the same picture: 'cat/1.jpg', './cat/1.jpg'"):
        found("cat/1.jpg", "top.jpg", "./cat/1.jpg")
    matched = match_paths(["x", "top.jpg", "y"], PICTURES, root=ROOT)
    assert (matched.count, matched.examples) == (1, ("x", "y"))


@pytest.mark.parametrize("seed", range(5))
def test_any_way_to_write_it_finds_the_picture_or_none(seed: int) -> None:
    """Property, over random trees: with the folders told in full it is found; with fewer, it or nothing is."""
    rng = np.random.default_rng(seed)
    names = {"/".join(f"{'abc'[d]}{rng.integers(3)}" for d in range(rng.integers(1, 4))) + ".jpg" for _ in range(40)}
    pictures = sorted(name.encode() for name in names)
    for row, picture in enumerate(pictures):
        text = picture.decode()
        full = [text, f"./{text}", text.replace("/", "\\"), f"{ROOT}/{text}", text.upper()]
        assert match_paths(full[:1], pictures, root=ROOT).row[0] == row
        for way in full[1:]:
            assert match_paths([way], pictures, root=ROOT).row[0] == row
        for start in range(1, text.count("/") + 1):
            short = "/".join(text.split("/")[start:])
            naive = [i for i, other in enumerate(pictures) if other.decode().endswith(("/" + short,))]
            at = pictures.index(short.encode()) if short.encode() in pictures else None
            expected = at if at is not None else (naive[0] if len(naive) == 1 else -1)
            assert match_paths([short], pictures, root=ROOT).row[0] == expected
