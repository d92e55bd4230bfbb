"""A policy is read as it is written, or refused with a sentence; its rules count what is there, and what is new."""

from collections import Counter
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.given import by_turns, given_set
from tests.leaky import BLANK, BROKEN, BURST, COPY, LEAKS, NEAR, WRONG
from tests.object_sets import write_objects
from url_viz.base.errors import UsageError
from url_viz.findings.findings import rules
from url_viz.findings.gate import Bound, GateResult, RuleResult, policy_of, read_policy
from url_viz.image_set import ImageSet
from url_viz.models.model import Model
from url_viz.reading import embed_folder
from url_viz.runs.model_accuracy import CLEAR


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("leak = 0", "p.toml: 'leak' is not a rule. Did you mean leaks?"),
        ("wrong_labels = 0", "'wrong_labels' is not a rule. Did you mean wrong-labels?"),
        ("xyz = 0", "There are leaks, shortcuts, wrong-labels"),
        ("leaks = -1", "p.toml: leaks is -1. Give a whole number from 0 on, or a share"),
        ("leaks = 0.5", "leaks is 0.5. Give"),
        ("leaks = true", "leaks is True. Give"),
        ('leaks = "101%"', "leaks is '101%'. Give"),
        ('leaks = "few"', "leaks is 'few'. Give"),
        ("leaks = []", "leaks is []. Give"),
        ("[leaks]\nmost = 1", "leaks is {'most': 1}. Give"),
        ('[ambiguous]\nkiwi = "x"', "ambiguous.kiwi is 'x'. Give"),
        ("ambiguous = 1.5", "p.toml: ambiguous is 1.5. Give"),
        ("[ambiguous]", "has no line"),
        ("[small-classes]\nless = 3", "small-classes.less is unknown. It has most = 0 and fewer-than = 5"),
        ("[small-classes]\nfewer-than = 0", "small-classes.fewer-than is 0. Give a whole number"),
        ("[small-classes]\nmost = -2", "small-classes.most is -2. Give"),
        ("", "p.toml has no rule. Write a line such as leaks = 0"),
        ("leaks 0", "A rule is a line such as leaks = 0"),
        (f"leaks = {'[' * 5_000}{']' * 5_000}", "A rule is a line such as leaks = 0"),
        (f'unreadable = "{"9" * 5_000}%"', 'Give a whole number from 0 on, or a share from "0%" to "100%"'),
    ],
)
def test_what_is_no_policy_is_refused(tmp_path: Path, line: str, wrong: str) -> None:
    (tmp_path / "p.toml").write_text(line)
    with pytest.raises(UsageError) as caught:
        read_policy(tmp_path / "p.toml")
    assert wrong in str(caught.value)


def test_a_policy_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"Cannot read the policy .*No such file.* such as leaks = 0"):
        read_policy(tmp_path / "p.toml")


@given(st.integers(0, 10_000), st.integers(0, 10_000), st.decimals(0, 100, places=2))
def test_a_share_is_exact(count: int, of: int, percent: object) -> None:
    assert Bound(f"{percent} %").holds(count, of) == (Fraction(count) <= Fraction(str(percent)) / 100 * of)


def test_bounds_by_hand() -> None:
    assert Bound("29%").holds(29, 100), ".29 * 100 is below 29 in floating point"
    assert not Bound("29%").holds(30, 100)
    assert Bound("0%").holds(0, 0)
    assert Bound(2).holds(2, 2)
    assert not Bound(2).holds(3, 1000)


@pytest.fixture
def image_set(leaky: ImageSet) -> ImageSet:
    return leaky


EVERYTHING = {
    "leaks": LEAKS,
    "wrong-labels": WRONG,
    "copies": {NEAR: "", COPY: "", **dict.fromkeys(BURST[1:], "")},
    "useless": {BLANK: ""},
    "unreadable": {BROKEN: ""},
    "small-classes": {"emu": "2 pictures"},
}


def by_rule(result: GateResult) -> dict[str, RuleResult]:
    return {rule.name: rule for rule in result.rules}


@pytest.mark.slow
def test_each_rule_finds_what_is_there(image_set: ImageSet) -> None:
    result = image_set.check(dict.fromkeys(EVERYTHING, 0))
    for name, rule in by_rule(result).items():
        if name == "copies":  # of each group all but the first by path
            originals = [*LEAKS.values(), BURST[0]]
            assert {path for path, _ in rule.counted} <= {*LEAKS, *originals, *BURST}
            assert rule.count == 2 + 3
        else:
            assert {path for path, _ in rule.counted} == set(EVERYTHING[name]), name
        assert rule.state == ("passed" if name == "wrong-labels" else "broken")
    assert by_rule(result)["wrong-labels"].count == 0, "of two labels it is not sure that one is wrong"
    assert by_rule(result)["wrong-labels"].found.endswith("(at least, among 2 that are doubtful), at most 0")
    pictures = len(image_set)
    assert {name: rule.of for name, rule in by_rule(result).items()} == {
        "leaks": pictures,
        "wrong-labels": pictures,
        "copies": pictures,
        "useless": pictures,
        "unreadable": pictures + 1,
        "small-classes": 3,
    }
    details = dict(by_rule(result)["leaks"].counted)
    assert details[NEAR] == f"in test, with a copy {LEAKS[NEAR]} in train"
    assert dict(by_rule(result)["wrong-labels"].counted) == {
        path: f"{path.split('/')[1]} or {other}? Labelled {path.split('/')[1]}" for path, other in WRONG.items()
    }
    assert by_rule(result)["leaks"].words == f"leaks: 2 of {pictures}, at most 0"
    assert (result.state, result.status) == ("broken", 1)


@pytest.mark.slow
def test_bounds_that_hold_pass_and_decisions_count_no_more(image_set: ImageSet) -> None:
    wide = {"leaks": 2, "wrong-labels": "50%", "copies": 5, "useless": 1, "unreadable": "10%", "small-classes": 1}
    assert image_set.check(wide).status == 0
    assert image_set.check({**wide, "leaks": 1}).status == 1
    assert image_set.check({"small-classes": {"most": 0, "fewer-than": 2}}).status == 0, "there are two emus"
    table = image_set.table().set_index("path")
    ids = [int(table["id"][path]) for path in (*LEAKS, *WRONG, *BURST[1:], BLANK)]
    image_set.decisions.decide(ids, "drop")
    none = image_set.check({"leaks": 0, "wrong-labels": 0, "copies": 0, "useless": 0})
    assert [rule.count for rule in none.rules] == [0, 0, 0, 0]
    image_set.decisions.undo()


@pytest.mark.slow
def test_ambiguous_pictures_of_each_class(image_set: ImageSet) -> None:
    table = image_set.table()
    results = by_rule(image_set.check({"ambiguous": {"*": 0, "dog": "100%"}}))
    assert list(results) == ["ambiguous: dog", "ambiguous: cat", "ambiguous: emu"]
    for name, rule in results.items():
        rows = table[table["label"] == name.split(": ")[1]]
        assert (rule.count, rule.of) == (int((rows["ambiguity"] >= CLEAR).sum()), len(rows))
    assert results["ambiguous: dog"].state == "passed"
    assert sum(rule.count for rule in results.values()) > 0
    assert image_set.check({"ambiguous": {"gnu": 0}}).rules[0].why_not.startswith("There is no class 'gnu'.")


@pytest.mark.slow
def test_what_cannot_be_judged_is_no_pass(tmp_path: Path) -> None:
    image_set = given_set(tmp_path, by_turns(6, classes=("a",)))
    result = image_set.check(
        {"leaks": 0, "wrong-labels": 0, "small-classes": 0, "ambiguous": 0, "tiny": 0, "copies": 0}
    )
    assert [rule.rule for rule in result.rules if rule.state == "passed"] == ["copies"]
    assert (result.state, result.status) == ("not judged", 2)
    assert "has no splits" in by_rule(result)["leaks"].words
    broken = image_set.check({"leaks": 0, "copies": 0})
    assert replace(broken, rules=(*broken.rules, RuleResult("useless", None, 0, "broken", 1))).status == 1


def a_result(keys: list[str], bound: int | str = 0) -> GateResult:
    rule = RuleResult("useless", None, bound, "broken", 100, tuple(keys), (None,) * len(keys), ("",) * len(keys))
    return GateResult("f", 100, "m", "s", (replace(rule, new=(True,) * len(keys)),))


KEYS = st.lists(st.sampled_from("abcd"), max_size=8)


@given(now=KEYS, before=KEYS)
def test_only_what_is_new_counts(now: list[str], before: list[str]) -> None:
    (rule,) = a_result(now).against(a_result(before)).rules
    assert Counter(path for path, _ in rule.counted) == Counter(now) - Counter(before)
    assert rule.state == ("broken" if rule.count else "passed")
    assert rule.paths == tuple(now), "all are a baseline for the next check"


def test_of_labels_those_count_that_are_wrong_at_least() -> None:
    """By the lower end of what is expected of the new ones; copies in conflict count for sure."""
    (rule,) = a_result(list("abcdefghijklmnopqrst"), 5).rules
    likely = replace(rule, chances=(0.9,) * 20)
    assert 5 <= likely.count < 18
    assert likely.found == f"{likely.count} of 100 (at least, among 20 that are doubtful), at most 5"
    assert replace(likely, new=(True,) * 3 + (False,) * 17).count < 3
    assert replace(likely, chances=(1.0,) * 6 + (0.3,) * 14).count == 6


def test_a_baseline_that_does_not_fit() -> None:
    with pytest.raises(UsageError, match=r"was read with 'x', and this with 'm'.*Make the baseline again"):
        a_result([]).against(replace(a_result([]), space="other", model="x"))
    (rule,) = a_result(["a"]).against(replace(a_result([]), rules=())).rules
    assert rule.words == "useless: The baseline has not judged useless: make it again with this policy."


@pytest.mark.slow
def test_against_a_set_what_moved_is_known_by_its_content(image_set: ImageSet, tmp_path: Path) -> None:
    again = image_set.check({"leaks": 0, "unreadable": 0, "useless": 0}, baseline=image_set)
    assert (again.status, [len(rule.paths) for rule in again.rules]) == (0, [2, 1, 1])
    known = image_set.check({"useless": 0})
    (rule,) = known.rules
    moved = replace(known, rules=(replace(rule, paths=("elsewhere.jpg",)),))
    assert image_set.check({"useless": 0}, baseline=moved).status == 0
    other = replace(known, rules=(replace(rule, contents=("0" * 16,)),))
    assert image_set.check({"useless": 0}, baseline=other).status == 1


def test_rules_on_objects(tmp_path: Path, workspace: Path, model: Model) -> None:
    data = write_objects(tmp_path)
    label = tmp_path / "labels" / "0.txt"
    first, second, third = label.read_text().splitlines()
    label.write_text("\n".join([first, second, second, third, "1 .5 .5 .02 .02", "1 .99 .5 .1 .2"]))
    image_set = embed_folder(data, model=model, workspace=workspace)
    results = by_rule(image_set.check({"double-boxes": 0, "tiny": 0, "outside": 0}))
    assert {name: rule.count for name, rule in results.items()} == {"double-boxes": 1, "tiny": 1, "outside": 1}
    assert results["tiny"].counted[0][1] == "8 × 6 pixels"


def test_every_rule_can_be_written() -> None:
    policy = policy_of(dict.fromkeys(rules(), 0))
    assert {*policy.bounds, *policy.by_class} == {*rules()}
