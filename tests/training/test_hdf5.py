"""The authors' HDF5 caches train a head here: the same rows, the classifier's losses, no class on both sides."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from torch.nn import functional as F

from training.config import Recipe, TrainConfig
from training.hdf5 import convert_hdf5
from training.store import RunPaths
from training.train import main, open_sources
from training.training_rows import training_rows
from url_viz.base.errors import CacheError
from url_viz.base.progress import silent
from url_viz.models.backbone import LoadedBackbone, as_backbone, create_network, preprocessing_of
from url_viz.models.head import load_head

CLASSES, SIZE, ROWS = 40, 96, 230


@pytest.fixture(scope="module")
def loaded() -> LoadedBackbone:
    network = create_network("test_resnet", num_classes=CLASSES)
    return LoadedBackbone("test_resnet", as_backbone(network), "1" * 16, preprocessing_of(network, "test_resnet"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(tmp_path / "dataset.hdf5", np.random.default_rng(0).integers(CLASSES, size=ROWS))


def write(path: Path, labels: np.ndarray, size: int = SIZE) -> Path:
    """A file as the authors' script leaves it: resizable, grown batch by batch."""
    embed = np.random.default_rng(1).normal(size=(len(labels), size)).astype(np.float32)
    with h5py.File(path, "w") as out:
        out.create_dataset("embed", (0, size), "f4", maxshape=(None, size))
        out.create_dataset("label", (0, 1), "f4", maxshape=(None, 1))
        for start in range(0, len(labels), 64):
            part = slice(start, min(start + 64, len(labels)))
            for name, values in (("embed", embed), ("label", labels[:, None])):
                out[name].resize(part.stop, axis=0)
                out[name][part] = values[part]
    return path


def test_rows_and_losses_are_those_of_the_file(file: Path, tmp_path: Path, loaded: LoadedBackbone) -> None:
    cache = convert_hdf5(file, tmp_path / "cache", loaded, silent, shard_rows=100)
    with h5py.File(file) as source:
        embed, label = source["embed"][:], source["label"][:, 0].astype(int)
    assert cache.manifest.shards == 3
    assert np.array_equal(cache.embeddings[np.arange(ROWS)], embed.astype(np.float16))
    assert np.array_equal(cache.rows["label"], label)
    assert np.array_equal(cache.labels, np.unique(label))
    with torch.inference_mode():
        logits = loaded.backbone.network.get_classifier()(torch.from_numpy(embed))
    expected = [float(F.cross_entropy(row, torch.tensor(int(y)))) for row, y in zip(logits, label, strict=True)]
    assert cache.loss() == pytest.approx(np.array(expected), rel=1e-5)


def test_no_class_is_both_learnt_from_and_held_out(file: Path, tmp_path: Path, loaded: LoadedBackbone) -> None:
    # A row's picture is unknown there, and another view of it may stand anywhere; a class is on one side only.
    cache = convert_hdf5(file, tmp_path / "cache", loaded, silent)
    rows = training_rows(cache, held_out=0.3, device=torch.device("cpu"))
    learnt = set(cache.rows["label"][rows.training].tolist())
    held_out = set(cache.rows["label"].tolist()) - learnt
    assert len(rows.training) + len(rows.held_out) == ROWS
    assert len(rows.held_out) == np.isin(cache.rows["label"], list(held_out)).sum()
    assert 0.1 < len(held_out) / CLASSES < 0.5
    assert rows.criterion == "rank agreement"


def test_a_stopped_run_goes_on_and_another_file_is_refused(file: Path, tmp_path: Path, loaded: LoadedBackbone) -> None:
    def stop(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert_hdf5(file, tmp_path / "cache", loaded, stop, shard_rows=100)
    first = (tmp_path / "cache" / "shard-00000" / "rows.npy").stat().st_mtime_ns
    assert len(convert_hdf5(file, tmp_path / "cache", loaded, silent, shard_rows=100)) == ROWS
    assert (tmp_path / "cache" / "shard-00000" / "rows.npy").stat().st_mtime_ns == first
    other = write(tmp_path / "other.hdf5", np.zeros(ROWS, int))
    with pytest.raises(CacheError, match="pictures_digest"):
        convert_hdf5(other, tmp_path / "cache", loaded, silent, shard_rows=100)


def test_what_is_no_such_cache_is_told(tmp_path: Path, loaded: LoadedBackbone) -> None:
    def refused(path: Path, match: str) -> None:
        with pytest.raises(CacheError, match=match):
            convert_hdf5(path, tmp_path / "cache", loaded, silent)

    (tmp_path / "broken.hdf5").write_bytes(b"no")
    refused(tmp_path / "broken.hdf5", "Cannot read")
    refused(write(tmp_path / "wide.hdf5", np.zeros(5, int), size=7), "size 7")
    refused(write(tmp_path / "many.hdf5", np.full(5, CLASSES)), "labels up to 40")
    refused(write(tmp_path / "half.hdf5", np.full(5, 0.5)), "whole numbers")
    with h5py.File(tmp_path / "empty.hdf5", "w") as out:
        out.create_dataset("other", (2, 2), "f4")
    refused(tmp_path / "empty.hdf5", "Expected are embed")
    with pytest.raises(CacheError, match="--backbone"):
        open_sources(TrainConfig((tmp_path / "half.hdf5",), tmp_path / "out"))


@pytest.mark.slow
def test_the_command_trains_on_it(tmp_path: Path) -> None:
    file = write(tmp_path / "dataset.hdf5", np.random.default_rng(0).integers(1000, size=600), size=1280)
    recipe = Recipe(width=16, epochs=2, batch=64, held_out=0.2)
    config = TrainConfig((file,), tmp_path / "out", backbone="tf_efficientnet_lite0", recipe=recipe, device="cpu")
    main(config)
    head = load_head(RunPaths(config.out).head)
    assert (head.provenance.backbone, head.embedding_size) == ("tf_efficientnet_lite0", 1280)
    assert head.provenance.recipe["rows"] == 600
