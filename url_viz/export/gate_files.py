"""The result of a gate for other programs: JSON, JUnit and Markdown; and read back as a baseline."""

import json
from dataclasses import asdict
from pathlib import Path
from xml.etree import ElementTree

from url_viz.analysis.gate import GateResult
from url_viz.errors import UsageError
from url_viz.markdown_text import escaped
from url_viz.records import read_plain
from url_viz.sealed import record_in
from url_viz.terminal_text import printable
from url_viz.wording import counted

FORMAT = "url-viz check"
"""Names the kind of a JSON file, which other files of pictures have, too."""
MARKS = {"passed": "✅", "broken": "❌", "not judged": "⚠️"}
SHOWN = 50
"""How many pictures of a rule are listed in a text for people."""


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
    """A result as GitHub's Markdown: a table of the rules, and what broke them."""
    pictures = counted(result.pictures, "picture")
    head = f"### {MARKS[result.state]} {_cell(result.folder)}: {pictures}, {result.state}"
    rows = [f"| {MARKS[rule.state]} | {_cell(rule.name)} | {_cell(rule.found)} |" for rule in result.shown]
    if result.classes_passed:
        rows.append(f"| {MARKS['passed']} | ambiguous | {counted(result.classes_passed, 'class')} |")
    parts = [head, "\n".join(["| | rule | found |", "|---|---|---|", *rows])]
    for rule in (each for each in result.rules if each.state == "broken"):
        listed = "\n".join(f"- {_cell(path)}: {_cell(detail)}" for path, detail in rule.counted[:SHOWN])
        more = f"\n- and {rule.count - SHOWN:,} more" if rule.count > SHOWN else ""
        parts.append(f"<details><summary>{_cell(rule.name)}</summary>\n\n{listed}{more}\n\n</details>")
    return "\n\n".join([*parts, ""]).encode()


def _cell(text: str) -> str:
    return escaped(printable(text))
