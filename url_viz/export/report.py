"""The HTML report of an image set or of a selection: one self-contained file that loads nothing from the network."""

import datetime
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from url_viz.analysis.evidence.evaluation import NEAREST, Evaluated, by_class
from url_viz.analysis.evidence.worth import Worth
from url_viz.analysis.findings.reasons import reason_counts
from url_viz.analysis.findings.twin_groups import COPIES
from url_viz.analysis.measures import AMBIGUITY, CONFUSABILITY, UNCERTAINTY, has_values, measure_named, measure_title
from url_viz.analysis.order import plain_words
from url_viz.analysis.ranking import ends, with_percentile
from url_viz.analysis.review.set_progress import TO_GO, progress_counts
from url_viz.analysis.shown_words import shown_reason
from url_viz.errors import ImageError, ImageSetError
from url_viz.export.inline_pictures import inlined, with_boxes
from url_viz.export.live_report import live_part
from url_viz.export.provenance import provenance
from url_viz.export.report_map import MapPoints, evenly, layers_of, map_points
from url_viz.export.report_page import filled, for_html, page_file, page_script, shortened, titled
from url_viz.export.table_files import write_bytes
from url_viz.image_set import ImageSet

GALLERY_PX, CLASS_PX, HOVER_PX, WHOLE_PX = 128, 72, 64, 320
GALLERY, CLASSES_SHOWN, CLASS_GALLERY = 18, 12, 3
WHOLES = 6
"""So many objects of each gallery are shown in their pictures, too."""
MOST_LIVE = 5_000
MOST_HOVER, MOST_HOVER_BYTES = 800, 1_300_000


def write_report(
    image_set: ImageSet,
    path: str | Path,
    *,
    ids: Iterable[int] | None = None,
    title: str | None = None,
    with_folder: bool = False,
    is_live: bool = True,
) -> Path:
    """Write `report_html` to a .html file, atomically; returns its path.

    Raises FolderError for another extension, or a path that cannot be written or is in no folder; UsageError for one
    among the pictures, ImageSetError if `ids` name no picture.
    """
    target = page_file(path, image_set.root)
    page = report_html(image_set, ids=ids, title=title, with_folder=with_folder, is_live=is_live)
    return write_bytes(page.encode("utf-8"), target)


def report_html(
    image_set: ImageSet,
    *,
    ids: Iterable[int] | None = None,
    title: str | None = None,
    with_folder: bool = False,
    is_live: bool = True,
    now: datetime.datetime | None = None,
) -> str:
    """The report of all pictures, or of those in `ids`, as the text of one HTML page.

    It has Explore's map and grid, to hover over, lasso and filter, if it `is_live` and of MOST_LIVE pictures at most,
    which takes some 2 to 5 kB each; else a drawing of the map, and at most about 3 MB. Percentiles are those within the
    whole image set. `title` is the set's name by default; the folder's path is included only `with_folder`. Raises
    ImageSetError if there is nothing to report, or an id is not in the set.
    """
    table, measure = ranked_pictures(image_set), measure_of(image_set)
    if ids is not None:
        table = table.iloc[np.unique(image_set.core.rows_of(ids))].reset_index(drop=True)
    if table.empty:
        raise ImageSetError(f"There is no picture to report of {str(image_set.root)!r}. Choose some, or read it first.")
    source = provenance(image_set, with_folder=with_folder, now=now)
    points, evaluated, counts = map_points(table), image_set.evaluate(), _counts(image_set, table)
    live = live_part(image_set, table, measure) if is_live and len(points) and len(table) <= MOST_LIVE else None
    return filled(
        "report.html",
        script=page_script("report.js") if live is None else live.script,
        live=live,
        live_data="" if live is None else for_html(live.data),
        most_live=MOST_LIVE if is_live else None,
        **counts,
        **_galleries(image_set, table, measure, evaluated),
        title=title or source.name,
        provenance=source,
        measure=measure,
        reason=plain_words(image_set.order()),
        count=len(table),
        whole=len(image_set),
        is_selection=len(table) != len(image_set),
        unit=f"{image_set.noun}s",
        findings=image_set.findings(),
        meanings=_meanings(table, measure),
        points=points,
        layers=layers_of(points, table, measure),
        data="" if live is not None else _hover_data(image_set, table, points, measure),
        evaluated=evaluated,
        cautions=[] if evaluated is None else _cautions(evaluated),
        **_worth(image_set),
    )


def measure_of(image_set: ImageSet) -> str:
    """The measure that a report orders by: the leading one, else the first that has values."""
    return image_set.order().measure or next(iter(image_set.measures()), UNCERTAINTY.name)


def ranked_pictures(image_set: ImageSet) -> pd.DataFrame:
    """The table of an image set with the percentile of its report's measure as `rank_percentile`."""
    return with_percentile(image_set.table(), measure_of(image_set))


def _counts(image_set: ImageSet, table: pd.DataFrame) -> dict[str, Any]:
    """What is counted, by name; reasons and failures as pairs with their counts, the most first."""
    groups = table["twin_group"].value_counts()
    groups = groups[groups > 1]
    copies = table[COPIES].value_counts()
    reasons = reason_counts(table["reasons"], image_set.reason_names())
    return {
        "class_count": int(table["label"].nunique()),
        "twin_groups": len(groups),
        "twins": int(groups.sum()),
        "copies": int((copies - 1).sum()),
        "reasons": [(shown_reason(name), count) for name, count in reasons.items()],
        "shared_reasons": [shared.words for shared in image_set.shared_reasons()],
        "reviewed": [(part, count) for part, count in progress_counts(table).items() if part != TO_GO],
        "failures": _most_common(image_set.failures()["reason"]),
    }


def _most_common(values: Iterable[object]) -> list[tuple[str, int]]:
    return Counter(sorted(map(str, values))).most_common()


def _galleries(
    image_set: ImageSet, table: pd.DataFrame, measure: str, evaluated: Evaluated | None
) -> dict[str, object]:
    """Both ends of the set and of its largest classes, one per group of twins, with their pictures by id."""
    both = ends(table, by=measure)
    sides = both.ambiguous.head(GALLERY), both.clear.head(GALLERY)
    classes = _classes(table, measure, evaluated)
    small = chain.from_iterable([*gallery["ambiguous"]["id"], *gallery["clear"]["id"]] for gallery in classes)
    return {
        "ambiguous": sides[0],
        "clear": sides[1],
        "classes": classes,
        "thumbnails": inlined(image_set.core, pd.concat(sides)["id"], side_px=GALLERY_PX),
        "small": inlined(image_set.core, small, side_px=CLASS_PX),
        "wholes": _wholes(image_set, pd.concat([side.head(WHOLES) for side in sides])["id"]),
    }


def _classes(table: pd.DataFrame, measure: str, evaluated: Evaluated | None) -> list[dict[str, Any]]:
    """The largest classes, the most ambiguous by its mean percentile first; recall@1 is nan where it is not known."""
    recall: dict[str, float] = {}
    if evaluated is not None:
        counted = by_class(evaluated.pictures, next(iter(evaluated.pictures.values)))
        recall = dict(zip(counted["label"].astype(str), counted["recall"].astype(float), strict=True))
    class_rows = []
    for name, count in _most_common(table["label"].dropna())[:CLASSES_SHOWN]:
        rows = table[table["label"] == name]
        both = ends(rows, by=measure)
        class_rows.append(
            {
                "name": name,
                "pictures": count,
                "mean_percentile": float(rows["rank_percentile"].mean()),
                "recall": recall.get(name, float("nan")),
                "ambiguous": both.ambiguous.head(CLASS_GALLERY),
                "clear": both.clear.head(CLASS_GALLERY),
            }
        )
    return sorted(class_rows, key=lambda row: -np.nan_to_num(row["mean_percentile"], nan=-1.0))


def _wholes(image_set: ImageSet, ids: Iterable[int]) -> dict[int, str]:
    """Objects in their pictures, by id; those whose picture cannot be read are left out."""
    drawn = {}
    for image_id in ids if image_set.is_of_objects else ():
        with suppress(ImageError):
            if (whole := image_set.objects.whole(image_id)) is not None:
                drawn[int(image_id)] = with_boxes(whole, most_px=WHOLE_PX, is_named=False)
    return drawn


def _meanings(table: pd.DataFrame, measure: str) -> list[tuple[str, str]]:
    names = dict.fromkeys([measure, AMBIGUITY.name, CONFUSABILITY.name, UNCERTAINTY.name])
    return [(measure_title(name), measure_named(name).meaning) for name in names if has_values(table, name)]


def _hover_data(image_set: ImageSet, table: pd.DataFrame, points: MapPoints, measure: str) -> str:
    """The hover card of each point, as JSON escaped for HTML; some of many points have a thumbnail."""
    rows = table.iloc[points.rows]
    ids = rows["id"].tolist()
    shown = evenly(len(points), MOST_HOVER).tolist()
    inline = inlined(image_set.core, [ids[row] for row in shown], side_px=HOVER_PX)
    thumbnails = {str(row): inline[ids[row]] for row in shown if ids[row] in inline}
    while sum(map(len, thumbnails.values())) > MOST_HOVER_BYTES:  # noise compresses badly: drop every other one
        thumbnails = dict(list(thumbnails.items())[::2])
    record = {
        "x": points.x.tolist(),
        "y": points.y.tolist(),
        "name": [shortened(path) for path in rows["path"]],
        "rank": [None if np.isnan(rank) else round(float(rank)) for rank in rows["rank_percentile"]],
        "id": [str(image_id) for image_id in ids],
        "measure": titled(measure),
        "thumbnail": thumbnails,
    }
    return for_html(record)


def _cautions(evaluated: Evaluated) -> list[str]:
    """What to bear in mind with the figures of the measures that are there."""
    names = {measured.name for measured in evaluated.measures}
    cautions = {
        f"{AMBIGUITY.title} uses these classes, but never a picture's own label or a copy's; the others use none.": {
            AMBIGUITY.name
        },
        "Confusability is computed from the very neighbours whose correctness it predicts; nearest similarity is its "
        "baseline.": {CONFUSABILITY.name, NEAREST},
    }
    return [*filter(None, [evaluated.gaps]), *(words for words, needed in cautions.items() if needed <= names)]


def _worth(image_set: ImageSet) -> dict[str, object]:
    """What the decisions on the whole set were worth, and the classes that gained or lost most by them."""
    worth: Worth | None = image_set.labels.worth() if image_set.labels.is_reviewed() else None
    changed: Sequence[dict[Any, Any]] = []
    if worth is not None and len(worth.differing):
        most = worth.differing["difference"].abs().nlargest(CLASSES_SHOWN).index
        changed = worth.differing.loc[sorted(most)].to_dict("records")
    return {"worth": worth, "changed_classes": changed}
