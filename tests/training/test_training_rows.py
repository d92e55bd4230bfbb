"""Rows of several caches in one run: one embedding space, pairs inside a source, groups on one side of every split."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.pipeline.whitened_examples import with_burst
from tests.training.caches import written
from training import targets as losses_module
from training.config import Group, Mixture, Recipe, TrainConfig
from training.store import Cache, RunPaths
from training.targets import Pairs
from training.train import final_figures, main, train, uncertainty_of
from training.training_rows import SPLIT_PARTS, Rows, Sources, are_held_out, find_groups, training_rows
from url_viz.base.errors import CacheError
from url_viz.base.progress import silent
from url_viz.evidence.order_metrics import spearman
from url_viz.models.head import load_head
from url_viz.models.head_module import HeadModule

CPU = torch.device("cpu")
RECIPE = Recipe(width=32, epochs=12, batch=60, warm_up_epochs=1, base_rate=4e-3)
SIZES = 300, 90


def source(folder: Path, number: int, *, level: float = 0.0, **changes: Any) -> Cache:
    """A source with an order of its own inside, told by the first direction, and a level of loss, by the second."""
    generator = np.random.default_rng(number)
    clean = generator.normal(size=(SIZES[number], 12))
    clean[:, 1] = level
    loss = np.repeat(level + np.exp(clean[:, 0] / 2), 2).astype(np.float32)
    ids = generator.permutation(10_000)[: SIZES[number]]
    return written(folder, clean, ids=ids, loss=loss, views=2, **changes)  # type: ignore[arg-type]


@pytest.fixture
def both(tmp_path: Path) -> Sources:
    # The second set is harder throughout: pairs across the sources would teach which set a picture is from.
    return Sources((source(tmp_path / "easy", 0, level=-8), source(tmp_path / "hard", 1, level=8)))


def rows(sources: Sources, **mixture: object) -> Rows:
    return training_rows(sources, held_out=0.2, device=CPU, mixture=Mixture(**mixture))  # type: ignore[arg-type]


def test_two_spaces_are_refused_with_both_named(tmp_path: Path) -> None:
    one = source(tmp_path / "one", 0)
    changes: dict[str, Any] = {"backbone": "other", "weights_digest": "9" * 16, "preprocessing": {"size_px": 8}}
    for name, value in changes.items():
        other = source(tmp_path / name, 1, **{name: value})
        with pytest.raises(CacheError, match=rf"one' and '.*{name}' are not of one model: {name} "):
            Sources((one, other))
    with pytest.raises(CacheError, match="Give one with --cache"):
        Sources(())


def test_rows_and_pictures_are_those_of_the_caches_one_after_another(both: Sources) -> None:
    easy, hard = both.caches
    assert len(both) == 780
    places = np.array([700, 3, 599, 600, 3])
    expected = np.stack([(easy if p < 600 else hard).embeddings[np.array([p % 600])][0] for p in places])
    assert np.array_equal(both.embeddings[places], expected)
    assert np.array_equal(both.mapped_clean[np.array([300, 299])], np.stack([hard.clean[0], easy.clean[299]]))
    assert np.array_equal(both.loss(), np.concatenate([easy.loss(), hard.loss()]))
    assert both.names == ("easy", "hard")


@pytest.mark.parametrize("share", ["equal", "rows"])
def test_shares_of_a_batch_and_pairs_inside_a_source(
    both: Sources, share: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[tuple[float, float]] = []
    draw_pairs = losses_module.draw_pairs

    def noting(size: int, *words: object, group: torch.Tensor, **options: object) -> Pairs:
        found = draw_pairs(size, *words, group=group, **options)  # type: ignore[arg-type]
        assert torch.equal(group[found[0]], group[found[1]])
        counted.append(((group[found[0]] == 0).sum().item(), (group[found[0]] == 1).sum().item()))
        return found

    monkeypatch.setattr(losses_module, "draw_pairs", noting)
    train(rows(both, share=share), replace(RECIPE, epochs=3), seed=0, report=silent)
    easy, hard = np.sum(counted, axis=0)
    assert easy == hard if share == "equal" else easy > 2.5 * hard


@pytest.mark.slow
def test_the_order_inside_each_source_is_learnt_and_not_which_source_it_is(both: Sources) -> None:
    data = rows(both)
    found = train(data, RECIPE, seed=0, report=silent)
    inside = [spearman(uncertainty_of(found.module, held.views), held.loss) for held in data.choosing]
    assert found.best.validation == pytest.approx(np.mean(inside))
    assert min(inside) > 0.7
    figures = final_figures(found, data)
    assert figures["rank agreement in hard"] == pytest.approx(inside[1])
    # Pairs across sources raise all of the hard source above the easy one; pairs inside leave the two where they are.
    across = train(replace(data, pair_group=None), RECIPE, seed=0, report=silent)
    assert share_above(across.module, data) > 0.99
    assert 0.02 < share_above(found.module, data) < 0.98


def share_above(module: HeadModule, data: Rows) -> float:
    """How often a picture of the second source is more uncertain than one of the first."""
    easy, hard = (uncertainty_of(module, held.views) for held in data.choosing)
    return float((hard[:, None] > easy[None, :]).mean())


def test_every_source_needs_pictures_of_both_kinds(tmp_path: Path) -> None:
    few = written(tmp_path / "few", np.eye(12)[:3], ids=[9001, 9002, 9003])
    with pytest.raises(CacheError, match="too few in 'few'"):
        rows(Sources((source(tmp_path / "one", 0), few)))


def test_pairs_within_a_resolution(tmp_path: Path) -> None:
    generator = np.random.default_rng(5)
    clean, resolution = generator.normal(size=(200, 12)), generator.integers(0, 4, 400)
    cache = written(tmp_path / "a", clean, ids=range(0, 10_000, 50), views=2, resolution=resolution)
    assert rows(Sources.from_caches(cache)).groups_at(np.arange(3)) is None
    data = rows(Sources.from_caches(cache), pair_within="resolution")
    places = np.array([7, 100, 2])
    groups = data.groups_at(places)
    assert groups is not None
    assert groups.tolist() == resolution[data.training[places]].tolist()


def test_twins_across_sources_do_not_straddle_the_split(tmp_path: Path) -> None:
    one = source(tmp_path / "one", 0)
    copies = written(tmp_path / "copies", one.clean, ids=np.random.default_rng(9).permutation(10_000)[:300])
    sources = Sources((one, copies))
    is_training = np.zeros(len(sources), bool)
    is_training[rows(sources).training] = True
    assert np.array_equal(is_training[:600:2], is_training[600:])


def test_rows_of_another_form_are_damaged(tmp_path: Path) -> None:
    cache = source(tmp_path / "other", 0)
    file = cache.paths.shard(0) / "rows.npy"
    np.save(file, np.load(file)[["id", "picture", "view", "label", "own_loss"]])
    with pytest.raises(CacheError, match=r"same training\.cache command again"):
        Cache(cache.paths, cache.manifest)


@pytest.mark.slow
def test_the_command_names_every_source(tmp_path: Path, both: Sources) -> None:
    folders = tuple(cache.paths.folder for cache in both.caches)
    config = TrainConfig(folders, tmp_path / "run", recipe=replace(RECIPE, epochs=2), device="cpu")
    main(config)
    head = load_head(RunPaths(config.out).head)
    recipe = head.provenance.recipe
    assert [(named["source"], named["rows"]) for named in recipe["sources"]] == [("easy", 600), ("hard", 180)]  # type: ignore[attr-defined]
    assert (recipe["rows"], recipe["mixture"]) == (780, {"share": "equal", "pair_within": "source"})
    assert json.loads(RunPaths(config.out).config.read_text())["cache"] == [str(folder) for folder in folders]
    assert {"rank agreement", "rank agreement in easy", "rank agreement in hard"} == set(head.provenance.metrics)


RIGHT_ANGLES = np.eye(6, 8)


def grouped(*caches: Cache, by: Group = "twins", **limits: int) -> list[set[int]]:
    """The groups of more than one picture, by their positions among all pictures."""
    found = find_groups(Sources(caches), by, **limits)
    return [set(np.flatnonzero(found == group).tolist()) for group in np.unique(found) if (found == group).sum() > 1]


def test_views_are_one_group_named_by_the_smallest_id(tmp_path: Path) -> None:
    embeddings, ids = with_burst(80, 4), np.random.default_rng(0).permutation(83)
    cache = written(tmp_path / "a", embeddings, ids=ids)
    assert grouped(cache) == [{0, 80, 81, 82}]
    expected = ids.copy()
    expected[[0, 80, 81, 82]] = ids[[0, 80, 81, 82]].min()
    assert find_groups(Sources.from_caches(cache), "twins").tolist() == expected.tolist()


def test_views_of_two_sources_are_one_group(tmp_path: Path) -> None:
    embeddings = with_burst(80, 2)
    one = written(tmp_path / "a", embeddings[:60], ids=range(60))
    other = written(tmp_path / "b", embeddings[60:], ids=range(60, 81))
    assert grouped(one, other) == [{0, 80}]
    assert grouped(one, written(tmp_path / "c", embeddings[60:62], ids=[7, 99])) == [{7, 60}], "of equal ids"


def test_of_very_many_pictures_equal_embeddings_are_one_group(tmp_path: Path) -> None:
    clean = np.random.default_rng(0).normal(size=(60, 8))
    clean[[17, 41]] = clean[3]
    clean[5] = clean[6] * 1.01
    cache = written(tmp_path / "a", clean, ids=range(60))
    assert grouped(cache, most_exact=5, rows_at_once=4) == [{3, 17, 41}]


def test_folders_are_groups_where_asked_and_those_of_two_sources_are_not_one(tmp_path: Path) -> None:
    one = written(tmp_path / "a", RIGHT_ANGLES[:4], ids=range(4), folders=[8, 9, 8, 9])
    other = written(tmp_path / "b", -RIGHT_ANGLES[:4], ids=range(4, 8), folders=[8, 8, 3, 4])
    assert grouped(one, other) == []
    assert grouped(one, other, by="folder") == [{0, 2}, {1, 3}, {4, 5}]
    with pytest.raises(CacheError, match="--group folder"):
        grouped(written(tmp_path / "c", RIGHT_ANGLES, ids=range(6)), by="folder")


class TestHeldOut:
    def test_single_pictures_are_held_out_by_their_id_alone(self) -> None:
        ids = np.random.default_rng(0).integers(1 << 62, size=2000)
        found = are_held_out(ids, 0.1, most=2000)
        assert np.array_equal(found, ids % SPLIT_PARTS < 0.1 * SPLIT_PARTS)

    def test_groups_are_whole_and_about_the_share_is_held_out(self) -> None:
        generator = np.random.default_rng(1)
        names = generator.integers(1 << 62, size=900)
        found = are_held_out(named := names[generator.integers(900, size=3000)], 0.1, most=3000)
        assert all(len(set(found[named == name])) == 1 for name in np.unique(named))
        assert 0.07 < found.mean() < 0.13

    def test_no_more_than_most_never_half_a_group_nor_that_of_most_pictures(self) -> None:
        many = np.zeros(60, np.int64)  # 0 is below any share
        assert not are_held_out(np.concatenate([many, np.arange(1, 41)]), 0.1, most=100)[:60].any()
        found = are_held_out(np.repeat(np.arange(100), 3), 0.9, most=10)
        assert found.sum() == 9
        assert found[:9].all(), "the first by name"
