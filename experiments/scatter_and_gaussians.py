"""Two tries: directions within classes learnt elsewhere, and class Gaussians as a third voter of ambiguity.

`python -m experiments.scatter_and_gaussians PHOTOS --workspace DIR`. PHOTOS holds class folders; DIR is where the
development sets were read. First, without labels of the set: its embeddings are divided by the scatter within classes
of other photographs (imagenette, imagewoof, tiny-imagenet) before they are whitened. Second: beside votes and ridge
classifier the density of each class as a Gaussian (as arXiv 2511.22019 has it), fitted without a picture's fold.
P is a mistake of a linear probe on another backbone, N that the nearest of now has another class. The bar was a gain of
.005 (P). The figures go to scatter_and_gaussians.json.
"""

from collections.abc import Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from experiments.figure_files import measured_or_read
from training.benchmark.labelled import probe_errors
from training.data.pictures import PictureList
from training.data.spec import labelled_pictures_of
from training.listed_embeddings import embed_pictures
from training.markdown_tables import markdown
from url_viz.analysis.evidence.order_metrics import auroc, mean_by_t
from url_viz.analysis.labels.ambiguity import LabelledMeans, labelled_means
from url_viz.analysis.labels.calibration import calibrate
from url_viz.analysis.labels.left_out import fit_ridge
from url_viz.image_set import ImageSet
from url_viz.models.model import load_model
from url_viz.models.model_names import DEFAULT, SECOND_MODELS
from url_viz.pipeline.confusability import confusability
from url_viz.pipeline.graph import build_graph
from url_viz.pipeline.nearest import Nearest
from url_viz.pipeline.twins import source_groups, twin_representatives
from url_viz.pipeline.whitening import whitened_rows
from url_viz.progress import silent
from url_viz.rows import l2_normalize
from url_viz.store.tables.tables import Graph, positions_of
from url_viz.wording import decimal

FIGURES = Path(__file__).with_suffix(".json")
SETS = {"development": ("grocery", "trash", "scenes", "places"), "report": ("caltech101", "flowers102", "cifar10-test")}
LIMIT = 2500
"""Pictures of a set at most, drawn by dice."""
ELSEWHERE = {"imagenette-train": 600, "imagewoof-train": 600, "tiny-imagenet": 2000}
"""Pictures of other classes, drawn by dice."""
LEAST_OF_A_CLASS = 5
MIXES = (0.1, 0.3, 1.0, 3.0)
"""Of the mean scatter, added to each direction before it is divided by."""
AXES = (32, 64, 128)
SHRINKAGES = (np.inf, 20.0)
"""As if so many pictures of each class had the scatter of all classes; infinite: one scatter for all."""
FLOOR = 0.1
"""Of the mean variance, added to each direction of a Gaussian."""
FOLDS = 20
LEAST_LOG_SHARE = -20.0
NOW = "now"
CHOSEN = (128, 20.0)
"""Axes and shrinkage that gained most (P) on the development sets: they alone went to the report sets, once."""

Doubles = NDArray[np.float64]
Bools = NDArray[np.bool_]


def main() -> None:
    """Measure, or print what was measured."""
    print(table(measured_or_read(__doc__, FIGURES, sets=SETS, of=figures_of)))


def figures_of(image_set: ImageSet) -> dict[str, dict[str, float]]:
    """R-AUROC of both orders, now and by each try; on report sets by the chosen one alone."""
    trial = Trial(image_set)
    return trial.figures() if image_set.root.name in SETS["development"] else trial.chosen()


class Trial:
    """One set as it is, with both outcomes: M contents, `raw` (M, D), `label` (M,)."""

    def __init__(self, image_set: ImageSet) -> None:
        pictures = labelled_pictures_of(f"folder:{image_set.root}")
        rows = positions_of(image_set.ids, np.sort(pictures.ids))
        some = np.sort(np.random.default_rng(0).permutation(len(rows))[:LIMIT])
        self.pictures = pictures.subset(np.argsort(pictures.ids)[rows[some]])
        self.raw, self.label = image_set.embeddings()[some], self.pictures.labels
        twins = self.space(self.raw)[1].twins
        self.group, self.first = source_groups(twins), twin_representatives(twins)

    @cached_property
    def is_probe_wrong(self) -> Bools:
        rows = whitened_rows(np.arange(len(self.label)), embedded(self.pictures, SECOND_MODELS[0])).rows
        return probe_errors(rows, self.label, self.group)

    def figures(self) -> dict[str, dict[str, float]]:
        """By the name of each try."""
        rows, graph = self.space(self.raw)
        is_wrong = self.label[graph.position[:, 0]] != self.label
        means = self.means(rows, graph)
        found = {NOW: self._of_space(graph, is_wrong) | self._of_shares(means.mean, means, is_wrong)}
        unit = l2_normalize(self.raw).astype(np.float64)
        for mix in MIXES:
            divided = (unit - unit.mean(axis=0)) @ inverse_root(scatter_elsewhere(self.pictures.root.parent), mix)
            other_rows, other = self.space(divided.astype(np.float32))
            of = self.means(other_rows, other)
            found[f"elsewhere, mix {mix:g}"] = self._of_space(other, is_wrong) | self._of_shares(of.mean, of, is_wrong)
        for axes in AXES:
            for shrinkage in SHRINKAGES:
                found[named(axes, shrinkage)] = self._of_gaussians(rows, means, is_wrong, axes, shrinkage)
        return found

    def chosen(self) -> dict[str, dict[str, float]]:
        """By what was chosen on the development sets, and now."""
        rows, graph = self.space(self.raw)
        is_wrong, means = self.label[graph.position[:, 0]] != self.label, self.means(rows, graph)
        return {
            NOW: self._of_shares(means.mean, means, is_wrong),
            named(*CHOSEN): self._of_gaussians(rows, means, is_wrong, *CHOSEN),
        }

    def _of_gaussians(
        self, rows: NDArray[np.float16], means: LabelledMeans, is_wrong: Bools, axes: int, shrinkage: float
    ) -> dict[str, float]:
        third = gaussian_shares(rows[:, :axes].astype(np.float64), self.label, self.group, shrinkage)[means.rows]
        return self._of_shares((2 * means.mean + third) / 3, means, is_wrong)

    def space(self, embedding: NDArray[np.float32]) -> tuple[NDArray[np.float16], Graph]:
        """Whitened rows of embeddings (M, D), and the graph there."""
        rows = whitened_rows(np.arange(len(embedding)), embedding)
        return rows.rows, build_graph(rows, self.raw)

    def means(self, rows: NDArray[np.float16], graph: Graph) -> LabelledMeans:
        """What votes and ridge classifier say, before calibration."""
        ridge = fit_ridge(rows, self.label, self.group, int(self.label.max()) + 1)
        return labelled_means(ridge, (Nearest(graph.position, graph.similarity),))

    def _of_space(self, graph: Graph, is_wrong: Bools) -> dict[str, float]:
        order = confusability(graph.position, graph.similarity, representative=self.first)[0]
        return {
            "recall@1": float((self.label[graph.position[:, 0]] == self.label).mean()),
            "confusability, N": auroc(order, is_wrong),
            "confusability, P": auroc(order, self.is_probe_wrong),
        }

    def _of_shares(self, mean: Doubles, of: LabelledMeans, is_wrong: Bools) -> dict[str, float]:
        shares = calibrate(mean, of.label, self.group[of.rows], prior=of.prior).shares(mean)
        second, first = np.partition(shares, -2, axis=1)[:, -2:].T
        order = 1 - (first - second)
        return {
            "ambiguity, N": auroc(order, is_wrong[of.rows]),
            "ambiguity, P": auroc(order, self.is_probe_wrong[of.rows]),
        }


def named(axes: int, shrinkage: float) -> str:
    """The name of a try of Gaussians."""
    return f"Gaussians, {axes} axes, {'one scatter' if np.isinf(shrinkage) else 'a scatter each'}"


@cache
def scatter_elsewhere(photos: Path) -> Doubles:
    """The scatter (D, D) within classes of ELSEWHERE, whose sets weigh alike."""
    found = []
    for name, count in ELSEWHERE.items():
        pictures = labelled_pictures_of(f"folder:{photos / name}")
        some = pictures.subset(np.sort(np.random.default_rng(0).permutation(len(pictures))[:count]))
        found.append(scatter_within(l2_normalize(embedded(some, DEFAULT)).astype(np.float64), some.labels))
    return np.asarray(np.mean(found, axis=0))


def embedded(pictures: PictureList, model: str) -> NDArray[np.float16]:
    """Embeddings of readable pictures (N, D)."""
    found = embed_pictures(load_model(model), pictures, seed=0, report=silent, with_crops=False)
    assert not found.failures, found.failures
    return found.embedding


def scatter_within(rows: Doubles, label: NDArray[np.integer]) -> Doubles:
    """The covariance (D, D) of rows (N, D) about the means of their classes, of classes of LEAST_OF_A_CLASS or more."""
    size = np.bincount(label)
    large = size[label] >= LEAST_OF_A_CLASS
    _, code = np.unique(label[large], return_inverse=True)
    apart = rows[large] - class_means(rows[large], code)[code]
    scatter: Doubles = apart.T @ apart / (len(apart) - code.max() - 1)
    return scatter


def class_means(rows: Doubles, code: NDArray[np.integer]) -> Doubles:
    """(C, D) of rows (N, D) with codes from 0."""
    sums = np.zeros((code.max() + 1, rows.shape[1]))
    np.add.at(sums, code, rows)
    return sums / np.bincount(code)[:, None]


def inverse_root(scatter: Doubles, mix: float) -> Doubles:
    """(D, D): the inverse of the root of a scatter, with a part of its mean variance added to each direction."""
    variance, axes = np.linalg.eigh(scatter)
    root: Doubles = (axes * (np.maximum(variance, 0) + mix * variance.mean()) ** -0.5) @ axes.T
    return root


def gaussian_shares(rows: Doubles, label: NDArray[np.integer], group: NDArray[np.integer], shrinkage: float) -> Doubles:
    """Class shares (N, C) by the classes' Gaussians, which have seen no picture of a row's fold, nor its twins.

    At the temperature under which the labels are likeliest. A class that a fold leaves without a picture has none.
    """
    _, number = np.unique(group, return_inverse=True)
    fold = (np.random.default_rng(0).permutation(number.max() + 1) % FOLDS)[number]
    density = np.full((len(rows), int(label.max()) + 1), -np.inf)
    for left_out in range(FOLDS):
        asked = fold == left_out
        classes, code = np.unique(label[~asked], return_inverse=True)
        density[np.ix_(asked, classes)] = densities(rows[~asked], code, rows[asked], shrinkage)
    value = np.maximum(density - density.max(axis=1, keepdims=True), -1e6)
    every = np.arange(len(label))

    def loss(log_factor: float) -> float:
        own = log_softmax(value * np.exp(log_factor), axis=1)[every, label]
        return -float(np.maximum(own, LEAST_LOG_SHARE).mean())

    factor = np.exp(minimize_scalar(loss, bounds=(-6, 2), method="bounded").x)
    return np.asarray(np.exp(log_softmax(value * factor, axis=1)))


def densities(rows: Doubles, code: NDArray[np.integer], asked: Doubles, shrinkage: float) -> Doubles:
    """Log densities (Q, C), but for a constant, of `asked` (Q, D) under the Gaussians of the classes of rows (N, D)."""
    mean = class_means(rows, code)
    apart, found = rows - mean[code], []
    shared = apart.T @ apart / max(1, len(rows) - len(mean))
    shared += FLOOR * np.trace(shared) / len(shared) * np.eye(len(shared))
    for number, middle in enumerate(mean):
        own = apart[code == number]
        scatter = shared if np.isinf(shrinkage) else (shrinkage * shared + own.T @ own) / (shrinkage + len(own))
        root = np.linalg.cholesky(scatter)
        distance = (solve_triangular(root, (asked - middle).T, lower=True) ** 2).sum(axis=0)
        found.append(-distance / 2 - np.log(np.diag(root)).sum())
    return np.stack(found, axis=1)


def table(figures: Mapping[str, Mapping[str, Any]]) -> str:
    """A row a try: means over the sets, and the gains over now with Student's 95 % interval over the sets."""
    sets = list(figures["development"].values())
    measures = list(sets[0][NOW])
    rows = [["**now**", *(decimal(np.mean([one[NOW][measure] for one in sets]), digits=3) for measure in measures)]]
    for name in list(sets[0])[1:]:
        gains = [[one[name][key] - one[NOW][key] for one in sets] if key in sets[0][name] else [] for key in measures]
        rows.append([name, *(mean_by_t(gain, least=-1).text(digits=3, signed=True) if gain else "" for gain in gains)])
    return markdown(["gain over now", *measures], rows)


def lines(figures: Mapping[str, Mapping[str, Any]]) -> str:
    """What experiments/README.md says of both: the best by P of each, and of the chosen the report sets."""

    def told(use: str, name: str, order: str) -> str:
        gains = [[one[name][key] - one[NOW][key] for one in figures[use].values()] for key in _outcomes(order)]
        texts = (mean_by_t(gain, least=-1).text(digits=3, signed=True) for gain in gains)
        return "{} (N), {} (P)".format(*texts)

    sets, found = list(figures["development"].values()), []
    for start, order, title in (
        ("Gaussians", "ambiguity", "Ambiguity: class Gaussians as a third voter"),
        ("elsewhere", "confusability", "Confusability: scatter within classes of other photographs, divided by"),
    ):
        tries = [name for name in sets[0] if name.startswith(start)]
        _, outcome = _outcomes(order)
        best = max(tries, key=lambda name, key=outcome: sum(one[name][key] for one in sets))  # type: ignore[misc]
        result = f"{told('development', best, order)} by the best of {len(tries)} ({best.partition(', ')[2]}), "
        result += "development sets"
        if best == named(*CHOSEN):
            result += f"; {told('report', best, order)}, report sets"
        found.append(f"| {title} | {result} | `python -m experiments.scatter_and_gaussians` |")
    return "\n".join(found)


def _outcomes(order: str) -> tuple[str, str]:
    return f"{order}, N", f"{order}, P"


if __name__ == "__main__":
    main()
