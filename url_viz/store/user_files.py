"""Reading of user files (CSV, Parquet, NumPy) into columns, with errors for damaged and hostile files.

A cell is a number or text. No code in a file is run: NumPy's pickles are refused, and text stays text.
"""

import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from url_viz.errors import FolderError
from url_viz.imaging.uploaded_files import IncomingFile
from url_viz.store.user_arrays import most_bytes, most_rows, read_arrays
from url_viz.store.user_cells import Values, as_text, cleaned, number_values, text_values

CSV_ENDINGS = (".csv", ".tsv", ".txt")
PARQUET_ENDINGS = (".parquet", ".pq")
ARRAY_ENDINGS = (".npy", ".npz")
PATH_NAMES = (
    *("path", "filepath", "file_path", "file", "filename", "file_name", "image", "image_path", "img_path", "img"),
    *("image_name", "picture", "images", "paths", "files", "filenames", "image_id", "name", "id"),
)
"""Names of a column of paths, the most likely first; case does not matter."""
ARRAY = "array"
"""The name of the matrix of a .npy or .npz file in `UserFile.lists`."""
MOST_COLUMNS = 5_000
LONGEST_CELL = 32_768
"""Most characters of a path or other text in a Parquet file; stored texts are shorter."""
LONGEST_NAME = 80
_UNREADABLE = (pa.ArrowException, OSError, ValueError, OverflowError)
"""What PyArrow raises for damaged files, times out of range, and text that is not UTF-8."""
_SEPARATORS = ",;\t|"
_LOGIT = re.compile(r"logits?[_.\- \[]?(\d+)\]?", re.IGNORECASE)

Matrix = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class UserFile:
    """The contents of a file on N pictures: `paths` (N) as written in it, and columns by name.

    `columns` are numbers or text; `lists` (N, C) are cells of C numbers each, among them the columns `logit_0…` joined
    as `logits`; `left_out` pairs a refused column with the reason. `is_csv` is whether the paths stood in a CSV.
    """

    name: str
    path_column: str
    paths: tuple[str, ...]
    columns: Mapping[str, Values] = field(default_factory=dict)
    lists: Mapping[str, Matrix] = field(default_factory=dict)
    left_out: tuple[tuple[str, str], ...] = ()
    is_csv: bool = False


@dataclass
class _SortedColumns:
    """The columns of a file, sorted into accepted and refused ones."""

    columns: dict[str, Values] = field(default_factory=dict)
    lists: dict[str, Matrix] = field(default_factory=dict)
    left_out: list[tuple[str, str]] = field(default_factory=list)

    def add(self, name: str, values: Values | str) -> None:
        """Add a column, or the reason why it is refused."""
        if len(name) > LONGEST_NAME:
            values = f"its name is longer than {LONGEST_NAME} characters"
        if isinstance(values, str):
            self.left_out.append((name[:LONGEST_NAME], values))
        else:
            self.columns[name] = values


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
    """Read a CSV, Parquet, .npy or .npz file; `path_column` names the column of paths if its name is unusual.

    The paths of an array (N, C) are in `paths` (one per line, or a table), or as text in the same .npz. The limit on
    decompression depends on how many `pictures` it is for. Raises FolderError if the file is none of these, is
    damaged, has no paths, or decompresses to too much.
    """
    source = opened(file)
    if not source.data:
        raise FolderError(f"{source.name!r} is empty. Give a file with a column of paths and one of values.")
    ending = Path(source.name).suffix.lower()
    if ending in ARRAY_ENDINGS:
        return _of_arrays(source, None if paths is None else opened(paths), path_column, pictures)
    if paths is not None:
        raise FolderError(f"{source.name!r} has its own paths; a list of paths goes only with .npy and .npz.")
    if ending in CSV_ENDINGS:
        return _of_csv(source, path_column)
    if ending in PARQUET_ENDINGS:
        return _of_parquet(source, path_column, pictures)
    known = ", ".join((*CSV_ENDINGS, *PARQUET_ENDINGS, *ARRAY_ENDINGS))
    raise FolderError(f"{source.name!r} is not a table by its extension. Give a file that ends in one of: {known}.")


def read_csv(file: str | Path | IncomingFile) -> pd.DataFrame:
    """All cells of a CSV file as text, by the names of its first line. Raises FolderError if it cannot be read."""
    frame = _rows_of(opened(file))[0]
    return frame.iloc[1:].set_axis(distinct_names(frame.iloc[0].tolist()), axis=1).reset_index(drop=True)


def _rows_of(source: IncomingFile) -> tuple[pd.DataFrame, str]:
    """All cells as text, the first line included, and what separates them."""
    text = _decoded(source)
    separator = _separator_of(text)
    return _parsed(source.name, text, separator), separator


def _of_csv(source: IncomingFile, path_column: str | None) -> UserFile:
    frame, separator = _rows_of(source)
    names = distinct_names(frame.iloc[0].tolist())
    frame = frame.iloc[1:]
    if frame.empty:
        raise FolderError(f"{source.name!r} has a first line and no rows. Give one row per picture.")
    at = _index_of_paths(source.name, names, path_column)
    columns = _SortedColumns()
    logits = _logit_columns(names)
    for index, name in enumerate(names):
        if index != at and index not in logits:
            columns.add(name, text_values(frame[index], decimal_comma=separator == ";"))
    if logits:
        _add_logits(columns, [names[index] for index in logits], [frame[index] for index in logits])
    return replace(_done(source.name, names[at], frame[at].str.strip().tolist(), columns), is_csv=True)


def _decoded(source: IncomingFile) -> str:
    """The text of a file: UTF-8, UTF-16 if it has a byte order mark, else Windows-1252 as old spreadsheets write it."""
    data = source.data
    try:
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            return data.decode("utf-16")
        if b"\0" in data:
            raise FolderError(f"{source.name!r} is not text: it holds zero bytes. Export it again as CSV or Parquet.")
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _separator_of(text: str) -> str:
    """The most frequent separator in the first line, outside quotes."""
    first = re.sub(r'"[^"]*"', "", text.lstrip("\r\n").partition("\n")[0])
    return max(_SEPARATORS, key=first.count)


def _parsed(name: str, text: str, separator: str) -> pd.DataFrame:
    """All cells as text, the header line included."""
    try:
        frame = pd.read_csv(
            io.StringIO(text),
            sep=separator,
            header=None,
            index_col=False,
            dtype=str,
            na_filter=False,
            low_memory=False,
            skip_blank_lines=True,
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, csv.Error, ValueError) as error:
        why = str(error).partition("\n")[0].removeprefix("Error tokenizing data. C error: ")
        raise FolderError(f"{name!r} cannot be read as a table ({why}). Export it again as CSV or Parquet.") from error
    if frame.shape[1] > MOST_COLUMNS:
        raise FolderError(f"{name!r} has {frame.shape[1]:,} columns; at most {MOST_COLUMNS:,} are read.")
    return frame.fillna("")


def distinct_names(names: Iterable[Any]) -> list[str]:
    """Unique column names without odd characters; empty ones are numbered, and a repeated name becomes `name_2`."""
    distinct: dict[str, None] = {}
    for number_of_column, name in enumerate(names, start=1):
        plain = cleaned(str(name)) or f"column_{number_of_column}"
        number, unique = 1, plain
        while unique in distinct:
            number += 1
            unique = f"{plain}_{number}"
        distinct[unique] = None
    return list(distinct)


def _index_of_paths(file: str, names: list[str], wanted: str | None) -> int:
    if wanted is not None:
        if wanted not in names:
            raise FolderError(f"{file!r} has no column {wanted!r}. It has: {_some(names)}.")
        return names.index(wanted)
    lower = [name.casefold() for name in names]
    for name in PATH_NAMES:
        if name in lower:
            return lower.index(name)
    raise FolderError(
        f"None of the columns of {file!r} is called path, file or the like: {_some(names)}. Say which holds the paths "
        f"(--path-column)."
    )


def _logit_columns(names: list[str]) -> list[int]:
    """The indices of the columns `logit_0, logit_1, …`, in the order of their numbers; none if there is only one."""
    index_of = {int(match[1]): index for index, name in enumerate(names) if (match := _LOGIT.fullmatch(name))}
    return [index_of[number] for number in sorted(index_of)] if len(index_of) > 1 else []


def _add_logits(sorted_columns: _SortedColumns, names: list[str], columns: list[pd.Series]) -> None:
    numbers = [number_values(column) for column in columns]
    wrong = next((name for name, cells in zip(names, numbers, strict=True) if isinstance(cells, str)), None)
    if wrong is not None:
        sorted_columns.left_out.append((f"{names[0]} …", f"{wrong!r} holds other things than numbers"))
        return
    sorted_columns.lists["logits"] = np.stack([cells.values for cells in numbers if isinstance(cells, Values)], axis=1)


def _of_parquet(source: IncomingFile, path_column: str | None, pictures: int) -> UserFile:
    table = _parquet_table(source, pictures)
    names = distinct_names(table.column_names)
    at = _index_of_paths(source.name, names, path_column)
    columns = _SortedColumns()
    logits = _logit_columns(names)
    for index, name in enumerate(names):
        column = table.column(index)
        if index == at or index in logits:
            continue
        if _is_list(column.type):
            _add_list(columns, name, column)
        else:
            columns.add(name, _arrow_values(column))
    try:
        if logits:
            _add_logits(columns, [names[i] for i in logits], [_arrow_text(table.column(i)) for i in logits])
        paths = [path.strip() for path in _texts(table.column(at)).tolist()]
    except _UNREADABLE as error:
        why = str(error).partition("\n")[0]
        raise FolderError(f"The paths or logits in {source.name!r} cannot be read ({why}). Write it again.") from error
    return _done(source.name, names[at], paths, columns)


def _parquet_table(source: IncomingFile, pictures: int) -> pa.Table:
    """The table of a Parquet file; text columns as dictionaries, so that a repeated long text is stored once."""
    try:
        with pq.ParquetFile(pa.BufferReader(source.data)) as plain:
            about = plain.metadata
            _check_parquet(source, about, pictures)
        texts = [column.path for column in map(about.schema.column, range(about.num_columns)) if _is_text(column)]
        with pq.ParquetFile(pa.BufferReader(source.data), read_dictionary=texts) as file:
            # Arrow's threads abort a command that ends while they start: seen in a tenth of the runs on a busy machine.
            table = file.read(use_threads=False)
    except _UNREADABLE as error:
        why = str(error).partition("\n")[0]
        raise FolderError(f"{source.name!r} cannot be read as Parquet ({why}). Write it again.") from error
    if table.num_rows == 0:
        raise FolderError(f"{source.name!r} has no rows. Give one row per picture.")
    return table


def _is_text(column: Any) -> bool:
    return bool(column.physical_type == "BYTE_ARRAY" and column.logical_type.type != "DECIMAL")


def _check_parquet(source: IncomingFile, about: pq.FileMetaData, pictures: int) -> None:
    """Raise FolderError if a file has too many rows or columns, or decompresses to too much, for so many pictures."""
    columns, groups = range(about.num_columns), range(about.num_row_groups)
    size = [_bytes_of(about.schema.column(index)) for index in columns]
    parts = [(index, about.row_group(group).column(index)) for group in groups for index in columns]
    unfolded = sum(max(chunk.total_uncompressed_size, chunk.num_values * size[index]) for index, chunk in parts)
    most = most_bytes(len(source.data), pictures)
    if about.num_rows > most_rows(pictures) or about.num_columns > MOST_COLUMNS or unfolded > most:
        raise FolderError(
            f"{source.name!r} has {about.num_rows:,} rows and {about.num_columns:,} columns, and unfolds to "
            f"{unfolded:,} bytes; for {pictures:,} pictures at most {most_rows(pictures):,}, {MOST_COLUMNS:,} and "
            f"{most:,} are read. Leave out what is not needed, or write it as CSV."
        )


def _bytes_of(column: Any) -> int:
    """Bytes of one value of a column in memory; a repeated text is stored once."""
    return max(64 if column.physical_type == "BYTE_ARRAY" else 8, int(column.length))


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _add_list(sorted_columns: _SortedColumns, name: str, column: pa.ChunkedArray) -> None:
    """Add a column whose cells hold equally many numbers, or the reason why it is refused."""
    kind = column.type.value_type
    if not (pa.types.is_floating(kind) or pa.types.is_integer(kind)):
        sorted_columns.left_out.append((name, "its cells hold lists of other things than numbers"))
        return
    joined = column.combine_chunks()
    lengths = np.asarray(pa.compute.list_value_length(joined).to_numpy(zero_copy_only=False), float)
    if not len(lengths) or np.isnan(lengths).any() or len(np.unique(lengths)) != 1 or lengths[0] < 1:
        sorted_columns.left_out.append((name, "its cells hold lists of different lengths"))
        return
    flat = np.asarray(joined.flatten().to_numpy(zero_copy_only=False))
    with np.errstate(over="ignore"):
        sorted_columns.lists[name] = flat.reshape(len(joined), int(lengths[0])).astype(np.float32, copy=False)


def _arrow_values(column: pa.ChunkedArray) -> Values | str:
    try:
        return _typed_values(column)
    except _UNREADABLE as error:
        return f"its values cannot be read ({str(error).partition(chr(10))[0]})"


def _typed_values(column: pa.ChunkedArray) -> Values | str:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_nested(kind):
        return "its cells are nested; one number or text per cell is read"
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return "its cells are bytes; one number or text per cell is read"
    if pa.types.is_floating(kind):
        return number_values(column.cast(pa.float64()).to_pandas())
    if pa.types.is_null(kind):
        return "it has no values"
    is_number = pa.types.is_integer(column.type) or pa.types.is_decimal(column.type)
    return text_values(_arrow_text(column), numbers=is_number)


def _arrow_text(column: pa.ChunkedArray) -> pd.Series:
    return pd.Series(_texts(column), dtype=object).astype(str)


def _texts(column: pa.ChunkedArray) -> NDArray[np.object_]:
    """A column as text (N,), "" for null; bytes are decoded as file names.

    Raises ValueError for text that is not UTF-8 or longer than `LONGEST_CELL`, OverflowError for times out of range.
    """
    if not pa.types.is_dictionary(column.type):
        return np.array([as_text(value) for value in column.to_pylist()], dtype=object)
    return np.concatenate([np.zeros(0, object), *map(_of_dictionary, column.chunks)])


def _of_dictionary(chunk: pa.DictionaryArray) -> NDArray[np.object_]:
    """The text of each cell (N,); each distinct one is converted once."""
    texts = np.array([*map(as_text, chunk.dictionary.to_pylist()), ""], dtype=object)
    longest = max(map(len, texts))
    if longest > LONGEST_CELL:
        raise ValueError(f"a text of {longest:,} characters; at most {LONGEST_CELL:,} are read")
    cells: NDArray[np.object_] = texts[
        np.asarray(chunk.indices.fill_null(len(texts) - 1).to_numpy(zero_copy_only=False))
    ]
    return cells


def _of_arrays(
    source: IncomingFile, path_file: IncomingFile | None, path_column: str | None, pictures: int
) -> UserFile:
    matrix, inner_paths = _arrays(source, pictures)
    if path_file is not None:
        paths = _path_list(path_file, path_column, pictures)
    elif inner_paths is not None:
        paths = inner_paths
    else:
        raise FolderError(
            f"{source.name!r} does not say which row is which picture. Give a list of paths too (--paths "
            f"FILE, one per line), or save both with numpy.savez(FILE, paths=…, values=…)."
        )
    if len(paths) != len(matrix):
        raise FolderError(
            f"{source.name!r} has {len(matrix):,} rows and there are {len(paths):,} paths. Make them fit."
        )
    done = _done(source.name, "paths", paths, _SortedColumns(lists={ARRAY: matrix}))
    return replace(done, is_csv=path_file is not None and Path(path_file.name).suffix.lower() in (".csv", ".tsv"))


def _arrays(source: IncomingFile, pictures: int) -> tuple[Matrix, list[str] | None]:
    """The one matrix of numbers in a file, and the paths in an .npz."""
    arrays = read_arrays(source, pictures=pictures)
    matrices = [array for array in arrays.values() if array.ndim == 2 and array.dtype.kind in "fiu" and array.size]
    texts = [array for array in arrays.values() if array.ndim == 1 and array.dtype.kind in "US"]
    if len(matrices) != 1:
        shapes = ", ".join(f"{name or 'the array'} {array.dtype} {array.shape}" for name, array in arrays.items())
        raise FolderError(f"{source.name!r} has to hold one array (N, C) of numbers, and holds {shapes or 'nothing'}.")
    paths = [as_text(path) for path in texts[0].tolist()] if len(texts) == 1 else None
    with np.errstate(over="ignore"):  # values beyond float32 become infinite, and are reported
        return matrices[0].astype(np.float32, copy=False), paths


def _path_list(source: IncomingFile, path_column: str | None, pictures: int) -> list[str]:
    """Paths from a file: one per line if it is plain text, else the column of paths of a table."""
    if Path(source.name).suffix.lower() == ".txt":
        return [line.strip() for line in _decoded(source).splitlines() if line.strip()]
    return list(read_user_file(source, path_column=path_column, pictures=pictures).paths)


def _done(name: str, path_column: str, paths: list[str], columns: _SortedColumns) -> UserFile:
    return UserFile(name, path_column, tuple(paths), columns.columns, columns.lists, tuple(columns.left_out))


def _some(names: list[str], count: int = 12) -> str:
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(repr(name[:LONGEST_NAME]) for name in names[:count]) + more
