"""The commands for decisions, `models compare` and exports: each tells what it did, and refuses what it cannot mean."""

import io
import os
import re
import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.cli.conftest import Run
from tests.conftest import dice_head
from tests.imaging.pictures import write_folder
from tests.read_sets import undecided
from url_viz.columns.ranking import with_percentile
from url_viz.image_set import ImageSet
from url_viz.models.head import save_head
from url_viz.models.model import Model
from url_viz.reading import embed_folder


@pytest.fixture(scope="module")
def read(module_workspace: Path, model: Model) -> ImageSet:
    """Seven pictures, one of them a copy under another name."""
    root = write_folder(module_workspace.parent / "photos", 6, classes=("cat", "dog"))
    shutil.copy(root / "cat" / "0000.jpg", root / "dog" / "copy.jpg")
    return embed_folder(root, model=model, workspace=module_workspace)


@pytest.fixture
def image_set(read: ImageSet) -> ImageSet:
    return undecided(read)


def decided(image_set: ImageSet) -> dict[str, str]:
    table = image_set.table()
    table = table[table["decision"].notna()]
    return dict(zip(table["path"], table["decision"], strict=True))


class TestWhich:
    """Pictures by path, by list, by percentile."""

    def test_by_paths_however_they_are_written(
        self, run: Run, image_set: ImageSet, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(image_set.root.parent)
        shown = run("decide", "drop", "photos/cat/0000.jpg", "dog/0001.jpg", image_set.root / "cat" / "0002.jpg")
        assert shown == "Dropped 3 pictures.\n"
        assert decided(image_set) == dict.fromkeys(["cat/0000.jpg", "dog/0001.jpg", "cat/0002.jpg"], "drop")

    def test_by_a_list_from_a_file_or_standard_input(
        self, run: Run, image_set: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "list.txt").write_bytes(b"cat/0000.jpg\0dog/0001.jpg\0")
        assert run("decide", "keep", "--from", tmp_path / "list.txt") == "Kept 2 pictures.\n"
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"cat/0000.jpg\ndog/0001.jpg\n")))
        assert run("decide", "look-again", "--from", "-") == "Put aside 2 pictures.\n"
        assert decided(image_set) == {"cat/0000.jpg": "look-again", "dog/0001.jpg": "look-again"}

    def test_by_percentile_alone_and_within_paths(self, run: Run, image_set: ImageSet) -> None:
        run("decide", "drop", "--above", 80)
        table = image_set.table()
        assert set(decided(image_set)) == set(table["path"][table["confusability_percentile"] >= 80])
        assert image_set.order().measure == "confusability"
        run("decide", "none", "--above", 0)
        run("decide", "drop", "--above", 80, "--by", "uncertainty")
        assert set(decided(image_set)) == set(table["path"][table["percentile"] >= 80])
        run("decide", "none", "--above", 0)
        assert decided(image_set) == {}
        first = table["path"].iloc[0]
        run("decide", "keep", first, "--above", 0, "--by", "confusability")
        assert decided(image_set) == {first: "keep"}

    def test_what_cannot_be_meant(self, run: Run, image_set: ImageSet) -> None:
        for message, *arguments in (
            ("Say which pictures", "keep"),
            ("1 of 1 paths are not pictures of", "keep", "cat/none.jpg"),
            ("no measure 'path'", "keep", "--above", "50", "--by", "path"),
            ("None of the 7 pictures", "keep", "--below", "0"),
            ("Cannot read the list 'no.txt'", "keep", "--from", "no.txt"),
            ("nothing to do: 'leave' decides nothing, so give --tag, --untag or --name", "leave", "cat/0000.jpg"),
            ("'a,b' cannot be a tag", "drop", "cat/0000.jpg", "--tag", "good", "--tag", "a,b"),
            ("'a;b' cannot be a tag", "drop", "cat/0000.jpg", "--tag", "good", "--untag", "a;b"),
            ("'a,b' cannot be a name", "drop", "cat/0000.jpg", "--tag", "good", "--name", "a,b"),
        ):
            assert message in run("decide", *arguments, status=1)
        assert decided(image_set) == {}
        assert not image_set.decisions.can_undo


def test_tags_names_undo_redo_and_the_list(run: Run, image_set: ImageSet) -> None:
    assert run("undo", status=1).startswith("error: There is nothing to undo")
    shown = run("decide", "drop", "cat/0000.jpg", "dog/0001.jpg", "--tag", "dark", "--tag", "night out")
    did = "ropped 2 pictures, and tagged 2 pictures “dark” and tagged 2 pictures “night out”.\n"
    assert shown == f"D{did}"
    shown = run("decisions")
    assert shown.startswith("0 keep, 2 drop, 0 look-again, 5 undecided\n")
    assert "tag 'night out': 2" in shown
    assert "dark; night out cat/0000.jpg" in shown
    assert run("undo") == f"Undone: d{did}"
    assert (decided(image_set), image_set.decisions.tag_counts()) == ({}, {})
    assert run("redo") == f"Redone: d{did}"
    assert run("redo", status=1).startswith("error: There is nothing to redo")
    run("decide", "leave", "cat/0000.jpg", "--untag", "dark")
    assert run("decide", "leave", "cat/0000.jpg", "--name", "kiwi") == "Named 1 picture “kiwi”.\n"
    shown = run("decisions")
    assert "tag 'dark': 1\ntag 'night out': 2\nname 'kiwi': 1\n" in shown
    assert "night out kiwi cat/0000.jpg" in shown
    assert run("decide", "leave", "cat/0000.jpg", "--name", "") == "Took the name of 1 picture.\n"
    assert image_set.decisions.tag_counts() == {"dark": 1, "night out": 2}


def test_twins_are_listed_and_one_of_each_is_kept(run: Run, image_set: ImageSet) -> None:
    shown = run("twins list")
    assert re.search(r"2 +exact +2 +1\.0000 +cat/0000\.jpg +cat/0000\.jpg \| dog/copy\.jpg", shown)
    assert decided(image_set) == {}
    groups = len(image_set.twins.groups())
    assert f"Kept {groups} and dropped" in run("twins keep-one")
    result = decided(image_set)
    assert (result["cat/0000.jpg"], result["dog/copy.jpg"]) == ("keep", "drop")
    assert list(result.values()).count("keep") == groups
    run("undo")
    assert decided(image_set) == {}


def test_sort_and_export_take_decisions(run: Run, image_set: ImageSet, tmp_path: Path) -> None:
    run("decide", "drop", "cat/0000.jpg")
    shown = run("export folders", tmp_path / "out", "--undecided")
    assert "Wrote 7 pictures to" in shown
    assert "1 in drop/, 6 in undecided/" in shown
    run("export folders", tmp_path / "split", "--by", "confusability", "--threshold", "50", "--how", "copy")
    copies = [*(tmp_path / "split" / "ambiguous").rglob("*.jpg")]
    assert {path.is_symlink() for path in copies} == {False}
    told = run("export table", tmp_path / "dropped.csv", "--decision", "drop")
    assert told == f"1 row in {tmp_path / 'dropped.csv'}\n"
    assert pd.read_csv(tmp_path / "dropped.csv")["path"].tolist() == ["cat/0000.jpg"]
    run("export table", tmp_path / "rest.txt", "--decision", "none", "--nul")
    listed = (tmp_path / "rest.txt").read_bytes().removesuffix(b"\0").split(b"\0")
    table = image_set.table().sort_values(str(image_set.order().measure), ascending=False, kind="stable")
    rest = [os.fsencode(image_set.root / path) for path in table["path"] if path != "cat/0000.jpg"]
    assert (listed[0], sorted(listed)) == (rest[0], sorted(rest))


def test_two_heads_are_compared_and_a_model_not_with_itself(
    image_set: ImageSet, run: Run, head_file: Path, tmp_path: Path
) -> None:
    other, copied = tmp_path / "other.safetensors", tmp_path / "copied.safetensors"
    save_head(dice_head(7), other)
    printed = run("models compare", other)
    assert "dice (first) and other (second), 7 pictures:" in printed
    assert "By uncertainty, the orders are" in printed
    assert "nearest of every picture are the same under both" in printed
    assert "More ambiguous to the second model by uncertainty:" in printed
    assert "was not read with" in run("models compare", "resnet18", status=1)
    shutil.copy(head_file, copied)
    for same in (head_file, copied):
        told = run("models compare", same, status=1)
        assert f"'dice' and {same.stem!r} are the same model" in told
        assert "Give another model or head to compare" in told


def test_export_report(image_set: ImageSet, run: Run, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    assert "7 pictures in" in run("export report", out, "--title", "Our zoo")
    assert "<h1>Our zoo</h1>" in out.read_text("utf-8")
    assert "None of the 7 pictures" in run("export report", out, "--decision", "keep", status=1)
    image_set.decisions.decide(image_set.core.ids[:1].tolist(), "keep")
    assert "1 picture in" in run("export report", out, "--decision", "keep")
    assert "6 pictures in" in run("export report", out, "--decision", "none")


@pytest.mark.parametrize(("kind", "made"), [("fiftyone", "samples.jsonl"), ("huggingface", "train/metadata.jsonl")])
def test_export_for_other_programs(image_set: ImageSet, run: Run, tmp_path: Path, kind: str, made: str) -> None:
    out = tmp_path / "shared"
    measure = image_set.order().measure
    assert measure is not None
    below = with_percentile(image_set.table(), measure)["rank_percentile"].lt(50).sum()
    assert 2 <= below <= 6
    printed = run(f"export {kind}", out, "--how", "copy", "--below", "50")
    assert f"{below} pictures in" in printed
    assert "Open it in Python:" in printed
    assert (out / made).is_file()
    assert "not an empty folder" in run(f"export {kind}", out, status=1)
