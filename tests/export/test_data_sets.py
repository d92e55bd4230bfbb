"""Data sets for FiftyOne and Hugging Face: every value arrives, nan never, and the real libraries read them back."""

import ast
import importlib.util
import json
import os
import re
import runpy
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from tests.export.sets import HOSTILE, ids_of
from tests.given import by_turns, dice, given_set
from url_viz.base.errors import ImageSetError
from url_viz.export.data_sets import DATA_SETS
from url_viz.export.samples import SAMPLE_NAMES, SCRIPT
from url_viz.export.table_files import as_json, column_names, known_columns, plain_value
from url_viz.image_set import ImageSet
from url_viz.imaging.decode import VANISHED

write_for_fiftyone, write_for_hugging_face = (DATA_SETS[program].write for program in ("fiftyone", "huggingface"))


def lines_of(out: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (out / "train" / "metadata.jsonl").read_text("utf-8").splitlines()]


class TestRecords:
    """Values and names that JSON and the readers take."""

    def test_values(self) -> None:
        assert [plain_value(v) for v in (float("nan"), None, np.float32("inf"), pd.NA)] == [None] * 4
        known = (np.int64(1 << 60), np.bool_(True), "x", np.float32(0.5))
        assert [plain_value(v) for v in known] == [1 << 60, True, "x", 0.5]
        with pytest.raises(ValueError, match="not JSON compliant"):
            as_json({"a": float("nan")})

    def test_names(self) -> None:
        found = column_names(["uncertainty", "id", "a b", "a_b", "_x", "3d", "ID"], reserved={"id"})
        assert found == {
            "uncertainty": "uncertainty",
            "id": "own_id",
            "a b": "a_b",
            "a_b": "a_b_2",
            "_x": "own_x",
            "3d": "own_3d",
            "ID": "own_ID_2",
        }

    def test_columns_without_any_value_are_left_out(self) -> None:
        table = pd.DataFrame({"a": [1, 2], "b": [np.nan, np.nan], "c": [None, "x"], "d": ["", ""]})
        assert list(known_columns(table)) == ["a", "c"]


class TestImageFolder:
    """Hugging Face."""

    def test_every_picture_and_value_is_there(self, shared_set: ImageSet, tmp_path: Path) -> None:
        done = write_for_hugging_face(shared_set, tmp_path / "out", how="copy")
        lines, table = lines_of(tmp_path / "out"), shared_set.table()
        assert done.pictures == len(lines) == len(table)
        assert [line["path"] for line in lines] == table["path"].tolist()
        assert [line["id"] for line in lines] == table["id"].astype(str).tolist()
        assert [line["uncertainty"] for line in lines] == pytest.approx(table["uncertainty"].tolist())
        for line, image_id in zip(lines, table["id"], strict=True):
            file = tmp_path / "out" / "train" / str(line["file_name"])
            assert not file.is_symlink()
            assert file.read_bytes() == shared_set.files.path(int(image_id)).read_bytes()

    def test_a_selection_and_files_that_are_gone(self, tmp_path: Path) -> None:
        image_set = given_set(tmp_path, [f"000{number}.jpg" for number in range(4)])
        ids = image_set.table()["id"].tolist()
        image_set.files.path(ids[1]).unlink()
        done = write_for_hugging_face(image_set, tmp_path / "out", ids=ids[:3])
        assert (done.pictures, done.left_out) == (2, (("0001.jpg", VANISHED),))
        assert done.words[1] == f"1 left out, which {VANISHED}: 0001.jpg."
        shutil.rmtree(image_set.root)
        with pytest.raises(ImageSetError, match="None of 4 pictures"):
            write_for_hugging_face(image_set, tmp_path / "again")
        assert not (tmp_path / "again").exists()

    def test_the_card_tells_where_values_come_from_and_runs_nothing(self, shared_set: ImageSet, tmp_path: Path) -> None:
        write_for_hugging_face(shared_set, tmp_path / "out")
        card = (tmp_path / "out" / "README.md").read_text("utf-8")
        front = json.loads(card.split("---\n")[1])
        assert front["configs"][0]["data_files"] == [{"split": "train", "path": "train/**"}]
        assert shared_set.space.weights_digest in card
        assert "an order, not a probability" in card
        assert 'row["confusability_percentile"] < 90' in card, "the leading order"
        for measure in ("ambiguity", "confusability", "uncertainty", "entropy", "inverse_norm"):
            assert f"| `{measure}`" in card
        assert "| `tuned`" not in card
        assert HOSTILE not in card
        assert str(shared_set.root) not in card

    @pytest.mark.skipif(importlib.util.find_spec("datasets") is None, reason="Hugging Face datasets is not installed")
    def test_hugging_face_reads_it_back(
        self, shared_set: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        from datasets import load_dataset

        write_for_hugging_face(shared_set, tmp_path / "out")
        (split,) = load_dataset("imagefolder", data_dir=str(tmp_path / "out"), cache_dir=str(tmp_path / "c")).values()
        table = shared_set.table()
        assert split["path"] == table["path"].tolist()
        assert split["label"] == table["label"].tolist()
        assert split["uncertainty"] == pytest.approx(table["uncertainty"].tolist())
        assert all(image.size == (64, 48) for image in split["image"])


def samples_of(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "samples.jsonl").read_text("utf-8").splitlines()]


class TestFiftyOne:
    """Samples, and the script that opens them."""

    def test_samples_name_their_files_and_carry_every_value(self, shared_set: ImageSet, tmp_path: Path) -> None:
        done = write_for_fiftyone(shared_set, tmp_path / "out")
        samples, table = samples_of((tmp_path / "out").rename(tmp_path / "moved")), shared_set.table()
        assert done.pictures == len(samples) == len(table)
        for sample, row in zip(samples, table.to_dict("records"), strict=True):
            assert sample["url_viz_id"] == str(row["id"])
            assert sample["ground_truth"] == row["label"]
            assert sample["uncertainty"] == pytest.approx(row["uncertainty"])
            assert (sample["width"], sample["height"]) == (row["width"], row["height"])
            file = tmp_path / "moved" / sample["filepath"]
            assert file.is_symlink()
            assert file.read_bytes() == shared_set.files.path(row["id"]).read_bytes()
        assert {type(sample["twin_group"]) for sample in samples} == {int, type(None)}
        assert {type(sample["path"]) for sample in samples} == {str}
        assert not set(samples[0]) & (SAMPLE_NAMES - {"filepath", "tags", "ground_truth", "url_viz_id"})
        about = json.loads((tmp_path / "moved" / "provenance.json").read_text("utf-8"))
        assert about["url_viz"]["head_digest"] == shared_set.source.head.digest  # type: ignore[union-attr]

    def test_decisions_and_tags_become_tags(self, tmp_path: Path) -> None:
        image_set = given_set(tmp_path, ["0.jpg", "1.jpg", "2.jpg"])
        ids = image_set.table()["id"].tolist()
        image_set.decisions.decide(ids[:1], "keep")
        image_set.decisions.tag(ids[:2], "night")
        write_for_fiftyone(image_set, tmp_path / "out")
        samples = samples_of(tmp_path / "out")
        assert [sample["tags"] for sample in samples] == [["night", "keep"], ["night"], []]
        assert [sample["decision"] for sample in samples] == ["keep", None, None]
        assert [sample["ground_truth"] for sample in samples] == [None] * 3

    def test_the_line_that_opens_it_runs_the_script(self, shared_set: ImageSet, tmp_path: Path) -> None:
        done = write_for_fiftyone(shared_set, tmp_path / 'it\'s "out"')
        script = re.fullmatch(
            r"import runpy; pictures = runpy.run_path\((.+)\)\['pictures'\]", DATA_SETS["fiftyone"].opening(done.out)[1]
        )
        assert script is not None
        source = Path(ast.literal_eval(script[1])).read_text("utf-8")
        compile(source, "open_in_fiftyone.py", "exec")
        assert "pictures = fo.Dataset()" in source

    @pytest.mark.skipif(importlib.util.find_spec("fiftyone") is None, reason="FiftyOne is not installed")
    def test_fiftyone_reads_it_back(self, shared_set: ImageSet, tmp_path: Path) -> None:
        os.environ["FIFTYONE_DO_NOT_TRACK"] = "1"
        done = write_for_fiftyone(shared_set, tmp_path / "out")
        found = runpy.run_path(str(done.out / SCRIPT))["pictures"]
        try:
            table = shared_set.table()
            assert found.values("path") == table["path"].tolist()
            assert found.values("ground_truth.label") == table["label"].tolist()
            assert found.values("uncertainty") == pytest.approx(table["uncertainty"].tolist())
            assert found.values("metadata.width") == table["width"].tolist()
            assert all(Path(path).is_file() for path in found.values("filepath"))
        finally:
            found.delete()


class TestCorrectedLabels:
    """The label that leaves is the corrected one; what it was goes along."""

    EXPECTED = (("kiwi", "kiwi", None), ("plum", "kiwi", "corrected"), ("plum", "plum", "confirmed"))

    @pytest.fixture
    def image_set(self, tmp_path: Path) -> ImageSet:
        """Two kiwis, of which the second was corrected to a plum, and a plum of the same file name."""
        image_set = given_set(tmp_path, ("kiwi/1.png", "kiwi/2.png", "plum/2.png"))
        image_set.labels.give(dict.fromkeys(ids_of(image_set, "kiwi/2.png", "plum/2.png"), "plum"))
        return image_set

    @pytest.mark.slow
    def test_hugging_face_has_them_in_their_new_folder(self, image_set: ImageSet, tmp_path: Path) -> None:
        write_for_hugging_face(image_set, tmp_path / "out")
        lines = lines_of(tmp_path / "out")
        assert [line["file_name"] for line in lines] == ["kiwi/1.png", "plum/2-kiwi.png", "plum/2.png"]
        assert [line["path"] for line in lines] == ["kiwi/1.png", "kiwi/2.png", "plum/2.png"]
        for line in lines:
            file = tmp_path / "out" / "train" / str(line["file_name"])
            assert file.readlink() == image_set.root / str(line["path"])
        found = [tuple(line[name] for name in ("label", "label_given", "label_checked")) for line in lines]
        assert found == list(self.EXPECTED)
        assert "3 pictures in 2 classes (column `label`)" in (tmp_path / "out" / "README.md").read_text("utf-8")

    def test_fiftyone_has_them_as_ground_truth(self, image_set: ImageSet, tmp_path: Path) -> None:
        write_for_fiftyone(image_set, tmp_path / "out")
        samples = samples_of(tmp_path / "out")
        found = [(s["ground_truth"], s["label_given"], s["label_checked"]) for s in samples]
        assert found == list(self.EXPECTED)
        files = [(tmp_path / "out" / s["filepath"]).readlink() for s in samples]
        assert files == [image_set.root / s["path"] for s in samples]


class TestAnnotationTools:
    """Whole pictures as tasks of CVAT and of Label Studio: the class to choose, the likeliest first."""

    @pytest.fixture
    def fruit(self, tmp_path: Path) -> ImageSet:
        """Two classes that lie apart, and a picture that lies in the other one."""
        rows = dice(24) * 0.3 + np.eye(2)[np.arange(24) % 2] @ np.eye(2, 8) * 4
        rows[0] = rows[1] * 0.9
        return given_set(tmp_path, by_turns(24, ("kiwi & co", "plum")), rows)

    @staticmethod
    def in_order(image_set: ImageSet) -> pd.DataFrame:
        table = image_set.table()
        assert image_set.order().measure == "ambiguity"
        return table[table["decision"] != "drop"].sort_values("ambiguity", ascending=False, kind="stable")

    def test_label_studio_gets_a_choice_for_each_and_the_most_ambiguous_first(
        self, fruit: ImageSet, tmp_path: Path
    ) -> None:
        fruit.decisions.decide(fruit.table()["id"].tolist()[4:6], "drop")
        done = DATA_SETS["labelstudio"].write(fruit, tmp_path / "a b", how="copy")
        tasks, wanted = json.loads((done.out / "tasks.json").read_text("utf-8")), self.in_order(fruit)
        assert len(tasks) == 22
        assert [task["data"]["path"] for task in tasks] == wanted["path"].tolist()
        assert [task["data"]["order"] for task in tasks] == [*range(1, 23)]
        for task, row in zip(tasks, wanted.to_dict("records"), strict=True):
            [prediction] = task["predictions"]
            assert prediction["score"] == pytest.approx(row["first_share"], abs=1e-4)
            [result] = prediction["result"]
            assert (result["type"], result["from_name"], result["to_name"]) == ("choices", "choice", "image")
            assert result["value"] == {"choices": [row["first_class"]]}
            assert task["data"]["question"].endswith(f"? Labelled {row['label']}.")
            address = task["data"]["image"].removeprefix("/data/local-files/?d=")
            assert (tmp_path / unquote(address)).read_bytes() == fruit.files.data(row["id"])
        view = ElementTree.parse(done.out / "interface.xml").getroot()
        assert [choice.attrib["value"] for choice in view.iter("Choice")] == ["kiwi & co", "plum"]
        assert view.find("Choices").attrib | {"showInline": ""} == {  # type: ignore[union-attr]
            "name": "choice",
            "toName": "image",
            "choice": "single",
            "showInline": "",
            "required": "true",
        }

    def test_cvat_gets_tags_whose_attributes_its_labels_declare(self, fruit: ImageSet, tmp_path: Path) -> None:
        done = DATA_SETS["cvat"].write(fruit, tmp_path / "out", how="copy")
        labels = json.loads((done.out / "labels.json").read_text("utf-8"))
        assert [(label["name"], label["type"]) for label in labels] == [("kiwi & co", "tag"), ("plum", "tag")]
        declared = {attribute["name"] for attribute in labels[0]["attributes"]}
        images = ElementTree.parse(done.out / "annotations.xml").getroot().findall("image")
        assert sorted(image.attrib["name"] for image in images) == [image.attrib["name"] for image in images]
        for image, row in zip(images, self.in_order(fruit).to_dict("records"), strict=True):
            assert (done.out / "images" / image.attrib["name"]).read_bytes() == fruit.files.data(row["id"])
            assert (image.attrib["width"], image.attrib["height"]) == (str(row["width"]), str(row["height"]))
            [tag] = image
            assert tag.attrib["label"] == row["first_class"]
            said = {attribute.attrib["name"]: attribute.text for attribute in tag}
            assert set(said) <= declared
            assert (said["path"], said["label"]) == (row["path"], row["label"])

    def test_a_set_without_classes_has_nothing_to_choose(self, tmp_path: Path) -> None:
        image_set = given_set(tmp_path, ("a.png", "b.png", "c.png"))
        for program in ("cvat", "labelstudio"):
            with pytest.raises(ImageSetError, match="no classes to choose from"):
                DATA_SETS[program].write(image_set, tmp_path / "out")  # type: ignore[index]
        assert not (tmp_path / "out").exists()
