"""The paper's backbones as the hub has them, random weights: cached, trained on, evaluated, used to read a folder."""

from pathlib import Path

import pytest
import timm
from huggingface_hub import constants
from safetensors.torch import save_file

from tests.imaging.pictures import write_folder
from training import cache, train
from training.config import Augmentation, CacheConfig, EvaluateConfig, Recipe, TrainConfig
from training.evaluate import __main__ as evaluate
from url_viz.models.model import load_model
from url_viz.models.model_names import PAPERS
from url_viz.reading import embed_folder

pytestmark = pytest.mark.slow

TINY = PAPERS["authors/vit-tiny"]


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of the hub that has ViT-Tiny, as a machine has it that was online once."""
    model = tmp_path / "hub" / f"models--timm--{TINY.backbone}"
    snapshot = model / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text("0" * 40)
    save_file(timm.create_model(TINY.backbone).state_dict(), snapshot / "model.safetensors")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


def test_from_the_hubs_cache_to_an_image_set(
    hub: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("URL_VIZ_HOME", str(tmp_path / "home"))
    folder = write_folder(tmp_path / "zoo", 12, classes=("cat", "dog", "owl"))
    cached = CacheConfig(
        data=str(folder), out=tmp_path / "cache", model=TINY.backbone, target="labels", augmentation=Augmentation(2)
    )
    cache.main(cached)
    train.main(TrainConfig((tmp_path / "cache",), tmp_path / "run", recipe=Recipe(epochs=2, batch=16), device="cpu"))
    head = str(tmp_path / "run" / "head.safetensors")
    evaluate.main(EvaluateConfig(model=head, data=str(folder), baselines=True))
    assert "head" in capsys.readouterr().out

    model = load_model(head, device="cpu")
    assert (model.space.backbone, model.head.embedding_size if model.head else 0) == (TINY.backbone, 192)
    assert model.space.preprocessing.mean == (0.5, 0.5, 0.5), "timm's preset, as nothing says another"
    image_set = embed_folder(folder, model=model)
    assert image_set.table()["uncertainty"].notna().all()
