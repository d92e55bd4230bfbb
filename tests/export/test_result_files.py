"""The result of a gate as JSON, JUnit and Markdown: whole, and with names of others as text only."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from url_viz.base.errors import UsageError
from url_viz.export.result_files import MOST_BYTES, SHOWN, as_baseline, junit, markdown, read_baseline
from url_viz.findings.gate import GateResult, RuleResult

HOSTILE = 'a|b\n](x)<script>&"\x1b\x00\udcff`@me` https://x.example.jpg'
BROKEN = RuleResult("leaks", None, 0, "broken", 9, (HOSTILE, "old.jpg"), ("ab", None), ("copy", ""), (True, False))
PASSED = RuleResult("useless", None, "1%", "passed", 9)
UNJUDGED = RuleResult("ambiguous", HOSTILE, "1%", "not judged", 0, why_not="No <classes>.")
OF_A_CLASS = RuleResult("ambiguous", "kiwi", "1%", "passed", 9)
RESULT = GateResult(HOSTILE, 9, "m", "s", (BROKEN, PASSED, UNJUDGED, OF_A_CLASS))


def test_json_is_read_back_whole(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(as_baseline(RESULT))
    assert read_baseline(tmp_path / "a.json") == RESULT
    record = json.loads((tmp_path / "a.json").read_text())
    assert (record["state"], record["rules"][0]["paths"]) == ("broken", [HOSTILE, "old.jpg"])


def test_what_is_no_baseline(tmp_path: Path) -> None:
    for text in ('{"images": []}', "[]", "", "{"):
        (tmp_path / "a.json").write_text(text)
        assert read_baseline(tmp_path / "a.json") is None
    assert read_baseline(tmp_path) is None
    (tmp_path / "a.json").write_text('{"format": "url-viz check", "rules": 1}')
    with pytest.raises(UsageError, match=r"The baseline .* is damaged: .*Make it again with --json"):
        read_baseline(tmp_path / "a.json")


def test_junit() -> None:
    suites = ElementTree.fromstring(junit(RESULT))
    (suite,) = suites
    assert {**suite.attrib} == {"name": "url-viz check", "tests": "4", "failures": "1", "errors": "1"}
    failed, passed, unjudged, _ = suite
    assert passed.attrib["name"] == "useless"
    assert len(passed) == 0
    assert failed[0].tag == "failure"
    assert failed[0].attrib["message"] == "leaks: 1 of 9, at most 0; 1 known"
    assert failed[0].text is not None
    assert failed[0].text.startswith('a|b\\n](x)<script>&"\\x1b\\x00\\udcff`@me`')
    assert "old.jpg" not in failed[0].text
    assert (unjudged[0].tag, unjudged.attrib["name"][:11]) == ("error", "ambiguous: ")


def test_markdown() -> None:
    text = markdown(RESULT).decode()
    assert "| ❌ | leaks | 1 of 9, at most 0; 1 known |" in text
    assert "| ✅ | useless | 0 of 9, at most 1% |" in text
    assert "| ✅ | ambiguous | 1 class |" in text, "classes that pass are counted"
    assert "<script>" not in text
    assert "https://" not in text
    assert "@me" not in text
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert all(line.replace(r"\|", "").count("|") == 4 for line in table), "no name ends a cell"
    many = tuple(f"{n}.jpg" for n in range(SHOWN + 3))
    rule = RuleResult("copies", None, 0, "broken", 99, many, (None,) * len(many), many, (True,) * len(many))
    assert "- and 3 more" in markdown(GateResult("f", 99, "m", "s", (rule,))).decode()


@pytest.mark.slow
def test_markdown_is_bounded_as_a_whole() -> None:
    """Hundreds of broken classes with long names: what does not fit is counted, and the table stays one."""
    paths = tuple(f"{'|é' * 200}{n}.jpg" for n in range(SHOWN))
    shorts = tuple(f"{n}.jpg" for n in range(SHOWN))
    rules = [
        RuleResult("ambiguous", f"{n}{'_`é' * 300}", 0, "broken", 99, of, (None,) * SHOWN, of, (True,) * SHOWN)
        for n in range(120)
        for of in (shorts, paths)
    ]
    for some in (rules[:1], rules, rules[1:]):
        text = markdown(GateResult("f" * 5_000, 99, "m", "s", tuple(some)))
        assert len(text) <= MOST_BYTES
        lines = text.decode().splitlines()
        assert lines.count("| | rule | found |") == 1
        assert text.count(b"<details>") == text.count(b"</details>")
    told = markdown(GateResult("f", 99, "m", "s", tuple(rules))).decode()
    rows = sum(line.startswith("| ❌") for line in told.splitlines())
    assert f"| | and {240 - rows:,} more | |" in told
    assert f"And {240 - told.count('<details>'):,} more broken rules: see --json." in told
