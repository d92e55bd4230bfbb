"""User files (CSV, Parquet, JSON, NumPy) read into columns without loss; damaged and hostile ones are refused."""

import csv
import datetime
import io
import json
import lzma
import math
import os
import re
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from url_viz.base.errors import FolderError, ImageError
from url_viz.base.wording import NO_NAME, numbered, without_apostrophe
from url_viz.imaging.limited_readers import readers
from url_viz.imaging.uploaded_files import IncomingFile

MOST_UNFOLDED = 1 << 27
"""Bytes that any compressed file may decompress to; a larger file may reach `MOST_FOLDS` times its size."""
BYTES_A_PICTURE = 1 << 13
"""More bytes for each picture that the file is for, up to `MOST_FOR_PICTURES`."""
MOST_FOR_PICTURES = 1 << 30
MOST_FOLDS = 4
"""Embeddings hardly compress, so ordinary files stay far below; a file of zeros grows a thousandfold."""
MOST_ROWS = 1_000_000
ROWS_A_PICTURE = 10
"""More rows for each picture that the file is for: it may cover several folders."""
MOST_NUMBERS = 65_536
"""Numbers in an embedding, or classes of logits."""
BYTES_A_NUMBER = 4
"""Memory per number after reading, whatever its dtype in the file."""
DAMAGE = (
    *(ValueError, TypeError, LookupError, ArithmeticError, OSError, EOFError, RuntimeError, MemoryError, SyntaxError),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, tokenize.TokenError, csv.Error, pa.ArrowException),
)
"""What libraries raise for damaged, truncated, encrypted and hostile files, and for times out of range."""


@contextmanager
def readable_as(sentence: str, advice: str) -> Iterator[None]:
    """Turn what libraries raise for a damaged file into a FolderError: `sentence`, the reason, `advice`."""
    try:
        yield
    except DAMAGE as error:
        raise FolderError(f"{sentence} ({first_line(error)}). {advice}") from error


LONGEST_REASON = 200


def first_line(error: Exception) -> str:
    """A library's reason, on one line, and not at any length; none that advises to load what can run code."""
    reason = str(error).partition("\n")[0].removeprefix("Error tokenizing data. C error: ") or type(error).__name__
    if "allow_pickle" in reason:
        return "it holds Python objects, which can run code"
    return reason if len(reason) <= LONGEST_REASON else f"{reason[:LONGEST_REASON]}…"


def most_bytes(size: int, pictures: int) -> int:
    """The most bytes that a file of `size` bytes for a number of pictures may decompress to."""
    return max(min(MOST_UNFOLDED + BYTES_A_PICTURE * pictures, MOST_FOR_PICTURES), MOST_FOLDS * size)


def most_rows(pictures: int) -> int:
    """The most rows that a file for a number of pictures may have."""
    return MOST_ROWS + ROWS_A_PICTURE * pictures


def read_arrays(source: IncomingFile, *, pictures: int = 0) -> dict[str, NDArray[Any]]:
    """The arrays of an .npz file by name, or the one of an .npy file under "", for a number of `pictures`.

    No code in it is run, and memory is limited to `most_bytes`. Raises FolderError if the file is damaged, declares
    more than it holds, has too many rows or columns, or decompresses to too much.
    """
    most, rows_read = most_bytes(len(source.data), pictures), most_rows(pictures)

    def check_unfolded(unfolded: int) -> None:
        if unfolded > most:
            raise ValueError(f"it unfolds to {unfolded:,} bytes; at most {most:,} are read")

    with readable_as(f"{source.name!r} cannot be read as NumPy's", "Save it with numpy.save."):
        # An array that declares more than the file holds ends in an error before that memory is touched.
        loaded = np.load(io.BytesIO(source.data), allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            arrays = {"": loaded}
        else:  # zipfile reads no more bytes of a member than its file_size
            check_unfolded(sum(member.file_size for member in loaded.zip.infolist()))
            arrays = {name: array for name in loaded.files if isinstance(array := loaded[name], np.ndarray)}
        for shape in (array.shape for array in arrays.values()):
            rows, columns = shape[0] if shape else 1, int(np.prod(shape[1:], dtype=object))
            if rows > rows_read or columns > MOST_NUMBERS:
                raise ValueError(
                    f"it has {rows:,} rows of {columns:,}; at most {rows_read:,} of {MOST_NUMBERS:,} are read here"
                )
        check_unfolded(sum(BYTES_A_NUMBER * array.size for array in arrays.values()))
        return arrays


LONGEST_TEXT = 500
EXACT_INTEGER = 2**53
"""Integers beyond this are not exact as floats."""
_MISSING = frozenset({"", "nan", "na", "n/a", "#n/a", "null", "none", "<na>", "?"})
"""Spellings of a missing number; in a column of text only an empty cell is missing, as `None` may be a class."""
_NUMBER = r"(?i:[+-]?(?:(?:0|[1-9][0-9]{0,14}|[0-9]+\.[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|inf(?:inity)?))"
"""Codes such as `007`, and integers that may not be exact as floats, are identifiers rather than measurements."""

Kind = Literal["numeric", "categorical"]


@dataclass(frozen=True)
class Values:
    """One column (N,): float64, nan for missing cells, or objects: text, None for missing cells.

    `infinite` counts infinities, which are stored as missing.
    """

    kind: Kind
    values: NDArray[Any]
    infinite: int = 0

    @classmethod
    def from_series(cls, cells: "pd.Series[Any]") -> "Values":
        """A column of numbers or text as it is."""
        if pd.api.types.is_numeric_dtype(cells):
            return cls("numeric", cells.to_numpy(np.float64))
        return cls("categorical", cells.astype(object).where(cells.notna(), None).to_numpy())

    @property
    def count(self) -> int:
        """How many cells have a value."""
        return int(pd.notna(self.values).sum())


def text_values(cells: pd.Series, *, decimal_comma: bool = False, numbers: bool = True) -> Values | str:
    """Cells of text as numbers, if each is a number or missing, else as text; or the reason to refuse them.

    Codes such as `007`, and integers of 16 digits and more, stay text. With `decimal_comma`, `0,5` is a number too.
    Text of more than 500 characters is refused; control characters become spaces.
    """
    code, distinct = pd.factorize(cells.str.strip())
    texts = pd.Series(distinct, dtype=object)
    as_numbers = _as_numbers(texts.str.replace(",", ".", regex=False) if decimal_comma else texts) if numbers else None
    if as_numbers is not None:
        return number_values(as_numbers[code])
    longest = int(texts.str.len().max())
    if longest > LONGEST_TEXT:
        return f"its longest text has {longest:,} characters; at most {LONGEST_TEXT} are kept"
    plain = map(cleaned, distinct)
    stored = ((text.lower() if text.lower() in ("true", "false") else text) or None for text in plain)
    words = np.array([*stored, None], object)[code]
    return Values("categorical", words) if longest else "it has no values"


def number_values(numbers: NDArray[np.floating]) -> Values | str:
    """Numbers (N,) with infinities as missing; or the reason to refuse them."""
    is_finite = np.isfinite(numbers)
    if not is_finite.any():
        return "it has no values"
    return Values("numeric", np.where(is_finite, numbers, np.nan).astype(np.float64), int(np.isinf(numbers).sum()))


def _as_numbers(texts: "pd.Series[str]") -> NDArray[np.float64] | None:
    """Distinct cells as numbers, nan for missing ones; None if one is text, or all are missing."""
    is_missing = texts.str.casefold().isin(_MISSING).to_numpy()
    present = texts[~is_missing]
    if present.empty or not present.str.fullmatch(_NUMBER).all():
        return None
    numbers = np.full(len(texts), np.nan)
    # Not pandas.to_numeric: before 3.1 it reads the last bit wrong.
    numbers[~is_missing] = present.to_numpy(object).astype(np.float64)
    return numbers


def cleaned(text: str) -> str:
    """Text on one line: line breaks, control characters and changes of direction become spaces."""
    return NO_NAME.sub(" ", text.lstrip("\ufeff")).strip()


def as_text(value: Any) -> str:
    """One cell of a typed table as text, "" for a missing one; whole numbers without `.0`."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bytes):
        return os.fsdecode(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < EXACT_INTEGER:
        return str(int(value))
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    return format(value, "f") if isinstance(value, Decimal) else str(value)


CSV_ENDINGS = (".csv", ".tsv", ".txt")
PARQUET_ENDINGS = (".parquet", ".pq")
ARRAY_ENDINGS = (".npy", ".npz")
JSON_ENDINGS = (".json",)
PATH_NAMES = (
    *("path", "filepath", "file_path", "file", "filename", "file_name", "image", "image_path", "img_path", "img"),
    *("image_name", "picture", "images", "paths", "files", "filenames", "image_id", "name", "id"),
)
"""Names of a column of paths, the most likely first; case does not matter."""
ARRAY = "array"
"""The name of the matrix of a .npy or .npz file in `UserFile.lists`."""
MOST_COLUMNS = 5_000
LONGEST_CELL = 32_768
"""Characters of a path or other text in a Parquet file; stored texts are shorter."""
LONGEST_NAME = 80
_SEPARATORS = ",;\t|"
_LOGIT = re.compile(r"logits?[_.\- \[]?(\d+)\]?", re.IGNORECASE)

Matrix = NDArray[np.floating[Any]]
Cells = Values | Matrix | str
"""Numbers or text (N,), cells of C numbers each (N, C), or the reason to refuse a column."""
Table = tuple[list[str], Callable[[str], "pd.Series[str]"], Callable[[str], Cells]]
"""The names of columns, a function that reads one of them as paths, and one that reads it as cells."""


@dataclass(frozen=True)
class UserFile:
    """A file on N pictures: `paths` (N) as written in it, and `cells`, its columns by name.

    The columns `logit_0…` are joined as `logits`.
    """

    name: str
    path_column: str
    paths: tuple[str, ...]
    cells: Mapping[str, Cells]

    @property
    def columns(self) -> dict[str, Values]:
        """The columns (N,) by name."""
        return {name: column for name, column in self.cells.items() if isinstance(column, Values)}

    @property
    def lists(self) -> dict[str, Matrix]:
        """The columns (N, C) whose cells are C numbers each, by name."""
        return {name: column for name, column in self.cells.items() if isinstance(column, np.ndarray)}

    @property
    def left_out(self) -> tuple[tuple[str, str], ...]:
        """The refused columns, each with the reason."""
        return tuple((name[:LONGEST_NAME], why) for name, why in self.cells.items() if isinstance(why, str))


def opened(file: str | Path | IncomingFile) -> IncomingFile:
    """The bytes of a file, with its name. Raises FolderError if it cannot be read."""
    if isinstance(file, IncomingFile):
        return file
    path = Path(file).expanduser()
    try:
        return IncomingFile(path.name, path.read_bytes())
    except OSError as error:
        raise FolderError(f"Cannot read {str(path)!r}: {error.strerror or error}. Give the path of a file.") from error


def read_user_file(
    file: str | Path | IncomingFile,
    *,
    path_column: str | None = None,
    paths: str | Path | IncomingFile | None = None,
    pictures: int = 0,
) -> UserFile:
    """Read a CSV, Parquet, JSON, .npy or .npz file; `path_column` names the column of paths if its name is unusual.

    JSON is a list of flat records, or holds these by path, as Ultralytics' `image_metrics` do. The paths of an array
    (N, C) are in `paths` (one a line, or a table), or text in the same .npz. The limit on decompression grows with the
    number of `pictures`. Raises FolderError if the file is none of these, is damaged, has no paths, or decompresses to
    too much.
    """
    source = opened(file)
    if not source.data:
        raise FolderError(f"{source.name!r} is empty. Give a file with a column of paths and one of values.")
    ending = Path(source.name).suffix.lower()
    if ending in ARRAY_ENDINGS:
        return _array_file(source, None if paths is None else opened(paths), path_column, pictures)
    if paths is not None:
        raise FolderError(f"{source.name!r} has its own paths; a list of paths goes only with .npy and .npz.")
    if ending in CSV_ENDINGS:
        names, paths_in, cells_in = _csv(source)
    elif ending in PARQUET_ENDINGS:
        names, paths_in, cells_in = _parquet(source, pictures)
    elif ending in JSON_ENDINGS:
        names, paths_in, cells_in = _json(source, pictures)
    else:
        known = ", ".join((*CSV_ENDINGS, *PARQUET_ENDINGS, *JSON_ENDINGS, *ARRAY_ENDINGS))
        raise FolderError(f"{source.name!r} is not a table by its extension. Give a file that ends in one of: {known}.")
    path_name = _find_path_column(source.name, names, path_column)
    with readable_as(f"The paths in {source.name!r} cannot be read", "Write it again."):
        written = tuple(paths_in(path_name))
    if not written:
        raise FolderError(f"{source.name!r} has no rows. Give one row per picture.")
    return UserFile(source.name, path_name, written, _columns(names, path_name, cells_in))


def read_csv(source: IncomingFile) -> pd.DataFrame:
    """All cells of a CSV file as text, by the names of its first line. Raises FolderError if it cannot be read."""
    return _parsed(source.name, *_text_and_separator(source))


def read_paths(cells: "pd.Series[str]") -> list[str]:
    """The paths in a column of a CSV file, without the apostrophe that exports put before formulas."""
    return [without_apostrophe(path) for path in cells.str.strip()]


def _csv(source: IncomingFile) -> Table:
    text, separator = _text_and_separator(source)
    frame = _parsed(source.name, text, separator)
    return (
        frame.columns.tolist(),
        lambda name: pd.Series(read_paths(frame[name]), dtype=object),
        lambda name: text_values(frame[name], decimal_comma=separator == ";"),
    )


def _text_and_separator(source: IncomingFile) -> tuple[str, str]:
    """The text of a file, in UTF-8 or Windows-1252, as old spreadsheets write it, and the separator of its cells.

    The separator is the most frequent one in the first line, outside quotes.
    """
    if b"\0" in source.data:
        raise FolderError(f"{source.name!r} is not text in UTF-8: it holds zero bytes. Export it again, or as Parquet.")
    try:
        text = source.data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = source.data.decode("cp1252", "replace")
    first = re.sub(r'"[^"]*"', "", text.lstrip("\r\n").partition("\n")[0])
    return text, max(_SEPARATORS, key=first.count)


def _parsed(name: str, text: str, separator: str) -> pd.DataFrame:
    with readable_as(f"{name!r} cannot be read as a table", "Export it again as CSV or Parquet."):
        frame = pd.read_csv(
            io.StringIO(text), sep=separator, header=None, index_col=False, dtype=str, na_filter=False, low_memory=False
        )
    if frame.shape[1] > MOST_COLUMNS:
        raise FolderError(f"{name!r} has {frame.shape[1]:,} columns; at most {MOST_COLUMNS:,} are read.")
    names = distinct_names(frame.iloc[0].fillna(""))
    return frame.iloc[1:].fillna("").set_axis(names, axis=1).reset_index(drop=True)


def distinct_names(names: Iterable[Any]) -> list[str]:
    """Unique column names without control characters; empty ones are numbered, a repeated name becomes `name_2`."""
    distinct: dict[str, None] = {}
    for number_of_column, name in enumerate(names, start=1):
        plain = cleaned(str(name)) or f"column_{number_of_column}"
        distinct[next(unique for unique in numbered(plain) if unique not in distinct)] = None
    return list(distinct)


def _find_path_column(file: str, names: list[str], wanted: str | None) -> str:
    if wanted is not None:
        if wanted not in names:
            raise FolderError(f"{file!r} has no column {wanted!r}. It has: {_some(names)}.")
        return wanted
    lower = [name.casefold() for name in names]
    for name in PATH_NAMES:
        if name in lower:
            return names[lower.index(name)]
    raise FolderError(
        f"None of the columns of {file!r} is called path, file or the like: {_some(names)}. Say which holds the paths "
        f"(--path-column)."
    )


def _columns(names: list[str], path_name: str, read: Callable[[str], Cells]) -> dict[str, Cells]:
    """The columns but that of the paths; those of logits as one matrix, or the reason to refuse it."""
    by_number = {int(match[1]): name for name in names if (match := _LOGIT.fullmatch(name))}
    logits = [by_number[number] for number in sorted(by_number)] if len(by_number) > 1 else []
    columns: dict[str, Cells] = {
        name: read(name) if len(name) <= LONGEST_NAME else f"its name is longer than {LONGEST_NAME} characters"
        for name in names
        if name != path_name and name not in logits
    }
    if not logits:
        return columns
    cells = [read(name) for name in logits]
    numbers = [column.values for column in cells if isinstance(column, Values) and column.kind == "numeric"]
    if len(numbers) == len(cells):
        return columns | {"logits": np.stack(numbers, axis=1)}
    wrong = next(
        name
        for name, column in zip(logits, cells, strict=True)
        if not isinstance(column, Values) or column.kind != "numeric"
    )
    return columns | {f"{logits[0]} …": f"{wrong!r} holds other things than numbers"}


def _parquet(source: IncomingFile, pictures: int) -> Table:
    """Text columns are read as dictionaries, so that a repeated long text takes memory once."""
    with readable_as(f"{source.name!r} cannot be read as Parquet", "Write it again."):
        metadata = pq.read_metadata(pa.BufferReader(source.data))
        try:
            _check_size(source, *readers.parquet_sizes(source.data), pictures)
        except ImageError as error:
            raise FolderError(f"{source.name!r} {error}. Write it again.") from error
        columns = map(metadata.schema.column, range(metadata.num_columns))
        texts = [
            column.path
            for column in columns
            if column.physical_type == "BYTE_ARRAY" and column.logical_type.type != "DECIMAL"
        ]
        with pq.ParquetFile(pa.BufferReader(source.data), metadata=metadata, read_dictionary=texts) as file:
            # Arrow's threads abort a command that ends while they start: seen in a tenth of the runs on a busy machine.
            table = file.read(use_threads=False)
        table = table.rename_columns(distinct_names(table.column_names))
    return (
        table.column_names,
        lambda name: _texts(table.column(name)).str.strip(),
        lambda name: _arrow_values(table.column(name)),
    )


def _check_size(source: IncomingFile, rows: int, columns: int, unfolded: int, pictures: int) -> None:
    most = most_bytes(len(source.data), pictures)
    if rows > most_rows(pictures) or columns > MOST_COLUMNS or unfolded > most:
        raise FolderError(
            f"{source.name!r} has {rows:,} rows and {columns:,} columns, and unfolds to {unfolded:,} bytes; for "
            f"{pictures:,} pictures at most {most_rows(pictures):,}, {MOST_COLUMNS:,} and {most:,} are read. Leave out "
            "what is not needed, or write it as CSV."
        )


def _arrow_values(column: pa.ChunkedArray) -> Cells:
    try:
        return _typed_values(column)
    except DAMAGE as error:
        return f"its values cannot be read ({first_line(error)})"


def _typed_values(column: pa.ChunkedArray) -> Cells:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return _list_values(column)
    if pa.types.is_nested(kind):
        return "its cells are nested; one number or text per cell is read"
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return "its cells are bytes; one number or text per cell is read"
    if pa.types.is_floating(kind):
        return number_values(column.cast(pa.float64()).to_numpy())
    return text_values(_texts(column), numbers=pa.types.is_integer(kind) or pa.types.is_decimal(kind))


def _list_values(column: pa.ChunkedArray) -> Matrix | str:
    kind = column.type.value_type
    if not (pa.types.is_floating(kind) or pa.types.is_integer(kind)):
        return "its cells hold lists of other things than numbers"
    joined = column.combine_chunks()
    lengths = pa.compute.list_value_length(joined).unique().to_pylist()
    if len(lengths) != 1 or not lengths[0]:
        return "its cells hold lists of different lengths"
    flat = np.asarray(joined.flatten().to_numpy(zero_copy_only=False))
    with np.errstate(over="ignore"):
        return flat.reshape(len(joined), lengths[0]).astype(np.float32, copy=False)


def _texts(column: pa.ChunkedArray) -> "pd.Series[str]":
    """A column as text (N,), "" for null; bytes are file names. Each distinct value is converted once.

    Raises ValueError for text that is not UTF-8 or longer than `LONGEST_CELL`, OverflowError for times out of range.
    """
    coded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    cells = [np.zeros(0, object)]
    for chunk in coded.chunks:
        texts = np.array([*map(as_text, chunk.dictionary.to_pylist()), ""], dtype=object)
        longest = max(map(len, texts))
        if longest > LONGEST_CELL:
            raise ValueError(f"a text of {longest:,} characters; at most {LONGEST_CELL:,} are read")
        cells.append(texts[chunk.indices.fill_null(len(texts) - 1).to_numpy(zero_copy_only=False)])
    return pd.Series(np.concatenate(cells), dtype=object)


def _json(source: IncomingFile, pictures: int) -> Table:
    with readable_as(f"{source.name!r} cannot be read as JSON", "Write it again."):
        records = json.loads(source.data)
        json.dumps(records, ensure_ascii=False).encode()  # raises for halves of characters, which no table takes
    if isinstance(records, dict) and all(isinstance(record, dict) for record in records.values()):
        records = [{**record, "path": path} for path, record in records.items()]
    if not isinstance(records, list) or not records or not all(isinstance(record, dict) for record in records):
        raise FolderError(
            f"{source.name!r} is neither a list of records nor an object that holds records by path. Give one record "
            'for each picture, such as {"a.jpg": {"risk": 0.2}}.'
        )
    keys = list(dict.fromkeys(key for record in records for key in record))
    _check_size(source, len(records), len(keys), 8 * len(records) * len(keys), pictures)
    frame = pd.DataFrame(records, columns=keys, dtype=object).set_axis(distinct_names(keys), axis=1)
    return (
        frame.columns.tolist(),
        lambda name: frame[name].map(as_text).str.strip(),
        lambda name: _json_values(frame[name]),
    )


def _json_values(cells: "pd.Series[Any]") -> Cells:
    if cells.map(lambda value: isinstance(value, list | dict)).any():
        return "its cells are nested; one number or text per cell is read"
    if pd.api.types.infer_dtype(cells) in ("integer", "floating", "mixed-integer-float"):
        try:
            return number_values(cells.to_numpy(float))
        except OverflowError:
            return "its numbers are too large"
    return text_values(cells.map(as_text), numbers=False)


def _array_file(
    source: IncomingFile, path_file: IncomingFile | None, path_column: str | None, pictures: int
) -> UserFile:
    """The one matrix of numbers in a file, with paths from their own file, or from the same .npz."""
    arrays = read_arrays(source, pictures=pictures)
    matrices = [array for array in arrays.values() if array.ndim == 2 and array.dtype.kind in "fiu" and array.size]
    texts = [array for array in arrays.values() if array.ndim == 1 and array.dtype.kind in "US"]
    if len(matrices) != 1:
        shapes = ", ".join(f"{name or 'the array'} {array.dtype} {array.shape}" for name, array in arrays.items())
        raise FolderError(f"{source.name!r} has to hold one array (N, C) of numbers, and holds {shapes or 'nothing'}.")
    if path_file is not None and Path(path_file.name).suffix.lower() == ".txt":
        lines = _text_and_separator(path_file)[0].splitlines()
        paths = tuple(line.strip() for line in lines if line.strip())
    elif path_file is not None:
        paths = read_user_file(path_file, path_column=path_column, pictures=pictures).paths
    elif len(texts) == 1:
        paths = tuple(map(as_text, texts[0].tolist()))
    else:
        raise FolderError(
            f"{source.name!r} does not say which row is which picture. Give a list of paths too (--paths "
            f"FILE, one per line), or save both with numpy.savez(FILE, paths=…, values=…)."
        )
    if len(paths) != len(matrices[0]):
        raise FolderError(
            f"{source.name!r} has {len(matrices[0]):,} rows and there are {len(paths):,} paths. Make them fit."
        )
    with np.errstate(over="ignore"):  # values beyond float32 become infinite, and are reported
        return UserFile(source.name, "paths", paths, {ARRAY: matrices[0].astype(np.float32, copy=False)})


def _some(names: list[str], count: int = 12) -> str:
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(repr(name[:LONGEST_NAME]) for name in names[:count]) + more
