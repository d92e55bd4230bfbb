"""What a second model is worth, and what it costs: `python -m benchmarks.second_model PHOTOS …`.

Each PHOTOS folder holds class folders, read by both models from one decoding of each file. R-AUROC of confusability and
ambiguity by one and by both, for N (the picture nearest to the first model has another class) and P (a linear probe on
a third backbone, which neither order has seen, calls it wrong), and of the second alone, for P and for its own N; how
often the nearest is right to each model and in the space of both side by side; and confusability about the nearest
there. With `--views`, the same of a space in which what varies between views of one picture counts less. With `--cost`,
time and truth of one run: the processor seconds of reading by the first model, by the second one afterwards, by the
second alone, and by both from one decoding.

The figures go to experiments/second_model.json, with `--cost` to second_model_cost.json beside it; without a folder the
tables of docs/order.md are printed from these.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image
from scipy.stats import t as student

from benchmarks.machine import machine, processor_seconds
from experiments.figure_files import read_figures, write_figures
from experiments.safe_retrieval import SETS
from training.benchmark.labelled import probe_errors
from training.command import cell, markdown
from url_viz.base.rows import l2_normalize
from url_viz.columns.second_model import side_by_side
from url_viz.evidence.order_metrics import auroc, mean_by_t
from url_viz.image_set import ImageSet, open_image_set
from url_viz.imaging.decode import decode, middle, read_file, resized
from url_viz.models.model import Model, load_model
from url_viz.models.model_names import DEFAULT, SECOND_MODELS
from url_viz.pipeline.confusability import Lists, confusability
from url_viz.pipeline.graph import K, build_graph
from url_viz.pipeline.nearest import top_k_within
from url_viz.pipeline.twins import is_representative, pair_matrix, twin_representatives
from url_viz.pipeline.whitening import whitened_rows
from url_viz.reading import embed_folder
from url_viz.store.tables.tables import Graph, positions_of

FIGURES = Path(__file__).parents[1] / "experiments" / "second_model.json"
COSTS = FIGURES.with_name("second_model_cost.json")
SEED, DIGITS = 0, 4
ORDERS, OUTCOMES = ("confusability", "ambiguity"), ("N", "P")
SPACES = {
    "recall@1, first": "nearest is right, first",
    "second": "second",
    "joined": "side by side",
    "joined confusability, its own N": "confusability there, N",
    "joined confusability, P": "P",
}
VIEWS = {
    "views: recall@1": "views: nearest is right",
    "views: N, two, gain": "confusability gains, N",
    "views: P, two, gain": "P",
}
"""Columns of the table of spaces, as they are told."""
OVER = {
    "second": "recall@1, first",
    "joined": "recall@1, first",
    "views: recall@1": "recall@1, first",
    "joined confusability, its own N": "confusability, N, two",
    "joined confusability, P": "confusability, P, two",
}
"""What a column of them gains, over which other one."""
MIXED_IN = 0.3
"""Of the mean variance between views, added to each direction before it is divided by."""

Floats = NDArray[np.floating]
Bools = NDArray[np.bool_]


def main() -> None:
    """Measure and print, or print again."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="*", type=Path)
    parser.add_argument("--also", default=SECOND_MODELS[0])
    parser.add_argument("--probe", default="tf_efficientnet_lite1", help="the third backbone, for P")
    parser.add_argument("--limit", type=int, help="at most so many pictures of a folder")
    parser.add_argument("--views", type=int, default=0, help="so many pictures are viewed three times more")
    parser.add_argument("--cost", action="store_true", help="also take the time of reading")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    given.json = given.json or (COSTS if given.cost else FIGURES)
    if given.photos:
        config = {"model": DEFAULT, "also": given.also, "probe": given.probe, "limit": given.limit}
        config |= {"views": given.views, "seed": SEED} | ({"machine": machine()} if given.cost else {})
        write_figures({"config": config, "sets": measured(given)}, given.json, digits=DIGITS)
    found = read_figures(given.json)
    tables = (table_of_costs,) if given.cost else (table_of_leads, table_of_orders, table_of_spaces)
    print("\n\n".join(table(found) for table in tables))


def measured(given: argparse.Namespace) -> dict[str, dict[str, object]]:
    """The figures of each folder by its name, with what reading cost if that is wanted."""
    found = {}
    with tempfile.TemporaryDirectory() as place:
        models = [load_model(name, workspace=place) for name in (DEFAULT, given.also, given.probe)]
        if given.cost:
            with tempfile.TemporaryDirectory() as warm:  # the first map of a process compiles UMAP
                embed_folder(given.photos[0], model=models[0], workspace=warm, limit=20)
        for folder in given.photos:
            if not given.cost:
                embed_folder(folder, model=models[0], also=models[1], workspace=place, limit=given.limit)
            seconds = cost(folder, models, place, given.limit) if given.cost else {}
            found[folder.name] = figures(Case(folder, models, place, given.limit), given.views) | seconds
            print(f"{folder.name}: done", file=sys.stderr)
    return found


def cost(folder: Path, models: list[Model], place: str, limit: int | None) -> dict[str, object]:
    """Processor seconds to read a folder, graph and map too; in `place` one model after the other, as of new sets."""
    first, second, _ = models

    def seconds(model: Model, workspace: str, **options: object) -> float:
        start = processor_seconds()
        embed_folder(folder, model=model, workspace=workspace, limit=limit, **options)  # type: ignore[arg-type]
        return processor_seconds() - start

    found = {"first": seconds(first, place), "then second": seconds(first, place, also=second)}
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        return found | {"second alone": seconds(second, one), "at once": seconds(first, other, also=second)}


@dataclass
class Case:
    """One folder as both models have read it, and where a probe on the third is wrong."""

    folder: Path
    models: list[Model]
    place: str
    limit: int | None

    @cached_property
    def by_both(self) -> ImageSet:
        return open_image_set(self.folder, model=self.models[0].name, workspace=self.place)

    @cached_property
    def by_second(self) -> ImageSet:
        return open_image_set(self.folder, model=self.models[1].name, workspace=self.place).single_model

    @cached_property
    def graph(self) -> Graph:
        assert self.by_both.core.graph is not None
        return self.by_both.core.graph

    @cached_property
    def table(self) -> pd.DataFrame:
        """The rows of `by_both.table()`, one a content, in the order of the graph."""
        return self.of(self.by_both)

    def of(self, image_set: ImageSet) -> pd.DataFrame:
        """The rows of a table, one a content, in the order of the graph."""
        return image_set.table().iloc[self.rows_of(image_set)]

    @cached_property
    def label(self) -> NDArray[np.int32]:
        return pd.factorize(self.table["label"], sort=True)[0].astype(np.int32)

    @cached_property
    def is_probe_wrong(self) -> Bools:
        with tempfile.TemporaryDirectory() as place:
            third = embed_folder(self.folder, model=self.models[2], workspace=place, limit=self.limit)
            rows = third.core.whitened.rows[self.rows_of(third)]
        return probe_errors(rows, self.label, twin_representatives(self.graph.twins))

    def wrong(self, graph: Graph) -> Bools:
        """Whether the nearest of each has another class."""
        return self.label[graph.position[:, 0]] != self.label

    def rows_of(self, image_set: ImageSet) -> NDArray[np.int64]:
        """A row of an image set for each content of the graph."""
        first, row = np.unique(image_set.core.contents, return_index=True)
        return row[positions_of(self.graph.content, first)]


def figures(case: Case, views: int) -> dict[str, object]:
    """What is true of one set."""
    both, alone = case.table, case.of(case.by_both.single_model)
    found: dict[str, object] = {"pictures": len(case.table)}
    outcomes = {"N": case.wrong(case.graph), "P": case.is_probe_wrong}
    for measure in ("confusability", "ambiguity"):
        for outcome, is_wrong in outcomes.items():
            values = [auroc(table[measure].to_numpy(), is_wrong) for table in (alone, both)]
            found |= {f"{measure}, {outcome}, one": values[0], f"{measure}, {outcome}, two": values[1]}
    second = case.by_second
    assert second.core.graph is not None
    own = {"N": case.wrong(second.core.graph), "P": case.is_probe_wrong}
    for measure in ORDERS:
        by_second = case.of(second)[measure].to_numpy()
        found |= {f"{measure}, {outcome}, second": auroc(by_second, is_wrong) for outcome, is_wrong in own.items()}
    rows = [one.core.whitened.rows[case.rows_of(one)] for one in (case.by_both, second)]
    first = case.graph
    among = np.flatnonzero(is_representative(first.twins))
    nearest = top_k_within(side_by_side(*rows), K, among=among, exclude=pair_matrix(first.twins).__getitem__)
    joined = replace(first, position=nearest.position, similarity=nearest.similarity)
    value = confusability(joined.position, joined.similarity, representative=twin_representatives(joined.twins))[0]
    found |= {
        "recall@1, first": float(1 - case.wrong(case.graph).mean()),
        "second": float(1 - case.wrong(second.core.graph).mean()),
        "joined": float(1 - case.wrong(joined).mean()),
        "joined confusability, its own N": auroc(value, case.wrong(joined)),
        "joined confusability, P": auroc(value, case.is_probe_wrong),
    }
    return found | (of_views(case, views) if views else {})


def of_views(case: Case, count: int) -> dict[str, object]:
    """Confusability, by one and by both, in spaces in which what varies between views counts less."""
    graphs, spaces = [], []
    for image_set, model in ((case.by_both, case.models[0]), (case.by_second, case.models[1])):
        raw = image_set.embeddings()[case.rows_of(image_set)]
        rows = whitened_rows(case.graph.content, toned(raw, *viewed(image_set, model, case.graph.content, count)))
        spaces.append(rows.rows)
        graphs.append(build_graph(rows, raw))
    first, second = graphs
    representative = twin_representatives(first.twins)
    one = confusability(first.position, first.similarity, representative=representative)[0]
    near = np.einsum("ma,ma->m", spaces[1].astype(np.float32), spaces[1][first.position[:, 0]].astype(np.float32))
    lists = Lists(second.position, second.similarity, near)
    two = confusability(first.position, first.similarity, others=[lists], representative=representative)[0]
    is_wrong, both = case.wrong(first), case.table["confusability"].to_numpy()
    return {
        "views: recall@1": float(1 - is_wrong.mean()),
        "views: N, one": auroc(one, is_wrong),
        "views: N, two": auroc(two, is_wrong),
        "views: P, one": auroc(one, case.is_probe_wrong),
        "views: P, two": auroc(two, case.is_probe_wrong),
        "views: N, two, gain": auroc(two, is_wrong) - auroc(both, case.wrong(case.graph)),
        "views: P, two, gain": auroc(two, case.is_probe_wrong) - auroc(both, case.is_probe_wrong),
    }


def viewed(
    image_set: ImageSet, model: Model, content: NDArray[np.int64], count: int
) -> tuple[NDArray[np.int64], Floats]:
    """Rows (V,) of the graph drawn by dice, and embeddings (V, 3, D): mirrored, and two smaller squares."""
    sheet, rng = model.space.preprocessing, np.random.default_rng(SEED)
    rows = np.sort(rng.choice(len(content), min(count, len(content)), replace=False))
    ids = dict(zip(image_set.core.contents.tolist(), image_set.core.ids.tolist(), strict=True))
    found = []
    for row in rows:
        image, _ = decode(read_file(os.fsencode(image_set.files.path(ids[int(content[row])]))))
        crops = [middle(resized(image, sheet), sheet.size_px)[:, ::-1]]
        for _ in range(2):
            side = np.sqrt(rng.uniform(0.5, 0.9)) * min(image.size)
            left, top = (rng.uniform(0, length - side) for length in image.size)
            box = (left, top, left + side, top + side)
            crops.append(np.asarray(image.resize((sheet.size_px,) * 2, Image.Resampling.BICUBIC, box=box)))
        found.append(model.run(np.ascontiguousarray(np.stack(crops))).embedding)
    return rows, np.stack(found)


def toned(raw: Floats, rows: NDArray[np.int64], views: Floats) -> Floats:
    """Embeddings (M, D) less their mean, divided by the root of the variance between views of one picture."""
    unit = l2_normalize(raw).astype(np.float64)
    together = np.concatenate(
        [unit[rows][:, None], l2_normalize(views.reshape(-1, views.shape[2])).reshape(views.shape)], axis=1
    )
    apart = (together - together.mean(axis=1, keepdims=True)).reshape(-1, unit.shape[1])
    variance, axes = np.linalg.eigh(apart.T @ apart / len(apart))
    variance = np.maximum(variance, 0)
    divided = (unit - unit.mean(axis=0)) @ (axes * (variance + MIXED_IN * variance.mean()) ** -0.5) @ axes.T
    return divided.astype(np.float32)


def table_of_orders(found: dict[str, Any]) -> str:
    """R-AUROC of confusability and ambiguity, N and P, by one model and by two."""
    columns = [f"{measure}, {outcome}, {by}" for measure in ORDERS for outcome in OUTCOMES for by in ("one", "two")]
    head = [name if name.endswith(", one") else "two" for name in columns]
    gains = {name: name.removesuffix("two") + "one" for name in columns if name.endswith(", two")}
    return markdown(["set", *head], _rows(found, columns, gains))


def table_of_leads(found: dict[str, Any]) -> str:
    """Mean R-AUROC by each model alone and by both, and how far both lead, with Student's intervals over the sets.

    For N the second alone is measured about its own nearest, and another outcome has no lead.
    """
    rows = []
    for measure in ORDERS:
        for outcome in OUTCOMES:
            one, second, two = (
                np.array([figures[f"{measure}, {outcome}, {by}"] for figures in found["sets"].values()])
                for by in ("one", "second", "two")
            )
            leads = [two - one, *([two - second] if outcome == "P" else [])]
            told = [cell(mean_by_t(lead.tolist(), least=-1.0), signed=True) for lead in leads]
            means = [cell(float(each.mean())) for each in (one, second, two)]
            rows.append([measure, outcome, *means, *told, *([] if outcome == "P" else ["–"])])
    head = ["order", "on", "first alone", "second alone", "both", "both over first", "both over second"]
    return markdown(head, rows)


def table_of_costs(found: dict[str, Any]) -> str:
    """Processor seconds by one model and by two, and the truth of the orders of the same run."""
    gains = ("confusability, N", "ambiguity, P")
    rows = []
    for name, one in found["sets"].items():
        total = one["first"] + one["then second"]
        times = [one["first"], total, total / one["first"], one["at once"] / (one["first"] + one["second alone"])]
        truths = (f"{_cell(one[f'{gain}, one'], gain)} → {_cell(one[f'{gain}, two'], gain)}" for gain in gains)
        shown = (f"{value:.{digits}f}" for value, digits in zip(times, (0, 0, 2, 2), strict=True))
        rows.append([name, f"{one['pictures']:,}", *shown, *truths])
    head = (
        "set",
        "pictures",
        "one model, processor s",
        "with the second after it",
        "of one",
        "both at once, of both alone",
        *gains,
    )
    return markdown(list(head), rows)


def table_of_spaces(found: dict[str, Any]) -> str:
    """How often the nearest is right to each model and in other spaces, and confusability about the nearest there."""
    told = {**SPACES, **VIEWS} if found["config"]["views"] else SPACES
    gains = {name: OVER.get(name) for name in told if name in OVER or name.endswith(", gain")}
    return markdown(["set", *told.values()], _rows(found, list(told), gains))


def _rows(found: dict[str, Any], columns: Sequence[str], gains: Mapping[str, str | None]) -> list[list[str]]:
    """A row a set, one of means, and one of half the width of the 95 % intervals of gains over the sets.

    `gains` has by column what its gain is over: another column, or nothing where it is a gain itself.
    """
    table = pd.DataFrame(found["sets"]).T.drop(columns="pictures").astype(float)
    rows = [[_named(name, found), *(_cell(table.loc[name, one], one) for one in columns)] for name in table.index]
    if len(table) < 2:
        return rows
    width = student.ppf(0.975, len(table) - 1) / np.sqrt(len(table))
    halves = {one: width * (table[one] - (table[over] if over else 0)).std() for one, over in gains.items()}
    means = [_cell(table[one].mean(), one) for one in columns]
    ends = [f"{halves[one]:.3f}".replace("0.", ".") if one in halves else "" for one in columns]
    return [*rows, ["**mean**", *means], ["± of the gain", *ends]]


def _named(name: str, found: dict[str, Any]) -> str:
    count = found["sets"][name]["pictures"]
    shown = f"{name}, {count:,}" if count == found["config"]["limit"] else name
    return f"{shown} (report)" if name in SETS["report"] else shown


def _cell(value: float, name: str) -> str:
    return (f"{value:+.3f}" if name.endswith(", gain") else f"{value:.3f}").replace("0.", ".")


if __name__ == "__main__":
    main()
