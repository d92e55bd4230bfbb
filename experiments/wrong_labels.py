"""How many planted label errors are found: `python -m experiments.wrong_labels --data FOLDER … --report FOLDER …`.

Each FOLDER holds class folders. A share of the labels is changed by dice, or to the most similar class, while a tenth
of the pictures are blended half and half with a picture of another class and a tenth are blurred or cropped past
recognition: their labels stay, and are no errors. The constants of the check were chosen on sets given as --data; those
given as --report chose nothing. Mistakes that a set has by itself count against every method, since only planted ones
are known. The figures go to wrong_labels.json; `--table` prints the tables from it.

cleanlab (Apache-2.0 since December 2025) is not a dependency of the app: it runs in a separate Python,

    python -m venv build/cleanlab
    build/cleanlab/bin/pip install "cleanlab[datalab]"

and is left out where it is not there. It gets the same embeddings, and the predictions of the same classifier.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from scipy.special import softmax
from sklearn.metrics import average_precision_score
from typing_extensions import Doc

from training.command import cell, command, markdown
from url_viz.base.errors import FolderError
from url_viz.base.rows import l2_normalize
from url_viz.evidence.order_metrics import Figure, mean_by_t
from url_viz.imaging.decode import decode, middle, resized
from url_viz.imaging.scan import scan
from url_viz.labels.ambiguity import Classified, classify
from url_viz.labels.doubtful_labels import forecast
from url_viz.labels.label_issues import BETWEEN, LIKELY_WRONG, Judged, judge_labels
from url_viz.labels.votes import fit_ridge, vote_shares
from url_viz.models.model import Model, load_model
from url_viz.models.model_names import DEFAULT
from url_viz.pipeline.graph import build_graph
from url_viz.pipeline.twins import twin_groups
from url_viz.pipeline.whitening import whitened_rows
from url_viz.store.tables.tables import Graph

FINE, ERROR, BLEND, DEGRADED = range(4)
TRUTHS = ("fine", "label error", "blend", "degraded")
AMBIGUOUS_SHARE = 0.1
FIGURES = Path(__file__).with_suffix(".json")
VOTES, OURS, PREDICTIONS = "neighbours alone", "URL-Viz", "Datalab, predictions"
USES = {"development": "Development sets", "report": "Report sets, which chose nothing"}
SCORES = ("average precision", "precision at planted", "recall of found", "precision of found")
BY_NOISE = ("average precision", "recall of found", "precision of found")
CLEANLAB_PYTHON = Path("build/cleanlab/bin/python")
CLEANLAB = Path(__file__).with_name("wrong_labels_cleanlab.py")
Noise = tuple[Literal["any class", "similar class"], float]
NOISES: tuple[Noise, ...] = (("any class", 0.05), ("any class", 0.1), ("any class", 0.2), ("similar class", 0.1))

Floats = NDArray[np.float32]
Codes = NDArray[np.int32]


@dataclass(frozen=True)
class EmbeddedSet:
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

    `whitened` (N, A) are its `embedding` (N, D) in its own space, `graph` the neighbours there.
    """

    pictures: EmbeddedSet
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


@dataclass(frozen=True)
class WrongLabelsStudy:
    """Plant label errors in labelled sets, and see which are found."""

    data: Annotated[tuple[Path, ...], Doc("Sets on which the constants were chosen; give it again.")] = ()
    report: Annotated[tuple[Path, ...], Doc("Sets that chose nothing; give it again.")] = ()
    cleanlab: Annotated[Path, Doc("The Python that has cleanlab.")] = CLEANLAB_PYTHON
    seeds: Annotated[int, Doc("Draws of each noise.")] = 3
    json: Annotated[Path, Doc("The figures.")] = FIGURES
    table: Annotated[bool, Doc("Only print the tables of the figures that are there.")] = False


def main(study: WrongLabelsStudy) -> None:
    """Measure, write the figures, and print the tables; or print them again."""
    if not study.table:
        if not study.data and not study.report:
            raise FolderError("No set is given to plant errors in. Give --data FOLDER or --report FOLDER, or --table.")
        model = load_model(DEFAULT)
        uses = (("development", study.data), ("report", study.report))
        figures = {use: figures_of(folders, study, model) for use, folders in uses if folders}
        config = {"seeds": study.seeds, "noises": NOISES, "ambiguous share": AMBIGUOUS_SHARE, "model": DEFAULT}
        study.json.write_text(json.dumps({"config": config, **figures}, indent=1) + "\n", encoding="utf-8")
    print(tables(json.loads(study.json.read_text("utf-8"))))


def figures_of(folders: Sequence[Path], study: WrongLabelsStudy, model: Model) -> dict[str, object]:
    """Means over the draws: the scores of each set, noise and method, and what became of the pictures of each set."""
    sets = [read(folder, model) for folder in folders]
    cases = [plant(pictures, noise, seed) for pictures in sets for noise in NOISES for seed in range(study.seeds)]
    rows, judgements = our_rows(cases)
    if study.cleanlab.exists():
        rows += cleanlab_rows(cases, study.cleanlab)
    means = pd.DataFrame(rows).groupby(["set", "noise", "method"], sort=False).mean(numeric_only=True).reset_index()
    return {"scores": means.round(4).to_dict("records"), "became": what_became(cases, judgements)}


def read(folder: Path, model: Model) -> EmbeddedSet:
    """Embed every picture of a folder as it is, blended with one of another class, and degraded."""
    names = [file.path.split(b"/")[0] for file in scan(folder).files]
    label = np.unique(names, return_inverse=True)[1].astype(np.int32)
    pixels, rng = _crops(folder, model), np.random.default_rng(0)
    other = np.array([rng.choice(np.flatnonzero(label != own)) for own in label])
    whole, blend, degraded = (
        np.concatenate(list(part))
        for part in (
            (_embedded(model, pixels[at]) for at in _parts(len(pixels))),
            (_embedded(model, _half(pixels[at], pixels[other[at]])) for at in _parts(len(pixels))),
            (_embedded(model, np.stack([_degraded(one, rng) for one in pixels[at]])) for at in _parts(len(pixels))),
        )
    )
    return EmbeddedSet(folder.name, whole, blend, degraded, label)


def read_whole(folder: Path, model: Model) -> Floats:
    """Embed every picture of a folder as it is (N, D), in the order of `read`."""
    pixels = _crops(folder, model)
    return np.concatenate([_embedded(model, pixels[at]) for at in _parts(len(pixels))])


def _crops(folder: Path, model: Model) -> NDArray[np.uint8]:
    """Every picture of a folder as a model sees it (N, S, S, 3)."""
    sheet, crops = model.space.preprocessing, []
    for file in scan(folder).files:
        image = decode((folder / file.path.decode()).read_bytes(), short_side_px=sheet.resize_px)[0]
        crops.append(middle(resized(image, sheet), sheet.size_px))
    return np.stack(crops)


def _parts(count: int) -> Iterable[slice]:
    return (slice(start, start + 64) for start in range(0, count, 64))


def _half(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return ((first.astype(np.uint16) + second) // 2).astype(np.uint8)


def _degraded(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Half of them blurred to 4 to 10 % of their side, half cropped to 15 to 30 % of it."""
    image, side = Image.fromarray(pixels), pixels.shape[0]
    if rng.random() < 0.5:
        return np.asarray(image.filter(ImageFilter.GaussianBlur(side * rng.uniform(0.04, 0.1))))
    part = int(side * rng.uniform(0.15, 0.3))
    left, top = rng.integers(0, side - part, 2).tolist()
    return np.asarray(image.crop((left, top, left + part, top + part)).resize((side, side), Image.Resampling.BICUBIC))


def _embedded(model: Model, pixels: NDArray[np.uint8]) -> Floats:
    return model.run(pixels).embedding.astype(np.float16).astype(np.float32)


def plant(pictures: EmbeddedSet, noise: Noise, seed: int) -> Planted:
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
        label[chosen] = other_class(label[chosen], pictures.classes, rng)
    else:
        label[chosen] = most_similar_class(pictures.embedding, pictures.label)[label[chosen]]
    whitened = whitened_rows(np.arange(len(embedding)), embedding)
    return Planted(pictures, noise, seed, embedding, label, truth, whitened.rows, build_graph(whitened, embedding))


def other_class(label: Codes, classes: int, rng: np.random.Generator) -> Codes:
    """Another class than each label's (R,), by dice."""
    return ((label + rng.integers(1, classes, len(label))) % classes).astype(np.int32)


def most_similar_class(embedding: Floats, label: Codes) -> Codes:
    """For each class (C,) the one whose mean embedding is nearest; embeddings (N, D), labels (N,)."""
    unit = l2_normalize(embedding)
    means = l2_normalize(np.stack([unit[label == code].mean(axis=0) for code in range(int(label.max()) + 1)]))
    likeness = means @ means.T
    np.fill_diagonal(likeness, -1)
    nearest: Codes = likeness.argmax(axis=1).astype(np.int32)
    return nearest


def our_rows(cases: list[Planted]) -> tuple[list[dict[str, object]], list[Judged]]:
    """Judge every case, and by the neighbours' votes alone."""
    rows: list[dict[str, object]] = []
    judgements = []
    for case in cases:
        started = time.perf_counter()
        evidence = case.classified().evidence
        judged = judge_labels(
            np.arange(len(case.label)), case.label, graph=case.graph, voter=case.label, evidence=evidence
        )
        seconds = time.perf_counter() - started
        lead = lead_of_votes(case)
        rows.append(_row(case, VOTES, lead, lead > 0, float("nan")))
        rows.append(_row(case, OURS, judged.score, in_queue(judged), seconds))
        judgements.append(judged)
    return rows, judgements


def in_queue(judged: Judged) -> NDArray[np.bool_]:
    """Which labels (R,) are in the queue of doubtful ones."""
    order, is_doubtful = np.argsort(-judged.score, kind="stable"), np.zeros(len(judged), bool)
    is_doubtful[order[: forecast(judged.wrong[order].astype(np.float64)).end]] = True
    return is_doubtful


def lead_of_votes(case: Planted) -> NDArray[np.float64]:
    """How far the strongest other class is ahead of the label (N,) in the votes of the neighbours."""
    every = np.arange(len(case.label))
    share, _ = vote_shares(case.graph.position, case.graph.similarity, case.label, int(case.label.max()) + 1)
    own = share[every, case.label]
    share[every, case.label] = -1
    lead: NDArray[np.float64] = share.max(axis=1) - own
    return lead


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


def cleanlab_rows(cases: list[Planted], python: Path) -> list[dict[str, object]]:
    """Datalab's label issues for every case, from embeddings and from the shares of our classifier."""
    return [
        _row(case, title, found[f"{key}_score"], found[f"{key}_found"], float(found[f"{key}_seconds"]))
        for case, found in zip(cases, cleanlab_found(cases, python, {"predicted": left_out_shares}), strict=True)
        for key, title in (("embeddings", "Datalab, embeddings"), ("predicted", PREDICTIONS))
    ]


def cleanlab_found(
    cases: Sequence[Planted], python: Path, predictions: Mapping[str, Callable[[Planted], NDArray[np.float64]]]
) -> list[dict[str, NDArray[Any]]]:
    """What Datalab says of each case, worked out by another Python; see `experiments.wrong_labels_cleanlab`.

    `predictions` are shares (N, C) by their names, which begin with "predicted".
    """
    with tempfile.TemporaryDirectory() as place:
        for number, case in enumerate(cases):
            np.savez(
                Path(place) / f"case-{number}.npz",
                embedding=case.embedding,
                label=case.label,
                position=case.graph.position,
                similarity=case.graph.similarity,
                **{name: of(case) for name, of in predictions.items()},  # type: ignore[arg-type]
            )
        subprocess.run([python, CLEANLAB, place], check=True)
        return [dict(np.load(Path(place) / f"found-{number}.npz")) for number in range(len(cases))]


def left_out_shares(case: Planted) -> NDArray[np.float64]:
    """The ridge classifier's shares (N, C), each picture's own label and its twins' unseen."""
    values = np.zeros((len(case.label), case.pictures.classes))
    ridge = fit_ridge(case.whitened, case.label, twin_groups(case.graph.twins), case.pictures.classes)
    for rows, value in ridge.without_twins():
        values[rows] = value
    shares: NDArray[np.float64] = softmax(values * case.classified().model.temperature, axis=1)
    return shares


def what_became(cases: Sequence[Planted], judgements: Sequence[Judged]) -> list[dict[str, object]]:
    """Of fine pictures, errors, blends and degraded ones, at a tenth of labels by dice: the share called what."""
    rows = [
        {
            "set": case.pictures.name,
            "truth": truth,
            "label error": float((judged.kind[case.truth == code] == LIKELY_WRONG).mean()),
            "ambiguous": float((judged.kind[case.truth == code] == BETWEEN).mean()),
        }
        for case, judged in zip(cases, judgements, strict=True)
        if case.noise == NOISES[1]
        for code, truth in enumerate(TRUTHS)
    ]
    means = pd.DataFrame(rows).groupby(["set", "truth"], sort=False).mean().reset_index()
    return [{str(name): value for name, value in row.items()} for row in means.round(4).to_dict("records")]


def tables(figures: Mapping[str, Any]) -> str:
    """Of development and report sets, the scores by set and by noise, and what became; then leads over Datalab."""
    parts = []
    for use, words in USES.items():
        if use in figures:
            found = figures[use]
            parts += [f"**{words}**", _by_set(found), by_noise(found), _became(found)]
    parts += [f"{noise}: {cell(lead, signed=True)}" for noise, lead in leads_over_datalab(figures).items()]
    return "\n\n".join(parts)


def _by_set(figures: Mapping[str, Any]) -> str:
    """Average precision by set, then the means of all scores over sets."""
    scores = pd.DataFrame(figures["scores"])
    by_set = scores.groupby(["method", "set"], sort=False)["average precision"].mean().unstack(sort=False)
    means = scores.groupby("method", sort=False)[list(SCORES)].mean()
    lines = [
        [_title(str(method)), *map(cell, by_set.loc[method]), *map(cell, means.loc[method])] for method in means.index
    ]
    return markdown(["average precision by set; means", *map(str, by_set.columns), *SCORES], lines)


def by_noise(figures: Mapping[str, Any]) -> str:
    """The means over sets of three scores, by what was planted; docs/labels.md quotes that of the report sets."""
    scores = pd.DataFrame(figures["scores"])
    means = scores.groupby(["method", "noise"], sort=False)[list(BY_NOISE)].mean()
    told = means.apply(lambda row: " / ".join(map(cell, row)), axis=1).unstack(sort=False)
    rows = [[_title(str(name)), *told.loc[name]] for name in told.index]
    return markdown([" / ".join(BY_NOISE), *map(str, told.columns)], rows)


def leads_over_datalab(figures: Mapping[str, Any]) -> dict[str, Figure]:
    """By noise, the lead in average precision over Datalab on the same shares, with an interval over all sets."""
    scores = pd.concat([pd.DataFrame(figures[use]["scores"]) for use in USES if use in figures])
    by_set = scores.pivot_table(index=["noise", "set"], columns="method", values=SCORES[0], sort=False)
    if PREDICTIONS not in by_set:
        return {}
    leads = by_set[OURS] - by_set[PREDICTIONS]
    return {str(noise): mean_by_t(part.tolist(), least=-1.0) for noise, part in leads.groupby("noise", sort=False)}


def _became(figures: Mapping[str, Any]) -> str:
    became = pd.DataFrame(figures["became"])
    sets = list(dict.fromkeys(became["set"]))
    lines = []
    for truth in TRUTHS:
        of_truth = became[became["truth"] == truth].set_index("set")
        lines.append([truth, *(_three(of_truth.loc[name]) for name in sets)])
    return markdown(["called label error / ambiguous / neither, %", *sets], lines)


def _three(row: "pd.Series[float]") -> str:
    error, ambiguous = float(row["label error"]), float(row["ambiguous"])
    return " / ".join(f"{100 * share:.0f}" for share in (error, ambiguous, 1 - error - ambiguous))


def _title(method: str) -> str:
    return f"**{method}**" if method == OURS else method


if __name__ == "__main__":
    sys.exit(command(WrongLabelsStudy, main))
