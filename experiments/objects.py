"""Context around boxes, pictures kept apart, planted wrong classes: `python -m experiments.objects --photos PHOTOS`.

PHOTOS holds `boxes-coco128` (a data.yaml) and `boxes-bccd` (VOC). Every object is embedded with no context, a tenth and
a quarter of its size on each side, and at a tenth with all outside the ellipse in its box filled with the crop's mean
colour, as a mask would (neither set has masks). Pictures are halved by dice: one half chooses the context, the other
reports it, each with neighbours and classifiers of its own. All else is of whole sets at the context that is the
default, which chose nothing more. Outcome N: the nearest in another picture is of another class.

Wrong classes are planted in 5 % of the objects, in ten draws: the class of another object by dice ("by frequency");
each other class alike ("any class"), mostly rare ones; the class that its class is taken for most often ("similar
class"), mostly a frequent one; or one by dice for all objects of a class in a picture ("whole picture"). Of equal
scores each order counts as one at random. Intervals are over pictures, 95 %.

`pip install cleanlab` adds ObjectLab and self-confidence (neither is a dependency). Both get the shares of a logistic
regression in five folds of whole pictures, ObjectLab as a detector's predictions at the true boxes: its own need is a
detector, so this is the best that embeddings can do for it. The figures go to objects.json; without PHOTOS the tables
of docs/objects.md and docs/order.md are printed from it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageStat
from typing_extensions import Doc

from experiments.figure_files import read_figures, write_figures
from training.command import command
from training.embedding_space import space_of
from training.markdown_tables import markdown
from url_viz.analysis.evidence.order_metrics import (
    Figure,
    Influenced,
    Interval,
    auroc_influence,
    share_by_blocks,
)
from url_viz.analysis.evidence.probe import out_of_fold_shares
from url_viz.analysis.labels.ambiguity import Classified, classify
from url_viz.analysis.labels.label_issues import CONFLICTING, judge
from url_viz.analysis.labels.votes import Codes
from url_viz.imaging.decode import decode, read_file
from url_viz.imaging.object_source import Objects
from url_viz.imaging.places import Box, Place, cut
from url_viz.imaging.preprocess import middle, resized
from url_viz.models.model import Model, load_model
from url_viz.models.model_names import DEFAULT
from url_viz.pipeline.graph import apart_graph
from url_viz.pipeline.twins import source_groups
from url_viz.store.tables.tables import Graph
from url_viz.wording import percent, with_interval

FIGURES = Path(__file__).with_suffix(".json")
ARRAYS = Path("build/objects")
SETS = {"COCO128": "boxes-coco128/data.yaml", "BCCD": "boxes-bccd"}
WAYS: Mapping[str, tuple[float, bool]] = {
    "0 %": (0, False),
    "10 %": (0.1, False),
    "25 %": (0.25, False),
    "10 %, ellipse": (0.1, True),
}
USUAL = "10 %"
PLANTED, DRAWS, RESAMPLES = 0.05, 10, 1000
FIRST = (0.05, 0.1)
FEW_CLASSES = 3
ALIKE, ANY, SIMILAR, WHOLE = NOISES = ("by frequency", "any class", "similar class", "whole picture")
OURS = "URL-Viz"
CONFIDENCE, OBJECTLAB, OBJECTLAB_50 = "self-confidence", "ObjectLab", "ObjectLab, from .5 on"

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class ObjectsStudy:
    """Measure what context does to objects, and how soon wrong classes are seen; or print what was measured."""

    photos: Annotated[Path | None, Doc("Folder of the sets; without it the stored figures are printed.")] = None
    arrays: Annotated[Path, Doc("Where embeddings are stored, and read from if they are there.")] = ARRAYS


@dataclass(frozen=True)
class ObjectSet:
    """N objects: `embedding` (N, D), `label` and `picture` (N,) codes, `box` (N, 4)."""

    embedding: Floats
    label: Codes
    picture: Codes
    box: Doubles

    def taken(self, rows: NDArray[np.int64]) -> "ObjectSet":
        """Some of them, with codes without gaps."""
        label, picture = (np.unique(codes[rows], return_inverse=True)[1] for codes in (self.label, self.picture))
        return ObjectSet(self.embedding[rows], label.astype(np.int32), picture.astype(np.int32), self.box[rows])

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return int(self.label.max()) + 1

    def witnesses(self, *, is_apart: bool = True) -> "Witnesses":
        """Neighbours and classifier, with or without objects of the same picture."""
        space = space_of(self.embedding)
        whitened = space.whitened.rows.astype(np.float32)
        graph = apart_graph(space.graph, whitened, self.picture) if is_apart else space.graph
        return Witnesses(self, graph, whitened, source_groups(graph.twins, self.picture if is_apart else None))


@dataclass(frozen=True)
class Witnesses:
    """What judges labels: `graph`, `whitened` rows (N, A) and source groups (N,) of a set."""

    of: ObjectSet
    graph: Graph
    whitened: Floats
    group: Codes

    def classified(self, label: Codes) -> Classified:
        """What votes and ridge classifier say of labels (N,)."""
        found = classify(self.graph.position, self.graph.similarity, self.whitened, label, self.group)
        assert found is not None
        return found

    @cached_property
    def is_wrong(self) -> Bools:
        """N: the nearest is of another class (N,)."""
        wrong: Bools = self.of.label[self.graph.position[:, 0]] != self.of.label
        return wrong

    def ambiguity(self, is_wrong: Bools) -> Influenced:
        """R-AUROC of ambiguity for an outcome (N,)."""
        return auroc_influence(self.classified(self.of.label).shares.ambiguity.astype(np.float64), is_wrong)

    def queue(self, label: Codes) -> Doubles:
        """How early each label (N,) comes in the queue, higher = earlier: conflicting copies, then by doubt."""
        evidence = self.classified(label).evidence
        judged = judge(np.arange(len(label)), label, graph=self.graph, voter=label, evidence=evidence)
        order: Doubles = np.where(judged.kind == CONFLICTING, 1.0, 0.0) + judged.score
        return order

    def shares(self, label: Codes) -> Doubles:
        """Class shares (N, C) of a logistic regression in folds of whole pictures."""
        return out_of_fold_shares(self.whitened, label, self.group, seed=0)


def main(study: ObjectsStudy) -> None:
    """Measure, or print what was measured."""
    if study.photos is not None:
        write_figures({name: figures_of(study, name) for name in SETS}, FIGURES, digits=5)
    print(tables(read_figures(FIGURES)))


def figures_of(study: ObjectsStudy, name: str) -> dict[str, Any]:
    """All figures of one set."""
    ways = {way: read(study, name, way) for way in WAYS}
    half = np.random.default_rng(0).permutation(int(ways[USUAL].picture.max()) + 1)[ways[USUAL].picture] % 2
    halves = {use: np.flatnonzero(half == part) for part, use in enumerate(("chooses", "reports"))}
    whole = ways[USUAL].witnesses()
    return {
        "objects": [len(whole.of.label), int(whole.of.picture.max()) + 1, whole.of.classes],
        "context": {use: context({way: of.taken(rows) for way, of in ways.items()}) for use, rows in halves.items()},
        "apart": apart(ways[USUAL], whole),
        "planted": {noise: planted(whole, noise) for noise in NOISES},
    }


def read(study: ObjectsStudy, name: str, way: str) -> ObjectSet:
    """The objects of a set, embedded in one of WAYS, or as they were stored."""
    assert study.photos is not None
    source, path = Objects(study.photos / SETS[name], margin=WAYS[way][0]), study.arrays / f"{name} {way}.npy"
    facts = list(source.facts.values())
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, embedded(source, [place for _, _, place in facts], load_model(DEFAULT), is_masked=WAYS[way][1]))
    label, picture = (
        np.unique(values, return_inverse=True)[1].astype(np.int32)
        for values in ([one.label for _, one, _ in facts], [str(picture.path) for picture, _, _ in facts])
    )
    return ObjectSet(np.load(path), label, picture, np.array([place.box for _, _, place in facts]))


def embedded(source: Objects, places: Sequence[Place], model: Model, *, is_masked: bool) -> Floats:
    """The embeddings (N, D) of places, those of one picture after each other."""
    sheet, crops = model.space.preprocessing, []
    for path, group in groupby(places, key=lambda place: place.picture):
        image = decode(read_file(bytes(source.base) + b"/" + path))[0]
        for place in group:
            crop = masked(image, place.box, place.margin) if is_masked else cut(image, place.box, place.margin)
            crops.append(middle(resized(crop, sheet), sheet.size_px))
    parts = [np.stack(crops[start : start + 64]) for start in range(0, len(crops), 64)]
    found: Floats = np.concatenate([model.run(part).embedding for part in parts]).astype(np.float16).astype(np.float32)
    return found


def masked(image: Image.Image, box: Box, margin: float) -> Image.Image:
    """The crop of a box with all outside the ellipse in it filled with the crop's mean colour."""
    x, y, width, height = box
    crop = cut(image, box, margin)
    left, top = max(0, int(np.floor(x - margin * width))), max(0, int(np.floor(y - margin * height)))
    mask = Image.new("L", crop.size, 0)
    ImageDraw.Draw(mask).ellipse((x - left, y - top, x - left + width, y - top + height), fill=255)
    filled = Image.new("RGB", crop.size, tuple(round(mean) for mean in ImageStat.Stat(crop).mean))
    filled.paste(crop, mask=mask)
    return filled


def context(ways: Mapping[str, ObjectSet]) -> dict[str, Any]:
    """Of one half of the pictures, by way: recall@1, R-AUROC and average precision, and how far ahead of USUAL."""
    every = {way: of.witnesses() for way, of in ways.items()}
    draws = {way: _draws(of, ALIKE) for way, of in every.items()}
    usual, base = every[USUAL], draws[USUAL]
    block = usual.of.picture
    return {
        way: {
            "recall": _pair(share_by_blocks(~of.is_wrong, block)),
            "recall ahead": _pair((_share(~of.is_wrong) - _share(~usual.is_wrong)).by_blocks(block, least=-1)),
            "r_auroc": _pair(of.ambiguity(of.is_wrong).by_blocks(block)),
            "ap": _pair(_precision(block, draws[way])),
            "ap ahead": _pair(_precision(block, draws[way], base)),
        }
        for way, of in every.items()
    }


def apart(objects: ObjectSet, kept: Witnesses) -> dict[str, Any]:
    """With and without the rule that objects of one picture are no witnesses for each other; N is that of the rule."""
    block, found = objects.picture, {}
    both = {"apart": kept, "not apart": objects.witnesses(is_apart=False)}
    draws = {way: {noise: _draws(of, noise) for noise in NOISES} for way, of in both.items()}
    for way, of in both.items():
        found[way] = {
            "recall": _pair(share_by_blocks(~of.is_wrong, block)),
            "r_auroc": _pair(of.ambiguity(kept.is_wrong).by_blocks(block)),
            **{noise: _pair(_precision(block, draws[way][noise])) for noise in NOISES},
        }
    ahead = kept.ambiguity(kept.is_wrong) - both["not apart"].ambiguity(kept.is_wrong)
    found["ahead"] = {
        "r_auroc": _pair(ahead.by_blocks(block, least=-1)),
        **{n: _pair(_precision(block, draws["apart"][n], draws["not apart"][n])) for n in NOISES},
    }
    return found


Draw = tuple[Bools, Doubles]
"""Where a class was planted (N,), and an order (N,), higher = earlier."""


def _draws(of: Witnesses, noise: str) -> list[Draw]:
    """Ours on every draw."""
    labels = [plant(of, noise, seed) for seed in range(DRAWS)]
    return [(label != of.of.label, of.queue(label)) for label in labels]


def plant(of: Witnesses, noise: str, seed: int) -> Codes:
    """The labels (N,) with wrong ones among them."""
    rng, label, classes = np.random.default_rng(seed), of.of.label.copy(), of.of.classes
    count = round(PLANTED * len(label))
    if noise == WHOLE:
        together = np.unique(of.of.picture.astype(np.int64) * classes + label, return_inverse=True)[1]
        order = rng.permutation(together.max() + 1)
        size = np.bincount(together)[order]
        is_bad = np.isin(together, order[np.cumsum(size) <= count])
        shift = rng.integers(1, classes, together.max() + 1)[together]
        return np.where(is_bad, (label + shift) % classes, label).astype(np.int32)
    rows = rng.permutation(len(label))[:count]
    if noise == ALIKE:
        label[rows] = [rng.choice(of.of.label[of.of.label != own]) for own in label[rows]]
    elif noise == ANY:
        label[rows] = (label[rows] + rng.integers(1, classes, count)) % classes
    else:
        label[rows] = _taken_for(of)[label[rows]]
    return label


def _taken_for(of: Witnesses) -> Codes:
    """The class that each class (C,) is taken for most, by the mean shares of its objects."""
    shares = of.shares(of.of.label)
    mean = np.stack([shares[of.of.label == code].mean(axis=0) for code in range(of.of.classes)])
    np.fill_diagonal(mean, -1)
    found: Codes = mean.argmax(axis=1).astype(np.int32)
    return found


def planted(of: Witnesses, noise: str) -> dict[str, Any]:
    """How soon planted classes come in each queue, and how far ours is ahead of each other one."""
    orders: dict[str, list[Draw]] = {}
    for seed in range(DRAWS):
        label = plant(of, noise, seed)
        is_bad = label != of.of.label
        for method, score in {OURS: of.queue(label), **others(of, label)}.items():
            orders.setdefault(method, []).append((is_bad, score))
    block, ours = of.of.picture, orders[OURS]
    return {
        method: {
            "ap": _pair(_precision(block, draws)),
            **{f"first {share:.0%}": _pair(_found(block, [draws], share)) for share in FIRST},
            **({} if method == OURS else {"ours ahead": _pair(_precision(block, ours, draws))}),
            **(
                {}
                if method == OURS
                else {f"ours ahead, {share:.0%}": _pair(_found(block, [ours, draws], share)) for share in FIRST}
            ),
        }
        for method, draws in orders.items()
    }


def others(of: Witnesses, label: Codes) -> dict[str, Doubles]:
    """Orders (N,) of cleanlab, higher = more doubtful; empty where it is not installed."""
    try:
        from cleanlab.object_detection.rank import compute_swap_box_scores
        from cleanlab.rank import get_label_quality_scores
    except ImportError:
        return {}
    shares = of.shares(label)
    corners = np.column_stack([of.of.box[:, :2], of.of.box[:, :2] + of.of.box[:, 2:]])
    rows = [np.flatnonzero(of.of.picture == picture) for picture in range(int(of.of.picture.max()) + 1)]
    labels = [{"bboxes": corners[at], "labels": label[at]} for at in rows]
    predictions = [_as_predictions(corners[at], shares[at], of.of.classes) for at in rows]
    found = {CONFIDENCE: 1 - get_label_quality_scores(label, shares, method="self_confidence")}
    for method, threshold in ((OBJECTLAB, None), (OBJECTLAB_50, 0.5)):
        scores = compute_swap_box_scores(labels=labels, predictions=predictions, high_probability_threshold=threshold)
        found[method] = np.zeros(len(label))
        for at, score in zip(rows, scores, strict=True):
            found[method][at] = 1 - score
    return found


def _as_predictions(corners: Doubles, shares: Doubles, classes: int) -> NDArray[np.object_]:
    """A detector's predictions for one picture: by class, (M, 5) corners and probability of the likeliest class."""
    called, found = shares.argmax(axis=1), np.empty(classes, dtype=object)
    for code in range(classes):
        at = called == code
        found[code] = np.column_stack([corners[at], shares[at, code]])
    return found


def _precision(block: Codes, draws: Sequence[Draw], base: Sequence[Draw] | None = None) -> Figure:
    """The mean average precision over draws, or how far it is ahead of that of `base`; pictures drawn anew."""
    pictures = int(block.max()) + 1
    drawn = np.random.default_rng(0).multinomial(pictures, np.full(pictures, 1 / pictures), RESAMPLES)
    weight = np.vstack([np.ones(len(block)), drawn[:, block]])
    of_draws = np.array([precisions(*draw, weight) for draw in draws])
    if base is not None:
        of_draws -= [precisions(*draw, weight) for draw in base]
    found = np.nanmean(of_draws, axis=0)
    return Figure(float(found[0]), Interval(*np.nanquantile(found[1:], (0.025, 0.975)).tolist()))


def precisions(is_bad: Bools, score: Doubles, weight: Doubles) -> Doubles:
    """Average precision (R,) of an order (N,) for each of R weightings (R, N); nan where nothing bad has weight."""
    order = np.argsort(-score, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))  # equal scores come together
    seen = np.cumsum(weight[:, order], axis=1)[:, ends]
    hits = np.cumsum(weight[:, order] * is_bad[order], axis=1)[:, ends]
    gained = np.diff(hits, axis=1, prepend=0)
    every = hits[:, -1]
    found: Doubles = (gained * hits / np.maximum(seen, 1)).sum(axis=1) / np.where(every > 0, every, np.nan)
    return found


def _found(block: Codes, orders: Sequence[Sequence[Draw]], share: float) -> Figure:
    """The share of what was planted in the first `share` of a queue; of two queues how far the first is ahead."""
    parts = [np.concatenate([in_first(score, share)[is_bad] for is_bad, score in draws]) for draws in orders]
    blocks = np.concatenate([block[is_bad] for is_bad, _ in orders[0]])
    value = _share(parts[0]) if len(parts) == 1 else _share(parts[0]) - _share(parts[1])
    return value.by_blocks(blocks, least=-1)


def in_first(score: Doubles, share: float) -> Doubles:
    """How likely each (N,) is among the first `share` of a queue, highest first, equal scores in random order."""
    wanted = round(share * len(score))
    last = np.sort(score)[::-1][wanted - 1]
    above, equal = score > last, score == last
    likely: Doubles = above + equal * (wanted - above.sum()) / equal.sum()
    return likely


def _share(values: NDArray[Any]) -> Influenced:
    mean = float(values.mean())
    return Influenced(mean, (values - mean) / len(values))


def _pair(figure: Figure) -> list[float]:
    return [figure.value, figure.interval.low, figure.interval.high]


def tables(figures: Mapping[str, Any]) -> str:
    """The tables of docs/objects.md (context, planted) and docs/order.md (apart)."""
    return "\n\n".join([_context_table(figures), _planted_table(figures), _apart_table(figures)])


def _context_table(figures: Mapping[str, Any]) -> str:
    """What the reporting half says, and how far each context is ahead there and on the choosing one."""
    rows = [
        [name, way, _shown(found["r_auroc"])]
        + [_shown(each["context"][use][way]["ap ahead"], signed=True) for use in ("reports", "chooses")]
        for name, each in figures.items()
        for way, found in each["context"]["reports"].items()
        if way != USUAL
    ]
    return markdown(["set", "context", "R-AUROC", f"precision ahead of {USUAL}", "on the choosing half"], rows)


def _planted_table(figures: Mapping[str, Any]) -> str:
    """Of a set with few classes only one way of planting: they hardly differ there."""
    columns = [f"first {share:.0%}" for share in FIRST]
    rows = [
        [
            name,
            noise,
            f"**{method}**" if method == OURS else method,
            *(_shown(found[column]) for column in columns),
            _shown(found.get(f"ours ahead, {FIRST[0]:.0%}"), signed=True),
        ]
        for name, each in figures.items()
        for noise in ((ALIKE, ANY, SIMILAR) if each["objects"][2] > FEW_CLASSES else (ALIKE,))
        for method, found in each["planted"][noise].items()
        if method != OBJECTLAB
    ]
    titles = [f"in the first {percent(share)}" for share in FIRST]
    ahead = f"{OURS} ahead, first {percent(FIRST[0])}"
    return markdown(["set", "planted", "queue", *titles, ahead], rows)


def _apart_table(figures: Mapping[str, Any]) -> str:
    columns = {"recall@1": "recall", "R-AUROC": "r_auroc", **{noise: noise for noise in (ALIKE, WHOLE)}}
    rows = [
        [name, way, *(_shown(found.get(column), signed=way == "ahead") for column in columns.values())]
        for name, each in figures.items()
        for way, found in each["apart"].items()
    ]
    return markdown(["set", "", *columns], rows)


def _shown(pair: list[float | None] | None, *, signed: bool = False) -> str:
    value, low, high = (np.nan if each is None else each for each in (pair or [None] * 3))
    return with_interval(value, low, high, signed=signed)


if __name__ == "__main__":
    command(ObjectsStudy, main)
