"""Pictures to search among, from embeddings alone."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from url_viz.base.rows import l2_normalize
from url_viz.evidence.order_metrics import nearest_others
from url_viz.evidence.selective_retrieval import SearchedPictures


def labelled_set(embeddings: NDArray[np.floating], labels: ArrayLike, *, k: int = 32) -> SearchedPictures:
    """Pictures with embeddings (N, D) and labels (N,), their neighbours searched exactly, twins as good as others."""
    nearest, _ = nearest_others(embeddings, k=min(k, len(embeddings) - 1))
    return SearchedPictures(l2_normalize(embeddings), np.asarray(labels), nearest, np.arange(len(embeddings)))
