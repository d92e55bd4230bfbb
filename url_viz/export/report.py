"""The HTML report of an image set or of a selection: one self-contained file that loads nothing from the network."""

import datetime
from collections.abc import Iterable
from contextlib import suppress
from itertools import chain
from pathlib import Path

import numpy as np

from url_viz.errors import ImageError, ImageSetError
from url_viz.export.provenance import provenance
from url_viz.export.report_facts import ReportFacts, facts_of, ranked
from url_viz.export.report_map import MapPoints, map_points, with_thumbnails
from url_viz.export.report_page import page_file, page_of
from url_viz.export.report_thumbnails import inlined
from url_viz.export.table_files import write_bytes
from url_viz.export.whole_picture import with_boxes
from url_viz.image_set import ImageSet

GALLERY_PX, CLASS_PX, HOVER_PX, WHOLE_PX = 128, 72, 64, 320
WHOLES = 6
"""So many objects of each gallery are shown in their pictures, too."""
MOST_HOVER_BYTES = 1_300_000


def write_report(
    image_set: ImageSet,
    path: str | Path,
    *,
    ids: Iterable[int] | None = None,
    title: str | None = None,
    with_folder: bool = False,
) -> Path:
    """Write `report_html` to a .html file, atomically; returns its path.

    Raises FolderError for another extension, or a path that cannot be written or is in no folder; ImageSetError if
    `ids` name no picture.
    """
    target = page_file(path)
    page = report_html(image_set, ids=ids, title=title, with_folder=with_folder)
    return write_bytes(page.encode("utf-8"), target)


def report_html(
    image_set: ImageSet,
    *,
    ids: Iterable[int] | None = None,
    title: str | None = None,
    with_folder: bool = False,
    now: datetime.datetime | None = None,
) -> str:
    """The report of all pictures, or of those in `ids`, as the text of one HTML page of at most about 3 MB.

    Percentiles are those within the whole image set. `title` is the set's name by default; the folder's path is
    included only `with_folder`. Raises ImageSetError if there is nothing to report, or an id is not in the set.
    """
    table = ranked(image_set)
    if ids is not None:
        table = table.iloc[np.unique(image_set.rows_of(ids))].reset_index(drop=True)
    if table.empty:
        raise ImageSetError(f"There is no picture to report of {str(image_set.root)!r}. Choose some, or read it first.")
    source = provenance(image_set, with_folder=with_folder, now=now)
    facts = facts_of(image_set, table, title=title or source.name, source=source)
    return _page(image_set, facts, map_points(table))


def _page(image_set: ImageSet, facts: ReportFacts, points: MapPoints) -> str:
    ends = [rows["id"] for row in facts.classes for rows in (row.ambiguous, row.clear)]
    return page_of(
        facts,
        points,
        large=inlined(image_set, [*facts.ambiguous["id"], *facts.clear["id"]], side_px=GALLERY_PX),
        small=inlined(image_set, chain.from_iterable(ends), side_px=CLASS_PX),
        hover=_hover_thumbnails(image_set, facts, points),
        wholes=_wholes(image_set, [*facts.ambiguous["id"].head(WHOLES), *facts.clear["id"].head(WHOLES)]),
    )


def _wholes(image_set: ImageSet, ids: Iterable[int]) -> dict[int, str]:
    """Objects in their pictures, by id; those whose picture cannot be read are left out."""
    drawn = {}
    for image_id in ids if image_set.is_of_objects else ():
        with suppress(ImageError):
            if (whole := image_set.objects.whole(image_id)) is not None:
                drawn[int(image_id)] = with_boxes(whole, most_px=WHOLE_PX, is_named=False)
    return drawn


def _hover_thumbnails(image_set: ImageSet, facts: ReportFacts, points: MapPoints) -> dict[int, str]:
    """Thumbnails by index into the points, of a sample that is spread over the map."""
    positions = with_thumbnails(points, facts.table["rank_percentile"].to_numpy(dtype=float))
    ids = facts.table["id"].to_numpy()[points.rows[positions]]
    thumbnails = inlined(image_set, ids.tolist(), side_px=HOVER_PX)
    while sum(map(len, thumbnails.values())) > MOST_HOVER_BYTES:  # noise compresses badly: drop every other one
        thumbnails = dict(list(thumbnails.items())[::2])
    return {int(p): thumbnails[int(i)] for p, i in zip(positions, ids, strict=True) if int(i) in thumbnails}
