"""Decisions and reviews from Explore: of what is chosen, beyond a threshold, in a lasso, of stacks of twins."""

import itertools
import sqlite3
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from tests.imaging.pictures import noise, write_folder
from tests.ui.conftest import Read
from tests.ui.pages import linked, opened, panes, stacked, told, with_picture, words
from url_viz.columns.filters import Scope, scope_as_query, scoped
from url_viz.image_set import ImageSet
from url_viz.labels.ambiguity import between_filters
from url_viz.models.model import Model
from url_viz.reading import embed_folder
from url_viz.ui.explore.explore_grid import acted_on
from url_viz.ui.explore.page import ranked_by, review_of
from url_viz.ui.explore.view import VIEW, ExploreView, view_of
from url_viz.ui.session import OPENED


@pytest.fixture
def with_twins(tmp_path: Path, read_once: Read) -> ImageSet:
    """Nine pictures, and three of them once more, in other files."""
    folder = write_folder(tmp_path / "twins", 9, classes=("cat", "dog"))
    for number in range(3):
        noise(number).save(folder / "cat" / f"again {number}.jpg", quality=95)
    return read_once(folder)


def test_undo_by_a_key_says_what_it_undid_and_leads_an_open_picture_back(image_set: ImageSet) -> None:
    first, second = image_set.core.ids[:2].tolist()
    at = opened(image_set, **with_picture(second))
    image_set.decisions.decide([first], "drop")
    at.session_state["keys"] = {"actions": [{"sequence": 1, "command": "undo"}]}
    at.run()
    assert [toast.value for toast in at.toast] == ["Undone: dropped cat/0000.jpg"]
    assert at.session_state[OPENED] == first
    at.session_state["keys"] = {"actions": [{"sequence": number, "command": "redo"} for number in (1, 2, 3)]}
    at.run()
    assert [toast.value for toast in at.toast] == ["Redone: dropped cat/0000.jpg", "Nothing to redo"], "1 was handled"
    assert image_set.table()["decision"].iloc[0] == "drop"


def test_what_was_decided_is_counted_narrows_and_colours(image_set: ImageSet) -> None:
    assert "to go" not in words(opened(image_set))
    ids = image_set.table()["id"].tolist()
    image_set.decisions.decide(ids[:3], "drop")
    image_set.decisions.decide(ids[3:4], "keep")
    at = opened(image_set)
    assert "1 kept · 3 dropped · 8 to go" in words(at)
    image_set.labels.give({ids[4]: "emu", ids[5]: str(image_set.table()["label"].iloc[5])})
    assert "1 relabelled · 1 confirmed · 1 kept · 3 dropped · 6 to go" in words(opened(image_set)), "12 in all"
    image_set.decisions.undo()
    at = opened(image_set)
    at.selectbox(key="view.filter_column").set_value("decision").run()
    at.multiselect(key="view.filter.decision").set_value(["drop"]).run()
    assert "**3** of 12" in words(at)
    at.selectbox(key="view.colour").set_value("decision").run()
    at.button(key="view.decide.keep").click().run()
    assert image_set.table()["decision"].tolist()[:4] == ["keep"] * 4


def test_a_page_opens_the_log_of_decisions_a_handful_of_times(
    image_set: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    image_set.decisions.decide(image_set.core.ids[:2], "keep")
    opened(image_set)
    opening, count = sqlite3.connect, itertools.count()

    def counted(*args: Any, **keywords: Any) -> Any:
        next(count)
        return opening(*args, **keywords)

    monkeypatch.setattr(sqlite3, "connect", counted)
    assert "**12** pictures" in words(opened(image_set))
    assert 1 <= next(count) <= 6


def test_twins_are_told_and_one_of_each_is_kept(labelled: ImageSet) -> None:
    at = opened(labelled)
    at.button(key="twins.open").click().run()
    assert "1 group: 1 of exact copies, 0 of copies (saved again, resized or cropped), 0 with other views" in words(at)
    assert "The pictures of this group · 2" in words(at)
    at.button(key="twins.keep").click().run()
    assert sorted(labelled.table()["decision"].dropna()) == ["drop", "keep"]


def test_one_side_of_the_threshold_is_decided_on(image_set: ImageSet) -> None:
    state: dict[str, Any] = {
        f"view.map.{image_set.set_id}": told(threshold=80.0),
        VIEW: ExploreView("uncertainty", collapse_twins=False, side="both"),
    }
    at = opened(image_set, **state)
    assert "**3** above 80 %" in words(at)
    assert "Threshold: above 80 %" in words(at)
    assert [(pane["note"], pane["total"]) for pane in panes(at)] == [("3 of 12", 3), ("9 of 12", 9)]
    at.button(key="view.decide.drop").click().run()
    dropped = image_set.table().sort_values("uncertainty")["decision"].tolist()
    assert dropped == [None] * 9 + ["drop"] * 3
    at.session_state[f"view.grid.{image_set.set_id}"] = told(side="clear")
    at.run()
    assert [pane["title"] for pane in panes(at)] == ["Least ambiguous"]
    assert "**9** not above 80 %" in words(at)
    assert at.query_params["side"] == "clear"


def test_what_is_chosen_is_acted_on_and_reviewed(image_set: ImageSet) -> None:
    at = opened(image_set)
    shown = [int(tile["id"]) for tile in panes(at)[0]["first"]]
    at.session_state[f"view.grid.{image_set.set_id}"] = {
        "chosen": [{"order": panes(at)[0]["order"], "ranges": [[0, 2], [5, 6]]}, {"order": "gone", "ranges": [[0, 9]]}]
    }
    at.run()
    assert "**3** selected" in words(at)
    at.session_state["popover.export.0"] = True
    at.run()
    assert at.segmented_control(key="export.all").options == ["These 3", "All 12"]
    at.button(key="view.decide.drop").click().run()
    dropped = set(image_set.table().loc[lambda table: table["decision"] == "drop", "id"])
    assert dropped == {shown[0], shown[1], shown[5]}
    review = at.button(key="explore.review")
    assert review.label == "Review these 3"
    review.click().run()
    assert set(at.session_state["view.review"].scope.ids) == dropped
    assert "3 selected" in words(at)


@pytest.fixture(scope="module")
def of_many(tmp_path_factory: pytest.TempPathFactory, model: Model) -> ImageSet:
    """Forty pictures with as many answers as tune the order, and a column of the user's."""
    here = tmp_path_factory.mktemp("many")
    folder = write_folder(here / "zoo", 40, classes=("cat", "dog"))
    image_set = embed_folder(folder, model=model, workspace=here / "home")
    pairs = image_set.answers.ask(14)[["id", "neighbour_id"]].itertuples(index=False)
    image_set.answers.give({(one, other): number % 2 == 0 for number, (one, other) in enumerate(pairs)})
    assert image_set.order().measure == "tuned"
    table = image_set.table()
    table[["path"]].assign(mine=table["id"] % 1009).to_csv(here / "mine.csv", index=False)
    image_set.columns.add(here / "mine.csv", uncertainty=("mine",))
    assert not (table["twin_group"] >= 0).any()
    return image_set


class TestTheReviewIsOfAsManyAsTheButtonSays:
    """Of measures with a percentile of the whole set and of others, where only a part of the set is shown."""

    @pytest.fixture(autouse=True)
    def _there(self, of_many: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("URL_VIZ_HOME", str(of_many.workspace.root))

    def lasso(self, of_many: ImageSet) -> str:
        """The left half of the map."""
        x, y = of_many.table()["x"], of_many.table()["y"]
        low, high = y.min() - 1, y.max() + 1
        corners = [(x.min() - 1, low), (x.median(), low), (x.median(), high), (x.min() - 1, high)]
        return " ".join(f"{one:.5g},{other:.5g}" for one, other in corners)

    def reviewed(self, at: AppTest, of_many: ImageSet) -> int:
        """How many pictures the review is of that the button opens, which says so."""
        button = at.button(key="explore.review")
        said = int(button.label.removeprefix("Review these "))
        button.click().run()
        assert len(of_many.reviews.open(at.session_state["view.review"]).ids) == said
        return said

    def test_beyond_a_threshold(self, of_many: ImageSet) -> None:
        parts, measures = ("lasso", "filter", "other map"), ("uncertainty", "mine")
        for side, part, measure in product(("ambiguous", "clear"), parts, measures):
            narrowed = {"in.label": ["dog"]} if part == "filter" else {"lasso": [self.lasso(of_many)]}
            view = view_of({"by": [measure], "side": [side], "above": ["60"], **narrowed})
            rows = scoped(ranked_by(of_many.table(), view, measure), view.scope)
            if part == "other map":
                view = replace(view, polygon=None)
            acted = acted_on(rows, view, np.array([], int), measure=measure, on_other_map=part == "other map")
            spec = review_of(view, measure, acted.scope)
            assert 0 < len(of_many.reviews.open(spec).ids) == len(acted.rows) < 20, (side, part, measure)
        at = linked(of_many, by="tuned", side="clear", above="60", lasso=self.lasso(of_many)).run()
        assert 0 < self.reviewed(at, of_many) < 20
        between = scope_as_query(Scope(filters=between_filters(("cat", "dog"))))
        at = linked(of_many, lasso=self.lasso(of_many), **between).run()
        assert 0 < self.reviewed(at, of_many) <= 20

    def test_in_a_lasso_of_more_corners_than_an_address_holds(self, of_many: ImageSet) -> None:
        x, y = (of_many.table()[axis].to_numpy() for axis in ("x", "y"))
        turns = np.linspace(0, 2 * np.pi, 400, endpoint=False)
        star = np.where(np.arange(400) % 2, 0.3, 1.2)
        polygon = np.stack([x.mean() + star * x.std() * np.cos(turns), y.mean() + star * y.std() * np.sin(turns)], 1)
        at = linked(of_many).run()
        at.session_state[f"view.map.{of_many.set_id}"] = told(polygon=polygon.tolist())
        at.run()
        assert 0 < self.reviewed(at, of_many) < 40


def test_a_decision_on_many_chosen_is_made_at_once_and_undone_where_it_is_told(image_set: ImageSet) -> None:
    at, grid = opened(image_set), f"view.grid.{image_set.set_id}"
    chosen = [{"order": panes(at)[0]["order"], "ranges": [[0, 4]]}]
    action = {"sequence": 1, "chosen": chosen, "decision": "drop"}
    at.session_state[grid] = {"chosen": chosen, "actions": [action]}
    at.run()
    at.run()  # AppTest calls no callbacks of components: the action is carried out below the bar
    assert "**Dropped 4 pictures.**" in words(at)
    assert (image_set.table()["decision"] == "drop").sum() == 4
    at.session_state[grid] = {"chosen": None}
    assert "**Dropped 4 pictures.**" in words(at.run()), "also once nothing is chosen"
    at.button(key="view.decide.undo").click().run()
    assert image_set.table()["decision"].isna().all()
    assert "**Dropped 4 pictures.**" not in words(at)


def test_twins_stand_as_one_and_a_stack_is_decided_on_with_them(with_twins: ImageSet) -> None:
    at = opened(with_twins)
    assert [(pane["note"], len(pane["first"])) for pane in panes(at)] == [("12 (3 copies folded in)", 9)]
    assert {pane["hint"] for pane in panes(at)} == {"And 3 copies, each shown with its picture"}
    stack = next(place for place, tile in enumerate(panes(at)[0]["first"]) if tile["twins"])
    members = 1 + stacked(panes(at)[0]["first"][stack])
    chosen = [{"order": panes(at)[0]["order"], "ranges": [[stack, stack + 1]]}]
    at.session_state[f"view.grid.{with_twins.set_id}"] = {"chosen": chosen}
    at.run()
    assert f"**{members}** selected, including {members - 1} cop" in words(at)
    at.button(key="view.decide.drop").click().run()
    assert (with_twins.table()["decision"] == "drop").sum() == members
    tile = panes(at)[0]["first"][stack]["id"]
    action = {"sequence": 1, "id": tile, "decision": "keep"}
    at.session_state[f"view.grid.{with_twins.set_id}"] = {"actions": [action]}
    at.run()
    assert (with_twins.table()["decision"] == "keep").sum() == members
