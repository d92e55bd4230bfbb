"""What Explore asks: what the classes are, which pictures to pick, and which columns a user brings."""

from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Multiselect

from tests.annotated_sets import write_annotated
from tests.given import by_turns, given_set
from tests.jobs.conftest import until
from tests.pipeline.whitened_examples import classes
from tests.read_sets import copied
from tests.ui.pages import opened, words
from url_viz.base.errors import JobError
from url_viz.base.workspace import Workspace
from url_viz.columns.filters import OneOf
from url_viz.image_set import ImageSet
from url_viz.imaging.uploaded_files import IncomingFile
from url_viz.jobs import latest_job, log_tail
from url_viz.jobs.kinds import MEASURE, result_of, start_measuring
from url_viz.labels.apart import apart_suggestion
from url_viz.labels.set_columns import SetColumns
from url_viz.models.model import Model
from url_viz.reading import embed_folder
from url_viz.ui.explore.class_choice import CLASSES_OPEN, class_choices
from url_viz.ui.explore.view import VIEW, ExploreView
from url_viz.ui.widgets.sidebar import user_models

FOLDERS = ("train/cat", "train/[dog](x)", "test/cat")
NAMES = by_turns(6, FOLDERS)
PARTS = ["first part of the file name", "first 2 parts of the file name"]


@pytest.fixture
def image_set(tmp_path: Path) -> ImageSet:
    """Six pictures of two classes in two splits."""
    return given_set(tmp_path, NAMES, np.eye(6))


def shown(image_set: ImageSet) -> AppTest:
    """The choice of classes alone on a page."""

    def script(image_set: "ImageSet") -> None:
        from url_viz.ui.explore.class_choice import show_class_choice

        show_class_choice(image_set)

    return AppTest.from_function(script, args=(image_set,)).run()


def line(at: AppTest) -> str:
    """The label of the one expander."""
    [expander] = at.expander
    return str(expander.label)


@pytest.mark.slow
def test_it_says_what_was_taken_also_elsewhere(image_set: ImageSet) -> None:
    at = shown(image_set)
    assert line(at) == "2 classes; test and train as split"
    [radio] = at.radio
    assert radio.value == "folders"
    assert list(class_choices(image_set)) == ["folders", "level:1", "names", "tags", "none"]
    assert [detail for _, detail in class_choices(image_set).values()][:2] == ["[dog](x), cat", "test, train"]
    image_set.labels.use("level:2")
    at.run()
    assert at.radio[0].value == "level:2"
    assert line(at) == "2 classes from level 2 of the folders; test and train as split"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("chosen", "words", "labels"),
    [
        ("level:1", "2 classes from level 1 of the folders", ["test", "test", "train", "train", "train", "train"]),
        ("tags", "No classes; test and train as split", [None] * 6),
        ("none", "No classes; test and train as split", [None] * 6),
    ],
)
def test_one_click_chooses(image_set: ImageSet, chosen: str, words: str, labels: list[str | None]) -> None:
    at = shown(image_set)
    at.session_state[VIEW] = ExploreView(filters=(OneOf("label", ("cat",)),))
    at.radio[0].set_value(chosen).run()
    assert line(at) == words
    assert image_set.table()["label"].tolist() == labels
    assert at.session_state[VIEW].filters == ()
    at.radio[0].set_value("folders").run()
    assert line(at) == "2 classes; test and train as split"


@pytest.mark.slow
def test_names_of_others_are_text(image_set: ImageSet) -> None:
    image_set.columns.add(IncomingFile("m.csv", f"path,[a](b)\n{NAMES[0]},x\n{NAMES[1]},y\n".encode()))
    image_set.labels.use("[a](b)")
    at = shown(image_set)
    assert line(at) == r"2 classes from the column '\[a\](b)'; test and train as split"
    assert r"\[a\](b)" in at.radio[0].options
    assert r"\[dog\](x), cat" in at.radio[0].proto.captions


@pytest.mark.slow
def test_a_column_that_another_session_added_meanwhile_is_left_alone(
    image_set: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    image_set.columns.add(IncomingFile("m.csv", f"path,kind\n{NAMES[0]},a\n{NAMES[1]},b\n".encode()))
    image_set.labels.use("kind")
    monkeypatch.setattr(SetColumns, "list", lambda columns: ())  # as read just before
    assert shown(image_set).radio[0].value == image_set.labels.chosen == "kind"


@pytest.mark.slow
def test_what_is_kept_apart_is_one_click(image_set: ImageSet) -> None:
    at = shown(image_set)
    assert at.selectbox[0].options == ["near copies only", "level 1 of the folders", "level 2 of the folders", *PARTS]
    at.selectbox[0].set_value("level:1").run()
    assert image_set.labels.apart.choice == "level:1"
    assert line(at).endswith("; apart by level 1 of the folders (2 groups)")
    at.selectbox[0].set_value("none").run()
    assert image_set.labels.apart.choice is None


@pytest.mark.slow
def test_a_suggestion_is_worked_out_once_the_choice_is_opened(image_set: ImageSet) -> None:
    at = shown(image_set)
    assert not image_set.core.derived.is_cached(apart_suggestion), "the map does not wait for it"
    at.session_state[CLASSES_OPEN] = True
    at.run()
    assert not at.exception
    assert image_set.core.derived.is_cached(apart_suggestion)


ROWS, KIND = classes(60, of=3, spread=0.9)


@pytest.fixture(scope="module")
def sixty(tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    paths = [f"{'abc'[kind]}/{number:03d}.jpg" for number, kind in enumerate(KIND)]
    return given_set(tmp_path_factory.mktemp("read"), paths, ROWS, name="mine")


@pytest.fixture
def of_sixty(sixty: ImageSet, home: Workspace, tmp_path: Path) -> ImageSet:
    return copied(sixty, tmp_path / "zoo", home=home.root)


def picking(image_set: ImageSet, count: int = 60) -> AppTest:
    """The dialog that picks pictures by itself, of the first so many: AppTest runs no fragments."""

    def script(image_set: "ImageSet", count: int) -> None:
        from url_viz.ui.explore.pick_pictures import choose_dialog

        choose_dialog(image_set, image_set.core.ids[:count].tolist())

    return AppTest.from_function(script, args=(image_set, count)).run()


def pressed(at: AppTest) -> AppTest:
    return next(button for button in at.button if button.label == "Pick").click().run()


@pytest.mark.slow
def test_it_tags_what_it_chose_lists_it_and_says_what_it_is_worth(of_sixty: ImageSet) -> None:
    at = pressed(picking(of_sixty))
    told = words(at)
    assert "12 pictures chosen, 4 of each of 3 classes. Tagged 12 pictures “chosen”." in told
    ids = of_sixty.subsets.tagged("chosen")
    assert set(ids) == set(of_sixty.subsets.choose(12)["id"])
    assert of_sixty.subsets.worth(ids).words.split(" ×")[0][:40] in told
    assert [button.proto.label for button in at.get("download_button")] == ["List of paths"]
    at.number_input[0].set_value(6)
    at.toggle(key="choose.worth").set_value(False)
    told = words(pressed(at))
    assert "Trained on" not in told
    assert len(of_sixty.subsets.tagged("chosen")) == 6, "the tag stands for one choice"


@pytest.mark.slow
def test_of_a_part_and_on_top_of_a_tag(of_sixty: ImageSet) -> None:
    table = of_sixty.table()
    of_sixty.decisions.tag([int(table["id"].iloc[-1])], "first")
    at = picking(of_sixty, 40)
    assert "Of these 40 pictures" in words(at)
    at.number_input[0].set_value(9)
    at.multiselect(key="choose.pinned").set_value(["first"])
    at.selectbox(key="choose.per").set_value("none")
    at.text_input(key="choose.tag").set_value("second")
    assert "9 pictures chosen, 1 of them pinned." in words(pressed(at))
    found = table[table["id"].isin(of_sixty.subsets.tagged("second"))]
    assert found["path"].iloc[-1] == table["path"].iloc[-1]
    assert set(found["id"].iloc[:-1]) <= set(table["id"].iloc[:40])


@pytest.mark.slow
def test_of_a_large_set_a_job_measures_and_its_result_stays(
    of_sixty: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("url_viz.ui.explore.pick_pictures.AT_ONCE", 59)
    at = pressed(picking(of_sixty))
    job = latest_job(of_sixty.workspace, kind=MEASURE.name, set_id=of_sixty.set_id)
    assert job is not None
    assert "Trained on these" not in words(at)
    until(lambda: not job.status().is_live, 120)
    assert job.state == "succeeded", log_tail(job)
    worth = of_sixty.subsets.worth(of_sixty.subsets.tagged("chosen")).words
    again = words(picking(of_sixty))
    assert worth.split(" ×")[0][:40] in again
    assert "are worth, tagged “chosen”" in again
    monkeypatch.setattr("url_viz.jobs.kinds.MOST_CHOICES", 1)
    start_measuring(of_sixty, of_sixty.core.ids[:12].tolist(), name="zoo", tag="")
    assert len(list((of_sixty.core.store.paths.derived / "choices").glob("*.json"))) <= 1
    with pytest.raises(JobError, match="Measure it again"):
        result_of(job)


@pytest.mark.slow
def test_an_error_is_a_sentence_and_the_page_has_the_button(of_sixty: ImageSet) -> None:
    at = picking(of_sixty)
    at.number_input[0].set_value(1)
    at.text_input(key="choose.tag").set_value("a; b")
    assert "cannot be a tag" in words(pressed(at))
    assert any(button.key == "choose.open" for button in opened(of_sixty, "explore").button)


CSV = "text/csv"


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    """Four pictures in two classes, under embeddings of the user's own: no model runs."""
    return given_set(tmp_path_factory.mktemp("read"), by_turns(4), np.eye(4), name="mine")


@pytest.fixture
def of_four(four: ImageSet, home: Workspace, tmp_path: Path) -> ImageSet:
    return copied(four, tmp_path / "zoo", home=home.root)


def adding(image_set: ImageSet) -> AppTest:
    """The dialog of a user's columns by itself."""

    def script(image_set: "ImageSet") -> None:
        from url_viz.ui.explore.add_columns import user_columns_dialog

        user_columns_dialog(image_set)

    return AppTest.from_function(script, args=(image_set,)).run()


def drop(at: AppTest, text: str) -> AppTest:
    at.file_uploader[0].set_value([("mine.csv", text.encode(), CSV)]).run()
    return at


def marked_in(at: AppTest) -> Multiselect[str]:
    return next(one for one in at.multiselect if one.label == "Uncertainty columns")


def test_a_file_is_shown_before_it_is_kept_and_then_taken_away(of_four: ImageSet) -> None:
    at = drop(adding(of_four), "path,risk,kind\n0000.jpg,1,a\n0001.jpg,2,b\nno.jpg,3,c\n")
    assert "2 of 3 rows" in words(at)
    assert "no.jpg" in words(at)
    assert at.dataframe[0].value["risk"].tolist() == [1, 2]
    assert of_four.columns.list() == ()  # nothing is kept yet
    marked_in(at).set_value(["risk"]).run()
    at.button(key="own.keep").click().run()
    assert [(c.name, c.is_uncertainty) for c in of_four.columns.list()] == [("risk", True), ("kind", False)]
    at = drop(adding(of_four), "path,risk,kind\n0000.jpg,1,a\n0001.jpg,3,b\n")
    assert marked_in(at).value == ["risk"], "what it was before stays, unless somebody takes it off"
    at.button(key="own.keep").click().run()
    assert [(c.name, c.is_uncertainty) for c in of_four.columns.list()] == [("risk", True), ("kind", False)]
    at = adding(of_four)
    assert "risk, kind" in words(at)
    at.button(key="own.remove.mine").click().run()
    assert of_four.columns.list() == ()


def test_what_comes_with_the_pictures_is_not_taken_away(model: Model, home: Workspace, tmp_path: Path) -> None:
    objects = embed_folder(write_annotated(tmp_path / "set", "YOLO"), model=model, workspace=home.root)
    at = adding(objects)
    assert "**objects**" in words(at)
    assert "comes with the pictures" in words(at)
    assert not [button for button in at.button if button.label == "Remove"]


def test_a_hostile_file_ends_in_a_sentence_without_markup(of_four: ImageSet) -> None:
    at = drop(adding(of_four), "path,v\n![x](http://example.invalid/x.png),1\n")
    assert r"\[x\]" in at.error[0].value
    assert not of_four.columns.list()


def test_pages_and_the_sidebar_say_what_a_users_own_embeddings_cannot(of_four: ImageSet) -> None:
    assert "A new picture cannot be embedded" in words(opened(of_four, "search"))
    assert "no model here can embed a new picture" in words(opened(of_four, "upload"))
    assert "there is no model to adapt" in words(opened(of_four, "finetune"))
    assert user_models(of_four.set_id) == ["own:mine"]
    assert user_models("0" * 16) == user_models(None) == []
    text = words(opened(of_four))
    assert "New pictures need imported embeddings" in text
    assert "Look for new pictures" not in text
