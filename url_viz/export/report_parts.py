"""The sections of a report as HTML; text from files or from the user is escaped by `text`."""

import html
import json
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from url_viz.analysis.between import between
from url_viz.analysis.evaluation import NEAREST, Measured
from url_viz.analysis.measures import (
    AMBIGUITY,
    CONFUSABILITY,
    UNCERTAINTY,
    has_values,
    meaning_of,
    percentile_column,
    title_of,
)
from url_viz.analysis.metrics import Figure
from url_viz.analysis.worth import Worth
from url_viz.export.report_facts import CLASSES_SHOWN, ClassFacts, ReportFacts, titled
from url_viz.export.report_map import BINS, HEIGHT, WIDTH, MapPoints, class_paths, measure_paths

LONGEST_NAME = 64
Thumbnails = Mapping[int, str]


def text(value: object) -> str:
    """Text escaped for HTML and its attributes."""
    return html.escape(str(value), quote=True)


def header(facts: ReportFacts) -> str:
    """Title, a line on scope and model, and the main counts."""
    source = facts.provenance
    scope = f"A selection of {len(facts.table):,} of {facts.whole:,} pictures" if facts.is_selection else "All pictures"
    cards = [("pictures", f"{len(facts.table):,}")]
    if facts.class_count:
        cards.append(("classes", f"{facts.class_count:,}"))
    if facts.twin_groups:
        cards.append(("groups of twins", f"{facts.twin_groups:,}"))
    if facts.failures:
        cards.append(("files not readable", f"{sum(count for _, count in facts.failures):,}"))
    if facts.decisions:
        cards.append(("decided", f"{sum(count for _, count in facts.decisions):,}"))
    shown = "".join(f"<div><b>{text(value)}</b><span>{text(name)}</span></div>" for name, value in cards)
    return (
        f'<header><p class="kicker">Ambiguous pictures, found before training</p><h1>{text(facts.title)}</h1>'
        f'<p class="sub">{scope}, read with {text(source.model)} on {text(source.made[:10])}. '
        f"{text(facts.reason)}</p>"
        f'<div class="cards">{shown}</div></header>'
    )


def findings(facts: ReportFacts) -> str:
    """What to look at first, each with its count and why it matters."""
    if not facts.findings:
        return ""
    whole = ' <span class="quiet">These are of the whole image set.</span>' if facts.is_selection else ""
    rows = "".join(
        f'<li><b>{one.count:,}</b> {text(one.what)}. <span class="quiet">{text(one.why)}</span></li>'
        for one in facts.findings
    )
    return f'<section><h2>What to look at first</h2>{whole}<ul class="findings">{rows}</ul></section>'


def meaning(facts: ReportFacts) -> str:
    """The meaning of the values."""
    names = dict.fromkeys([facts.measure, AMBIGUITY.name, CONFUSABILITY.name, UNCERTAINTY.name])
    measures = "".join(
        f"<p><b>{text(title_of(name))}</b>: {text(meaning_of(name))}</p>"
        for name in names
        if has_values(facts.table, name)
    )
    return (
        '<section class="note"><h2>How to read the values</h2>'
        "<p>Every value is <b>an order, not a probability</b>: higher means less to be trusted, and only which picture "
        "stands above which has a meaning. The number on a picture is its percentile within the whole image set: "
        "97 means that 97 % of the pictures are clearer.</p>"
        f"{measures}</section>"
    )


def map_section(facts: ReportFacts, points: MapPoints) -> str:
    """The map with its switch of colours and legends; empty if no picture has coordinates yet."""
    if not len(points):
        return ""
    layers = _layers(facts, points)
    inputs = "".join(
        f'<input type="radio" name="colour" id="by{n}"{" checked" if n == 0 else ""}>'
        f'<label for="by{n}">{text(title)}</label>'
        for n, (title, _, _) in enumerate(layers)
    )
    drawn = "".join(f'<g class="layer layer{n}">{paths}</g>' for n, (_, paths, _) in enumerate(layers))
    legends = "".join(f'<div class="legend legend{n}">{legend}</div>' for n, (_, _, legend) in enumerate(layers))
    some = "" if len(points) == len(facts.table) else f" Drawn: {len(points):,} of {len(facts.table):,}."
    return (
        '<section class="map"><h2>The map</h2><p class="quiet">Pictures that look alike to the model lie together.'
        f"{some}</p>{inputs}"
        f'<svg id="map" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="Map of the pictures" '
        f'style="--dot:{_dot(len(points))}">{drawn}<circle id="ring" r="11" cx="-99" cy="-99"/></svg>'
        f"{legends}</section>"
    )


def _layers(facts: ReportFacts, points: MapPoints) -> list[tuple[str, str, str]]:
    """The colourings of the map: title, paths, legend."""
    table = facts.table
    ranks = {facts.measure: table["rank_percentile"].to_numpy(dtype=float)}
    for name in (CONFUSABILITY.name, UNCERTAINTY.name):
        if name not in ranks:
            ranks[name] = table[str(percentile_column(name))].to_numpy(dtype=float)
    layers = [
        (title_of(name), measure_paths(points, values), _ramp_legend())
        for name, values in ranks.items()
        if np.isfinite(values[points.rows]).any()
    ]
    if facts.class_count > 1:
        paths, names = class_paths(points, table["label"])
        entries = "".join(f'<span><i class="c{n}"></i>{text(_short(name))}</span>' for n, name in enumerate(names))
        rest = '<span><i class="cx"></i>others</span>' if facts.class_count > len(names) else ""
        layers.append(("Class", paths, entries + rest))
    return layers


def _ramp_legend() -> str:
    steps = "".join(f'<i class="m{n}"></i>' for n in range(BINS))
    return f'<span>clear</span><span class="ramp">{steps}</span><span>ambiguous</span>'


def _dot(count: int) -> float:
    return 13 if count < 300 else 9 if count < 1500 else 6.5 if count < 4000 else 5


def hover_data(facts: ReportFacts, points: MapPoints, thumbnails: Mapping[int, str]) -> str:
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


def galleries(facts: ReportFacts, thumbnails: Thumbnails) -> str:
    """The most ambiguous and the clearest pictures, side by side."""
    return (
        '<section class="two">'
        f"<div><h2>Most ambiguous</h2>{gallery(facts.ambiguous, facts.measure, thumbnails)}</div>"
        f"<div><h2>Clearest</h2>{gallery(facts.clear, facts.measure, thumbnails)}</div></section>"
    )


def gallery(rows: pd.DataFrame, measure: str, thumbnails: Thumbnails, *, kind: str = "") -> str:
    """Pictures as tiles, each with its percentile and name."""
    tiles = [_tile(row, measure, thumbnails) for row in rows.to_dict("records")]
    return f'<div class="tiles {kind}">{"".join(tiles)}</div>' if tiles else '<p class="quiet">None.</p>'


def _tile(row: Mapping[object, object], measure: str, thumbnails: Thumbnails) -> str:
    rank, image_id = float(str(row["rank_percentile"])), int(str(row["id"]))
    source = thumbnails.get(image_id)
    picture = f'<img src="{source}" alt="" data-id="{image_id}">' if source else '<div class="gone"></div>'
    twins = int(str(row.get("twins", 0)))
    more = f" · and {twins:,} twin{'s' if twins > 1 else ''}" if twins else ""
    lies = between(row["first_class"], row["second_class"]) if measure == AMBIGUITY.name else None
    about = f"{row['path']} · {titled(measure)} {float(str(row[measure])):.4g}{f' {lies}' if lies else ''}{more}"
    plural = f'<em class="twins">+{twins:,}</em>' if twins else ""
    return (
        f'<figure title="{text(about)}">{picture}<b class="rank m{_bin(rank)}">{_rank(rank)}</b>{plural}'
        f"<figcaption>{text(_caption(row))}</figcaption></figure>"
    )


def classes(facts: ReportFacts, thumbnails: Thumbnails) -> str:
    """The largest classes: mean percentile, recall@1, most ambiguous and clearest pictures."""
    if not facts.classes:
        return ""
    ordered = sorted(facts.classes, key=lambda class_facts: -np.nan_to_num(class_facts.mean_percentile, nan=-1.0))
    rows = "".join(_class_row(class_facts, facts.measure, thumbnails) for class_facts in ordered)
    more = facts.class_count - len(facts.classes)
    rest = f" The {len(facts.classes)} largest of {facts.class_count:,}." if more else ""
    return (
        '<section><h2>Classes</h2><p class="quiet">The most ambiguous class first, by its mean percentile: 50 is the '
        f"middle of the image set.{rest}</p>"
        '<table class="classes"><thead><tr><th>Class</th><th class="number">Pictures</th><th>Mean percentile</th>'
        '<th class="number">Recall@1</th><th class="ends">Most ambiguous</th><th class="ends">Clearest</th></tr>'
        f"</thead><tbody>{rows}</tbody></table></section>"
    )


def _class_row(class_facts: ClassFacts, measure: str, thumbnails: Thumbnails) -> str:
    recall = "–" if np.isnan(class_facts.recall) else f"{100 * class_facts.recall:.0f} %"
    return (
        f"<tr><td>{text(_short(class_facts.name))}</td>"
        f'<td class="number" data-name="pictures">{class_facts.pictures:,}</td>'
        f'<td data-name="mean percentile">{bar(class_facts.mean_percentile)}</td>'
        f'<td class="number" data-name="recall@1">{recall}</td>'
        f'<td class="ends">{gallery(class_facts.ambiguous, measure, thumbnails, kind="small")}</td>'
        f'<td class="ends">{gallery(class_facts.clear, measure, thumbnails, kind="small")}</td></tr>'
    )


def bar(percentile: float) -> str:
    """A percentile as a bar in the map's colours."""
    if np.isnan(percentile):
        return "–"
    return (
        f'<span class="bar"><i class="m{_bin(percentile)}" style="width:{percentile:.0f}%"></i></span>'
        f'<span class="after">{percentile:.0f}</span>'
    )


def evaluated(facts: ReportFacts) -> str:
    """R-AUROC of each measure against recall@1, with intervals."""
    pictures = facts.pictures_evaluated
    if pictures is None:
        return ""
    interval = pictures.recall_interval
    rows = "".join(_measured_row(measured) for measured in facts.evaluated)
    whole = " These figures are of the whole image set." if facts.is_selection else ""
    return (
        "<section><h2>How far the values can be trusted here</h2>"
        f"<p>The nearest other picture that is no twin is of the same class for <b>{100 * pictures.recall:.1f} %</b> "
        f"({100 * interval.low:.1f} to {100 * interval.high:.1f} %) of {len(pictures):,} pictures of "
        f"{pictures.classes:,} classes (recall@1). R-AUROC says how often a picture whose neighbour is wrong stands "
        f"above one whose neighbour is right: .5 is chance, 1 is perfect.{whole}</p>"
        '<table class="measured"><thead><tr><th>Measure</th><th>R-AUROC with 95 % interval</th><th></th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
        f'<p class="quiet">{text(_caution(facts))}</p></section>'
    )


def _caution(facts: ReportFacts) -> str:
    """What to bear in mind with the figures of the measures that are there."""
    names = [measured.name for measured in facts.evaluated]
    told = []
    if AMBIGUITY.name in names:
        told.append(
            "Ambiguity knows these classes, though never a picture's own label or its twins'; the others know none."
        )
    if {CONFUSABILITY.name, NEAREST} <= set(names):
        told.append(
            "Confusability is computed from the very neighbours whose correctness it predicts; nearest similarity is "
            "its baseline."
        )
    return " ".join(told)


def _measured_row(measured: Measured) -> str:
    if not np.isfinite(measured.r_auroc):
        return f"<tr><td>{text(_capital(titled(measured.name)))}</td><td>–</td><td>nothing to tell apart</td></tr>"
    low, high, at = (
        100 * min(1.0, max(0.0, v)) for v in (measured.interval.low, measured.interval.high, measured.r_auroc)
    )
    return (
        f"<tr><td>{text(_capital(titled(measured.name)))}</td>"
        f'<td><span class="range"><u></u><s style="left:{low:.1f}%;width:{high - low:.1f}%"></s>'
        f'<i style="left:{at:.1f}%"></i></span></td>'
        f'<td class="number">{measured.r_auroc:.3f} '
        f"<small>{measured.interval.low:.3f} to {measured.interval.high:.3f}</small></td></tr>"
    )


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def counts(facts: ReportFacts) -> str:
    """Reasons, decisions, twins and failures, each if there are any."""
    blocks = [
        _counted_list("Why: likely reasons", facts.reasons[:12], len(facts.table), _of_reasons(facts)),
        _counted_list("Decisions", facts.decisions, len(facts.table), ""),
        _twins(facts),
        _counted_list(
            "Files that could not be read",
            facts.failures[:12],
            0,
            "They are not counted in the figures of this report.",
        ),
    ]
    shown = "".join(block for block in blocks if block)
    return f'<section class="blocks">{shown}</section>' if shown else ""


def _of_reasons(facts: ReportFacts) -> str:
    return " ".join(("A picture can have several.", *facts.shared_reasons))


def _counted_list(title: str, pairs: Sequence[tuple[str, int]], of: int, note: str) -> str:
    if not pairs:
        return ""
    most = max(count for _, count in pairs)
    rows = "".join(
        f"<li><span>{text(name)}</span><b>{count:,}{f' <small>{100 * count / of:.0f} %</small>' if of else ''}</b>"
        f'<i style="width:{100 * count / most:.0f}%"></i></li>'
        for name, count in pairs
    )
    return f'<div><h3>{text(title)}</h3><ul class="counts">{rows}</ul><p class="quiet">{text(note)}</p></div>'


def _twins(facts: ReportFacts) -> str:
    if not facts.twin_groups:
        return ""
    return (
        f"<div><h3>Twins</h3><p><b>{facts.twins:,}</b> pictures lie in <b>{facts.twin_groups:,}</b> groups that look "
        f"the same to the model (copies, bursts, saved again). Keeping one of each would leave "
        f"<b>{len(facts.table) - facts.twins + facts.twin_groups:,}</b> pictures.</p></div>"
    )


def worth(facts: ReportFacts) -> str:
    """What dropping pictures and correcting labels was worth, over all and for the classes that it changed."""
    found = facts.worth
    if found is None:
        return ""
    whole = " These figures are of the whole image set." if facts.is_selection else ""
    rows = "".join(
        f"<tr><td>{text(_capital(name))}</td>{_share_with_ends(arm.accuracy)}{_share_with_ends(arm.under_given)}</tr>"
        for name, arm in found.arms
    )
    return (
        f"<section><h2>What the decisions were worth</h2><p>{text(found.words)}{whole}</p>"
        '<table><thead><tr><th>Trained on the set</th><th class="number">Right, labels as corrected</th>'
        f'<th class="number">Right, labels as given</th></tr></thead><tbody>{rows}</tbody></table>'
        f"{_worth_by_class(found)}</section>"
    )


def _share_with_ends(figure: Figure) -> str:
    low, high = 100 * figure.interval.low, 100 * figure.interval.high
    return f'<td class="number">{100 * figure.value:.1f} % <small>{low:.1f} to {high:.1f}</small></td>'


def _worth_by_class(found: Worth) -> str:
    """The classes that the decisions changed, those that gained or lost most."""
    changed = found.differing
    if changed.empty:
        return ""
    most = changed["difference"].abs().nlargest(CLASSES_SHOWN).index
    rows = "".join(
        f'<tr><td>{text(_short(str(row["label"])))}</td><td class="number">{row["pictures"]:,}</td>'
        f'<td class="number">{100 * row["given"]:.0f} %</td><td class="number">{100 * row["decided"]:.0f} %</td></tr>'
        for row in changed.loc[sorted(most)].to_dict("records")
    )
    rest = f" The {CLASSES_SHOWN} that changed most of {len(changed):,}." if len(changed) > CLASSES_SHOWN else ""
    return (
        f'<p class="quiet">Classes with a difference that can be told.{rest}</p><table><thead><tr><th>Class</th>'
        '<th class="number">Pictures</th><th class="number">Right as given</th><th class="number">Right as decided</th>'
        f"</tr></thead><tbody>{rows}</tbody></table>"
    )


def provenance_section(facts: ReportFacts) -> str:
    """The provenance of the values."""
    rows = "".join(f"<tr><th>{text(name)}</th><td>{text(value)}</td></tr>" for name, value in facts.provenance.rows())
    return f'<section><h2>Provenance</h2><table class="source">{rows}</table></section>'


def _bin(rank: float) -> str:
    return "x" if np.isnan(rank) else str(min(BINS - 1, int(rank * BINS / 100)))


def _rank(rank: float) -> str:
    return "–" if np.isnan(rank) else f"{rank:.0f}"


def _caption(row: Mapping[object, object]) -> str:
    """The class of a picture, else its file's name."""
    label = row["label"]
    return _short(label if isinstance(label, str) else str(row["path"]).rsplit("/", 1)[-1])


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME // 2]}…{name[-LONGEST_NAME // 2 + 1 :]}"
