"""Reports as one HTML file that loads nothing: of an image set, or a selection."""

import base64
import datetime
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from numpy.typing import NDArray
from typing_extensions import Doc

from url_viz.base.command_line import Output
from url_viz.base.errors import FolderError, ImageError, ImageSetError
from url_viz.base.wording import counted
from url_viz.capability import capability
from url_viz.columns.filters import MOST_CATEGORIES, SEPARATOR, category_names
from url_viz.columns.measures import (
    AMBIGUITY,
    CONFUSABILITY,
    UNCERTAINTY,
    every_measure,
    has_values,
    in_text,
    is_measure,
    measure_named,
    measure_title,
    shown_reason,
)
from url_viz.columns.ranking import ends, percentile_of_each, with_percentile
from url_viz.columns.twin_groups import COPIES
from url_viz.drawing.assets import notebook_script
from url_viz.drawing.points import MapView, encode_points, map_data, map_points
from url_viz.drawing.tiles import classes_between, number_of, tile_data, tiles
from url_viz.evidence.evaluation import NEAREST, Evaluated, by_class
from url_viz.evidence.order import plain_words
from url_viz.evidence.worth import Worth
from url_viz.export.picture_files import inlined, with_boxes
from url_viz.export.selection import EVERY_PICTURE, Selected
from url_viz.export.table_files import provenance, write_bytes
from url_viz.findings.reasons import reason_counts
from url_viz.image_set import ImageSet
from url_viz.imaging.outputs import require_outside
from url_viz.labels.ambiguity import between, question_of
from url_viz.labels.label_choice import label_people
from url_viz.labels.label_issues import each_way
from url_viz.labels.people import agreement, classes_said, differ
from url_viz.parameters import WithFolder
from url_viz.review.queues import TO_GO, progress_counts

LIVE_THUMBNAILS_PX = ((800, 128), (2_000, 96), (5_000, 64))
"""The longer side of a thumbnail for up to this many pictures."""
DIGITS = 4


@dataclass(frozen=True)
class LivePart:
    """Explore's map and grid for a page: a module, its data as a record of JSON, and the choices of its filters."""

    script: str
    data: dict[str, Any]
    classes: tuple[str, ...]
    reasons: tuple[str, ...]


def live_part(image_set: ImageSet, table: pd.DataFrame, measure: str) -> LivePart:
    """The live part for rows of the set's table with `rank_percentile`, at most MOST_LIVE."""
    rows = table.sort_values("rank_percentile", ascending=False, kind="stable", na_position="last", ignore_index=True)
    whole = image_set.table()
    category = "label" if len(category_names(rows, "label")) <= MOST_CATEGORIES else None
    points = map_points(rows, measure=measure, category=category, within=whole)
    view = MapView(
        points_url="points",
        card_url="card/{id}",
        total=len(rows),
        unit=image_set.noun,
        measure=measure_title(measure),
        categories=category_names(rows, "label"),
    )
    side_px = next(px for most, px in LIVE_THUMBNAILS_PX if len(rows) <= most)
    pictures = inlined(image_set.core, rows["id"], side_px=side_px)
    shown = [
        tile_data(tile) | {"thumbnail": pictures.get(tile.id, "")} for tile in tiles(rows, set_id="", measure=measure)
    ]
    reasons = [tuple(map(shown_reason, filter(None, str(some).split(SEPARATOR)))) for some in rows["reasons"]]
    with_shares = image_set.labels.shows_shares()

    def card(row: dict[Any, Any], reasons: tuple[str, ...]) -> dict[str, object]:
        place = [number_of(row["x"]), number_of(row["y"])]
        return {
            "between": classes_between(row, with_shares=with_shares),
            "reasons": reasons,
            "rank": number_of(row["rank_percentile"]),
            "place": None if None in place else place,
        }

    data = {
        "points": base64.b64encode(encode_points(points)).decode("ascii"),
        "ids": list(map(str, points.ids.tolist())),
        "tiles": shown,
        "cards": [card(row, some) for row, some in zip(rows.to_dict("records"), reasons, strict=True)],
        "measures": _measures(rows, whole, measure),
        "map": map_data(view, key="report", taken={}) | {"fits": False, "can_pick": category is not None},
        "has_questions": any(tile["question"] for tile in shown),
        "has_labels": bool(rows["label"].notna().any()),
    }
    start = "startReport(parts);"
    classes = tuple(sorted(map(str, rows["label"].dropna().unique())))
    offered = reason_counts(rows["reasons"], image_set.core.reasons.order())
    return LivePart(notebook_script("report", start), data, classes, tuple(map(shown_reason, offered)))


def _measures(rows: pd.DataFrame, whole: pd.DataFrame, first: str) -> list[dict[str, object]]:
    """Title, values and percentiles of each measure of the rows, `first` first."""
    names = dict.fromkeys([first, *(one.name for one in every_measure() if one.is_offered and one.name in rows)])
    return [
        {
            "title": measure_title(name),
            "values": _rounded(rows[name].to_numpy(float)),
            "percentiles": _rounded(percentile_of_each(rows, name, within=whole)),
        }
        for name in names
    ]


def _rounded(values: Any) -> list[float | None]:
    return [float(f"{value:.{DIGITS}g}") if np.isfinite(value) else None for value in values.tolist()]


MOST_POINTS = 6_000
WIDTH, HEIGHT, MARGIN = 1000, 640, 14
BINS = 7
LAYERS = 24
CLASS_COLOURS = 7
"""The largest classes get a colour; the eighth, grey, is all others."""

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class MapPoints:
    """The M points of a report's map: `rows` of its table, `x` and `y` in whole units of the SVG."""

    rows: Ints
    x: Ints
    y: Ints

    def __len__(self) -> int:
        return len(self.rows)


def drawn_points(table: pd.DataFrame) -> MapPoints:
    """The points to draw of a table with `rank_percentile`: all, or MOST_POINTS of them with both extremes."""
    x, y = table["x"].to_numpy(dtype=float), table["y"].to_numpy(dtype=float)
    rows = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    rows = rows[_sample(table["rank_percentile"].to_numpy(dtype=float)[rows])]
    if not len(rows):
        return MapPoints(rows, rows, rows)
    across, down = x[rows] - x[rows].min(), y[rows].max() - y[rows]  # SVG's y axis points down, the map's up
    scale = min((WIDTH - 2 * MARGIN) / max(across.max(), 1e-9), (HEIGHT - 2 * MARGIN) / max(down.max(), 1e-9))
    left, top = (WIDTH - scale * across.max()) / 2, (HEIGHT - scale * down.max()) / 2
    return MapPoints(
        rows, np.rint(left + scale * across).astype(np.int64), np.rint(top + scale * down).astype(np.int64)
    )


@dataclass(frozen=True)
class MapLayer:
    """One colouring of the map: `paths` are SVG, `classes` the names of its colours, None for a ramp of percentiles."""

    title: str
    paths: str
    classes: tuple[str, ...] | None = None


def layers_of(points: MapPoints, table: pd.DataFrame, measure: str) -> list[MapLayer]:
    """The colourings of the map: by measures, the report's first, and by class; none without points."""
    others = [name for name in (CONFUSABILITY.name, UNCERTAINTY.name) if name != measure]
    columns = {measure: "rank_percentile", **{name: str(measure_named(name).percentile) for name in others}}
    ranks = {name: table[column].to_numpy(dtype=float) for name, column in columns.items()}
    layers = [
        MapLayer(measure_title(name), measure_paths(points, values))
        for name, values in ranks.items()
        if np.isfinite(values[points.rows]).any()
    ]
    if len(points) and table["label"].nunique() > 1:
        layers.append(MapLayer("Class", *class_paths(points, table["label"])))
    return layers


def measure_paths(points: MapPoints, ranks: NDArray[np.floating]) -> str:
    """SVG paths of the points by the percentiles (N,) of the table: class `m0` (clear) to `m6`, `mx` for none."""
    shown = ranks[points.rows]
    bins = np.where(np.isfinite(shown), np.minimum(shown * BINS / 100, BINS - 1), -1).astype(np.int64)
    return _paths(points, bins, prefix="m")


def class_paths(points: MapPoints, labels: "pd.Series[str]") -> tuple[str, tuple[str, ...]]:
    """SVG paths of the points by class (`c0` to `c6`, `cx` for others), and the names of those classes."""
    sizes = labels.value_counts()
    names = tuple(str(n) for n in sorted(sizes.index, key=lambda n: (-int(sizes[n]), str(n)))[:CLASS_COLOURS])
    number = {name: index for index, name in enumerate(names)}
    bins = np.array([number.get(str(label), -1) for label in labels.iloc[points.rows]], np.int64)
    return _paths(points, bins, prefix="c"), names


def _sample(ranks: NDArray[np.floating]) -> Ints:
    """Indices of at most MOST_POINTS of M ranks, in order: a quarter the most extreme, the others evenly by rank."""
    if len(ranks) <= MOST_POINTS:
        return np.arange(len(ranks))
    from_middle = np.abs(np.nan_to_num(ranks, nan=50.0) - 50)
    extremes, others = np.split(np.argsort(-from_middle, kind="stable"), [MOST_POINTS // 4])
    return np.sort(np.concatenate([extremes, others[evenly(len(others), MOST_POINTS - len(extremes))]]))


def evenly(count: int, most: int) -> Ints:
    """All of `count` indices, or `most` of them at even steps."""
    return np.linspace(0, count, min(count, most), endpoint=False).astype(np.int64)


def _paths(points: MapPoints, bins: Ints, *, prefix: str) -> str:
    """One path per colour and layer: a few hundred elements hold thousands of dots.

    Points are assigned to layers at random, so that no colour covers the others everywhere.
    """
    paths: list[str] = []
    for layer in np.array_split(np.random.default_rng(0).permutation(len(points)), LAYERS):
        for number in np.unique(bins[layer]).tolist():
            dots = layer[bins[layer] == number]
            d = "".join(f"M{x} {y}h0" for x, y in zip(points.x[dots].tolist(), points.y[dots].tolist(), strict=True))
            paths.append(f'<path class="{prefix}{"x" if number < 0 else number}" d="{d}"/>')
    return "".join(paths)


LONGEST_NAME = 64
_PAGE = Path(__file__).parent / "page"


def filled(template: str, *, script: str = "", **values: object) -> str:
    """A template filled with values: a page whose policy allows `script` alone, by its digest, and no loading."""
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    policy = (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )
    style = (_PAGE / "report.css").read_text(encoding="utf-8")
    return _environment().get_template(template).render(values, script=script, policy=policy, style=style)


def page_script(name: str) -> str:
    """A script of `page/`."""
    return (_PAGE / name).read_text(encoding="utf-8")


def for_html(record: object) -> str:
    """A record as JSON that can stand within an element of HTML."""
    plain = json.dumps(record, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return plain.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def page_file(path: str | Path, *roots: Path) -> Path:
    """The file of a report on `roots`. Raises FolderError unless it ends in .html, and as `require_outside`."""
    target = require_outside(path, *roots)
    if target.suffix.lower() not in (".html", ".htm"):
        raise FolderError(f"{target.name!r} does not end in .html. Give the report a name that does.")
    return target


@cache
def _environment() -> Environment:
    """Templates with our words; every value is escaped unless it is marked safe."""
    loader = FileSystemLoader(_PAGE)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters |= {
        "short": shortened,
        "count": lambda value: f"{value:,}",
        "percent": lambda value, digits: f"{100 * value:.{digits}f}",
        "whole": lambda value: "–" if np.isnan(value) else f"{value:.0f}",
        "bin": lambda rank: "x" if np.isnan(rank) else min(BINS - 1, int(rank * BINS / 100)),
        "on_scale": lambda value: min(1.0, max(0.0, value)),
        "sentence": lambda words: words[:1].upper() + words[1:],
    }
    environment.tests["missing"] = lambda value: not np.isfinite(value)

    def classes_between(row: Mapping[str, Any], measure: str) -> str:
        words = between(row["first_class"], row["second_class"]) if measure == AMBIGUITY.name else None
        return f" {words}" if words else ""

    def caption(row: Mapping[str, Any]) -> str:
        return row["label"] if isinstance(row["label"], str) else str(row["path"]).rsplit("/", 1)[-1]

    words = {"titled": titled, "caption": caption, "between": classes_between, "question": question_of}
    environment.globals |= {**words, "width": WIDTH, "height": HEIGHT, "bins": BINS}
    return environment


def titled(measure: str) -> str:
    """A measure's title within a sentence, marked if it is a baseline; a user's column by its own name."""
    if not is_measure(measure):
        return measure
    return f"{in_text(measure)}{' (baseline)' if measure_named(measure).is_baseline else ''}"


def shortened(name: object) -> str:
    """A long name without its middle."""
    words = str(name)
    return words if len(words) <= LONGEST_NAME else f"{words[: LONGEST_NAME // 2]}…{words[-LONGEST_NAME // 2 + 1 :]}"


GALLERY_PX, CLASS_PX, HOVER_PX, WHOLE_PX = 128, 72, 64, 320
GALLERY, CLASSES_SHOWN, CLASS_GALLERY, OVERLAPS = 18, 12, 3, 4
FEWEST_OF_CLASS = 5
"""Of fewer pictures a mean says little."""
WHOLES = 6
"""Objects of each gallery that are shown in their pictures, too."""
MOST_LIVE = 5_000
MOST_HOVER, MOST_HOVER_BYTES = 800, 1_300_000


@capability("export report")
def export_report(
    image_set: ImageSet,
    out: Annotated[Path, Doc("a .html file"), Output()],
    *,
    title: Annotated[str | None, Doc("what to call it (default: the image set's name)")] = None,
    selection: Selected = EVERY_PICTURE,
    with_folder: WithFolder = False,
    live: Annotated[bool, Doc("up to 5,000 pictures, a map and a grid to lasso and filter")] = True,
) -> str:
    """Write a report as one HTML file that opens anywhere: map, galleries, reasons, classes, figures, provenance.

    In Python, `write_report` takes ids.
    """
    ids = selection.ids(image_set)
    file = write_report(image_set, out, ids=ids, title=title, with_folder=with_folder, is_live=live)
    rows = counted(len(image_set if ids is None else ids), "object" if image_set.is_of_objects else "picture")
    return f"{rows} in {file} ({file.stat().st_size / 2**20:.1f} MiB)."


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

    Raises FolderError for another ending or a path that cannot be written, UsageError for one among the pictures,
    ImageSetError if `ids` name no picture.
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
    """The report of all pictures, or of those in `ids`, as one HTML page; percentiles are those within the whole set.

    It has Explore's map and grid if it `is_live` and has at most MOST_LIVE pictures, which take 2 to 8 kB each; else a
    drawing of the map, and at most about 3 MB. `title` is by default the set's name; the path of the folder is included
    only `with_folder`. Raises ImageSetError if there is nothing to report, or an id is not in the set.
    """
    table, measure = ranked_pictures(image_set), measure_of(image_set)
    if ids is not None:
        table = table.iloc[np.unique(image_set.core.rows_of(ids))].reset_index(drop=True)
    if table.empty:
        raise ImageSetError(f"There is no picture to report of {str(image_set.root)!r}. Choose some, or read it first.")
    source = provenance(image_set, with_folder=with_folder, now=now)
    points, evaluated, counts = drawn_points(table), image_set.evaluate(), _counts(image_set, table)
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
        **_overlaps(image_set, table, measure),
    )


def measure_of(image_set: ImageSet) -> str:
    """The measure that a report orders by: the leading one, else the first that has values."""
    return image_set.order().measure or next(iter(image_set.core.measures()), UNCERTAINTY.name)


def ranked_pictures(image_set: ImageSet) -> pd.DataFrame:
    """An image set's table, with the percentile of the report's measure as `rank_percentile`."""
    return with_percentile(image_set.table(), measure_of(image_set))


def _counts(image_set: ImageSet, table: pd.DataFrame) -> dict[str, Any]:
    """What the report counts, by the names in its template; reasons and failures with their counts, most first."""
    groups = table["twin_group"].value_counts()
    groups = groups[groups > 1]
    copies = table[COPIES].value_counts()
    reasons = reason_counts(table["reasons"], image_set.core.reasons.order())
    return {
        "class_count": int(table["label"].nunique()),
        "twin_groups": len(groups),
        "twins": int(groups.sum()),
        "copies": int((copies - 1).sum()),
        "reasons": [(shown_reason(name), count) for name, count in reasons.items()],
        "shared_reasons": [image_set.core.in_words(shared.words) for shared in image_set.core.reasons.shared],
        "reviewed": [(part, count) for part, count in progress_counts(table).items() if part != TO_GO],
        "failures": _most_common(image_set.failures()["reason"]),
    }


def _most_common(values: Iterable[object]) -> list[tuple[str, int]]:
    return Counter(sorted(map(str, values))).most_common()


def _galleries(
    image_set: ImageSet, table: pd.DataFrame, measure: str, evaluated: Evaluated | None
) -> dict[str, object]:
    """Both ends of the set and of its largest classes, one picture per group of twins, and all thumbnails by id."""
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
    """The most ambiguous classes on average of those with FEWEST_OF_CLASS pictures or more, if there are enough.

    recall@1 is nan where it is not known.
    """
    recall: dict[str, float] = {}
    if evaluated is not None:
        counted = by_class(evaluated.pictures, next(iter(evaluated.pictures.values)))
        recall = dict(zip(counted["label"].astype(str), counted["recall"].astype(float), strict=True))
    class_rows = []
    sizes = table["label"].value_counts()
    large = sizes.index[sizes >= FEWEST_OF_CLASS] if (sizes >= FEWEST_OF_CLASS).sum() >= CLASSES_SHOWN else sizes.index
    of_large = table[table["label"].isin(large)].groupby("label")["rank_percentile"].mean()
    for name in of_large.nlargest(CLASSES_SHOWN).index:
        rows, count = table[table["label"] == name], int(sizes[name])
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


def _overlaps(image_set: ImageSet, table: pd.DataFrame, measure: str) -> dict[str, Any]:
    """Each pair of classes that overlap most: clear examples of both, what lies between, and what people say of it."""
    check, people = image_set.labels.check(), image_set.core.derived.get(label_people)
    mixed = check.mixed.head(OVERLAPS) if check is not None else pd.DataFrame()
    said = pd.Series(people, index=image_set.core.ids, dtype=object).reindex(table["id"]).tolist()
    splits, pairs = differ(said), list[dict[str, Any]]()
    for row in mixed.itertuples():
        pair = str(row.class_a), str(row.class_b)
        is_both = table.reindex(columns=["label", "either"]).isin(pair).all(axis=1).to_numpy(bool)
        named = [each is not None and {*classes_said(each)} <= {*pair} for each in said]
        taken = table["label"].isin(pair) & table["first_class"].isin(pair) & (table["label"] != table["first_class"])
        clear = {name: (table["label"] == name) & (table["first_class"] == name) for name in pair}
        parts = {
            **{f"Clearly {name}": ends(table[is_it], by=measure).clear for name, is_it in clear.items()},
            "Labelled one, like the other": ends(table[taken & ~is_both], by=measure).ambiguous,
            "Rightly both": table[is_both],
            "People differ": table[splits & np.array(named, bool)],
        }
        shown = {title: rows.head(CLASS_GALLERY) for title, rows in parts.items() if len(rows)}
        both = [each for each, is_named in zip(said, named, strict=True) if is_named]
        agreed = agreement(both, np.full(len(both), np.nan))
        words = f"{each_way(check.mixed, pair)}." if check is not None else ""
        pairs.append({"words": f"{words} {agreed.words if agreed.pictures else ''}".strip(), "parts": shown})
    ids = chain.from_iterable(rows["id"] for pair in pairs for rows in pair["parts"].values())
    return {"overlaps": pairs, "of_overlaps": inlined(image_set.core, ids, side_px=CLASS_PX)}


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
    """The hover cards of the points, as JSON for HTML; of many points, some have a thumbnail."""
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
    names = set(evaluated.measures)
    cautions = {
        f"{AMBIGUITY.title} uses these classes, but never a picture's own label or a copy's.": {AMBIGUITY.name},
        "Confusability is computed from the very neighbours whose correctness it predicts; nearest similarity is its "
        "baseline.": {CONFUSABILITY.name, NEAREST},
    }
    return [*filter(None, [evaluated.gaps]), *(words for words, needed in cautions.items() if needed <= names)]


def _worth(image_set: ImageSet) -> dict[str, object]:
    """What the decisions on the whole set were worth, and the classes whose recall they changed most."""
    worth: Worth | None = image_set.labels.worth() if image_set.labels.is_reviewed() else None
    changed: Sequence[dict[Any, Any]] = []
    if worth is not None and len(worth.differing):
        most = worth.differing["difference"].abs().nlargest(CLASSES_SHOWN).index
        changed = worth.differing.loc[sorted(most)].to_dict("records")
    return {"worth": worth, "changed_classes": changed}
