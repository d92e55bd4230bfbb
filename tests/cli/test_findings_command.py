"""What is found in a set, printed: `findings` and leaks, as the report says them, reasons of `explain`, and objects."""

import re
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from tests.annotated_sets import write_annotated
from tests.cli.conftest import Run
from tests.imaging.pictures import noise
from tests.leaky import LEAKS
from url_viz.export.report import report_html
from url_viz.image_set import ImageSet
from url_viz.models.model import Model
from url_viz.reading import embed_folder


@pytest.fixture(scope="module")
def image_set(leaky_once: ImageSet) -> ImageSet:
    return leaky_once


@pytest.mark.slow
def test_findings_are_printed_with_the_way_to_their_review(image_set: ImageSet, run: Run) -> None:
    told = run("findings").splitlines()
    found = image_set.findings()
    assert len(told) == 2 * len(image_set.reviews.queues()) > 2 * len(found)
    assert told[0].startswith("2 pictures of test have a copy or another view in train. ")
    assert told[1].strip() == "review --by leaks · 2 to review · about 1 min"
    for one in found:
        if one.opens is not None:
            assert "to review" in run("review", "--by", one.opens.by).splitlines()[0]


@pytest.mark.slow
def test_leaks_are_printed_or_written_also_those_into_another_folder(
    image_set: ImageSet, run: Run, tmp_path: Path
) -> None:
    told = run("splits leaks", "--top", 1).splitlines()
    assert told[0] == f"2 of {len(image_set)} pictures have a copy or another view in another split."
    assert told[-1] == "… and 1 more (--top, --out)"
    assert "\n2 leaks in " in run("splits leaks", "--out", tmp_path / "leaks.csv")
    written = pd.read_csv(tmp_path / "leaks.csv")
    assert dict(zip(written["path"], written["twin_path"], strict=True)) == LEAKS
    told = run("splits leaks", "--against", image_set.root)
    assert told.startswith(f"{len(image_set)} of {len(image_set)} pictures have a copy or another view in "), "itself"
    assert "was not read yet" in run("splits leaks", "--against", tmp_path, status=1)


@pytest.mark.slow
def test_the_report_says_them(image_set: ImageSet) -> None:
    page = report_html(image_set)
    assert "What to look at first" in page
    assert "<b>2 pictures of test have a copy or another view in train</b>." in page
    part = report_html(image_set, ids=image_set.core.ids[:3].tolist())
    assert "These are of the whole image set." in part


class TestReasons:
    """`explain`: counts, lists, one picture, its heat map, and errors that help."""

    @pytest.fixture(scope="class")
    @classmethod
    def image_set(cls, module_workspace: Path, model: Model) -> ImageSet:
        """Three sharp pictures and a dark one."""
        root = module_workspace.parent / "zoo"
        root.mkdir()
        for number in range(3):
            noise(number, width=32, height=24).resize((128, 96), 0).save(root / f"{number}.png")
        noise(3, width=32, height=24).resize((128, 96), 0).point(lambda v: v // 12).save(root / "dark.png")
        return embed_folder(root, model=model, workspace=module_workspace)

    def test_counts_and_a_list(self, run: Run) -> None:
        lines = run("explain").splitlines()
        assert lines[0].split() == ["pictures", "reason"]
        assert lines[1].split() == ["1", "dark"]
        assert lines[-1].endswith("none of these")
        printed = run("explain", "--reason", "dark")
        assert "1 of 4 pictures: dark" in printed
        assert re.search("dark.png +nine tenths of it is darker than", printed)
        assert "no reason 'ugly'. There are: motion blur, blurred, dark," in run(
            "explain", "--reason", "ugly", status=1
        )

    def test_why_one_picture_and_where(self, run: Run, tmp_path: Path) -> None:
        out = tmp_path / "heat.png"
        printed = run("explain", "dark.png", "--heat", out)
        assert printed.startswith("dark.png: confusability "), "the leading order"
        assert "dark: nine tenths" in printed
        assert "Confusability: likeness to the nearest picture" in printed
        with Image.open(out) as image:
            assert image.size == (128, 96)
        printed = run("explain", "0.png")
        assert printed.startswith("0.png: confusability ")
        assert "dark" not in printed
        assert "'nowhere.png'" in run("explain", "nowhere.png", status=1)
        assert "ends in .png" in run("explain", "dark.png", "--heat", tmp_path / "heat.jpg", status=1)


class TestObjects:
    """The corrected annotation files, and a detector's predictions."""

    @pytest.fixture
    def image_set(self, tmp_path: Path, workspace: Path, model: Model) -> ImageSet:
        return embed_folder(write_annotated(tmp_path / "set", "YOLO"), model=model, workspace=workspace)

    def test_annotation_files_are_shared(self, image_set: ImageSet, run: Run, tmp_path: Path) -> None:
        image_set.decisions.decide([int(image_set.table()["id"].iloc[0])], "drop")
        printed = run("export annotations", tmp_path / "out")
        assert "0 classes corrected, 1 object taken out" in printed
        lines = (tmp_path / "set" / "labels" / "0.txt").read_bytes().splitlines(keepends=True)
        assert (tmp_path / "out" / "labels" / "0.txt").read_bytes() == b"".join(lines[1:])

    def test_predictions_become_columns_and_reviews(self, image_set: ImageSet, run: Run, tmp_path: Path) -> None:
        labels = tmp_path / "predict" / "labels"
        labels.mkdir(parents=True)
        truth = (tmp_path / "set" / "labels" / "0.txt").read_text().splitlines()
        lines = [truth[0] + " .9", "0" + truth[1][1:] + " .8", "1 .9 .9 .1 .1 .7"]
        (labels / "0.txt").write_text("\n".join(lines))
        printed = run("runs detections", tmp_path / "predict", "--out", tmp_path / "invented.csv", "--run", "yolo")
        assert printed.endswith(f"1 prediction of no object in {tmp_path / 'invented.csv'}.\n")
        assert "2 objects found, 1 of them as another class; 4 missed." in printed
        printed = run("runs detections", tmp_path / "predict")
        assert "2 objects found, 1 of them as another class; 4 missed." in printed
        assert "images/0.png" in printed
        assert "review" in printed.splitlines()[-1]
        assert pd.read_csv(tmp_path / "invented.csv")["picture"].tolist() == ["images/0.png"]
        table = image_set.table()
        assert table["detected"].value_counts().to_dict() == {"missed": 4, "found": 2}
        assert table["predicted_iou"].dropna().tolist() == pytest.approx([1, 1], abs=0.01)
        assert "Labelled dog, detected as cat" in run("review", "--by", "other-class")
        assert "4 objects to review" in run("review", "--by", "missed")
        recorded = image_set.runs.get("yolo")
        is_found = (table["detected"] == "found").to_numpy()
        assert recorded.words == "yolo: 1 epoch with held-out pictures (val), of 2 classes"
        assert (recorded.is_held_out == is_found).all()
        assert recorded.held_out[is_found].max(axis=1) == pytest.approx(table["predicted_score"][is_found], abs=1e-3)
        assert table["model_class"][is_found].tolist() == table["predicted_class"][is_found].tolist()
        image_set.columns.remove("detector")
        assert "has no predictions" in run("review", "--by", "missed", status=1)
