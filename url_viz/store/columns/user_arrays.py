"""Safe loading of NumPy files (.npy, .npz) from users; what any file of theirs may unfold to, and how it is refused."""

import csv
import io
import lzma
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from url_viz.errors import FolderError
from url_viz.imaging.uploaded_files import IncomingFile

MOST_UNFOLDED = 1 << 27
"""Bytes that any compressed file may decompress to; a larger file may reach `MOST_FOLDS` times its size."""
BYTES_A_PICTURE = 1 << 13
"""Additional bytes for every picture that the file is for, up to `MOST_FOR_PICTURES`."""
MOST_FOR_PICTURES = 1 << 30
MOST_FOLDS = 4
"""Embeddings hardly compress, so ordinary files stay far below; a file of zeros grows a thousandfold."""
MOST_ROWS = 1_000_000
ROWS_A_PICTURE = 10
"""Additional rows for every picture that the file is for: it may cover more than one folder."""
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
    """Have what libraries raise for a damaged file end in a FolderError: `sentence`, the reason, `advice`."""
    try:
        yield
    except DAMAGE as error:
        raise FolderError(f"{sentence} ({first_line(error)}). {advice}") from error


def first_line(error: Exception) -> str:
    """Why a library cannot read something, on one line."""
    return str(error).partition("\n")[0].removeprefix("Error tokenizing data. C error: ") or type(error).__name__


def most_bytes(size: int, pictures: int) -> int:
    """The most bytes that a file of `size` bytes for so many pictures may decompress to."""
    return max(min(MOST_UNFOLDED + BYTES_A_PICTURE * pictures, MOST_FOR_PICTURES), MOST_FOLDS * size)


def most_rows(pictures: int) -> int:
    """The most rows that a file for so many pictures may have."""
    return MOST_ROWS + ROWS_A_PICTURE * pictures


def read_arrays(source: IncomingFile, *, pictures: int = 0) -> dict[str, NDArray[Any]]:
    """The arrays of an .npz file by name, or the one of an .npy file under "", for so many `pictures`.

    No code in it is run, and memory is limited to `most_bytes`. Raises FolderError if the file is damaged, declares
    more than it holds, has too many rows or columns, or decompresses to too much.
    """
    most = most_bytes(len(source.data), pictures)
    with readable_as(f"{source.name!r} cannot be read as NumPy's", "Save it with numpy.save."):
        # An array that declares more than the file holds ends in an error before that memory is touched.
        loaded = np.load(io.BytesIO(source.data), allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            arrays = {"": loaded}
        else:  # zipfile reads no more bytes of a member than its file_size
            _check_unfolded(sum(member.file_size for member in loaded.zip.infolist()), most)
            arrays = {name: array for name in loaded.files if isinstance(array := loaded[name], np.ndarray)}
        for array in arrays.values():
            _check_shape(array.shape, pictures)
        _check_unfolded(sum(BYTES_A_NUMBER * array.size for array in arrays.values()), most)
        return arrays


def _check_unfolded(unfolded: int, most: int) -> None:
    if unfolded > most:
        raise ValueError(f"it unfolds to {unfolded:,} bytes; at most {most:,} are read")


def _check_shape(shape: tuple[int, ...], pictures: int) -> None:
    rows, columns = shape[0] if shape else 1, int(np.prod(shape[1:], dtype=object))
    if rows > most_rows(pictures) or columns > MOST_NUMBERS:
        raise ValueError(
            f"it has {rows:,} rows of {columns:,}; at most {most_rows(pictures):,} of {MOST_NUMBERS:,} are read here"
        )
