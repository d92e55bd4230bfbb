"""Small files of a user's that unfold to gigabytes are refused in a sentence, at once and in bounded memory."""

import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.processes import run_python
from url_viz.errors import FolderError
from url_viz.imaging.uploaded_files import IncomingFile
from url_viz.store.user_files import UserFile, read_user_file

PICTURES = 240
READ = """
import json, os, sys, time
import pyarrow.parquet
from url_viz.errors import FolderError
from url_viz.store.user_files import read_user_file
start, said, before = time.perf_counter(), "", len(os.listdir("/proc/self/task"))
try:
    read_user_file(sys.argv[1], pictures=int(sys.argv[2]))
except FolderError as error:
    said = str(error)
seconds = time.perf_counter() - start
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps([said, seconds, int(peak.split()[1]) / 1024, len(os.listdir("/proc/self/task")) - before]))
"""
"""What a process of its own says: the sentence, seconds, its peak in MiB (getrusage would count its parent's), and
how many threads it has more than before."""


def zeros_of(shape: tuple[int, ...], kind: str, path: Path) -> None:
    """An .npz of zeros, written a piece at a time."""
    head = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as archive,
        archive.open("values.npy", "w", force_zip64=True) as file,
    ):
        file.write(b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head)
        left = int(np.prod(shape)) * np.dtype(kind).itemsize
        for size in (min(1 << 24, left - at) for at in range(0, left, 1 << 24)):
            file.write(bytes(size))


def wide_array(folder: Path) -> Path:
    zeros_of((PICTURES, 600_000), "<f4", folder / "wide.npz")
    return folder / "wide.npz"


def long_array(folder: Path) -> Path:
    zeros_of((50_000_000, 2), "|i1", folder / "long.npz")
    return folder / "long.npz"


def small_kind(folder: Path) -> Path:
    """120 MB as it lies there, four times as much once its numbers are read."""
    zeros_of((2_000, 60_000), "|i1", folder / "small.npz")
    return folder / "small.npz"


def one_path_many_times(folder: Path) -> Path:
    codes = pa.array(np.zeros(20_000_000, np.int32))
    table = pa.table({"path": pa.DictionaryArray.from_arrays(codes, pa.array(["a.jpg"]))})
    pq.write_table(table, folder / "paths.parquet")
    return folder / "paths.parquet"


def many_equal_columns(folder: Path) -> Path:
    zeros = pa.array(np.zeros(300_000))
    table = pa.table({"path": pa.array(["a.jpg"] * 300_000), **{f"v{number}": zeros for number in range(400)}})
    pq.write_table(table, folder / "columns.parquet")
    return folder / "columns.parquet"


def one_long_text_many_times(folder: Path) -> Path:
    codes = pa.array(np.zeros(100_000, np.int32))
    texts = pa.DictionaryArray.from_arrays(codes, pa.array(["x" * 1_000_000]))
    pq.write_table(pa.table({"path": texts, "v": np.zeros(100_000)}), folder / "text.parquet")
    return folder / "text.parquet"


def lists_of_zeros(folder: Path) -> Path:
    cells = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(240 * 500_000, np.float32)), 500_000)
    table = pa.table({"path": [f"{i}.jpg" for i in range(240)], "e": cells})
    pq.write_table(table, folder / "lists.parquet", use_dictionary=False, compression="zstd")
    return folder / "lists.parquet"


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="peak memory is read from /proc")
@pytest.mark.parametrize(
    "bomb",
    [
        wide_array,
        long_array,
        small_kind,
        one_path_many_times,
        many_equal_columns,
        one_long_text_many_times,
        lists_of_zeros,
    ],
)
def test_is_refused_within_bounds(bomb: Callable[[Path], Path], tmp_path: Path) -> None:
    file = bomb(tmp_path)
    assert file.stat().st_size < 3 << 20
    done = run_python("-c", READ, file, PICTURES, check=True)
    said, seconds, peak_mib, threads = json.loads(done.stdout)
    assert repr(file.name) in said
    assert "at most" in said
    assert seconds < 2
    assert peak_mib < 500
    assert threads == 0, "one that starts as the process ends aborts it"


def parquet(**columns: object) -> UserFile:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink)
    return read_user_file(IncomingFile("mine.parquet", sink.getvalue().to_pybytes()), pictures=2)


class TestOddValues:
    """One column that cannot be read is left out with its reason; where it is the paths, the file is refused."""

    good = pa.array(["a.jpg", "b.jpg"])

    @pytest.mark.parametrize("unit", ["ms", "us"])
    def test_times_out_of_range(self, unit: str) -> None:
        found = parquet(path=self.good, when=pa.array([2**62, 0], pa.timestamp(unit)), v=[1, 2])
        assert list(found.columns) == ["v"]
        assert [name for name, _ in found.left_out] == ["when"]
        assert "cannot be read" in found.left_out[0][1]
        with pytest.raises(FolderError, match=r"The paths or logits in 'mine.parquet' cannot be read"):
            parquet(path=pa.array([2**62, 0], pa.timestamp(unit)))

    def test_text_that_is_no_utf8(self) -> None:
        broken = pa.StringArray.from_buffers(2, pa.py_buffer(np.array([0, 2, 3], np.int32)), pa.py_buffer(b"\xff\xfex"))
        found = parquet(path=self.good, t=broken, v=[1, 2])
        assert list(found.columns) == ["v"]
        assert "cannot be read ('utf-8' codec" in found.left_out[0][1]
        with pytest.raises(FolderError, match=r"The paths or logits in 'mine.parquet' cannot be read"):
            parquet(path=broken)

    def test_bytes_are_names_of_files(self) -> None:
        assert parquet(path=pa.array([b"a\xff.jpg", b"b.jpg"]), v=[1, 2]).paths == ("a\udcff.jpg", "b.jpg")

    def test_nothing_among_texts_and_in_dictionaries(self) -> None:
        found = parquet(
            path=self.good, t=pa.array(["x", None]), d=pa.array([None, "y"]).dictionary_encode(), n=pa.array([7, None])
        )
        assert [one.values.tolist() for one in found.columns.values()][:2] == [["x", None], [None, "y"]]
        assert np.array_equal(found.columns["n"].values, [7, np.nan], equal_nan=True)
