"""The trained twin of the head: the same function as the file's, and no gradient towards the backbone."""

from pathlib import Path

import numpy as np
import pytest
import torch

from url_viz.models.head import HeadProvenance, load_head, save_head
from url_viz.models.head_module import HeadModule


@pytest.mark.parametrize("layer_norm", [False, True])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_module_file_and_numpy_agree(tmp_path: Path, layer_norm: bool, depth: int) -> None:
    torch.manual_seed(depth)
    module = HeadModule(24, width=16, depth=depth, layer_norm=layer_norm)
    save_head(module.to_head(HeadProvenance("none")), tmp_path / "head.safetensors")
    head = load_head(tmp_path / "head.safetensors")
    # float16 values, since a head reads embeddings as they are stored
    embedding = np.random.default_rng(0).normal(scale=3, size=(50, 24)).astype(np.float16)
    with torch.no_grad():
        expected = module(torch.from_numpy(embedding.astype(np.float32))).numpy()
        again = HeadModule.from_head(head)(torch.from_numpy(embedding.astype(np.float32))).numpy()
    assert head(embedding) == pytest.approx(expected, rel=1e-5, abs=1e-6)
    assert np.array_equal(again, expected)


def test_one_row_is_one_uncertainty() -> None:
    # METHOD 8.17: a bare squeeze() turns a batch of one into a scalar.
    assert HeadModule(4, width=3)(torch.zeros(1, 4)).shape == (1,)


def test_the_papers_head_has_the_papers_size() -> None:
    # METHOD 1.1: 656,897 parameters on ViT-Base (D 768).
    assert sum(p.numel() for p in HeadModule(768).parameters()) == 656_897


@pytest.mark.parametrize(("stop_gradient", "reaches"), [(True, False), (False, True)])
def test_no_gradient_reaches_the_backbone(stop_gradient: bool, reaches: bool) -> None:
    backbone = torch.nn.Linear(6, 4)
    module = HeadModule(4, width=8, stop_gradient=stop_gradient)
    module(backbone(torch.randn(5, 6, generator=torch.Generator().manual_seed(0)))).sum().backward()
    assert (backbone.weight.grad is not None) is reaches
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in module.parameters())


def test_uncertainty_is_positive() -> None:
    module = HeadModule(4, width=8)
    with torch.no_grad():
        module.layers[-1].bias.fill_(-200.0)
        assert (module(torch.randn(10, 4, generator=torch.Generator().manual_seed(0))) > 0).all()
