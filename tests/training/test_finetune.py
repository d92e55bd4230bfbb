"""Finetuning ends in a head that the model loads, orders pictures it held out, and says truthfully how well."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.models.test_authors_checkpoints import tensors_of, write
from tests.training.conftest import draw_folder
from training.config import Augmentation, FinetuneConfig, InstanceTarget, Recipe
from training.data.spec import list_pictures
from training.head_finetuning import finetune_head, losses_to_learn
from training.holdout import FinetuneReport, are_test_pictures, split_cache
from training.store import RunPaths, open_cache
from training.training_rows import are_held_out
from url_viz.base.errors import HeadMismatchError
from url_viz.base.progress import silent
from url_viz.base.workspace import Workspace
from url_viz.evidence.holdout_report import figures_from
from url_viz.evidence.order_metrics import spearman
from url_viz.models.head import load_head
from url_viz.models.model import Model, ModelSource, load_model, with_head
from url_viz.store.about import find_set
from url_viz.store.training_records import joined_epochs, read_epochs, run_names


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 pictures of three classes; in each class some are blurred."""
    return draw_folder(
        tmp_path_factory.mktemp("many"), 60, ("class 0", "class 1", "class 2"), start=1000, blur_px=(9, 0, 0, 0)
    )


SHORT = Recipe(width=16, epochs=2, batch=64, held_out=0.2)


def config_of(data: Path, out: Path, **changes: object) -> FinetuneConfig:
    recipe = Recipe(width=64, epochs=15, batch=64, held_out=0.2)
    base = FinetuneConfig(data=str(data), out=out, recipe=recipe, augmentation=Augmentation(views=2), precision="exact")
    return replace(base, **changes)  # type: ignore[arg-type]


def value_of(report: FinetuneReport, measure: str, which: str = "after") -> float:
    """A figure that is told."""
    figure = next(getattr(one, which) for one in report.told if one.measure == measure)
    assert figure is not None
    return float(figure.value)


@pytest.mark.slow
def test_without_labels_it_learns_which_pictures_are_mistaken(
    many: Path, tmp_path: Path, head_file: Path, prepared_as_shipped: Path
) -> None:
    """From pictures of the size that the backbone is shipped with: it sees more of them than in other tests."""
    model = load_model(head_file, device="cpu", workspace=prepared_as_shipped)
    config = config_of(many, tmp_path / "out", test_share=0.3)
    found = finetune_head(config, model, silent)
    assert value_of(found, "agreement") > 0.2
    assert found.trained + found.chose + found.told_pictures == found.pictures == 60
    assert min(found.trained, found.chose, found.told_pictures) > 2
    adapted = load_model(
        RunPaths(tmp_path / "out").head, precision="exact", device="cpu", workspace=prepared_as_shipped
    )
    uncertainty = adapted.predict(sorted(many.rglob("*.png"))).uncertainty
    split = split_cache(open_cache(tmp_path / "out" / "cache"), config.test_share)
    assert spearman(uncertainty, split.space.confusability) > 0.3
    record = json.loads((tmp_path / "out" / "report.json").read_text())
    assert figures_from(record) == found.told
    assert record["advice"] == found.advice
    assert [one.measure for one in found.told] == ["r_auroc", "agreement"]
    assert list(found.told[0].others) == ["confusability", "ambiguity"]
    home = Workspace.at()
    assert run_names(home.set_paths(find_set(many, home))) == (), (
        "without labels nothing says of which class a picture is"
    )


@pytest.mark.slow
def test_losses_do_not_depend_on_the_test_pictures(many: Path, tmp_path: Path, model: Model) -> None:
    """In each mode, on the embeddings that the first run keeps for the others."""
    for changes in ({}, {"learns": "instance"}, {"mode": "labels"}):
        config = config_of(many, tmp_path / "out", test_share=0.3, recipe=SHORT, **changes)
        finetune_head(config, model, silent)
        cache = open_cache(tmp_path / "out" / "cache")
        split = split_cache(cache, config.test_share)
        learnt = losses_to_learn(config, split)
        is_test_row = split.is_test[cache.clean_rows]
        assert np.isnan(cache.loss()[is_test_row]).all()
        assert np.isfinite(cache.loss()[~is_test_row]).any()
        cache.clean[split.is_test] = 1  # the pictures are others now
        cache.labels[split.is_test] = 0
        np.testing.assert_array_equal(losses_to_learn(config, split), learnt)


def test_twins_test_together_and_never_choose() -> None:
    group = np.repeat(np.random.default_rng(0).integers(1 << 62, size=500), 2)
    is_test, chooses = are_test_pictures(group, 0.2), are_held_out(group, 0.1, most=10_000)
    assert (is_test[0::2] == is_test[1::2]).all()
    assert not (is_test & chooses).any()
    assert 0.15 < is_test.mean() < 0.25


@pytest.mark.slow
def test_with_labels_and_from_the_models_own_head(many: Path, tmp_path: Path, model: Model) -> None:
    config = config_of(many, tmp_path / "out", mode="labels", recipe=SHORT)
    first = finetune_head(config, model, silent)
    assert first.mode == "labels"
    home = Workspace.at()
    paths = home.set_paths(find_set(many, home))
    epochs = read_epochs(paths, "finetune-out")
    assert [(epoch.number, epoch.split, epoch.fold) for epoch in epochs] == [(0, "held-out", str(n)) for n in range(5)]
    said = joined_epochs([epoch.read() for epoch in epochs])
    pictures = list_pictures(str(many))
    assert dict(zip(said.ids.tolist(), said.labels.tolist(), strict=True)) == dict(
        zip(pictures.ids.tolist(), pictures.labels.tolist(), strict=True)
    )
    assert epochs[0].classes == pictures.classes
    assert 0 <= value_of(first, "r_auroc") <= 1
    head = load_head(RunPaths(config.out).head)
    headed = with_head(model, ModelSource("adapted", model.space.backbone, head))
    again = finetune_head(replace(config, from_shipped=True, seed=0), headed, silent)
    assert value_of(again, "agreement", "before") == pytest.approx(value_of(first, "agreement"))
    assert "before" in again.told[0].gains


@pytest.mark.slow
def test_nothing_to_start_from_is_told(many: Path, tmp_path: Path, model: Model) -> None:
    bare = with_head(model, ModelSource("bare", model.space.backbone, None))
    with pytest.raises(HeadMismatchError, match="no head to start from"):
        finetune_head(config_of(many, tmp_path / "out", from_shipped=True), bare, silent)
    assert model.head is not None
    assert model.head.functions is not None
    with pytest.raises(HeadMismatchError, match="reads functions of the classifier"):
        finetune_head(config_of(many, tmp_path / "out", from_shipped=True), model, silent)


@pytest.mark.slow
def test_a_flat_folder_has_no_r_auroc(many: Path, tmp_path: Path, model: Model) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    for path in many.rglob("*.png"):
        (flat / path.name).symlink_to(path)
    target = InstanceTarget(temperature=0.05)
    config = config_of(flat, tmp_path / "out", learns="instance", instance=target, recipe=SHORT, limit=30)
    found = finetune_head(config, model, silent)
    assert found.pictures == 30
    assert [one.measure for one in found.told] == ["agreement"]


@pytest.mark.slow
def test_a_head_over_an_authors_checkpoint_takes_its_backbone_along(many: Path, tmp_path: Path) -> None:
    arch = "test_vit"
    file = write(tmp_path / "last.pth.tar", tensors_of(arch, classes=5, width=16, hidden=2), arch=arch)
    theirs = load_model(file, precision="exact", device="cpu", workspace=tmp_path / "home")
    config = config_of(many, tmp_path / "out", model=str(file), recipe=SHORT, from_shipped=True, limit=20)
    finetune_head(config, theirs, silent)
    file.unlink()
    ours = load_model(
        RunPaths(tmp_path / "out").head, precision="exact", device="cpu", workspace=tmp_path / "another home"
    )
    assert ours.space.preprocessing == theirs.space.preprocessing
    paths = sorted(many.rglob("*.png"))[:4]
    assert ours.predict(paths).embedding == pytest.approx(theirs.predict(paths).embedding, abs=1e-4)
    assert np.isfinite(ours.predict(paths).uncertainty).all()
