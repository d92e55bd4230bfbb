"""cleanlab's Datalab on cases written by `experiments.wrong_labels`, run by the Python that has cleanlab.

Reads FOLDER/case-N.npz, writes FOLDER/found-N.npz: scores (higher = more to be doubted), what is found, seconds.
"""

import contextlib
import os
import sys
import time
from pathlib import Path

import numpy as np


def main(folder: Path) -> None:
    """Every case, from embeddings with the given neighbour graph, and from each `predicted…` of left-out pictures."""
    for path in sorted(folder.glob("case-*.npz")):
        with np.load(path) as case:
            arrays = dict(case)
        found: dict[str, object] = {}
        for name in ("embeddings", *(name for name in arrays if name.startswith("predicted"))):
            started = time.perf_counter()
            found[f"{name}_score"], found[f"{name}_found"] = _issues(arrays, name)
            found[f"{name}_seconds"] = time.perf_counter() - started
        np.savez(path.with_name(path.name.replace("case", "found")), **found)  # type: ignore[arg-type]


def _issues(case: "dict[str, np.ndarray]", name: str) -> "tuple[np.ndarray, np.ndarray]":
    from cleanlab import Datalab
    from scipy.sparse import csr_matrix

    count, k = case["position"].shape
    k = min(k, count - 1)
    distance = 1 - case["similarity"][:, :k].astype(np.float64)
    graph = csr_matrix(
        (distance.ravel(), case["position"][:, :k].ravel(), np.arange(0, count * k + 1, k)), shape=(count, count)
    )
    given = {"features": case["embedding"], "knn_graph": graph} if name == "embeddings" else {"pred_probs": case[name]}
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        lab = Datalab(data={"label": case["label"]}, label_name="label")
        lab.find_issues(**given, issue_types={"label": {}})
    issues = lab.get_issues("label")
    return 1 - issues["label_score"].to_numpy(), issues["is_label_issue"].to_numpy()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
