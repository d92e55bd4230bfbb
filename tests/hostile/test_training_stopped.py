"""Training that ends too early, or twice at once: what was written is whole, and the same command ends the same."""

import contextlib
import errno
import os
import shutil
import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from filelock import FileLock

from tests.imaging.pictures import write_folder
from tests.processes import run_python
from training.cache import write_cache
from training.command import command
from training.config import Augmentation, CacheConfig, FinetuneConfig, Recipe, Target, TrainConfig
from training.finetune import main as finetune_main
from training.head_finetuning import finetune_head
from training.store import Cache, CachePaths, locked, open_cache, read_failures
from training.train import main as train_main
from url_viz.base.errors import CacheError, FolderError
from url_viz.base.progress import silent
from url_viz.models.head import load_head
from url_viz.models.model import Model, load_model

PICTURES, SHARDS = 24, 6
RECIPE = Recipe(epochs=2, batch=16, held_out=0.25)
pytestmark = pytest.mark.slow

KILLER = """
import os, signal, sys
left, replace = int(sys.argv.pop(1)), os.replace
def killing(source, target, **options):
    global left
    if os.environ["WHERE"] in os.fspath(target):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
    replace(source, target, **options)
os.replace = killing
import runpy
runpy.run_module(sys.argv.pop(1), run_name="__main__")
"""
"""Runs a command that is killed (-9) as it is about to give a file, or shard, its name for the N-th time."""


@pytest.fixture(scope="module")
def exact(prepared: Path) -> Model:
    return load_model(precision="exact", device="cpu", workspace=prepared)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "pictures", PICTURES, classes=("cat", "dog"))


def cache_config(pictures: Path, out: Path, target: Target = "instance") -> CacheConfig:
    views = 2
    return CacheConfig(
        data=str(pictures),
        out=out,
        target=target,
        augmentation=Augmentation(views=views),
        shard_rows=views * PICTURES // SHARDS,
        precision="exact",
        device="cpu",
    )


def finetune_config(pictures: Path, out: Path) -> FinetuneConfig:
    return FinetuneConfig(
        data=str(pictures),
        out=out,
        recipe=RECIPE,
        augmentation=Augmentation(views=2),
        precision="exact",
        device="cpu",
    )


def killed(module: str, words: Sequence[object], *, after: int, where: Path, workspace: Path) -> None:
    variables = {**os.environ, "URL_VIZ_HOME": str(workspace), "WHERE": str(where)}
    done = run_python("-c", KILLER, after, module, *words, env=variables)
    assert done.returncode == -signal.SIGKILL, done.stderr


def same(a: Cache, b: Cache) -> bool:
    places = np.arange(len(a))
    pairs: list[tuple[Any, Any]] = [
        (a.embeddings[places], b.embeddings[places]),
        (a.clean, b.clean),
        (a.loss(), b.loss()),
        (a.rows, b.rows),
    ]
    return len(a) == len(b) and all(np.array_equal(x, y) or x.tobytes() == y.tobytes() for x, y in pairs)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, exact: Model) -> Callable[[Target], CacheConfig]:
    """What wrote a cache for a target, once for the module."""

    @cache
    def written(target: Target) -> CacheConfig:
        root = tmp_path_factory.mktemp(target)
        folder = write_folder(root / "pictures", PICTURES, classes=("n01440764", "n01443537"))
        config = cache_config(folder, root / "cache", target)
        write_cache(config, exact, silent)
        return config

    return written


@pytest.fixture
def once(undisturbed: Callable[[Target], CacheConfig]) -> CacheConfig:
    return undisturbed("instance")


def goes_on_and_ends_the_same(out: Path, whole: CacheConfig, exact: Model) -> None:
    there = [path for path in out.glob("shard-*") if (path / "pictures.npy").exists()]
    before = {path: path.stat().st_mtime_ns for path in there}
    assert same(write_cache(replace(whole, out=out), exact, silent), open_cache(whole.out))
    assert {path: path.stat().st_mtime_ns for path in there} == before, "what was written is not written again"


@pytest.mark.torture
@pytest.mark.parametrize("target", ["instance", "labels"])
@pytest.mark.parametrize("after", range(12))
def test_a_killed_cache_goes_on_and_ends_the_same(
    tmp_path: Path,
    exact: Model,
    workspace: Path,
    undisturbed: Callable[[Target], CacheConfig],
    target: Target,
    after: int,
) -> None:
    whole, out = undisturbed(target), tmp_path / "cache"
    words = ["--data", whole.data, "--out", out, "--target", target, "--views", 2, "--precision", "exact"]
    words += ["--shard-rows", 2 * PICTURES // SHARDS, "--device", "cpu"]
    killed("training.cache", words, after=after, where=out, workspace=workspace)
    goes_on_and_ends_the_same(out, whole, exact)


def test_a_cache_that_is_stopped_goes_on_and_ends_the_same(
    tmp_path: Path, exact: Model, once: CacheConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this process, as its third shard is about to have its name."""
    out, rename, left = tmp_path / "cache", os.replace, iter(range(3))

    def stopping(source: str, target: str) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        rename(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", stopping)
        with pytest.raises(KeyboardInterrupt):
            write_cache(replace(once, out=out), exact, silent)
    assert 0 < len(list(out.glob("shard-*"))) < SHARDS
    goes_on_and_ends_the_same(out, once, exact)


@pytest.mark.parametrize("after", [6, *(pytest.param(n, marks=pytest.mark.torture) for n in range(9) if n != 6)])
def test_a_killed_finetune_goes_on_and_ends_the_same(
    tmp_path: Path, pictures: Path, exact: Model, workspace: Path, after: int
) -> None:
    undisturbed = tmp_path / "undisturbed"
    finetune_head(finetune_config(pictures, undisturbed), exact, silent)
    written = [p for p in undisturbed.iterdir() if p.is_file() and not p.name.startswith(".")]
    out = tmp_path / "run"
    words = ["--data", pictures, "--out", out, "--views", 2, "--epochs", 2, "--batch", 16, "--held-out", 0.25]
    words += ["--precision", "exact", "--device", "cpu"]
    killed("training.finetune", words, after=after, where=out, workspace=workspace)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("shard-*/*.npy")}
    finetune_head(finetune_config(pictures, out), exact, silent)
    assert load_head(out / "head.safetensors").digest == load_head(undisturbed / "head.safetensors").digest
    assert {p.name for p in written} <= {p.name for p in out.iterdir()}
    assert {path: path.stat().st_mtime_ns for path in before} == before, "what was written is not written again"


@pytest.mark.torture
def test_a_killed_train_leaves_the_head_before_or_the_new_one(
    tmp_path: Path, once: CacheConfig, workspace: Path
) -> None:
    config = TrainConfig(cache=(once.out,), out=tmp_path / "run", recipe=RECIPE, device="cpu")
    train_main(config)
    before = (tmp_path / "run" / "head.safetensors").read_bytes()
    words = ["--cache", once.out, "--out", tmp_path / "run", "--epochs", 2, "--batch", 16, "--seed", 5]
    killed("training.train", [*words, "--device", "cpu"], after=0, where=tmp_path / "run", workspace=workspace)
    assert (tmp_path / "run" / "head.safetensors").read_bytes() == before
    train_main(config)
    assert load_head(tmp_path / "run" / "head.safetensors").digest == load_head_of(before, tmp_path).digest


def load_head_of(data: bytes, tmp_path: Path):  # type: ignore[no-untyped-def]
    (tmp_path / "before.safetensors").write_bytes(data)
    return load_head(tmp_path / "before.safetensors")


class TestTwoAtOnce:
    def test_a_second_process_is_refused_in_words(self, tmp_path: Path, pictures: Path, exact: Model) -> None:
        with locked(tmp_path / "run"), pytest.raises(FolderError, match="choose another --out"):
            finetune_main(finetune_config(pictures, tmp_path / "run"))
        with locked(tmp_path / "run"), pytest.raises(FolderError, match="Another process writes"):
            train_main(TrainConfig(cache=(tmp_path / "none",), out=tmp_path / "run"))
        with locked(tmp_path / "cache", part="process-0"), pytest.raises(FolderError, match="Another process writes"):
            write_cache(cache_config(pictures, tmp_path / "cache"), exact, silent)

    def test_other_shares_of_a_cache_go_on(self, tmp_path: Path, pictures: Path, exact: Model) -> None:
        with locked(tmp_path / "cache", part="process-1"):
            assert len(write_cache(cache_config(pictures, tmp_path / "cache"), exact, silent)) == 2 * PICTURES

    def test_a_dead_process_holds_nothing(self, tmp_path: Path) -> None:
        script = f"import os, filelock; filelock.FileLock({str(tmp_path / '.run.lock')!r}).acquire(); os._exit(9)"
        run_python("-c", script)
        with locked(tmp_path):
            assert FileLock(tmp_path / ".run.lock").lock_file


class TestCutFiles:
    @pytest.fixture
    def written(self, once: CacheConfig, tmp_path: Path) -> CacheConfig:
        shutil.copytree(once.out, tmp_path / "cache")
        return replace(once, out=tmp_path / "cache")

    @pytest.mark.parametrize(
        "name", ["embedding.npy", "rows.npy", "clean.npy", "pictures.npy", "loss.npy", "loss.json"]
    )
    @pytest.mark.parametrize("share", [0, 0.5])
    def test_the_sentence_names_what_to_delete_and_the_same_command_mends(
        self, written: CacheConfig, exact: Model, name: str, share: float
    ) -> None:
        paths = CachePaths(written.out)
        whole = open_cache(written.out).loss()
        path = (paths.folder if name.startswith("loss") else paths.shard(SHARDS - 1)) / name
        path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
        with pytest.raises(CacheError, match=f"{name} is damaged.*Delete (.*) and run the same") as told:
            write_cache(written, exact, silent).loss()
        part = Path(str(told.value).partition("Delete ")[2].partition(" and run")[0])
        assert part in (path, path.parent)
        with contextlib.suppress(NotADirectoryError):
            for file in part.iterdir():
                file.unlink()
            part.rmdir()
        part.unlink(missing_ok=True)
        assert np.array_equal(write_cache(written, exact, silent).loss(), whole)

    def test_a_cut_manifest_and_list_of_failures(self, written: CacheConfig, exact: Model) -> None:
        paths = CachePaths(written.out)
        paths.manifest.write_text(paths.manifest.read_text()[:40])
        with pytest.raises(CacheError, match="holds no cache"):
            open_cache(written.out)
        paths.failures.write_text("{")
        with pytest.raises(CacheError, match=r"failures\.json is damaged"):
            read_failures(paths)


class TestTheMachine:
    def told(self, error: Exception, capsys: pytest.CaptureFixture[str]) -> str:
        def fail(_: TrainConfig) -> None:
            raise error

        assert command(TrainConfig, fail, ["--cache", "a", "--out", "b"]) == 1
        return capsys.readouterr().err

    def test_a_full_gpu(self, capsys: pytest.CaptureFixture[str]) -> None:
        said = self.told(torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB."), capsys)
        assert "smaller --batch" in said
        assert "CUDA out of memory" in said

    def test_a_full_disk(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert "make room" in self.told(OSError(errno.ENOSPC, "No space left on device", "b/loss.npy"), capsys)

    def test_a_bug_of_ours_is_not_hidden(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(RuntimeError, match="a bug"):
            self.told(RuntimeError("a bug"), capsys)
