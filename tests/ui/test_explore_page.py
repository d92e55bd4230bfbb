"""Explore as a visitor meets it, through app.py: loaded, narrowed, linked, its map made anew."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from tests.imaging.pictures import write_folder
from tests.object_sets import write_objects
from tests.ui.pages import (
    APP,
    app,
    call_of,
    linked,
    map_data,
    named,
    opened,
    order_by,
    panes,
    stacked,
    told,
    with_picture,
    words,
)
from tests.ui.test_sentence import in_head, number, parts
from url_viz.base.workspace import Workspace
from url_viz.columns.filters import Filter, OneOf
from url_viz.evidence.order import grade
from url_viz.image_set import ImageSet, open_image_set
from url_viz.jobs import cancel_job, list_jobs
from url_viz.labels.ambiguity import between_filters
from url_viz.labels.torn import torn_filters
from url_viz.models.model import Model
from url_viz.reading import embed_folder
from url_viz.store.tables.tables import PLACED, UMAP, Coordinates
from url_viz.store.tables.writer import Writer
from url_viz.ui.explore.view import VIEW, ExploreView
from url_viz.ui.session import DIALOG


def test_a_loaded_set_shows_both_ends_counts_and_failures_and_a_class_narrows_them(seen_set: ImageSet) -> None:
    at = opened(seen_set)
    assert at.title[0].value.endswith("/zoo")
    assert at.button(key="sentence.all").label == "**12** pictures"
    assert at.radio(key=f"set.classes.{seen_set.set_id}").value == "folders"
    assert shown_panes(at) == [("Most ambiguous", "12", 12)], "the question first: the other end is a choice"
    at.session_state[f"view.grid.{seen_set.set_id}"] = told(side="both")
    at.run()
    assert shown_panes(at) == [("Most ambiguous", "12", 12), ("Least ambiguous", "12", 12)]
    assert at.query_params["side"] == "both"
    at.selectbox(key="view.label").set_value("cat").run()
    assert "**6** of 12" in words(at)
    at.button(key="chip.class").click().run()
    assert "** of 12" not in words(at), "nothing acts on a whole set unasked"


def shown_panes(at: AppTest) -> list[tuple[str, str, int]]:
    return [(pane["title"], pane["note"], len(pane["first"])) for pane in panes(at)]


def test_a_lasso_narrows_everything_and_its_chip_takes_it_back(seen_set: ImageSet) -> None:
    table = seen_set.table()
    x, y = float(table["x"].iloc[0]), float(table["y"].iloc[0])
    around_one = [[x - 1e-3, y - 1e-3], [x + 1e-3, y - 1e-3], [x + 1e-3, y + 1e-3], [x - 1e-3, y + 1e-3]]
    at = opened(seen_set, **dict[str, Any]({f"view.map.{seen_set.set_id}": told(polygon=around_one)}))
    assert "**1** of 12" in words(at)
    assert "lasso" in at.query_params
    at.selectbox(key="view.label").set_value("dog").run()
    assert all("Remove one of the chips above" in pane["empty"] for pane in panes(at)), "it is a cat"
    at.button(key="chip.class").click().run()
    at.button(key="chip.selection").click().run()
    assert at.session_state["view.explore"] == ExploreView()
    assert "lasso" not in at.query_params


def test_a_lasso_ends_where_the_map_is_computed_again(home: Workspace, tmp_path: Path, model: Model) -> None:
    folder = write_folder(tmp_path / "grows", 8)
    image_set = embed_folder(folder, model=model, workspace=home.root)
    x, y = image_set.table()["x"], image_set.table()["y"]
    low, high = y.min() - 1, y.max() + 1
    right = [[x.median(), low], [x.max() + 1, low], [x.max() + 1, high], [x.median(), high]]
    at = opened(image_set, **dict[str, Any]({f"view.map.{image_set.set_id}": told(polygon=right)}))
    assert "**4** of 8" in words(at)
    at.run()
    assert "**4** of 8" in words(at), "as long as nothing moves"
    write_folder(folder, 6, start=8)
    grown = embed_folder(folder, model=model, workspace=home.root, refit=True).table()
    assert not np.allclose(grown["x"].head(8), x)
    at.run()
    assert "of 14" not in words(at).replace("14 of 14", "")
    assert [toast.value for toast in at.toast] == ["The map was recomputed, so the selection on it was cleared."]
    at.run()
    assert not at.toast


def test_a_clicked_picture_opens_with_its_facts_and_neighbours_and_is_searched_with(seen_set: ImageSet) -> None:
    first = int(seen_set.table()["id"].iloc[0])
    at = opened(seen_set, **with_picture(first))
    text = words(at)
    assert [one.label for one in at.expander][-2:] == ["Numbers", "Nearest pictures"]
    asked = re.search(r"^(.*) Labelled cat$", text, re.MULTILINE)
    assert asked, "the question first"
    assert text.count(asked[1].rstrip("?")) == 1, "and once"
    facts = at.dataframe[-1].value.set_index("Fact")["Value"]
    assert facts["Size"] == "64 × 48 px"
    assert "of the others" in facts["General model"]
    assert not {"ImageNet entropy", "1 / norm"} & set(facts.index), "baselines are Model's"
    label = next(one for one in at.selectbox if one.label == "Label")
    assert (label.value, label.options[:2]) == ("cat", ["cat", "dog"])
    assert label.proto.HasField("default"), "Escape would clear it, which takes the label back"
    seen_set.labels.give({first: "ca"})
    at.run()
    assert "Originally cat · a new class: no other picture has it" in words(at)
    seen_set.decisions.undo()
    at.button(key="search_with").click().run()
    assert at.session_state["view.query_id"] == first


def test_a_link_opens_its_picture_once(seen_set: ImageSet) -> None:
    last = seen_set.table().iloc[-1]
    at = linked(seen_set, picture=str(last["id"])).run()
    assert at.button(key="search_with")
    assert at.query_params["picture"] == str(last["id"])
    del at.session_state[DIALOG]  # as its closing does
    at.run()
    assert not any(button.key == "search_with" for button in at.button)
    assert "picture" not in at.query_params
    for text in ("17", "9" * 30):
        at = linked(seen_set, picture=text).run()
        assert not any(button.key == "search_with" for button in at.button), "there is no such picture"
        assert "picture" not in at.query_params


@pytest.mark.parametrize(
    ("filters", "name"),
    [
        (between_filters(("cat", "dog")), "Between cat and dog"),
        (torn_filters(("cat", "dog")), "Torn between cat and dog"),
    ],
    ids=["between", "torn"],
)
def test_a_pair_of_classes_is_one_chip_that_goes_at_a_click(
    seen_set: ImageSet, filters: tuple[Filter, ...], name: str
) -> None:
    at = opened(seen_set, view__explore=ExploreView(filters=filters))
    assert at.button(key="chip.pair").label == name
    assert [button.key for button in at.button if str(button.key).startswith("chip.")] == ["chip.pair"]
    at.button(key="chip.pair").click().run()
    assert at.session_state[VIEW].filters == ()


def test_objects_too_small_to_recognise_are_hidden_and_counted_until_asked_for(
    tmp_path: Path, home: Workspace, model: Model
) -> None:
    image_set = embed_folder(write_objects(tmp_path / "shapes", tiny=2), model=model, workspace=home.root)
    at = opened(image_set)
    assert at.button(key="sentence.tiny").label == "2 under 16 px hidden"
    assert [panes(at)[0]["total"], len(image_set)] == [12, 14]
    assert at.button(key="sentence.all").label == "**12** objects in 4 pictures"
    for key in (*parts(at, "torn."), *parts(at, "sentence.reason")):
        clicked = opened(image_set)
        said = number(clicked.button(key=key).label)
        clicked.button(key=key).click().run()
        assert in_head(clicked) == said, key
    exported = opened(image_set, popover__export__0=True)
    assert exported.radio(key="export.as")
    assert "export.all" not in [control.key for control in exported.segmented_control], "these are all, tiny ones too"
    assert "tiny" not in at.query_params
    review = at.button(key="explore.review")
    first = image_set.findings()[0]
    assert review.label == f"Review {first.count} {first.short}"
    review.click().run()
    assert at.session_state["view.review"] == first.opens
    at = opened(image_set)
    at.button(key="sentence.tiny").click().run()
    assert at.query_params["tiny"] == "1"
    at = linked(image_set, tiny="1").run()
    assert panes(at)[0]["total"] == 14
    assert at.button(key="sentence.all").label == "**14** objects in 4 pictures"
    assert "hidden" not in words(at)
    named(at.toggle, "Hide objects under 16 px").set_value(True).run()
    assert at.button(key="sentence.tiny")


@pytest.mark.usefixtures("without_heads")
def test_a_backbone_without_a_head_says_so_and_offers_what_needs_none(
    home: Workspace, tmp_path: Path, bare_model: Model
) -> None:
    image_set = embed_folder(write_folder(tmp_path / "zoo", 5), model=bare_model, workspace=home.root)
    at = opened(image_set)
    assert "has no head, which only the order" in at.info[0].value
    assert [str(option) for option in order_by(at).options] == ["Order: easily mistaken"]


def test_a_link_opens_its_view_and_keeps_its_set_on_the_next_pages(seen_set: ImageSet) -> None:
    at = app()
    view = {"by": "confusability", "in.label": "cat", "above": "80", "side": "both"}
    for name, value in {"set": seen_set.set_id, "model": seen_set.source.name, **view}.items():
        at.query_params[name] = value
    text = words(at.run())
    assert "Class: cat" in text
    assert "Threshold: above 80 %" in text
    assert sum(pane["total"] + sum(stacked(tile) for tile in pane["first"]) for pane in panes(at)) == 6
    assert order_by(at).value == "confusability"
    at.query_params.clear()
    for page in sorted((APP.parent / "pages").glob("*_page.py")):
        at.switch_page(f"pages/{page.name}").run()
        assert at.session_state["chosen_set"] == seen_set.set_id, page
        assert "No pictures read yet." not in words(at), page


def test_filters_are_chips_that_go_at_a_click_and_stand_in_the_address(seen_set: ImageSet) -> None:
    at = opened(seen_set)
    at.text_input(key="view.filter_name").set_value("dog/").run()
    assert "**6** of 12" in words(at)
    assert at.query_params["name"] == "dog/"
    at.selectbox(key="view.filter_column").set_value("uncertainty").run()
    at.text_input(key="view.filter.uncertainty.low").set_value("1e9").run()
    assert "**0** of 12" in words(at)
    at.button(key="chip.uncertainty").click().run()
    at.button(key="chip.path").click().run()
    assert "** of 12" not in words(at)
    assert "name" not in at.query_params


def test_any_numeric_column_orders_and_any_category_colours_and_its_filter_is_what_the_legend_has_chosen(
    seen_set: ImageSet,
) -> None:
    at = opened(seen_set)
    at.selectbox(key="view.other_measure").set_value("brightness").run()
    assert order_by(at).value == "brightness"
    assert seen_set.order().evidence is None or grade(seen_set.order("brightness")) in [
        each.proto.popover.label for each in at.get("popover")
    ]
    named(at.selectbox, "Colour").set_value("label").run()
    assert at.query_params["colour"] == "label"
    named(at.selectbox, "Size by").set_value("entropy").run()
    assert at.query_params["size"] == "entropy"
    assert map_data(at)["size_title"] == "ImageNet entropy"
    named(at.selectbox, "Colour").set_value("uncertainty").run()
    data = map_data(at)
    assert (data["colour"], data["title"], data["is_of_order"]) == ("value", "General model, percentile", False)
    named(at.selectbox, "Colour").set_value("label").run()
    assert map_data(at)["categories"] == ["cat", "dog"]
    at.session_state["view.explore"] = ExploreView(filters=(OneOf("label", ("dog",)),))
    at.run()
    assert map_data(at)["chosen"] == [1]
    assert "**6** of 12" in words(at)


def test_the_map_gives_way_to_the_grid_and_comes_back(seen_set: ImageSet) -> None:
    around = [[-1e6, -1e6], [1e6, -1e6], [1e6, 1e6], [-1e6, 1e6]]
    at = opened(seen_set, **dict[str, Any]({f"view.map.{seen_set.set_id}": told(polygon=around)}))
    assert [e.proto.component_name for e in at.main.get("bidi_component")] == ["url_viz_map", "url_viz_grid"]
    at.session_state[f"view.grid.{seen_set.set_id}"] = told(is_wide=True)
    at.run()
    assert [e.proto.component_name for e in at.main.get("bidi_component")] == ["url_viz_grid"]
    assert at.query_params["wide"] == "1"
    assert at.button(key="chip.selection").label == "Selection", "the lasso holds"
    at.session_state[f"view.grid.{seen_set.set_id}"] = told(is_wide=False)
    at.run()
    assert "wide" not in at.query_params
    assert at.button(key="chip.selection")


def test_a_map_of_which_much_was_placed_is_offered_to_be_made_anew_by_a_job(
    home: Workspace, tmp_path: Path, model: Model
) -> None:
    image_set = embed_folder(write_folder(tmp_path / "some", 6), model=model, workspace=home.root)
    assert image_set.maps.placed_fraction == 0
    contents = np.unique(image_set.core.contents)
    with Writer(home.set_paths(image_set.set_id), image_set.root) as writer:
        method = np.where(np.arange(6) < 3, UMAP, PLACED).astype(np.int8)
        writer.put_coordinates(image_set.space.key, Coordinates(contents, np.ones((6, 2), np.float32), method))
    image_set = open_image_set(image_set.root, workspace=home.root)
    assert image_set.maps.placed_fraction == 0.5

    def script(image_set) -> None:  # type: ignore[no-untyped-def]
        import streamlit as st

        from url_viz.ui.explore.explore_map import show_refit

        st.text("The map")
        show_refit(image_set)

    at = AppTest.from_function(script, args=(image_set,)).run()
    assert at.button(key="refit").label == "Recompute the map (50% added later)"
    at.button(key="refit").click().run()
    [job] = list_jobs(home)
    assert call_of(job).what.words == ("sets", "refit")
    assert call_of(job).given["folder"] == image_set.root
    cancel_job(job, grace_s=0.1)
    image_set.maps.refit()
    assert open_image_set(image_set.root, workspace=home.root).maps.placed_fraction == 0
