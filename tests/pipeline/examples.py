"""Embeddings by dice for the tests of the index."""

import numpy as np

from url_viz.pipeline.graph import build_graph
from url_viz.store.tables import Embeddings, Graph
from url_viz.store.whitened_rows import WhitenedRows, Whitening


def embeddings_of(vectors: np.ndarray, *, first: int = 100) -> Embeddings:
    """Rows with content keys counted from `first`."""
    count = len(vectors)
    return Embeddings(
        np.arange(first, first + count, dtype=np.int64), vectors.astype(np.float16), np.zeros(count, np.float32)
    )


def dice(count: int, *, size: int = 16, seed: int = 0) -> Embeddings:
    """`count` embeddings of `size` numbers."""
    return embeddings_of(np.random.default_rng(seed).normal(size=(count, size)))


def as_whitened(embeddings: Embeddings) -> WhitenedRows:
    """The embeddings as they are, as if the whitened space were the raw one."""
    size = embeddings.embedding.shape[1]
    same = Whitening(np.zeros(size, np.float32), np.eye(size, dtype=np.float32), np.ones(size, np.float32), 0, 1)
    return WhitenedRows(same, embeddings.content, embeddings.embedding)


def graph_of(embeddings: Embeddings | WhitenedRows, *, k: int = 32) -> Graph:
    """The graph of such rows, twins told by the same cosines."""
    rows = embeddings.rows if isinstance(embeddings, WhitenedRows) else embeddings.embedding
    return build_graph(rows, rows, k=k, content=embeddings.content)
