"""Whether shares are shares of cases, and whether wrong labels are counted: `python -m experiments.shares PHOTOS`.

PHOTOS holds class folders that were read into the workspace. Shares are of folds that fitted nothing. Labels are
planted wrong by dice, or in favour of the class of one of the ten nearest; sets are cut to geometric tails. The figures
go to shares.json; without PHOTOS the tables are printed from it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from experiments.figure_files import measured_or_read
from training.command import markdown
from training.holdout import Space, find_space
from url_viz.base.wording import decimal, percent, with_interval
from url_viz.evidence.order_metrics import Figure, auroc, mean_by_t
from url_viz.evidence.probe import probe_folds
from url_viz.image_set import ImageSet
from url_viz.labels.ambiguity import PRIOR_OUT_OF_SHARES, Classified, LabelEvidence, classify, labelled_means
from url_viz.labels.calibration import calibrate, calibration_error
from url_viz.labels.doubtful_labels import WrongLabels, wrong_share
from url_viz.labels.label_issues import LIKELY_WRONG, judge_labels
from url_viz.labels.votes import Codes, Doubles, fit_ridge
from url_viz.pipeline.nearest import Nearest

FIGURES = Path(__file__).with_suffix(".json")
SETS = {"development": ("grocery", "trash", "scenes", "places"), "report": ("caltech101", "flowers102", "cifar10-test")}
OF_A_CLASS = 250
"""Pictures of a class at most, but for the tails."""
TAIL = {"grocery": 5, "trash": 20, "scenes": 12, "places": 4, "caltech101": 6, "flowers102": 5, "cifar10-test": 100}
"""How many times as many pictures the largest class of a tail has as the smallest, which has four or more."""
PLANTED = {
    "none": (0.0, False),
    "5 %": (0.05, False),
    "10 %": (0.1, False),
    "20 %": (0.2, False),
    "10 % near": (0.1, True),
}
NEAREST = 10
DRAWS = 3
EDGES = (0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99, 1.01)
BEFORE, AFTER = "mean share", "calibrated"


@dataclass(frozen=True)
class Labelled:
    """Pictures with their space, `label` (N,) as given, and `true` (N,) as it was before labels were planted wrong."""

    space: Space
    label: Codes
    true: Codes

    def classified(self) -> Classified:
        graph = self.space.graph
        rows = self.space.whitened.rows
        found = classify(graph.position, graph.similarity, rows, self.label, self.space.group)
        assert found is not None
        return found


def main() -> None:
    """Measure, or print what was measured."""
    figures = measured_or_read(__doc__, FIGURES, sets=SETS, of=figures_of)
    print("\n\n".join(f"{title}\n\n{table}" for title, table in tables(figures).items()))


def figures_of(image_set: ImageSet) -> dict[str, Any]:
    """The figures of one set."""
    embedding, code = image_set.embeddings(), pd.factorize(image_set.table()["label"], sort=True)[0].astype(np.int32)
    rows = np.sort(np.concatenate(_drawn(code, np.full(code.max() + 1, OF_A_CLASS), np.random.default_rng(0))))
    space, label = find_space(embedding[rows]), code[rows]
    whole = Labelled(space, label, label)
    return {
        "pictures": len(rows),
        "shares": _shares(whole),
        "planted": {name: _planted(whole, fraction, near=near) for name, (fraction, near) in PLANTED.items()},
        "tail": {
            name: _tail(embedding, code, TAIL[image_set.root.name], wrong)
            for name, wrong in (("none", 0.0), ("5 %", 0.05))
        },
    }


def _drawn(code: Codes, sizes: NDArray[np.int64], rng: np.random.Generator) -> list[NDArray[np.int64]]:
    """As many pictures of each class, at most."""
    return [rng.permutation(np.flatnonzero(code == number))[:size] for number, size in enumerate(sizes)]


def _shares(of: Labelled) -> dict[str, Any]:
    """Bias, error, likelihood and order of the shares, without and with calibration; and what they told where."""
    graph, group = of.space.graph, of.space.group
    ridge = fit_ridge(of.space.whitened.rows, of.label, group, int(of.label.max()) + 1)
    lists = (Nearest(graph.position, graph.similarity),)
    plain, adjusted = (labelled_means(ridge, lists, prior_out=power) for power in (0, PRIOR_OUT_OF_SHARES))
    shares = np.zeros_like(adjusted.mean)
    fold = probe_folds(group, seed=1)
    for number in np.unique(fold):
        fits, asked = fold != number, fold == number
        calibration = calibrate(adjusted.mean[fits], of.label[fits], group[fits], prior=adjusted.prior)
        shares[asked] = calibration.shares(adjusted.mean[asked])
    is_wrong = of.label[graph.position[:, 0]] != of.label
    return {name: _of_shares(share, of.label, is_wrong) for name, share in ((BEFORE, plain.mean), (AFTER, shares))}


def _of_shares(share: Doubles, label: Codes, is_wrong: NDArray[np.bool_]) -> dict[str, Any]:
    first, is_right = share.max(axis=1), share.argmax(axis=1) == label
    second = np.partition(share, -2, axis=1)[:, -2]
    place = np.digitize(first, EDGES[1:-1])
    bins = [(place == number) for number in range(len(EDGES) - 1)]
    return {
        "bias": float(first.mean() - is_right.mean()),
        "error": calibration_error(first, is_right),
        "nats": float(-np.log(np.maximum(share[np.arange(len(label)), label], 1e-12)).mean()),
        "r_auroc": auroc(1 - (first - second), is_wrong),
        "bins": [[int(of.sum()), float(first[of].sum()), int(is_right[of].sum())] for of in bins],
    }


def planted(of: Labelled, fraction: float, rng: np.random.Generator, *, near: bool) -> Labelled:
    """The same with a fraction of the labels wrong: by dice, or of one of the nearest pictures of another class."""
    label, classes = of.true.copy(), int(of.true.max()) + 1
    for row in rng.permutation(len(label))[: round(fraction * len(label))]:
        if not near:
            label[row] = (of.true[row] + rng.integers(1, classes)) % classes
            continue
        others = of.true[of.space.graph.position[row]][of.space.graph.position[row] >= 0]
        others = others[others != of.true[row]][:NEAREST]
        label[row] = rng.choice(others) if len(others) else label[row]
    return Labelled(of.space, label, of.true)


def _planted(whole: Labelled, fraction: float, *, near: bool) -> dict[str, float]:
    """The fraction of wrong labels as estimated, and what was called an error; means of the draws."""
    draws = range(DRAWS if fraction else 1)
    found = [_of_labels(planted(whole, fraction, np.random.default_rng(draw), near=near)) for draw in draws]
    return {str(name): float(value) for name, value in pd.DataFrame(found).mean().items()}


def _of_labels(of: Labelled) -> dict[str, float]:
    classified = of.classified()
    every, is_bad = np.arange(len(of.label)), of.label != of.true
    judged = judge_labels(every, of.label, graph=of.space.graph, voter=of.label, evidence=classified.evidence)
    called = judged.kind == LIKELY_WRONG
    doubt = np.nan_to_num(classified.evidence.doubt)
    told = wrong_labels(classified.evidence)
    return {
        "wrong": told.share,
        "low": told.low,
        "high": told.high,
        "recall": float(called[is_bad].mean()) if is_bad.any() else np.nan,
        "precision": float(is_bad[called].mean()) if called.any() else np.nan,
        "average_precision": float(average_precision_score(is_bad, doubt)) if is_bad.any() else np.nan,
    }


def wrong_labels(evidence: LabelEvidence) -> WrongLabels:
    """What is told of the fraction of wrong labels."""
    return wrong_share(np.nan_to_num(evidence.label_wrong).astype(np.float64))


def _tail(embedding: NDArray[np.floating], code: Codes, ratio: float, fraction: float) -> dict[str, float]:
    """Sets cut to a geometric tail: right labels called errors in the largest and the smallest third of classes."""
    found = []
    for draw in range(DRAWS):
        rng = np.random.default_rng(draw)
        classes = int(code.max()) + 1
        order, most = rng.permutation(classes), min(1000, int(np.bincount(code).max()))
        sizes = np.zeros(classes, np.int64)
        sizes[order] = np.maximum(4, np.round(most * ratio ** (-np.arange(classes) / (classes - 1))))
        rows = np.sort(np.concatenate(_drawn(code, sizes, rng)))
        whole = Labelled(find_space(embedding[rows]), code[rows], code[rows])
        of = planted(whole, fraction, rng, near=False)
        classified = of.classified()
        every = np.arange(len(rows))
        called = (
            judge_labels(every, of.label, graph=of.space.graph, voter=of.label, evidence=classified.evidence).kind
            == LIKELY_WRONG
        )
        is_right, first = of.label == of.true, classified.shares.first_class == of.true
        row = (
            {}
            if not fraction
            else {"average_precision": average_precision_score(~is_right, np.nan_to_num(classified.evidence.doubt))}
        )
        for name, third in zip(("large", "middle", "small"), np.array_split(order, 3), strict=True):
            among = np.isin(of.true, third)
            row |= {f"called_{name}": called[among & is_right].mean(), f"first_{name}": first[among].mean()}
        found.append(row)
    return {str(name): float(value) for name, value in pd.DataFrame(found).mean().items()}


def tables(figures: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """The tables, by their titles."""
    named = {name: (use, of) for use, sets in figures.items() for name, of in sets.items()}
    return {
        "Shares": _shares_table(named),
        "What is told, and how often the label is the first class": _bins_table([of for _, of in named.values()]),
        "Wrong labels": _planted_table(named),
        "Long tails": _tail_table(named),
    }


def _shares_table(named: Mapping[str, tuple[str, Any]]) -> str:
    columns = {"told − true": "bias", "calibration error": "error", "nats": "nats", "R-AUROC (N)": "r_auroc"}
    header = ["set", "use", *(f"{title}: {way}" for title in columns for way in (BEFORE, AFTER))]
    rows = [
        [name, use, *(decimal(of["shares"][way][key], digits=3) for key in columns.values() for way in (BEFORE, AFTER))]
        for name, (use, of) in named.items()
    ]
    gains = [
        _interval(
            mean_by_t(
                [of["shares"][AFTER][key] - of["shares"][BEFORE][key] for _, of in named.values()], least=-9, most=9
            )
        )
        for key in columns.values()
    ]
    lines = [f"{title}: {gain}" for title, gain in zip(columns, gains, strict=True)]
    return f"{markdown(header, rows)}\n\nCalibrated minus mean share, Student over sets: {'; '.join(lines)}."


def _interval(figure: Figure) -> str:
    return with_interval(figure.value, figure.interval.low, figure.interval.high, digits=3, signed=True)


def _bins_table(sets: Sequence[Mapping[str, Any]]) -> str:
    rows = []
    for number, (low, high) in enumerate(pairwise(EDGES)):
        row = [f"{low:g} to {min(high, 1):g}"]
        for way in (BEFORE, AFTER):
            count, told, right = np.sum([of["shares"][way]["bins"][number] for of in sets], axis=0)
            row += [f"{count:,.0f}", f"{decimal(told / count)} → {decimal(right / count)}" if count else "–"]
        rows.append(row)
    return markdown(["share", f"pictures: {BEFORE}", "told → true", f"pictures: {AFTER}", "told → true"], rows)


def _planted_table(named: Mapping[str, tuple[str, Any]]) -> str:
    rows = []
    for name in PLANTED:
        of = pd.DataFrame([figures["planted"][name] for _, figures in named.values()]).mean()
        rows.append(
            [
                name,
                with_interval(of["wrong"], of["low"], of["high"], digits=3),
                *(decimal(of[key]) for key in ("recall", "precision", "average_precision")),
            ]
        )
    header = [
        "planted",
        "estimated, mean of the sets",
        "called an error: recall",
        "precision",
        "average precision of doubt",
    ]
    return markdown(header, rows)


def _tail_table(named: Mapping[str, tuple[str, Any]]) -> str:
    rows = [
        [
            name,
            f"{TAIL[name]} : 1",
            *(
                percent(of["tail"][wrong][f"called_{third}"], digits=1)
                for wrong in ("none", "5 %")
                for third in ("large", "small")
            ),
            decimal(of["tail"]["5 %"]["average_precision"]),
            *(decimal(of["tail"]["none"][f"first_{third}"]) for third in ("large", "small")),
        ]
        for name, (_, of) in named.items()
    ]
    header = [
        "set",
        "tail",
        *(
            f"right labels called errors, {third} classes{planted}"
            for planted in ("", ", 5 % planted")
            for third in ("large", "small")
        ),
        "average precision of doubt",
        "first class right, large",
        "small",
    ]
    return markdown(header, rows)


if __name__ == "__main__":
    main()
