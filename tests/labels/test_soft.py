"""Soft labels: by hand, from answers, smoothed, and as they leave; the example's recipes train on them."""

import json
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import timm
import torch

from examples.soft_labels import SoftPictures, lightning_module, train_with_timm
from url_viz.base.errors import ImageSetError
from url_viz.cli.main import main
from url_viz.image_set import ImageSet
from url_viz.labels.soft import column_names, soft_labels
from url_viz.store.decisions.decision_rows import LabelAnswer

Said = list[Mapping[str, LabelAnswer] | None]
slow = pytest.mark.slow


def test_by_hand() -> None:
    label, either = ["cat", "cat", "dog", "cat", None], [None, "dog", None, None, None]
    people: Said = [
        None,
        {"anna": ("cat", "dog")},
        {"anna": "dog", "ben": "cat", "eve": "dog"},
        {"a": "cat", "b": ("cat", "fox")},
        None,
    ]
    soft = soft_labels(label, either, people, classes=["cat", "dog", "fox"])
    wanted = np.array([[1, 0, 0], [0.5, 0.5, 0], [1 / 3, 2 / 3, 0], [0.75, 0, 0.25], [np.nan] * 3])
    np.testing.assert_allclose(soft, wanted, rtol=1e-6)


def test_only_what_nobody_answered_is_smoothed() -> None:
    shares = np.array([[0.2, 0.8], [0.2, 0.8], [np.nan, np.nan]])
    people: Said = [None, {"x": "a"}, None]
    soft = soft_labels(["a", "a", "b"], [None] * 3, people, classes=["a", "b"], shares=shares, smooth=0.25)
    np.testing.assert_allclose(soft, np.array([[0.8, 0.2], [1, 0], [0, 1]]), rtol=1e-6)


def test_classes_called_as_the_first_columns_get_a_number() -> None:
    assert column_names(["cat", "label", "path", "path_2"]) == ["cat", "label_2", "path_2", "path_2_2"]


@pytest.fixture
def image_set(mislabelled: ImageSet) -> ImageSet:
    """One cat rightly a dog, too; one of which two people think otherwise; one dropped."""
    first, second, third = mislabelled.table()["id"][:3].tolist()
    mislabelled.labels.give({first: ("cat", "dog")})
    mislabelled.labels.give({second: "cat"}, who="anna")
    mislabelled.labels.give({second: ("fox", "cat")}, who="ben")
    mislabelled.decisions.decide([third], "drop")
    return mislabelled


@slow
def test_from_the_answers_of_a_set(image_set: ImageSet) -> None:
    soft = image_set.labels.soft()
    assert soft.classes == ("cat", "dog", "fox")
    assert soft.shares.shape == (25, 3)
    np.testing.assert_allclose(soft.shares[:3], np.array([[0.5, 0.5, 0], [0.75, 0, 0.25], [1, 0, 0]]))
    assert len(soft.table) == 24
    assert soft.printout().words == ["2 soft labels of 24 pictures; 1 by the answers of several people."]
    smoothed = image_set.labels.soft(smooth=0.5)
    np.testing.assert_allclose(smoothed.shares[:2], soft.shares[:2])
    reader = image_set.labels.share_reader()
    for row in (4, 9, 20):
        shares = reader(int(soft.ids[row]))
        expected = [
            0.5 * own + 0.5 * shares.get(name, 0) for own, name in zip(soft.shares[row], soft.classes, strict=True)
        ]
        np.testing.assert_allclose(smoothed.shares[row], expected, atol=1e-5)
    image_set.labels.use(None)
    with pytest.raises(ImageSetError, match="no labels"):
        image_set.labels.soft()


@slow
def test_what_leaves(image_set: ImageSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def ran(*arguments: str) -> None:
        assert main([*arguments, "--workspace", str(image_set.workspace.root)]) == 0, capsys.readouterr().err

    folder, first = str(image_set.root), str(image_set.table()["path"].iloc[0])
    ran("labels", "soft", folder, "--out", str(tmp_path / "soft.parquet"))
    table = pd.read_parquet(tmp_path / "soft.parquet")
    assert table.columns.tolist() == ["id", "path", "label", "cat", "dog", "fox"]
    assert table.iloc[0, 1:].tolist() == [first, "cat", 0.5, 0.5, 0]
    ran("labels", "soft", folder, "--out", str(tmp_path / "soft.json"))
    rows = json.loads((tmp_path / "soft.json").read_text())["rows"]
    assert [(row["path"], row["dog"]) for row in rows] == list(zip(table["path"], table["dog"], strict=True))
    ran("labels", "soft", folder, "--out", str(tmp_path / "soft.csv"))
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "soft.csv"), table, check_dtype=False)

    for _ in range(2):  # sorted into again, its own file is nobody else's
        ran("export", "folders", folder, str(tmp_path / "sorted"), "--by", "label", "--soft")
    assert "At no picture's place" not in capsys.readouterr().out
    beside = pd.read_csv(tmp_path / "sorted" / "soft_labels.csv")
    assert beside.columns.tolist() == ["file", "label", "cat", "dog", "fox"]
    assert len(beside) == 24
    assert all((tmp_path / "sorted" / file).exists() for file in beside["file"])

    ran("export", "huggingface", folder, str(tmp_path / "hf"), "--soft")
    lines = (tmp_path / "hf" / "train" / "metadata.jsonl").read_text().splitlines()
    assert json.loads(lines[0])["soft_label"] == [0.5, 0.5, 0]
    assert "in this order: cat, dog, fox |" in (tmp_path / "hf" / "README.md").read_text()
    ran("export", "parquet", folder, str(tmp_path / "packed"), "--soft")
    packed = pq.read_table(tmp_path / "packed" / "pictures-000000.parquet")
    assert packed["soft_label"][0].as_py() == [0.5, 0.5, 0]
    features = json.loads(packed.schema.metadata[b"huggingface"])["info"]["features"]
    assert features["label"]["names"] == ["cat", "dog", "fox"]
    assert features["soft_label"] == {"feature": {"dtype": "float32", "_type": "Value"}, "_type": "Sequence"}


@slow
def test_the_recipes_train_on_them(image_set: ImageSet, tmp_path: Path) -> None:
    file, root = tmp_path / "soft.parquet", image_set.root
    image_set.labels.soft().table.to_parquet(file)
    pictures = SoftPictures(root, file, lambda picture: np.asarray(picture, np.float32)[:8, :8])
    assert pictures.classes == ["cat", "dog", "fox"]
    assert len(pictures) == 24
    assert pictures[0][1].tolist() == [0.5, 0.5, 0]
    alike = torch.nn.CrossEntropyLoss()(torch.zeros(1, 3), pictures[0][1][None])
    assert float(alike) == pytest.approx(np.log(3), abs=1e-6)

    torch.manual_seed(0)
    at_first = timm.create_model("test_efficientnet", pretrained=False, num_classes=3)
    torch.manual_seed(0)
    model = train_with_timm("test_efficientnet", root, file)
    assert all(torch.isfinite(value).all() for value in model.parameters())
    assert any(not torch.equal(*pair) for pair in zip(at_first.parameters(), model.parameters(), strict=True))

    lightning = pytest.importorskip("lightning.pytorch")
    pictures.transform = lambda picture: torch.as_tensor(np.asarray(picture.resize((32, 32)), np.float32)).permute(
        2, 0, 1
    )
    before = [value.detach().clone() for value in model.parameters()]
    with warnings.catch_warnings(action="ignore"):  # of Lightning about torch
        trainer = lightning.Trainer(max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False)
        trainer.fit(lightning_module(model), torch.utils.data.DataLoader(pictures, batch_size=8))
    assert any(not torch.equal(*pair) for pair in zip(before, model.parameters(), strict=True))
