"""The authors' own figures from their own vectors, by our metrics: `python -m benchmarks.authors --photos DIR`.

DIR holds `authors-imagenet-val.npz`, three values of each of ImageNet's 50,000 validation pictures (the entropy of
people's votes, the pretrained uncertainty, the class entropy of a 1,000-class model), and `authors-pets.npz`, the class
of each picture of Oxford Pets and of its nearest, and its uncertainty; both are of the repository `mkirchhof/url`. The
figures are those of Pretrained Visual Uncertainties, arXiv 2402.16569; if one does not come out, the status is 1.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from url_viz.evidence.order_metrics import auroc, human_alignment, r_auroc, spearman

PUBLISHED = {
    "AUROC of ambiguous pictures, uncertainty": 0.7013,
    "AUROC of ambiguous pictures, class entropy": 0.7948,
    "Spearman with people, uncertainty": 0.328,
    "Spearman with people, class entropy": 0.471,
    "Spearman of uncertainty and class entropy": 0.611,
    "Pets, recall@1": 0.8354,
    "Pets, R-AUROC": 0.7305,
}
"""As they were read, to so many digits. R-AUROC on Pets is of another run than the paper's .7403."""

Doubles = NDArray[np.float64]


def main() -> int:
    """Compare and print; 1 if a figure is another."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    photos = parser.parse_args().photos
    with np.load(photos / "authors-imagenet-val.npz") as votes, np.load(photos / "authors-pets.npz") as pets:
        found = of_votes(votes["human_entropy"], votes["uncertainty"], votes["class_entropy"])
        found |= of_neighbours(pets["pred"], pets["targets"], pets["unc"])
    is_same = {name: agrees(found[name], published) for name, published in PUBLISHED.items()}
    for name, published in PUBLISHED.items():
        print(f"{name:<46}{found[name]:>8.4f}  theirs {published}  {'same' if is_same[name] else 'DIFFERENT'}")
    return 0 if all(is_same.values()) else 1


def of_votes(human_entropy: Doubles, uncertainty: Doubles, class_entropy: Doubles) -> dict[str, float]:
    """The figures of values (N,) of pictures with votes; without (nan) they drop, but for the last, which is of all."""
    has_votes = ~np.isnan(human_entropy)
    is_ambiguous = human_entropy[has_votes] > 0
    return {
        "AUROC of ambiguous pictures, uncertainty": auroc(uncertainty[has_votes], is_ambiguous),
        "AUROC of ambiguous pictures, class entropy": auroc(class_entropy[has_votes], is_ambiguous),
        "Spearman with people, uncertainty": human_alignment(uncertainty, human_entropy),
        "Spearman with people, class entropy": human_alignment(class_entropy, human_entropy),
        "Spearman of uncertainty and class entropy": spearman(uncertainty, class_entropy),
    }


def of_neighbours(nearest: NDArray[np.generic], label: NDArray[np.generic], uncertainty: Doubles) -> dict[str, float]:
    """The figures of classes (N,) of pictures and of their nearest."""
    is_correct = nearest == label
    return {"Pets, recall@1": float(is_correct.mean()), "Pets, R-AUROC": r_auroc(uncertainty, is_correct)}


def agrees(found: float, published: float) -> bool:
    """Whether a figure is the published one, to as many digits as that has."""
    digits = len(str(published).partition(".")[2])
    return round(found, digits) == published


if __name__ == "__main__":
    sys.exit(main())
