"""The HTML report of an image set or of a selection: one self-contained file that loads nothing from the network."""

import base64
import datetime
import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from url_viz.errors import FolderError, ImageSetError
from url_viz.export import report_parts as parts
from url_viz.export.provenance import provenance
from url_viz.export.report_facts import ReportFacts, facts_of, ranked
from url_viz.export.report_map import MapPoints, map_points, with_thumbnails
from url_viz.export.report_thumbnails import inlined
from url_viz.files import replaced, require_parent
from url_viz.image_set import ImageSet

GALLERY_PX, CLASS_PX, HOVER_PX = 128, 72, 64
MOST_HOVER_BYTES = 1_300_000
_PAGE = Path(__file__).parent / "page"


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
    target = Path(path).expanduser().absolute()
    if target.suffix.lower() not in (".html", ".htm"):
        raise FolderError(f"{target.name!r} does not end in .html. Give the report a name that does.")
    require_parent(target)
    page = report_html(image_set, ids=ids, title=title, with_folder=with_folder)
    try:
        with replaced(target) as temporary:
            temporary.write_text(page, encoding="utf-8")
    except OSError as error:
        raise FolderError(f"Cannot write {str(target)!r}: {error.strerror}. Choose another path.") from error
    return target


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
    in_galleries = [*facts.ambiguous["id"], *facts.clear["id"]]
    thumbnails = inlined(image_set, in_galleries, side_px=GALLERY_PX)
    of_classes = [
        image_id
        for class_facts in facts.classes
        for rows in (class_facts.ambiguous, class_facts.clear)
        for image_id in rows["id"]
    ]
    small = inlined(image_set, of_classes, side_px=CLASS_PX)
    sections = (
        parts.header(facts),
        parts.findings(facts),
        parts.map_section(facts, points),
        parts.galleries(facts, thumbnails),
        parts.meaning(facts),
        parts.counts(facts),
        parts.worth(facts),
        parts.classes(facts, small),
        parts.evaluated(facts),
        parts.provenance_section(facts),
    )
    data = parts.hover_data(facts, points, _hover_thumbnails(image_set, facts, points))
    return _document(facts.title, "".join(sections), data)


def _hover_thumbnails(image_set: ImageSet, facts: ReportFacts, points: MapPoints) -> dict[int, str]:
    """Thumbnails by index into the points, of a sample that is spread over the map."""
    positions = with_thumbnails(points, facts.table["rank_percentile"].to_numpy(dtype=float))
    ids = facts.table["id"].to_numpy()[points.rows[positions]]
    thumbnails = inlined(image_set, ids.tolist(), side_px=HOVER_PX)
    while sum(map(len, thumbnails.values())) > MOST_HOVER_BYTES:  # noise compresses badly: drop every other one
        thumbnails = dict(list(thumbnails.items())[::2])
    return {int(p): thumbnails[int(i)] for p, i in zip(positions, ids, strict=True) if int(i) in thumbnails}


def _document(title: str, body: str, data: str) -> str:
    """The whole page; its policy allows one script, named by digest, and no loading."""
    style, script = ((_PAGE / name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    policy = (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><meta name="robots" content="noindex">'
        f"<title>{parts.text(title)} · URL-Viz report</title><style>{style}</style></head>"
        f'<body><main>{body}</main><div id="card" hidden><img alt=""><div></div></div>'
        f'<script type="application/json" id="points">{data}</script><script>{script}</script></body></html>\n'
    )
