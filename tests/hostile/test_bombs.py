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

PICTURES = 240
READ = """
import json, os, sys, time
import pyarrow.parquet
from url_viz.base.errors import FolderError
from url_viz.store.columns.user_files import read_user_file
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


def records_without_a_key_in_common(folder: Path) -> Path:
    records = [{"path": "a.jpg", f"v{number % 4_000}": number} for number in range(25_000)]
    (folder / "records.json").write_text(json.dumps(records))
    return folder / "records.json"


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="peak memory is read from /proc")
@pytest.mark.parametrize(
    "bomb",
    [
        *(wide_array, one_path_many_times, one_long_text_many_times, records_without_a_key_in_common),
        *(
            pytest.param(bomb, marks=pytest.mark.torture)
            for bomb in (long_array, small_kind, many_equal_columns, lists_of_zeros)
        ),
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
