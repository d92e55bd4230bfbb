"""Explore in every state, through app.py as a visitor meets it: empty, loading, loaded, narrowed, failed."""

import itertools
import json
import re
import shutil
import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from tests.imaging.pictures import noise, write_folder
from tests.object_sets import write_objects
from tests.ui.conftest import Read
from tests.ui.pages import APP, LONG, app, ended, linked, named, opened, order_by, told, with_picture, words
from url_viz.base.errors import NoImagesError, NotAllowedError
from url_viz.base.progress import Progress, appended_to, silent
from url_viz.base.workspace import Workspace, set_id_of
from url_viz.columns.filters import OneOf, Scope, scope_as_query, scoped
from url_viz.columns.measures import quoted
from url_viz.evidence.order import grade
from url_viz.image_set import ImageSet, open_image_set
from url_viz.jobs import Job, cancel_job, list_jobs, start_job
from url_viz.labels.ambiguity import between_filters
from url_viz.models.model import Model
from url_viz.pipeline import embed as pipeline
from url_viz.reading import embed_folder
from url_viz.store.sets import list_sets
from url_viz.store.tables.writer import Writer
from url_viz.ui.explore.explore_grid import acted_on
from url_viz.ui.explore.page import ranked_by, review_of
from url_viz.ui.explore.view import VIEW, ExploreView, view_of
from url_viz.ui.session import DIALOG, OPENED
from url_viz.ui.widgets.embed_job import KIND
from url_viz.ui.widgets.jobs import Reading


def zoo(base: Path) -> Path:
    """Twelve pictures of two classes, and a file that is none."""
    folder = write_folder(base / "zoo", 12, classes=("cat", "dog"))
    (folder / "cat" / "broken.jpg").write_bytes(b"<html>404</html>")
    return folder


@pytest.fixture(scope="module")
def read_set(module_workspace: Path, model: Model) -> ImageSet:
    return embed_folder(zoo(module_workspace.parent), model=model, workspace=module_workspace)


@pytest.fixture
def image_set(read_set: ImageSet, monkeypatch: pytest.MonkeyPatch) -> ImageSet:
    """For tests that only look at it."""
    monkeypatch.setenv("URL_VIZ_HOME", str(read_set.workspace.root))
    return read_set


@pytest.fixture
def own_set(tmp_path: Path, read_once: Read) -> ImageSet:
    """The same for tests that decide on it."""
    return read_once(zoo(tmp_path))


@pytest.fixture
def with_twins(tmp_path: Path, read_once: Read) -> ImageSet:
    """Nine pictures, and three of them once more, in other files."""
    folder = write_folder(tmp_path / "twins", 9, classes=("cat", "dog"))
    for number in range(3):
        noise(number).save(folder / "cat" / f"again {number}.jpg", quality=95)
    return read_once(folder)


def stacked(tile: Mapping[str, Any]) -> int:
    """How many others a tile stands for, by what it says: "1 copy and 2 views"."""
    return sum(map(int, re.findall(r"\d+", tile["twins"])))


def panes(at: AppTest) -> list[dict[str, Any]]:
    """What the grid shows, as the browser gets it."""
    grid = next(e for e in at.get("bidi_component") if e.proto.component_name == "url_viz_grid")
    found: list[dict[str, Any]] = json.loads(grid.proto.json)["panes"]
    return found


def map_data(at: AppTest) -> dict[str, Any]:
    """What the map shows, as the browser gets it."""
    found: dict[str, Any] = json.loads(
        next(e for e in at.get("bidi_component") if e.proto.component_name == "url_viz_map").proto.json
    )
    return found


def test_a_loaded_set_shows_both_ends_counts_and_failures_and_a_class_narrows_them(image_set: ImageSet) -> None:
    at = opened(image_set)
    text = words(at)
    assert at.title[0].value.endswith("/zoo")
    assert "12 pictures" in text
    assert at.radio(key=f"set.classes.{image_set.set_id}").value == "folders"
    assert "1 unreadable" in text
    assert [(pane["title"], pane["note"], len(pane["first"])) for pane in panes(at)] == [
        ("Most ambiguous", "12", 12),
        ("Least ambiguous", "12", 12),
    ]
    assert "1 file could not be read" in text
    assert at.dataframe[0].value["reason"].tolist() == ["is an HTML page, not a picture"]
    at.selectbox(key="view.label").set_value("cat").run()
    assert "**6** of 12" in words(at)
    at.button(key="chip.class").click().run()
    assert "** of 12" not in words(at), "nothing acts on a whole set unasked"


def test_a_lasso_narrows_everything_and_its_chip_takes_it_back(image_set: ImageSet) -> None:
    table = image_set.table()
    x, y = float(table["x"].iloc[0]), float(table["y"].iloc[0])
    around_one = [[x - 1e-3, y - 1e-3], [x + 1e-3, y - 1e-3], [x + 1e-3, y + 1e-3], [x - 1e-3, y + 1e-3]]
    at = opened(image_set, **dict[str, Any]({f"view.map.{image_set.set_id}": told(polygon=around_one)}))
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
    right = [
        [x.median(), y.min() - 1],
        [x.max() + 1, y.min() - 1],
        [x.max() + 1, y.max() + 1],
        [x.median(), y.max() + 1],
    ]
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


def test_a_clicked_picture_opens_with_its_facts_and_neighbours_and_is_searched_with(image_set: ImageSet) -> None:
    first = int(image_set.table()["id"].iloc[0])
    at = opened(image_set, **with_picture(first))
    text = words(at)
    assert "Nearest neighbours" in text
    assert re.search(r"^.*Labelled cat$", text, re.MULTILINE), "the question first"
    facts = at.dataframe[-1].value.set_index("Fact")["Value"]
    assert facts["Size"] == "64 × 48 px"
    assert "of the others" in facts["General model"]
    assert not {"ImageNet entropy", "1 / norm"} & set(facts.index), "baselines are Evaluate's"
    label = next(one for one in at.selectbox if one.label == "Label")
    assert (label.value, label.options[:2]) == ("cat", ["cat", "dog"])
    assert label.proto.HasField("default"), "Escape would clear it, which takes the label back"
    image_set.labels.correct({first: "ca"})
    at.run()
    assert "Originally cat · a new class: no other picture has it" in words(at)
    image_set.decisions.undo()
    at.button(key="search_with").click().run()
    assert at.session_state["search.query_id"] == first


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


def test_a_link_opens_its_picture_once(image_set: ImageSet) -> None:
    last = image_set.table().iloc[-1]
    at = linked(image_set, picture=str(last["id"])).run()
    assert "Nearest neighbours" in words(at)
    assert at.query_params["picture"] == str(last["id"])
    del at.session_state[DIALOG]  # as its closing does
    at.run()
    assert "Nearest neighbours" not in words(at)
    assert "picture" not in at.query_params
    for text in ("17", "9" * 30):
        at = linked(image_set, picture=text).run()
        assert "Nearest neighbours" not in words(at), "there is no such picture"
        assert "picture" not in at.query_params


def test_a_pair_of_classes_is_one_chip_that_goes_at_a_click(image_set: ImageSet) -> None:
    at = opened(image_set, view__explore=ExploreView(filters=between_filters(("cat", "dog"))))
    assert at.button(key="chip.pair").label == "Between cat and dog"
    assert [button.key for button in at.button if str(button.key).startswith("chip.")] == ["chip.pair"]
    at.button(key="chip.pair").click().run()
    assert at.session_state[VIEW].filters == ()


def test_objects_too_small_to_recognise_are_hidden_and_counted_until_asked_for(
    tmp_path: Path, home: Workspace, model: Model
) -> None:
    image_set = embed_folder(write_objects(tmp_path / "shapes", tiny=2), model=model, workspace=home.root)
    at = opened(image_set)
    assert at.button(key="chip.tiny").label == "2 under 16 px hidden"
    assert [panes(at)[0]["total"], len(image_set)] == [12, 14]
    assert "14 objects in 4 pictures" in words(at)
    assert "14 of 14." in words(at), "what is exported"
    assert "tiny" not in at.query_params
    at.button(key="explore.review").click().run()
    review = image_set.reviews.open(at.session_state["view.review"])
    assert len(review.ids) == 12
    on_pages, elsewhere = (
        [row.opens for row in image_set.reviews.queues(hides_tiny=is_page)] for is_page in (True, False)
    )
    assert review.spec in on_pages
    assert review.spec not in elsewhere
    at = opened(image_set)
    at.button(key="chip.tiny").click().run()
    assert at.query_params["tiny"] == "1"
    at = linked(image_set, tiny="1").run()
    assert panes(at)[0]["total"] == 14
    assert "hidden" not in words(at)
    named(at.toggle, "Hide objects under 16 px").set_value(True).run()
    assert at.button(key="chip.tiny")


def test_what_was_decided_is_counted_narrows_and_colours(own_set: ImageSet) -> None:
    assert "to go" not in words(opened(own_set))
    ids = own_set.table()["id"].tolist()
    own_set.decisions.decide(ids[:3], "drop")
    own_set.decisions.decide(ids[3:4], "keep")
    at = opened(own_set)
    assert "1 kept · 3 dropped · 8 to go" in words(at)
    own_set.labels.correct({ids[4]: "emu", ids[5]: str(own_set.table()["label"].iloc[5])})
    assert "1 relabelled · 1 confirmed · 1 kept · 3 dropped · 6 to go" in words(opened(own_set)), "12 in all"
    own_set.decisions.undo()
    at = opened(own_set)
    at.selectbox(key="view.filter_column").set_value("decision").run()
    at.multiselect(key="view.filter.decision").set_value(["drop"]).run()
    assert "**3** of 12" in words(at)
    at.selectbox(key="view.colour").set_value("decision").run()
    at.button(key="view.decide.keep").click().run()
    assert own_set.table()["decision"].tolist()[:4] == ["keep"] * 4


def test_a_backbone_without_a_head_says_so_and_offers_what_needs_none(
    home: Workspace, tmp_path: Path, bare_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    from url_viz.models import model_names as zoo

    monkeypatch.setattr(zoo, "HEADS", tmp_path / "no heads")
    image_set = embed_folder(write_folder(tmp_path / "zoo", 5), model=bare_model, workspace=home.root)
    at = opened(image_set)
    assert "has no head, which only the order" in at.info[0].value
    assert [str(option) for option in order_by(at).options] == ["Easily mistaken"]


def test_a_set_that_is_being_read_says_how_far(home: Workspace, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "slow", 3)
    job = a_job(home, folder, LONG[1])
    at = opened(chosen_set=set_id_of(folder.resolve()))
    assert "The map appears as soon as the first pictures are read." in words(at)
    assert [b.key for b in at.button if b.key == "stop_reading"]
    at.button(key="stop_reading").click().run()
    assert job.status().state == "cancelled"


FAILS = "import sys; print('error: There are no pictures in it.'); sys.exit(1)"


def after_a_failure(home: Workspace, folder: Path, **state: Any) -> AppTest:
    """The page of a folder whose reading has failed."""
    ended(a_job(home, folder, FAILS))
    at = opened(chosen_set=set_id_of(folder.resolve()), **state)
    assert at.error[0].value == "Reading stopped. There are no pictures in it."
    return at


def test_a_reading_that_failed_says_why_beside_other_sets(home: Workspace, tmp_path: Path, own_set: ImageSet) -> None:
    """The list of sets has none to show as chosen then, which is no choice of the user."""
    at = after_a_failure(home, write_folder(tmp_path / "bad", 1))
    assert at.session_state["chosen_set"] is None
    boxes = [box for box in at.sidebar.selectbox if box.label == "Image set"]
    assert [box.value for box in boxes] == [None]


def test_a_reading_that_failed_leaves_no_trace_is_put_away_and_fails_again(home: Workspace, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "bad", 1)
    at = after_a_failure(home, folder)
    assert at.title[0].value == "Which of your pictures are ambiguous?", "the first page, with what went wrong above it"
    assert not at.info
    assert not [box for box in at.sidebar.selectbox if box.label == "Image set"]
    assert "No pictures read yet." in words(at)
    assert "set" not in at.query_params
    assert list_sets(home.root).empty
    at.button(key="put_away").click().run()
    assert not at.error
    assert at.session_state["chosen_set"] is None, "nothing of it is left in the session"
    ended(a_job(home, folder, FAILS))
    at.session_state["chosen_set"] = set_id_of(folder.resolve())
    at.run()
    assert at.error[0].value == "Reading stopped. There are no pictures in it."
    at.button(key="read_again").click().run()
    assert not at.error
    assert [job.about["folder"] for job in list_jobs(home)] == [str(folder.resolve())] * 3


def test_a_folder_of_which_nothing_can_be_read_leaves_no_trace(home: Workspace, tmp_path: Path, model: Model) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(b"<html>404</html>")
    with pytest.raises(NoImagesError, match="None of the 1 files"):
        embed_folder(folder, model=model, workspace=home.root)
    assert not home.set_paths(set_id_of(folder)).folder.exists()


def test_a_set_that_is_not_here_is_said_to_be_so_and_nonsense_is_an_error(home: Workspace) -> None:
    at = app()
    at.query_params["set"] = "0" * 16
    at.run()
    assert "not in this workspace" in at.info[0].value
    assert "set" not in at.query_params
    at = app()
    at.query_params["set"] = "../../etc"
    at.run()
    assert "is not an image-set id" in at.error[0].value


def test_a_reading_that_was_stopped_before_its_first_picture_says_so(home: Workspace, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "slow", 3)
    at = app(chosen_set=set_id_of(folder.resolve()))
    cancel_job(a_job(home, folder, LONG[1]), grace_s=0.1)
    at.run()
    assert "stopped before anything was saved" in at.info[0].value
    assert at.button(key="read_again")
    at.button(key="put_away").click().run()
    assert not at.info


@pytest.fixture
def partial(home: Workspace, tmp_path: Path, model: Model, monkeypatch: pytest.MonkeyPatch) -> ImageSet:
    """Four pictures of twelve, read by a run that was killed then."""
    folder = write_folder(tmp_path / "zoo", 12, classes=("cat", "dog"))
    monkeypatch.setattr(type(model.runtime), "batch", 4)
    monkeypatch.setattr(pipeline, "FIRST_FLUSH_PICTURES", 1)

    def killed(step: Progress) -> None:
        if step.stage == "read" and step.done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embed_folder(folder, model=model, workspace=home.root, progress=killed)
    return open_image_set(folder, model=model.name, workspace=home.root)


def test_a_set_that_is_not_whole_says_so_wherever_it_stands_and_goes_on(home: Workspace, partial: ImageSet) -> None:
    at = opened(partial)
    assert "**4 of 12 pictures: reading was stopped**" in words(at)
    assert partial.core.store.graph(partial.space.key) is None
    assert [len(pane["first"]) for pane in panes(at)] == [4, 4], "galleries wait neither for neighbours nor for UMAP"
    assert [box.value for box in at.sidebar.selectbox if box.label == "Image set"] == [partial.set_id]
    assert any("(4 of 12)" in option for option in at.sidebar.selectbox[0].options)
    assert list_sets(home.root)["state"].tolist() == ["4 of 12 pictures: reading was stopped"]
    at.button(key="continue_reading").click().run()
    [job] = list_jobs(home)
    assert job.about["folder"] == str(partial.root)
    assert job.about["model"] == partial.source.name


def test_a_set_that_was_read_to_its_end_is_whole_again(home: Workspace, partial: ImageSet, model: Model) -> None:
    assert partial.core.store.about().files_begun(partial.space.key) == 12
    with Writer(home.set_paths(partial.set_id), partial.root):
        assert list_sets(home.root)["state"].tolist() == [""], "nothing is stopped while it is read"
    whole = embed_folder(partial.root, model=model, workspace=home.root)
    assert (whole.core.store.about().files_begun(whole.space.key), len(whole)) == (None, 12)
    assert list_sets(home.root)["state"].tolist() == [""]
    assert "reading was stopped" not in words(opened(whole))


def test_reading_again_holds_to_the_roots(home: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that became a link out of the roots since its reading failed."""
    monkeypatch.setenv("URL_VIZ_ROOTS", str(tmp_path / "roots"))
    folder = write_folder(tmp_path / "roots" / "bad", 1)
    secret = write_folder(tmp_path / "secret", 3)
    at = after_a_failure(home, folder)
    shutil.rmtree(folder)
    folder.symlink_to(secret)
    at.button(key="read_again").click().run()
    assert "is outside the folders that this app may read" in at.error[1].value
    assert len(list_jobs(home)) == 1


def test_the_demo_is_known_by_its_folder_whatever_the_roots(home: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    from url_viz.ui.widgets.embed_job import readable

    monkeypatch.setenv("URL_VIZ_ROOTS", str(home.root.parent / "elsewhere"))
    (home.demo / "pictures").mkdir(parents=True)
    assert readable(home.demo / "pictures") == (home.demo / "pictures").resolve()
    (home.root / "sets").mkdir()
    with pytest.raises(NotAllowedError):
        readable(home.root / "sets")


def test_a_link_keeps_its_set_on_the_next_pages(image_set: ImageSet) -> None:
    at = app()
    at.query_params["set"], at.query_params["model"] = image_set.set_id, image_set.source.name
    at.run()
    at.query_params.clear()
    for page in sorted((APP.parent / "pages").glob("*_page.py")):
        at.switch_page(f"pages/{page.name}").run()
        assert at.session_state["chosen_set"] == image_set.set_id, page
        said = words(at)
        assert "No pictures read yet." not in said, page
        if page.name.removesuffix("_page.py") in ("search", "finetune", "explore"):
            assert "12 pictures" in said, page
            assert "zoo" in said, page


def a_job(home: Workspace, folder: Path, code: str) -> Job:
    root = folder.resolve()
    about = {"set_id": set_id_of(root), "model": "tf_efficientnet_lite0", "folder": str(root)}
    return start_job(["-c", code], kind=KIND, title="Read", workspace=home, about=about)


def test_a_link_reopens_the_same_view(image_set: ImageSet) -> None:
    at = app()
    at.query_params["set"] = image_set.set_id
    at.query_params["by"] = "confusability"
    at.query_params["in.label"] = "cat"
    at.query_params["above"] = "80"
    at.session_state["chosen_model"] = image_set.source.name
    at.run()
    text = words(at)
    assert "above 80 %" in text
    assert sum(pane["total"] + sum(stacked(tile) for tile in pane["first"]) for pane in panes(at)) == 6
    assert "Class: cat" in text
    assert "Threshold: above 80 %" in text
    assert order_by(at).value == "confusability"


def test_filters_are_chips_that_go_at_a_click_and_stand_in_the_address(image_set: ImageSet) -> None:
    at = opened(image_set)
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
    image_set: ImageSet,
) -> None:
    at = opened(image_set)
    at.selectbox(key="view.other_measure").set_value("brightness").run()
    assert order_by(at).value == "brightness"
    assert at.button(key="order.back").label == f"Back to {quoted(image_set.order().measure or '')}"
    assert image_set.order().evidence is None or grade(image_set.order("brightness")) in [
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


@pytest.mark.parametrize(
    ("reader", "stage", "more", "is_drawn"),
    [
        ("shown", "read", 2, False),
        ("shown", "read", 4, True),
        ("shown", "neighbours", 2, True),
        ("shown", "neighbours", 0, False),
        ("another", "read", 4, False),
    ],
)
def test_a_page_is_drawn_anew_for_a_quarter_more_pictures_and_for_what_another_stage_made(
    home: Workspace, tmp_path: Path, model: Model, read_once: Read, reader: str, stage: str, more: int, is_drawn: bool
) -> None:
    folder = write_folder(tmp_path / "grows", 12)
    read = read_once(folder)
    name = read.source.name if reader == "shown" else "resnet18"
    about = {"set_id": read.set_id, "model": name, "folder": str(folder)}
    job = start_job(list(LONG), kind=KIND, title="Read", workspace=home, about=about)
    write_folder(folder, more, start=100)
    embed_folder(folder, model=model, workspace=home.root)
    appended_to(job.paths.progress, silent)(Progress(stage, 0))

    def script() -> None:
        import streamlit as st

        from url_viz.ui.widgets.jobs import show_reading

        st.session_state["runs"] = st.session_state.get("runs", 0) + 1
        shown = st.session_state["shown"]
        show_reading(shown.set_id, st.session_state["reading"], shown=shown)

    at = AppTest.from_function(script)
    at.session_state["chosen_set"], at.session_state["chosen_model"] = read.set_id, read.source.name
    at.session_state["shown"], at.session_state["reading"] = read, Reading(job, job.status().state, "read")
    at.session_state["reading_ticks"] = 1000  # the last drawing is long ago
    at.run()
    assert at.session_state["runs"] == (2 if is_drawn else 1)


def test_a_page_opens_the_log_of_decisions_a_handful_of_times(
    own_set: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_set.decisions.decide(own_set.core.ids[:2], "keep")
    opened(own_set)
    opening, count = sqlite3.connect, itertools.count()

    def counted(*args: Any, **keywords: Any) -> Any:
        next(count)
        return opening(*args, **keywords)

    monkeypatch.setattr(sqlite3, "connect", counted)
    assert "12 pictures" in words(opened(own_set))
    assert 1 <= next(count) <= 6


def test_twins_are_told_and_one_of_each_is_kept(home: Workspace, tmp_path: Path, model: Model) -> None:
    folder = write_folder(tmp_path / "copies", 4)
    first = sorted(folder.rglob("*.jpg"))[0]
    (folder / "copy.jpg").write_bytes(first.read_bytes())
    at = opened(embed_folder(folder, model=model, workspace=home.root))
    at.button(key="twins.open").click().run()
    assert "1 group: 1 of exact copies, 0 of copies (saved again, resized or cropped), 0 with other views" in words(at)
    assert "The pictures of this group · 2" in words(at)
    at.button(key="twins.keep").click().run()
    decided = embed_folder(folder, model=model, workspace=home.root).table().set_index("path")["decision"].dropna()
    assert sorted(decided) == ["drop", "keep"]


def test_one_side_of_the_threshold_is_decided_on(own_set: ImageSet) -> None:
    state: dict[str, Any] = {
        f"view.map.{own_set.set_id}": told(threshold=80.0),
        VIEW: ExploreView("uncertainty", collapse_twins=False),
    }
    at = opened(own_set, **state)
    assert "**3** above 80 %" in words(at)
    assert "Threshold: above 80 %" in words(at)
    assert [(pane["note"], pane["total"]) for pane in panes(at)] == [("3 of 12", 3), ("9 of 12", 9)]
    at.button(key="view.decide.drop").click().run()
    dropped = own_set.table().sort_values("uncertainty")["decision"].tolist()
    assert dropped == [None] * 9 + ["drop"] * 3
    at.session_state[f"view.grid.{own_set.set_id}"] = told(side="clear")
    at.run()
    assert [pane["title"] for pane in panes(at)] == ["Least ambiguous"]
    assert "**9** not above 80 %" in words(at)
    assert at.query_params["side"] == "clear"


def test_what_is_chosen_is_acted_on_and_reviewed(own_set: ImageSet) -> None:
    at = opened(own_set)
    shown = [int(tile["id"]) for tile in panes(at)[0]["first"]]
    at.session_state[f"view.grid.{own_set.set_id}"] = {
        "chosen": [{"order": panes(at)[0]["order"], "ranges": [[0, 2], [5, 6]]}, {"order": "gone", "ranges": [[0, 9]]}]
    }
    at.run()
    assert "**3** selected" in words(at)
    assert "3 of 12." in words(at)
    at.button(key="view.decide.drop").click().run()
    dropped = set(own_set.table().loc[lambda table: table["decision"] == "drop", "id"])
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
    image_set.columns.add(here / "mine.csv", uncertainties=["mine"])
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


def test_a_decision_on_many_chosen_is_made_at_once_and_undone_where_it_is_told(own_set: ImageSet) -> None:
    at, grid = opened(own_set), f"view.grid.{own_set.set_id}"
    chosen = [{"order": panes(at)[0]["order"], "ranges": [[0, 4]]}]
    action = {"sequence": 1, "chosen": chosen, "decision": "drop"}
    at.session_state[grid] = {"chosen": chosen, "actions": [action]}
    at.run()
    at.run()  # AppTest calls no callbacks of components: the action is carried out below the bar
    assert "**Dropped 4 pictures.**" in words(at)
    assert (own_set.table()["decision"] == "drop").sum() == 4
    at.session_state[grid] = {"chosen": None}
    assert "**Dropped 4 pictures.**" in words(at.run()), "also once nothing is chosen"
    at.button(key="view.decide.undo").click().run()
    assert own_set.table()["decision"].isna().all()
    assert "**Dropped 4 pictures.**" not in words(at)


def test_the_map_gives_way_to_the_grid_and_comes_back(image_set: ImageSet) -> None:
    around = [[-1e6, -1e6], [1e6, -1e6], [1e6, 1e6], [-1e6, 1e6]]
    at = opened(image_set, **dict[str, Any]({f"view.map.{image_set.set_id}": told(polygon=around)}))
    assert [e.proto.component_name for e in at.main.get("bidi_component")] == ["url_viz_map", "url_viz_grid"]
    at.session_state[f"view.grid.{image_set.set_id}"] = told(is_wide=True)
    at.run()
    assert [e.proto.component_name for e in at.main.get("bidi_component")] == ["url_viz_grid"]
    assert at.query_params["wide"] == "1"
    assert at.button(key="chip.selection").label == "Selection", "the lasso holds"
    at.session_state[f"view.grid.{image_set.set_id}"] = told(is_wide=False)
    at.run()
    assert "wide" not in at.query_params
    assert at.button(key="chip.selection")


def test_twins_stand_as_one_and_a_stack_is_decided_on_with_them(with_twins: ImageSet) -> None:
    at = opened(with_twins)
    assert [(pane["note"], len(pane["first"])) for pane in panes(at)] == [("9 shown, 3 copies folded in", 9)] * 2
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
