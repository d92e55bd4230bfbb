"""Finetuning ends in a head that the model loads, orders pictures it held out, and says truthfully how well."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.models.test_authors_checkpoints import tensors_of, write
from tests.training.conftest import draw
from training.config import Augmentation, FinetuneConfig, InstanceTarget, Recipe
from training.finetune import Figures, advice, finetune
from training.store import open_cache
from training.train import RunPaths
from url_viz.analysis.metrics import spearman
from url_viz.errors import HeadMismatchError
from url_viz.models.model import Model, ModelSource, load_model, with_head
from url_viz.progress import silent


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """60 pictures of three classes; in each class some are blurred."""
    for i in range(60):
        path = tmp_path / "many" / f"class {i % 3}" / f"{i:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        draw(1000 + i, blur_px=9.0 if i % 4 == 0 else 0.0, size_px=64).save(path)
    return tmp_path / "many"


def config_of(data: Path, out: Path, **changes: object) -> FinetuneConfig:
    recipe = Recipe(width=64, epochs=15, batch=64, held_out=0.3)
    base = FinetuneConfig(str(data), out, recipe=recipe, augmentation=Augmentation(views=2), precision="exact")
    return replace(base, **changes)  # type: ignore[arg-type]


@pytest.mark.slow
def test_without_labels_it_learns_which_pictures_are_mistaken(
    many: Path, tmp_path: Path, model: Model, prepared: Path
) -> None:
    found = finetune(config_of(many, tmp_path / "out"), model, silent)
    assert found.after.agreement is not None
    assert found.after.agreement > 0.4
    adapted = load_model(RunPaths(tmp_path / "out").head, precision="exact", device="cpu", workspace=prepared)
    paths = sorted(many.rglob("*.png"))
    uncertainty = adapted.predict(paths).uncertainty
    cache = open_cache(tmp_path / "out" / "cache")
    mean_loss = np.bincount(cache.clean_rows, cache.loss()) / np.bincount(cache.clean_rows)
    assert spearman(uncertainty, mean_loss) > 0.3
    record = json.loads((tmp_path / "out" / "report.json").read_text())
    assert record["after"]["agreement"] == pytest.approx(found.after.agreement)
    assert record["advice"] == found.advice


@pytest.mark.slow
def test_with_labels_and_from_the_models_own_head(many: Path, tmp_path: Path, model: Model) -> None:
    config = config_of(many, tmp_path / "out", mode="labels")
    first = finetune(config, model, silent)
    assert first.mode == "labels"
    assert first.after.r_auroc is not None
    headed = load_head_of(config, model)
    again = finetune(replace(config, from_shipped=True, seed=0), headed, silent)
    assert again.before is not None
    assert again.before.agreement == pytest.approx(first.after.agreement)


def load_head_of(config: FinetuneConfig, model: Model) -> Model:
    from url_viz.models.head import load_head

    head = load_head(RunPaths(config.out).head)
    return with_head(model, ModelSource("adapted", model.space.backbone, head))


@pytest.mark.slow
def test_nothing_to_start_from_is_told(many: Path, tmp_path: Path, model: Model) -> None:
    bare = with_head(model, ModelSource("bare", model.space.backbone, None))
    with pytest.raises(HeadMismatchError, match="no head to start from"):
        finetune(config_of(many, tmp_path / "out", from_shipped=True), bare, silent)


@pytest.mark.slow
def test_a_flat_folder_has_no_r_auroc(many: Path, tmp_path: Path, model: Model) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    for path in many.rglob("*.png"):
        path.rename(flat / path.name)
    config = config_of(flat, tmp_path / "out", instance=InstanceTarget(temperature=0.05), limit=40)
    found = finetune(config, model, silent)
    assert found.pictures == 40
    assert found.after.r_auroc is None


def test_advice_follows_the_held_out_figures() -> None:
    good, weak = Figures(0.6, 0.7), Figures(0.05, None)
    assert advice(Figures(0.2, 0.6), good).startswith("adapted")
    assert "0.600 before, 0.700 after" in advice(Figures(0.2, 0.6), good)
    assert advice(Figures(0.7, 0.6), good).startswith("no better")
    assert advice(None, weak).startswith("of little use")
    assert "none before" in advice(None, good)


@pytest.mark.slow
def test_a_head_over_an_authors_checkpoint_takes_its_backbone_along(many: Path, tmp_path: Path) -> None:
    arch = "test_vit"
    file = write(tmp_path / "last.pth.tar", tensors_of(arch, classes=5, width=16, hidden=2), arch=arch)
    theirs = load_model(file, precision="exact", device="cpu", workspace=tmp_path / "home")
    recipe = Recipe(width=16, epochs=1, batch=64, held_out=0.3)
    finetune(config_of(many, tmp_path / "out", model=str(file), recipe=recipe, from_shipped=True), theirs, silent)
    file.unlink()
    ours = load_model(
        RunPaths(tmp_path / "out").head, precision="exact", device="cpu", workspace=tmp_path / "another home"
    )
    assert ours.space.preprocessing == theirs.space.preprocessing
    paths = sorted(many.rglob("*.png"))[:4]
    assert ours.predict(paths).embedding == pytest.approx(theirs.predict(paths).embedding, abs=1e-4)
    assert np.isfinite(ours.predict(paths).uncertainty).all()
