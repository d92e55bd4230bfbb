"""Recall of planted label errors, beside cleanlab: `python -m experiments.wrong_labels FOLDER … [--cleanlab PYTHON]`.

Each FOLDER holds class folders. A share of the labels is changed by dice, or to the most similar class, while a tenth
of the pictures are blended half and half with a picture of another class and a tenth are blurred or cropped past
recognition: their labels stay, and are no errors.

cleanlab (AGPL) is no part of this project and is never imported here: it runs in a Python of its own,

    python -m venv build/cleanlab
    build/cleanlab/bin/pip install "cleanlab[datalab]"
    python -m experiments.wrong_labels FOLDER --cleanlab build/cleanlab/bin/python

and is left out where it is not there. It gets the same embeddings, and the predictions of the same regression.
"""

import argparse
import subprocess
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from scipy.special import softmax
from sklearn.metrics import average_precision_score

from benchmarks.machine import machine
from url_viz.analysis.ambiguity import Classified, classify
from url_viz.analysis.label_issues import AMBIGUOUS, LABEL_ERROR, Judged, judge
from url_viz.analysis.left_out import fit_ridge
from url_viz.imaging.preprocess import middle, resized
from url_viz.imaging.query import upright_query
from url_viz.imaging.scan import scan
from url_viz.models.model import Model, load_model
from url_viz.models.names import DEFAULT
from url_viz.pipeline.graph import build_graph
from url_viz.pipeline.twins import twin_groups
from url_viz.pipeline.whitening import fit_whitening
from url_viz.rows import l2_normalize
from url_viz.store.tables import Graph

FINE, ERROR, BLEND, DEGRADED = range(4)
TRUTHS = ("fine", "label error", "blend", "degraded")
AMBIGUOUS_SHARE = 0.1
CLEANLAB = Path(__file__).with_name("wrong_labels_cleanlab.py")
Noise = tuple[Literal["any class", "similar class"], float]
NOISES: tuple[Noise, ...] = (("any class", 0.05), ("any class", 0.1), ("any class", 0.2), ("similar class", 0.1))

Floats = NDArray[np.float32]
Codes = NDArray[np.int32]


@dataclass(frozen=True)
class Pictures:
    """One labelled set: `embedding` (N, D), `label` (N,) codes; each picture blended and degraded, both (N, D)."""

    name: str
    embedding: Floats
    blend: Floats
    degraded: Floats
    label: Codes

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return int(self.label.max()) + 1


@dataclass(frozen=True)
class Planted:
    """A set with errors planted: `truth` (N,) of TRUTHS, `label` (N,) as given.

    `whitened` (N, A) are its `embedding` (N, D) in its own space, `graph` theirs.
    """

    pictures: Pictures
    noise: Noise
    seed: int
    embedding: Floats
    label: Codes
    truth: NDArray[np.int64]
    whitened: NDArray[np.float16]
    graph: Graph

    def classified(self) -> Classified:
        """What votes and ridge classifier say of the labels as given."""
        group = twin_groups(self.graph.twins)
        found = classify(self.graph.position, self.graph.similarity, self.whitened, self.label, group)
        assert found is not None
        return found

    @property
    def is_error(self) -> NDArray[np.bool_]:
        """Where a label was changed (N,)."""
        changed: NDArray[np.bool_] = self.truth == ERROR
        return changed


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--cleanlab", type=Path, default=Path("build/cleanlab/bin/python"))
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    model = load_model(DEFAULT)
    sets = [read(folder, model) for folder in given.folders]
    cases = [plant(pictures, noise, seed) for pictures in sets for noise in NOISES for seed in range(given.seeds)]
    rows, judgements = ours(cases)
    if given.cleanlab.exists():
        rows += theirs(cases, given.cleanlab)
    print(f"{machine()} Seeds: {given.seeds}.\n")
    print(scores_table(pd.DataFrame(rows)))
    print(confusion_table(cases, judgements))


def read(folder: Path, model: Model) -> Pictures:
    """Embed every picture of a folder as it is, blended with one of another class, and degraded."""
    found = scan(folder).files
    names = [file.path.split(b"/")[0] for file in found]
    label = np.unique(names, return_inverse=True)[1].astype(np.int32)
    sheet, rng = model.space.preprocessing, np.random.default_rng(0)
    crops = []
    for file in found:
        image = upright_query(folder / file.path.decode(), short_side_px=sheet.resize_px)
        crops.append(middle(resized(image, sheet), sheet.size_px))
    pixels = np.stack(crops)
    other = np.array([rng.choice(np.flatnonzero(label != own)) for own in label])
    whole, blend, degraded = (
        np.concatenate(list(part))
        for part in (
            (_embedded(model, pixels[at]) for at in _parts(len(pixels))),
            (_embedded(model, _half(pixels[at], pixels[other[at]])) for at in _parts(len(pixels))),
            (_embedded(model, np.stack([_degraded(one, rng) for one in pixels[at]])) for at in _parts(len(pixels))),
        )
    )
    return Pictures(folder.name, whole, blend, degraded, label)


def _parts(count: int) -> Iterable[slice]:
    return (slice(start, start + 64) for start in range(0, count, 64))


def _half(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return ((first.astype(np.uint16) + second) // 2).astype(np.uint8)


def _degraded(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Half of them blurred to 4 to 10 % of their side, half cropped to 15 to 30 % of it."""
    image, side = Image.fromarray(pixels), pixels.shape[0]
    if rng.random() < 0.5:
        return np.asarray(image.filter(ImageFilter.GaussianBlur(side * rng.uniform(0.04, 0.1))))
    kept = int(side * rng.uniform(0.15, 0.3))
    left, top = rng.integers(0, side - kept, 2).tolist()
    return np.asarray(image.crop((left, top, left + kept, top + kept)).resize((side, side), Image.Resampling.BICUBIC))


def _embedded(model: Model, pixels: NDArray[np.uint8]) -> Floats:
    return model.run(pixels).embedding.astype(np.float16).astype(np.float32)


def plant(pictures: Pictures, noise: Noise, seed: int) -> Planted:
    """Ambiguous pictures first, then a share of all labels changed among the others; all by the seed."""
    rng, count = np.random.default_rng(seed), len(pictures.label)
    order, tenth = rng.permutation(count), int(AMBIGUOUS_SHARE * count)
    truth, embedding = np.zeros(count, np.int64), pictures.embedding.copy()
    for kind, source, rows in (
        (BLEND, pictures.blend, order[:tenth]),
        (DEGRADED, pictures.degraded, order[tenth : 2 * tenth]),
    ):
        truth[rows], embedding[rows] = kind, source[rows]
    chosen = order[2 * tenth :][: int(noise[1] * count)]
    truth[chosen], label = ERROR, pictures.label.copy()
    if noise[0] == "any class":
        shift = rng.integers(1, pictures.classes, len(chosen))
        label[chosen] = (label[chosen] + shift) % pictures.classes
    else:
        label[chosen] = _most_similar_class(pictures)[label[chosen]]
    whitened = fit_whitening(embedding).transform(embedding)
    return Planted(pictures, noise, seed, embedding, label, truth, whitened, build_graph(whitened, embedding))


def _most_similar_class(pictures: Pictures) -> Codes:
    unit = l2_normalize(pictures.embedding)
    means = l2_normalize(np.stack([unit[pictures.label == code].mean(axis=0) for code in range(pictures.classes)]))
    likeness = means @ means.T
    np.fill_diagonal(likeness, -1)
    nearest: Codes = likeness.argmax(axis=1).astype(np.int32)
    return nearest


def ours(cases: list[Planted]) -> tuple[list[dict[str, object]], list[Judged]]:
    """Judge every case, and by the neighbours' votes alone."""
    rows: list[dict[str, object]] = []
    judgements = []
    for case in cases:
        started = time.perf_counter()
        evidence = case.classified().evidence
        judged = judge(np.arange(len(case.label)), case.label, graph=case.graph, voter=case.label, evidence=evidence)
        seconds = time.perf_counter() - started
        lead = np.nan_to_num(evidence.other_votes - evidence.own_votes, nan=-1)
        rows.append(_row(case, "neighbours alone", lead, lead > 0, float("nan")))
        rows.append(_row(case, "URL-Viz", judged.opinion.score, judged.kind == LABEL_ERROR, seconds))
        judgements.append(judged)
    return rows, judgements


def _row(
    case: Planted, name: str, score: NDArray[np.floating], is_found: NDArray[np.bool_], seconds: float
) -> dict[str, object]:
    planted = int(case.is_error.sum())
    first = np.argsort(-score, kind="stable")[:planted]
    hit = int((is_found & case.is_error).sum())
    return {
        "set": case.pictures.name,
        "noise": f"{case.noise[0]}, {case.noise[1]:.0%}",
        "method": name,
        "average precision": average_precision_score(case.is_error, score),
        "precision at planted": case.is_error[first].mean(),
        "recall of found": hit / planted,
        "precision of found": hit / max(1, int(is_found.sum())),
        "seconds": seconds,
    }


def theirs(cases: list[Planted], python: Path) -> list[dict[str, object]]:
    """Datalab's label issues for every case, worked out by another Python."""
    rows = []
    with tempfile.TemporaryDirectory() as place:
        for number, case in enumerate(cases):
            np.savez(
                Path(place) / f"case-{number}.npz",
                embedding=case.embedding,
                label=case.label,
                predicted=_left_out_shares(case),
                position=case.graph.position,
                similarity=case.graph.similarity,
            )
        subprocess.run([python, CLEANLAB, place], check=True)
        for number, case in enumerate(cases):
            with np.load(Path(place) / f"found-{number}.npz") as found:
                for key, title in (("embeddings", "Datalab, embeddings"), ("predicted", "Datalab, predictions")):
                    score, is_found = found[f"{key}_score"], found[f"{key}_found"]
                    rows.append(_row(case, title, score, is_found, float(found[f"{key}_seconds"])))
    return rows


def _left_out_shares(case: Planted) -> NDArray[np.float64]:
    """The ridge classifier's shares (N, C), each picture's own label and its twins' unseen."""
    values = np.zeros((len(case.label), case.pictures.classes))
    ridge = fit_ridge(case.whitened, case.label, twin_groups(case.graph.twins), case.pictures.classes)
    for rows, value in ridge.without_twins():
        values[rows] = value
    shares: NDArray[np.float64] = softmax(values * case.classified().model.temperature, axis=1)
    return shares


def scores_table(rows: pd.DataFrame) -> str:
    """Means over seeds as Markdown: one line a set, noise and method, then over everything."""
    every = rows.assign(set="all", noise="all")
    by = ["set", "noise", "method"]
    means = pd.concat([rows, every]).groupby(by, sort=False).mean(numeric_only=True)
    lines = ["| set | planted | method | " + " | ".join(means.columns) + " |", "|" + "---|" * (3 + means.shape[1])]
    for key, values in means.iterrows():
        assert isinstance(key, tuple)
        lines.append("| " + " | ".join([*map(str, key), *(f"{value:.3f}" for value in values)]) + " |")
    return "\n".join(lines) + "\n"


def confusion_table(cases: list[Planted], judgements: list[Judged]) -> str:
    """What became of fine pictures, errors, blends and degraded ones, in percent, at a tenth of labels by dice."""
    counts: dict[tuple[str, str], list[list[float]]] = {}
    for case, judged in zip(cases, judgements, strict=True):
        if case.noise != NOISES[1]:
            continue
        for code, truth in enumerate(TRUTHS):
            kinds = judged.kind[case.truth == code]
            shares = [float((kinds == LABEL_ERROR).mean()), float((kinds == AMBIGUOUS).mean())]
            counts.setdefault((case.pictures.name, truth), []).append([*shares, 1 - sum(shares)])
    lines = ["| set | it is | called label error | called ambiguous | called neither |", "|---|---|---|---|---|"]
    for (name, truth), called in counts.items():
        cells = " | ".join(f"{100 * value:.0f} %" for value in np.mean(called, axis=0))
        lines.append(f"| {name} | {truth} | {cells} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
