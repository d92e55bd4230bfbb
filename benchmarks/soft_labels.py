"""What soft labels are worth to a linear probe: `python -m benchmarks.soft_labels --cifar10 PICTURES VOTES ORDER`.

A probe is trained in five folds (near copies together) on the pictures of the others and asked of those that nobody
answered: log loss against the votes of people, and how often it calls what most of them say. Answers are spent on the
most ambiguous of what it is trained on, by our order, 50, 200 and 500 of them:

- *dropped*: they are left out;
- *relabelled*: they get the class that most people say;
- *either*: the same, or half and half of two classes where the second has a third of the votes or more;
- *votes*: they get the shares of all votes;
- *our shares*: nobody is asked, and half of their label is estimated shares; *ours for all*: of every label;
- *evenly for all*: a fifth of every label is spread over all classes, whatever the picture: plain label smoothing.

PICTURES are class folders; VOTES an array (N, C) whose rows belong to the lines of ORDER (CIFAR-10H). With `--imagenet
PICTURES VOTES.json` votes are ReaL's labels, each as likely, of what lies in the classes that are there. The figures go
to experiments/soft_labels.json; without pictures its table is printed from it (docs/review.md).
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.machine import machine
from experiments.figure_files import read_figures, write_figures
from training.command import markdown
from url_viz.evidence.order_metrics import Influenced
from url_viz.evidence.probe import PROBE_PENALTY, PROBE_SLOPE, PROBE_STEPS, probe_folds, probe_inputs
from url_viz.image_set import ImageSet
from url_viz.models.model_names import DEFAULT
from url_viz.reading import embed_folder

FIGURES = Path(__file__).parents[1] / "experiments" / "soft_labels.json"
COUNTS = (50, 200, 500)
SHARE_OF_EITHER = 1 / 3
WEIGHT = 0.5
EVENLY = 0.2
LEAST = 1e-3
"""A share below this teaches nothing and is left out; no probe's share counts for less."""
DIGITS = 4

Shares = NDArray[np.float64]
Rows = NDArray[np.int64]


def main() -> None:
    """Measure and print, or print again."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cifar10", nargs=3, type=Path, metavar=("PICTURES", "VOTES", "ORDER"))
    parser.add_argument("--imagenet", nargs=2, type=Path, metavar=("PICTURES", "VOTES"))
    parser.add_argument("--sample", type=int, default=2_000, help="pictures of the smaller measurement of CIFAR-10")
    parser.add_argument("--workspace", type=Path, help="where they were read")
    parser.add_argument("--json", type=Path, default=FIGURES)
    given = parser.parse_args()
    found = read_figures(given.json) if given.json.exists() else {"sets": {}}
    with tempfile.TemporaryDirectory() as place:
        home = given.workspace or Path(place)
        if given.cifar10:
            pictures, votes, order = given.cifar10
            image_set = embed_folder(pictures, workspace=home)
            known = votes_by_order(image_set, np.load(votes), order.read_text().split())
            sample = np.sort(np.random.default_rng(0).choice(len(known), given.sample, replace=False))
            for name, rows in ((f"CIFAR-10H, {given.sample:,}", sample), ("CIFAR-10H", np.arange(len(known)))):
                found["sets"][name] = measured(image_set, known, rows)
                write_figures(found, given.json, digits=DIGITS)
        if given.imagenet:
            image_set = embed_folder(given.imagenet[0], workspace=home)
            known = votes_by_real(image_set, json.loads(given.imagenet[1].read_text()))
            found["sets"]["ImageNet, ReaL"] = measured(image_set, known, np.flatnonzero(known.any(axis=1)))
    if given.cifar10 or given.imagenet:
        found["config"] = {"model": DEFAULT, "counts": COUNTS, "weight": WEIGHT}
        write_figures(found, given.json, digits=DIGITS)
        print(f"{machine()}\n", file=sys.stderr)
    print(table_of(found))


def votes_by_order(image_set: ImageSet, votes: NDArray[np.integer], order: list[str]) -> Shares:
    """The votes (N, C) on the pictures of a set, whose paths are lines of `order`."""
    place = {path: number for number, path in enumerate(order)}
    counts = votes[[place[path] for path in image_set.table()["path"]]].astype(np.float64)
    return counts / counts.sum(axis=1, keepdims=True)


def votes_by_real(image_set: ImageSet, judged: dict[str, Any]) -> Shares:
    """ReaL's labels of each picture (N, C), each as likely, of those classes that the set has; zeros for none.

    A class's number in ImageNet is that which most of its pictures are judged to be.
    """
    table = image_set.table()
    real = [judged.get(Path(path).stem, {}).get("real_labels", []) for path in table["path"]]
    each = pd.DataFrame({"label": table["label"], "real": real}).explode("real").dropna()
    number = each.groupby("label")["real"].agg(lambda values: values.mode().iloc[0])
    names = sorted(table["label"].unique())
    votes = np.zeros((len(table), len(names)))
    for row, labels in enumerate(real):
        votes[row, [place for place, name in enumerate(names) if number[name] in labels]] = 1
    return votes / np.maximum(votes.sum(axis=1, keepdims=True), 1)


def measured(image_set: ImageSet, votes: Shares, rows: Rows) -> dict[str, Any]:
    """The figures of some pictures (R,) of a set: log loss and accuracy by arm, and each arm's loss less the hard's."""
    table = image_set.table().iloc[rows]
    names = sorted(image_set.table()["label"].unique())
    label = pd.Index(names).get_indexer(pd.Index(table["label"]))
    estimated = image_set.labels.soft(smooth=1.0).shares[rows].astype(np.float64)
    votes, ambiguity = votes[rows], table["ambiguity"].to_numpy(np.float64)
    inputs, group = probe_inputs(image_set.core.whitened.rows[rows]), image_set.core.source_groups[rows]
    hard = np.eye(len(names))[label]
    arms = targets(hard, votes, estimated)
    fold = probe_folds(group, seed=0)
    loss, right = ({name: np.zeros(len(rows)) for name in arms} for _ in range(2))
    for left_out in np.unique(fold):
        asked, learns = fold == left_out, np.flatnonzero(fold != left_out)
        order = learns[np.argsort(-ambiguity[learns], kind="stable")]
        for name, target in arms.items():
            taught = target(order)
            shares = soft_probe(inputs[learns], taught[learns], inputs[asked])
            loss[name][asked] = -(votes[asked] * np.log(np.maximum(shares, LEAST))).sum(axis=1)
            right[name][asked] = votes[asked].argmax(axis=1) == shares.argmax(axis=1)
        print(f"fold {left_out}: done", file=sys.stderr)
    figures = {
        name: {
            "loss": _ends(loss[name], group),
            "right": _ends(right[name], group),
            "less": _ends(loss[name] - loss["labels as given"], group),
        }
        for name in arms
    }
    spread = -(votes * np.log(np.maximum(votes, 1e-12))).sum(axis=1)
    return {"pictures": len(rows), "votes_entropy": float(spread.mean()), "arms": figures}


def targets(hard: Shares, votes: Shares, estimated: Shares) -> dict[str, Callable[[Rows], Shares]]:
    """What each arm teaches (R, C), zeros for a picture that is left out, given the rows that learn, hardest first."""
    majority = np.eye(hard.shape[1])[votes.argmax(axis=1)]
    second = np.sort(votes, axis=1)[:, -2]
    first_two = (np.argsort(np.argsort(-votes, axis=1, kind="stable"), axis=1) < 2) / 2
    either = np.where((second >= SHARE_OF_EITHER)[:, None], first_two, majority)
    ours = (1 - WEIGHT) * hard + WEIGHT * estimated

    def at(count: int | None, values: Shares) -> Callable[[Rows], Shares]:
        def taught(order: Rows) -> Shares:
            if count is None:
                return values
            made = hard.copy()
            made[order[:count]] = values[order[:count]]
            return made

        return taught

    evenly = (1 - EVENLY) * hard + EVENLY / hard.shape[1]
    whole = {"labels as given": hard, "evenly for all": evenly, "ours for all": ours}
    arms: dict[str, Callable[[Rows], Shares]] = {name: at(None, values) for name, values in whole.items()}
    for count in COUNTS:
        kinds = {"dropped": 0 * hard, "relabelled": majority, "either": either, "votes": votes, "our shares": ours}
        arms |= {f"{name}, {count}": at(count, values) for name, values in kinds.items()}
    return arms


def soft_probe(inputs: NDArray[np.float32], target: Shares, asked: NDArray[np.float32]) -> Shares:
    """The shares (Q, C) of a probe as `fit_probe` fits it, to soft labels (M, C): a row of each class by its share."""
    from sklearn.linear_model import LogisticRegression

    row, code = np.nonzero(target >= LEAST)
    weight = target[row, code]
    model = LogisticRegression(C=1 / (2 * PROBE_PENALTY * weight.sum()), tol=PROBE_SLOPE, max_iter=PROBE_STEPS)
    model.fit(inputs[row, :-1], code, sample_weight=weight)
    shares = np.zeros((len(asked), target.shape[1]))
    shares[:, model.classes_] = model.predict_proba(asked[:, :-1])
    return shares


def _ends(values: NDArray[np.floating], group: NDArray[np.integer]) -> list[float]:
    """A mean with its 95 % interval over groups."""
    figure = Influenced.mean(values).by_blocks(group, least=-np.inf, most=np.inf)
    return [figure.value, figure.interval.low, figure.interval.high]


def table_of(figures: dict[str, Any]) -> str:
    """The loss of each arm less that of hard labels, by set; negative is better."""
    sets = figures["sets"]
    arms = [*next(iter(sets.values()))["arms"]]
    rows = []
    for arm in arms:
        cells = []
        for found in sets.values():
            each = found["arms"][arm]
            value, low, high = each["less"] if arm != arms[0] else each["loss"]
            cells.append(f"{value:.4f}" if arm == arms[0] else f"{value:+.4f} [{low:+.4f}, {high:+.4f}]")
        rows.append([arm, *cells])
    return markdown(["labels", *(f"{name} ({found['pictures']:,})" for name, found in sets.items())], rows)


if __name__ == "__main__":
    main()
