"""Full finetuning writes a model that load_model reads, and reports what that very model does on held-out pictures."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.conftest import dice_head
from training.cache import run_name
from training.config import Augmentation, FinetuneConfig, Joint, Recipe
from training.data.spec import list_labelled
from training.finetune import main
from training.full.full_finetuning import Split, advice, finetune_everything, probe_and_scores, split_pictures
from training.head_finetuning import carry_backbone, finetune_head
from training.holdout import find_space
from training.store import RunPaths
from url_viz.base.errors import FolderError, HeadMismatchError, ModelError
from url_viz.base.progress import silent
from url_viz.base.workspace import Workspace
from url_viz.evidence.holdout_report import HoldoutFigure, figures_from
from url_viz.evidence.order_metrics import Figure, Interval
from url_viz.imaging.decode import Preprocessing
from url_viz.models.backbone import LoadedBackbone, as_backbone, create_network, preprocessing_of, save_backbone
from url_viz.models.head import load_head, save_head
from url_viz.models.model import Model, ModelSource, backbone_weights_of, load_model, load_source, resolve
from url_viz.models.model_names import file_digest
from url_viz.store.about import find_set
from url_viz.store.training_records import read_epochs

NAME = "test_resnet"
EPOCHS = 9
COLOURS = ((200, 60, 60), (60, 200, 60), (60, 60, 200))


@pytest.fixture
def coloured(tmp_path: Path) -> Path:
    """45 pictures in three classes, each class with its own colour under strong noise."""
    generator = np.random.default_rng(0)
    for i in range(45):
        path = tmp_path / "coloured" / f"class {i % 3}" / f"{i:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        array = np.array(COLOURS[i % 3]) + generator.normal(0, 60, (48, 48, 3))
        Image.fromarray(np.clip(array, 0, 255).astype(np.uint8)).save(path)
    return tmp_path / "coloured"


def tiny() -> LoadedBackbone:
    """A small network for small pictures with random weights, the same each time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = create_network(NAME)
    return LoadedBackbone(NAME, as_backbone(network), "0" * 16, replace(preprocessing_of(network, NAME), size_px=64))


def config_of(data: Path, out: Path, **joint: object) -> FinetuneConfig:
    """Everything learns, and fast: the weights are random."""
    usual = Joint(
        freeze_norms=False,
        frozen_share=0.0,
        refit=False,
        joint_epochs=2,
        joint_batch=12,
        backbone_rate=3e-3,
        classifier_rate=3e-3,
        fresh_rate=3e-3,
    )
    return FinetuneConfig(
        data=str(data),
        out=out,
        model=NAME,
        mode="full",
        recipe=Recipe(width=32),
        test_share=0.4,
        joint=replace(usual, **joint),  # type: ignore[arg-type]
        augmentation=Augmentation(smallest_share=0.5, jitter=0.0),
        device="cpu",
    )


def whole_split(folder: Path, preprocessing: Preprocessing, share: float = 0.4) -> Split:
    """The split of a folder without twins."""
    return split_pictures(
        list_labelled(str(folder)),
        preprocessing,
        share=share,
        embed=lambda crops: np.eye(len(crops), dtype=np.float32),
    )


@pytest.mark.slow
def test_the_model_the_command_writes_is_the_model_it_reports(
    coloured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (coloured / "class 0" / "broken.png").write_bytes(b"no")
    before, network = tmp_path / "before.safetensors", tiny().backbone.network
    save_head(dice_head(size=network.num_features, backbone=NAME), before)
    save_backbone(network, backbone_weights_of(before), tiny().preprocessing)
    config = config_of(coloured, tmp_path / "out", joint_epochs=EPOCHS)
    main(replace(config, model=str(before)))
    assert "Accuracy" in capsys.readouterr().out
    paths = RunPaths(config.out)
    record = json.loads(paths.report.read_text())
    told = {one.measure: one for one in figures_from(record)}
    assert (record["unreadable"], record["pictures"], record["chose"]) == (1, 45, 0)
    assert record["trained"] + record["told_pictures"] == 45
    assert told["accuracy"].after.value > 0.6

    model = load_model(paths.head, device="cpu", precision="exact", workspace=tmp_path / "workspace")
    assert model.head is not None
    weights = backbone_weights_of(paths.head)
    assert model.space.weights_digest == model.head.provenance.weights_digest == file_digest(weights)
    assert model.head.provenance.metrics["accuracy"] == told["accuracy"].after.value
    split = whole_split(coloured, model.space.preprocessing)
    assert len(split.held_out) == record["told_pictures"]
    labels = np.concatenate([split.training_labels, split.held_out_labels])
    positions = [*split.training, *split.held_out]
    everything = model.predict([coloured / split.pictures.paths[position].decode() for position in positions])
    known, is_wrong = find_space(everything.embedding).nearest_errors(labels)
    is_test = np.arange(len(labels)) >= len(split.training)
    right = 1 - is_wrong[known & is_test].mean()
    assert right == pytest.approx(told["recall_at_1"].after.value, abs=0.1)
    logits = model.run(split.clean[len(split.training) :]).logits
    right = (logits.argmax(axis=1) == split.held_out_labels).mean()
    assert right == pytest.approx(told["accuracy"].after.value, abs=0.06)
    with paths.history.open() as file:
        history = list(csv.DictReader(file))
    assert [line["epoch"] for line in history] == [str(epoch) for epoch in range(1, EPOCHS + 1)]
    assert float(history[-1]["accuracy"]) == told["accuracy"].after.value
    assert float(history[-1]["loss"]) < float(history[0]["loss"])
    check_record(coloured, config, split, logits)


def check_record(folder: Path, config: FinetuneConfig, split: Split, logits: np.ndarray) -> None:
    """Each epoch has nearly all training pictures, and the held-out ones: in the end as the saved model says."""
    home = Workspace.at()
    epochs = read_epochs(home.set_paths(find_set(folder, home)), run_name(config.out))
    assert [(one.number, one.split) for one in epochs] == [(n, s) for n in range(EPOCHS) for s in ("train", "held-out")]
    trained, held_out = epochs[-2].read(), epochs[-1].read()
    label = dict(zip(split.pictures.ids.tolist(), split.pictures.labels.tolist(), strict=True))
    assert {*trained.ids.tolist()} <= {*split.pictures.ids[split.training].tolist()}
    assert len(trained.ids) == config.joint.joint_batch * (len(split.training) // config.joint.joint_batch)
    for said in (trained, held_out):
        assert said.labels.tolist() == [label[one] for one in said.ids.tolist()]
    assert held_out.ids.tolist() == split.pictures.ids[split.held_out].tolist()
    assert held_out.logits == pytest.approx(logits, abs=0.05)
    assert epochs[-1].classes == split.pictures.classes


@pytest.mark.slow
def test_a_seed_gives_the_same_weights_under_a_classifier_that_was_fitted_anew(coloured: Path, tmp_path: Path) -> None:
    digests = []
    for name, stop in (("one", True), ("two", True), ("three", False)):
        config = config_of(coloured, tmp_path / name, joint_epochs=1, refit=True, stop_gradient=stop)
        finetune_everything(config, tiny(), None, silent)
        digests.append(load_head(RunPaths(config.out).head).provenance.weights_digest)
    assert digests[0] == digests[1] != digests[2], "the third has the head's gradient, too"
    again = load_source(resolve(str(RunPaths(config.out).head)))
    split = whole_split(coloured, again.preprocessing)
    probe, _ = probe_and_scores(again, None, split, torch.device("cpu"))
    assert torch.allclose(again.backbone.network.get_classifier().weight, probe.weight, atol=1e-3)
    unfitted, _ = probe_and_scores(tiny(), None, split, torch.device("cpu"))
    assert not torch.allclose(unfitted.weight, probe.weight, atol=1e-3)


@pytest.mark.slow
def test_before_the_first_step_it_is_as_good_as_the_probe(coloured: Path, tmp_path: Path) -> None:
    still = replace(Joint(), joint_epochs=1, joint_batch=12, refit=False, backbone_rate=0.0, classifier_rate=0.0)
    told = finetune_everything(replace(config_of(coloured, tmp_path), joint=still), tiny(), None, silent)
    accuracy, recall, order = told.told
    assert order.before is None
    assert accuracy.after is not None
    assert accuracy.before is not None
    assert accuracy.after.value == accuracy.before.value > 0.5
    assert recall.after == recall.before


@pytest.mark.slow
def test_what_cannot_be_trained_is_told(coloured: Path, tmp_path: Path, model: Model) -> None:
    config = config_of(coloured, tmp_path / "out")
    with pytest.raises(HeadMismatchError, match="from-shipped"):
        finetune_everything(replace(config, from_shipped=True), tiny(), None, silent)
    with pytest.raises(FolderError, match="too few"):
        finetune_everything(replace(config, limit=2), tiny(), None, silent)
    with pytest.raises(ModelError, match="trains the backbone"):
        finetune_head(config, model, silent)


def test_a_finetuned_backbone_goes_along_and_a_stale_one_goes_away(tmp_path: Path) -> None:
    weights = tmp_path / "from" / "head.backbone.safetensors"
    weights.parent.mkdir()
    weights.write_bytes(b"weights")
    paths = RunPaths(tmp_path / "to")
    source = ModelSource("own", "b", None, weights)
    carry_backbone(source, paths)
    assert backbone_weights_of(paths.head).read_bytes() == b"weights"
    carry_backbone(source, RunPaths(weights.parent))
    assert weights.read_bytes() == b"weights"
    carry_backbone(ModelSource("zoo", "b", None), paths)
    assert not backbone_weights_of(paths.head).exists()


def test_no_picture_both_trains_and_is_held_out(coloured: Path) -> None:
    split = whole_split(coloured, Preprocessing(size_px=16), share=0.3)
    assert not set(split.training) & set(split.held_out)
    assert len(split.training) + len(split.held_out) == len(split.clean) == 45


def test_advice_follows_the_intervals() -> None:
    better, worse = Figure(0.1, Interval(0.05, 0.15)), Figure(-0.1, Interval(-0.15, -0.05))
    sure, unsure = Figure(0.7, Interval(0.6, 0.8)), Figure(0.7, Interval(0.4, 0.9))
    plain = HoldoutFigure("recall_at_1", 90, sure, sure)

    def told(gain: Figure, order: Figure) -> tuple[HoldoutFigure, ...]:
        return (
            HoldoutFigure("accuracy", 90, sure, sure, gains={"before": gain}),
            plain,
            HoldoutFigure("r_auroc", 90, order),
        )

    assert advice(told(better, sure)).startswith("trained (Accuracy .70 [.60, .80], 90 pictures, .70")
    assert "R-AUROC .70 [.60, .80], 90 pictures, none before" in advice(told(better, sure))
    assert advice(told(worse, sure)).startswith("worse")
    assert "not sure" in advice(told(better, unsure))
