"""Commands on objects in pictures: the corrected annotation files, and a detector's predictions."""

from pathlib import Path

import pandas as pd
import pytest

from tests.annotated_sets import write_annotated
from tests.cli.conftest import Run
from url_viz.image_set import ImageSet
from url_viz.models.model import Model
from url_viz.reading import embed_folder


@pytest.fixture
def image_set(tmp_path: Path, workspace: Path, model: Model) -> ImageSet:
    return embed_folder(write_annotated(tmp_path / "set", "YOLO"), model=model, workspace=workspace)


def test_annotation_files_are_shared(image_set: ImageSet, run: Run, tmp_path: Path) -> None:
    image_set.decisions.decide([int(image_set.table()["id"].iloc[0])], "drop")
    printed = run("export annotations", tmp_path / "out")
    assert "0 classes corrected, 1 object taken out" in printed
    lines = (tmp_path / "set" / "labels" / "0.txt").read_bytes().splitlines(keepends=True)
    assert (tmp_path / "out" / "labels" / "0.txt").read_bytes() == b"".join(lines[1:])


def test_predictions_become_columns_and_reviews(image_set: ImageSet, run: Run, tmp_path: Path) -> None:
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
