"""Embeddings are read for the contents asked for, in their order; positions are found, and lists survive Arrow."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.pipeline.examples import dice
from url_viz.base.workspace import Workspace
from url_viz.store.tables.reader import Store
from url_viz.store.tables.tables import FEW_WANTED, Embeddings, fixed_lists, matrix, positions_of
from url_viz.store.tables.writer import Writer

KEY = "space"


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Store, Embeddings]:
    """Forty embeddings, written in two goes and read seven at a time."""
    monkeypatch.setattr("url_viz.store.tables.embedding_rows.ROWS_AT_ONCE", 7)
    embeddings = dice(40)
    paths = Workspace.at(tmp_path).set_paths("0" * 16)
    with Writer(paths, tmp_path) as writer:
        for rows in (np.arange(25), np.arange(25, 40)):
            writer.add_embeddings(KEY, embeddings.rows_at(rows))
    return Store(paths), embeddings


def test_all_of_them(stored: tuple[Store, Embeddings]) -> None:
    store, embeddings = stored
    read = store.embeddings(KEY)
    order = np.argsort(read.content)
    expected = np.argsort(embeddings.content)
    assert np.array_equal(read.content[order], embeddings.content[expected])
    assert np.array_equal(read.embedding[order], embeddings.embedding[expected])
    assert np.array_equal(read.entropy[order], embeddings.entropy[expected])


@pytest.mark.parametrize("seed", range(2))
def test_some_in_any_order_and_more_than_once(stored: tuple[Store, Embeddings], seed: int) -> None:
    store, embeddings = stored
    row = np.random.default_rng(seed).integers(0, 40, 60)
    read = store.embeddings(KEY, embeddings.content[row])
    assert np.array_equal(read.content, embeddings.content[row])
    assert np.array_equal(read.embedding, embeddings.embedding[row])
    assert np.array_equal(read.entropy, embeddings.entropy[row])


def test_what_is_not_stored_is_left_out(stored: tuple[Store, Embeddings]) -> None:
    store, embeddings = stored
    wanted = np.array([-1, embeddings.content[3], -2, embeddings.content[30]])
    read = store.embeddings(KEY, wanted)
    assert read.content.tolist() == wanted[[1, 3]].tolist()
    assert np.array_equal(read.embedding, embeddings.embedding[[3, 30]])
    assert len(store.embeddings(KEY, np.zeros(0, np.int64))) == 0


def test_a_space_without_a_table(tmp_path: Path) -> None:
    store = Store(Workspace.at(tmp_path).set_paths("0" * 16))
    assert len(store.embeddings("none", np.arange(3))) == 0


@given(st.lists(st.integers(-5, 20), max_size=2 * FEW_WANTED), st.lists(st.integers(-5, 20)))
def test_positions_are_those_of_a_naive_search(wanted: list[int], among: list[int]) -> None:
    positions = positions_of(np.array(wanted, np.int64), np.array(among, np.int64))
    assert positions.tolist() == [among.index(w) if w in among else -1 for w in wanted]


def test_positions_of_keys_of_63_bits() -> None:
    among = np.array([2**63 - 1, 0, 2**62 + 1, 2**62], np.int64)
    assert positions_of(among[::-1].copy(), among).tolist() == [3, 2, 1, 0]


@pytest.mark.parametrize("shape", [(0, 4), (1, 1), (5, 3)])
@pytest.mark.parametrize("kind", [np.float16, np.float32, np.int32])
def test_lists_survive_arrow_in_one_and_in_several_chunks(shape: tuple[int, int], kind: type[np.generic]) -> None:
    array = np.arange(np.prod(shape)).reshape(shape).astype(kind)
    single = pa.chunked_array([fixed_lists(array)])
    assert np.array_equal(matrix(single), array)
    assert matrix(single).shape == shape
    parts = pa.chunked_array([fixed_lists(array[:1]), fixed_lists(array[1:])])
    assert np.array_equal(matrix(parts), array)


def test_lists_of_a_sliced_column_are_the_slice() -> None:
    array = np.arange(12, dtype=np.float32).reshape(4, 3)
    assert np.array_equal(matrix(pa.chunked_array([fixed_lists(array)]).slice(1, 2)), array[1:3])
