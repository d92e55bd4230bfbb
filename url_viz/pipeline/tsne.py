"""t-SNE of a set's embeddings, with the settings of the paper's figure of a data set."""

import numpy as np
from numpy.typing import NDArray

from url_viz.pipeline.projection import place
from url_viz.store.tables import TSNE, Coordinates, Graph

PERPLEXITY = 30.0
LEARNING_RATE = 200.0
SEED = 1
MOST = 10_000
"""Of more pictures a sample is fitted, and the others are placed by their neighbours."""


def fit_tsne(embedding: NDArray[np.floating]) -> NDArray[np.float32]:
    """Coordinates (N, 2) of raw embeddings (N, D), N at least 4.

    As the authors' script has it (METHOD: random start, perplexity 30, learning rate 200, seed 1), by scikit-learn's
    Barnes-Hut t-SNE; with fewer than 91 rows the perplexity is a third of them, as it has to be below their number.
    """
    from sklearn.manifold import TSNE

    perplexity = min(PERPLEXITY, max(1.0, (len(embedding) - 1) / 3))
    fit = TSNE(perplexity=perplexity, init="random", learning_rate=LEARNING_RATE, random_state=SEED)
    return np.asarray(fit.fit_transform(np.asarray(embedding, np.float32)), np.float32)


def tsne_coordinates(
    content: NDArray[np.int64], embedding: NDArray[np.floating], graph: Graph | None, *, most: int = MOST
) -> Coordinates:
    """Coordinates of contents (M,) with raw embeddings (M, D); beyond `most` of a sample, the others by `graph`."""
    if len(content) <= most or graph is None:
        return Coordinates(content, fit_tsne(embedding), np.full(len(content), TSNE, np.int8))
    chosen = np.sort(np.random.default_rng(SEED).choice(len(content), most, replace=False))
    fitted = fit_tsne(embedding[chosen])
    return place(graph, Coordinates(content[chosen], fitted, np.full(most, TSNE, np.int8)))
