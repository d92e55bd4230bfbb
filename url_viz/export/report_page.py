"""A report as one HTML page: the template `page/report.html` and what it is filled with, all text escaped."""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, StrictUndefined, Template

from url_viz.analysis.between import between
from url_viz.analysis.evaluation import NEAREST
from url_viz.analysis.measures import AMBIGUITY, CONFUSABILITY, UNCERTAINTY, has_values, measure_named, title_of
from url_viz.analysis.worth import Worth
from url_viz.errors import FolderError
from url_viz.export.report_facts import CLASSES_SHOWN, ReportFacts, titled
from url_viz.export.report_map import BINS, HEIGHT, WIDTH, MapPoints, class_paths, measure_paths
from url_viz.files import require_parent

LONGEST_NAME = 64
Thumbnails = Mapping[int, str]
_PAGE = Path(__file__).parent / "page"


@dataclass(frozen=True)
class MapLayer:
    """One colouring of the map: `paths` are SVG, `classes` the names of its colours, None for a ramp of percentiles."""

    title: str
    paths: str
    classes: tuple[str, ...] | None = None


def page_of(
    facts: ReportFacts,
    points: MapPoints,
    *,
    large: Thumbnails,
    small: Thumbnails,
    hover: Thumbnails,
    wholes: Mapping[int, str],
) -> str:
    """The whole page; its policy allows one script, named by digest, and no loading.

    `large` and `small` are the galleries' thumbnails by id, `hover` those of the map by index into the points, `wholes`
    SVG images of objects in their pictures, by id.
    """
    script = (_PAGE / "report.js").read_text(encoding="utf-8")
    return template_of("report.html").render(
        facts=facts,
        measure=titled(facts.measure),
        cards=_cards(facts),
        points=points,
        layers=_layers(facts, points),
        dot=_dot_px(len(points)),
        meanings=_meanings(facts),
        classes=sorted(facts.classes, key=lambda row: -np.nan_to_num(row.mean_percentile, nan=-1.0)),
        changed_classes=[] if facts.worth is None else _changed_most(facts.worth),
        cautions=_cautions(facts),
        thumbnails=large,
        small=small,
        wholes=wholes,
        between=lambda row: _between(facts, row),
        data=_hover_data(facts, points, hover),
        style=page_style(),
        script=script,
        policy=policy_of(script),
    )


def page_file(path: str | Path) -> Path:
    """The file that a report is written to. Raises FolderError for another ending, or one in no folder."""
    target = Path(path).expanduser().absolute()
    if target.suffix.lower() not in (".html", ".htm"):
        raise FolderError(f"{target.name!r} does not end in .html. Give the report a name that does.")
    require_parent(target)
    return target


@cache
def template_of(name: str) -> Template:
    """The template of a page: every value is escaped unless it is marked safe."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters |= {
        "short": _short,
        "count": lambda value: f"{value:,}",
        "percent": lambda value, digits: f"{100 * value:.{digits}f}",
        "whole": lambda value: "–" if np.isnan(value) else f"{value:.0f}",
        "bin": lambda rank: "x" if np.isnan(rank) else min(BINS - 1, int(rank * BINS / 100)),
        "on_scale": lambda value: min(1.0, max(0.0, value)),
        "sentence": lambda words: words[:1].upper() + words[1:],
    }
    environment.tests["missing"] = lambda value: not np.isfinite(value)
    environment.globals |= {"titled": titled, "caption": _caption, "width": WIDTH, "height": HEIGHT, "bins": BINS}
    return environment.from_string((_PAGE / name).read_text(encoding="utf-8"))


def page_style() -> str:
    """The style sheet of all reports."""
    return (_PAGE / "report.css").read_text(encoding="utf-8")


def policy_of(script: str) -> str:
    """The policy of a page that runs this script alone and loads nothing."""
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    return (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _cards(facts: ReportFacts) -> list[tuple[str, int]]:
    """The main counts, those of nothing left out."""
    cards = {
        "classes": facts.class_count,
        "groups of twins": facts.twin_groups,
        "files not readable": sum(count for _, count in facts.failures),
        "decided": sum(count for _, count in facts.decisions),
    }
    return [(facts.unit, len(facts.table)), *((name, count) for name, count in cards.items() if count)]


def _meanings(facts: ReportFacts) -> list[tuple[str, str]]:
    names = dict.fromkeys([facts.measure, AMBIGUITY.name, CONFUSABILITY.name, UNCERTAINTY.name])
    return [(title_of(name), measure_named(name).meaning) for name in names if has_values(facts.table, name)]


def _layers(facts: ReportFacts, points: MapPoints) -> list[MapLayer]:
    """The colourings of the map; none if no picture has coordinates yet."""
    if not len(points):
        return []
    table = facts.table
    ranks = {facts.measure: table["rank_percentile"].to_numpy(dtype=float)}
    for name in (CONFUSABILITY.name, UNCERTAINTY.name):
        if name not in ranks:
            ranks[name] = table[str(measure_named(name).percentile)].to_numpy(dtype=float)
    layers = [
        MapLayer(title_of(name), measure_paths(points, values))
        for name, values in ranks.items()
        if np.isfinite(values[points.rows]).any()
    ]
    if facts.class_count > 1:
        layers.append(MapLayer("Class", *class_paths(points, table["label"])))
    return layers


def _dot_px(count: int) -> float:
    return 13 if count < 300 else 9 if count < 1500 else 6.5 if count < 4000 else 5


def _hover_data(facts: ReportFacts, points: MapPoints, thumbnails: Thumbnails) -> str:
    """The hover card of each point, as JSON escaped for HTML; thumbnails by index into the points."""
    rows = facts.table.iloc[points.rows]
    ranks = rows["rank_percentile"].to_numpy(dtype=float)
    record = {
        "x": points.x.tolist(),
        "y": points.y.tolist(),
        "name": [_short(path) for path in rows["path"]],
        "rank": [None if np.isnan(rank) else round(float(rank)) for rank in ranks],
        "id": [str(i) for i in rows["id"].tolist()],
        "measure": titled(facts.measure),
        "thumbnail": {str(position): url for position, url in thumbnails.items()},
    }
    plain = json.dumps(record, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return plain.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _between(facts: ReportFacts, row: Mapping[str, Any]) -> str:
    """The two classes that a picture lies between, where the report is ordered by that."""
    words = between(row["first_class"], row["second_class"]) if facts.measure == AMBIGUITY.name else None
    return f" {words}" if words else ""


def _cautions(facts: ReportFacts) -> list[str]:
    """What to bear in mind with the figures of the measures that are there."""
    names = {measured.name for measured in facts.evaluated}
    cautions = {
        "Ambiguity uses these classes, though never a picture's own label or its twins'; the others use none.": {
            AMBIGUITY.name
        },
        "Confusability is computed from the very neighbours whose correctness it predicts; nearest similarity is its "
        "baseline.": {CONFUSABILITY.name, NEAREST},
    }
    return [words for words, needed in cautions.items() if needed <= names]


def _changed_most(worth: Worth) -> list[dict[Any, Any]]:
    """The classes that the decisions changed, those that gained or lost most."""
    changed = worth.differing
    if changed.empty:
        return []
    most = changed["difference"].abs().nlargest(CLASSES_SHOWN).index
    return changed.loc[sorted(most)].to_dict("records")


def _caption(row: Mapping[str, Any]) -> str:
    """The class of a picture, else its file's name."""
    label = row["label"]
    return label if isinstance(label, str) else str(row["path"]).rsplit("/", 1)[-1]


def _short(name: object) -> str:
    words = str(name)
    return words if len(words) <= LONGEST_NAME else f"{words[: LONGEST_NAME // 2]}…{words[-LONGEST_NAME // 2 + 1 :]}"
