"""New pictures in every state, through app.py as a visitor meets it: empty, scored, split, refused."""

import csv
import io
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from tests.conftest import held
from tests.imaging.pictures import encoded, noise, write_folder
from tests.ui.conftest import Read
from tests.ui.pages import opened, order_by, words
from url_viz.base.workspace import Workspace
from url_viz.image_set import ImageSet
from url_viz.imaging.uploaded_files import IncomingFile
from url_viz.jobs import list_jobs
from url_viz.models.model import Model
from url_viz.outside.sides import classes_in_words, sort
from url_viz.outside.uploads import NewPicture, score, unlike_in_words
from url_viz.reading import embed_folder
from url_viz.review.cards import CardAnswer
from url_viz.ui.review.desk import DeskAnswer, OpenReview, parse_answer, take_answers
from url_viz.ui.upload.batch import UploadBatch
from url_viz.ui.upload.page import (
    in_set,
    outcome_of_adding,
    ranking_csv,
    similar_pictures,
    suggested_folder,
    zip_uploads,
)
from url_viz.ui.upload.upload_review import UploadAnswers, UploadQueue
from url_viz.ui.widgets.charts import GREY, uploads_figure
from url_viz.ui.widgets.embed_job import set_name

JPEG = "image/jpeg"


@pytest.fixture
def image_set(tmp_path: Path, read_once: Read) -> ImageSet:
    return read_once(write_folder(tmp_path / "zoo", 8))


def dropped(at: AppTest, files: dict[str, bytes]) -> AppTest:
    at.file_uploader[0].set_value([(name, data, JPEG) for name, data in files.items()]).run()
    return at


PICTURES = {f"{seed}.jpg": encoded(noise(seed)) for seed in range(20, 25)}


def test_an_open_image_set_is_what_uploads_are_compared_with(image_set: ImageSet, model: Model) -> None:
    at = dropped(
        opened(image_set, "upload"),
        {**PICTURES, "known.jpg": image_set.files.path(int(image_set.core.ids[0])).read_bytes()},
    )
    text = words(at)
    assert "6 pictures · scored with" in text
    assert "zoo (8 pictures)" in text
    assert "6 uploads among 8 pictures, each placed by its neighbours" in text
    assert "1 is in the image set already, or a copy is" in text
    assert [group.value for group in at.button_group if group.label == "Order by"] == ["confusability"]
    assert image_set.order().reason in text


def without_set(model: Model) -> AppTest:
    return opened(page="upload", chosen_model=model.name)


def test_the_threshold_moves_uploads_and_they_stay_while_other_pages_are_looked_at_until_removed(
    home: Workspace, model: Model
) -> None:
    at = without_set(model)
    assert "New pictures" in words(at)
    assert "until an image set is open" in words(at)
    at = dropped(at, PICTURES)
    by = order_by(at)
    assert by.value == "confusability", "the pretrained head leads only if somebody chooses it"
    by.set_value("uncertainty").run()
    assert "Ambiguous · 1\nUnambiguous · 4" in words(at)
    at.slider[0].set_value(0).run()
    assert "Ambiguous · 5\nUnambiguous · 0" in words(at)
    at.slider[0].set_value(60).run()
    assert "Ambiguous · 2\nUnambiguous · 3" in words(at)
    at.switch_page("pages/explore_page.py").run()
    at.switch_page("pages/upload_page.py").run()
    assert "5 pictures · scored with" in words(at)
    next(button for button in at.button if button.key == "upload.clear").click().run()
    assert "nothing is stored unless you ask" in words(at)
    assert "5 pictures" not in words(at)


def test_bad_files_are_listed_with_their_reason_and_names_are_shown_as_text_also_where_all_are_bad(
    home: Workspace, model: Model
) -> None:
    hostile = "<img src=x onerror=alert(1)>.jpg"
    at = dropped(without_set(model), {**PICTURES, hostile: b"<html>no</html>", "note.txt": b"hello there"})
    assert "2 files were not scored" in words(at)
    table = at.dataframe[0].value
    assert table["file"].tolist() == [hostile, "note.txt"]
    assert "HTML page" in table["reason"].iloc[0]
    assert hostile not in words(at)
    at = dropped(at, {"a.jpg": b"", "b.jpg": b"%PDF-1.4"})
    assert "None of these files can be read as a picture." in words(at)
    assert at.dataframe[0].value["reason"].tolist() == ["is empty (0 bytes)", "is a PDF, not a picture"]


def test_a_zip_is_opened_and_what_it_should_not_hold_is_refused(home: Workspace, model: Model) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in {**PICTURES, "../out.jpg": PICTURES["20.jpg"], "bomb.bmp": bytes(4 << 20)}.items():
            archive.writestr(name, data)
    at = dropped(without_set(model), {"all.zip": target.getvalue(), "torn.zip": target.getvalue()[:300]})
    assert "5 pictures · scored with" in words(at)
    reasons = dict(at.dataframe[0].value.itertuples(index=False))
    assert "is not a readable zip archive" in reasons["torn.zip"]
    assert "leads out of the archive" in reasons["all.zip/../out.jpg"]
    assert "more than 200 to 1" in reasons["all.zip/bomb.bmp"]


def test_clear_uploads_are_added_to_the_image_set_and_read(image_set: ImageSet) -> None:
    at = dropped(opened(image_set, "upload"), PICTURES)
    at.slider[0].set_value(0).run()
    at.button_group(key="upload.kept").set_value("All").run()
    assert at.text_input(key="upload.folder").value == str(image_set.root / "uploads")
    at.button(key="upload.add").click().run()
    assert "5 pictures copied" in words(at)
    assert sorted(path.name for path in (image_set.root / "uploads").iterdir()) == sorted(PICTURES)
    [job] = list_jobs(image_set.workspace)
    assert job.about["folder"] == str(image_set.root)


def test_a_folder_outside_the_roots_is_refused_and_nothing_is_written(
    image_set: ImageSet,
    model: Model,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("URL_VIZ_ROOTS", os.pathsep.join([str(tmp_path), str(Path(model.source.name).parent)]))
    outside = tmp_path_factory.mktemp("outside") / "new"
    at = dropped(opened(image_set, "upload"), PICTURES)
    at.text_input(key="upload.folder").set_value(str(outside)).run()
    at.button(key="upload.add").click().run()
    assert "outside the folders that this app may read" in words(at)
    assert not outside.exists()
    assert list_jobs(image_set.workspace) == []


def test_a_folder_is_suggested_inside_the_set_only_where_the_app_may_write(
    image_set: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("URL_VIZ_ROOTS", str(tmp_path))
    assert suggested_folder(image_set) == image_set.root / "uploads"
    assert suggested_folder(None) == tmp_path / "uploads"
    (tmp_path / "other").mkdir()
    monkeypatch.setenv("URL_VIZ_ROOTS", str(tmp_path / "other"))
    assert suggested_folder(image_set) == tmp_path / "other" / "zoo-uploads"


def test_copied_pictures_make_no_class_unless_somebody_names_a_folder_of_the_set(
    classed: ImageSet, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("URL_VIZ_ROOTS", str(classed.root.parent))
    assert suggested_folder(classed) == classed.root.parent / "shades-uploads"
    name = set_name(classed.root)
    assert outcome_of_adding(suggested_folder(classed), classed) == (
        f"The folder is read as an image set of its own. {name} stays as it is."
    )
    again = f"{name} is read again with them. "
    assert outcome_of_adding(classed.root, classed) == again + "They have no label there."
    assert outcome_of_adding(classed.root / "day", classed) == again + "Their label is 'day', the class of that folder."
    assert outcome_of_adding(classed.root / "uploads", classed) == (
        again + "The folder 'uploads' becomes a new class, besides the 2 of the set."
    )


def values(*uncertainty: float) -> pd.DataFrame:
    steps = np.array(uncertainty)
    return pd.DataFrame(
        {
            "id": range(len(steps)),
            "path": [f"{i}.jpg" for i in range(len(steps))],
            "uncertainty": steps,
            "uncertainty_percentile": 100 * steps,
            "is_unlike": False,
            "nearest_similarity": 0.9,
        }
    )


def test_both_sides_show_their_most_telling_first_and_nobody_is_lost() -> None:
    done = sort(values(0.2, 0.9, np.nan, 0.8, 0.1), measure="uncertainty", threshold=80)
    assert done.ambiguous["id"].tolist() == [1, 3]
    assert done.clear["id"].tolist() == [4, 0]
    assert done.unknown["id"].tolist() == [2]


def test_what_nothing_in_the_set_is_like_stands_apart_the_farthest_first() -> None:
    table = values(0.2, 0.9, np.nan, 0.8).assign(is_unlike=[False, True, True, False])
    table["nearest_similarity"] = [0.9, 0.3, 0.1, 0.8]
    table.loc[table["is_unlike"], ["uncertainty", "uncertainty_percentile"]] = np.nan  # as they are judged
    done = sort(table, measure="uncertainty", threshold=80)
    assert done.unlike["id"].tolist() == [2, 1]
    assert (done.ambiguous["id"].tolist(), done.clear["id"].tolist(), len(done.unknown)) == ([3], [0], 0)
    rows = list(csv.DictReader(io.StringIO(ranking_csv(done).decode())))
    assert [row["side"] for row in rows] == ["ambiguous", "clear", "unlike the set", "unlike the set"]
    assert [row["uncertainty"] != "" for row in rows] == [True, True, False, False], "no order says anything of these"
    assert [row["uncertainty_percentile"] != "" for row in rows] == [True, True, False, False]
    placed = pd.concat([done.unlike, done.clear, done.ambiguous]).assign(x=0.0, y=0.0)
    figure = uploads_figure(placed, np.zeros((1, 2)), threshold=80, title="")
    grey = figure.data[2]
    assert (list(grey.customdata), grey.name, grey.marker.color) == ([2, 1], "Unlike this set: no value", GREY)
    assert sorted(figure.data[1].customdata) == [0, 3]


def test_uploads_that_are_all_unlike_the_set_are_said_to_be(tmp_path: Path, read_once: Read, model: Model) -> None:
    at = dropped(
        opened(read_once(write_folder(tmp_path / "zoo", 60)), "upload"),
        {"plain.png": encoded(Image.new("RGB", (64, 64), "red"), "PNG")},
    )
    assert "Unlike this set · 1" in words(at)
    assert unlike_in_words(1) in words(at)
    assert "no measure" not in words(at)


def test_what_is_taken_away_holds_every_upload_once_in_order(model: Model) -> None:
    files = (IncomingFile("a/=1.jpg", encoded(noise(1))), IncomingFile("b.jpg", encoded(noise(2))))
    outcomes = tuple(one for one in score(files, held(model)) if isinstance(one, NewPicture))
    batch = UploadBatch("key", files, outcomes, ())
    done = sort(values(0.2, 0.9).assign(path=[file.name for file in files]), measure="uncertainty", threshold=80)
    rows = list(csv.DictReader(io.StringIO(ranking_csv(done).decode())))
    assert [(row["name"], row["side"]) for row in rows] == [("b.jpg", "ambiguous"), ("a/=1.jpg", "clear")]
    with zipfile.ZipFile(io.BytesIO(zip_uploads(batch, done))) as archive:
        assert archive.read("ambiguous/b.jpg") == files[1].data
        assert archive.read("clear/1.jpg") == files[0].data
        assert archive.read("ranking.csv") == ranking_csv(done)


@pytest.fixture(scope="module")
def classed(module_workspace: Path, model: Model) -> ImageSet:
    """Two classes that the pictures bear out, so that ambiguity leads: bright noise and dark noise, but for one."""
    root = module_workspace.parent
    for number in range(24):
        name, shade = ("day", 200 if number > 1 else 40) if number % 2 else ("night", 40)
        (root / "shades" / name).mkdir(parents=True, exist_ok=True)
        blended(number, shade).save(root / "shades" / name / f"{number}.png")
    return embed_folder(root / "shades", model=model, workspace=module_workspace)


def blended(seed: int, shade: int) -> Image.Image:
    """A plain surface with a little noise."""
    plain = Image.new("RGB", noise(seed).size, (shade, shade, 255 - shade))
    return Image.blend(plain, noise(seed), 0.4)


def test_uploads_follow_the_leading_order_of_the_set_and_say_between_which_classes(
    classed: ImageSet, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("URL_VIZ_HOME", str(classed.workspace.root))
    assert classed.order().measure == "ambiguity"
    known = classed.files.path(int(classed.core.ids[0])).read_bytes()
    at = dropped(opened(classed, "upload"), {"new.png": encoded(blended(77, 200), "PNG"), "known.png": known})
    assert [one.value for one in at.button_group if one.label == "Order by"] == ["ambiguity"]
    assert "Most ambiguous first: of two pictures" in words(at)
    table = at.session_state["upload.ranked"][1]
    assert set(table["first_class"]) <= {"day", "night"}
    assert (table["first_class"] != table["second_class"]).all()
    assert table["first_class"].iloc[0] == "day"


def test_a_clear_upload_is_like_one_class_and_another_lies_between_two() -> None:
    row = {"first_class": "day", "second_class": "night"}
    assert classes_in_words(row, is_clear=True) == "like day"
    assert classes_in_words(row, is_clear=False) == "between day and night"
    assert classes_in_words({"first_class": None, "second_class": None}, is_clear=True) is None


def test_similar_pictures_leave_out_the_picture_itself_and_say_that_it_is_there(
    image_set: ImageSet, model: Model
) -> None:
    known = image_set.files.path(int(image_set.core.ids[0])).read_bytes()
    outcome = score([IncomingFile("known.jpg", known), IncomingFile("new.jpg", encoded(noise(70)))], held(model))
    one, other = (scored for scored in outcome if isinstance(scored, NewPicture))
    nearest, known_nearest = similar_pictures(one, image_set), image_set.neighbours(int(image_set.core.ids[0]))
    assert int(image_set.core.ids[0]) not in nearest["id"].tolist()
    assert nearest["id"].iloc[0] == known_nearest["id"].iloc[0]
    assert nearest["similarity"].iloc[0] == pytest.approx(known_nearest["similarity"].iloc[0], abs=0.02)
    batch = UploadBatch("key", (IncomingFile("a", b""), IncomingFile("b", b"")), (other, one), ())
    assert in_set(batch, image_set) == {1}
    assert in_set(batch, None) == frozenset()


class TestReview:
    """Uploads one after the other: answers stay in the session and leave with the ranking."""

    def desk(self, at: AppTest) -> UploadAnswers:
        kept: UploadAnswers = at.session_state["upload.review"]
        return kept

    def answered(self, at: AppTest, *records: dict[str, object]) -> dict[str, Any]:
        """What the browser hears of its answers; then the page runs again."""
        answers = [answer for answer in map(parse_answer, records) if answer is not None]
        here = self.desk(at).here
        assert here is not None
        became = take_answers(here, answers, who=None)
        at.run()
        return became

    def test_answers_are_noted_and_exported(self, image_set: ImageSet, model: Model) -> None:
        at = dropped(opened(image_set, "upload"), PICTURES)
        at.toggle(key="upload.reviewing").set_value(True).run()
        assert "Answers stay in this session" in words(at)
        self.answered(
            at,
            {"sequence": 1, "id": "0", "decision": "drop", "label": None},
            {"sequence": 2, "id": "1", "decision": None, "label": "kiwi"},
            {"sequence": 3, "id": "2", "skip": True},
        )
        assert sorted((v.decision, v.label) for v in self.desk(at).answers.values() if v.label is None) == [
            ("drop", None)
        ]
        assert {v.label for v in self.desk(at).answers.values()} == {None, "kiwi"}
        assert len(self.desk(at).skipped) == 1
        assert self.desk(at).here.review.image_set is None, "a session holds no snapshot"
        self.answered(at, {"sequence": 4, "command": "unskip"})
        assert not self.desk(at).skipped
        stepped = self.answered(at, {"sequence": 5, "command": "undo"})["stepped"]
        assert {v.label for v in self.desk(at).answers.values()} == {None}
        assert stepped["words"].startswith("Undone: the answer on ")
        assert stepped["position"] == 1, "the picture that it was given to"
        self.answered(at, {"sequence": 6, "command": "redo"})
        assert {v.label for v in self.desk(at).answers.values()} == {None, "kiwi"}
        at.toggle(key="upload.reviewing").set_value(False).run()
        assert "Ambiguous · " in words(at)

    def test_a_label_that_cannot_be_one_is_refused_where_it_was_given(self, model: Model) -> None:
        files = [IncomingFile(name, data) for name, data in PICTURES.items()]
        scored = tuple(one for one in score(files, held(model)) if isinstance(one, NewPicture))
        batch = UploadBatch("k", tuple(files), scored, ())
        said, table = UploadAnswers(), pd.DataFrame({"id": np.arange(len(scored))})
        here = OpenReview(UploadQueue(said, batch, table, None, "entropy"), position=0)
        answers = [DeskAnswer(1, 0, CardAnswer(label="\n")), DeskAnswer(2, 99, CardAnswer("keep"))]
        refused = take_answers(here, answers, who=None)["refused"]
        assert (said.answers, [one["sequence"] for one in refused]) == ({}, [1, 2]), (
            "and nothing is left out in silence"
        )
