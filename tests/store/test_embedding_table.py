"""Embeddings are read for the contents asked for, in their order, however many parts the table comes in."""

from pathlib import Path

import numpy as np
import pytest

from tests.pipeline.examples import dice
from url_viz.store.reader import Store
from url_viz.store.tables import Embeddings
from url_viz.store.writer import Writer
from url_viz.workspace import Workspace

KEY = "space"


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Store, Embeddings]:
    """Forty embeddings, written in two goes and read seven at a time."""
    monkeypatch.setattr("url_viz.store.embedding_table.ROWS_AT_ONCE", 7)
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
