"""The Review page through app.py: what to begin with, answers as the browser sends them, the end, what changed."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from tests.drawing.decoded_points import decode_points
from tests.imaging.pictures import noise
from tests.jobs.conftest import until
from tests.ui.pages import client_of, linked, opened, words
from url_viz.columns.filters import ReviewSpec
from url_viz.drawing.tiles import card_url
from url_viz.evidence.worth import ARMS
from url_viz.image_set import ImageSet, diff
from url_viz.jobs import latest_job, log_tail
from url_viz.jobs.kinds import COMPARE, REVIEW_WORTH, result_of, worth_by_job
from url_viz.models.model import Model
from url_viz.reading import embed_folder
from url_viz.review.cards import NOTHING, CardAnswer
from url_viz.review.review_queue import Review
from url_viz.store.decisions.decisions import LONGEST_LABEL
from url_viz.ui.http import drawn_url
from url_viz.ui.open_sets import open_sets
from url_viz.ui.review.desk import DeskAnswer, OpenReview, desk_state, parse_answer, take_answers
from url_viz.ui.review.desk import opened_review as begun
from url_viz.ui.review.results import FOLD
from url_viz.ui.version_diff import VERSION_BEFORE, VERSION_CHANGES


def page(image_set: ImageSet, spec: ReviewSpec | None = None, *unfolded: str) -> AppTest:
    """The page with a review open, or none, and these of its parts unfolded."""
    return opened(image_set, "review", view__review=spec, **{FOLD.under(name): True for name in unfolded})


def folded(at: AppTest) -> list[str]:
    """The titles of the parts that can be folded."""
    return [part.label for part in at.expander]


def desk_key(image_set: ImageSet) -> str:
    return f"review.desk.{image_set.set_id}"


def here(at: AppTest) -> OpenReview[Review]:
    """The review that is open in a session: the set has it, and the session no more than a name for itself."""
    visit = at.session_state["visit"]
    assert not vars(visit), "a session holds no snapshot"
    image_set = open_sets().get(at.session_state["chosen_set"], at.session_state["chosen_model"])
    found: OpenReview[Review] = image_set.reviews.open_by[visit]
    return found


def take(review: OpenReview[Review], *records: dict[str, Any]) -> None:
    """Answers as the browser sends them."""
    take_answers(review, [answer for answer in map(parse_answer, records) if answer is not None], who=None)


class TestStart:
    """What to begin with."""

    def test_ready_reviews_with_their_counts_and_one_put_together(self, labelled: ImageSet) -> None:
        at = page(labelled, None, "others")
        said = words(at)
        measure = labelled.order().measure
        assert measure == "confusability"  # noise bears no classes out
        assert "The 200 most ambiguous" not in said, "of twelve"
        each, rest = "The 10 most ambiguous of each class", "All, most ambiguous first"
        for title in (f"{each}, by “Easily mistaken”", f"{rest}, by “Easily mistaken”", "Near copies"):
            assert title in said
        assert at.get("file_uploader")[0].key == "review.answers.file", "answers of another machine"
        for name in ("confusability", "copies"):
            queue = labelled.reviews.open(ReviewSpec(name))
            assert at.button(key=f"review.{name}").label == f"Review {len(queue)}"
        at.button(key="review.confusability").click().run()
        assert here(at).review.spec == ReviewSpec("confusability")
        assert at.query_params["review"] == "confusability"
        labelled.decisions.tag([int(labelled.core.ids[0])], "dark")
        at.button(key="review.leave").click().run()
        assert "review" not in at.query_params
        assert at.button(key="review.confusability")
        at.session_state[FOLD.under("others")] = True
        at.run()
        at.selectbox(key="view.review.class").select("cat")
        at.selectbox(key="view.review.tag").select("dark")
        at.run()
        at.button(key="review.own").click().run()
        assert here(at).review.ids.tolist() == [int(labelled.core.ids[0])]
        assert (at.query_params["in.label"], at.query_params["in.tags"]) == ("cat", "dark")

    def test_what_was_done_is_told_and_what_was_begun_offered_to_go_on_with(self, labelled: ImageSet) -> None:
        labelled.decisions.by("anna").decide([int(labelled.core.ids[0])], "keep")
        review = labelled.reviews.open(ReviewSpec("entropy", most=5))
        review.store(int(review.ids[0]), CardAnswer("keep"))
        at = page(labelled, None, "history")
        assert "1 of 5 done" in words(at)
        assert at.button(key="review.entropy.5.").label == "Continue: 4"
        table = at.dataframe[-1].value
        assert ["anna", "kept 1 picture", "done"] in table[["Who", "What", "State"]].to_numpy().tolist()
        at.button(key="review.entropy.5.").click().run()
        assert here(at).position == 1

    def test_one_action_of_the_history_is_taken_back_alone(self, labelled: ImageSet) -> None:
        first, second = labelled.core.ids[:2].tolist()
        labelled.decisions.decide([first], "drop")
        labelled.decisions.decide([second], "keep")
        at = page(labelled, None, "history")
        assert "Tick what was done" in words(at)
        key = f"view.review.history.{labelled.decisions.version}"
        at.session_state[key] = {"selection": {"rows": [1], "columns": [], "cells": []}}
        at.run()
        take = at.button(key="history.take_back")
        assert take.label == "Take back: dropped 1 picture"
        take.click().run()
        assert [toast.value for toast in at.toast] == ["Took back: dropped 1 picture"]
        assert labelled.table().set_index("id").loc[[first, second], "decision"].tolist() == [None, "keep"]

    def test_what_came_of_it_is_folded_led_by_what_was_done_and_only_where_there_is_something(
        self, labelled: ImageSet, unlabelled: ImageSet
    ) -> None:
        assert folded(page(labelled)) == ["Other reviews", "What changed"]
        labelled.labels.give({int(labelled.core.ids[0]): "dog"})
        labelled.decisions.decide([int(labelled.core.ids[1])], "drop")
        unlabelled.answers.give({(*unlabelled.answers.ask(1)[["id", "neighbour_id"]].iloc[0].tolist(),): True})
        at = page(labelled)
        assert folded(at) == ["Other reviews", "What changed", "What it was worth", "History"]
        assert "1 relabelled, 1 dropped, 11 to go" in words(at)
        assert not at.dataframe, "what is folded is neither computed nor drawn"
        at.button(key="review.export").click().run()
        assert next(each for each in at.get("popover") if each.proto.popover.label == "Export").proto.popover.open
        assert "“Same kind?” answers" in folded(page(unlabelled))
        assert [button.proto.label for button in page(unlabelled, None, "answers").get("download_button")] == [
            "Download the answers"
        ]

    def test_the_first_five_reviews_are_shown_and_those_that_were_begun(self, labelled: ImageSet) -> None:
        for most in (2, 3, 4, 5):
            labelled.reviews.open(ReviewSpec("entropy", most=most)).skip(int(labelled.core.ids[0]))
        rows = labelled.reviews.queues(hides_tiny=True)
        at = page(labelled)
        shown = [button.key for button in at.button if button.label.startswith(("Review ", "Continue"))]
        assert shown == [f"review.{row.key}" for row in rows[:5]]
        begun = labelled.reviews.open(ReviewSpec("entropy", most=2))
        begun.store(int(begun.ids[1]), CardAnswer("keep"))
        last = next(row for row in labelled.reviews.queues(hides_tiny=True)[5:] if row.done)
        assert page(labelled).button(key=f"review.{last.key}").label.startswith("Continue")


class TestDesk:
    """Answers as the browser sends them."""

    def test_answers_are_stored_once_and_the_rest_waits(self, labelled: ImageSet) -> None:
        at = page(labelled, ReviewSpec("confusability"))
        first, second, third = (str(one) for one in here(at).review.ids[:3])
        answers = [
            {"sequence": 1, "once": "a", "id": first, "decision": "keep", "label": None},
            {"sequence": 2, "once": "b", "id": second, "decision": None, "label": "dog"},
            {"sequence": 3, "once": "c", "id": third, "skip": True},
        ]
        take(here(at), *answers)
        labelled.decisions.undo()
        take(here(at), *answers)
        labelled.decisions.redo()
        at.session_state[desk_key(labelled)] = {"shown": {"review": here(at).review.name, "at": 3, "stored": 3}}
        at.run()
        table = labelled.table().set_index("id")
        assert table.at[int(first), "decision"] == "keep"
        assert table.at[int(second), "label"] == "dog"
        progress = here(at).review.progress()
        assert (progress.done, progress.skipped, here(at).position) == (2, 1, 3)
        assert len(labelled.decisions.history()) == 2
        before = here(at)
        labelled.labels.use("tags")
        at.run()
        assert here(at) is not before, "another choice of labels opens it again"

    def test_cards_say_what_is_asked_and_what_cannot_be_stored_comes_back(self, labelled: ImageSet) -> None:
        review = begun(labelled.reviews.open(ReviewSpec("confusability")))
        first, state = int(review.review.ids[0]), desk_state(labelled, review)
        card, drawn = state["cards"][0], dict(review.drawn)
        assert (state["upcoming"][:3], len(card["panels"])) == ([0, 1, 2], 2)
        assert card["label_given"] in ("cat", "dog")
        assert ("Class", card["label_given"]) in card["facts"]
        assert card["picture"].startswith("/url-viz/picture/")
        endless = DeskAnswer(7, first, CardAnswer(label="x" * (LONGEST_LABEL + 1)))
        [refused] = take_answers(review, [endless], who=None)["refused"]
        assert refused["sequence"] == 7
        assert "cannot be a label" in refused["message"]
        assert desk_state(labelled, review)["done"] == 0
        assert all(review.drawn[one] is drawn[one] for one in drawn), "cards stay the same objects"
        stored = take_answers(review, [DeskAnswer(8, first, CardAnswer(label="dog"))], who=None)
        assert stored == {"refused": [], "stepped": None}

    def test_a_late_answer_counts_only_where_nobody_answered_since(self, labelled: ImageSet) -> None:
        review = begun(labelled.reviews.open(ReviewSpec("confusability")))
        first, second, third = (int(one) for one in review.review.ids[:3])
        labelled.decisions.by("anna").decide([first], "keep")
        labelled.decisions.decide([third], "drop")
        late = [
            DeskAnswer(1, first, CardAnswer("drop"), once="late a", late=True, before=NOTHING),
            DeskAnswer(2, second, CardAnswer("drop"), once="late b", late=True, before=NOTHING),
            DeskAnswer(3, second, CardAnswer("keep"), once="late c", late=True, before=CardAnswer("drop")),
            DeskAnswer(4, third, CardAnswer("drop"), once="late d", late=True, before=NOTHING),  # as after a restart
            DeskAnswer(5, command="undo", once="late e", late=True),
        ]
        for _ in range(2):
            refused = take_answers(review, late, who=None)["refused"]
            assert [one["sequence"] for one in refused] == [1, 5]
            assert "answered elsewhere" in refused[0]["message"]
        decided = labelled.table().set_index("id").loc[[first, second, third], "decision"]
        assert decided.tolist() == ["keep", "keep", "drop"]
        assert len(labelled.decisions.history()) == 4

    def test_twins_are_decided_as_a_group(self, labelled: ImageSet) -> None:
        review = begun(labelled.reviews.open(ReviewSpec("copies")))
        card = desk_state(labelled, review)["cards"][0]
        assert (card["takes"], card["question"]) == (("keep", "decision"), "Keep which?")
        assert [picture["mark"] for picture in card["panels"][0]["near"]] == ["suggested", None], "no one is sharper"
        assert {picture["size"] for picture in card["panels"][0]["near"]} == {"64 × 48 px"}
        members = [int(picture["id"]) for picture in card["panels"][0]["near"]]
        assert len(members) > 1
        other = str(members[1])
        take_answers(review, [DeskAnswer(1, int(card["id"]), CardAnswer(keep=(members[1],)))], who=None)
        decided = labelled.table().set_index("id")["decision"].dropna()
        assert decided.to_dict() == {one: "keep" if one == members[1] else "drop" for one in members}
        assert desk_state(labelled, review)["cards"][0]["kept"] == [other]

    def test_pairs_are_answered_taken_back_and_told(self, unlabelled: ImageSet) -> None:
        said = words(page(unlabelled))
        assert said.index("Same kind or not") < said.index("All, most ambiguous first"), "where no classes lead"
        at = page(unlabelled, ReviewSpec("pairs"))
        assert here(at).review.spec == ReviewSpec("pairs")
        state = desk_state(unlabelled, here(at))
        card = state["cards"][0]
        assert (card["takes"], card["question"], card["same"]) == (
            ("same",),
            "The same kind: would you put both in one class?",
            None,
        )
        assert len(card["panels"][0]["near"]) == 1
        assert state["change"] is not None
        assert state["change"]["words"].startswith("0 answers, 0 the same kind.")
        take(here(at), {"sequence": 1, "id": card["id"], "decision": None, "same": False})
        pair = frozenset(
            int(unlabelled.core.contents[unlabelled.core.row_of(int(i))])
            for i in (card["id"], card["panels"][0]["near"][0]["id"])
        )
        assert {frozenset(key): same for key, same in unlabelled.answers.log.now().as_dict().items()} == {pair: False}
        assert unlabelled.table()["decision"].isna().all()
        after = desk_state(unlabelled, here(at))
        assert (after["cards"][0]["same"], after["done"]) == (False, 1)
        take_answers(here(at), [DeskAnswer(2, int(card["id"]))], who="anna")
        assert desk_state(unlabelled, here(at))["cards"][0]["same"] is None
        assert unlabelled.decisions.history()["who"].tolist()[0] == "anna"
        state = desk_state(unlabelled, begun(unlabelled.reviews.open(ReviewSpec("entropy"))))
        assert (state["cards"][0]["question"], state["classes"]) == ("Like this one?", []), (
            "without classes to choose among"
        )
        assert [panel["label"] for panel in state["cards"][0]["panels"]] == [None]

    def test_pictures_are_named_and_what_the_names_suggest_is_accepted(self, unlabelled: ImageSet) -> None:
        at = page(unlabelled, ReviewSpec("names"))
        state = desk_state(unlabelled, here(at))
        first, second = (card["id"] for card in state["cards"][:2])
        assert (state["cards"][0]["takes"][1], state["cards"][0]["question"]) == ("name", "What is it?")
        take(here(at), {"sequence": 1, "id": first, "label": "kiwi"}, {"sequence": 2, "id": second, "label": "pear"})
        assert unlabelled.table().set_index("id").loc[[int(first), int(second)], "name"].tolist() == ["kiwi", "pear"]
        after = desk_state(unlabelled, here(at))
        assert (after["names"], after["classes"], after["cards"][0]["given"]) == (
            ["kiwi", "pear"],
            ["kiwi", "pear"],
            "kiwi",
        )
        at = page(unlabelled, None, "names")
        said = words(at)
        assert "2 of 25 pictures have one of 2 names." in said
        assert "Once two names have three pictures each" in said
        at.slider(key="review.names.share").set_value(0.5).run()
        accept = at.button(key="review.names.accept")
        count = int(re.findall(r"\d+", accept.label)[0])
        assert count == (unlabelled.names.suggestions()["share"] >= 0.5).sum() > 0
        accept.click().run()
        named = unlabelled.table()["name"]
        assert named.notna().sum() == 2 + count
        if (named.value_counts() >= 3).sum() >= 2:
            at.button(key="review.names.order").click().run()
            assert unlabelled.labels.chosen == "names"

    def test_the_end_leads_to_the_export_of_what_was_corrected_else_to_the_next_queue(self, labelled: ImageSet) -> None:
        spec = ReviewSpec("confusability", most=1)
        review = labelled.reviews.open(spec)
        review.store(int(review.ids[0]), CardAnswer("keep"))
        at = page(labelled, spec)
        assert "1 kept" in words(at)
        assert [button.key for button in at.button if button.proto.type == "primary"] == ["review.next"]
        other = next(name for name in ("cat", "dog") if name != labelled.row(int(review.ids[0]))["label"])
        review.store(int(review.ids[0]), CardAnswer(label=other))
        at = page(labelled, spec)
        assert "1 relabelled" in words(at)
        assert [button.label for button in at.button if button.proto.type == "primary"] == [
            "Export class folders, 1 corrected"
        ]
        at.button(key="review.export").click().run()
        export = next(each for each in at.get("popover") if each.proto.popover.label == "Export")
        assert export.proto.popover.open
        assert at.radio(key="export.as").options[0] == "Class folders · 1 corrected"
        assert at.selectbox(key="export.by").value == "label"

    def test_a_picture_at_the_end_opens_its_answer_can_be_changed_and_all_begun_again(self, labelled: ImageSet) -> None:
        spec = ReviewSpec("confusability", most=1)
        review = labelled.reviews.open(spec)
        one = int(review.ids[0])
        review.store(one, CardAnswer("keep"))
        at = page(labelled, spec)
        for key, value in (("view.opened", one), ("view.dialog", "picture"), ("review.outcome_clicked", True)):
            at.session_state[key] = value  # as a click on its tile does
        at.run()
        assert "review.outcome_clicked" not in at.session_state
        at.button(key=f"view.decided.{one}.drop").click().run()
        assert "1 dropped" in words(at)
        at.button(key="review.afresh").click().run()
        assert here(at).review.progress().left == 1
        assert here(at).review.ids.tolist() != [one]


def test_what_is_no_answer_is_passed_over() -> None:
    records: tuple[dict[str, Any], ...] = (
        {"sequence": 1, "decision": "burn"},
        {"sequence": 1, "id": "x"},
        {"sequence": 1, "id": "1", "label": 3},
        {"sequence": 1, "id": "1", "keep": 5},
        {"sequence": 1, "id": "1", "before": "y"},
    )
    assert not any(map(parse_answer, records))


class TestLinks:
    """From other pages, and from addresses."""

    def test_an_address_of_any_page_opens_the_review(self, labelled: ImageSet) -> None:
        at = linked(labelled, review="confusability", most="5", **{"in.label": "cat"})
        at.run()
        assert here(at).review.spec.most == 5
        assert here(at).review.spec.scope.filters[0].column == "label"
        assert len(here(at).review) == 5

    def test_an_order_that_there_is_not_says_so_and_offers_others(
        self, labelled: ImageSet, unlabelled: ImageSet
    ) -> None:
        at = page(labelled, ReviewSpec("beauty"))
        assert "'beauty' is not a measure of this set" in words(at)
        assert at.button(key="review.confusability")
        assert "There are no labels to check" in words(page(unlabelled, ReviewSpec("suspects")))

    def test_explore_leads_to_what_it_shows(self, labelled: ImageSet) -> None:
        at = linked(labelled, **{"in.label": "dog", "by": "entropy"})
        at.run()
        at.button(key="explore.review").click().run()
        spec = here(at).review.spec
        assert (spec.by, [one.column for one in spec.scope.filters]) == ("entropy", ["label"])


class TestWorth:
    """What it was worth."""

    def test_is_measured_when_asked_and_told_in_words(self, labelled: ImageSet) -> None:
        assert "What it was worth" not in words(page(labelled))
        labelled.labels.give({int(labelled.core.ids[0]): "dog"})
        assert "Measure" not in words(page(labelled)), "folded parts are not drawn"
        at = page(labelled, None, "worth")
        at.button(key="review.worth").click().run()
        said = words(at)
        assert "Of 13 labelled pictures 1 was relabelled." in said
        assert "Tested on the 11 that no decision changed" in said
        assert at.dataframe[0].value["Trained on the set"].tolist() == list(ARMS)
        labelled.decisions.decide([int(labelled.core.ids[1])], "drop")
        assert "Of 13 labelled" not in words(at.run())

    def test_of_a_large_set_a_job_measures_until_something_is_decided(
        self, labelled: ImageSet, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("url_viz.ui.review.results.AT_ONCE", 12)
        labelled.labels.give({int(labelled.core.ids[0]): "dog"})
        at = page(labelled, None, "worth")
        assert worth_by_job(labelled) is None
        at.button(key="review.worth").click().run()
        job = latest_job(labelled.workspace, kind=REVIEW_WORTH.name, set_id=labelled.set_id)
        assert job is not None
        assert "Of 13 labelled pictures" not in words(at), "the page computes nothing"
        until(lambda: not job.status().is_live, 120)
        assert job.state == "succeeded", log_tail(job)
        assert labelled.labels.worth().words == result_of(job).summary
        assert "Of 13 labelled pictures 1 was relabelled." in words(page(labelled, None, "worth"))
        labelled.decisions.decide([int(labelled.core.ids[1])], "drop")
        at = page(labelled, None, "worth")
        assert "Of 13 labelled" not in words(at)
        assert any(button.key == "review.worth" for button in at.button)


@pytest.fixture
def later(image_set: ImageSet, tmp_path: Path, model: Model) -> ImageSet:
    """A copy of the folder with a new picture, without another, and with one of another class."""
    folder = shutil.copytree(image_set.root, tmp_path / "later")
    noise(100).save(folder / "cat" / "new.jpg")
    (folder / "dog" / "0001.jpg").unlink()
    (folder / "cat" / "0002.jpg").rename(folder / "dog" / "0002.jpg")
    return embed_folder(folder, model=model, workspace=image_set.workspace.root)


def changes(image_set: ImageSet, before: str | None = None) -> AppTest:
    """The page with what changed unfolded, compared with another set or by default an earlier version."""
    state = {} if before is None else {VERSION_BEFORE: before}
    return opened(image_set, "review", **{FOLD.under("changes"): True}, **state)


def test_since_an_earlier_version(image_set: ImageSet) -> None:
    assert "12 pictures before, 12 after: nothing changed" in words(changes(image_set))
    image_set.labels.give({int(image_set.table()["id"].iloc[0]): "dog"})
    at = changes(image_set)
    assert "12 pictures before, 12 after: 1 relabelled" in words(at)
    at.button(key="versions.measure").click().run()
    assert "The same linear probe gets" in words(at)
    shutil.rmtree(image_set.core.store.paths.versions)
    assert "No earlier version of this image set is kept yet" in words(changes(image_set))


def test_another_set_is_compared_and_filtered_its_map_has_both_and_the_card_of_what_is_gone(
    image_set: ImageSet, later: ImageSet
) -> None:
    shutil.rmtree(later.core.store.paths.versions)
    assert "added" not in words(changes(later)), "another set is compared with only once it is chosen"
    at = changes(later, before=image_set.set_id)
    assert "12 pictures before, 12 after: 1 added, 1 removed, 1 moved or renamed, 1 relabelled." in words(at)
    pills = at.button_group(key=VERSION_CHANGES.under("control"))
    assert pills.options == ["Added · 1", "Removed · 1", "Moved or renamed · 1", "Relabelled · 1"]
    pills.set_value(["removed"]).run()
    assert at.session_state[VERSION_CHANGES] == ["removed"]
    found = diff(image_set, later)
    table = found.on_map
    assert table["change"].value_counts().to_dict() == {"same": 10, "changed": 1, "gone": 1, "new": 1}
    client = client_of()
    points = decode_points(client.get(drawn_url(table, "change")).content)
    gone = int(table.loc[table["change"] == "gone", "id"].iloc[0])
    place = int(np.flatnonzero(points.ids == gone)[0])
    assert points.category[place] == 1  # changed, gone, new, same
    assert np.isfinite([points.x[place], points.y[place]]).all()
    assert table["x"].min() <= points.x[place] <= table["x"].max()
    card = client.get(card_url(later, gone=image_set.set_id).replace("{id}", str(gone))).json()
    assert (card["name"], card["label"]) == ("dog/0001.jpg", "dog")
    assert image_set.set_id in card["thumbnail"]
    assert (
        client.get(card_url(later, gone=later.set_id).replace("{id}", "1")).json()["name"] == "A picture that is gone"
    )
    assert json.loads(json.dumps(found.as_json()))["added"] == ["cat/new.jpg"]


def test_large_sets_are_compared_by_a_job_whose_result_stays(
    image_set: ImageSet, later: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("url_viz.ui.version_diff.AT_ONCE", 12)
    at = changes(later, before=image_set.set_id)
    assert "added" not in words(at)
    at.button(key="versions.compare").click().run()
    job = latest_job(later.workspace, kind=COMPARE.name, set_id=later.set_id)
    assert job is not None
    assert job.title.endswith("/zoo")
    assert job.config.queue == "small"
    until(lambda: not job.status().is_live, 120)
    assert job.state == "succeeded", log_tail(job)
    for page in (at.run(), changes(later)):
        assert "12 pictures before, 12 after: 1 added, 1 removed, 1 moved or renamed, 1 relabelled." in words(page)
        assert "The same linear probe gets" in words(page), "measured, too"
        assert not [one for one in page.button if one.key == "versions.measure"]
    later.decisions.decide([int(later.table()["id"].iloc[0])], "drop")
    at = changes(later, before=image_set.set_id)
    assert "added" not in words(at), "of another state it is another comparison"
    assert [one.label for one in at.button if one.key == "versions.compare"] == ["Compare"]
