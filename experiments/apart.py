"""What near copies of one patient do to witnesses, kept apart or not: `python -m experiments.apart --photos PHOTOS`.

PHOTOS holds class folders. Of 600 pictures of a set eight views each are cut, as eight pictures of one patient: crops
of half of the area and more, mirrored or not, in other light. They are nearly alike and mostly no twins. Outcome P are
patients whose picture a probe of another backbone calls wrong that has not seen it. Labels are planted wrong patient by
patient. Intervals are over patients, 95 %. The figures go to apart.json; without PHOTOS the table that docs/labels.md
quotes is printed from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Doc

from experiments.figure_files import read_figures, write_figures
from training.augment import draw_view
from training.benchmark.labelled import probe_errors
from training.command import command, markdown
from training.config import Augmentation
from training.holdout import find_space
from url_viz.base.rows import l2_normalize
from url_viz.base.wording import with_interval
from url_viz.evidence.order_metrics import Figure, auroc_influence, share_by_blocks
from url_viz.imaging.decode import decode, middle, resized
from url_viz.imaging.scan import scan
from url_viz.labels.ambiguity import Classified, classify
from url_viz.labels.apart import near_pairs, suggest
from url_viz.labels.label_issues import LIKELY_WRONG, judge_labels
from url_viz.labels.votes import Codes
from url_viz.models.model import Model, load_model
from url_viz.models.model_names import DEFAULT
from url_viz.pipeline.graph import apart_graph
from url_viz.pipeline.twins import source_groups
from url_viz.pipeline.whitening import whitened_rows
from url_viz.store.tables.tables import Graph

FIGURES = Path(__file__).with_suffix(".json")
SETS = ("trash", "scenes")
PATIENTS, VIEWS = 600, 8
PROBE_MODEL = "tf_efficientnet_lite2"
AUGMENTATION = Augmentation(smallest_share=0.5, jitter=0.2)
PLANTED, DRAWS = 0.1, 3
CLEAR = 0.9
WAYS = ("one picture a patient", "eight, not kept apart", "eight, kept apart")

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class ApartStudy:
    """Measure how near copies of one patient inflate what is told of a set, or print what was measured."""

    photos: Annotated[Path | None, Doc("Folder of the sets; without it the stored figures are printed.")] = None


@dataclass(frozen=True)
class Way:
    """Pictures as an image set has them: `graph` with what is kept apart, `whitened` rows, `label`, `patient` (N,)."""

    graph: Graph
    whitened: Floats
    label: Codes
    patient: Codes

    def classified(self, label: Codes) -> Classified:
        graph = self.graph
        found = classify(
            graph.position, graph.similarity, self.whitened, label, source_groups(graph.twins, graph.apart)
        )
        assert found is not None
        return found


def main(study: ApartStudy) -> None:
    """Measure, or print what was measured."""
    if study.photos is not None:
        models = load_model(DEFAULT), load_model(PROBE_MODEL)
        write_figures({name: figures_of(study.photos / name, *models) for name in SETS}, FIGURES, digits=5)
    print(table(read_figures(FIGURES)))


def figures_of(folder: Path, model: Model, other: Model) -> dict[str, Any]:
    """The figures of one set, by way."""
    files = scan(folder).files
    rows = np.sort(np.random.default_rng(0).permutation(len(files))[:PATIENTS])
    paths = [files[row].path.decode() for row in rows]
    label = np.unique([path.split("/")[0] for path in paths], return_inverse=True)[1].astype(np.int32)
    whole, views, beside = _embedded([folder / path for path in paths], model, other)
    every = np.arange(PATIENTS).astype(np.int32)
    patient = np.repeat(every, VIEWS)
    is_wrong = probe_errors(whitened_rows(np.arange(PATIENTS), beside).rows, label, every)
    one, eight = _way(whole, label, every), _way(views, label[patient], patient)
    kept = Way(apart_graph(eight.graph, eight.whitened, patient), eight.whitened, eight.label, patient)
    found = zip(WAYS, (one, eight, kept), (is_wrong, is_wrong[patient], is_wrong[patient]), strict=True)
    figures: dict[str, Any] = {name: _of_way(way, of) for name, way, of in found}
    gain = _influence(kept, is_wrong[patient]) - _influence(eight, is_wrong[patient])
    return {
        "ways": figures,
        "gain": _pair(gain.by_blocks(patient, least=-1)),
        "views": _of_views(eight, views),
    }


def _embedded(files: list[Path], model: Model, other: Model) -> tuple[Floats, Floats, Floats]:
    """The embeddings of the pictures (P, D), of VIEWS views of each (P · VIEWS, D), and by another model (P, E)."""
    whole: list[Floats] = []
    views: list[Floats] = []
    beside: list[Floats] = []
    sheet = model.space.preprocessing
    for number, file in enumerate(files):
        image, rng = decode(file.read_bytes(), short_side_px=512)[0], np.random.default_rng([0, number])
        drawn = [draw_view(image, AUGMENTATION, size_px=sheet.size_px, generator=rng) for _ in range(VIEWS)]
        views.append(_run(model, np.stack([view[0] for view in drawn])))
        for found, each in ((whole, model), (beside, other)):
            of = each.space.preprocessing
            found.append(_run(each, middle(resized(image, of), of.size_px)[None]))
    return np.concatenate(whole), np.concatenate(views), np.concatenate(beside)


def _run(model: Model, pixels: NDArray[np.uint8]) -> Floats:
    return model.run(pixels).embedding.astype(np.float16).astype(np.float32)


def _way(embedding: Floats, label: Codes, patient: Codes) -> Way:
    space = find_space(embedding)
    return Way(space.graph, space.whitened.rows.astype(np.float32), label, patient)


def _influence(way: Way, is_wrong: Bools) -> Any:
    return auroc_influence(way.classified(way.label).shares.ambiguity.astype(np.float64), is_wrong)


def _of_way(way: Way, is_wrong: Bools) -> dict[str, Any]:
    classified, nearest = way.classified(way.label), way.graph.position[:, 0]
    is_clear = classified.shares.first_share >= CLEAR
    draws = [_of_planted(way, np.random.default_rng(draw)) for draw in range(DRAWS)]
    found, called = (np.concatenate(part) for part in zip(*draws, strict=True))
    return {
        "recall": _pair(share_by_blocks(way.label[nearest] == way.label, way.patient)),
        "probe": _pair(share_by_blocks(~is_wrong, way.patient)),
        "r_auroc": _pair(_influence(way, is_wrong).by_blocks(way.patient)),
        "clear": _pair(share_by_blocks(is_clear, way.patient)),
        "false_clear": _pair(share_by_blocks(is_clear[is_wrong], way.patient[is_wrong])),
        "wrong_of_clear": _pair(share_by_blocks(is_wrong[is_clear], way.patient[is_clear])),
        "found": _pair(share_by_blocks(found[:, 0] > 0, found[:, 1])),
        "precision": _pair(share_by_blocks(called[:, 0] > 0, called[:, 1])) if len(called) else None,
        "told_wrong": float(np.nanmean(classified.evidence.label_wrong)),
    }


def _of_planted(way: Way, rng: np.random.Generator) -> tuple[Codes, Codes]:
    """Whether each planted error is called one (E, 2), and each that is called one is planted, with its patient."""
    patients, classes = int(way.patient.max()) + 1, int(way.label.max()) + 1
    is_bad = np.isin(way.patient, rng.permutation(patients)[: round(PLANTED * patients)])
    shift = rng.integers(1, classes, patients)[way.patient]
    label = np.where(is_bad, (way.label + shift) % classes, way.label).astype(np.int32)
    evidence = way.classified(label).evidence
    kinds = judge_labels(np.arange(len(label)), label, graph=way.graph, voter=label, evidence=evidence).kind
    is_called = kinds == LIKELY_WRONG
    return (
        np.stack([is_called[is_bad], way.patient[is_bad]], axis=1).astype(np.int32),
        np.stack([is_bad[is_called], way.patient[is_called]], axis=1).astype(np.int32),
    )


def _of_views(way: Way, embedding: Floats) -> dict[str, Any]:
    """How alike views of a patient are, and what is suggested of patients and of codes without meaning."""
    unit = l2_normalize(embedding).reshape(PATIENTS, VIEWS, -1)
    cosine = (unit @ unit.transpose(0, 2, 1))[:, *np.triu_indices(VIEWS, 1)].ravel()
    near = near_pairs(way.graph, embedding.__getitem__)
    dice = np.random.default_rng(0).permutation(way.patient).astype(np.int32)
    found = suggest(near, {"patient": way.patient, "dice": dice, "class": way.label}, way.label)
    return {
        "cosines": np.quantile(cosine, (0.05, 0.25, 0.5, 0.75, 0.95)).tolist(),
        "twins": len(way.graph.twins) / cosine.size,
        "suggested": None if found is None else [found.choice, len(near), found.share, found.by_chance],
    }


def _pair(figure: Figure) -> list[float]:
    return [figure.value, figure.interval.low, figure.interval.high]


def table(figures: Mapping[str, Any]) -> str:
    """The table that docs/labels.md quotes."""
    columns = {
        "recall@1": "recall",
        "told clear": "clear",
        "of the wrong (P), told clear": "false_clear",
        "planted errors found": "found",
        "of found, planted": "precision",
        "R-AUROC of ambiguity (P)": "r_auroc",
    }
    rows = [
        [name, way, *(_shown(of[key]) for key in columns.values())]
        for name, each in figures.items()
        for way, of in each["ways"].items()
    ]
    return markdown(["set", "", *columns], rows)


def _shown(pair: list[float | None] | None) -> str:
    value, low, high = (np.nan if each is None else each for each in (pair or [None] * 3))
    return with_interval(value, low, high)


if __name__ == "__main__":
    command(ApartStudy, main)
