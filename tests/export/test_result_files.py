"""Results as files: those of a gate, whole and with names of others as text only, and answers, read back or refused."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest

from url_viz.base.errors import DecisionError, FolderError, UsageError
from url_viz.export.result_files import (
    COLUMNS,
    MOST_BYTES,
    SHOWN,
    answers_table,
    as_baseline,
    import_answers,
    junit,
    markdown,
    questions_table,
    read_baseline,
)
from url_viz.export.table_files import write_table
from url_viz.findings.gate import GateResult, RuleResult
from url_viz.image_set import ImageSet
from url_viz.imaging.uploaded_files import IncomingFile

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
        for n in range(60)
        for of in (shorts, paths)
    ]
    for some in (rules[:1], rules[1:], rules):
        text = markdown(GateResult("f" * 5_000, 99, "m", "s", tuple(some)))
        assert len(text) <= MOST_BYTES
        lines = text.decode().splitlines()
        assert lines.count("| | rule | found |") == 1
        assert text.count(b"<details>") == text.count(b"</details>")
    rows = sum(line.startswith("| ❌") for line in lines)
    assert f"| | and {120 - rows:,} more | |" in lines
    assert f"And {120 - text.count(b'<details>'):,} more broken rules: see --json." in lines


@pytest.fixture
def image_set(mislabelled: ImageSet) -> ImageSet:
    return mislabelled


def answered(image_set: ImageSet, count: int = 6) -> pd.DataFrame:
    """Every second pair is said to be the same kind."""
    pairs = image_set.answers.ask(count)
    ids = zip(pairs["id"], pairs["neighbour_id"], strict=True)
    image_set.answers.give({pair: number % 2 == 0 for number, pair in enumerate(ids)})
    return pairs


def known(image_set: ImageSet) -> dict[tuple[int, int], bool]:
    return image_set.answers.log.now().as_dict()


def csv(text: str) -> IncomingFile:
    return IncomingFile("answers.csv", text.encode())


@pytest.mark.slow
class TestAnswers:
    """Written, filled in, read back by content or by path, and refused if they cannot be read."""

    @pytest.mark.parametrize("keep", [COLUMNS, COLUMNS[:3]])
    def test_what_is_written_is_read_back(self, image_set: ImageSet, tmp_path: Path, keep: list[str]) -> None:
        pairs = answered(image_set)
        table = answers_table(image_set)
        assert table.columns.tolist() == COLUMNS
        assert table["same"].tolist() == ["yes", "no"] * 3
        sides = zip(table["path"], table["neighbour_path"], strict=True)
        asked = zip(pairs["path"], pairs["neighbour_path"], strict=True)
        assert [set(pair) for pair in sides] == [set(pair) for pair in asked]
        before, file = known(image_set), write_table(table[keep], tmp_path / "answers.csv")
        image_set.decisions.undo()
        assert known(image_set) == {}
        done = import_answers(image_set, file, who="anna")
        assert known(image_set) == before
        assert (done.action.count, done.unanswered, done.unknown) == (6, 0, 0)
        assert image_set.decisions.history(1)["who"].tolist() == ["anna"]

    def test_questions_are_filled_in(self, image_set: ImageSet, tmp_path: Path) -> None:
        table = questions_table(image_set, top=4, seed=1)
        assert table["same"].tolist() == [""] * 4
        table["same"] = ["Yes", " n ", "", "SAME"]
        done = import_answers(image_set, write_table(table, tmp_path / "q.csv"))
        assert sorted(known(image_set).values()) == [False, True, True]
        assert done.words == (
            "Said of 2 pairs that both are the same kind and said of 1 pair that they are not the same kind; "
            "passed over 1 row without an answer."
        )

    def test_of_another_machine_by_content_whatever_the_paths(self, image_set: ImageSet) -> None:
        answered(image_set)
        table = answers_table(image_set).assign(path="elsewhere.jpg", neighbour_path="=other.jpg")
        before = known(image_set)
        image_set.decisions.undo()
        import_answers(image_set, csv(table.to_csv(index=False)))
        assert known(image_set) == before

    def test_those_of_other_pictures_are_passed_over(self, image_set: ImageSet) -> None:
        table = image_set.table()
        one, two, copy, original = (*table["path"][1:3], "cat/copy.jpg", "cat/0000.jpg")
        text = f"path,neighbour_path,same\n{one},{two},yes\nnowhere.jpg,{two},no\n{copy},{original},no\n"
        done = import_answers(image_set, csv(text))
        assert (done.action.count, done.unknown) == (1, 2)
        assert done.words.endswith("; passed over 2 of pictures that are not in this set.")
        with pytest.raises(DecisionError, match="None of the 1 answers"):
            import_answers(image_set, csv("path,neighbour_path,same\nx.jpg,y.jpg,no\n"))

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("path,same\na,yes\n", "has no column 'neighbour_path'"),
            ("path,neighbour_path,same\na,b,yes\na,c,perhaps\n", "'perhaps' in the column same, line 3"),
            ("\0", "holds zero bytes"),
            ("", "cannot be read as a table"),
        ],
    )
    def test_a_file_that_says_something_else_stores_nothing(self, image_set: ImageSet, text: str, says: str) -> None:
        with pytest.raises(FolderError, match=says):
            import_answers(image_set, csv(text))
        assert known(image_set) == {}
