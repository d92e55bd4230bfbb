"""Every flipped bit of a row is found, whatever its column, and rows of before are taken as they are."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from url_viz.store.tables.checksums import ChecksumError, columns_to_read, covered, summed, verified, with_checksums
from url_viz.store.tables.tables import fixed_lists

ROWS = pa.table(
    {
        "id": pa.array([5, -7, 2**62], pa.int64()),
        "path": pa.array([b"a.jpg", b"", b"\xff/b.jpg"], pa.binary()),
        "width": pa.array([640, None, 0], pa.int32()),
        "is_new": pa.array([True, False, True]),
        "method": pa.array([0, 1, 2], pa.int8()),
        "entropy": pa.array([0.5, np.nan, 1e-30], pa.float32()),
        "failure": pa.array([None, "is no picture", None], pa.string()),
        "vector": fixed_lists(np.arange(12, dtype=np.float16).reshape(3, 4)),
        "odd": fixed_lists(np.arange(9, dtype=np.float16).reshape(3, 3)),
        "jpeg": pa.array([b"\xff\xd8", None, b"x"], pa.binary()),
    }
)
STORED = summed(ROWS, with_checksums(ROWS.schema, apart=["vector", "jpeg"]))


def said(rows: pa.Table) -> str:
    """All that a table holds; nan is equal to nan here."""
    return repr(rows.to_pydict())


def test_what_was_written_is_verified_and_given_back() -> None:
    assert said(verified(STORED, ROWS.schema.names)) == said(ROWS)
    batches = pa.Table.from_batches(STORED.to_batches(max_chunksize=1))
    assert verified(batches, ["id", "path"]).to_pydict() == ROWS.select(["id", "path"]).to_pydict()
    assert len(verified(STORED.slice(0, 0), ["id"])) == 0


def test_sums_by_hand() -> None:
    """A naive sum over one row of numbers, in Python's own integers."""
    from url_viz.store.tables.checksums import _constants

    rows = pa.table({"a": pa.array([3], pa.int64()), "b": pa.array([-1], pa.int32())})
    (a, a_is_there), (b, b_is_there) = (map(int, _constants(name, 2)) for name in "ab")
    start = int(_constants("checksum", 1)[0])
    expected = (start + 3 * a + a_is_there + (2**32 - 1) * b + b_is_there) % 2**64
    stored = summed(rows, with_checksums(rows.schema))["checksum"][0].as_py()
    assert stored % 2**64 == expected
    assert all(int(c) % 2 for c in _constants("a", 300))
    assert len(set(_constants("a", 300).tolist())) == 300


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(st.sampled_from(STORED.schema.names), st.integers(0, 2), st.data())
def test_any_flipped_bit_is_found(column: str, row: int, data: st.DataObject) -> None:
    values = STORED[column].combine_chunks().to_pylist()
    kind = STORED.schema.field(column).type
    if values[row] is None:
        values[row] = b"" if pa.types.is_binary(kind) else "" if pa.types.is_string(kind) else 0
    elif isinstance(values[row], bool):
        values[row] = not values[row]
    elif isinstance(values[row], bytes | str):
        raw = values[row].encode() if isinstance(values[row], str) else values[row]
        if not raw:
            return
        changed = bytearray(raw)
        bit = data.draw(st.integers(0, 7 * len(raw) - 1))
        changed[bit // 7] ^= 1 << bit % 7
        values[row] = bytes(changed).decode() if isinstance(values[row], str) else bytes(changed)
    else:
        values[row] = _flipped(np.array(values[row], kind_of(kind)), data).tolist()
    altered = STORED.set_column(
        STORED.schema.get_field_index(column), STORED.schema.field(column), pa.array(values, kind)
    )
    with pytest.raises(ChecksumError, match=r"of 3 rows are not as they were written"):
        verified(altered, ROWS.schema.names)


def kind_of(kind: pa.DataType) -> np.dtype:
    return np.dtype((kind.value_type if pa.types.is_fixed_size_list(kind) else kind).to_pandas_dtype())


def _flipped(values: np.ndarray, data: st.DataObject) -> np.ndarray:
    raw = bytearray(values.tobytes())
    bit = data.draw(st.integers(0, 8 * len(raw) - 1))
    raw[bit // 8] ^= 1 << bit % 8
    changed = np.frombuffer(bytes(raw), values.dtype).reshape(values.shape)
    if np.isnan(changed.astype(np.float64)).any():  # Python's nan has one pattern of bits
        changed = np.zeros_like(changed) + 7
    return changed


def test_only_what_is_read_has_to_be_there() -> None:
    names = STORED.schema.names
    assert covered(names)["vector_checksum"] == ["id", "vector"]
    assert covered(names)["checksum"] == ["id", "path", "width", "is_new", "method", "entropy", "failure", "odd"]
    assert columns_to_read(STORED.schema, ["id", "jpeg"]) == ["id", "jpeg", "jpeg_checksum"]
    assert set(columns_to_read(STORED.schema, ["id"])) == {*covered(names)["checksum"], "checksum"}
    assert verified(STORED.select(["id", "jpeg", "jpeg_checksum"]), ["jpeg"]).column_names == ["jpeg"]


def test_rows_and_tables_of_before_are_taken_as_they_are() -> None:
    assert columns_to_read(ROWS.schema, ["path"]) == ["path"]
    assert said(summed(ROWS, ROWS.schema)) == said(ROWS)
    assert verified(ROWS, ["path"]).equals(ROWS.select(["path"]))
    unknown = STORED.set_column(
        STORED.schema.get_field_index("checksum"), "checksum", pa.array([None, None, None], pa.int64())
    )
    assert verified(unknown, ["path"]).equals(ROWS.select(["path"]))
