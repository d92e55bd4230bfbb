"""Processes that torchrun starts write one cache between them, each its own shards, and wait for nobody."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from training.cache import Process, main, write_cache, write_shards
from training.config import Augmentation, CacheConfig
from training.store import CachePaths, open_cache, read_failures
from url_viz.base.errors import CacheError, JobError
from url_viz.base.progress import silent
from url_viz.base.workspace import HOME_VARIABLE
from url_viz.models.model import Model

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


def config_of(folder: Path, out: Path) -> CacheConfig:
    return CacheConfig(
        f"folder:{folder}", out, augmentation=Augmentation(views=2), precision="exact", shard_rows=8, batch=12
    )


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
