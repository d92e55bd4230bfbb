"""A user's own model recorded while it is trained: an epoch is whole or not there, by path or id, classes by name."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import url_viz
from tests.given import given_set
from tests.imaging.pictures import write_folder
from tests.processes import ROOT
from url_viz.base.errors import DamageError, FolderError, ImageSetError, RowsError, SupersededError
from url_viz.base.workspace import SetPaths, Workspace
from url_viz.cli.main import main
from url_viz.columns.filters import ReviewSpec
from url_viz.image_set import ImageSet, open_image_set
from url_viz.models.model import Model
from url_viz.reading import embed_folder
from url_viz.runs.model_accuracy import predicted
from url_viz.runs.run_on_set import match_classes
from url_viz.store.about import find_set
from url_viz.store.bundle import pack, unpack
from url_viz.store.recorder import Recorder
from url_viz.store.sets import compact, repair
from url_viz.store.training_records import chosen_record, read_epochs, run_names, run_version

NAMES = [
    f"{label}/{number:04d}.jpg" for label, numbers in (("cat", (0, 2, 4)), ("dog", (1, 3, 5))) for number in numbers
]
"""The pictures of the fixture `folder`, by path."""
LN3 = float(np.log(3))


@pytest.fixture(scope="module")
def read_once(tmp_path_factory: pytest.TempPathFactory, module_workspace: Path, model: Model) -> Path:
    """The pictures of `folder`, read once for all tests of this module."""
    pictures = write_folder(tmp_path_factory.mktemp("read") / "pictures", 6, classes=("cat", "dog"))
    embed_folder(pictures, model=model, workspace=module_workspace)
    return pictures


@pytest.fixture
def read(read_once: Path, module_workspace: Path, tmp_path: Path, model: Model) -> ImageSet:
    """The set that was read, in a workspace of its own."""
    home = shutil.copytree(module_workspace, tmp_path / "home", symlinks=True)
    return open_image_set(read_once, model=model.name, workspace=home)


def logits_of(*right: float) -> np.ndarray:
    """Logits of six pictures: so much for their own class."""
    own = np.repeat([0, 1], 3)
    found = np.zeros((6, 2), np.float32)
    found[np.arange(6), own] = right
    return found


def set_paths(folder: Path, workspace: Path) -> SetPaths:
    home = Workspace.at(workspace)
    return home.set_paths(find_set(folder, home))


class TestEpochs:
    def test_a_plain_loop_before_the_folder_is_read(self, folder: Path, workspace: Path, model: Model) -> None:
        record = url_viz.record(folder, run="r1", workspace=workspace)
        for _ in range(3):
            record.epoch(NAMES, logits_of(1, 2, 3, 1, 2, 3), np.repeat([0, 1], 3))
            record.epoch(NAMES[:2], logits_of(*range(6))[:2], split="val")
        image_set = embed_folder(folder, model=model, workspace=workspace)
        run = image_set.runs.get("r1")
        assert image_set.runs.names() == ("r1",)
        assert run.words == "r1: 3 epochs with held-out pictures (val), of 2 classes"
        assert [(epoch.number, epoch.split, epoch.rows) for epoch in run.epochs] == [
            (number, split, rows) for number in range(3) for split, rows in (("train", 6), ("val", 2))
        ]
        table = image_set.runs.dynamics("r1")
        assert table["mean_margin"].tolist() == [1, 2, 3, 1, 2, 3]
        assert run.held_out[:2, 0] == pytest.approx([0.5, np.e / (np.e + 1)], rel=1e-3)
        assert run.is_held_out.tolist() == [True, True, False, False, False, False]
        assert run.in_sample[2, 0] == pytest.approx(np.exp(3) / (np.exp(3) + 1), rel=1e-3)
        curves = run.curves(int(table["id"].iloc[0]))
        assert curves[["epoch", "split"]].to_numpy().tolist() == [[n, s] for n in range(3) for s in ("train", "val")]
        assert curves["margin"].tolist() == [1, 0] * 3

    def test_goes_on_after_its_last_epoch(self, folder: Path, workspace: Path) -> None:
        for expected in (0, 1):
            record = url_viz.record(folder, run="r1", workspace=workspace)
            assert record.epoch(NAMES, logits_of(1, 1, 1, 1, 1, 1)).epoch.number == expected

    def test_pictures_by_path_however_written_or_id(
        self, read: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder, link, ids = Path(read.root), tmp_path / "link", read.table()["id"].tolist()
        monkeypatch.chdir(folder.parent)
        link.symlink_to(folder)
        record = url_viz.record(folder, run="r1", workspace=read.workspace.root)
        absolute = [folder / name for name in NAMES]
        for names in (NAMES, [*map(str, absolute)], [f"pictures/{name}" for name in NAMES], absolute):
            assert record.ids(names).tolist() == ids
        by_link = url_viz.record(link, run="r1", workspace=read.workspace.root)
        assert by_link.ids([str(link / name) for name in NAMES]).tolist() == ids
        for path in ("/elsewhere/1.png", "../1.png"):
            with pytest.raises(FolderError, match="is not below"):
                record.epoch([path], np.zeros((1, 2)))

    def test_tensors_in_any_precision_what_is_too_large_for_float16_and_another_epoch(self, read: ImageSet) -> None:
        logits = torch.tensor(logits_of(1, 2, 3, 1e9, -1e9, 0.5), dtype=torch.bfloat16, requires_grad=True)
        record = url_viz.record(read, run="r1")
        record.epoch(read.table()["id"], logits, torch.tensor([0, 0, 0, 1, 1, 1]))
        assert read.runs.dynamics("r1")["last_margin"].tolist() == [1, 2, 3, 65504, -65504, 0.5]
        before, version = read.runs.get("r1"), run_version(read.core.store.paths)
        assert read.runs.get("r1") is before, "what was computed stays until an epoch is added"
        record.epoch(NAMES, logits_of(3, 2, 3, 4, 5, 6))
        assert run_version(read.core.store.paths) != version
        assert read.runs.dynamics("r1")["mean_margin"].tolist()[0] == 2

    def test_processes_that_train_together(self, read: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
        for part in (slice(0, 3), slice(2, 6)):
            monkeypatch.setenv("WORLD_SIZE", "2")
            url_viz.record(read, run="r1").epoch(NAMES[part], logits_of(1, 2, 3, 4, 5, 6)[part], number=0)
        [epoch] = read.runs.get("r1").epochs
        assert (epoch.rows, len(epoch.files)) == (7, 2)
        dynamics = read.runs.dynamics("r1")
        assert dynamics["epochs"].tolist() == [1] * 6
        assert dynamics["last_margin"].tolist() == [1, 2, 3, 4, 5, 6]

    def test_folds_are_one_model_each_and_shares_are_those_of_the_sets_classes(self, read: ImageSet) -> None:
        record = url_viz.record(read, run="cv")
        for fold, part in (("a", slice(0, 3)), ("b", slice(3, 6))):
            for strength in (9.0, LN3):
                record.epoch(NAMES[part], logits_of(*[strength] * 6)[part], split="held-out", fold=fold, number=0)
        assert read.runs.get("cv").held_out[np.arange(6), np.repeat([0, 1], 3)] == pytest.approx([0.75] * 6, rel=1e-3)
        logits = np.log(np.array([[2.0, 1.0, 1.0]]))  # dog, cow, cat
        url_viz.record(read, run="r1", classes=["dog", "cow", "cat"]).epoch(NAMES[:1], logits, ["cat"], split="val")
        run = read.runs.get("r1")
        assert run.held_out[0] == pytest.approx([1 / 3, 2 / 3], rel=1e-3), "cat, dog"
        assert run.match.only_in_run == ("cow",)


class TestSeveralWriters:
    """Whoever records pictures of an epoch adds to it; what is replaced, and what is no picture, is said."""

    def test_processes_that_do_not_know_of_each_other(self, read: ImageSet) -> None:
        recorders = [url_viz.record(read, run="two") for _ in range(2)]
        for record, part in zip(recorders, (slice(0, 3), slice(3, 6)), strict=True):
            record.epoch(NAMES[part], logits_of(1, 2, 3, 4, 5, 6)[part])
        [epoch] = read.runs.get("two").epochs
        assert (epoch.number, epoch.rows, len(epoch.files)) == (0, 6, 2)
        assert read.runs.dynamics("two")["last_margin"].tolist() == [1, 2, 3, 4, 5, 6]

    def test_who_replaces_what_others_recorded_says_so(self, read: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
        first, again = (url_viz.record(read, run="r1") for _ in range(2))
        first.epoch(NAMES, logits_of(1, 2, 3, 4, 5, 6))
        with pytest.warns(UserWarning, match=r"^r1, epoch 0 \(train\): It replaces 2 predictions of this epoch\.$"):
            again.epoch(NAMES[2:4], logits_of(7, 7, 7, 7, 7, 7)[2:4])
        assert read.runs.dynamics("r1")["last_margin"].tolist() == [1, 2, 7, 7, 5, 6]
        assert again.epoch(NAMES, logits_of(8, 8, 8, 8, 8, 8), number=0).replaced == 6, "its own, without a warning"
        assert len(read.runs.get("r1").epochs[0].files) == 1, "what is replaced is deleted"
        monkeypatch.setenv("WORLD_SIZE", "3")
        filled = url_viz.record(read, run="r1").epoch(NAMES[:2], np.zeros((2, 2)), number=0)
        assert filled.replaced == 2, "three processes have at most two pictures twice, to fill a batch"

    def test_a_second_file_adds_its_pictures(
        self, read: ImageSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        command = ["runs", "add", str(read.root), "--workspace", str(read.workspace.root)]
        for number, part in enumerate((NAMES[:4], NAMES[3:], NAMES[5:])):
            file = tmp_path / f"part{number}.csv"
            pd.DataFrame({"path": part, "cat": 0.75, "dog": 0.25}).to_csv(file, index=False)
            assert main([*command, str(file)]) == 0
        told = capsys.readouterr().out.splitlines()
        assert [line for line in told if "replaces" in line] == ["It replaces 1 prediction of this epoch."] * 2
        assert read.runs.get("r1").is_held_out.all()
        pd.DataFrame({"path": NAMES, "logit_0": 1.0, "logit_1": 2.0, "logit_2": 0.0}).to_csv(file, index=False)
        assert main([*command, str(file)]) == 1
        refused = capsys.readouterr().err
        assert "'r1' has 2 columns (cat, dog), and these predictions have 3 columns without names" in refused
        assert read.runs.get("r1").epochs[0].rows == 8

    def test_what_is_no_picture_of_the_set_is_counted(self, read: ImageSet, capsys: pytest.CaptureFixture[str]) -> None:
        names = ["CAT/0000.jpg", "nope/x.png", "cat//0002.jpg", str(Path(read.root) / "cat/./0004.jpg"), "dog/0001.jpg"]
        record = url_viz.record(read, run="r1")
        with pytest.warns(UserWarning, match=r"2 of 5 are no pictures of the set: 'CAT/0000.jpg', 'nope/x.png'\."):
            assert record.epoch(names, np.zeros((5, 2))).unknown == 2
        with pytest.warns(UserWarning, match=r"epoch 1 \(train\): 1 of 1 is no picture of the set: 7\."):
            record.epoch([7], np.zeros((1, 2)))
        assert main(["runs", "list", str(read.root), "--workspace", str(read.workspace.root)]) == 0
        assert "3 of 6 recorded pictures are no pictures of the set." in capsys.readouterr().out

    def test_a_run_goes_on_while_epochs_of_it_are_removed(self, read: ImageSet) -> None:
        record = url_viz.record(read, run="r1")
        file = record.epoch(NAMES, logits_of(1, 2, 3, 4, 5, 6)).file
        run, version = read.runs.get("r1"), run_version(read.core.store.paths)
        gone = file.with_name("000001~val~0.parquet")
        gone.symlink_to("nowhere")  # as one that is removed between the listing of its folder and a look at it
        assert run_version(read.core.store.paths) == version
        assert len(read.table()) == 6
        assert read.runs.get("r1").words == run.words
        gone.unlink()
        url_viz.record(read, run="r1").write(NAMES, logits_of(2, 2, 3, 4, 5, 6), number=0)
        with pytest.raises(SupersededError, match=r"The epoch 0 \(train\) of this run was recorded again"):
            run.fold_dynamics("")


@pytest.mark.torture
def test_many_processes_record_a_run_at_once_and_lose_nothing(folder: Path, workspace: Path) -> None:
    code = (
        "import numpy as np, url_viz, sys\n"
        "record, part = url_viz.record(sys.argv[1], run='r1', workspace=sys.argv[2]), int(sys.argv[3])\n"
        "for number in range(20):\n"
        "    record.write(range(10 * part, 10 * part + 15), np.full((15, 3), part), number=number)\n"
    )
    command = [sys.executable, "-c", code, str(folder), str(workspace)]
    running = [subprocess.Popen([*command, str(part)], cwd=ROOT) for part in range(6)]
    assert [process.wait(timeout=120) for process in running] == [0] * 6
    epochs = read_epochs(set_paths(folder, workspace), "r1")
    assert [epoch.number for epoch in epochs] == list(range(20))
    for epoch in epochs:
        said = epoch.read()
        assert sorted(said.ids.tolist()) == list(range(65))
        part = said.logits[:, 0].astype(int)
        assert ((part == said.ids // 10) | (part == said.ids // 10 - 1)).all()


class TestCollected:
    """A plain loop adds batches; the epoch is that of one call with all of them."""

    def test_batches_are_an_epoch(self, read: ImageSet) -> None:
        record, logits = url_viz.record(read, run="r1", classes=["cat", "dog"]), logits_of(1, 2, 3, 4, 5, 1e9)
        with record.collect() as epoch:
            epoch.add(NAMES[:4], torch.from_numpy(logits[:4]).bfloat16(), ["cat"] * 3 + ["dog"])
            epoch.add(torch.from_numpy(record.ids(NAMES[4:])), logits[4:])
        with record.collect("val", fold="a") as epoch:
            epoch.add(NAMES[:1], logits[:1])
        train, val = read.runs.get("r1").epochs
        said = train.read()
        assert said.ids.tolist() == record.ids(NAMES).tolist()
        assert said.logits.tolist() == np.minimum(logits, 65504).astype(np.float16).tolist()
        assert said.labels.tolist() == [0, 0, 0, 1, -1, -1]
        assert (val.number, val.split, val.fold, val.rows) == (0, "val", "a", 1)

    def test_nothing_after_an_exception_or_without_batches(self, read: ImageSet) -> None:
        record = url_viz.record(read, run="r1")
        with record.collect():
            pass

        def stopped() -> None:
            with record.collect() as epoch:
                epoch.add(NAMES, logits_of(1, 2, 3, 4, 5, 6))
                epoch.add(NAMES[:1], np.zeros(2))

        with pytest.raises(RowsError, match="shape"):
            stopped()
        assert read.runs.names() == ()


class TestRefusals:
    @pytest.mark.parametrize("number", [-1, 1.5, True, 10**30, 1_000_000, "3", np.nan])
    def test_what_is_no_number_of_an_epoch(self, read: ImageSet, number: Any) -> None:
        with pytest.raises(ImageSetError, match="is no number of an epoch"):
            url_viz.record(read, run="r1").epoch(NAMES, np.zeros((6, 2)), number=number)
        assert read.runs.names() == ()

    def test_numbers_of_any_library(self, read: ImageSet) -> None:
        record = url_viz.record(read, run="r1")
        numbers: list[Any] = [np.int64(3), torch.tensor(4)]
        done = [record.epoch(NAMES, np.zeros((6, 2)), number=one) for one in numbers]
        assert [one.epoch.number for one in done] == [3, 4]

    def test_labels_by_name_of_columns_without_names(self, read: ImageSet) -> None:
        record = url_viz.record(read, run="r1")
        with pytest.raises(RowsError, match=r"label '1' is none of the 2 classes. Give labels by index"):
            record.epoch(NAMES, np.zeros((6, 2)), ["1"] * 6)
        record.epoch(NAMES, np.zeros((6, 2)), [0, 1, None, 0, 1, -1])
        assert read.runs.get("r1").epochs[0].read().labels.tolist() == [0, 1, -1, 0, 1, -1]

    def test_arrays_that_do_not_fit_and_names_that_are_no_file(self, folder: Path, workspace: Path) -> None:
        record = url_viz.record(folder, run="r1", classes=["cat", "dog"], workspace=workspace)
        refused: list[tuple[np.ndarray, list[object] | None, str]] = [
            (np.zeros((5, 2)), None, "logits of 6 pictures have the shape"),
            (np.zeros(6), None, "shape"),
            (np.zeros((6, 1)), None, "two or more classes"),
            (np.zeros((6, 3)), None, "3 columns, and there are 2 classes"),
            (np.zeros((6, 2)), [0, 1], "2 labels of 6 pictures"),
            (np.zeros((6, 2)), [0, 1, 0, 1, 0, 2], "none of the 2 classes"),
            (np.zeros((6, 2)), ["cat"] * 5 + ["cow"], "'cow' is none of the 2 classes: cat, dog"),
        ]
        for logits, labels, words in refused:
            with pytest.raises(RowsError, match=words):
                record.epoch(NAMES, logits, labels)
        assert run_names(set_paths(folder, workspace)) == ()
        for run in ("", "../r1", "a/b", ".hidden", "x" * 61, "a~b", "chosen.json"):
            with pytest.raises(ImageSetError, match="no name for a run"):
                url_viz.record(folder, run=run, workspace=workspace)

    def test_a_run_that_is_not_there_or_damaged(self, read: ImageSet) -> None:
        with pytest.raises(ImageSetError, match=r"no run 'r2'.*There are: none"):
            read.runs.get("r2")
        path = url_viz.record(read, run="r1").epoch(NAMES, logits_of(1, 2, 3, 4, 5, 6)).file
        data = bytearray(path.read_bytes())
        data[40] ^= 1
        path.write_bytes(data)
        with pytest.raises(DamageError, match=path.name):
            _ = read.runs.get("r1").dynamics
        read.runs.remove("r1")
        assert read.runs.names() == ()


class TestClasses:
    def test_by_name_in_any_order_and_spelling(self) -> None:
        match = match_classes(["Golden Retriever", "cat", "tabby"], ["cat", "golden_retriever", "zebra"])
        assert match.column.tolist() == [1, 0, -1]
        assert (match.only_in_set, match.only_in_run) == (("zebra",), ("tabby",))
        assert match.words == "1 class only in the set (zebra) and 1 class only in the run (tabby)."

    @pytest.mark.parametrize(("one", "other"), [("?", "-"), ("🙂", "🍎"), ("कि", "के"), ("C++", "C"), ("-", "_")])
    def test_names_that_differ_in_a_sign_are_others(self, one: str, other: str) -> None:
        assert match_classes([one, "cat"], [other, "cat"]).column.tolist() == [-1, 1]

    def test_two_names_that_differ_in_spelling_only_are_not_guessed(self) -> None:
        assert match_classes(["a-b", "a_b"], ["a b", "a-b"]).column.tolist() == [-1, 0]

    def test_columns_without_names_are_the_alphabet(self) -> None:
        match = match_classes((), ["cat", "dog"], columns=2)
        assert match.column.tolist() == [0, 1]
        assert "alphabetical order" in match.words
        assert match_classes(["0", "1"], ["1", "2"]).column.tolist() == [1, -1], "numbers that are names are names"
        other = match_classes((), ["cat", "dog"], columns=3)
        assert other.column.tolist() == [-1, -1]
        assert "its 3 columns are not as many as the 2 classes" in other.words


@pytest.mark.slow
def test_twelve_classes_that_are_numbers(tmp_path: Path) -> None:
    paths = [f"{number}/{turn}.jpg" for number in range(12) for turn in range(2)]
    image_set = given_set(tmp_path, paths)
    as_folders = sorted({path.split("/")[0] for path in paths})
    right = np.eye(12)[[as_folders.index(path.split("/")[0]) for path in paths]]
    url_viz.record(image_set, "by-order").epoch(paths, right, split="val")
    url_viz.record(image_set, "by-name", classes=list(map(str, range(12)))).epoch(
        paths, np.eye(12)[np.repeat(np.arange(12), 2)], split="val"
    )
    pd.DataFrame({"path": paths, **{f"logit_{column}": right[:, column] for column in range(12)}}).to_csv(
        tmp_path / "said.csv", index=False
    )
    image_set.runs.add(tmp_path / "said.csv", run="file")
    for run in ("by-order", "by-name", "file"):
        assert predicted(image_set.runs.get(run)).accuracy.value == 1


class TestFiles:
    """One file of predictions is the simplest run."""

    def test_probabilities_in_columns_that_are_called_like_classes_and_a_file_without(
        self, read: ImageSet, tmp_path: Path
    ) -> None:
        rows = pd.DataFrame({"path": [*NAMES[:2], "gone.jpg"], "Dog": [0.25, 1, 0], "cat": [0.75, 0, 1], "note": "x"})
        rows.to_csv(tmp_path / "said.csv", index=False)
        added = read.runs.add(tmp_path / "said.csv", run="r1")
        assert added.words == [
            "2 of 3 rows of 'said.csv' are of a picture of this set.",
            "No picture was found for 'gone.jpg'.",
        ]
        assert read.runs.get("r1").held_out[:2] == pytest.approx(np.array([[0.75, 0.25], [0, 1]]), abs=1e-3)
        pd.DataFrame({"path": NAMES, "cat": 0.5, "brightness": 3.0}).to_csv(tmp_path / "said.csv", index=False)
        with pytest.raises(FolderError, match=r"'said.csv' has no predictions: .*\(cat, dog\)"):
            read.runs.add(tmp_path / "said.csv", run="r2")
        assert read.runs.names() == ("r1",)

    def test_rows_with_a_number_missing_are_counted_and_have_no_prediction(
        self, read: ImageSet, tmp_path: Path
    ) -> None:
        rows = pd.DataFrame({"path": NAMES[:3], "cat": ["nan", "inf", "0.75"], "dog": ["1", "0", "0.25"]})
        rows.to_csv(tmp_path / "said.csv", index=False)
        added = read.runs.add(tmp_path / "said.csv", run="r1")
        assert added.words[-1] == "Without a prediction, since a number is missing: 2 rows."
        held_out = read.runs.get("r1").held_out
        assert np.isfinite(held_out).all(axis=1).tolist() == [False, False, True, *[False] * (len(held_out) - 3)]

    def test_logits_of_an_array_by_the_command(
        self, read: ImageSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        np.save(tmp_path / "said.npy", logits_of(LN3, 1, 2, 3, 4, 5))
        (tmp_path / "paths.txt").write_text("\n".join(NAMES))
        where = [str(read.root), "--workspace", str(read.workspace.root)]
        given = ["--run", "mine", "--split", "test", "--paths", str(tmp_path / "paths.txt")]
        assert main(["runs", "add", *where, str(tmp_path / "said.npy"), *given]) == 0
        assert main(["runs", "list", *where]) == 0
        assert (
            "mine: 1 epoch with held-out pictures (test), of 2 classes. The run names no classes"
            in capsys.readouterr().out
        )
        assert read.runs.get("mine").held_out[0] == pytest.approx([0.75, 0.25], rel=1e-3)
        assert main(["runs", "remove", *where, "mine"]) == 0
        assert main(["runs", "remove", *where, "mine"]) == 1
        assert "There is no run 'mine'" in capsys.readouterr().err


def test_the_chosen_run_has_its_columns_findings_and_queues(read: ImageSet) -> None:
    ids = read.table()["id"]
    assert "model_class" not in read.table()
    for run, right in (("first", 5.0), ("second", -5.0)):
        url_viz.record(read, run=run, classes=["cat", "dog"]).epoch(ids, logits_of(*[right] * 6), split="val")
    assert read.runs.chosen == "second"
    assert (read.table()["model_class"] != read.table()["label"]).all()
    read.runs.use("first")
    assert (read.runs.chosen, read.table()["model_class"].tolist()) == ("first", read.table()["label"].tolist())
    assert "model_doubt" in read.core.measures()
    url_viz.record(read, run="first", classes=["cat", "dog"]).epoch(ids, logits_of(1, 2, 3, 4, 5, -6))
    assert read.table()["low_mean_margin"].tolist() == [-1, -2, -3, -4, -5, 6]
    assert read.table()["learnt"].tolist() == [0, 0, 0, 0, 0, 1], "never in one epoch"
    assert read.reviews.open(ReviewSpec("low_mean_margin")).ids[0] == ids.iloc[5]
    read.runs.use("second")
    found = {one.kind: one.count for one in read.findings() if one.kind.startswith("model-")}
    for kind, count in found.items():
        assert len(read.reviews.open(ReviewSpec(kind))) == count
    read.runs.remove("second")
    assert read.runs.chosen == "first"


def test_a_training_of_url_viz_is_compared_only_if_it_is_chosen(
    read: ImageSet, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = Recorder(read.core.store.paths, read.folder, "finetune-head", classes=["cat", "dog"], is_ours=True)
    ours.epoch(NAMES, logits_of(1, 1, 1, 1, 1, 1), split="held-out")
    assert read.runs.chosen is None
    assert "model_class" not in read.table()
    url_viz.record(read, run="mine").epoch(NAMES, logits_of(*[-1] * 6), split="val")
    ours.epoch(NAMES, logits_of(1, 1, 1, 1, 1, 1), split="held-out", number=1)
    assert read.runs.chosen == "mine"
    where = [str(read.root), "--workspace", str(read.workspace.root)]
    assert main(["runs", "use", *where, "finetune-head"]) == 0
    assert read.runs.chosen == "finetune-head"
    assert read.table()["model_class"].tolist() == read.table()["label"].tolist()
    assert main(["runs", "list", *where]) == 0
    assert "finetune-head: 2 epochs" in next(
        line for line in capsys.readouterr().out.splitlines() if "It is compared" in line
    )
    chosen_record(read.core.store.paths).path.write_text("{")
    assert read.runs.chosen == "mine", "a damaged choice is none"


def test_each_fold_is_a_training_of_its_own(read: ImageSet) -> None:
    record = url_viz.record(read, run="cv")
    said = {"a": ((2, 0), (4, 1)), "b": ((-2, 0), (2, 1), (-6, 2))}
    for fold, epochs in said.items():
        for margin, number in epochs:
            record.epoch(NAMES[:2], logits_of(*[margin] * 6)[:2], fold=fold, number=number)
    record.epoch(NAMES[2:3], logits_of(*[1] * 6)[2:3], fold="b", number=0)
    found = read.runs.dynamics("cv").iloc[:3]
    assert found["forgotten"].tolist() == [0.5, 0.5, 0], "none in fold a, one in fold b"
    assert found["mean_margin"].tolist() == [0.5, 0.5, 1]
    assert found["last_margin"].tolist() == [-1, -1, 1]
    assert found["learnt"].tolist() == [0.5, 0.5, 0]
    assert found["epochs"].tolist() == [3, 3, 1]
    assert read.runs.dynamics("cv", fold="a")["mean_margin"].tolist()[:2] == [3, 3]
    assert read.runs.get("cv").words == "cv: 3 epochs of 2 folds, of 2 classes"
    by_hand = read.runs.get("cv").fold_dynamics("b")["variability"].to_numpy()[0] / 2
    shares = [np.exp(margin) / (1 + np.exp(margin)) for margin, _ in said["a"]]
    assert found["variability"].iloc[0] == pytest.approx(by_hand + np.std(shares) / 2, rel=1e-3)


class TestLastingRuns:
    """Runs cannot be made again: they move with the set, damage is told, and what a killed process left goes."""

    def test_they_are_packed(self, read: ImageSet, tmp_path: Path) -> None:
        url_viz.record(read, run="r1").epoch(NAMES, logits_of(1, 2, 3, 4, 5, 6), fold="a")
        url_viz.record(read, run="r2").epoch(NAMES, logits_of(1, 2, 3, 4, 5, 6))
        read.runs.use("r1")
        pack(read.root, tmp_path / "set.tar", workspace=read.workspace.root)
        there = shutil.copytree(read.root, tmp_path / "there")
        unpack(tmp_path / "set.tar", root=there, workspace=tmp_path / "other")
        moved = open_image_set(there, model=read.source.name, workspace=tmp_path / "other")
        assert (moved.runs.names(), moved.runs.chosen) == (("r1", "r2"), "r1")
        assert moved.runs.dynamics("r1").equals(read.runs.dynamics("r1"))

    def test_damage_is_told_laid_aside_and_hides_no_other_run(
        self, read: ImageSet, capsys: pytest.CaptureFixture[str]
    ) -> None:
        record = url_viz.record(read, run="r1")
        files = [record.epoch(NAMES, logits_of(1, 2, 3, 4, 5, 6)).file for _ in range(3)]
        for file, at in zip(files[:2], (60, -60), strict=True):  # logits, and what the file says of itself
            data = bytearray(file.read_bytes())
            data[at] ^= 1
            file.write_bytes(data)
        url_viz.record(read, run="whole").write(NAMES, logits_of(1, 2, 3, 4, 5, 6))
        where = ["--workspace", str(read.workspace.root)]
        assert main(["runs", "list", str(read.root), *where]) == 0
        told = capsys.readouterr().out
        assert "whole: 1 epoch" in told
        assert f"{files[1]} is damaged" in told
        assert main(["sets", "repair", str(read.root), *where]) == 0
        told = capsys.readouterr().out
        for number in (0, 1):
            assert f"runs/r1/00000{number}~train~0.parquet was laid aside" in told
        assert read.runs.get("r1").words == "r1: 1 epoch, of 2 classes"
        assert main(["sets", "repair", str(read.root), *where]) == 0
        assert "Everything can be read" in capsys.readouterr().out

    @pytest.mark.parametrize("clean", [compact, repair])
    def test_what_a_killed_process_left_is_deleted(self, read: ImageSet, clean: Callable[..., object]) -> None:
        file = url_viz.record(read, run="r1").epoch(NAMES, logits_of(1, 2, 3, 4, 5, 6)).file
        left, now = (file.with_name(f".{file.name}.{name}") for name in ("left", "now"))
        for path in (left, now):
            path.write_bytes(b"half")
        os.utime(left, (time.time() - 3600,) * 2)
        clean(read.root, workspace=read.workspace.root)
        assert sorted(os.listdir(file.parent)) == sorted([now.name, file.name])


@pytest.mark.torture
def test_an_epoch_is_whole_or_not_there(folder: Path, workspace: Path) -> None:
    code = (
        "import numpy as np, url_viz, sys\n"
        "record = url_viz.record(sys.argv[1], run='r1', workspace=sys.argv[2])\n"
        "while True: record.epoch(list(range(50_000)), np.zeros((50_000, 50), np.float32))\n"
    )
    for seed in range(8):
        with subprocess.Popen([sys.executable, "-c", code, str(folder), str(workspace)], cwd=ROOT) as process:
            while not run_names(set_paths(folder, workspace)):
                time.sleep(0.01)
            time.sleep(0.05 * seed)
            process.send_signal(signal.SIGKILL)
    for epoch in read_epochs(set_paths(folder, workspace), "r1"):
        assert (epoch.read().logits.shape, epoch.rows) == ((50_000, 50), 50_000)
    assert os.listdir(set_paths(folder, workspace).runs) == ["r1"]
