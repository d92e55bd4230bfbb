"""Leaks of objects in pictures: told and listed in pictures, and by no review that drops a box."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.object_sets import write_leaky_objects, write_objects
from tests.read_sets import undecided
from tests.ui.pages import opened, words
from url_viz.base.errors import ImageSetError
from url_viz.cli.main import main
from url_viz.columns.filters import ReviewSpec
from url_viz.columns.twin_groups import within_pictures
from url_viz.findings.leaks import leaked_pictures
from url_viz.image_set import ImageSet, diff
from url_viz.models.model import Model
from url_viz.reading import embed_folder
from url_viz.store.decisions.decision_rows import Decision
from url_viz.store.tables.tables import Twins, no_twins

WORDS = "1 picture of val shows objects that pictures in train show, too"

SIZES = "train 12 objects in 4 pictures, val 6 objects in 2 pictures"


@pytest.fixture(scope="module")
def read(module_workspace: Path, model: Model) -> ImageSet:
    data = write_leaky_objects(module_workspace.parent / "leaky")
    return embed_folder(data, model=model, workspace=module_workspace)


@pytest.fixture
def objects(read: ImageSet, monkeypatch: pytest.MonkeyPatch) -> ImageSet:
    monkeypatch.setenv("URL_VIZ_HOME", str(read.workspace.root))
    return undecided(read, labels="class")


def test_a_leak_of_objects_is_a_picture_and_no_review(objects: ImageSet) -> None:
    assert len(objects.splits.leaks()) == 3, "its three objects"  # type: ignore[arg-type]
    [finding] = objects.splits.findings()
    assert finding in objects.findings()
    assert objects.labels.levels().words.endswith("; train and val as split; apart by picture (6 groups)")
    assert (finding.kind, finding.count, finding.words, finding.opens) == ("leaks", 1, WORDS, None)
    assert ReviewSpec("leaks") not in [row.opens for row in objects.reviews.queues()]
    with pytest.raises(ImageSetError, match=r"would drop boxes from them\. List them"):
        objects.reviews.open("leaks")
    pictures = objects.splits.leaked_pictures()
    assert pictures is not None
    assert pictures.to_numpy().tolist() == [["images/val/5.png", "val", "images/train/0.png", "train", "exact", 3]]


def test_a_dropped_object_leaves_its_picture_in_its_split(objects: ImageSet) -> None:
    table = objects.table()
    objects.decisions.decide(table.loc[table["picture"] == "images/val/5.png", "id"].tolist(), "drop")
    assert [finding.words for finding in objects.splits.findings()] == [WORDS]


def test_the_gate_counts_pictures(objects: ImageSet) -> None:
    [rule] = objects.check({"leaks": 0}).rules
    assert rule.words == "leaks: 1 of 6, at most 0"
    assert list(rule.counted) == [("images/val/5.png", "in val, with objects of images/train/0.png in train")]


def test_the_commands_list_pictures(objects: ImageSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def run(command: str, *arguments: str, status: int = 0) -> str:
        options = ["--workspace", str(objects.workspace.root), "--model", objects.source.name]
        assert main([*command.split(), str(objects.root), *arguments, *options]) == status
        said = capsys.readouterr()
        return said.err if status else said.out

    assert run("splits leaks").startswith("1 picture is in two splits, or shows objects of pictures in another.")
    run("splits leaks", "--out", str(tmp_path / "leaks.csv"))
    assert pd.read_csv(tmp_path / "leaks.csv")["picture"].tolist() == ["images/val/5.png"]
    assert f"{WORDS}." in run("findings")
    assert "move whole pictures to one split" in run("review", "--by", "leaks", status=1)


def test_explore_lists_them_and_your_model_says_the_same(objects: ImageSet) -> None:
    at = opened(objects)
    at.button(key="findings.leaks").click().run()
    assert at.dataframe[-1].value["picture"].tolist() == ["images/val/5.png"]
    assert "1 picture" in [each.value for each in at.markdown]
    at = opened(objects, page="your_model")
    assert any(f"Splits: {SIZES}; {WORDS}: see Explore." in each.value for each in at.caption)


def test_objects_are_counted_as_objects(objects: ImageSet) -> None:
    at = opened(objects, page="versions")
    assert at.selectbox[0].options[0].endswith(": 18 objects")
    assert "18 objects in 6 pictures before, 18 in 6 after: nothing changed" in words(at)
    at = opened(objects)
    assert at.button(key="twins.open").label == "6 objects in 3 groups of copies and views"
    at.button(key="own.open").click().run()
    assert any("**objects** · 18 objects ·" in each.value for each in at.markdown)


def test_a_picture_that_leaks_itself_is_not_linked_too() -> None:
    leaks = pd.DataFrame(
        [
            (1, "a.png#1", "val", "t.png#1", "train", "copy"),
            (2, "a.png#2", "val", "t.png#1", "train", "kept apart"),
            (3, "b.png#1", "val", "t.png#1", "train", "kept apart"),
            (4, "b.png#2", "val", "t.png#1", "train", "kept apart"),
        ],
        columns=["id", "path", "split", "twin_path", "twin_split", "kind"],
    )
    pictures = leaked_pictures(leaks, is_of_objects=True)
    assert pictures[["picture", "kind", "rows"]].to_numpy().tolist() == [
        ["a.png", "copy", 1],
        ["b.png", "kept apart", 2],
    ]
    assert leaked_pictures(leaks[:0], is_of_objects=True).empty
    assert leaked_pictures(leaks, is_of_objects=False)["picture"].tolist() == leaks["path"].tolist()


def test_copies_in_different_pictures_keep_their_boxes(objects: ImageSet) -> None:
    with pytest.raises(ImageSetError, match="No picture has two boxes on one object"):
        objects.twins.keep_one()
    assert objects.table()["decision"].isna().all()


def test_of_boxes_in_one_picture_one_is_kept_and_those_elsewhere_stay() -> None:
    table = pd.DataFrame(
        {
            "id": [1, 2, 3, 4, 5],
            "picture": ["a.png", "a.png", "b.png", "c.png", "d.png"],
            "copy_group": pd.array([0, 0, 0, 1, 1], "Int64"),
        }
    )
    decided: dict[int, Decision | None] = {1: "keep", 2: "drop", 3: "drop", 4: "keep", 5: "drop"}
    assert within_pictures(table, decided) == {1: "keep", 2: "drop"}


def test_against_another_set_of_objects_only_copies_count(
    objects: ImageSet, tmp_path: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Crops of different things may be as near as two views of one."""
    other = embed_folder(write_objects(tmp_path / "other", 1), model=model, workspace=objects.workspace.root)
    everything = len(np.unique(objects.core.contents)), len(np.unique(other.core.contents))
    near = Twins(
        rows=sum(everything),
        pair=np.array([[0, everything[0]], [1, everything[0] + 1]], np.int32),
        cosine=np.ones(2, np.float32),
        is_copy=np.array([True, False]),
    )
    monkeypatch.setattr("url_viz.findings.set_splits.twins_across", lambda *_, **__: near)
    monkeypatch.setattr("url_viz.findings.set_splits._same_files", lambda *_: no_twins(near.rows))
    leaks = objects.splits.leaks(other)
    assert leaks is not None
    assert leaks["kind"].tolist() == ["copy"]


def test_objects_and_whole_pictures_are_not_compared_and_it_is_said_what_is(objects: ImageSet, model: Model) -> None:
    pictures = objects.folder / "images"
    whole = embed_folder(pictures, model=model, workspace=objects.workspace.root)
    instead = f"to compare pictures, take {str(pictures)!r} (`url-viz embed {pictures}`) in place of"
    for compare in (
        lambda: objects.splits.leaks(whole),
        lambda: whole.splits.leaks(objects),
        lambda: diff(whole, objects),
    ):
        with pytest.raises(ImageSetError, match="no object is a picture") as refused:
            compare()
        assert f"{instead} {str(objects.root)!r}" in str(refused.value)
        assert f"to compare objects, take the annotation file of {str(pictures)!r}, if it has one" in str(refused.value)
