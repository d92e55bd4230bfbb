"""One session: a key has one name, a page keeps its tab, and the view of Explore is one value that a link holds."""

import ast
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from tests.ui.pages import APP, app, opened, told, turned_to, words
from url_viz.base.workspace import Workspace
from url_viz.columns.filters import MOST_CORNERS, Between, OneOf
from url_viz.image_set import ImageSet
from url_viz.ui.explore.explore_map import MAP
from url_viz.ui.explore.view import VIEW, ExploreView, query_of, view_of
from url_viz.ui.menu import TAB
from url_viz.ui.session import Key

ROOT = Path(__file__).parents[2]
SESSION = ROOT / "url_viz" / "ui" / "session.py"
FILES = [*(path for folder in ("url_viz/ui", "pages") for path in sorted((ROOT / folder).rglob("*.py"))), APP]
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in FILES}


def keys_made(tree: ast.Module) -> list[str]:
    """The keys that a file makes: texts in the constants of its module that are given to `Key`, or begin as one."""
    return [
        text
        for value in constants(tree)
        for text in strings(value)
        if is_call_of_key(value) or text.startswith(("view.", "page."))
    ]


def constants(tree: ast.Module) -> list[ast.expr]:
    """What a module gives to the names at its top."""
    return [node.value for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign) and node.value]


def is_call_of_key(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "Key"


def strings(tree: ast.AST) -> list[str]:
    """The texts in a file, without docstrings: each literal, and of an f-string what it begins with."""
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in docs]
    return [node.value for node in nodes if isinstance(node.value, str)]


KEYS = [key for tree in TREES.values() for key in keys_made(tree)]


@pytest.mark.parametrize("path", [path for path in FILES if path != SESSION], ids=lambda path: path.stem)
def test_only_constants_of_modules_are_keys(path: Path) -> None:
    tree = TREES[path]
    reached = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr == "session_state"]
    assert not reached, "st.session_state is reached through url_viz.ui.session alone"
    assert all(not is_call_of_key(node) or node in constants(tree) for node in ast.walk(tree)), "a key is a constant"
    used = [text for text in strings(tree) if text.startswith(("view.", "page.")) or text in KEYS]
    assert sorted(used) == sorted(keys_made(tree)), "these keys have a name"


def test_every_key_has_one_name() -> None:
    assert (MAP.under("abc"), MAP.under("abc", "sub")) == ("view.map.abc", "view.map.abc.sub")
    assert isinstance(MAP.under("abc"), Key)
    assert len(set(KEYS)) == len(KEYS)
    assert {"view.opened", "view.explore", "view.decide", "upload.files"} <= set(KEYS), "the keys were found"


def test_a_key_of_the_session_keeps_none_and_forgets() -> None:
    def script() -> None:
        import streamlit as st

        from url_viz.ui.session import Key

        key: Key[int | None] = Key("test.a")
        seen: list[object] = [key.is_set, key.get(), key.get_or(lambda: 3), key.get_or(lambda: 4)]
        key.set(None)
        seen += [key.is_set, key.get_or(lambda: 5)]
        key.clear()
        key.clear()
        st.text(repr([*seen, key.is_set]))

    at = AppTest.from_function(script).run()
    assert at.text[0].value == "[False, None, 3, 3, True, None, False]"


def test_the_view_comes_back_from_other_pages_as_it_was_left(image_set: ImageSet) -> None:
    x, y = (float(image_set.table()[axis].iloc[0]) for axis in ("x", "y"))
    lasso = ((x - 1e-3, y - 1e-3), (x + 1e-3, y - 1e-3), (x, y + 1e-3))
    at = app(image_set)
    at.session_state[MAP.under(image_set.set_id)] = told(
        polygon=lasso, threshold=0.0, style="fog", representatives=True
    )
    at.run()
    at.toggle(key="view.collapse").set_value(False)
    at.toggle(key="view.within").set_value(True)
    at.selectbox(key="view.label").set_value("cat")
    at.selectbox(key="view.colour").set_value("label").run()
    assert "**1** above 0 %" in words(at)
    left = at.session_state[VIEW]
    assert left == ExploreView(
        colour="label",
        collapse_twins=False,
        style="fog",
        within_class=True,
        representatives=True,
        cuts=(0.0,),
        polygon=lasso,
        filters=(OneOf("label", ("cat",)),),
    )
    turned_to(at, "review")
    at.query_params.clear()  # as a browser's next page does
    at.run()
    at.switch_page("pages/explore_page.py").run()
    assert "**1** above 0 %" in words(at)
    assert at.session_state[VIEW] == left
    assert {key: at.query_params[key] for key in query_of(left)} == {key: one for key, [one] in query_of(left).items()}


def test_another_set_begins_with_a_view_of_its_own() -> None:
    def script() -> None:
        import streamlit as st

        from url_viz.ui.explore.explore_grid import GRID
        from url_viz.ui.explore.explore_map import MAP
        from url_viz.ui.explore.view import ExploreView, current_view
        from url_viz.ui.session import choose

        choose("a set", model="a model")
        st.text(repr(current_view(lambda: MAP.under("a set"), GRID.under("a set")) == ExploreView()))
        choose("another set")
        st.text(repr(current_view(lambda: MAP.under("another set"), GRID.under("another set")) == ExploreView()))

    at = AppTest.from_function(script)
    at.query_params["by"] = "entropy"
    at.query_params["lasso"] = "0,0 1,0 1,1"
    at.session_state["chosen_set"], at.session_state["chosen_model"] = "a set", "a model"
    at.session_state["view.review.within"] = True
    at.session_state["upload.measure"] = "entropy"
    at.run()
    assert [text.value for text in at.text] == ["False", "True"], "the address had the view of the set before"
    assert at.session_state[VIEW] == ExploreView()
    assert "view.review.within" not in at.session_state
    assert MAP.under("a set") not in at.session_state
    assert at.session_state["upload.measure"] == "entropy", "uploads are of no set"


TRIANGLE = ((0.0, 0.0), (1.5, 0.0), (0.0, -2.25))


@pytest.mark.parametrize(
    "view",
    [
        ExploreView(),
        ExploreView(measure="confusability", colour="decision", collapse_twins=False, hide_tiny=False, style="fog"),
        ExploreView(size="value", colour="brightness"),
        ExploreView(names=False, side="clear", is_wide=True),
        ExploreView(cuts=(92.5,), polygon=TRIANGLE),
        ExploreView(filters=(OneOf("label", ("cat", "dog & co")), Between("width", 100.0, None))),
    ],
)
def test_a_link_brings_the_view_back(view: ExploreView) -> None:
    assert view_of(query_of(view)) == view
    assert query_of(ExploreView()) == {}, "what a newcomer sees needs no words"


@pytest.mark.parametrize(
    "query",
    [
        {"above": ["200"]},
        {"above": ["much"]},
        {"above": ["20,80"]},
        {"lasso": ["1,2 3,4"]},
        {"lasso": ["1,2 3,4 5"]},
        {"lasso": ["1,2 3,nan 5,6"]},
        {"lasso": ["1,1 " * (MOST_CORNERS + 1)]},
        {"min.width": ["inf"]},
        {"set": ["0123456789abcdef"], "unknown": ["1"]},
    ],
)
def test_nonsense_is_passed_over(query: dict[str, list[str]]) -> None:
    assert view_of(query) == ExploreView()


@pytest.mark.parametrize("cut", [0.0, 50.0, 92.5, 100.0])
def test_each_percentile_lies_in_one_part_of_a_cut_order(cut: float) -> None:
    rank = pd.Series([0.0, 49.9, 50.0, 92.5, 100.0, float("nan")])
    parts = ExploreView(cuts=(cut,)).parts
    assert sum(part.holds(rank).astype(int) for part in parts).tolist() == [1, 1, 1, 1, 1, 0]
    assert parts[0].holds(rank).tolist() == (rank >= cut).tolist(), "the most ambiguous first"


def test_without_a_cut_both_sides_have_the_whole_order_and_one_may_be_shown_alone() -> None:
    assert all(part.holds(pd.Series([0.0, 100.0])).all() for part in ExploreView(side="both").parts)
    assert [part.side for part in ExploreView(side="clear").shown_parts] == ["clear"]
    assert [part.side for part in ExploreView(side="both").shown_parts] == ["ambiguous", "clear"]
    assert [part.side for part in ExploreView().shown_parts] == ["ambiguous"], "what a first visit opens with"


SETTINGS = TAB.under("settings")


def test_only_the_open_tab_is_drawn_and_it_stands_in_the_address(home: Workspace) -> None:
    at = opened(page="settings")
    assert [tab.label for tab in at.tabs] == ["Models", "Image sets", "Jobs"]
    assert "tab" not in at.query_params, "the first one needs no word"
    assert "Nothing is running" not in words(at)
    at = opened(page="jobs")
    assert "Jobs" in at.query_params["tab"]
    assert "Model card" not in words(at)


def test_an_address_opens_a_tab_and_an_unknown_one_does_no_harm(home: Workspace) -> None:
    for asked, shown in (("Image sets", "Image sets"), ("<b>", "Models"), ("", "Models")):
        at = app()
        at.query_params["tab"] = asked
        at.switch_page("pages/settings_page.py").run()
        assert at.session_state[SETTINGS] == shown
        assert shown in at.query_params.get("tab", "Models")


def test_a_page_comes_back_with_its_tab_and_with_another_set(image_set: ImageSet) -> None:
    at = opened(image_set, "finetune")
    at.switch_page("pages/review_page.py").run()
    at.session_state["chosen_set"] = None
    at.query_params.clear()  # as a browser's next page does
    at.switch_page("pages/settings_page.py").run()
    assert at.session_state[SETTINGS] == "Models"
    at.session_state["chosen_set"] = image_set.set_id
    at.switch_page("pages/model_page.py").run()
    assert at.session_state[TAB.under("model")] == "Train"
    assert "Train" in at.query_params["tab"]
