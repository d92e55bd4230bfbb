"""Copies and views, told and true: `python -m experiments.copies --data FOLDER … --report FOLDER …`.

Each FOLDER holds class folders, or objects, and is read by the default model as any other set. Copies of drawn pictures
are planted as new pictures (`benchmarks.near_copies`), and pictures in which 1 to 5 % of the area was changed
(`experiments.changed_pictures`), both of the pictures as they are and of small ones (30 to 60 px); not of objects.
Counted is what is called a copy of its original. Of the set itself: pairs, and on `signs`, whose names are TRACK_FRAME,
how many views are frames of one track and how many such frames are views.

What it does to the orders is told against the rule before: pairs by raw cosine from .96, or by hashes alone, all that a
chain joins in one group. Confusability and ambiguity by both rules are asked (R-AUROC) about the nearest of each rule's
own graph, and about what both are asked alike: the nearest without the pairs of either rule, in the whitened space and
by raw cosine; the nearest of another scene (no cosine from .5 in the fully whitened space, which favours views); of
another track; and whether a linear probe on another backbone is wrong, in folds that part no pair of either rule, and
in folds of pictures. The last two are there where that backbone read the folder (`embed FOLDER --model
tf_efficientnet_lite2`). Differences are of the same pictures, with 95 % intervals over classes. Bounds were chosen on
--data; --report chose nothing. The figures go to copies.json, those of other sets stay there; `--table` prints them.
"""

import io
import random
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image
from typing_extensions import Doc

from benchmarks.near_copies import QUALITY, copy_of
from experiments.changed_pictures import CHANGES, changed
from experiments.figure_files import read_figures, write_figures
from training.benchmark.labelled import probe_errors
from training.command import command, markdown
from url_viz.base.errors import FolderError, ImageSetError
from url_viz.base.rows import l2_normalize
from url_viz.base.wording import decimal, with_interval
from url_viz.evidence.order_metrics import Figure, Influenced, auroc_influence, share_by_blocks, share_of
from url_viz.image_set import ImageSet, open_image_set
from url_viz.imaging.uploaded_files import IncomingFile
from url_viz.labels.ambiguity import classify
from url_viz.models.model import Model, load_model
from url_viz.models.model_names import DEFAULT
from url_viz.outside.uploads import NewPicture, arrays_of, score
from url_viz.pipeline.confusability import confusability
from url_viz.pipeline.graph import Keep, apart_graph, build_graph
from url_viz.pipeline.near_copies import NEVER, Pixels, bits_apart, similar_hashes, stored_pixels
from url_viz.pipeline.twins import (
    cosines,
    joined_by,
    pair_groups,
    source_groups,
    twin_representatives,
    twins_of,
    twins_of_objects,
)
from url_viz.pipeline.whitening import ViewSpace, fitted, whitened_rows
from url_viz.reading import embed_folder
from url_viz.store.columns.source_columns import stored_boxes
from url_viz.store.tables.embedding_rows import WhitenedRows
from url_viz.store.tables.tables import Graph, Twins, positions_of

FIGURES = Path(__file__).with_suffix(".json")
PROBE = "tf_efficientnet_lite2"
COPIES = (
    *("half the size", "JPEG 40", "15 % brighter", "contrast 1.3", "warm tone", "mirrored"),
    *("5 % off at a corner", "5 % off all round", "5 % off each side"),
)
SMALL_PX, LARGE_PX = (30, 60), 100
SIZES = {"from 100 px": (LARGE_PX, 1 << 30), "60 to 100 px": (60, LARGE_PX), "30 to 60 px": (30, 60)}
PARTS = ("planted", "pairs", "orders")
SCORED_AT_ONCE = 512
OLD_COSINE, OLD_COPY_COSINE, OLD_VIEW_COSINE = 0.96, 0.5, 0.88
"""Of the rule before: by cosine alone; by hashes as near as those of copies are anywhere, or among the nearest."""
SCENE_COSINE = 0.5
TRACK = re.compile(r"(.*)_\d+")
TRACKED = "signs"
ROWS_AT_ONCE = 1024

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Codes = NDArray[np.int32]


@dataclass(frozen=True)
class CopiesStudy:
    """Plant copies and small changes, and compare what copies and views do with the rule before."""

    data: Annotated[tuple[Path, ...], Doc("Sets on which the bounds were chosen; give it again.")] = ()
    report: Annotated[tuple[Path, ...], Doc("Sets that chose nothing; give it again.")] = ()
    parts: Annotated[tuple[str, ...], Doc("planted, pairs, orders: what is measured; all by default.")] = ()
    originals: Annotated[int, Doc("Pictures of each set of which copies are planted.")] = 30
    table: Annotated[bool, Doc("Only print the tables of the figures that are there.")] = False


@dataclass(frozen=True)
class Contents:
    """The M distinct contents of a set in the order of its graph: `path`, `label` (M,) codes, −1 for none; vectors."""

    image_set: ImageSet
    graph: Graph
    whitened: WhitenedRows
    embedding: Floats
    path: NDArray[np.str_]
    label: Codes

    @property
    def track(self) -> Codes | None:
        """Which pictures are frames of one track; None where names do not say."""
        if self.image_set.root.name != TRACKED:
            return None
        stems = [TRACK.fullmatch(Path(path).stem) for path in self.path.tolist()]
        named = [f"{code}/{stem and stem.group(1)}" for code, stem in zip(self.label, stems, strict=True)]
        return np.unique(named, return_inverse=True)[1].astype(np.int32)


def main(study: CopiesStudy) -> None:
    """Measure, write the figures, and print the tables; or print them again."""
    figures = read_figures(FIGURES) if FIGURES.exists() else {}
    uses = {"development": study.data, "report": study.report}
    if not study.table and not any(uses.values()):
        raise FolderError("No set is given to plant copies in. Give --data FOLDER or --report FOLDER, or --table.")
    model = None if study.table else load_model(DEFAULT)
    for use, folders in uses.items():
        for folder in folders:
            assert model is not None
            of = figures.setdefault(use, {}).setdefault(folder.name if folder.is_dir() else folder.parent.name, {})
            of |= measured(contents_of(embed_folder(folder)), model, study)
            write_figures(figures, FIGURES, digits=5)
            print(folder, of, flush=True)
    print(tables(read_figures(FIGURES)))


def contents_of(image_set: ImageSet) -> Contents:
    """What was read of a set, with space and graph as the present code makes them."""
    store, table = image_set.core.store, image_set.table()
    content = np.unique(image_set.core.contents)
    row = positions_of(content, image_set.core.contents)
    embedding = store.embeddings(image_set.space.key, content).embedding
    whitened = whitened_rows(content, embedding)
    graph = build_graph(whitened, embedding, pixels=stored_pixels(store, content), keep=keep_of(image_set, content))
    label = pd.Categorical(table["label"].iloc[row]).codes.astype(np.int32)
    return Contents(image_set, graph, whitened, embedding.astype(np.float32), table["path"].to_numpy(str)[row], label)


def keep_of(image_set: ImageSet, content: NDArray[np.int64]) -> Keep:
    """Which pairs count: all, or of objects those that are one object."""
    boxes = stored_boxes(image_set.core.store.paths, content)
    return lambda twins: twins if boxes is None else twins_of_objects(twins, boxes)


def measured(of: Contents, model: Model, study: CopiesStudy) -> dict[str, Any]:
    """The figures of one set, by part."""
    figures: dict[str, Any] = {}
    is_of_objects, old = of.image_set.is_of_objects, old_twins(of)
    parts = study.parts or PARTS
    if "planted" in parts and not is_of_objects:
        figures["planted"] = list(planted(of, model, study.originals))
    if "pairs" in parts:
        figures["pairs"] = pairs_of(of, old)
    if "orders" in parts and not is_of_objects and len(np.unique(of.label)) > 1:
        figures["orders"] = orders_of(of, old)
    return figures


# Planted copies and changes


@dataclass(frozen=True)
class Plant:
    """A picture made of an original: `kind` is "original" for the small one itself, of which copies are made, too.

    `original` and `is_small` say of which picture it is a copy, `side_px` how long the shorter side of that is.
    """

    kind: str
    original: int
    is_small: bool
    side_px: int
    data: bytes


def planted(of: Contents, model: Model, originals: int) -> Iterator[dict[str, Any]]:
    """By size and kind, how many plants there are, and how many are called copies of their original."""
    drawn = np.random.default_rng(0).permutation(len(of.path))[:originals].tolist()
    plants = [plant for row in drawn for plant in plants_of(of.image_set.root / of.path[row], row)]
    is_copy = called_copies(of, plants, model)
    rows = [(size_of(plant), plant.kind, bool(is_copy[place])) for place, plant in enumerate(plants)]
    found = pd.DataFrame([row for row in rows if row[0] and row[1] != "original"], columns=["size", "kind", "called"])
    for (size, kind), part in found.groupby(["size", "kind"]):
        yield {"size": size, "kind": kind, "planted": len(part), "called": int(part["called"].sum())}


def size_of(plant: Plant) -> str | None:
    """The name of the range in which the original's shorter side is."""
    return next((name for name, (low, high) in SIZES.items() if low <= plant.side_px < high), None)


def plants_of(path: Path, row: int) -> Iterator[Plant]:
    """All that is made of one picture, and of a small one where that is much smaller."""
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    yield from _versions(image, row, is_small=False)
    if min(image.size) >= LARGE_PX:
        share = random.Random(row).randint(*SMALL_PX) / min(image.size)
        small = image.resize((round(share * image.width), round(share * image.height)), Image.Resampling.BICUBIC)
        yield Plant("original", row, True, min(small.size), _saved(small, "PNG"))
        yield from _versions(small, row, is_small=True)


def _versions(image: Image.Image, row: int, *, is_small: bool) -> Iterator[Plant]:
    for kind in COPIES:
        yield Plant(kind, row, is_small, min(image.size), copy_of(image, kind, seed=row))
    for kind in CHANGES:
        if (other := changed(image, kind, seed=row)) is not None:
            yield Plant(kind, row, is_small, min(image.size), _saved(other, "JPEG"))


def _saved(image: Image.Image, kind: str) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, quality=QUALITY)
    return file.getvalue()


def called_copies(of: Contents, plants: Sequence[Plant], model: Model) -> Bools:
    """Which plants (P,) are called copies of their original, when all are new pictures of the set."""
    files = [IncomingFile(f"{number}", plant.data) for number, plant in enumerate(plants)]
    pictures: list[NewPicture] = []
    for start in range(0, len(files), SCORED_AT_ONCE):
        read = score(files[start : start + SCORED_AT_ONCE], lambda: nullcontext(model))
        pictures += [one for one in read if isinstance(one, NewPicture)]
    assert len(pictures) == len(plants)
    new, count = arrays_of(pictures), len(of.path)
    rows = np.concatenate([of.whitened.rows, of.whitened.whitening.transform(new.embedding)])
    whitened = WhitenedRows(of.whitened.whitening, np.arange(len(rows)), rows)
    pixels = Pixels.joined(stored_pixels(of.image_set.core.store, of.graph.content), new.pixels)
    embedding = np.concatenate([of.embedding, new.embedding])
    found = twins_of(np.arange(count, len(rows)), whitened, embedding, pixels=pixels)
    small = {plant.original: count + place for place, plant in enumerate(plants) if plant.kind == "original"}
    own = np.arange(count, len(rows))
    original = np.array([small[plant.original] if plant.is_small else plant.original for plant in plants])
    copies = {tuple(pair) for pair in found.copies.pair.tolist()}
    asked = np.sort(np.stack([own, original], axis=1), axis=1).tolist()
    return np.array([tuple(pair) in copies for pair in asked], bool)


# Pairs


def old_twins(of: Contents) -> Twins:
    """The pairs by the rule before: raw cosine alone, or hashes that hardly differ."""
    hashes, unit = of.image_set.core.store.hashes(of.graph.content), l2_normalize(of.embedding)
    near = [pairs[:, :2] for pairs in _pairs_from(unit, OLD_VIEW_COSINE)]
    pair = np.concatenate([np.zeros((0, 2), np.int64), *near])
    is_twin = cosines(unit, *pair.T) >= OLD_COSINE
    is_twin |= bits_apart(hashes, *pair.T) < NEVER
    copied = np.concatenate(
        [np.zeros((0, 2), np.int64), *(np.sort(some, axis=1) for some, _ in similar_hashes(hashes))]
    )
    copied = copied[cosines(unit, *copied.T) >= OLD_COPY_COSINE]
    every = np.unique(np.concatenate([pair[is_twin], copied]), axis=0)
    return keep_of(of.image_set, of.graph.content)(_views(len(unit), every, unit))


def _views(rows: int, pair: NDArray[np.integer], unit: Floats) -> Twins:
    return Twins(rows, pair.astype(np.int32), cosines(unit, *pair.T), np.zeros(len(pair), bool))


def _pairs_from(unit: Floats, least: float) -> Iterator[NDArray[np.int64]]:
    """Pairs (P, 2) of rows whose product is at least so much."""
    for start in range(0, len(unit), ROWS_AT_ONCE):
        left, right = np.nonzero(unit[start : start + ROWS_AT_ONCE] @ unit.T >= least)
        yield np.stack([left + start, right], axis=1)[left + start < right]


def pairs_of(of: Contents, old: Twins) -> dict[str, Any]:
    """What both rules call, and how much of the one is left in the other."""
    now, then = pair_groups(of.graph.twins)[1], joined_by(old.rows, old.pair)
    is_left = now[old.pair[:, 0]] == now[old.pair[:, 1]]
    bursts = [np.flatnonzero(then == code) for code in np.flatnonzero(np.bincount(then) > 1)]
    return {
        "pictures": len(of.path),
        "now": {"copies": len(of.graph.twins.copies), **_counted(of, of.graph.twins, now)},
        "before": _counted(of, old, then),
        "pairs of before in a group": int(is_left.sum()),
        "bursts of before": len(bursts),
        "bursts in one group": sum(len(np.unique(now[rows])) == 1 for rows in bursts),
    }


def _counted(of: Contents, twins: Twins, group: Codes) -> dict[str, Any]:
    sizes, one, other = np.bincount(group), *twins.pair.T
    classes = pd.Series(of.label).groupby(group).nunique().to_numpy()
    found: dict[str, Any] = {
        "pairs": len(twins),
        "pairs of two classes": int((of.label[one] != of.label[other]).sum()),
        "pictures in groups": int(sizes[sizes > 1].sum()),
        "largest group": int(sizes.max()),
        "largest group of two classes": int(sizes[classes > 1].max(initial=0)),
    }
    if (track := of.track) is not None:
        is_frame, frames = track[one] == track[other], np.bincount(track)
        precision = share_by_blocks(is_frame, track[one])
        recall = is_frame.sum() / (frames * (frames - 1) / 2).sum()
        found |= {"precision": _listed(precision), "recall": float(recall)}
    return found


def _listed(figure: Figure) -> list[float]:
    return [figure.value, figure.interval.low, figure.interval.high]


# Orders


@dataclass(frozen=True)
class Rule:
    """A set as a rule has it: its `graph`, `whitened` rows, source `group` (M,) of each picture."""

    graph: Graph
    whitened: NDArray[np.floating]
    group: Codes

    def orders(self, label: Codes) -> dict[str, NDArray[np.float64]]:
        """Confusability and ambiguity (M,)."""
        lists = self.graph.position, self.graph.similarity
        classified = classify(*lists, self.whitened, label, self.group)
        assert classified is not None
        value = confusability(*lists, representative=twin_representatives(self.graph.twins))[0]
        return {"confusability": value.astype(float), "ambiguity": classified.shares.ambiguity.astype(float)}


def rules_of(of: Contents, old: Twins) -> dict[str, Rule]:
    """The set by both rules, and by its tracks where they are known."""
    counts = np.unique(twin_representatives(old))
    space = fitted(l2_normalize(of.embedding[counts]), len(of.path))
    whitened = WhitenedRows(space, of.graph.content, space.transform(of.embedding))
    graph = build_graph(whitened, of.embedding, keep=lambda _: old)
    rules = {
        "before": Rule(graph, whitened.rows, joined_by(old.rows, old.pair)),
        "now": Rule(of.graph, of.whitened.rows, source_groups(of.graph.twins)),
    }
    if (track := of.track) is not None:
        apart = apart_graph(of.graph, of.whitened.rows, track)
        rules["knowing tracks"] = Rule(apart, of.whitened.rows, source_groups(apart.twins, track))
    return rules


def questions_of(of: Contents, rules: Mapping[str, Rule]) -> dict[str, Bools]:
    """Outcomes (M,) that both rules are asked about alike: by name, which pictures are wrong."""
    either = np.concatenate([rules[name].graph.twins.pair for name in ("before", "now")])
    white, raw = l2_normalize(of.whitened.rows), l2_normalize(of.embedding)
    full = ViewSpace(of.whitened.whitening).rows(of.whitened.rows)
    scene = np.concatenate([either, *_pairs_from(full, SCENE_COSINE)]) if full.shape[1] else either
    asked = {
        "neither's pairs": (white, either),
        "neither's pairs, raw": (raw, either),
        "raw, twins in": (raw, either[:0]),
        "another scene": (white, scene),
    }
    if (track := of.track) is not None:
        frames = np.argwhere(np.triu(track[:, None] == track, 1))
        asked |= {"another track": (white, frames), "another track, raw": (raw, frames)}
    wrong = {name: of.label[nearest_without(rows, out)] != of.label for name, (rows, out) in asked.items()}
    folds = {"probe": joined_by(len(of.path), np.concatenate([either, _chained(rules)]))}
    folds["probe, pairs parted"] = np.arange(len(of.path), dtype=np.int32)
    rows = _by_another_backbone(of)
    return wrong if rows is None else wrong | {name: probe_errors(rows, of.label, by) for name, by in folds.items()}


def _chained(rules: Mapping[str, Rule]) -> NDArray[np.int64]:
    """Pairs that join what is in one source group by a rule."""
    links = []
    for name in ("before", "now"):
        group = rules[name].group
        first = np.unique(group, return_index=True)[1]
        links.append(np.stack([np.arange(len(group)), first[group]], axis=1))
    return np.concatenate(links)


def nearest_without(rows: Floats, out: NDArray[np.integer]) -> NDArray[np.int64]:
    """The row (M,) nearest to each of (M, A), itself and its partners in the pairs `out` (P, 2) left out."""
    nearest = np.zeros(len(rows), np.int64)
    both = np.concatenate([out, out[:, ::-1]])
    both = both[np.argsort(both[:, 0], kind="stable")]
    for start in range(0, len(rows), ROWS_AT_ONCE):
        product = rows[start : start + ROWS_AT_ONCE] @ rows.T
        own = np.arange(len(product))
        product[own, own + start] = -np.inf
        first, last = np.searchsorted(both[:, 0], (start, start + len(product)))
        product[both[first:last, 0] - start, both[first:last, 1]] = -np.inf
        nearest[start : start + len(product)] = product.argmax(axis=1)
    return nearest


def _by_another_backbone(of: Contents) -> NDArray[np.floating] | None:
    """The whitened rows (M, A) by the other backbone; None where that did not read all."""
    try:
        read = open_image_set(of.image_set.root, model=PROBE)
    except ImageSetError:
        return None
    found = read.core.store.embeddings(read.space.key, of.graph.content)
    return whitened_rows(found.content, found.embedding).rows if len(found.content) == len(of.path) else None


def orders_of(of: Contents, old: Twins) -> dict[str, Any]:
    """R-AUROC of both orders by rule and question, and what is won since the rule before on the same pictures."""
    rules = rules_of(of, old)
    own = {name: of.label[rule.graph.position[:, 0]] != of.label for name, rule in rules.items()}
    asked, found = questions_of(of, rules), {}
    orders = {name: rule.orders(of.label) for name, rule in rules.items()}
    for order in ("confusability", "ambiguity"):
        value = {name: orders[name][order] for name in rules}
        rows = {"own": {name: auroc_influence(value[name], own[name]) for name in ("before", "now")}}
        for question in ("before", "now"):
            rows[f"own of {question}"] = {name: auroc_influence(value[name], own[question]) for name in value}
        rows |= {name: {rule: auroc_influence(value[rule], wrong) for rule in value} for name, wrong in asked.items()}
        found[order] = {name: _compared(row, of.label) for name, row in rows.items()}
    return found


def _compared(row: Mapping[str, Influenced], label: Codes) -> dict[str, Any]:
    gain = (row["now"] - row["before"]).by_blocks(label, least=-1)
    return {name: one.value for name, one in row.items()} | {"gain": _listed(gain)}


# Tables


def tables(figures: Mapping[str, Mapping[str, Any]]) -> str:
    """Planted pictures by size; pairs of each set; orders of each set."""
    sets = [(use, name, of) for use, some in figures.items() for name, of in some.items()]
    return "\n\n".join([planted_table(sets), pairs_table(sets), *(orders_table(sets, order) for order in ORDERS)])


ORDERS = {"confusability": "Confusability", "ambiguity": "Ambiguity"}
Sets = Sequence[tuple[str, str, Mapping[str, Any]]]


def planted_table(sets: Sets) -> str:
    """Shares called copies with Wilson's intervals of 95 %, by use and size."""
    rows = pd.DataFrame([{"use": use} | row for use, _, of in sets for row in of.get("planted", ())])
    columns = [(use, size) for use in ("development", "report") for size in SIZES]
    lines = []
    for kind in (*COPIES, *CHANGES):
        cells = []
        for use, size in columns:
            part = rows[(rows["use"] == use) & (rows["size"] == size) & (rows["kind"] == kind)]
            cells.append(share_of(int(part["called"].sum()), int(part["planted"].sum())).text())
        lines.append([f"*{kind}*" if kind in CHANGES else kind, *cells])
    return markdown(["called a copy", *(f"{use}, {size}" for use, size in columns)], lines)


def pairs_table(sets: Sets) -> str:
    """What is called now, and before."""
    head = ["set", "pictures", "copies", "views", "of two classes", "in groups", "largest", "of two classes"]
    lines = []
    for _, name, of in sets:
        if found := of.get("pairs"):
            now, then = found["now"], found["before"]
            cells = [f"{now[key]} ({then[key]})" for key in list(then)[1:5]]
            views = f"{now['pairs'] - now['copies']} ({then['pairs']})"
            lines.append([name, f"{found['pictures']:,}", str(now["copies"]), views, *cells])
    return markdown(head, lines)


def orders_table(sets: Sets, order: str) -> str:
    """R-AUROC before → now by question, and what is won with its interval."""
    found = [(name, of["orders"][order]) for _, name, of in sets if "orders" in of]
    asked = list(dict.fromkeys(question for _, of in found for question in of))
    lines = [[name, *(_cell(of.get(question)) for question in asked)] for name, of in found]
    return markdown([ORDERS[order], *asked], lines)


def _cell(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return ""
    gain = with_interval(*found["gain"], digits=3, signed=True)
    return f"{decimal(found['before'], digits=3)} → {decimal(found['now'], digits=3)}, {gain}"


if __name__ == "__main__":
    sys.exit(command(CopiesStudy, main))
