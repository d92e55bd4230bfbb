"""A cache holds what it says, goes on where it was stopped, and is written by several processes each its own shards."""

import json
import os
import subprocess
import sys
from copy import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from training import cache as cache_module
from training.cache import PictureViews, Process, main, read_views, write_cache, write_shards
from training.config import Augmentation, CacheConfig, InstanceTarget
from training.data.spec import FileSource, list_pictures
from training.store import CachePaths, open_cache, read_failures
from training.targets import fold_probes, instance_loss
from training.training_rows import Sources, find_groups
from url_viz.base.errors import CacheError, JobError, NoImagesError
from url_viz.base.progress import silent
from url_viz.base.workspace import HOME_VARIABLE
from url_viz.models.model import Model
from url_viz.reading import embed_folder


def config_of(folder: Path, out: Path, **changes: object) -> CacheConfig:
    views = Augmentation(views=2)
    base = CacheConfig(f"folder:{folder}", out, augmentation=views, precision="exact", shard_rows=8, batch=12)
    return replace(base, **changes)  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_cache_holds_views_clean_embeddings_and_task_losses_and_no_other(
    folder: Path, tmp_path: Path, model: Model
) -> None:
    config = config_of(folder, tmp_path / "cache")
    cache = write_cache(config, model, silent)
    assert len(cache) == 48
    assert cache.clean.shape == (24, 1280)
    pictures = FileSource(list_pictures(config.data), 8)
    for row in (0, 17, 47):
        line = cache.rows[row]
        read = read_views(pictures.picture(int(line["picture"])), config.augmentation, 0, model.space.preprocessing)
        assert isinstance(read, PictureViews)
        expected = model.run(read.crops[1 + int(line["view"])][None]).embedding[0]
        assert cache.embeddings[np.array([row])][0] == pytest.approx(expected, rel=2e-3, abs=2e-3)
        assert line["id"] == pictures.listed.ids[line["picture"]]
        assert line["label"] == pictures.listed.labels[line["picture"]]
    assert np.array_equal(cache.clean_rows, np.repeat(np.arange(24), 2))
    paths = [folder / path.decode() for path in pictures.listed.paths]
    assert cache.clean == pytest.approx(model.predict(paths).embedding, rel=2e-3, abs=2e-3), "the app's"
    every = np.arange(len(cache))
    expected = instance_loss(cache.embeddings, every, cache.clean_rows, cache.clean, target=InstanceTarget(), seed=0)
    assert np.array_equal(cache.loss(), expected)
    # Another seed and other pictures are refused by name.
    with pytest.raises(CacheError, match="seed: 0 there, 1 asked"):
        write_cache(replace(config, seed=1), model, silent)
    with pytest.raises(CacheError, match="pictures"):
        write_cache(replace(config, limit=5), model, silent)
    with pytest.raises(CacheError, match="views"):
        write_cache(replace(config, augmentation=Augmentation(views=3)), model, silent)
    other = copy(model)
    other.space = replace(model.space, backbone="another", weights_digest="0" * 16)
    with pytest.raises(CacheError, match=r"weights_digest: '.*' there, '0000000000000000' asked"):
        write_cache(config, other, silent)
    # Another target uses the embeddings that are there.
    shard = CachePaths(config.out).shard(0) / "embedding.npy"
    before = shard.stat().st_mtime_ns
    labels = write_cache(replace(config, target="labels"), model, silent)
    assert labels.about_loss == {"target": "labels", "folds": "twins"}
    assert not np.array_equal(labels.loss(), expected)
    colder = write_cache(replace(config, instance=InstanceTarget(temperature=0.03)), model, silent)
    assert colder.about_loss["temperature"] == 0.03
    assert not np.array_equal(colder.loss(), expected)
    assert shard.stat().st_mtime_ns == before


@pytest.mark.slow
def test_what_fitted_classifiers_say_of_an_image_set_is_a_run_of_it(folder: Path, tmp_path: Path, model: Model) -> None:
    write_cache(config_of(folder, tmp_path / "before", target="labels"), model, silent)
    image_set = embed_folder(folder, model=model)
    assert image_set.runs.names() == (), "it was no image set yet"
    cache = write_cache(config_of(folder, tmp_path / "cache", target="labels"), model, silent, head=tmp_path / "head")
    write_cache(config_of(folder, tmp_path / "cache"), model, silent)
    assert image_set.runs.names() == ("pretrain-head",)
    run = image_set.runs.get("pretrain-head")
    assert run.is_held_out.all()
    assert run.match.words == ""
    group = find_groups(Sources.from_caches(cache), "twins")
    row_of = dict(zip(image_set.core.ids.tolist(), range(len(image_set)), strict=True))
    ids = cache.by_picture("id", without=-1)
    for probe in fold_probes(cache.clean, cache.labels, group):
        pictures = np.flatnonzero(probe.is_tested)
        logits = probe.logits(cache.clean[pictures]).astype(np.float64)
        shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        rows = [row_of[int(one)] for one in ids[pictures]]
        np.testing.assert_allclose(run.held_out[rows], shares, atol=2e-3)


@pytest.mark.slow
def test_unreadable_pictures_are_named_and_left_out(folder: Path, tmp_path: Path, model: Model) -> None:
    (folder / "round" / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    cache = write_cache(config_of(folder, tmp_path / "cache"), model, silent)
    assert len(cache.clean) == 24
    failures = cache_module.store.read_failures(cache.paths)
    assert list(failures) == ["round/broken.jpg"]
    assert np.array_equal(cache.pictures[cache.clean_rows], cache.rows["picture"])
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.jpg").write_bytes(b"nothing")
    with pytest.raises(NoImagesError, match="None of the 1 pictures"):
        write_cache(config_of(tmp_path / "bad", tmp_path / "none"), model, silent)
    with pytest.raises(CacheError, match=r"python -m training\.cache"):
        open_cache(tmp_path)


@pytest.mark.slow
def test_wordnet_folders_take_the_backbones_own_classifier(folder: Path, tmp_path: Path, model: Model) -> None:
    (folder / "round").rename(folder / "n01440764")
    (folder / "square").rename(folder / "n01443537")
    cache = write_cache(config_of(folder, tmp_path / "cache", target="labels"), model, silent)
    pictures = FileSource(list_pictures(f"folder:{folder}"), 8)
    read = read_views(pictures.picture(0), Augmentation(views=2), 0, model.space.preprocessing)
    assert isinstance(read, PictureViews)
    logits = model.run(read.crops[1:]).logits.astype(np.float64)
    # n01440764 is class 0 of ImageNet-1k.
    expected = np.log(np.exp(logits).sum(axis=1)) - logits[:, 0]
    assert cache.loss()[:2] == pytest.approx(expected, rel=1e-3)


ROOT = Path(__file__).parent.parent.parent


def test_every_shard_has_one_owner() -> None:
    owned = [number for rank in range(3) for number in Process(rank, 3).shard_numbers(10)]
    assert sorted(owned) == list(range(10))
    assert list(Process().shard_numbers(4)) == [0, 1, 2, 3]


def test_torchruns_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    assert Process.from_environment() == Process(0, 1, 0)
    for name, value in (("RANK", "5"), ("WORLD_SIZE", "8"), ("LOCAL_RANK", "1")):
        monkeypatch.setenv(name, value)
    assert Process.from_environment() == Process(5, 8, 1)
    monkeypatch.setenv("RANK", "8")
    with pytest.raises(JobError, match="number 8 of 8"):
        Process.from_environment()
    monkeypatch.setenv("RANK", "first")
    with pytest.raises(JobError, match="'first'"):
        Process.from_environment()


@pytest.mark.slow
def test_a_process_whose_part_is_done_ends_without_the_others(
    folder: Path,
    tmp_path: Path,
    model: Model,
    prepared: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(prepared))
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    config = config_of(folder, tmp_path / "cache")
    main(replace(config, device="cpu"))
    paths = CachePaths(config.out)
    assert [paths.shard(number).is_dir() for number in range(6)] == [False, True] * 3
    assert not paths.loss.exists()
    with pytest.raises(CacheError, match="lacks 3 of 6 shards"):
        open_cache(config.out)
    assert "3 shards" in capsys.readouterr().out
    assert write_shards(config, model, silent, process=Process(0, 2)) == 0
    assert np.isfinite(write_cache(config, model, silent).loss()).all()


@pytest.mark.torture
def test_two_processes_of_torchrun_write_what_one_writes(
    folder: Path, tmp_path: Path, model: Model, prepared: Path
) -> None:
    (folder / "round" / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    (folder / "square" / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    alone = write_cache(config_of(folder, tmp_path / "alone"), model, silent)
    options = ["--views", "2", "--precision", "exact", "--shard-rows", "8", "--batch", "12", "--device", "cpu"]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += ["-m", "training.cache", "--data", f"folder:{folder}", "--out", str(tmp_path / "shared"), *options]
    environment = os.environ | {HOME_VARIABLE: str(prepared), "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=200)
    assert ended.returncode == 0, ended.stderr
    shared = open_cache(tmp_path / "shared")
    everything = np.arange(len(alone))
    assert np.array_equal(shared.rows[["id", "view"]], alone.rows[["id", "view"]])
    assert np.array_equal(shared.embeddings[everything], alone.embeddings[everything])
    assert np.array_equal(shared.loss(), alone.loss())
    assert read_failures(shared.paths) == read_failures(alone.paths)
    assert json.loads(shared.paths.manifest.read_text()) == json.loads(alone.paths.manifest.read_text())
