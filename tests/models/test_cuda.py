"""What only a GPU can show: `make cuda`. Nothing here has run where the project is built, which has none."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.imaging.pictures import write_folder
from tests.pipeline.reader import is_consistent
from url_viz.imaging.decode import Preprocessing
from url_viz.models.backbone import load_backbone
from url_viz.models.model import load_model
from url_viz.models.model_names import DEFAULT
from url_viz.models.runtime import MultiGpuRuntime, gpus
from url_viz.models.runtime_torch import LARGEST_BATCH, SMALLEST_BATCH, TorchRuntime
from url_viz.reading import embed_folder

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here"),
]

SHEET = Preprocessing()


@pytest.fixture(scope="module")
def crops() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (96, 224, 224, 3), dtype=np.uint8)


def runtime(precision: str, device: str = "cuda:0") -> TorchRuntime:
    loaded = load_backbone(DEFAULT)
    return TorchRuntime(loaded.backbone, loaded.preprocessing, device=device, precision=precision)  # type: ignore[arg-type]


def test_exact_is_what_the_cpu_gives(crops: np.ndarray) -> None:
    ours, theirs = runtime("float32").start(crops)().embedding, runtime("float32", "cpu").start(crops)().embedding
    assert np.abs(ours - theirs).max() < 1e-3 * np.abs(theirs).max()


def test_fast_is_near_it(crops: np.ndarray) -> None:
    ours, theirs = runtime("bf16").start(crops)().embedding, runtime("float32").start(crops)().embedding
    cosine = (ours * theirs).sum(axis=1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(theirs, axis=1)
    assert cosine.min() > 0.99


def test_rows_are_in_the_order_of_their_batches_however_many_are_under_way(crops: np.ndarray) -> None:
    one = runtime("float32")
    waits = [one.start(part) for part in np.split(crops, 6)]
    found = np.concatenate([wait().embedding for wait in waits])
    assert np.abs(found - one.start(crops)().embedding).max() < 1e-3 * np.abs(found).max()


class Slow(nn.Module):
    """Multiplies for long; an embedding of colour means."""

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        square = torch.ones(8192, 8192, device=pixels.device)
        for _ in range(20):
            square = square @ square / 8192
        return pixels.flatten(1)[:, :5], pixels.mean((2, 3)) * square[0, 0]


def test_a_batch_is_under_way_when_start_returns(crops: np.ndarray) -> None:
    one = TorchRuntime(Slow(), SHEET, device="cuda:0", precision="float32")  # type: ignore[arg-type]
    one.start(crops[:4])()
    wait = one.start(crops[:4])
    under_way = torch.cuda.Event()
    under_way.record()
    assert not under_way.query(), "the GPU computes while this program goes on"
    assert wait().embedding.shape == (4, 3)
    assert under_way.query()


def test_batches_are_by_memory() -> None:
    assert SMALLEST_BATCH <= runtime("bf16").batch <= LARGEST_BATCH


def test_what_does_not_fit_is_halved(crops: np.ndarray) -> None:
    one = runtime("float32")
    expected = one.start(crops)().embedding
    torch.cuda.empty_cache()
    free, total = torch.cuda.mem_get_info()
    torch.cuda.set_per_process_memory_fraction(min(1.0, (total - free + 300 * 2**20) / total))
    try:
        found = one.start(np.concatenate([crops] * 8))().embedding
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert np.abs(found[: len(crops)] - expected).max() < 1e-3 * np.abs(expected).max()


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="there is one GPU here")
def test_several_gpus_read_in_turn(crops: np.ndarray) -> None:
    model = load_model(DEFAULT, device="cuda", precision="exact")
    assert isinstance(model.runtime, MultiGpuRuntime)
    for name in gpus():
        assert runtime("float32", name).start(crops[:8])().embedding == pytest.approx(
            model.run(crops[:8]).embedding, rel=1e-2, abs=1e-3
        )


def test_a_folder_is_read(tmp_path: Path) -> None:
    model = load_model(DEFAULT, device="cuda", workspace=tmp_path / "home")
    folder = write_folder(tmp_path / "zoo", 90, classes=("cat", "dog"))
    (folder / "cat" / "broken.jpg").write_bytes(b"none")
    image_set = embed_folder(folder, model=model, workspace=tmp_path / "home")
    assert len(image_set) == 90
    assert len(image_set.failures()) == 1
    is_consistent(image_set, model)
