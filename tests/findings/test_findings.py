"""Findings by their rules: told where the evidence is there, and not below it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.columns.set_table import findings_of, set_table
from url_viz.columns.filters import ReviewSpec
from url_viz.columns.undecided import open_groups
from url_viz.findings.file_findings import BURST, bursts
from url_viz.findings.findings import Finding
from url_viz.findings.label_findings import SMALL_CLASS, mixed_up, small_classes
from url_viz.findings.leaks import SAME_FILE
from url_viz.findings.reasons import MOST_USELESS, NAMES, Reasons, useless
from url_viz.labels.calibration import agreement_in
from url_viz.labels.doubtful_labels import doubtful_labels
from url_viz.labels.label_issues import CONFLICTING, LabelCheck

COUNT = 40


def table(**columns: object) -> pd.DataFrame:
    """Forty pictures, twenty ants and twenty bees, none a twin, none decided on."""
    return set_table(COUNT, {"label": ["ant"] * 20 + ["bee"] * 20, "uncertainty": 0.5}, columns)


def strengths(**given: dict[int, float]) -> Reasons:
    """Strengths by reason (`_` for a space or hyphen) and row."""
    strength = np.zeros((COUNT, len(NAMES)), np.float32)
    for name, rows in given.items():
        column = next(n for n, known in enumerate(NAMES) if known.replace("-", "_").replace(" ", "_") == name)
        for row, value in rows.items():
            strength[row, column] = value
    return Reasons(strength, np.ones(len(NAMES), np.float32))


def check(
    rows: pd.DataFrame, *, taken: Mapping[int, str] | None = None, kinds: Mapping[int, str] | None = None
) -> LabelCheck:
    """What was found on the labels: pictures (by row) that are taken for another class, and that are of a kind."""
    taken_for = [(taken or {}).get(row, label) for row, label in enumerate(rows["label"])]
    kind = [(kinds or {}).get(row, "") for row in range(len(rows))]
    pictures = rows[["id", "path", "label"]].assign(
        suggested=taken_for,
        kind=kind,
        score=0.5,
        share=0.8,
        wrong=np.where(np.array(kind) == CONFLICTING, 0.5, 0.001),
        support=1,
        neighbours=2,
        taken_for=taken_for,
        unsure=0.0,
        twin_group=rows["twin_group"],
        answer=np.nan,
    )
    agreement = agreement_in(pictures.assign(first_class=pictures["taken_for"]))
    return LabelCheck(pictures, tuple(sorted(set(rows["label"]))), 0, agreement)


def found_in(rows: pd.DataFrame | None = None, **parts: Any) -> tuple[Finding, ...]:
    return findings_of(table() if rows is None else rows, **{"reasons": strengths(), **parts})


def told(found: tuple[Finding, ...]) -> dict[str, str]:
    return {one.kind: one.words for one in found}


def test_nothing_is_said_of_what_is_not_there() -> None:
    assert found_in(label_check=check(table())) == ()
    leaks = pd.DataFrame({"id": [], "split": [], "twin_split": [], "kind": []})
    assert found_in(leaks=leaks) == ()


class TestLeaks:
    LEAKS = pd.DataFrame({"id": [101, 105], "split": "test", "twin_split": ["train", "val"], "kind": "copy"})
    GROUPS = np.where(np.arange(COUNT) == 1, 0, np.where(np.arange(COUNT) == 5, 4, np.arange(COUNT)))

    def test_the_pictures_that_leak(self) -> None:
        found = found_in(table(twin_group=self.GROUPS), leaks=self.LEAKS)
        assert told(found) == {"leaks": "2 pictures of test have a copy or another view in train and val"}
        assert found[0].opens == ReviewSpec("leaks")

    def test_a_group_that_is_decided_as_a_whole_is_told_no_more(self) -> None:
        decision = ["keep", "keep"] + [None] * (COUNT - 2)
        found = found_in(table(twin_group=self.GROUPS, decision=decision), leaks=self.LEAKS)
        assert told(found) == {"leaks": "1 picture of test has a copy or another view in val"}


class TestWrongLabels:
    def test_says_of_the_doubtful_labels_what_they_say(self) -> None:
        rows = table(decision=["keep", *[None] * (COUNT - 1)])
        labels = check(rows, kinds=dict.fromkeys((0, 1, 2), CONFLICTING))
        doubtful = doubtful_labels(labels, rows)
        found = found_in(rows, label_check=labels, doubtful=doubtful)
        assert told(found) == {"wrong-labels": doubtful.words}
        assert found[0].count == len(doubtful) == 10
        assert found[0].opens == ReviewSpec("suspects")

    def test_they_are_among_the_first_two_whatever_else_is_found(self) -> None:
        rows = table(twin_group=np.where(np.arange(COUNT) < BURST, 0, np.arange(COUNT)))
        leaks = pd.DataFrame({"id": [101, 102], "split": "test", "twin_split": "train", "kind": ["copy", SAME_FILE]})
        labels = check(rows)
        doubtful = doubtful_labels(labels, rows)
        found = found_in(rows, label_check=labels, doubtful=doubtful, leaks=leaks, failed=2)
        assert [one.kind for one in found] == ["in-two-splits", "wrong-labels", "leaks", "bursts", "unreadable"]
        assert found_in(rows, label_check=labels, doubtful=doubtful, failed=2)[0].kind == "wrong-labels"

    def test_a_lone_label_leads_nothing(self) -> None:
        rows = table(decision=["keep"] * (COUNT - 1) + [None])
        labels = check(rows)
        doubtful = doubtful_labels(labels, rows)
        assert len(doubtful) == 1
        found = found_in(rows, label_check=labels, doubtful=doubtful, failed=2)
        assert [one.kind for one in found] == ["unreadable", "wrong-labels"]

    def test_classes_that_are_not_known_are_told_first_and_nothing_of_single_labels(self) -> None:
        """Of two classes as large chance alone agrees with half: what agrees with two thirds does not know them."""
        wrong = {row: "bee" if row < 20 else "ant" for row in (*range(7), *range(20, 27))}
        unknown = check(table(), taken=wrong)
        assert not unknown.agreement.is_known
        assert unknown.mixed.empty
        assert mixed_up(unknown, None).empty
        doubtful = doubtful_labels(unknown, table())
        found = found_in(label_check=unknown, doubtful=doubtful, failed=3)
        assert [one.kind for one in found] == ["unknown-classes", "unreadable"]
        assert found[0].words.startswith(
            "The model agrees with 65 % of the labels, chance with 50 %: they are wrong as"
        )
        assert found[0].opens == ReviewSpec("suspects")

    def test_what_is_asked_as_a_doubtful_label_is_not_asked_as_of_classes_that_overlap(self) -> None:
        labels = check(table(), taken=dict.fromkeys(range(6), "bee"))
        doubtful = doubtful_labels(labels, table())
        assert mixed_up(labels, doubtful)["id"].tolist() == []
        assert mixed_up(labels, None)["id"].tolist() == [100, 101, 102, 103, 104, 105]


class TestMixed:
    @pytest.mark.parametrize(("taken", "pairs"), [(3, 0), (4, 1)])
    def test_from_a_fifth_of_a_class_on(self, taken: int, pairs: int) -> None:
        found = check(table(), taken=dict.fromkeys(range(taken), "bee"))
        assert len(found.mixed) == pairs
        assert mixed_up(found, None)["id"].tolist() == [100, 101, 102, 103][: taken * pairs]

    def test_both_ways_the_most_mixed_pair_first(self) -> None:
        labels = ["ant"] * 20 + ["bee"] * 10 + ["cow"] * 10
        rows = table(label=labels)
        like_bee, like_cow = dict.fromkeys((0, 1, 30, 31, 32), "bee"), dict.fromkeys((2, 22, 23), "cow")
        taken = {**like_bee, **like_cow, 20: "ant", 21: "ant"}
        found = check(rows, taken=taken)
        assert mixed_up(found, None)["id"].tolist() == [122, 123, 130, 131, 132, 100, 101, 120, 121]
        said = found_in(rows, label_check=found)
        assert told(said) == {"mixed-up": "2 pairs of classes overlap: cow ↔ bee, and 1 other"}


class TestBursts:
    def test_of_so_many_until_all_are_decided(self) -> None:
        sizes = [BURST, BURST + 1, BURST - 1]
        group = np.arange(COUNT)
        start = 0
        for size in sizes:
            group[start : start + size] = start
            start += size
        rows = table(twin_group=group)
        found = found_in(rows)
        assert told(found) == {"bursts": f"2 bursts of {BURST} or more: {2 * BURST + 1} pictures"}
        assert len(open_groups(rows, ReviewSpec("bursts"), bursts(rows))) == 2
        decided = table(twin_group=group, decision=["keep"] + ["drop"] * (BURST - 1) + [None] * (COUNT - BURST))
        assert told(found_in(decided)) == {"bursts": f"1 burst of {BURST} or more: {BURST + 1} pictures"}
        mixed = found_in(table(twin_group=np.roll(group, 19)))  # the first is of ants and bees
        words = f"2 bursts of {BURST} or more: {2 * BURST + 1} pictures, 1 of them with pictures of several classes"
        assert told(mixed) == {"bursts": words}


class TestUseless:
    def test_the_surest_first_with_its_reason(self) -> None:
        reasons = strengths(near_empty={3: 0.1}, blurred={5: 0.9, 6: 0.7}, dark={7: 0.8, 3: 0.05})
        found = useless(table(), reasons)
        assert found["id"].tolist() == [105, 107, 103]
        assert found["suggested"].tolist() == ["blurred", "dark", "near-empty"]
        said = found_in(reasons=reasons)
        assert told(said)["useless"].startswith("3 pictures show hardly anything (blurred, dark, near-empty)")

    def test_what_the_set_shares_is_none(self) -> None:
        limit = int(MOST_USELESS * COUNT)
        reasons = strengths(dark=dict.fromkeys(range(limit + 1), 1.0), blurred={9: 1.0})
        assert useless(table(), reasons)["id"].tolist() == [109]
        assert len(useless(table(), strengths(dark=dict.fromkeys(range(limit), 1.0)))) == limit

    def test_pictures_of_a_single_tone_are_named_however_many(self) -> None:
        empty = strengths(near_empty=dict.fromkeys(range(COUNT), 1.0))
        assert len(useless(table(), empty)) == COUNT
        assert told(found_in(reasons=empty))["useless"].startswith(f"{COUNT} pictures show hardly anything")
        drawings = strengths(near_empty=dict.fromkeys(range(COUNT), 0.9))
        assert useless(table(), drawings).empty


class TestSmallClasses:
    def test_copies_count_once_views_each_and_dropped_ones_do_not(self) -> None:
        labels = ["ant"] * 25 + ["bee"] * SMALL_CLASS + ["cow"] * SMALL_CLASS + ["dog"] * 5
        copies, group = np.arange(COUNT), np.arange(COUNT)
        copies[26] = 25  # two bees are one
        group[25:30] = 25  # all of one moment
        decision = [None] * COUNT
        decision[25 + SMALL_CLASS] = "drop"
        found = small_classes(table(label=labels, twin_group=group, copy_group=copies, decision=decision))
        sizes = dict(zip(found["label"], found["size"], strict=True))
        assert sizes == {"bee": SMALL_CLASS - 1, "cow": SMALL_CLASS - 1}

    def test_names_the_smallest(self) -> None:
        labels = ["ant"] * 30 + ["bee", "cow", "cow", "dog", "elk", "elk", "fox", "fox", "gnu", "gnu"]
        said = found_in(table(label=labels))
        assert told(said) == {"small-classes": "6 classes have fewer than 5 pictures: bee, dog, cow and 3 others"}


def test_unreadable_files_open_no_review() -> None:
    [found] = found_in(failed=1)
    assert (found.words, found.opens) == ("1 file could not be read", None)
