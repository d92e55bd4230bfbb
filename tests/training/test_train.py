"""Training learns an order that is there, follows its seed, chooses by pictures it never saw, and keeps what it did."""

import csv
import json
import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from training.config import Recipe, TrainConfig
from training.store import (
    ROW,
    Cache,
    CachePaths,
    Manifest,
    RunPaths,
    Shard,
    open_cache,
    open_for_writing,
    write_loss,
    write_shard,
)
from training.train import head_provenance, main, new_head, rate_at, save_run, train, uncertainty_of
from training.training_rows import Rows, training_rows
from url_viz.base.errors import CacheError, ModelError
from url_viz.base.progress import Progress, silent
from url_viz.evidence.order_metrics import spearman
from url_viz.models.head import load_head

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
SMALL = Recipe(width=64, epochs=40, batch=64, warm_up_epochs=1, base_rate=4e-3)


def made_cache(folder: Path, *, target: str = "instance", pictures: int = 400, views: int = 2) -> Cache:
    """A cache whose task loss is a smooth function of two directions of the embedding, in two shards."""
    generator = np.random.default_rng(0)
    clean = generator.normal(size=(pictures, 16)).astype(np.float16)
    manifest = Manifest("made", "0" * 16, {}, "float32", {}, 0, "0", pictures, ("a", "b"), pictures // 2 + 1)
    paths = open_for_writing(folder, manifest)
    losses = []
    for number in range(manifest.shards):
        places = np.arange(number * manifest.shard_pictures, min((number + 1) * manifest.shard_pictures, pictures))
        rows = np.zeros(len(places) * views, ROW)
        rows["picture"] = np.repeat(places, views)
        rows["id"] = rows["picture"].astype(np.int64) * 7919 + 13
        rows["label"] = clean[rows["picture"], 0] > 0
        embedding = (clean[rows["picture"]] + 0.3 * generator.normal(size=(len(rows), 16))).astype(np.float16)
        losses.append(np.exp(embedding[:, 0].astype(np.float32) + 0.5 * embedding[:, 1] ** 2))
        write_shard(paths, number, Shard(embedding, rows, clean[places], places))
    write_loss(paths, np.concatenate(losses).astype(np.float32), {"target": target})
    return open_cache(folder)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return made_cache(tmp_path / "cache")


def rows(cache: Cache, **limits: Any) -> Rows:
    return training_rows(cache, held_out=0.2, device=CPU, **limits)


@pytest.mark.parametrize("pairing", ["adjacent", "all", pytest.param("random", marks=pytest.mark.torture)])
def test_the_ranking_loss_learns_the_order(cache: Cache, pairing: str) -> None:
    found = train(rows(cache), replace(SMALL, pairing=pairing), seed=0, report=silent)  # type: ignore[arg-type]
    assert found.best.validation > 0.75
    assert found.history[-1].loss < found.history[0].loss


def test_l2_learns_the_loss_itself(cache: Cache) -> None:
    # On 2 + its logarithm: positive, and without the heavy tail that would carry the squared error.
    write_loss(cache.paths, 2 + np.log(cache.loss()), {"target": "instance"})
    data = rows(cache)
    found = train(data, replace(SMALL, loss="l2"), seed=0, report=silent)
    error = uncertainty_of(found.module, data.held_out) - data.choosing[0].loss
    assert (error**2).mean() < 0.5 * data.choosing[0].loss.var()


def test_the_order_comes_from_the_losses_and_nothing_else(cache: Cache) -> None:
    shuffled = np.random.default_rng(1).permutation(cache.loss())
    write_loss(cache.paths, shuffled, {"target": "instance"})
    found = train(rows(cache), replace(SMALL, epochs=4), seed=0, report=silent)
    assert abs(found.best.validation) < 0.3


def test_a_seed_gives_the_same_head_and_another_seed_another(cache: Cache) -> None:
    recipe = replace(SMALL, epochs=2)
    first, again, other = (train(rows(cache), recipe, seed=s, report=silent).module for s in (1, 1, 2))
    embedding = cache.embeddings[np.arange(20)]
    assert np.array_equal(uncertainty_of(first, embedding), uncertainty_of(again, embedding))
    assert not np.array_equal(uncertainty_of(first, embedding), uncertainty_of(other, embedding))


def test_no_picture_is_both_learnt_from_and_held_out_and_these_are_capped(cache: Cache) -> None:
    found = rows(cache)
    learnt = set(cache.rows["id"][found.training].tolist())
    assert len(found.training) + len(found.held_out) == len(cache)
    held_out = {int(i) for i in cache.rows["id"]} - learnt
    assert len(found.held_out) == 2 * len(held_out)
    assert 0.1 < len(held_out) / 400 < 0.3
    assert len(found.choosing[0].clean) > 40
    capped = rows(cache, most_held_out=20)
    assert len(capped.choosing[0].clean) == len(capped.held_out) == 20
    assert len(capped.training) == 2 * (400 - 20), "the others train"


def test_the_best_epoch_is_returned_not_the_last(cache: Cache) -> None:
    found = train(rows(cache), replace(SMALL, epochs=6), seed=0, report=silent)
    assert found.best.validation == max(line.validation for line in found.history)
    data = rows(cache)
    assert spearman(uncertainty_of(found.module, data.held_out), data.choosing[0].loss) == found.best.validation


def test_on_disk_rows_are_the_resident_rows(cache: Cache) -> None:
    resident, on_disk = rows(cache), rows(cache, most_bytes_in_memory=0)
    assert on_disk.resident is None
    places = np.array([500, 3, 77, 3, 0])
    for a, b in zip(resident.batch_at(places), on_disk.batch_at(places), strict=True):
        assert torch.equal(a, b)
    recipe = replace(SMALL, epochs=1)
    one, two = (train(data, recipe, seed=0, report=silent).best for data in (resident, on_disk))
    assert one.validation == two.validation


def test_labels_choose_by_r_auroc(tmp_path: Path) -> None:
    cache = made_cache(tmp_path / "labels", target="labels")
    data = rows(cache)
    assert data.criterion == "R-AUROC"
    assert len(data.choosing[0].is_correct) == len(data.choosing[0].clean)
    found = train(data, replace(SMALL, epochs=2), seed=0, report=silent)
    assert 0 <= found.best.validation <= 1


def test_too_few_pictures_and_a_cache_without_its_losses_are_refused(cache: Cache, tmp_path: Path) -> None:
    with pytest.raises(CacheError, match="too few"):
        training_rows(made_cache(tmp_path / "few", pictures=2), held_out=0.0001, device=CPU)
    CachePaths(cache.paths.folder).loss.unlink()
    with pytest.raises(CacheError, match="no task loss"):
        rows(cache)


def test_the_order_goes_on_from_epoch_to_epoch(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    # Mini-epochs of 96 of about 640 rows: a ring that began anew with each would meet some rows thrice, others never.
    met: list[int] = []
    batch_at = Rows.batch_at

    def noting(self: Rows, positions: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        met.extend(positions.tolist())
        return batch_at(self, positions)

    monkeypatch.setattr(Rows, "batch_at", noting)
    data = rows(cache)
    count = len(data.training)
    train(data, replace(SMALL, epochs=14, epoch_rows=96, batch=32), seed=0, report=silent)
    assert len(met) == 14 * 96 > 2 * count
    assert sorted(met[:count]) == sorted(met[count : 2 * count]) == list(range(count))


def test_uncertainties_are_computed_in_parts(cache: Cache) -> None:
    module = new_head(16, SMALL, 0)
    whole = uncertainty_of(module, cache.clean)
    seen: list[int] = []
    module.register_forward_hook(lambda _, given, __: seen.append(len(given[0])))
    assert uncertainty_of(module, cache.clean, rows_at_once=7) == pytest.approx(whole, rel=1e-6)
    assert max(seen) == 7
    assert uncertainty_of(module, cache.clean[:0]).shape == (0,)


def test_rates_are_the_papers() -> None:
    # METHOD 3.1: 1e-4 at first, 2.808e-3 at epoch 25 of 460 after the warm-up, 0 at the end; batch 2048.
    paper = Recipe(epochs=460, batch=2048, warm_up_epochs=25)
    assert rate_at(0, paper) == pytest.approx(1e-4)
    assert rate_at(25, paper) == pytest.approx(2.808e-3, rel=1e-3)
    assert rate_at(460, paper) == pytest.approx(0, abs=1e-12)
    halfway = 1e-4 + (1e-3 * math.sqrt(8) - 1e-4) / 2
    assert rate_at(12.5, paper) == pytest.approx(halfway)


def test_a_run_leaves_head_history_config_and_metrics(cache: Cache, tmp_path: Path) -> None:
    seen: list[Progress] = []
    recipe = replace(SMALL, epochs=3)
    found = train(rows(cache), recipe, seed=5, report=seen.append)
    paths = RunPaths(tmp_path / "run")
    save_run(paths, found, {"seed": 5}, head_provenance(cache, recipe, 5, {"rank agreement": 0.5}))
    head = load_head(paths.head)
    embedding = cache.embeddings[np.arange(30)]
    assert head(embedding) == pytest.approx(uncertainty_of(found.module, embedding), rel=2**-15)
    assert head.provenance.backbone == "made"
    assert head.provenance.recipe["training"] == asdict(recipe)
    assert head.provenance.metrics == {"rank agreement": 0.5}
    with paths.history.open() as file:
        assert [line["epoch"] for line in csv.DictReader(file)] == ["1", "2", "3"]
    assert json.loads(paths.config.read_text()) == {"seed": 5}
    assert [progress.done for progress in seen] == [seen[0].done * i for i in (1, 2, 3)]
    assert {"loss", "rank agreement"} <= set(seen[-1].metrics)


def test_the_command_trains_and_refuses_an_unknown_device(cache: Cache, tmp_path: Path) -> None:
    config = TrainConfig((cache.paths.folder,), tmp_path / "run", recipe=replace(SMALL, epochs=1), device="cpu")
    main(config)
    assert json.loads(RunPaths(config.out).config.read_text())["recipe"]["epochs"] == 1
    with pytest.raises(ModelError, match="toaster"):
        main(replace(config, device="toaster"))
