"""FiftyOne's uniqueness and hardness on cases written by `benchmarks.order_baselines`, run by a Python that has it.

Reads FOLDER/case-NAME.npz, writes FOLDER/found-NAME.npz. FiftyOne keeps data sets in MongoDB; its own functions and its
own neighbour index are called on arrays here, so that none is needed.
"""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np


def main(folder: Path) -> None:
    """Every case: uniqueness of embeddings, hardness of the network's logits and of the predictions' logarithms."""
    for path in sorted(folder.glob("case-*.npz")):
        with np.load(path) as case:
            arrays = dict(case)
        found = {
            "uniqueness": _uniqueness(arrays["embedding"].astype(np.float32)),
            "hardness": _hardness(arrays["logits"].astype(np.float64)),
            "hardness of folds": _hardness(np.log(arrays["predicted"] + 1e-12)),
        }
        np.savez(path.with_name(path.name.replace("case", "found", 1)), **found)  # type: ignore[arg-type]


def _uniqueness(embedding: "np.ndarray") -> "np.ndarray":
    from fiftyone.brain.internal.core.sklearn import SklearnSimilarityIndex  # type: ignore[import-not-found]
    from fiftyone.brain.internal.core.uniqueness import _compute_uniqueness  # type: ignore[import-not-found]

    class Index(SklearnSimilarityIndex):  # type: ignore[misc]
        """Theirs, of an array instead of a data set."""

        _current_inds = None
        config = SimpleNamespace(method="sklearn", metric="cosine")

        def __init__(self) -> None:
            self._embeddings, self._neighbors_helper = embedding, None

    return np.asarray(_compute_uniqueness(embedding, Index()), np.float64)


def _hardness(logits: "np.ndarray") -> "np.ndarray":
    from fiftyone.brain.internal.core.hardness import Hardness  # type: ignore[import-not-found]

    of_field = SimpleNamespace(label_field="predicted")
    return np.array([Hardness.process_image(of_field, {"predicted": SimpleNamespace(logits=row)}) for row in logits])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
