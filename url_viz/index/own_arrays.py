"""Open a NumPy file that a user brings, within bounds: what it says of itself is checked before memory is taken."""

import io
import lzma
import math
import tokenize
import zipfile
import zlib
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from url_viz.errors import FolderError
from url_viz.images.incoming import IncomingFile

MOST_UNFOLDED = 1 << 30
"""So many bytes an .npz file may always unfold to; a larger file to `MOST_FOLDS` times its own size."""
MOST_FOLDS = 4
"""Embeddings hardly compress, so that honest files stay far below; a file of zeros gets a thousand times larger."""
_DAMAGE = (
    *(ValueError, TypeError, LookupError, ArithmeticError, OSError, EOFError, RuntimeError, MemoryError, SyntaxError),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, tokenize.TokenError),
)
"""What NumPy and zipfile raise on damaged, cut and hostile files, the encrypted among them."""


def read_arrays(source: IncomingFile) -> dict[str, NDArray[Any]]:
    """The arrays of an .npz file by name, or the one of an .npy file under "".

    Nothing in it is run, and none takes more memory than the file has bytes for, or `MOST_UNFOLDED`. Raises FolderError
    where the file is damaged, says more than it holds, or unfolds to too much.
    """
    try:
        _check_sizes(source.data)
        loaded = np.load(io.BytesIO(source.data), allow_pickle=False)
        return {"": loaded} if isinstance(loaded, np.ndarray) else {name: loaded[name] for name in loaded.files}
    except _DAMAGE as error:
        why = str(error).partition("\n")[0] or type(error).__name__
        raise FolderError(f"{source.name!r} cannot be read as NumPy's ({why}). Save it with numpy.save.") from error


def _check_sizes(data: bytes) -> None:
    """Raise ValueError where an array says that it has more elements than there are bytes, or a zip unfolds too far."""
    if not data.startswith(b"PK"):
        _check_array(io.BytesIO(data), len(data))
        return
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
        unfolded, most = sum(one.file_size for one in members), max(MOST_UNFOLDED, MOST_FOLDS * len(data))
        if unfolded > most:
            raise ValueError(f"it unfolds to {unfolded:,} bytes; at most {most:,} are read")
        for one in members:  # zipfile gives no more bytes of a member than it says here
            with archive.open(one) as file:
                _check_array(file, one.file_size)


def _check_array(file: IO[bytes], size: int) -> None:
    version = npy.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"version {version} of the format is not for plain numbers")
    read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read_header(file)
    needed, there = math.prod(shape) * max(dtype.itemsize, 1), size - file.tell()
    if not dtype.hasobject and needed > there:  # NumPy itself refuses objects
        raise ValueError(f"it says it is of shape {shape}, {needed:,} bytes, and has {there:,}")
