"""The commands of a review: what is to be asked, labels corrected and taken back, suggestions taken, the log."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.cli.conftest import Run
from tests.given import given_set
from tests.wrong_labels import WRONG
from url_viz.cli.main import main
from url_viz.image_set import ImageSet

pytestmark = pytest.mark.slow


@pytest.fixture
def image_set(mislabelled: ImageSet) -> ImageSet:
    return mislabelled


def labelled(image_set: ImageSet) -> dict[str, tuple[str | None, str | None]]:
    """The label of each picture that somebody labelled, and what was done to it, by path."""
    table = image_set.table().set_index("path")
    table = table[table["label_checked"].notna()]
    return {str(path): (row["label"], row["label_checked"]) for path, row in table.iterrows()}


def test_labels_are_corrected_confirmed_taken_back_and_listed(run: Run, image_set: ImageSet, tmp_path: Path) -> None:
    assert "label" not in run("decisions")
    assert (
        run("labels correct", "dog", "cat/0004.jpg", "dog/0001.jpg", "cat/0000.jpg") == "Labelled 3 pictures “dog”.\n"
    )
    assert labelled(image_set) == {
        "cat/0000.jpg": ("dog", "corrected"),
        "cat/0004.jpg": ("dog", "corrected"),
        "dog/0001.jpg": ("dog", "confirmed"),
    }
    assert (image_set.root / "cat" / "0004.jpg").is_file()
    run("decide", "drop", "cat/0002.jpg")
    lines = run("decisions").splitlines()
    assert lines[0] == "0 keep, 1 drop, 0 look-again, 24 undecided"
    assert lines[1] == "2 labels corrected, 1 label confirmed"
    rows = [line.split() for line in lines[2:]]
    assert rows[0] == ["decision", "label", "label_given", "path"], "no tags"
    assert rows[1:] == [
        ["–", "dog", "cat", "cat/0000.jpg"],
        ["drop", "cat", "cat", "cat/0002.jpg"],
        ["–", "dog", "cat", "cat/0004.jpg"],
        ["–", "dog", "dog", "dog/0001.jpg"],
    ]
    assert run("decisions", "--top", 1).endswith("… and 3 more (--top, --out)\n")
    assert run("decisions", "--out", tmp_path / "all.csv").endswith(f"\n4 pictures in {tmp_path / 'all.csv'}.\n")
    assert pd.read_csv(tmp_path / "all.csv")["path"].tolist() == [row[-1] for row in rows[1:]]
    (tmp_path / "list.txt").write_bytes(b"dog/0001.jpg\0")
    back = run("labels correct", "cat/0000.jpg", "--back", "--from", tmp_path / "list.txt")
    assert back == "Took back the label of 2 pictures.\n", "every path that is named"
    assert labelled(image_set) == {"cat/0004.jpg": ("dog", "corrected")}
    assert run("labels correct", "cat/0000.jpg", "--back").startswith("Nothing to change: the picture is so already")
    assert run("undo") == "Undone: took back the label of 2 pictures.\n"
    assert len(labelled(image_set)) == 3


def test_what_cannot_be_meant(run: Run, image_set: ImageSet) -> None:
    for message, *arguments in (
        ("Say which class, then which pictures",),
        ("Say which class, then which pictures", "--back"),
        ("1 of 1 paths are not pictures of", "dog", "cat/none.jpg"),
        ("1 of 2 paths are not pictures", "dog", "cat/0002.jpg", "--back"),
        ("Take 1 to 1000 characters", "x" * 1001, "cat/0000.jpg"),
    ):
        assert message in run("labels correct", *arguments, status=1)
    assert labelled(image_set) == {}
    assert not image_set.decisions.can_undo


def test_suspects_get_the_class_that_is_suggested(run: Run, image_set: ImageSet) -> None:
    assert run("labels accept", "--kind", "between-classes") == "No picture was chosen.\n"
    assert not image_set.decisions.can_undo
    assert run("labels accept") == "Labelled 2 pictures.\n"
    said, header, *rows = run("labels doubtful").splitlines()
    assert said.startswith("Look at the 8 most doubtful labels (1 min); up to ")
    assert len(rows) == 8
    assert header.split() == ["kind", "label", "suggested", "reason", "path"], "no chances: all may be right"
    assert labelled(image_set) == {path: (label, "corrected") for path, label in WRONG.items()}
    image_set.labels.use(None)
    assert "There are no labels to check" in run("labels accept", status=1)


def test_the_log_tells_when_who_and_what(run: Run, image_set: ImageSet) -> None:
    assert run("decisions", "--log") == "No decisions yet.\n"
    run("labels correct", "dog", "cat/0004.jpg")
    image_set.labels.give({int(image_set.core.ids[0]): "dog"}, who="anna")
    run("undo")
    header, anna, ours = run("decisions", "--log").splitlines()
    assert header.split() == ["at", "who", "did", "state"]
    assert re.fullmatch(r"\S+\+00:00 +anna +labelled 1 picture “dog” +undone", anna)
    assert re.fullmatch(r"\S+\+00:00 +\S+ +labelled 1 picture “dog” +done", ours)
    assert len(run("decisions", "--log", "--top", 1).splitlines()) == 3, "how many more there are"


class TestReview:
    """The queue, with the question of each picture."""

    def test_the_default_order_so_many_of_each_class_and_twins(self, run: Run, image_set: ImageSet) -> None:
        assert image_set.order().measure == "ambiguity"
        title, header, *lines, more = run("review", "--top", 3).splitlines()
        assert title == "All, most ambiguous first: 24 pictures to review.", "of the two copies one"
        assert header.split() == ["path", "label", "question"]
        table = image_set.table().sort_values("ambiguity", ascending=False)
        for line, row in zip(lines, table.head(3).to_dict("records"), strict=True):
            assert line.split() == [row["path"], row["label"], row["first_class"], "or", f"{row['second_class']}?"]
        assert more == "… and 21 more (--top)"
        title, _, *lines = run("review", "--per-class", 2, "--within-class").splitlines()
        assert title == "The 2 most ambiguous of each class: 4 pictures to review."
        assert [line.split()[1] for line in lines] == ["cat", "cat", "dog", "dog"]
        title, _, line = run("review", "--by", "copies").splitlines()
        assert title == "Near copies: 1 picture to review."
        assert line.split() == ["cat/0000.jpg", "cat", "Keep", "which?"]
        run("twins keep-one")
        assert run("review", "--by", "copies") == "Near copies: 0 pictures to review.\n"

    def test_of_a_class_and_of_a_tag(self, run: Run) -> None:
        run("labels correct", "dog", "cat/0004.jpg")
        run("decide", "leave", "cat/0002.jpg", "dog/0001.jpg", "--tag", "dark")
        shown = run("review", "--of-class", "cat").splitlines()
        assert shown[0] == "All, most ambiguous first · Class: cat: 11 pictures to review.", (
            "12 and a copy, without the corrected one"
        )
        assert all(line.split()[0].startswith("cat/") for line in shown[2:])
        (_, _, line) = run("review", "--tag", "dark", "--of-class", "dog").splitlines()
        assert line.split()[:2] == ["dog/0001.jpg", "dog"]
        assert run("review", "--of-class", "bird") == "All, most ambiguous first · Class: bird: 0 pictures to review.\n"

    def test_without_classes(self, run: Run, image_set: ImageSet) -> None:
        image_set.labels.use(None)
        lines = run("review", "--top", 1).splitlines()
        assert lines[0] == "All, most ambiguous first, by “Easily mistaken”: 24 pictures to review."
        assert lines[1].split() == ["path", "question"]
        assert lines[2].endswith(" Like this one?")
        assert "There are no labels to check" in run("review", "--by", "suspects", status=1)
        for arguments in (("--per-class", 2), ("--within-class",)):
            assert "There are no classes" in run("review", *arguments, status=1)

    def test_where_nothing_leads_an_order_must_be_named(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        few = given_set(tmp_path, ["0000.jpg", "0001.jpg"], np.eye(2, 8))
        root = few.root
        options = ["--workspace", str(tmp_path / "home"), "--model", few.source.name]
        assert main(["review", str(root), *options]) == 1
        assert "Say which order the review has: --by copies, or a measure." in capsys.readouterr().err
        assert main(["review", str(root), "--by", "copies", *options]) == 0
        assert capsys.readouterr().out == "Near copies: 0 pictures to review.\n"


def test_pictures_are_sorted_by_their_corrected_labels(run: Run, tmp_path: Path) -> None:
    run("labels correct", "fox", "cat/0004.jpg")
    run("decide", "drop", "cat/copy.jpg")
    shown = run("export folders", tmp_path / "out", "--by", "label")
    assert shown == f"Wrote 24 pictures to '{tmp_path / 'out'}': 11 in cat/, 1 in fox/, 12 in dog/.\n"


def test_a_class_is_merged_into_another_and_undone(run: Run) -> None:
    before = run("labels list")
    assert run("labels merge", "cat", "dog") == "Merged “cat” into “dog”: 13 pictures.\n"
    assert "1 class" in run("labels list")
    assert run("undo").startswith("Undone: merged “cat” into “dog”")
    assert run("labels list") == before
    assert "No picture is labelled 'fox'" in run("labels merge", "fox", "dog", status=1)
