"""A cache of tar shards holds what a cache of the unpacked pictures holds, one shard a tar, resumable and shared."""

import io
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from training.cache import Process, write_cache, write_shards
from training.config import Augmentation, CacheConfig, FinetuneConfig, Recipe
from training.data.spec import TarSource, list_pictures, picture_source
from training.head_finetuning import finetune_head
from training.store import CachePaths, open_cache, read_failures, read_manifest
from url_viz.base.errors import CacheError, FolderError, NoImagesError
from url_viz.base.progress import Progress, silent
from url_viz.models.model import Model

SYNSETS = ("n01440764", "n01443537")  # classes 0 and 1 of ImageNet-1k


def packed(folder: Path, out: Path, *, tars: int = 3) -> Path:
    """The pictures of `folder` in so many tars, named by WordNet id and place; every tar has a broken one."""
    out.mkdir()
    paths = sorted(folder.rglob("*.png"))
    for number in range(tars):
        with tarfile.open(out / f"part-{number:03d}.tar", "w") as archive:
            for place in range(number, len(paths), tars):
                archive.add(paths[place], f"{SYNSETS[place % 2]}_{place}.png")
            entry = tarfile.TarInfo(f"{SYNSETS[0]}_broken{number}.jpg")
            entry.size = 9
            archive.addfile(entry, io.BytesIO(b"no pixels"))
    return out


@pytest.fixture
def tars(folder: Path, tmp_path: Path) -> Path:
    return packed(folder, tmp_path / "tars")


def config_of(tars: Path, out: Path, **changes: object) -> CacheConfig:
    base = CacheConfig(f"tar:{tars}", out, augmentation=Augmentation(views=2), batch=12)
    return replace(base, **changes)  # type: ignore[arg-type]


class TestSource:
    """What a SPEC of tars means, before any picture is read."""

    def test_positions_rise_over_the_tars(self, tars: Path) -> None:
        source = picture_source(config_of(tars, tars), classifier_classes=1000)
        assert isinstance(source, TarSource)
        found = [picture for shard in range(3) for picture in source.read(shard)]
        positions = [getattr(picture, "position", -1) for picture in found]
        assert positions == sorted(set(positions))
        assert len(found) == 27
        assert source.tars == ("part-000.tar", "part-001.tar", "part-002.tar")

    def test_a_limit_is_spread_over_the_tars(self, tars: Path) -> None:
        for limit, shares in ((2, [0, 1, 1]), (5, [1, 2, 2]), (6, [2, 2, 2])):
            source = picture_source(config_of(tars, tars, limit=limit), classifier_classes=1000)
            assert [len(list(source.read(shard))) for shard in range(3)] == shares
            assert source.digest != picture_source(config_of(tars, tars), classifier_classes=1000).digest

    def test_labels_are_the_classifiers(self, tars: Path) -> None:
        of_1k = picture_source(config_of(tars, tars), classifier_classes=1000)
        assert {getattr(picture, "label", 0) for picture in of_1k.read(0)} == {0, 1}
        of_21k = picture_source(config_of(tars, tars), classifier_classes=21_843)
        named = {of_21k.classes[getattr(picture, "label", 0)] for picture in of_21k.read(0)}
        assert named == set(SYNSETS)

    def test_without_wordnet_ids_there_are_labels_only_where_none_are_needed(
        self, folder: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "plain").mkdir()
        with tarfile.open(tmp_path / "plain" / "a.tar", "w") as archive:
            archive.add(folder / "round" / "00.png", "000000.png")
        config = config_of(tmp_path / "plain", tmp_path)
        assert [
            getattr(picture, "label", 0) for picture in picture_source(config, classifier_classes=1000).read(0)
        ] == [-1]
        with pytest.raises(FolderError, match="has no WordNet id"):
            list(picture_source(replace(config, target="labels"), classifier_classes=1000).read(0))

    def test_tars_are_streamed_and_no_list(self, tars: Path) -> None:
        with pytest.raises(FolderError, match="Unpack"):
            list_pictures(f"tar:{tars}")


class StoppedError(Exception):
    """The user pressed Ctrl-C."""


@pytest.mark.slow
def test_it_holds_what_the_unpacked_pictures_give_and_goes_on_where_it_was_stopped(
    tars: Path, tmp_path: Path, model: Model
) -> None:
    unpacked = tmp_path / "unpacked"
    for tar in sorted(tars.iterdir()):
        with tarfile.open(tar) as archive:
            archive.extractall(unpacked, filter="data")
    cache = write_cache(config_of(tars, tmp_path / "cache"), model, silent)
    assert len(cache) == 48
    assert len(read_failures(cache.paths)) == 3
    assert "part-000.tar/n01440764_broken0" in read_failures(cache.paths)
    assert np.array_equal(np.unique(cache.clean_rows, return_counts=True)[1], np.full(24, 2))
    expected = model.predict(sorted(unpacked.glob("*_[0-9]*.png"))).embedding
    nearest = np.abs(cache.clean[:, None].astype(np.float32) - expected[None]).max(axis=2).min(axis=1)
    assert nearest.max() < 2e-2
    # The stored loss of the backbone's own classifier is there for `labels`, without reading a picture again.
    labels = write_cache(config_of(tars, tmp_path / "cache", target="labels"), model, silent)
    assert np.array_equal(labels.loss(), labels.rows["own_loss"])
    few = write_cache(config_of(tars, tmp_path / "few", limit=2), model, silent)
    assert len(few) == 4, "two views of two pictures; one tar gives none"
    # A stopped run goes on, and processes share it.
    config = config_of(tars, tmp_path / "shared")

    def stop_in_the_second(progress: Progress) -> None:
        if progress.done == 1:
            raise StoppedError

    with pytest.raises(StoppedError):
        write_shards(config, model, stop_in_the_second)
    paths = CachePaths(config.out)
    assert [paths.shard(number).is_dir() for number in range(3)] == [True, False, False]
    assert write_shards(config, model, silent, process=Process(1, 2)) == 1
    assert write_shards(config, model, silent, process=Process(0, 2)) == 0
    found = open_cache(config.out)
    assert np.array_equal(found.rows[["id", "view", "picture"]], cache.rows[["id", "view", "picture"]])
    assert np.array_equal(found.embeddings[np.arange(48)], cache.embeddings[np.arange(48)])
    assert read_manifest(paths).tars == ("part-000.tar", "part-001.tar", "part-002.tar")
    (tars / "part-002.tar").rename(tars / "part-003.tar")
    with pytest.raises(CacheError, match="tars: "):
        write_shards(config, model, silent)


@pytest.mark.slow
def test_a_shard_without_pictures_is_empty_and_a_cache_of_none_an_error(
    tars: Path, tmp_path: Path, model: Model
) -> None:
    with tarfile.open(tars / "part-999.tar", "w"):
        pass
    assert len(write_cache(config_of(tars, tmp_path / "cache"), model, silent)) == 48
    with pytest.raises(NoImagesError, match="None of the 0"):
        write_cache(config_of(tars / "part-999.tar", tmp_path / "none"), model, silent)


@pytest.mark.slow
def test_a_head_is_adapted_to_tars(tars: Path, tmp_path: Path, model: Model) -> None:
    recipe = Recipe(width=16, epochs=2, batch=16, held_out=0.3)
    config = FinetuneConfig(data=f"tar:{tars}", out=tmp_path / "run", augmentation=Augmentation(views=2), recipe=recipe)
    report = finetune_head(config, model, silent)
    assert report.pictures == 24
    assert report.unreadable == 3
