"""Context around boxes, pictures kept apart, planted wrong classes: `python -m experiments.objects --photos PHOTOS`.

PHOTOS holds `boxes-coco128` (a data.yaml) and `boxes-bccd` (VOC). Every object is embedded with no context, a tenth and
a quarter of its size on each side, and at a tenth with all outside the ellipse in its box filled with the crop's mean
colour, as a mask would (neither set has masks). Pictures are halved by dice: one half chooses the context, the other
reports it, each with neighbours and classifiers of its own. All else is of whole sets at the context that is the
default, which chose nothing more. Outcome N: the nearest in another picture is of another class.

Labels are judged as in the product, by objects of other pictures and by those of the same one whose boxes lie
elsewhere, and beside it by those of other pictures alone ("pictures apart"). Wrong classes are planted in 5 % of the
objects, in ten draws: the class of another object by dice ("by frequency"); each other class alike ("any class"),
mostly rare ones; the class that its class is taken for most often ("similar class"), mostly a frequent one; or one by
dice for all objects of a class in a picture ("whole picture"). Of equal scores each order counts as one at random.
Intervals are over pictures, 95 %.

`pip install cleanlab` adds ObjectLab and self-confidence (neither is a dependency). Both get the shares of a logistic
regression that has seen the siblings too, in five folds of objects, ObjectLab as a detector's predictions at the true
boxes: its own need is a detector, so this is the best that embeddings can do for it. The figures go to objects.json;
without PHOTOS the tables that docs/objects.md quotes are printed from it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageStat
from typing_extensions import Doc

from experiments.figure_files import read_figures, write_figures
from training.command import command, markdown
from url_viz.base.wording import percent, with_interval
from url_viz.columns.second_model import side_by_side, voters
from url_viz.evidence.order_metrics import Figure, Influenced, Interval, auroc_influence, share_by_blocks
from url_viz.evidence.probe import out_of_fold_shares
from url_viz.findings.object_findings import classes_wrong_together
from url_viz.imaging.decode import decode, middle, read_file, resized
from url_viz.imaging.places import Box, Place, cut
from url_viz.imaging.source import Objects
from url_viz.labels.ambiguity import COVERED, Classified, Covers, classify
from url_viz.labels.doubtful_labels import forecast
from url_viz.labels.label_issues import CONFLICTING, LIKELY, judge_labels
from url_viz.labels.votes import Codes
from url_viz.models.model import Model, load_model
from url_viz.models.model_names import DEFAULT, SECOND_MODELS
from url_viz.pipeline.graph import apart_graph, build_graph
from url_viz.pipeline.nearest import Nearest
from url_viz.pipeline.overlaps import covering, overlap_groups
from url_viz.pipeline.twins import SAME_BOX, source_groups, twins_of_objects
from url_viz.pipeline.whitening import whitened_rows
from url_viz.store.columns.source_columns import PICTURE, Boxes
from url_viz.store.tables.tables import Graph

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
PLANTED, RESAMPLES = 0.05, 1000
DRAWS = {"COCO128": 10, "BCCD": 4}
FIRST, HALF = (0.05, 0.1), 0.5
FEW_CLASSES = 3
ALIKE, ANY, SIMILAR, WHOLE = NOISES = ("by frequency", "any class", "similar class", "whole picture")
NOTHING = "nothing"
OURS, APART, BY_BOTH = "URL-Viz", "URL-Viz, pictures apart", "URL-Viz, two models"
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
    """N objects: `embedding` (N, D), `label` and `picture` (N,) codes, `box` (N, 4).

    `second` (N, E) are the embeddings of a second model, if there is one.
    """

    embedding: Floats
    label: Codes
    picture: Codes
    box: Doubles
    second: Floats | None = None

    def taken(self, rows: NDArray[np.int64]) -> "ObjectSet":
        """Some of them, with codes without gaps."""
        label, picture = (np.unique(codes[rows], return_inverse=True)[1] for codes in (self.label, self.picture))
        second = None if self.second is None else self.second[rows]
        codes = label.astype(np.int32), picture.astype(np.int32)
        return ObjectSet(self.embedding[rows], *codes, self.box[rows], second)

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return int(self.label.max()) + 1

    def witnesses(self, *, is_apart: bool = True) -> "Witnesses":
        """Neighbours and classifier, with or without objects of the same picture."""
        return self._outside(self.picture if is_apart else None)

    def label_witnesses(self) -> "Witnesses":
        """Neighbours and classifier as for labels: with objects of the same picture, unless boxes are on one place."""
        return self._outside(overlap_groups(self.box, self.picture.astype(np.int64), least=SAME_BOX))

    def _outside(self, group: Codes | None) -> "Witnesses":
        rows, graph = self._space(self.embedding)
        graph = graph if group is None else apart_graph(graph, rows, group)
        source = source_groups(graph.twins, group)
        covers = Covers(covering(self.box, self.picture.astype(np.int64), least=COVERED))
        if self.second is None:
            return Witnesses(self, graph, rows, source, covers)
        its_rows, its_graph = self._space(self.second)
        return Witnesses(self, graph, side_by_side(rows, its_rows), source, covers, (voters(its_graph, source),))

    def _space(self, embedding: Floats) -> tuple[Floats, Graph]:
        """The whitened rows, and the graph with the twins of objects."""
        space, boxes = whitened_rows(np.arange(len(embedding)), embedding), Boxes(self.picture, self.box)
        graph = build_graph(space, embedding, keep=lambda twins: twins_of_objects(twins, boxes))
        return space.rows.astype(np.float32), graph


@dataclass(frozen=True)
class Witnesses:
    """What judges labels: `graph`, `whitened` rows (N, A), source groups (N,), and which object `covers` which.

    `also` are the lists of a second model, whose rows `whitened` then holds as well.
    """

    of: ObjectSet
    graph: Graph
    whitened: Floats
    group: Codes
    covers: Covers
    also: tuple[Nearest, ...] = ()

    def classified(self, label: Codes) -> Classified:
        """What votes and ridge classifier say of labels (N,)."""
        lists = self.graph.position, self.graph.similarity
        found = classify(*lists, self.whitened, label, self.group, also=self.also, covers=self.covers)
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

    def draw(self, label: Codes) -> "Told":
        """What is said of labels (N,): conflicting copies come first in the queue, then the most doubtful."""
        evidence = self.classified(label).evidence
        judged = judge_labels(np.arange(len(label)), label, graph=self.graph, voter=label, evidence=evidence)
        score: Doubles = np.where(judged.kind == CONFLICTING, 1.0, 0.0) + judged.score
        order = np.argsort(-score, kind="stable")
        is_listed = np.zeros(len(label), bool)
        is_listed[order[: forecast(judged.wrong[order].astype(np.float64)).end]] = True
        return Told(label != self.of.label, score, is_listed, judged.wrong >= LIKELY, judged.wrong, judged.other)

    def shares(self, label: Codes) -> Doubles:
        """Class shares (N, C) of a logistic regression in folds of source groups."""
        return out_of_fold_shares(self.whitened, label, self.group, seed=0)


@dataclass(frozen=True)
class Draw:
    """Where a class was planted (N,), and an order (N,), higher = earlier."""

    is_bad: Bools
    score: Doubles


@dataclass(frozen=True)
class Told(Draw):
    """What URL-Viz says of a draw.

    `is_listed` (N,): the label is in the queue; `is_likely`: it is called likely wrong; `wrong` (N,) its probability,
    `other` (N,) the class that speaks against it.
    """

    is_listed: Bools
    is_likely: Bools
    wrong: NDArray[np.floating]
    other: Codes


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
    usual = ways[USUAL]
    strict, free, siblings = usual.witnesses(), usual.witnesses(is_apart=False), usual.label_witnesses()
    labels = {noise: [plant(strict, noise, seed) for seed in range(DRAWS[name])] for noise in NOISES}
    labels[NOTHING] = [usual.label]
    by_both = read(study, name, USUAL, is_by_both=True).label_witnesses()
    kept, told, both = (
        {noise: [of.draw(one) for one in each] for noise, each in labels.items()} for of in (strict, siblings, by_both)
    )
    ways_told = ((APART, kept), (OURS, told), (BY_BOTH, both))
    return {
        "objects": [len(usual.label), int(usual.picture.max()) + 1, usual.classes],
        "context": {
            use: context({way: of.taken(rows) for way, of in ways.items()}, DRAWS[name]) for use, rows in halves.items()
        },
        "apart": apart(strict, free, labels, kept),
        "planted": {noise: planted(siblings, labels[noise], told[noise], kept[noise]) for noise in NOISES},
        "queue": {
            noise: {way: _queue(usual.picture, draws[noise]) for way, draws in ways_told}
            for noise in (NOTHING, *NOISES)
        },
        "together": {noise: together(usual, labels[noise], kept[noise]) for noise in (NOTHING, WHOLE)},
    }


def read(study: ObjectsStudy, name: str, way: str, *, is_by_both: bool = False) -> ObjectSet:
    """The objects of a set, embedded in one of WAYS, or as they were stored; by two models or one."""
    assert study.photos is not None
    source = Objects(study.photos / SETS[name], margin=WAYS[way][0])
    facts = list(source.facts.values())
    embeddings = []
    for model, path in ((DEFAULT, f"{name} {way}.npy"), (SECOND_MODELS[0], f"{name} {way}, second.npy"))[
        : 1 + is_by_both
    ]:
        if not (study.arrays / path).exists():
            study.arrays.mkdir(parents=True, exist_ok=True)
            crops = embedded(source, [place for _, _, place in facts], load_model(model), is_masked=WAYS[way][1])
            np.save(study.arrays / path, crops)
        embeddings.append(np.load(study.arrays / path))
    label, picture = (
        np.unique(values, return_inverse=True)[1].astype(np.int32)
        for values in ([one.label for _, one, _ in facts], [str(picture.path) for picture, _, _ in facts])
    )
    boxes, second = np.array([place.box for _, _, place in facts]), embeddings[1] if is_by_both else None
    return ObjectSet(embeddings[0], label, picture, boxes, second)


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


def context(ways: Mapping[str, ObjectSet], draws_each: int) -> dict[str, Any]:
    """Of one half of the pictures, by way: recall@1, R-AUROC and average precision, and how far ahead of USUAL."""
    every = {way: of.witnesses() for way, of in ways.items()}
    draws = {way: [of.draw(plant(of, ALIKE, seed)) for seed in range(draws_each)] for way, of in every.items()}
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


def apart(
    strict: Witnesses, free: Witnesses, labels: Mapping[str, Sequence[Codes]], kept: Mapping[str, Sequence[Draw]]
) -> dict[str, Any]:
    """With and without the rule that objects of one picture are no witnesses for each other; N is that of the rule.

    `kept` is what is said of the planted `labels` with it.
    """
    block, found = strict.of.picture, {}
    both = {"apart": strict, "not apart": free}
    draws = {"apart": kept, "not apart": {noise: [free.draw(one) for one in labels[noise]] for noise in NOISES}}
    for way, of in both.items():
        found[way] = {
            "recall": _pair(share_by_blocks(~of.is_wrong, block)),
            "r_auroc": _pair(of.ambiguity(strict.is_wrong).by_blocks(block)),
            **{noise: _pair(_precision(block, draws[way][noise])) for noise in NOISES},
        }
    ahead = strict.ambiguity(strict.is_wrong) - free.ambiguity(strict.is_wrong)
    found["ahead"] = {
        "r_auroc": _pair(ahead.by_blocks(block, least=-1)),
        **{n: _pair(_precision(block, draws["apart"][n], draws["not apart"][n])) for n in NOISES},
    }
    return found


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


def planted(of: Witnesses, labels: Sequence[Codes], told: Sequence[Draw], kept: Sequence[Draw]) -> dict[str, Any]:
    """How soon planted classes come in each queue, and how far ours, `told`, is ahead of each other one."""
    orders: dict[str, list[Draw]] = {OURS: [*told], APART: [*kept]}
    for label in labels:
        for method, score in others(of, label).items():
            orders.setdefault(method, []).append(Draw(label != of.of.label, score))
    block = of.of.picture
    return {
        method: {
            "ap": _pair(_precision(block, draws)),
            **{f"first {share:.0%}": _pair(_found(block, [draws], share)) for share in FIRST},
            **({} if method == OURS else {"ours ahead": _pair(_precision(block, told, draws))}),
            **(
                {}
                if method == OURS
                else {f"ours ahead, {share:.0%}": _pair(_found(block, [told, draws], share)) for share in FIRST}
            ),
        }
        for method, draws in orders.items()
    }


def _queue(block: Codes, draws: Sequence[Told]) -> dict[str, Any]:
    """How many labels are listed and called likely wrong, means over draws; how many of these are planted, of all."""
    found: dict[str, Any] = {"told": float(np.mean([draw.wrong for draw in draws]))}
    is_bad = np.stack([draw.is_bad for draw in draws])
    for name, picked in (("listed", [one.is_listed for one in draws]), ("likely", [one.is_likely for one in draws])):
        is_picked = np.stack(picked)
        blocks = np.broadcast_to(block, is_bad.shape)
        found[name] = float(is_picked.sum(axis=1).mean())
        if is_bad.any() and is_picked.any():
            found[f"{name} recall"] = _pair(share_by_blocks(is_picked[is_bad], blocks[is_bad]))
            found[f"{name} precision"] = _pair(share_by_blocks(is_bad[is_picked], blocks[is_picked]))
    return found


def together(of: ObjectSet, labels: Sequence[Codes], draws: Sequence[Told]) -> dict[str, float]:
    """How many classes of pictures are told to be wrong as a whole, how many of these are, and how many there are.

    Means over draws, of classes with two objects or more in a picture, most of them planted: some may have been there.
    """
    counts = []
    for label, draw in zip(labels, draws, strict=True):
        rows = pd.DataFrame({"id": np.arange(len(label)), PICTURE: of.picture, "label": label, "twin_group": np.nan})
        found = classes_wrong_together(rows, draw.wrong, draw.other.astype(object))
        groups = rows.assign(is_bad=draw.is_bad).groupby([PICTURE, "label"])["is_bad"].agg(["mean", "size"])
        is_planted = (groups["mean"] > HALF) & (groups["size"] > 1)
        told = pd.MultiIndex.from_frame(found[[PICTURE, "label"]].drop_duplicates())
        counts.append((len(told), is_planted.loc[told].sum(), is_planted.sum()))
    told_count, right, planted_count = np.mean(counts, axis=0).tolist()
    return {"told": told_count, "right": right, "planted": planted_count}


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
    of_draws = np.array([precisions(draw.is_bad, draw.score, weight) for draw in draws])
    if base is not None:
        of_draws -= [precisions(draw.is_bad, draw.score, weight) for draw in base]
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
    parts = [np.concatenate([in_first(draw.score, share)[draw.is_bad] for draw in draws]) for draws in orders]
    blocks = np.concatenate([block[draw.is_bad] for draw in orders[0]])
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
    """Four tables that docs/objects.md quotes: context, planted, apart, queue."""
    made = (_context_table, _planted_table, _apart_table, _queue_table)
    return "\n\n".join(table(figures) for table in made)


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


def _queue_table(figures: Mapping[str, Any]) -> str:
    """How long the queue is, and what of it and of the labels that are called is planted."""
    rows = [
        [name, noise, f"**{way}**" if way == OURS else way, _picked(found, "listed"), _picked(found, "likely")]
        for name, each in figures.items()
        for noise, ways in each["queue"].items()
        for way, found in ways.items()
    ]
    header = ["set", "planted", "witnesses", "queue: recall / precision (length)"]
    return markdown([*header, "likely wrong: recall / precision (called)"], rows)


def _picked(found: Mapping[str, Any], what: str) -> str:
    count = f"({found[what]:.0f})"
    shares = [found.get(f"{what} {part}") for part in ("recall", "precision")]
    return count if shares[0] is None else f"{' / '.join(map(_shown, shares))} {count}"


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
