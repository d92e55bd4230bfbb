"""A backbone is timm's own model bit for bit, its weights are the right ones, and a wrong name says what to do."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from tests.conftest import dice_head
from url_viz.base.errors import CheckpointError, ModelError, WeightsUnavailableError
from url_viz.models.backbone import Backbone, by_position, empty_network, load_backbone, preprocessing_of
from url_viz.models.head import HeadProvenance, save_head
from url_viz.models.model import load_model
from url_viz.models.model_names import DEFAULT, PACKAGED, file_digest

TINY = "test_resnet.r160_in1k"
"""timm's own test model of a third of a million weights: built here with random ones, so that it needs no hub."""


def tiny(**options: object) -> nn.Module:
    torch.manual_seed(0)
    return timm.create_model(TINY, pretrained=False, **options).eval()


def pixels_of(size_px: int, count: int = 2) -> Tensor:
    return torch.randn(count, 3, size_px, size_px, generator=torch.Generator().manual_seed(0))


@pytest.mark.slow
@pytest.mark.parametrize("name", [TINY, "test_vit", "test_efficientnet", "test_convnext"])
def test_logits_are_timms_own_bit_for_bit_and_the_classifier_reads_the_embedding(name: str) -> None:
    torch.manual_seed(0)
    network = timm.create_model(name, pretrained=False).eval()
    size_px = network.pretrained_cfg["input_size"][1]
    with torch.inference_mode():
        logits, embedding = Backbone(network).eval()(pixels_of(size_px))
        expected = network(pixels_of(size_px))
        again = network.get_classifier()(embedding)
    assert torch.equal(logits, expected)
    assert torch.equal(again, expected)
    assert embedding.shape == (2, network.get_classifier().in_features)


@pytest.mark.slow
@pytest.mark.parametrize("name", [TINY, "test_vit", "test_efficientnet", "test_convnext"])
def test_an_undrawn_network_draws_nothing_and_is_the_same_once_its_weights_are_loaded(name: str) -> None:
    drawn = timm.create_model(name, pretrained=False).eval()
    before = torch.get_rng_state()
    undrawn = empty_network(name).eval()
    assert torch.equal(torch.get_rng_state(), before)
    undrawn.load_state_dict(drawn.state_dict())
    pixels = pixels_of(drawn.pretrained_cfg["input_size"][1])
    with torch.inference_mode():
        assert torch.equal(undrawn(pixels), drawn(pixels))
    assert not torch.equal(timm.create_model(name).eval()(pixels), drawn(pixels)), "others are drawn as ever"


def test_a_network_without_classifier_has_no_logits_and_keeps_its_embedding() -> None:
    with torch.inference_mode():
        _, expected = Backbone(tiny())(pixels_of(160))
        bare = tiny(num_classes=0)
        bare.load_state_dict({k: v for k, v in tiny().state_dict().items() if k in bare.state_dict()})
        logits, embedding = Backbone(bare)(pixels_of(160))
    assert logits.shape == (2, 0)
    assert torch.equal(embedding, expected)


@pytest.mark.slow
def test_the_embedded_weights_are_timms_network_and_know_a_cat(cat: Tensor) -> None:
    loaded = load_backbone(DEFAULT)
    with torch.inference_mode():
        logits, embedding = loaded.backbone(cat)
        assert torch.equal(logits, loaded.backbone.network(cat))
    assert embedding.shape == (1, 1280)
    assert logits.argmax().item() in range(281, 286), "one of ImageNet's five domestic cats"
    assert loaded.weights_digest == file_digest(PACKAGED[DEFAULT].weights())
    assert not any(p.requires_grad for p in loaded.backbone.parameters())
    assert not loaded.backbone.training


@pytest.fixture(scope="module")
def cat() -> Tensor:
    """Scikit-image's photograph of a cat, as the default backbone wants to see it."""
    skimage = pytest.importorskip("skimage.data")
    from PIL import Image

    from url_viz.imaging.decode import middle, normalised, resized

    preprocessing = PACKAGED[DEFAULT].preprocessing
    crop = middle(resized(Image.fromarray(skimage.chelsea()), preprocessing), preprocessing.size_px)
    return torch.from_numpy(normalised(crop[None], preprocessing))


class TestByPosition:
    """Weights under other names are taken by position, and only where everything else agrees."""

    def test_takes_equal_shapes_in_equal_order(self) -> None:
        theirs = {f"other.{name}": torch.full_like(t, i) for i, (name, t) in enumerate(tiny().state_dict().items())}
        state = by_position(theirs, tiny())
        assert list(state) == list(tiny().state_dict())
        assert all(bool((tensor == i).all()) for i, tensor in enumerate(state.values()))

    def test_refuses_one_less_one_more_another_shape_and_another_kind(self) -> None:
        theirs = dict(tiny().state_dict())
        [first, *others] = theirs
        rest = {name: theirs[name] for name in others}
        misfits = (rest, theirs | {"extra.weight": torch.zeros(3)}, theirs | {first: torch.zeros(1)})
        for misfit in (*misfits, {f"{first}_x": theirs[first], **rest}):
            with pytest.raises(CheckpointError, match="does not fit"):
                by_position(misfit, tiny())


class TestWeightsOfOurs:
    """A finetuned backbone's file takes the place of the pretrained weights."""

    @pytest.mark.parametrize("n_classes", [0, 7])
    def test_come_back_whatever_the_number_of_classes(self, tmp_path: Path, n_classes: int) -> None:
        network = tiny(num_classes=n_classes)
        save_file(network.state_dict(), tmp_path / "w.safetensors")
        loaded = load_backbone(TINY, weights=tmp_path / "w.safetensors")
        with torch.inference_mode():
            ours, theirs = loaded.backbone(pixels_of(160)), Backbone(network)(pixels_of(160))
        assert torch.equal(ours[0], theirs[0])
        assert torch.equal(ours[1], theirs[1])
        assert loaded.weights_digest == file_digest(tmp_path / "w.safetensors")

    def test_that_are_damaged_or_of_another_network_say_so(self, tmp_path: Path) -> None:
        (tmp_path / "damaged.safetensors").write_bytes(b"\x00" * 40)
        save_file({"conv.weight": torch.zeros(3)}, tmp_path / "other.safetensors")
        with pytest.raises(CheckpointError, match=r"damaged\.safetensors"):
            load_backbone(TINY, weights=tmp_path / "damaged.safetensors")
        with pytest.raises(CheckpointError, match=r"other\.safetensors does not fit"):
            load_backbone(TINY, weights=tmp_path / "other.safetensors")


class TestNames:
    @pytest.mark.parametrize(
        ("name", "hint"),
        [
            ("resnet_18", "Close to it.*resnet18"),
            ("resnet5O", "Close to it.*resnet50"),
            ("qqqqqqqq", "`url-viz models list`"),
            ("foo:bar", "`url-viz models list`"),
        ],
    )
    def test_an_unknown_name_gets_a_hint(self, name: str, hint: str) -> None:
        with pytest.raises(ModelError, match=rf"'{name}'\. ?{hint}"):
            load_backbone(name)

    @pytest.mark.parametrize("name", ["resnet18", "hf-hub:timm/resnet18.a1_in1k"])
    def test_weights_on_a_hub_out_of_reach_are_given_up_within_five_seconds(
        self, name: str, unreachable_hub: None
    ) -> None:
        from huggingface_hub import constants

        before, start = constants.HF_HUB_OFFLINE, time.monotonic()
        with pytest.raises(WeightsUnavailableError, match=f"(?s){name}.*Go online once.*{DEFAULT}"):
            load_backbone(name)
        assert time.monotonic() - start < 5
        assert constants.HF_HUB_OFFLINE is before, "the switch of the hub's library is put back"

    def test_weights_in_the_hubs_cache_are_read_offline(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from huggingface_hub import constants

        network, kept = tiny(), tmp_path / f"models--timm--{TINY}"
        snapshot = kept / "snapshots" / ("0" * 40)
        snapshot.mkdir(parents=True)
        (kept / "refs").mkdir()
        (kept / "refs" / "main").write_text("0" * 40)
        save_file(network.state_dict(), snapshot / "model.safetensors")
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
        loaded = load_backbone(TINY)
        with torch.inference_mode():
            assert torch.equal(loaded.backbone(pixels_of(160))[0], network(pixels_of(160)))
        assert loaded.preprocessing == preprocessing_of(network, TINY), "timm's, as nothing says another"
        head = replace(dice_head(size=96), provenance=HeadProvenance(TINY, loaded.weights_digest))
        save_head(head, tmp_path / "head.safetensors")
        model = load_model(tmp_path / "head.safetensors", device="cpu", workspace=tmp_path / "home")
        assert (model.space.backbone, model.head and model.head.digest) == (TINY, head.digest)

    def test_an_architecture_without_weights_says_so(self) -> None:
        with pytest.raises(WeightsUnavailableError, match="no pretrained weights"):
            load_backbone(next(name for name in timm.list_models("coatnet*") if not timm.is_model_pretrained(name)))


@pytest.fixture
def unreachable_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub's address is one that refuses, so that the test means the same online and offline."""
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("url_viz.models.backbone.HUB", ("127.0.0.1", 9))


@pytest.mark.parametrize(
    ("change", "says"), [({"crop_mode": "border"}, "crop mode"), ({"input_size": (3, 160, 200)}, "only square")]
)
def test_the_preprocessing_is_timms_and_else_refused(change: dict[str, object], says: str) -> None:
    network: Any = tiny()
    ours, config = preprocessing_of(network, TINY), network.pretrained_cfg
    network.pretrained_cfg = {**config, **change}
    with pytest.raises(ModelError, match=says):
        preprocessing_of(network, TINY)
    assert (ours.size_px, ours.interpolation) == (config["input_size"][1], config["interpolation"])
    assert np.allclose((ours.mean, ours.std), (config["mean"], config["std"]))
