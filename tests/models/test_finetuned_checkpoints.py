"""A backbone that a user finetuned: read from what trainers write, whatever its classes; what does not fit is told."""

import argparse
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from tests.conftest import dice_head
from tests.imaging.pictures import write_folder
from training.head_finetuning import carry_backbone
from training.store import RunPaths
from url_viz.base.errors import CheckpointError, ImageSetError, ModelError
from url_viz.image_set import open_image_set
from url_viz.imaging.decode import AUTHORS
from url_viz.models.checkpoints import load_weights, unwrapped
from url_viz.models.head import save_head
from url_viz.models.model import load_model, load_source, model_title, resolve
from url_viz.models.model_names import WeightsFile, file_digest
from url_viz.reading import embed_folder

pytestmark = pytest.mark.slow

TINY = "test_vit"
"""timm's smallest network: 160 px, 64 numbers a picture."""

State = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def state() -> State:
    torch.manual_seed(0)
    return dict(timm.create_model(TINY, num_classes=7).state_dict())


def write(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path


def test_names_tell_finetuned_weights_and_those_of_the_authors(tmp_path: Path) -> None:
    own = WeightsFile(tmp_path / "x.pth", "tf_efficientnet_lite0", "authors")
    named = {
        f"tf_efficientnet_lite0:{tmp_path}/x.pth@authors": own,
        "resnet18:run@1.pth": WeightsFile(Path("run@1.pth").absolute(), "resnet18", "timm"),
        "x.pth.tar@timm": WeightsFile(Path("x.pth.tar"), "", "timm"),
        "a@b/c.pt@authors": WeightsFile(Path("a@b/c.pt"), "", "authors"),
        **{name: WeightsFile(Path(name), "", "authors") for name in ("x.pth.tar", "C:\\x.pth", "http:/x/y.pth")},
        **dict.fromkeys(("resnet18", "hf-hub:a/b.bin", "own:x", "a/b.safetensors")),
    }
    for name, expected in named.items():
        assert WeightsFile.named(name) == expected
        assert expected is None or WeightsFile.named(expected.name) == expected
    assert model_title(own.name) == "x.pth (tf_efficientnet_lite0)"
    for name in ("resnet18:x.pth@clip", "x.pth@clip"):
        with pytest.raises(ModelError, match=r"No preprocessing 'clip'.*authors, timm"):
            resolve(name)


class TestLayouts:
    @pytest.mark.parametrize("prefix", ["", "module.", "model.", "_orig_mod.module.", "model.net."])
    def test_prefixes_go(self, state: State, prefix: str) -> None:
        wrapped = {prefix + name: tensor for name, tensor in state.items()}
        assert unwrapped(wrapped, state).keys() == state.keys()

    def test_plain_wrapped_and_safetensors_give_the_same(self, state: State, tmp_path: Path) -> None:
        args = argparse.Namespace(lr=1e-3)
        files = [
            write(tmp_path / "a.pth", state),
            write(tmp_path / "b.pth.tar", {"epoch": 1, "arch": TINY, "state_dict": state, "args": args}),
            write(tmp_path / "c.pt", {"model": {"module." + name: tensor for name, tensor in state.items()}}),
            tmp_path / "d.safetensors",
        ]
        save_file(state, files[-1])
        for file in files:
            loaded = load_weights(WeightsFile.finetuned(TINY, file))
            loaded_state = loaded.backbone.network.state_dict()
            assert all(torch.equal(loaded_state[name], tensor) for name, tensor in state.items())
            assert loaded.weights_digest == f"own-{file_digest(file)}"

    def test_without_a_classifier(self, state: State, tmp_path: Path) -> None:
        file = write(tmp_path / "x.pth", {n: t for n, t in state.items() if not n.startswith("head.")})
        assert not load_weights(WeightsFile.finetuned(TINY, file)).backbone.has_classifier

    def test_preprocessing_is_timms_unless_told(self, state: State, tmp_path: Path) -> None:
        file = write(tmp_path / "x.pth", state)
        timms, authors = (load_weights(WeightsFile(file, TINY, preset)).preprocessing for preset in ("timm", "authors"))
        assert (timms.size_px, timms.crop_share) == (160, 0.95)
        assert (authors.size_px, authors.crop_share, authors.mean) == (160, 0.875, AUTHORS.mean)


class TestRefused:
    """What does not fit is told by name and count, and nothing is run."""

    def test_tensors_missing_and_left_over(self, state: State, tmp_path: Path) -> None:
        other = {name: tensor for name, tensor in state.items() if name != "norm.bias"} | {"extra": torch.zeros(2)}
        with pytest.raises(
            CheckpointError, match=r"lacks 1 tensors \(norm\.bias\), and has left over 1 tensors \(extra\)"
        ):
            load_weights(WeightsFile.finetuned(TINY, write(tmp_path / "x.pth", other)))

    def test_another_backbone(self, state: State, tmp_path: Path) -> None:
        with pytest.raises(CheckpointError, match=r"does not fit the backbone 'test_resnet'.*and \d+ more"):
            load_weights(WeightsFile.finetuned("test_resnet", write(tmp_path / "x.pth", state)))

    def test_a_pickled_model_damage_and_what_holds_no_tensors(self, tmp_path: Path) -> None:
        for ending in (".pth", ".safetensors"):
            (tmp_path / f"x{ending}").write_bytes(b"\x80\x02junk")
            with pytest.raises(CheckpointError):
                load_weights(WeightsFile.finetuned(TINY, tmp_path / f"x{ending}"))
        for content, words in ((torch.nn.Linear(2, 2), "holds Python objects"), ({"a": 1}, "no tensors by name")):
            with pytest.raises(CheckpointError, match=words):
                load_weights(WeightsFile.finetuned(TINY, write(tmp_path / "y.pth", content)))


def test_it_reads_a_folder_and_a_head_on_it_fits(state: State, tmp_path: Path) -> None:
    """By its name it embeds, opens and searches; the plain name means other weights; a head takes it along."""
    file = tmp_path / "mine.safetensors"
    save_file(state, file)
    name, home = f"{TINY}:{file}", tmp_path / "home"
    folder = write_folder(tmp_path / "zoo", 4)
    model = load_model(name, device="cpu", precision="exact", workspace=home)
    image_set = embed_folder(folder, model=model, workspace=home)
    assert np.isfinite(image_set.table()["entropy"]).all()
    assert image_set.table()["uncertainty"].isna().all()
    opened = open_image_set(folder, model=name, workspace=home)
    assert opened.search(folder / "0001.jpg", k=1)["path"].tolist() == ["0001.jpg"]
    with pytest.raises(ImageSetError, match="of other weights"):
        open_image_set(folder, model=TINY, workspace=home)

    paths = RunPaths(tmp_path / "run")
    paths.folder.mkdir()
    carry_backbone(model.source, paths)
    head = dice_head(size=model.run(np.zeros((1, 160, 160, 3), np.uint8)).embedding.shape[1], backbone=TINY)
    save_head(head, paths.head)
    carried = load_source(resolve(paths.head))
    assert all(torch.equal(carried.backbone.network.state_dict()[n], t) for n, t in state.items())
