"""Embeddings by dice for the tests of the index."""

import numpy as np

from tests.pipeline.whitened_examples import pictures
from url_viz.pipeline.graph import build_graph
from url_viz.store.tables.embedding_rows import WhitenedRows, Whitening
from url_viz.store.tables.tables import Embeddings, Graph


def embeddings_of(vectors: np.ndarray, *, first: int = 100, content: np.ndarray | None = None) -> Embeddings:
    """Rows with these content keys, or counted from `first`."""
    keys = np.arange(first, first + len(vectors), dtype=np.int64) if content is None else content
    return Embeddings(keys, vectors.astype(np.float16), np.zeros(len(vectors), np.float32))


def dice(count: int, *, size: int = 16, seed: int = 0) -> Embeddings:
    """`count` embeddings of `size` numbers."""
    return embeddings_of(np.random.default_rng(seed).normal(size=(count, size)))


def as_whitened(embeddings: Embeddings) -> WhitenedRows:
    """The embeddings as they are, as if the whitened space were the raw one."""
    size = embeddings.embedding.shape[1]
    same = Whitening(np.zeros(size, np.float32), np.eye(size, dtype=np.float32), np.ones(size, np.float32), 0, 1)
    return WhitenedRows(same, embeddings.content, embeddings.embedding)


def graph_of(embeddings: Embeddings | WhitenedRows, *, k: int = 32, which: np.ndarray | None = None) -> Graph:
    """The graph of such rows, whose only twins are copies: those that show one picture, by `which` (N,)."""
    rows = embeddings if isinstance(embeddings, WhitenedRows) else as_whitened(embeddings)
    return build_graph(rows, rows.rows, k=k, pixels=None if which is None else pictures(which))
