"""What names teach: `python -m benchmarks.naming PHOTOS …`.

Each PHOTOS folder holds class folders, which are the names that an oracle gives. First: with one or three names per
class, to pictures that the app would ask about, to the medoids of as many k-means clusters, or to pictures drawn by
dice, how many of all others does a linear probe name rightly? Once more with those named last that the names so far are
least certain of. Then, with the pictures that the app asks about: after so
many names, how many of the others have a suggestion from a share on, and how many of those are right?
"""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from benchmarks.machine import machine
from url_viz.analysis.probe import fit_probe, probe_inputs
from url_viz.image_set import ImageSet, embed_folder
from url_viz.models.model import load_model
from url_viz.models.names import DEFAULT
from url_viz.rows import l2_normalize

DRAWS = 5
MULTIPLES = (1, 3)
COUNTS = (100, 200, 300)
SHARES = (0.5, 0.7, 0.9)

Rows = NDArray[np.int64]
Pick = Callable[[ImageSet, int, int], Rows]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="+", type=Path)
    given = parser.parse_args()
    print(f"{machine()}\n")
    with tempfile.TemporaryDirectory() as place:
        model = load_model(DEFAULT, workspace=Path(place))
        sets = [embed_folder(folder, model=model, workspace=place) for folder in given.photos]
        print(ways_table(sets))
        print(suggestions_table(sets))


def ways_table(sets: list[ImageSet]) -> str:
    """A Markdown table: how many of all others a probe names rightly, by set, budget and way."""
    lines = ["| set | names | " + " | ".join(WAYS) + " |", "|---|---|" + "---|" * len(WAYS)]
    for image_set in sets:
        code = pd.factorize(image_set.table()["label"], sort=True)[0].astype(np.int32)
        for multiple in MULTIPLES:
            count = multiple * (int(code.max()) + 1)
            shares = [_right(image_set, code, pick, count) for pick in WAYS.values()]
            lines.append(f"| {image_set.root.name} | {count} | {' | '.join(f'{one:.3f}' for one in shares)} |")
    return "\n".join([*lines, ""])


def _right(image_set: ImageSet, code: NDArray[np.int32], pick: Pick, count: int) -> float:
    """The share of the pictures without a name that a probe taught by the names is right about, over draws."""
    inputs = probe_inputs(image_set.whitened.rows)
    found = []
    for seed in range(DRAWS):
        rows = pick(image_set, count, seed)
        others = np.setdiff1d(np.arange(len(code)), rows)
        probe = fit_probe(inputs[rows], code[rows])
        found.append((probe.classes[(inputs[others] @ probe.weights).argmax(axis=1)] == code[others]).mean())
    return float(np.mean(found))


def _by_dice(image_set: ImageSet, count: int, seed: int) -> Rows:
    return np.random.default_rng(seed).choice(len(image_set), count, replace=False)


def _medoids(image_set: ImageSet, count: int, seed: int) -> Rows:
    rows = l2_normalize(image_set.whitened.rows)
    clusters = KMeans(count, n_init=1, random_state=seed).fit(rows)
    nearness = (rows * l2_normalize(clusters.cluster_centers_)[clusters.labels_]).sum(axis=1)
    of = [np.flatnonzero(clusters.labels_ == number) for number in range(count)]
    return np.array([members[nearness[members].argmax()] for members in of if len(members)], np.int64)


def _as_asked(image_set: ImageSet, count: int, seed: int) -> Rows:
    return image_set.rows_of(image_set.names_to_give(count)["id"])


def _then_least_certain(image_set: ImageSet, count: int, seed: int) -> Rows:
    """As many as there are classes as the app asks, then those whose suggestions are the least certain."""
    label = dict(zip(image_set.ids.tolist(), pd.factorize(image_set.table()["label"])[0], strict=True))
    classes = len(set(label.values()))
    asked: list[int] = image_set.names_to_give(min(count, classes))["id"].tolist()
    actions = 0
    while len(asked) < count:
        image_set.name({one: f"class {label[one]}" for one in asked})
        actions += 1
        asked += image_set.name_suggestions()["id"].tolist()[::-1][: min(classes, count - len(asked))]
    for _ in range(actions):
        image_set.decisions.undo()
    return image_set.rows_of(asked)


WAYS: dict[str, Pick] = {
    "by dice": _by_dice,
    "medoids of k-means": _medoids,
    "as the app asks": _as_asked,
    "then the least certain": _then_least_certain,
}


def suggestions_table(sets: list[ImageSet]) -> str:
    """A Markdown table: after so many names, all suggestions and those from a share on: how many, how many right."""
    lines = [
        "| set | names | classes found | all suggestions right | "
        + " | ".join(f"from share {share}" for share in SHARES)
        + " |",
        "|---|---|---|---|" + "---|" * len(SHARES),
    ]
    for image_set in sets:
        kind = dict(zip(image_set.ids.tolist(), pd.factorize(image_set.table()["label"], sort=True)[0], strict=True))
        for count in COUNTS:
            named = (image_set.table()["tags"] != "").sum()
            more = image_set.names_to_give(count - int(named))["id"].tolist()
            image_set.name({one: f"class {kind[one]}" for one in more})
            found = image_set.name_suggestions()
            right = np.array([f"class {kind[one]}" for one in found["id"]]) == found["name"].to_numpy()
            parts = [found["share"].to_numpy() >= share for share in SHARES]
            told = " | ".join(
                f"{part.sum():,}, {right[part].mean():.1%} right" if part.any() else "none" for part in parts
            )
            classes = f"{image_set.table()['tags'].replace('', None).nunique()} of {len(set(kind.values()))}"
            lines.append(f"| {image_set.root.name} | {count} | {classes} | {right.mean():.3f} | {told} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
