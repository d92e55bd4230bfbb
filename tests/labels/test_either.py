"""Pictures that are rightly both of two classes: said in a review, by Python and by command, counted and taken back."""

from pathlib import Path

import pandas as pd
import pytest

from url_viz.base.errors import DecisionError
from url_viz.cli.main import main
from url_viz.columns.filters import OneOf, ReviewSpec, Scope, filter_in_words
from url_viz.image_set import ImageSet
from url_viz.review.cards import CardAnswer
from url_viz.review.queues import outcomes, outcomes_in_words, progress_counts
from url_viz.ui.review.desk import DeskAnswer, desk_state, opened_review, parse_answer, take_answers
from url_viz.versions.set_diffs import diff_versions

pytestmark = pytest.mark.slow


@pytest.fixture
def image_set(mislabelled: ImageSet) -> ImageSet:
    return mislabelled


def id_of(image_set: ImageSet, path: str) -> int:
    [image_id] = image_set.table().set_index("path").loc[[path], "id"]
    return int(image_id)


def test_it_leaves_the_queue_of_doubtful_labels_and_is_no_doubt_of_the_label(image_set: ImageSet) -> None:
    wrong = id_of(image_set, "cat/0004.jpg")
    doubtful = image_set.labels.doubtful()
    assert doubtful is not None
    assert wrong in doubtful.rows["id"].tolist()
    done = image_set.labels.give({wrong: ("dog", "cat")})
    assert done.sentence == "Said that 1 picture is rightly both “cat” and “dog”"
    row = image_set.row(wrong)
    assert (row["label"], row["label_given"], row["label_checked"], row["either"]) == ("cat", "cat", "either", "dog")
    after = image_set.labels.doubtful()
    assert after is not None
    assert wrong not in after.rows["id"].tolist()
    assert after.pictures.set_index("id").loc[wrong, "answer"] == 0, "its label is not wrong"
    assert not image_set.labels.is_reviewed()
    assert progress_counts(image_set.table()) == {"rightly both": 1, "to go": 24}
    assert image_set.decided()["path"].tolist() == ["cat/0004.jpg"]
    rule = OneOf("label_checked", ("either",))
    assert filter_in_words(rule) == "Label you checked: rightly both"
    assert image_set.reviews.open(ReviewSpec("ambiguity", Scope(filters=(rule,)))).ids.tolist() == [wrong]
    image_set.decisions.undo()
    assert "either" not in image_set.table()
    assert image_set.row(wrong)["label_checked"] is None


def test_a_label_that_is_neither_becomes_the_first_and_counts_as_relabelled(image_set: ImageSet) -> None:
    cat = id_of(image_set, "cat/0000.jpg")
    image_set.labels.give({cat: ("fox", "dog")}, who="anna")
    row = image_set.row(cat)
    assert (row["label"], row["either"], row["label_checked"]) == ("fox", "dog", "either")
    assert image_set.labels.is_reviewed()
    assert image_set.decisions.history()["who"].tolist() == ["anna"]


def test_at_the_desk(image_set: ImageSet) -> None:
    desk = opened_review(image_set.reviews.open("ambiguity"))
    card = desk_state(image_set, desk)["cards"][0]
    assert "either" in card["takes"]
    first, second = (panel["label"] for panel in card["panels"][:2])
    sent = {"sequence": 1, "id": int(card["id"]), "decision": None, "label": first, "either": second, "twins": False}
    answer = parse_answer(sent)
    assert answer == DeskAnswer(1, int(card["id"]), CardAnswer(label=first, either=second))
    assert take_answers(desk, [answer], who="anna") == {"refused": [], "stepped": None}
    [now] = desk.review.state([int(card["id"])])
    assert (now.label, now.either) == (first, second)
    assert outcomes_in_words(outcomes(desk.review)) == "1 rightly both"
    desk.review.step("undo")
    assert desk.review.state([int(card["id"])]) == [CardAnswer()]


def test_an_answer_that_is_taken_back_leaves_the_others(image_set: ImageSet) -> None:
    cat = id_of(image_set, "cat/0000.jpg")
    image_set.labels.give({cat: "cat"}, who="anna")
    review = image_set.reviews.open(ReviewSpec("ambiguity", Scope(ids=(cat,))))
    review.store(cat, CardAnswer(label="dog"), who="ben")
    assert image_set.decisions.now().people_of("folders")[0] == {"anna": "cat", "ben": "dog"}
    review.store(cat, CardAnswer(label="cat", back=True), who="ben")
    assert image_set.decisions.now().people_of("folders")[0] == {"anna": "cat"}
    review.store(cat, CardAnswer("keep", label="cat"), who="ben")
    assert image_set.decisions.now().people_of("folders")[0] == {"anna": "cat"}, "to keep it is no word on its class"


def test_versions_tell_it(image_set: ImageSet) -> None:
    before = image_set.versions.at(1)
    image_set.labels.give({id_of(image_set, "cat/0002.jpg"): ("cat", "dog")})
    told = diff_versions(before, image_set.versions.now())
    assert told.counts() == {"either": 1}
    assert list(told.paths("either")) == ["cat/0002.jpg"]


def test_by_command(image_set: ImageSet, capsys: pytest.CaptureFixture[str]) -> None:
    def ran(*arguments: str) -> str:
        capsys.readouterr()
        main([*arguments, "--workspace", str(image_set.workspace.root)])
        return "".join(capsys.readouterr())

    folder = str(image_set.root)
    said = ran("labels", "either", folder, "cat/0000.jpg", "dog/0001.jpg", "--classes", "cat", "dog", "--as", "anna")
    assert said.startswith("Said that 2 pictures are rightly both “cat” and “dog”")
    assert image_set.decisions.history()["who"].tolist() == ["anna"]
    assert "2 labels rightly both of two" in ran("decisions", folder)
    assert ran("undo", folder).startswith("Undone: said that 2 pictures are rightly both")
    assert ran("labels", "either", folder, "cat/0004.jpg").startswith("Said that 1 picture is rightly both")


def test_what_cannot_be_both(image_set: ImageSet) -> None:
    with pytest.raises(DecisionError, match="given twice"):
        image_set.labels.either(("cat/0000.jpg",), classes=("cat", "cat"))
    with pytest.raises(DecisionError, match="Say which pictures"):
        image_set.labels.either()


def test_exports_have_it(image_set: ImageSet, tmp_path: Path) -> None:
    image_set.labels.give({id_of(image_set, "cat/0002.jpg"): ("cat", "dog")})
    home = str(image_set.workspace.root)
    main(["export", "table", str(image_set.root), str(tmp_path / "t.csv"), "--workspace", home])
    rows = pd.read_csv(tmp_path / "t.csv").set_index("path")
    assert rows.loc["cat/0002.jpg", ["label", "label_checked", "either"]].tolist() == ["cat", "either", "dog"]
