"""Recording from Lightning, Hugging Face and Ultralytics: real trainings of tiny nets, where these are installed."""

from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

import url_viz
from examples.callbacks import lightning_callback, trainer_callback, ultralytics_trainer
from tests.imaging.pictures import write_folder
from url_viz.base.workspace import Workspace
from url_viz.store.about import find_set
from url_viz.store.recorder import Recorder
from url_viz.store.training_records import RecordedEpoch, read_epochs

pytestmark = pytest.mark.filterwarnings("ignore")  # of those libraries about each other
CLASSES = ("cat", "dog")
EPOCHS = 2


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Eight pictures that train and four that do not, as Ultralytics has them."""
    for split, count in (("train", 8), ("val", 4)):
        write_folder(tmp_path / "photos" / split, count, classes=CLASSES)
    return tmp_path / "photos"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def record(photos: Path, home: Path) -> Recorder:
    return url_viz.record(photos, run="r1", classes=CLASSES, workspace=home)


def recorded(photos: Path, home: Path) -> tuple[RecordedEpoch, ...]:
    workspace = Workspace.at(home)
    return read_epochs(workspace.set_paths(find_set(photos, workspace)), "r1")


def of_split(photos: Path, split: str) -> list[Path]:
    return sorted(path for path in (photos / split).rglob("*") if path.is_file())


def pixels(path: Path) -> Tensor:
    return torch.from_numpy(np.array(Image.open(path).convert("RGB").resize((8, 8)), np.float32) / 255).flatten()


def label(path: Path) -> int:
    return CLASSES.index(path.parent.name)


def check(record: Recorder, photos: Path, epochs: tuple[RecordedEpoch, ...], said: dict[int, Tensor]) -> None:
    """Both splits of each epoch, each picture once with its label, and logits as the net gave them in the end."""
    assert [(epoch.number, epoch.split, epoch.rows) for epoch in epochs] == [
        (number, split, rows) for number in range(EPOCHS) for split, rows in (("train", 8), ("val", 4))
    ]
    for epoch in epochs:
        found, paths = epoch.read(), of_split(photos, epoch.split)
        assert dict(zip(found.ids.tolist(), found.labels.tolist(), strict=True)) == dict(
            zip(record.ids(paths).tolist(), map(label, paths), strict=True)
        )
        assert np.isfinite(found.logits).all()
    last = epochs[-1].read()
    for picture, logits in zip(last.ids.tolist(), last.logits, strict=True):
        assert logits == pytest.approx(said[picture].numpy(), abs=0.02), "of the validation after the last step"


@pytest.mark.slow
@pytest.mark.skipif(find_spec("lightning") is None, reason="Lightning is not installed")
def test_lightning(record: Recorder, photos: Path, home: Path, tmp_path: Path) -> None:
    from lightning.pytorch import LightningModule, Trainer

    class Net(LightningModule):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Linear(192, 2)

        def training_step(self, batch: Any, _: int) -> dict[str, Any]:
            images, labels, paths = batch
            logits = self.net(images)
            return {"loss": F.cross_entropy(logits, labels), "logits": logits, "paths": paths, "labels": labels}

        def validation_step(self, batch: Any, at: int) -> dict[str, Any]:
            return self.training_step(batch, at)

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=0.1)

    loaders = [
        DataLoader([(pixels(path), label(path), str(path)) for path in of_split(photos, split)], 3, shuffle=True)  # type: ignore[arg-type]
        for split in ("train", "val")
    ]
    module = Net()
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = Trainer(max_epochs=EPOCHS, accelerator="cpu", callbacks=[lightning_callback(record)], **quiet)
    trainer.fit(module, *loaders)
    with torch.no_grad():
        said = {int(record.ids([path])[0]): module.net(pixels(path)) for path in of_split(photos, "val")}
    check(record, photos, recorded(photos, home), said)


@pytest.mark.slow
@pytest.mark.skipif(find_spec("transformers") is None, reason="transformers is not installed")
@pytest.mark.parametrize("steps", [None, 1], ids=["evaluated each epoch", "evaluated each step"])
def test_trainer(record: Recorder, photos: Path, home: Path, tmp_path: Path, steps: int | None) -> None:
    from transformers import Trainer, TrainingArguments
    from transformers.modeling_outputs import ImageClassifierOutput

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Linear(192, 2)

        def forward(self, pixel_values: Tensor, labels: Tensor) -> Any:
            logits = self.net(pixel_values)
            return ImageClassifierOutput(loss=F.cross_entropy(logits, labels), logits=logits)

    train, val = (
        [
            {"pixel_values": pixels(path), "labels": label(path), "picture": picture}
            for path, picture in zip(paths, record.ids(paths), strict=True)
        ]
        for paths in (of_split(photos, "train"), of_split(photos, "val"))
    )
    module = Net()
    arguments = TrainingArguments(
        str(tmp_path / "out"),
        num_train_epochs=EPOCHS,
        per_device_train_batch_size=3,
        per_device_eval_batch_size=3,
        eval_strategy="epoch" if steps is None else "steps",
        eval_steps=steps,
        save_strategy="no",
        report_to="none",
        use_cpu=True,
        remove_unused_columns=False,
        disable_tqdm=True,
    )
    Trainer(module, arguments, train_dataset=train, eval_dataset=val, callbacks=[trainer_callback(record)]).train()
    with torch.no_grad():
        said = {row["picture"]: module.net(row["pixel_values"]) for row in val}
    check(record, photos, recorded(photos, home), said)
    assert not module._forward_hooks
    assert not module._forward_pre_hooks


@pytest.mark.slow
@pytest.mark.skipif(find_spec("ultralytics") is None, reason="Ultralytics is not installed")
def test_ultralytics(
    record: Recorder, photos: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ultralytics import YOLO

    monkeypatch.chdir(tmp_path)
    model = YOLO("yolo11n-cls.yaml")
    quiet = {"plots": False, "verbose": False, "device": "cpu", "workers": 0, "project": str(tmp_path / "runs")}
    trainer = ultralytics_trainer(record)
    model.train(data=str(photos), epochs=EPOCHS, imgsz=32, batch=4, trainer=trainer, **quiet)
    network = YOLO(model.trainer.last)
    said = {}
    for path in of_split(photos, "val"):
        shares = network.predict(str(path), imgsz=32, verbose=False)[0].probs.data
        said[int(record.ids([path])[0])] = shares.log()
    epochs = recorded(photos, home)
    read = epochs[-1].read()
    for picture, logits in zip(read.ids.tolist(), torch.from_numpy(read.logits).float(), strict=True):
        said[picture] += logits.logsumexp(0)  # probabilities say nothing of a constant
    check(record, photos, epochs, said)


def test_steps_that_say_nothing_are_not_recorded(record: Recorder, photos: Path, home: Path) -> None:
    pytest.importorskip("lightning")
    callback, trainer = lightning_callback(record), SimpleNamespace(current_epoch=0, sanity_checking=False)
    callback.on_train_batch_end(trainer, None, {"loss": torch.zeros(())}, None, 0)
    callback.on_train_epoch_end(trainer, None)
    assert recorded(photos, home) == ()
