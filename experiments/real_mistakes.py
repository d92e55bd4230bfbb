"""Real label mistakes that people found: `python -m experiments.real_mistakes --cifar FOLDER --imagenet FOLDER …`.

CIFAR-10's test labels are held against the votes of CIFAR-10H (Peterson et al. 2019): mistaken where the majority names
another class, doubtful where the label has less than half of the votes. ImageNet validation labels are held against
those of ReaL (Beyer et al. 2020): mistaken where these name other classes only. URL-Viz's label doubt, by one model and
by two, stands beside two of cleanlab's scores on an out-of-fold logistic regression over the same numbers. Nothing was
chosen by these figures. They go to real_mistakes.json; `--table` prints the table that docs/labels.md quotes.

`--arrays` is a folder for the embeddings of each set and model, which are made if they are not there.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score
from typing_extensions import Doc

from experiments.figure_files import read_figures, write_figures
from training.command import cell, command, markdown
from url_viz.base.errors import FolderError
from url_viz.columns.second_model import side_by_side
from url_viz.evidence.probe import out_of_fold_shares
from url_viz.imaging.decode import decode, middle, resized
from url_viz.imaging.scan import scan
from url_viz.labels.ambiguity import classify
from url_viz.labels.doubtful_labels import forecast, wrong_share
from url_viz.models.model import load_model
from url_viz.pipeline.graph import build_graph
from url_viz.pipeline.nearest import NONE, Nearest
from url_viz.pipeline.twins import twin_groups
from url_viz.pipeline.whitening import whitened_rows

FIGURES = Path(__file__).with_suffix(".json")
MODELS = ("tf_efficientnet_lite0", "tf_efficientnet_lite2")
TITLES = {1: "Lite0", 2: "Lite0 and Lite2"}
CIFAR, IMAGENET = "CIFAR-10 test", "ImageNet validation, 20 classes"
OURS, SCORES = "**URL-Viz**, label doubt", {"self_confidence": "self-confidence", "normalized_margin": "margin"}
FIRST = {CIFAR: (100, 500), IMAGENET: (50, 100)}
AT_ONCE = 64

Bools = NDArray[np.bool_]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class MistakesStudy:
    """Find labels that people say are mistaken."""

    cifar: Annotated[Path | None, Doc("Class folders of CIFAR-10's test pictures.")] = None
    imagenet: Annotated[Path | None, Doc("Class folders (WordNet ids) of ImageNet validation pictures.")] = None
    votes: Annotated[Path, Doc("A folder with cifar10h-counts.npy, cifar10h-order.txt and the ReaL labels.")] = Path()
    arrays: Annotated[Path, Doc("Where embeddings are kept.")] = Path("build/real_mistakes")
    json: Annotated[Path, Doc("The figures.")] = FIGURES
    table: Annotated[bool, Doc("Only print the table of the figures that are there.")] = False


@dataclass(frozen=True)
class Labelled:
    """N pictures of a set: `paths`, `label` (N,) codes of the folders in their order, an embedding (N, D) by model."""

    paths: tuple[str, ...]
    label: NDArray[np.int32]
    embeddings: tuple[Floats, ...]


def main(study: MistakesStudy) -> None:
    """Measure, write the figures, and print the table; or print it again."""
    if not study.table:
        if study.cifar is None or study.imagenet is None:
            raise FolderError("Two sets are needed. Give --cifar FOLDER and --imagenet FOLDER, or --table.")
        cifar, imagenet = (read(folder, study.arrays) for folder in (study.cifar, study.imagenet))
        figures = {
            CIFAR: list(rows_of(CIFAR, cifar, majority_differs(cifar, study.votes))),
            IMAGENET: list(rows_of(IMAGENET, imagenet, real_differs(imagenet, study.votes))),
        }
        write_figures(figures, study.json, digits=4)
    print(table(read_figures(study.json)))


def read(folder: Path, arrays: Path) -> Labelled:
    """The pictures of class folders with their embeddings by every model, which are made where they are missing."""
    paths = tuple(file.path.decode() for file in scan(folder).files)
    label = np.unique([path.split("/")[0] for path in paths], return_inverse=True)[1].astype(np.int32)
    return Labelled(paths, label, tuple(_embedding(folder, paths, name, arrays) for name in MODELS))


def _embedding(folder: Path, paths: Sequence[str], name: str, arrays: Path) -> Floats:
    kept = arrays / f"{folder.name}-{name}.npy"
    if kept.exists():
        found: Floats = np.load(kept)
        return found
    model = load_model(name, precision="exact")
    sheet, parts = model.space.preprocessing, []
    for start in range(0, len(paths), AT_ONCE):
        images = (
            decode((folder / path).read_bytes(), short_side_px=sheet.resize_px)[0]
            for path in paths[start : start + AT_ONCE]
        )
        parts.append(model.run(np.stack([middle(resized(image, sheet), sheet.size_px) for image in images])).embedding)
    arrays.mkdir(parents=True, exist_ok=True)
    np.save(kept, np.concatenate(parts))
    return np.concatenate(parts)


def majority_differs(pictures: Labelled, votes: Path) -> dict[str, Bools]:
    """Where most people name another class (N,), and where fewer than half name the label's."""
    order = (votes / "cifar10h-order.txt").read_text("utf-8").split()
    place = {path: row for row, path in enumerate(order)}
    counts = np.load(votes / "cifar10h-counts.npy")[[place[path] for path in pictures.paths]]
    own = counts[np.arange(len(counts)), pictures.label]
    return {"majority": counts.argmax(axis=1) != pictures.label, "below half": own < counts.sum(axis=1) / 2}


def real_differs(pictures: Labelled, votes: Path) -> dict[str, Bools]:
    """Where ReaL names classes (N,), and the label's is not among them."""
    said = json.loads((votes / "imagenet-val-1000-votes.json").read_text("utf-8"))
    real = [said[Path(path).stem]["real_labels"] for path in pictures.paths]
    index = [
        _commonest([one for row in np.flatnonzero(pictures.label == code) for one in real[row]])
        for code in range(int(pictures.label.max()) + 1)
    ]
    return {
        "ReaL": np.array(
            [bool(each) and index[code] not in each for each, code in zip(real, pictures.label, strict=True)]
        )
    }


def _commonest(values: Sequence[int]) -> int:
    """The index of a class in ImageNet: what most of its pictures are called."""
    found, count = np.unique(values, return_counts=True)
    return int(found[count.argmax()])


def rows_of(name: str, pictures: Labelled, mistaken: Mapping[str, Bools]) -> Iterator[dict[str, Any]]:
    """The figures of each order by one model and by two, for each thing that counts as a mistake."""
    from cleanlab.rank import get_label_quality_scores

    spaces = [whitened_rows(np.arange(len(each)), each) for each in pictures.embeddings]
    whitened = [space.rows for space in spaces]
    graphs = [build_graph(*each) for each in zip(spaces, pictures.embeddings, strict=True)]
    group = twin_groups(graphs[0].twins)
    for models in TITLES:
        rows = side_by_side(*whitened) if models == 2 else whitened[0]
        second = graphs[1]
        is_twin = (second.position >= 0) & (group[second.position] == group[:, None])
        also = [Nearest(np.where(is_twin, np.int32(NONE), second.position), second.similarity)]
        also = also[: models - 1]
        found = classify(graphs[0].position, graphs[0].similarity, rows, pictures.label, group, also=also)
        assert found is not None
        doubt = np.nan_to_num(found.evidence.doubt).astype(np.float64)
        order = np.argsort(-doubt, kind="stable")
        wrong = np.nan_to_num(found.evidence.label_wrong).astype(np.float64)
        unsure = 1 - float(np.maximum(found.evidence.own_share, found.evidence.other_share).mean())
        most, ahead = wrong_share(wrong, unsure=unsure).high, forecast(wrong[order])
        told, end = ahead.among(slice(0, ahead.end)), ahead.end
        shares = out_of_fold_shares(rows, pictures.label, group, seed=0)
        scores = {OURS: doubt}
        for method, title in SCORES.items():
            scores[f"cleanlab, {title}"] = -get_label_quality_scores(pictures.label, shares, method=method)
        for title, score in scores.items():
            ranked = np.argsort(-score, kind="stable")
            for kind, is_mistaken in mistaken.items():
                yield {
                    "models": models,
                    "order": title,
                    "kind": kind,
                    "mistaken": int(is_mistaken.sum()),
                    "first": [int(is_mistaken[ranked[:first]].sum()) for first in FIRST[name]],
                    "auroc": float(roc_auc_score(is_mistaken, score)),
                    "average precision": float(average_precision_score(is_mistaken, score)),
                    **(
                        {
                            "queue": [end, told.value, told.low, told.high, int(is_mistaken[order[:end]].sum())],
                            "up to": int(np.ceil(most * len(wrong))),
                        }
                        if title == OURS
                        else {}
                    ),
                }


def table(figures: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Of each set and kind of mistake, what is found by each order."""
    lines = []
    for name, rows in figures.items():
        for row in rows:
            first = ", ".join(f"{found} of {most}" for found, most in zip(row["first"], FIRST[name], strict=True))
            queue = row.get("queue")
            told = "" if queue is None else f"{queue[0]}; {queue[1]:.0f} [{queue[2]:.0f}, {queue[3]:.0f}]; {queue[4]}"
            lines.append(
                [
                    name,
                    f"{row['kind']}, {row['mistaken']}",
                    TITLES[row["models"]],
                    row["order"],
                    first,
                    cell(row["auroc"]),
                    cell(row["average precision"]),
                    told,
                ]
            )
    header = [
        "set",
        "mistaken",
        "models",
        "order",
        "among the first",
        "AUROC",
        "average precision",
        "queue; told wrong; mistaken",
    ]
    return markdown(header, lines)


if __name__ == "__main__":
    sys.exit(command(MistakesStudy, main))
