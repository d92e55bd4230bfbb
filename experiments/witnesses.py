"""Who is asked beside the first model: its own squeezed look, another network, or both.

    python -m experiments.witnesses [PHOTOS --cache FOLDER [--sets NAME …]]

PHOTOS holds a folder for each of SETS; at most MOST pictures or objects of each are embedded once, into FOLDER, by
EfficientNet-Lite0, 1 and 2, as usual and as the whole picture squeezed to a square and mirrored. R-AUROC of
confusability and of ambiguity for N (the nearest by the first model is of another class), P (a linear probe on a
network that no order has seen is wrong, by several foldings) and Q (the nearest by that network is of another class);
average precision of label doubt where a twentieth of the labels were exchanged, for any class or for the most similar
one by that network (DRAWS draws). Gains with 95 % t intervals over sets. Without PHOTOS the stored figures are printed.

The arms were chosen on the development sets; the others are reported once.
"""

import argparse
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.stats import t as student
from sklearn.datasets import load_digits
from sklearn.metrics import average_precision_score

from experiments.figure_files import read_figures, write_figures
from experiments.spoiling import SPOILINGS
from training.benchmark.labelled import probe_errors
from training.command import markdown
from url_viz.base.rows import l2_normalize
from url_viz.columns.second_model import row_cosines, side_by_side, voters
from url_viz.evidence.order_metrics import auroc
from url_viz.imaging.decode import decode, middle, read_file, resized
from url_viz.imaging.places import cut
from url_viz.imaging.source import Objects
from url_viz.labels.ambiguity import classify
from url_viz.models.model import Model, load_model
from url_viz.pipeline.confusability import Lists, confusability
from url_viz.pipeline.graph import apart_graph, build_graph
from url_viz.pipeline.nearest import Nearest
from url_viz.pipeline.twins import source_groups, twin_groups, twin_representatives
from url_viz.pipeline.whitening import whitened_rows
from url_viz.store.tables.tables import Graph

FIGURES = Path(__file__).with_name("witnesses.json")
DEVELOPMENT = ("grocery", "trash", "scenes", "places")
REPORT = ("caltech101", "flowers102", "cifar10-test")
OTHERS = ("signs", "steel", "digits", "boxes-coco128", "boxes-bccd", "caltech101, spoilt")
SETS = (*DEVELOPMENT, *REPORT, *OTHERS)
GROUPS = {"development": DEVELOPMENT, "report": REPORT, "signs, steel, digits, objects, spoilt": OTHERS}
MOST = 500
MARGIN = 0.1
"""Context around an object's box, as the product cuts it."""
BATCH = 64
SPOILT_SHARE = 1 / 3
PLANTED = {"any class": 0.05, "similar class": 0.05}
DRAWS = 2
LITES = (0, 1, 2)
ARMS = {"nobody": (), "second model": ("second",), "look": ("look",), "look and second model": ("look", "second")}
FIRSTS = {"Lite0": (0, 2, 1), "Lite1": (1, 0, 2), "Lite2": (2, 0, 1)}
"""Networks of a first model, the second one beside it, and the probe's."""
COLUMNS = (
    *(f"{order} {truth}" for order in ("confusability", "ambiguity") for truth in "NPQ"),
    *(f"doubt, {kind}" for kind in PLANTED),
)

Floats = NDArray[np.floating]
Codes = NDArray[np.int32]


def main() -> None:
    """Measure if there are pictures, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="?", type=Path)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--sets", nargs="+", default=SETS, choices=SETS)
    options = parser.parse_args()
    found = read_figures(FIGURES) if FIGURES.exists() else {}
    if options.photos is not None:
        if options.cache is None:
            parser.error("--cache is missing: the folder that embeddings are kept in.")
        for name in options.sets:
            found[name] = measure(name, *embedded(name, options.photos, options.cache))
            write_figures(found, FIGURES, digits=4)
            print(name, flush=True)
    print("\n\n".join(table(found, first, title, names) for first in FIRSTS for title, names in GROUPS.items()))


def embedded(name: str, photos: Path, folder: Path) -> tuple[dict[str, Floats], Codes, Codes | None]:
    """Embeddings (N, D) by network and look, labels (N,), and the source (N,) that pictures share, if some do."""
    file = folder / f"{name}.npz"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        labels: list[str] = []
        sources: list[str] = []
        parts: dict[str, list[Floats]] = {}
        for pictures in _batches(_pictures(name, photos)):
            images, names, origins = zip(*pictures, strict=True)
            labels += names
            sources += origins
            for number, squeezed in [(number, squeezed) for number in LITES for squeezed in (False, True)]:
                model = _model(number).squeezed if squeezed else _model(number)
                crops = np.stack([_crop(image, model) for image in images])
                rows = model.as_stored(model.run(crops).embedding)
                parts.setdefault(f"{number}{' look' * squeezed}", []).append(rows)
        codes = [np.unique(values, return_inverse=True)[1] for values in (labels, sources)]
        stacked = {key: np.concatenate(rows) for key, rows in parts.items()}
        np.savez(file, label=codes[0], source=codes[1], **stacked)  # type: ignore[arg-type]
    stored = np.load(file)
    label, source = (stored[key].astype(np.int32) for key in ("label", "source"))
    raw = {key: stored[key].astype(np.float32) for key in stored if key not in ("label", "source")}
    return raw, label, source if name in ("signs", "boxes-coco128", "boxes-bccd") else None


@cache
def _model(number: int) -> Model:
    return load_model(f"tf_efficientnet_lite{number}")


def _crop(image: Image.Image, model: Model) -> NDArray[np.uint8]:
    sheet = model.space.preprocessing
    return middle(resized(image, sheet), sheet.size_px)


def _batches(pictures: Iterator[tuple[Image.Image, str, str]]) -> Iterator[list[tuple[Image.Image, str, str]]]:
    batch = []
    for picture in pictures:
        batch.append(picture)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _pictures(name: str, photos: Path) -> Iterator[tuple[Image.Image, str, str]]:
    """Pictures or objects of a set with their class and source, whole classes or as many of each, by a seed."""
    rng = np.random.default_rng(0)
    if name == "digits":
        digits = load_digits()
        for row in _drawn(digits.target.astype(str), rng):
            grey = Image.fromarray((digits.images[row] * 15.9).astype(np.uint8))
            yield grey.resize((64, 64), Image.Resampling.BICUBIC).convert("RGB"), str(digits.target[row]), str(row)
    elif name.startswith("boxes-"):
        source = Objects(photos / name / "data.yaml" if name == "boxes-coco128" else photos / name, margin=MARGIN)
        facts = list(source.facts.values())
        for row in _drawn(np.array([str(one.label) for _, one, _ in facts]), rng):
            picture, one, place = facts[row]
            image = decode(read_file(bytes(source.base) + b"/" + place.picture))[0]
            yield cut(image, place.box, place.margin), str(one.label), str(picture.path)
    else:
        files = sorted(path for path in (photos / name.partition(",")[0]).rglob("*") if path.is_file())
        for row in _drawn(np.array([path.parent.name for path in files]), rng):
            image, path = decode(read_file(bytes(files[row])))[0], files[row]
            if name.endswith("spoilt") and rng.random() < SPOILT_SHARE:
                one = list(SPOILINGS.values())[rng.integers(len(SPOILINGS))]
                image = one.made(image, float(rng.choice(one.strengths)), rng)
            yield image, path.parent.name, f"{path.parent.name}/{path.stem.split('_')[0]}"


def _drawn(label: NDArray[np.str_], rng: np.random.Generator) -> NDArray[np.int64]:
    """Rows (at most about MOST): whole classes where they are small, else as many of each class."""
    classes, code, size = np.unique(label, return_inverse=True, return_counts=True)
    if len(label) <= MOST:
        return np.arange(len(label))
    if len(label) / len(classes) <= 30:
        chosen = rng.permutation(len(classes))
        chosen = chosen[: int((size[chosen].cumsum() <= MOST).sum())]
        return np.flatnonzero(np.isin(code, chosen))
    most = MOST // len(classes)
    return np.sort(np.concatenate([rng.permutation(np.flatnonzero(code == one))[:most] for one in range(len(classes))]))


class Space:
    """What one network knows by one look: whitened rows, and the graph of what is near."""

    def __init__(self, raw: Floats, source: Codes | None) -> None:
        whitened = whitened_rows(np.arange(len(raw)), raw)
        self.rows = whitened.rows
        graph = build_graph(whitened, raw)
        self.graph: Graph = graph if source is None else apart_graph(graph, self.rows, source)
        self.group = twin_groups(graph.twins) if source is None else source_groups(graph.twins, source)
        self.representative = twin_representatives(graph.twins)

    def lists(self, nearest: NDArray[np.integer]) -> Lists:
        return Lists(self.graph.position, self.graph.similarity, row_cosines(self.rows, self.rows, nearest))


def measure(name: str, raw: dict[str, Floats], label: Codes, source: Codes | None) -> dict[str, Any]:
    """Every figure of COLUMNS, by first network and arm."""
    spaces = {key: Space(rows, source) for key, rows in raw.items()}
    found: dict[str, Any] = {"pictures": len(label), "classes": int(label.max()) + 1}
    for first, (number, second, probe) in FIRSTS.items():
        base, judge = spaces[str(number)], spaces[str(probe)]
        beside = {"look": spaces[f"{number} look"], "second": spaces[str(second)]}
        is_wrong = {
            "N": label[base.graph.position[:, 0]] != label,
            "P": probe_errors(judge.rows, label, base.group),
            "Q": label[judge.graph.position[:, 0]] != label,
        }
        planted = {
            kind: [
                _planted(label, raw[str(probe)], kind, share, draw) for draw in range(DRAWS if first == "Lite0" else 0)
            ]
            for kind, share in PLANTED.items()
        }
        for arm, who in ARMS.items():
            others = [beside[each] for each in who]
            found[f"{first}, {arm}"] = _figures(base, others, label, is_wrong, planted)
    return found


def _figures(
    base: Space, others: list[Space], label: Codes, is_wrong: dict[str, Any], planted: dict[str, list[Codes]]
) -> dict[str, float]:
    graph = base.graph
    lists = [each.lists(graph.position[:, 0]) for each in others]
    confusable = confusability(graph.position, graph.similarity, others=lists, representative=base.representative)[0]
    orders = {"confusability": confusable}
    also = [voters(each.graph, base.group) for each in others]
    judged = _classify(base, others, also, label)
    if judged is not None:
        orders["ambiguity"] = judged.shares.ambiguity
    found = {
        f"{order} {truth}": auroc(value, wrong) if 0 < wrong.sum() < len(wrong) else float("nan")
        for order, value in orders.items()
        for truth, wrong in is_wrong.items()
    }
    for kind, draws in planted.items():
        found[f"doubt, {kind}"] = float(
            np.mean([_precision(base, others, also, one, label) for one in draws or [label]])
        )
    return found


def _classify(base: Space, others: list[Space], also: list[Nearest], label: Codes) -> Any:
    rows = side_by_side(base.rows, *(each.rows for each in others))
    return classify(base.graph.position, base.graph.similarity, rows, label, base.group, also=also)


def _precision(base: Space, others: list[Space], also: list[Nearest], given: Codes, label: Codes) -> float:
    """Average precision of label doubt for what was exchanged; nan where nothing was."""
    judged = _classify(base, others, also, given)
    if judged is None or (given == label).all():
        return float("nan")
    doubt = judged.evidence.doubt
    is_known = np.isfinite(doubt)
    return float(average_precision_score((given != label)[is_known], doubt[is_known]))


def _planted(label: Codes, probe: Floats, kind: str, share: float, draw: int) -> Codes:
    rng, given, classes = np.random.default_rng(1000 + draw), label.copy(), int(label.max()) + 1
    rows = rng.permutation(len(label))[: int(share * len(label))]
    if kind == "any class":
        given[rows] = (label[rows] + rng.integers(1, classes, len(rows))) % classes
    else:
        unit = l2_normalize(probe)
        means = l2_normalize(np.stack([unit[label == one].mean(axis=0) for one in range(classes)]))
        alike = means @ means.T
        np.fill_diagonal(alike, -1)
        given[rows] = alike.argmax(axis=1)[label[rows]]
    return given


def table(found: dict[str, dict[str, Any]], first: str, title: str, names: tuple[str, ...]) -> str:
    """Means over the sets of each arm, and gains over the second model alone with their intervals."""
    there = [name for name in names if name in found]
    columns = [column for column in COLUMNS if first == "Lite0" or not column.startswith("doubt")]

    def values(arm: str, column: str) -> Floats:
        return np.array([_number(found[name][f"{first}, {arm}"].get(column)) for name in there])

    def cell(arm: str, column: str) -> str:
        own, base = values(arm, column), values("second model", column)
        gains = (own - base)[np.isfinite(own - base)]
        mean = _short(f"{np.nanmean(own):.3f}") if np.isfinite(own).any() else ""
        if arm == "second model" or len(gains) < 2:
            return mean
        half = student.ppf(0.975, len(gains) - 1) * gains.std(ddof=1) / np.sqrt(len(gains))
        return f"{mean} ({_short(f'{gains.mean():+.3f}')} ± {_short(f'{half:.3f}')})"

    rows = [[arm, *(cell(arm, column) for column in columns)] for arm in ARMS] if there else []
    return f"{first} first, {title} ({', '.join(there)}):\n\n{markdown(['asked beside it', *columns], rows)}"


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _short(text: str) -> str:
    return text.replace("0.", ".", 1)


if __name__ == "__main__":
    main()
