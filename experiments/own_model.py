"""What a user's own model adds to the check of labels: `python -m experiments.own_model --data FOLDER --report FOLDER`.

Each FOLDER holds class folders. A share of the labels is changed, by dice or to the most similar class. A small
network on the embeddings of another backbone stands in for a user's own model: it is trained on the labels as they are
then, for 20 epochs, on all pictures (in-sample logits of every epoch) and in five folds of twin groups (held-out logits
of the last one). Compared by average precision of the planted errors: URL-Viz alone, the mean margin alone (AUM),
cleanlab's self-confidence of the held-out probabilities, and URL-Viz with these as a third witness, whose weight is
chosen on the sets given as --data. Intervals: 95 % over draws of sets and seeds. Figures: own_model.json.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import torch
from cleanlab.rank import get_label_quality_scores
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.metrics import average_precision_score
from typing_extensions import Doc

from experiments.wrong_labels import most_similar_class, other_class
from training.command import command, markdown
from url_viz.base.wording import decimal, percent, with_interval
from url_viz.imaging.decode import decode, middle, resized
from url_viz.imaging.scan import scan
from url_viz.labels.ambiguity import DOUBT_TEMPERATURE, classify
from url_viz.models.model import load_model
from url_viz.models.model_names import DEFAULT
from url_viz.pipeline.graph import build_graph
from url_viz.pipeline.twins import twin_groups
from url_viz.pipeline.whitening import whitened_rows
from url_viz.runs.run_on_set import Epoch, dynamics

OTHER = "tf_efficientnet_lite2"
"""The backbone of the user's own model."""
SHARES = (0.03, 0.06, 0.2)
KINDS = ("any class", "similar class")
EPOCHS, FOLDS, HIDDEN, BATCH, RATE = 20, 5, 256, 64, 0.03
WEIGHTS = (0.1, 0.25, 0.5, 1.0)
"""Of the logarithm of the third witness's share; that of the ridge classifier's is 1."""
FIGURES = Path(__file__).with_suffix(".json")
OURS, AUM, CLEANLAB = "URL-Viz alone", "mean margin alone", "cleanlab, held-out"

Floats = NDArray[np.float32]
Codes = NDArray[np.int32]


@dataclass(frozen=True)
class TwiceEmbedded:
    """A labelled set: `ours`, `theirs` (N, D) embeddings by two backbones, `label` (N,)."""

    name: str
    ours: Floats
    theirs: Floats
    label: Codes


@dataclass(frozen=True)
class OwnModelStudy:
    """Plant wrong labels, train a small network on them, and see who finds them."""

    data: Annotated[tuple[Path, ...], Doc("Sets that choose the weight; give it again.")] = ()
    report: Annotated[tuple[Path, ...], Doc("Sets that choose nothing; give it again.")] = ()
    seeds: Annotated[int, Doc("Draws of each noise.")] = 2
    json: Annotated[Path, Doc("The figures.")] = FIGURES


def main(study: OwnModelStudy) -> None:
    """Measure, choose the weight on the first sets, write the figures and print the table."""
    torch.set_num_threads(1)
    rows = pd.concat([_of_set(_read(folder), "development", study.seeds) for folder in study.data])
    at_six = rows[(rows["share"] == 0.06) & (rows["kind"] == KINDS[1])].groupby("method")["ap"].mean()
    weight = max(WEIGHTS, key=lambda weight: at_six[_with(weight)])
    rows = pd.concat([rows, *(_of_set(_read(folder), "report", study.seeds) for folder in study.report)])
    shown = rows[rows["method"].isin([OURS, AUM, CLEANLAB, _with(weight)])]
    figures = {"weight": weight, "scores": _scores(shown), "gains": _gains(rows, weight)}
    study.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print(table(figures))


def table(figures: Mapping[str, Any]) -> str:
    """What docs/own_data.md quotes: what the report sets say."""
    scores = {
        tuple(one[name] for name in ("kind", "share", "method")): one["ap"] for one in _reported(figures, "scores")
    }
    names = {OURS: OURS, AUM: AUM, CLEANLAB: CLEANLAB, _with(figures["weight"]): "with the model"}
    rows = [
        [one["kind"], percent(one["share"])]
        + [decimal(scores[one["kind"], one["share"], method]) for method in names]
        + [with_interval(one["gain"], one["low"], one["high"], digits=3, signed=True)]
        for one in _reported(figures, "gains")
    ]
    return markdown(["planted", "share", *names.values(), "the model adds"], rows)


def _reported(figures: Mapping[str, Any], part: str) -> list[dict[str, Any]]:
    return [one for one in figures[part] if one["use"] == "report"]


def _with(weight: float) -> str:
    return f"URL-Viz with the model, weight {weight:g}"


def _read(folder: Path) -> TwiceEmbedded:
    found = scan(folder).files
    label = np.unique([file.path.split(b"/")[0] for file in found], return_inverse=True)[1].astype(np.int32)
    embedded = []
    for name in (DEFAULT, OTHER):
        model = load_model(name, device="cpu")
        sheet, parts = model.space.preprocessing, []
        for start in range(0, len(found), BATCH):
            files = [(folder / file.path.decode()).read_bytes() for file in found[start : start + BATCH]]
            images = [decode(data, short_side_px=sheet.resize_px)[0] for data in files]
            pixels = np.stack([middle(resized(image, sheet), sheet.size_px) for image in images])
            parts.append(model.run(pixels).embedding.astype(np.float16).astype(np.float32))
        embedded.append(np.concatenate(parts))
    return TwiceEmbedded(folder.name, embedded[0], embedded[1], label)


def _of_set(pictures: TwiceEmbedded, use: str, seeds: int) -> pd.DataFrame:
    space = whitened_rows(np.arange(len(pictures.ours)), pictures.ours)
    whitened, graph = space.rows, build_graph(space, pictures.ours)
    group = twin_groups(graph.twins)
    rows = []
    for kind in KINDS:
        for share in SHARES:
            for seed in range(seeds):
                label, is_error = _planted(pictures, kind, share, seed)
                found = classify(graph.position, graph.similarity, whitened, label, group)
                assert found is not None
                scores = _scores_of(pictures.theirs, label, group, np.nan_to_num(found.evidence.doubt), seed)
                rows += [
                    {"use": use, "set": pictures.name, "kind": kind, "share": share, "seed": seed, "method": name}
                    | {"ap": average_precision_score(is_error, score)}
                    for name, score in scores.items()
                ]
    return pd.DataFrame(rows)


def _planted(pictures: TwiceEmbedded, kind: str, share: float, seed: int) -> tuple[Codes, NDArray[np.bool_]]:
    rng, count = np.random.default_rng(seed), len(pictures.label)
    chosen, label = rng.permutation(count)[: int(share * count)], pictures.label.copy()
    if kind == KINDS[0]:
        label[chosen] = other_class(label[chosen], int(label.max()) + 1, rng)
    else:
        label[chosen] = most_similar_class(pictures.ours, pictures.label)[label[chosen]]
    return label, np.isin(np.arange(count), chosen)


def _scores_of(
    embedding: Floats, label: Codes, group: NDArray[np.integer], doubt: NDArray[np.floating], seed: int
) -> Mapping[str, NDArray[np.floating]]:
    every, classes = np.arange(len(label)), int(label.max()) + 1
    epochs: list[Epoch] = []
    _train(embedding, label, every, seed, lambda logits: epochs.append((every, logits, label)))
    fold = np.random.default_rng(seed).permutation(int(group.max()) + 1)[group] % FOLDS
    held_out = np.zeros((len(label), classes))
    for number in range(FOLDS):
        last: list[Floats] = []
        _train(embedding, label, np.flatnonzero(fold != number), seed, last.append)
        held_out[fold == number] = softmax(last[-1][fold == number], axis=1)
    prior = np.bincount(label, minlength=classes) / len(label)
    likelier = np.log(np.maximum(held_out, 1e-12)) - np.log(np.maximum(prior, 1e-12))
    own = (likelier - np.logaddexp.reduce(likelier, axis=1)[:, None])[every, label]
    ours = np.log1p(-np.minimum(doubt, 1 - 1e-12)) / DOUBT_TEMPERATURE  # the log of the label's share of both witnesses
    return {
        OURS: doubt,
        AUM: -dynamics(epochs, len(label))["mean_margin"].to_numpy(),
        CLEANLAB: -get_label_quality_scores(label, held_out, method="self_confidence"),
        **{_with(weight): -(ours + weight * own) for weight in WEIGHTS},
    }


def _train(
    embedding: Floats, label: Codes, rows: NDArray[np.int64], seed: int, say: Callable[[Floats], object]
) -> None:
    """Train a network with one hidden layer on some rows, and `say` the logits (N, C) of all after every epoch."""
    torch.manual_seed(seed)
    inputs = torch.from_numpy((embedding - embedding.mean(axis=0)) / (embedding.std(axis=0) + 1e-6))
    labels, order = torch.from_numpy(label).long(), torch.from_numpy(rows)
    network = torch.nn.Sequential(
        torch.nn.Linear(inputs.shape[1], HIDDEN),
        torch.nn.ReLU(),
        torch.nn.Dropout(0.3),
        torch.nn.Linear(HIDDEN, int(label.max()) + 1),
    )
    optimizer = torch.optim.SGD(network.parameters(), lr=RATE, momentum=0.9, weight_decay=1e-4)
    for _ in range(EPOCHS):
        network.train()
        for batch in torch.split(order[torch.randperm(len(order))], BATCH):
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(network(inputs[batch]), labels[batch])
            torch.autograd.backward(loss)
            optimizer.step()
        network.eval()
        with torch.no_grad():
            say(network(inputs).numpy())


def _scores(rows: pd.DataFrame) -> list[dict[str, object]]:
    means = rows.groupby(["use", "kind", "share", "method"], sort=False)["ap"].mean().round(3).reset_index()
    return [{str(name): value for name, value in row.items()} for row in means.to_dict("records")]


def _gains(rows: pd.DataFrame, weight: float) -> list[dict[str, object]]:
    """What the third witness gains, with intervals over draws of sets and seeds."""
    wide = rows.pivot_table(index=["use", "kind", "share", "set", "seed"], columns="method", values="ap")
    gain = (wide[_with(weight)] - wide[OURS]).rename("gain")
    return [_gain(key, values.to_numpy()) for key, values in gain.groupby(["use", "kind", "share"], sort=False)]


def _gain(key: Sequence[object], values: NDArray[np.float64]) -> dict[str, object]:
    drawn = np.random.default_rng(0).choice(values, (2000, len(values))).mean(axis=1)
    low, high = np.quantile(drawn, (0.025, 0.975)).round(3)
    return dict(zip(("use", "kind", "share"), key, strict=True)) | {
        "gain": round(float(values.mean()), 3),
        "low": float(low),
        "high": float(high),
    }


if __name__ == "__main__":
    command(OwnModelStudy, main)
