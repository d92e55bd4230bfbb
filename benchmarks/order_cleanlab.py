"""cleanlab's label quality scores on cases written by `benchmarks.order_baselines`, run by a Python that has it.

Reads FOLDER/case-NAME.npz, writes FOLDER/found-NAME.npz: one minus each score, so that higher = more to be doubted.
"""

import sys
from pathlib import Path

import numpy as np

METHODS = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")


def main(folder: Path) -> None:
    """Every case, by each of cleanlab's methods."""
    from cleanlab.rank import get_label_quality_scores  # type: ignore[import-not-found]

    for path in sorted(folder.glob("case-*.npz")):
        with np.load(path) as case:
            label, predicted = case["label"], case["predicted"]
        scores = {method: 1 - get_label_quality_scores(label, predicted, method=method) for method in METHODS}
        np.savez(path.with_name(path.name.replace("case", "found", 1)), **scores)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
