"""The contents of a report as plain values: counts, galleries, classes, reasons, figures."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.analysis.evaluation import CountedPictures, MeasureFigures, by_class
from url_viz.analysis.findings import Finding
from url_viz.analysis.measures import UNCERTAINTY, is_measure, measure_named, title_of
from url_viz.analysis.ranking import ends, with_percentile
from url_viz.analysis.reasons import reason_counts
from url_viz.analysis.worth import Worth
from url_viz.export.provenance import Provenance
from url_viz.image_set import ImageSet

GALLERY = 18
CLASSES_SHOWN = 12
CLASS_GALLERY = 3


@dataclass(frozen=True)
class ClassFacts:
    """One class: its pictures, mean percentile of the measure, recall@1 (nan: not counted), and both ends."""

    name: str
    pictures: int
    mean_percentile: float
    recall: float
    ambiguous: pd.DataFrame
    clear: pd.DataFrame


@dataclass(frozen=True)
class ReportFacts:
    """The contents of a report, except the map.

    `table` has the pictures of the report, with `rank_percentile` of `measure` within the whole image set (`whole`
    pictures); `reason` says why that measure leads. `ambiguous` and `clear` are its two ends, one per group of twins.
    `classes` are the largest of `class_count`. `reasons` (what explains most first), `decisions` and
    `failures` pair names with counts; `shared_reasons` are sentences on what nearly all pictures of the set share;
    `evaluated`, `findings` and `worth`, None if nothing was dropped or corrected, are of the whole image set.
    """

    title: str
    provenance: Provenance
    measure: str
    reason: str
    table: pd.DataFrame
    whole: int
    ambiguous: pd.DataFrame
    clear: pd.DataFrame
    classes: tuple[ClassFacts, ...]
    class_count: int
    twin_groups: int
    twins: int
    reasons: tuple[tuple[str, int], ...]
    shared_reasons: tuple[str, ...]
    decisions: tuple[tuple[str, int], ...]
    failures: tuple[tuple[str, int], ...]
    evaluated: tuple[MeasureFigures, ...]
    pictures_evaluated: CountedPictures | None
    worth: Worth | None
    findings: tuple[Finding, ...]
    is_of_objects: bool

    @property
    def unit(self) -> str:
        return "objects" if self.is_of_objects else "pictures"

    @property
    def is_selection(self) -> bool:
        return len(self.table) != self.whole


def facts_of(image_set: ImageSet, table: pd.DataFrame, *, title: str, source: Provenance) -> ReportFacts:
    """The facts of the pictures of `table`, rows of `image_set.table()` with `rank_percentile`."""
    measure = measure_of(image_set)
    both = ends(table, by=measure)
    evaluated = image_set.evaluate()
    pictures = None if evaluated is None else evaluated.pictures
    groups, members = _twins(table)
    return ReportFacts(
        title=title,
        provenance=source,
        measure=measure,
        reason=image_set.order().reason,
        table=table,
        whole=len(image_set),
        ambiguous=both.ambiguous.head(GALLERY),
        clear=both.clear.head(GALLERY),
        classes=_classes(image_set, table, measure, pictures),
        class_count=int(table["label"].nunique()),
        twin_groups=groups,
        twins=members,
        reasons=tuple(reason_counts(table["reasons"], image_set.reason_names()).items()),
        shared_reasons=tuple(shared.words for shared in image_set.shared_reasons()),
        decisions=decision_counts(table),
        failures=_counts(image_set.failures()["reason"]),
        evaluated=() if evaluated is None else evaluated.measures,
        pictures_evaluated=pictures,
        worth=image_set.labels.worth() if image_set.labels.is_reviewed() else None,
        findings=image_set.findings(),
        is_of_objects=image_set.is_of_objects,
    )


def measure_of(image_set: ImageSet) -> str:
    """The measure that a report orders by: the leading one, else the first that has values."""
    return image_set.order().measure or next(iter(image_set.measures()), UNCERTAINTY.name)


def ranked(image_set: ImageSet) -> pd.DataFrame:
    """The table of an image set with the percentile of its report's measure as `rank_percentile`."""
    return with_percentile(image_set.table(), measure_of(image_set))


def titled(measure: str) -> str:
    """A measure within a sentence, a baseline as one; a user's column by its own name."""
    if not is_measure(measure):
        return measure
    return f"{title_of(measure).lower()}{' (baseline)' if measure_named(measure).is_baseline else ''}"


def decision_counts(table: pd.DataFrame) -> tuple[tuple[str, int], ...]:
    """Number of pictures by decision; empty if nothing is decided."""
    return _counts(table["decision"].dropna()) if "decision" in table else ()


def _counts(values: Iterable[object]) -> tuple[tuple[str, int], ...]:
    count_of = Counter(map(str, values))
    return tuple(sorted(count_of.items(), key=lambda pair: (-pair[1], pair[0])))


def _twins(table: pd.DataFrame) -> tuple[int, int]:
    """Number of groups of twins, and of pictures in them."""
    sizes = table["twin_group"].value_counts().to_numpy()
    return int((sizes > 1).sum()), int(sizes[sizes > 1].sum())


def _classes(
    image_set: ImageSet, table: pd.DataFrame, measure: str, pictures: CountedPictures | None
) -> tuple[ClassFacts, ...]:
    sizes = table["label"].value_counts()
    recall = {} if pictures is None else _recall_of(pictures)
    chosen = sorted(sizes.items(), key=lambda pair: (-int(pair[1]), str(pair[0])))[:CLASSES_SHOWN]
    return tuple(_class(table[table["label"] == name], str(name), measure, recall) for name, _ in chosen)


def _recall_of(pictures: CountedPictures) -> dict[str, float]:
    table = by_class(pictures, next(iter(pictures.values)))
    return dict(zip(table["label"].astype(str), table["recall"].astype(float), strict=True))


def _class(rows: pd.DataFrame, name: str, measure: str, recall: dict[str, float]) -> ClassFacts:
    both = ends(rows, by=measure)
    ranks: NDArray[np.float64] = rows["rank_percentile"].to_numpy(dtype=float)
    return ClassFacts(
        name=name,
        pictures=len(rows),
        mean_percentile=float(np.nanmean(ranks)) if np.isfinite(ranks).any() else float("nan"),
        recall=recall.get(name, float("nan")),
        ambiguous=both.ambiguous.head(CLASS_GALLERY),
        clear=both.clear.head(CLASS_GALLERY),
    )
