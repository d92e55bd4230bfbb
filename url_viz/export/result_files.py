"""Results for other programs: an evaluation as JSON; a gate's as JSON, which is a baseline, JUnit and Markdown."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pandas as pd

from url_viz.analysis.evidence.evaluation import Evaluated, by_class, deciles
from url_viz.analysis.findings.gate import GateResult, RuleResult
from url_viz.analysis.measures import CONFUSABILITY, UNCERTAINTY, measure_named, measure_title
from url_viz.errors import UsageError
from url_viz.escaping import escaped, escaped_in_html, printable
from url_viz.export.provenance import provenance
from url_viz.export.table_files import as_json, plain_value, write_bytes
from url_viz.image_set import ImageSet
from url_viz.imaging.outputs import require_outside
from url_viz.records import read_plain
from url_viz.sealed import record_in
from url_viz.wording import counted


def write_evaluation(image_set: ImageSet, evaluated: Evaluated, path: Path) -> Path:
    """Write `evaluation_record` to a file. Raises FolderError if it cannot be written, UsageError as a source."""
    require_outside(path, image_set.root)
    return write_bytes((as_json(evaluation_record(image_set, evaluated), indent=1) + "\n").encode("utf-8"), path)


def evaluation_record(image_set: ImageSet, evaluated: Evaluated) -> dict[str, Any]:
    """Recall@1, each measure's figures and its tenths, and the classes; null for what there is not.

    Ends of intervals are `_low` and `_high`, 95 %; `pictures` are those counted, of a measure with gaps fewer. The
    classes' percentiles are of the measure `classes_by`.
    """
    pictures = evaluated.pictures
    interval = pictures.recall_interval
    by = image_set.order().measure
    by = by if by in pictures.values else next(iter(pictures.values))
    return {
        "set": asdict(provenance(image_set)),
        "pictures": len(pictures),
        "classes": pictures.classes,
        "left_out": pictures.left_out,
        "recall_at_1": pictures.recall,
        "recall_at_1_low": interval.low,
        "recall_at_1_high": interval.high,
        "measures": [row | _about(evaluated, str(row["measure"])) for row in _rows(evaluated.table())],
        "lead": None
        if evaluated.lead is None
        else {
            "ahead": CONFUSABILITY.name,
            "behind": UNCERTAINTY.name,
            "by": plain_value(evaluated.lead.value),
            "low": plain_value(evaluated.lead.interval.low),
            "high": plain_value(evaluated.lead.interval.high),
        },
        "classes_by": by,
        "by_class": _rows(by_class(pictures, str(by))),
    }


def _about(evaluated: Evaluated, measure: str) -> dict[str, Any]:
    pictures = evaluated.pictures_of[measure]
    tenths = deciles(pictures.values[measure], pictures.is_right)
    return {
        "title": measure_title(measure),
        "knows": measure_named(measure).knows,
        "is_baseline": measure_named(measure).is_baseline,
        "tenths": _rows(tenths),
    }


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): plain_value(value) for name, value in row.items()} for row in table.to_dict("records")]


FORMAT = "url-viz check"
"""Names the kind of a JSON file, which other files of pictures have, too."""
MARKS = {"passed": "✅", "broken": "❌", "not judged": "⚠️"}
SHOWN = 50
"""How many pictures of a rule are listed in a text for people."""
MOST_BYTES = 60_000
"""Of a whole text in Markdown: GitHub takes a mebibyte in a summary, 65,536 characters in a comment."""
LONGEST_CELL = 300


def as_baseline(result: GateResult) -> bytes:
    """A result as JSON, which is a baseline for later checks."""
    return json.dumps({"format": FORMAT, "state": result.state, **asdict(result)}, indent=1).encode()


def read_baseline(path: Path) -> GateResult | None:
    """The result in a JSON file of `as_baseline`; None for other files, and where there is none.

    Raises UsageError for one that is damaged.
    """
    try:
        record = record_in(path.read_bytes())
    except (OSError, ValueError):
        return None
    if record.get("format") != FORMAT:
        return None
    try:
        return read_plain(GateResult, record)
    except ValueError as error:
        raise UsageError(f"The baseline {str(path)!r} is damaged: {error}. Make it again with --json.") from error


def junit(result: GateResult) -> bytes:
    """A result as JUnit's XML: a test case for each rule; one that could not be judged is an error."""
    states = [rule.state for rule in result.rules]
    counts = {"tests": len(states), "failures": states.count("broken"), "errors": states.count("not judged")}
    attributes = {name: str(count) for name, count in counts.items()}
    suites = ElementTree.Element("testsuites", attributes)
    suite = ElementTree.SubElement(suites, "testsuite", {"name": FORMAT, **attributes})
    for rule in result.rules:
        name = {"classname": printable(result.folder), "name": printable(rule.name)}
        case = ElementTree.SubElement(suite, "testcase", name)
        if rule.state != "passed":
            kind = "failure" if rule.state == "broken" else "error"
            problem = ElementTree.SubElement(case, kind, {"message": printable(rule.words), "type": rule.state})
            problem.text = "\n".join(printable(": ".join(each)) for each in rule.counted)
    ElementTree.indent(suites)
    return bytes(ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True))


def markdown(result: GateResult) -> bytes:
    """A result as GitHub's Markdown, MOST_BYTES at most: a table of the rules, and what broke them."""
    pictures = counted(result.pictures, "picture")
    head = f"### {MARKS[result.state]} {_cell(result.folder)}: {pictures}, {result.state}"
    rows = [f"| {MARKS[rule.state]} | {_cell(rule.name)} | {_cell(rule.found)} |" for rule in result.shown]
    if result.classes_passed:
        rows.insert(0, f"| {MARKS['passed']} | ambiguous | {counted(result.classes_passed, 'class')} |")
    half, more = MOST_BYTES // 2, "| | and {} more | |"
    table = _bounded(["| | rule | found |", "|---|---|---|"], rows, len(rows), most_bytes=half, more=more)
    broken = [rule for rule in result.rules if rule.state == "broken"]
    left, more = half - len(head.encode()) - 100, "And {} more broken rules: see --json."
    listed = _bounded([], map(_section, broken), len(broken), most_bytes=left, more=more, between="\n\n")
    return "\n\n".join(filter(None, [head, table, listed, "\n"])).encode()


def _section(rule: RuleResult) -> str:
    """What broke a rule, folded."""
    listed = "\n".join(f"- {_cell(path)}: {_cell(detail)}" for path, detail in rule.counted[:SHOWN])
    more = f"\n- and {rule.count - SHOWN:,} more" if rule.count > SHOWN else ""
    return f"<details><summary>{escaped_in_html(_cut(rule.name))}</summary>\n\n{listed}{more}\n\n</details>"


def _bounded(
    first: list[str], parts: Iterable[str], count: int, *, most_bytes: int, more: str, between: str = "\n"
) -> str:
    """What comes first, then as many of `count` parts as fit into so many bytes; `more` says how many do not."""
    shown = list(first)
    for part in parts:
        most_bytes -= len((part + between).encode())
        if most_bytes < 0:
            break
        shown.append(part)
    rest = count - len(shown) + len(first)
    return between.join([*shown, *([more.format(f"{rest:,}")] if rest else [])])


def _cell(text: str) -> str:
    """Text of others in a table or list of Markdown."""
    return escaped(_cut(text))


def _cut(text: str) -> str:
    """Text of others on one line, at most LONGEST_CELL characters of it."""
    plain = printable(text[: LONGEST_CELL + 1])
    return plain if len(plain) <= LONGEST_CELL else f"{plain[: LONGEST_CELL - 1]}…"
