"""The authors' checkpoints give their triple, whatever else is in the file, and run nothing that is in it."""

import argparse
import os
import pickle
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from torch import Tensor
from torch.nn import functional as F

from tests.hostile.bad_checkpoints import Reduced
from tests.imaging.pictures import write_folder
from url_viz.base.errors import CheckpointError, HeadMismatchError, ModelError
from url_viz.cli.main import main
from url_viz.image_set import open_image_set
from url_viz.imaging.decode import AUTHORS
from url_viz.models.checkpoints import head_of, load_weights
from url_viz.models.model import Model, load_model, resolve
from url_viz.models.model_names import WeightsFile, file_digest
from url_viz.models.runtime_torch import TorchRuntime

pytestmark = pytest.mark.slow

VIT = "vit_tiny_patch16_224.augreg_in21k"
RESNET = "test_resnet"
WITHIN = 1e-5


@dataclass(frozen=True)
class Written:
    """A checkpoint in the authors' layout, and the tensors in it by the authors' names."""

    path: Path
    tensors: dict[str, Tensor]


def tensors_of(arch: str, *, classes: int, width: int, hidden: int, seed: int = 0) -> dict[str, Tensor]:
    """Random weights of a timm network and of a head on it, by the authors' names."""
    torch.manual_seed(seed)
    network = timm.create_model(arch, num_classes=classes)
    tensors = {f"model.{name}": tensor for name, tensor in network.state_dict().items()}
    sizes = [network.num_features, *[width] * hidden, 1]
    for i in range(hidden + 1):
        linear = torch.nn.Linear(sizes[i], sizes[i + 1])
        tensors[f"unc_module.unc_module.{2 * i}.weight"] = linear.weight.detach()
        tensors[f"unc_module.unc_module.{2 * i}.bias"] = linear.bias.detach()
    return tensors


def write(path: Path, tensors: dict[str, Tensor], *, arch: str = VIT, **more: object) -> Path:
    """All that the authors' trainer writes, with their run's arguments and a metric that is a numpy scalar."""
    args = argparse.Namespace(model=arch, lr_base=1e-3, betas=(0.8, 0.95), seed=1, log_wandb=False, img_size=None)
    record = {"epoch": 3, "arch": arch, "state_dict": tensors, "optimizer": {"state": {}, "param_groups": []}}
    torch.save(record | {"version": 2, "args": args, "metric": np.float64(0.61)} | more, path)
    return path


@pytest.fixture(scope="module")
def vit(tmp_path_factory: pytest.TempPathFactory) -> Written:
    tensors = tensors_of(VIT, classes=7, width=512, hidden=2)
    return Written(write(tmp_path_factory.mktemp("authors") / "last.pth.tar", tensors), tensors)


@pytest.fixture(scope="module")
def resnet(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """As in the days of URL: a ResNet of 1000 classes under a head of three hidden layers."""
    tensors = tensors_of(RESNET, classes=1000, width=1024, hidden=3)
    path = tmp_path_factory.mktemp("authors") / "model_best.pth.tar"
    return Written(write(path, tensors, arch=RESNET), tensors)


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 1, (3, 3, 224, 224)).astype(np.float32)


def head_by_hand(tensors: dict[str, Tensor], embedding: Tensor) -> Tensor:
    """The head of PVU: LeakyReLU between linear layers, Softplus, plus 1e-6."""
    x = embedding
    numbers = sorted({int(name.split(".")[2]) for name in tensors if name.startswith("unc_module.")})
    for number in numbers:
        x = x @ tensors[f"unc_module.unc_module.{number}.weight"].T + tensors[f"unc_module.unc_module.{number}.bias"]
        x = F.leaky_relu(x, 0.01) if number < numbers[-1] else F.softplus(x)
    return x[:, 0] + 1e-6


def vit_by_hand(tensors: dict[str, Tensor], pixels: Tensor) -> tuple[Tensor, Tensor]:
    """ViT-Tiny from its tensors alone: logits and the class token after the last LayerNorm."""
    w = {name.removeprefix("model."): tensor.double() for name, tensor in tensors.items()}

    def norm(x: Tensor, name: str) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], w[f"{name}.weight"], w[f"{name}.bias"], eps=1e-6)

    def linear(x: Tensor, name: str) -> Tensor:
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    patches = F.conv2d(pixels.double(), w["patch_embed.proj.weight"], w["patch_embed.proj.bias"], stride=16)
    x = torch.cat([w["cls_token"].expand(len(pixels), -1, -1), patches.flatten(2).transpose(1, 2)], 1) + w["pos_embed"]
    for block in range(12):
        at = f"blocks.{block}"
        query, key, value = (
            linear(norm(x, f"{at}.norm1"), f"{at}.attn.qkv").unflatten(2, (3, 3, 64)).permute(2, 0, 3, 1, 4)
        )
        mixed = (query @ key.transpose(-2, -1) / 8).softmax(-1) @ value
        x = x + linear(mixed.transpose(1, 2).flatten(2), f"{at}.attn.proj")
        x = x + linear(F.gelu(linear(norm(x, f"{at}.norm2"), f"{at}.mlp.fc1")), f"{at}.mlp.fc2")
    token = norm(x, "norm")[:, 0]
    return linear(token, "head"), token


def resnet_by_timm(tensors: dict[str, Tensor], pixels: Tensor) -> tuple[Tensor, Tensor]:
    network = timm.create_model(RESNET, num_classes=1000).eval()
    network.load_state_dict({n.removeprefix("model."): t for n, t in tensors.items() if n.startswith("model.")})
    with torch.no_grad():
        embedding = network.global_pool(network.forward_features(pixels))
    return embedding @ tensors["model.fc.weight"].T + tensors["model.fc.bias"], embedding


def on_openvino(path: Path, workspace: Path) -> Model:
    result = load_model(path, device="cpu", precision="exact", workspace=workspace)
    assert "OpenVINO" in result.runtime.device
    return result


class TestTriple:
    """(logits, uncertainty, embedding) are those of the tensors in the file."""

    @pytest.mark.parametrize("which", ["vit", "resnet"])
    def test_agrees_with_an_independent_computation(
        self, which: str, request: pytest.FixtureRequest, pixels: np.ndarray, prepared: Path
    ) -> None:
        written: Written = request.getfixturevalue(which)
        by_hand = vit_by_hand if which == "vit" else resnet_by_timm
        expected_logits, expected_embedding = by_hand(written.tensors, torch.from_numpy(pixels))
        cpu, loaded = on_openvino(written.path, prepared), load_weights(WeightsFile.of_authors(written.path))
        assert loaded.weights_digest == cpu.space.weights_digest
        runtime = TorchRuntime(loaded.backbone, loaded.preprocessing, device="cpu", precision="float32")
        for model in (cpu, Model(cpu.source, cpu.space, runtime)):
            logits, uncertainty, embedding = model(pixels)
            assert embedding == pytest.approx(expected_embedding.numpy(), rel=WITHIN, abs=WITHIN)
            assert logits == pytest.approx(expected_logits.numpy(), rel=WITHIN, abs=WITHIN)
            # Heads read embeddings as they are stored, in float16.
            stored = torch.from_numpy(embedding.astype(np.float16).astype(np.float32))
            assert uncertainty == pytest.approx(head_by_hand(written.tensors, stored).numpy(), rel=2**-15)
            unrounded = head_by_hand(written.tensors, expected_embedding.float()).numpy()
            assert uncertainty == pytest.approx(unrounded, rel=1e-3)
            assert np.ptp(uncertainty) > 0, "of random weights, which tell pictures hardly apart"
        folder = prepared / "models" / f"{cpu.space.backbone}-{file_digest(written.path)}"
        before = (folder / "graph.bin").stat().st_mtime_ns
        on_openvino(written.path, prepared)
        assert (folder / "graph.bin").stat().st_mtime_ns == before, "the prepared graph is used again"

    def test_a_file_written_again_is_another_model(self, tmp_path: Path, prepared: Path, pixels: np.ndarray) -> None:
        path = tmp_path / "last.pth.tar"
        result = []
        for seed in (0, 1):
            write(path, tensors_of("test_resnet", classes=3, width=8, hidden=2, seed=seed), arch="test_resnet")
            os.utime(path, ns=(seed, seed))
            result.append(on_openvino(path, prepared))
        assert result[0].space.key != result[1].space.key
        assert not np.allclose(result[0](pixels)[2], result[1](pixels)[2])

    def test_pictures_are_prepared_as_the_authors_did_or_as_timm_does_and_kept_apart(
        self, resnet: Written, workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder, names = write_folder(tmp_path / "pictures", 4), (str(resnet.path), f"{resnet.path}@timm")
        for name in names:
            for command in ("embed", "rank"):
                assert main([command, str(folder), "--model", name, "--workspace", str(workspace)]) == 0
            assert "0003.jpg" in capsys.readouterr().out
        authors, timms = (open_image_set(folder, model=name, workspace=workspace) for name in names)
        assert authors.space.preprocessing == AUTHORS
        assert (timms.space.preprocessing.mean, timms.space.preprocessing.crop_share) == ((0.5, 0.5, 0.5), 0.95)
        assert np.abs(authors.embeddings() - timms.embeddings()).max() > 0.1
        assert authors.table()["uncertainty"].notna().all()


class TestLayouts:
    """Whatever the authors' trainer may have written is read."""

    def test_module_prefixes_are_taken_off_and_averaged_weights_go_first(self, vit: Written, tmp_path: Path) -> None:
        wrapped = {f"module.{name}": tensor for name, tensor in vit.tensors.items()}
        path = write(tmp_path / "wrapped.pth.tar", wrapped)
        assert head_of(WeightsFile.of_authors(path), 0).digest == head_of(WeightsFile.of_authors(vit.path), 0).digest
        averaged = {name: tensor * 0.5 for name, tensor in vit.tensors.items()}
        path = write(tmp_path / "ema.pth.tar", vit.tensors, state_dict_ema=averaged)
        file = WeightsFile.of_authors(path)
        assert head_of(file, 0).weights[0] == pytest.approx(vit.tensors["unc_module.unc_module.0.weight"].numpy() / 2)
        token = load_weights(file).backbone.network.cls_token
        assert torch.equal(token, averaged["model.cls_token"])

    def test_the_run_said_another_size(self, resnet: Written, tmp_path: Path) -> None:
        args = argparse.Namespace(img_size=256)
        path = write(tmp_path / "wide.pth.tar", resnet.tensors, arch=RESNET, args=args)
        assert load_weights(WeightsFile.of_authors(path)).preprocessing.size_px == 256


def changed(written: Written, change: dict[str, Tensor | None]) -> dict[str, Tensor]:
    """The tensors with some replaced or added; for None, without those whose names begin so."""
    dropped = tuple(name for name, tensor in change.items() if tensor is None)
    kept = {name: tensor for name, tensor in written.tensors.items() if not name.startswith(dropped)}
    return kept | {name: tensor for name, tensor in change.items() if tensor is not None}


class TestRefusals:
    """A file that is not what it says gives a CheckpointError that says so, and nothing else happens."""

    def test_nothing_in_the_file_is_run(self, vit: Written, tmp_path: Path) -> None:
        trap = tmp_path / "made-by-the-trap"
        path = write(tmp_path / "trap.pth.tar", vit.tensors, extra=Reduced(os.mkdir, str(trap)))
        with pytest.raises(CheckpointError, match="nothing but tensors"):
            resolve(path)
        assert not trap.exists()
        torch.load(path, weights_only=False)  # the trap does work
        assert trap.exists()

    def test_a_plain_pickle_is_not_run_either(self, tmp_path: Path) -> None:
        trap = tmp_path / "made-by-the-trap"
        path = tmp_path / "old.pth.tar"
        path.write_bytes(pickle.dumps({"arch": VIT, "state_dict": Reduced(os.mkdir, str(trap))}, protocol=2))
        with pytest.raises(CheckpointError, match=r"old\.pth\.tar"):
            resolve(path)
        assert not trap.exists()

    @pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.9999])
    def test_a_file_that_was_cut_off(self, vit: Written, tmp_path: Path, share: float) -> None:
        data = vit.path.read_bytes()
        path = tmp_path / "cut.pth.tar"
        path.write_bytes(data[: int(share * len(data))])
        with pytest.raises(CheckpointError, match="Download it again"):
            resolve(path)

    def test_another_kind_of_file(self, tmp_path: Path) -> None:
        page, other = tmp_path / "page.pth", tmp_path / "other.pt"
        page.write_text("<html>Quota exceeded</html>")
        torch.save({"weights": torch.zeros(3)}, other)
        with pytest.raises(CheckpointError, match="cannot be read"):
            resolve(page)
        with pytest.raises(CheckpointError, match=r"no `arch` and `state_dict`.*\.safetensors"):
            resolve(other)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"unc_module.queue": torch.zeros(2)}, r"1 tensors.*unc_module\.queue"),
            ({"unc_module.unc_module.2.bias": None}, r"lacks 1 tensors \(unc_module\.unc_module\.2\.bias\)"),
            ({"unc_module.unc_module.4.weight": None}, r"lacks 1 tensors \(unc_module\.unc_module\.4\.weight\)"),
            ({"unc_module.": None}, r"lacks .*unc_module\.unc_module\.0\.weight"),
            ({"unc_module.unc_module.0.bias": torch.full((512,), float("nan"))}, "not finite"),
            ({"model.blocks.12.norm1.bias": torch.zeros(192)}, r"left over 1 tensors \(model\.blocks\.12\.norm1"),
            ({"model.blocks.3.": None}, r"lacks 12 tensors \(model\.blocks\.3.*and 7 more"),
            ({"model.norm.bias": torch.zeros(384)}, r"another shape 1 .*model\.norm\.bias \(384,\), not \(192,\)"),
        ],
    )
    def test_a_head_or_backbone_that_does_not_fit(
        self, vit: Written, tmp_path: Path, change: dict[str, Tensor | None], message: str
    ) -> None:
        with pytest.raises(CheckpointError, match=message):
            load_weights(WeightsFile.of_authors(write(tmp_path / "a.pth.tar", changed(vit, change))))

    def test_an_unknown_network_and_a_head_of_another_embedding_size(
        self, vit: Written, resnet: Written, tmp_path: Path
    ) -> None:
        with pytest.raises(ModelError, match="no_such_network"):
            load_weights(WeightsFile.of_authors(write(tmp_path / "b.pth.tar", vit.tensors, arch="no_such_network")))
        mixed = {n: t for n, t in vit.tensors.items() if n.startswith("model.")}
        mixed |= {n: t for n, t in resnet.tensors.items() if n.startswith("unc_module.")}
        with pytest.raises(HeadMismatchError, match=r"size 96; .* gives 192"):
            load_weights(WeightsFile.of_authors(write(tmp_path / "a.pth.tar", mixed)))
