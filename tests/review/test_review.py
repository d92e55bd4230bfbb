"""The review: which pictures in which order, what is asked of each, a place that is kept; progress and names."""

import datetime
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.columns.set_table import columns_given, set_table
from tests.twin_groups import twin_column
from url_viz.base.errors import DecisionError, ImageSetError
from url_viz.base.rows import l2_normalize
from url_viz.base.workspace import SetPaths
from url_viz.columns.filters import (
    MOST_CORNERS,
    Between,
    OneOf,
    ReviewSpec,
    Scope,
    is_review_key,
    review_as_query,
    review_from_query,
)
from url_viz.columns.twin_groups import group_codes, members_of_groups
from url_viz.columns.undecided import MOST, make_queue, open_groups
from url_viz.findings.object_findings import LEGIBLE
from url_viz.findings.reasons import NAMES, Reasons
from url_viz.labels.questions import Choice, ask_any_label, ask_label, between_classes
from url_viz.pictures.named_groups import NamedGroups
from url_viz.pipeline.nearest import UnitRows
from url_viz.review.cards import CardAnswer, Stepped
from url_viz.review.naming import can_order, suggestions_in
from url_viz.review.queues import PARTS, became, outcomes, outcomes_in_words, progress_counts
from url_viz.review.review import GroupReview, ready_reviews, title_of_review
from url_viz.review.review_queue import Review, ReviewContext
from url_viz.store.decisions.answers import Answers
from url_viz.store.decisions.decision_rows import FileKeys
from url_viz.store.decisions.decisions import Decisions

COUNT = 8


def table(**columns: object) -> pd.DataFrame:
    """Eight pictures of two classes, ids 100 to 107, 102 and 103 twins; the later the more ambiguous, the last nan."""
    ambiguity, labels = np.append(np.arange(COUNT - 1) / 10, np.nan), ["ant", "bee"] * 4
    base = {
        "label": labels,
        "label_given": labels,
        "tags": "",
        **dict.fromkeys(("uncertainty", "entropy", "ambiguity"), ambiguity),
        "first_class": ["ant"] * COUNT,
        "second_class": ["bee", "cat"] * 4,
        "first_share": 0.6,
        "second_share": 0.3,
        "twin_group": [0, 1, 2, 2, 4, 5, 6, 7],
        "x": np.arange(COUNT, dtype=float),
        "y": np.zeros(COUNT),
    }
    return set_table(COUNT, base, columns)


SUSPECT_ROWS = pd.DataFrame({"id": [105, 101, 103, 102], "suggested": ["cat", None, "ant", "bee"]})


class TestQueue:
    """Which pictures, in which order."""

    def test_by_a_measure_twins_once_and_without_a_value_last(self) -> None:
        assert make_queue(table(), ReviewSpec("ambiguity")).tolist() == [106, 105, 104, 103, 101, 100, 107]

    def test_decided_and_checked_ones_are_left_out(self) -> None:
        rows = table(
            decision=[None, "keep", None, None, "look-again", None, None, None],
            label_checked=[None] * 6 + ["confirmed", None],
        )
        assert make_queue(rows, ReviewSpec("ambiguity")).tolist() == [105, 103, 100, 107]

    def test_of_decided_ones_where_the_scope_asks_for_them(self) -> None:
        rows = table(decision=["look-again", "keep", None, None, "look-again", None, None, None])
        spec = ReviewSpec("ambiguity", Scope(filters=(OneOf("decision", ("look-again",)),)))
        assert make_queue(rows, spec).tolist() == [104, 100]

    def test_a_class_a_lasso_and_bounds(self) -> None:
        of_class = ReviewSpec("ambiguity", Scope(filters=(OneOf("label", ("bee",)),)))
        assert make_queue(table(), of_class).tolist() == [105, 103, 101, 107]
        lasso = ((1.5, -1.0), (4.5, -1.0), (4.5, 1.0), (1.5, 1.0))
        assert make_queue(table(), ReviewSpec("ambiguity", Scope(polygon=lasso))).tolist() == [104, 103]
        assert make_queue(table(), ReviewSpec("ambiguity", most=2)).tolist() == [106, 105]
        each = ReviewSpec("ambiguity", per_class=1)
        assert make_queue(table(), each).tolist() == [106, 105]

    def test_within_the_class_ranks_count(self) -> None:
        """Of ants .0 .2 .4 .6, of bees .1 .3 .5: the first of each class stand before all others."""
        first_two = make_queue(table(), ReviewSpec("ambiguity", within_class=True))[:2].tolist()
        assert sorted(first_two) == [105, 106]

    def test_suspects_in_their_order(self) -> None:
        assert make_queue(table(), ReviewSpec("suspects"), SUSPECT_ROWS).tolist() == [105, 101, 103]
        assert make_queue(table(), ReviewSpec("suspects"), SUSPECT_ROWS.iloc[:0]).tolist() == []
        assert make_queue(table(), ReviewSpec("labels"), SUSPECT_ROWS).tolist() == [105, 101, 103]

    def test_groups_of_twins_the_largest_first_until_all_are_decided(self) -> None:
        rows = table(twin_group=[0, 0, 2, 2, 2, 5, 6, 7])
        assert open_groups(rows, ReviewSpec("copies"), members_of_groups(rows)).tolist() == [102, 100]
        half = table(twin_group=[0, 0, 2, 2, 2, 5, 6, 7], decision=["keep", None, "keep", "drop", "drop", *[None] * 3])
        assert open_groups(half, ReviewSpec("copies"), members_of_groups(half)).tolist() == [100]

    def test_is_bounded(self) -> None:
        many = pd.concat([table()] * 2000, ignore_index=True)
        many["id"], many["twin_group"] = np.arange(len(many)), twin_column(np.arange(len(many)))
        assert len(make_queue(many, ReviewSpec("ambiguity"))) == MOST

    @pytest.mark.slow
    @given(
        st.lists(st.sampled_from([None, "keep", "drop"]), min_size=COUNT, max_size=COUNT),
        st.lists(st.floats(0, 1) | st.just(float("nan")), min_size=COUNT, max_size=COUNT),
        st.integers(1, 9),
    )
    def test_is_what_a_plain_loop_gives(self, decided: list[str | None], values: list[float], most: int) -> None:
        rows = table(decision=decided).assign(ambiguity=np.array(values))
        waiting = [n for n in range(COUNT) if decided[n] is None]
        waiting.sort(key=lambda n: (np.isnan(values[n]), 0 if np.isnan(values[n]) else -values[n], n))
        expected: list[int] = []
        seen = set()
        for number in waiting:
            group = group_codes(rows)[number]
            if group not in seen:
                expected.append(100 + number)
            seen.add(group)
        assert make_queue(rows, ReviewSpec("ambiguity", most=most)).tolist() == expected[:most]


ROW = {"label": "kiwi", "first_class": "onion", "second_class": "kiwi", "first_share": 0.62, "second_share": 0.1}


class TestQuestion:
    """What is asked."""

    def test_between_two_classes(self) -> None:
        asked = between_classes(ROW)
        assert (asked.text, asked.choices) == ("onion or kiwi?", (Choice("onion", 0.62), Choice("kiwi", 0.1)))

    def test_of_a_suspect(self) -> None:
        asked = ask_label(ROW, "onion")
        assert asked.text == "kiwi or onion? Labelled kiwi"
        assert asked.choices == (Choice("kiwi", 0.1), Choice("onion", 0.62))
        assert np.isnan(asked.wrong)
        alone = ask_label(ROW)
        assert alone.text == "Labelled kiwi, but like no other picture: is it right?"
        assert [choice.label for choice in alone.choices] == ["kiwi"]

    def test_of_any_label_the_likeliest_other_class_is_asked_for(self) -> None:
        assert ask_any_label(ROW).text == "kiwi or onion? Labelled kiwi"
        right = ask_any_label(ROW | {"label": "onion"})
        assert right.text == "onion or kiwi? Labelled onion"
        assert [choice.label for choice in right.choices] == ["onion", "kiwi"]
        assert ask_any_label(ROW, "plum").text == "kiwi or plum? Labelled kiwi"

    def test_without_classes(self) -> None:
        nothing = {"label": None, "first_class": None}
        for asked in (between_classes(nothing), ask_label(nothing, "kiwi")):
            assert (asked.text, asked.choices) == ("Like this one?", ())


class TestAddress:
    """A review as parameters of a link."""

    @pytest.mark.parametrize(
        "spec",
        [
            ReviewSpec("ambiguity"),
            ReviewSpec("suspects", Scope(filters=(OneOf("label", ("a; b", "c")),)), most=200),
            ReviewSpec(
                "entropy",
                Scope(((0.0, 1.0), (2.0, 3.0), (4.0, 5.5)), (Between("width", 5.0),)),
                within_class=True,
                per_class=10,
            ),
        ],
    )
    def test_comes_back(self, spec: ReviewSpec) -> None:
        assert review_from_query(review_as_query(spec)) == spec
        assert all(map(is_review_key, review_as_query(spec)))

    def test_within_a_lasso_too_long_for_an_address_is_not_that_of_the_whole_set(self) -> None:
        query = review_as_query(ReviewSpec("ambiguity", Scope(((0.0, 1.0), (2.0, 3.0), (4.0, 5.5)) * MOST_CORNERS)))
        assert query != review_as_query(ReviewSpec("ambiguity"))
        assert review_from_query(query) is None

    def test_what_is_none_is_passed_over(self) -> None:
        assert review_from_query({"by": ["ambiguity"]}) is None
        assert review_from_query({"review": [""]}) is None
        odd = review_from_query({"review": ["ambiguity"], "most": ["-3"], "each": ["1e9"], "within": ["2"]})
        assert odd == ReviewSpec("ambiguity")
        assert review_from_query({"review": ["ambiguity"], "most": ["0"], "each": ["٣"]}) == ReviewSpec("ambiguity")

    def test_titles(self) -> None:
        assert title_of_review(ReviewSpec("suspects")) == "Doubtful labels"
        spec = ReviewSpec("ambiguity", Scope(filters=(OneOf("label", ("kiwi",)),)), most=200)
        assert title_of_review(spec) == "The 200 most ambiguous · Class: kiwi"
        assert (
            title_of_review(ReviewSpec("ambiguity", within_class=True))
            == "All, most ambiguous first · ranked within class"
        )
        spec = ReviewSpec("ambiguity", Scope(filters=(OneOf("label", ("kiwi",)), *LEGIBLE)))
        assert title_of_review(spec) == "All, most ambiguous first · without those under 16 px · Class: kiwi"


def test_ready_reviews_are_those_that_a_set_has() -> None:
    titles = [title_of_review(spec) for spec in ready_reviews(table(), "ambiguity")]
    assert titles == [
        "The 10 most ambiguous of each class",
        "All, most ambiguous first",
        "Near copies",
    ]
    plain = table(twin_group=list(range(COUNT)), label=[None] * COUNT, decision=["look-again", *[None] * 7])
    titles = [title_of_review(spec) for spec in ready_reviews(plain, "confusability")]
    assert titles == [
        "Same kind or not",
        "Name these first",
        "All, most ambiguous first, by “Easily mistaken”",
        "Put aside for later",
    ]
    many = ready_reviews(pd.concat([table()] * 40, ignore_index=True), "ambiguity")
    assert title_of_review(many[0]) == "The 200 most ambiguous"
    assert ready_reviews(table(twin_group=list(range(COUNT))), None) == ()


@pytest.fixture
def paths(tmp_path: Path) -> SetPaths:
    (tmp_path / "set").mkdir()
    return SetPaths(tmp_path / "set")


def opened(
    paths: SetPaths,
    spec: ReviewSpec | None = None,
    *,
    rows: pd.DataFrame | None = None,
    kind: type[Review] = Review,
    **how: Any,
) -> Review:
    rows = table() if rows is None else rows
    ids = rows["id"].to_numpy(np.int64)
    unit = UnitRows(np.random.default_rng(0).normal(size=(len(rows), 4)).astype(np.float16))
    reasons = Reasons(np.zeros((len(rows), len(NAMES)), np.float32), np.ones(len(NAMES), np.float32))
    decisions = Decisions(paths.decisions, FileKeys(ids, ids))
    columns = columns_given(reasons=reasons, sources=group_codes(rows), named_groups=how.pop("named_groups", None))
    of = ReviewContext(rows, unit, decisions, "folders", paths, Answers(paths.decisions), columns, **how)
    return kind(spec or ReviewSpec("ambiguity"), of)


def test_without_classes_the_nearest_of_both_groups_are_shown_and_none_is_a_choice(paths: SetPaths) -> None:
    """They are no classes of the set: nobody can say that a picture is one."""
    nobody = dict.fromkeys(("label", "label_given", "first_class", "second_class"))
    like = {"first_like": ["alp"] * COUNT, "second_like": ["seashore"] * COUNT}
    member = np.array([0, 1] * 4, np.int32)
    groups = NamedGroups(("alp", "seashore"), member, member, member)
    rows = table(**nobody, **like)
    card = opened(paths, ReviewSpec("entropy"), rows=rows, named_groups=groups).card(104)
    assert (card.question.text, card.question.choices) == ("Like: alp or seashore?", ())
    shown = [{int(member[image_id - 100]) for image_id in near["id"]} for near in card.near]
    assert shown == [{0}, {1}]
    assert all(104 not in near["id"].tolist() for near in card.near)


class TestReview:
    """Answers, how far it has come, and the place that is kept."""

    def test_nothing_is_written_before_the_first_answer(self, paths: SetPaths) -> None:
        review = opened(paths)
        assert (review.progress().total, review.progress().left, review.next_index(), len(review)) == (7, 7, 0, 7)
        assert list(paths.folder.iterdir()) == []

    def test_answers_count_and_the_queue_stays_as_it_was(self, paths: SetPaths) -> None:
        review = opened(paths)
        first, second, third = review.ids[:3].tolist()
        assert review.store(first, CardAnswer("keep")).sentence == "Kept 1 picture"
        assert review.store(second, CardAnswer(label="cat")).sentence == "Labelled 1 picture “cat”"
        review.skip(third)
        progress = review.progress()
        assert (progress.done, progress.skipped, progress.left) == (2, 1, 4)
        assert review.next_index() == 3
        card = review.card(second)
        assert (card.row["label"], card.row["label_given"], card.row["label_checked"]) == ("cat", "bee", "cat")
        assert review.classes == ["ant", "bee", "cat"]
        assert review.name_keys == ("ant", "bee", "cat"), "as few as have a key"
        review.store(second, CardAnswer(label="aardvark"))
        assert review.name_keys == ("ant", "bee", "aardvark"), "a new one takes nobody's key"
        review.unskip()
        assert review.next_index() == 2
        review.skip(third)
        review.store(third, CardAnswer("keep"))
        assert (review.progress().done, review.progress().skipped) == (3, 0), "an answer after a skip is done"

    def test_the_latest_answer_is_taken_back_and_given_again_and_leads_to_its_picture(self, paths: SetPaths) -> None:
        review = opened(paths)
        first, second = review.ids[:2].tolist()
        review.store(first, CardAnswer("drop"))
        review.store(second, CardAnswer(label="cat"))
        names = dict(zip(review.table["id"], review.table["path"], strict=True))
        assert review.step("undo") == Stepped(f"Undone: labelled {names[second]} “cat”", second)
        assert review.step("undo") == Stepped(f"Undone: dropped {names[first]}", first)
        assert review.progress().done == 0
        assert review.step("undo") == Stepped("Nothing to undo")
        assert review.step("redo").id == first
        assert [now.decision for now in review.state([first, second])] == ["drop", None]

    def test_what_was_done_is_told_at_its_end(self, paths: SetPaths) -> None:
        review = opened(paths)
        ids = review.ids[:5].tolist()
        given = dict(zip(review.table["id"], review.table["label_given"], strict=True))
        confirmed = CardAnswer(label=given[ids[2]])
        said = (CardAnswer("keep"), CardAnswer(label="cat"), confirmed, CardAnswer("drop"), CardAnswer("look-again"))
        for image_id, answer in zip(ids, said, strict=True):
            review.store(image_id, answer)
        found = outcomes(review)
        assert outcomes_in_words(found) == "1 relabelled, 1 dropped, 1 put aside, 1 confirmed, 1 kept"
        assert [(one.id, one.label) for one in found[:2]] == [(ids[1], "cat"), (ids[3], None)]

    def test_goes_on_where_it_was_left(self, paths: SetPaths) -> None:
        review = opened(paths)
        first, second = review.ids[:2].tolist()
        review.store(first, CardAnswer("drop"))
        review.skip(second)
        later = table(ambiguity=list(np.arange(COUNT)[::-1] / 10))  # another order since
        again = opened(paths, rows=later)
        assert again.ids.tolist() == review.ids.tolist()
        assert again.begun == review.begun
        assert (again.next_index(), again.progress().skipped) == (2, 1)
        afresh = opened(paths, rows=later.iloc[1:].reset_index(drop=True), afresh=True)
        assert afresh.ids[0] == 101
        assert abs(afresh.begun - datetime.datetime.now(datetime.UTC)) < datetime.timedelta(minutes=1)

    def test_pictures_that_are_gone_leave_the_queue(self, paths: SetPaths) -> None:
        review = opened(paths)
        review.skip(int(review.ids[0]))
        fewer = table().iloc[2:].reset_index(drop=True)
        assert opened(paths, rows=fewer).ids.tolist() == [i for i in review.ids.tolist() if i >= 102]

    def test_two_windows_do_not_lose_what_the_other_skipped(self, paths: SetPaths) -> None:
        one = opened(paths)
        one.skip(106)
        other = opened(paths)
        other.skip(105)
        one.skip(104)
        assert opened(paths).progress().skipped == 3

    def test_of_decided_ones_an_answer_in_this_review_counts(self, paths: SetPaths) -> None:
        rows = table(decision=["look-again", None, None, None, "look-again", None, None, None])
        spec = ReviewSpec("ambiguity", Scope(filters=(OneOf("decision", ("look-again",)),)))
        review = opened(paths, spec, rows=rows)
        assert review.progress().done == 0
        review.store(104, CardAnswer("look-again"))
        assert (review.progress().done, opened(paths, spec, rows=rows).progress().done) == (1, 1)

    def test_a_group_of_twins(self, paths: SetPaths) -> None:
        review = opened(paths, ReviewSpec("copies"), rows=table(twin_group=[0, 1, 2, 2, 2, 5, 6, 7]), kind=GroupReview)
        card = review.card(102)
        assert (card.takes, card.question.text) == (("keep", "decision"), "Keep which?")
        assert card.near[0]["id"].tolist() == [102, 103, 104]
        assert review.store(102, CardAnswer(keep=(103,))).sentence == "Kept 1 and dropped 2 pictures"
        assert review.card(102).near[0]["decision"].tolist() == ["drop", "keep", "drop"]
        assert review.progress().left == 0
        assert [(one.id, one.what) for one in outcomes(review)] == [(102, "dropped"), (104, "dropped"), (103, "kept")]
        review.store(102, CardAnswer())
        assert not outcomes(review)
        assert (review.state([102]), review.progress().left) == ([CardAnswer(keep=())], 1)

    def test_an_answer_for_twins_too(self, paths: SetPaths) -> None:
        review = opened(paths, rows=table(twin_group=[0, 1, 2, 2, 2, 5, 6, 7]))
        review.store(102, CardAnswer(label="cat"))
        done = review.store(104, CardAnswer("drop", twins=True))
        assert done.sentence == "Dropped 3 pictures"
        assert review.state([102, 103, 104]) == [CardAnswer("drop", "cat"), CardAnswer("drop"), CardAnswer("drop")]
        review.store(104, CardAnswer(None, "bee", twins=True))
        assert review.state([102, 103, 104, 105]) == [*[CardAnswer(None, "bee")] * 3, CardAnswer()]
        review.store(105, CardAnswer("keep", twins=True))
        assert review.state([105, 106]) == [CardAnswer("keep"), CardAnswer()]

    def test_beside_a_picture_stand_the_nearest_of_each_class_and_of_twins_one(self, paths: SetPaths) -> None:
        rows = table(second_class=["bee"] * COUNT)
        review = opened(paths, rows=rows)
        unit = l2_normalize(np.random.default_rng(0).normal(size=(COUNT, 4)).astype(np.float16))
        card = review.card(100)
        assert [choice.label for choice in card.question.choices] == ["ant", "bee"]
        nearness = unit @ unit[0]
        for near, label in zip(card.near, ("ant", "bee"), strict=True):
            of_class = [n for n in np.argsort(-nearness) if rows["label"].iloc[n] == label and n != 0]
            groups: list[int] = []
            expected = []
            for number in of_class:
                if group_codes(rows)[number] not in groups:
                    expected.append(100 + int(number))
                groups.append(group_codes(rows)[number])
            assert near["id"].tolist() == expected[:3]
        assert 103 not in review.card(102).near[1]["id"].tolist()  # its twin
        assert review.card(102).twins == "1 copy"
        views = opened(paths, rows=table(twin_group=[0, 1, 2, 2, 2, 2, 6, 7], copy_group=[0, 1, 2, 3, 2, 5, 6, 7]))
        assert [views.card(id_).twins for id_ in (102, 103, 101)] == ["1 copy and 2 views", "3 views", ""]

    def test_what_cannot_be_stored_changes_nothing(self, paths: SetPaths) -> None:
        review = opened(paths)
        with pytest.raises(DecisionError, match="cannot be a label"):
            review.store(106, CardAnswer(label="\n"))
        with pytest.raises(ImageSetError, match="no picture with id 5 in this review"):
            review.card(5)
        assert review.progress().done == 0


def test_what_became_of_every_picture_counts_once() -> None:
    both = [*product((None, "keep", "drop", "look-again"), (None, "corrected", "confirmed", "either"))]
    table = pd.DataFrame(both, columns=["decision", "label_checked"], dtype=object)
    table = table.assign(label="kiwi", label_given="kiwi")
    counts = progress_counts(table)
    assert sum(counts.values()) == len(table)
    assert tuple(counts) == PARTS
    wanted = {(None, None): "to go", ("keep", None): "kept", ("keep", "corrected"): "relabelled"}
    wanted |= {("drop", "corrected"): "dropped", ("look-again", "confirmed"): "put aside"}
    wanted |= {("drop", "either"): "dropped", ("keep", "either"): "rightly both"}
    wanted |= {(None, "corrected"): "relabelled", ("keep", "confirmed"): "confirmed"}
    found = dict(zip(both, became(table), strict=True))
    assert {case: found[case] for case in wanted} == wanted


def test_before_the_first_answer_nothing_is_counted() -> None:
    assert progress_counts(pd.DataFrame({"decision": [None] * 3, "label_checked": [None] * 3}, dtype=object)) == {}
    assert progress_counts(pd.DataFrame({"decision": [], "label_checked": []}, dtype=object)) == {}


def test_two_names_of_three_pictures_each_can_order() -> None:
    names = pd.Series(["a", None, "a", "b", "b", "b", "a", None], dtype=object)
    assert can_order(names)
    assert not can_order(names.replace("b", "a"))
    assert not can_order(names.iloc[:5])


def test_suggestions_are_of_pictures_without_a_name_the_surest_first() -> None:
    table = pd.DataFrame(
        {
            "id": [1, 2, 3, 4],
            "path": ["a", "b", "c", "d"],
            "label": ["kiwi", None, None, None],
            "first_class": ["kiwi", "kiwi", "pear", None],
            "first_share": [1.0, 0.4, 0.9, np.nan],
        }
    )
    found = suggestions_in(table)
    assert found.to_dict("list") == {"id": [3, 2], "path": ["c", "b"], "name": ["pear", "kiwi"], "share": [0.9, 0.4]}
