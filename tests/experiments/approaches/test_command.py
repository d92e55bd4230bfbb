"""The command on small pictures, and each of its parts on embeddings made in memory."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from experiments.approaches.__main__ import main, runs_path
from experiments.approaches.config import ApproachesConfig
from experiments.approaches.figure import figure, recall_of
from experiments.approaches.fit import MeasuredSet, TrainingPictures, batch_at, fitted, uncertainty_of, upstream_of
from experiments.approaches.measured import figures_of, read_runs, runs_of, write_runs
from experiments.approaches.named import APPROACHES, OURS
from experiments.approaches.records import (
    ApproachComparison,
    ApproachFigures,
    OnSet,
    SetAbout,
    Tried,
    read_comparison,
)
from experiments.approaches.table import short, table, verdicts
from tests.training.caches import written
from tests.training.conftest import draw_folder
from training.cache import write_cache
from training.command import command
from training.config import Augmentation, CacheConfig
from training.store import Cache, open_cache, write_loss
from training.training_rows import Sources
from url_viz.base.errors import CacheError
from url_viz.base.progress import silent
from url_viz.base.workspace import HOME_VARIABLE
from url_viz.evidence.order_metrics import Figure, Interval, r_auroc
from url_viz.models.model import load_model

ROOT = Path(__file__).parents[3]
CONFIG = ApproachesConfig((Path("cache"),), ("set",), Path("out"), epochs=3, batch=32, seeds=2)


def set_of(seed: int, *, pictures: int = 200, size: int = 12) -> MeasuredSet:
    """Pictures of four classes; the first number says how far one is blurred into the others."""
    generator = np.random.default_rng(seed)
    label = np.arange(pictures) % 4
    blur = generator.uniform(0, 3, pictures)
    values = np.eye(4)[label] * 6 + generator.normal(size=(pictures, 4)) * blur[:, None]
    embedding = np.concatenate([values, blur[:, None] * 2, generator.normal(size=(pictures, size - 5))], axis=1)
    return MeasuredSet.of(f"folder:/made/{seed}", embedding.astype(np.float16), label)


def made_upstream() -> TrainingPictures:
    part = set_of(0, pictures=400)
    views = torch.from_numpy(np.stack([part.embedding, part.embedding + np.float16(0.1)], axis=1))
    task_loss = torch.from_numpy(np.stack([~part.is_correct, ~part.is_correct], axis=1).astype(np.float32))
    group = torch.zeros(task_loss.shape, dtype=torch.int64)
    return TrainingPictures(views, task_loss, torch.from_numpy(part.label), group, 4, (set_of(1),))


def labelled(folder: Path, *, views: int = 2, pictures: int = 120, seed: int = 2, classes: str = "abcd") -> Cache:
    part = set_of(seed, pictures=pictures)
    ids, resolution = [i * 83 + seed for i in range(pictures)], np.arange(pictures * views) % 3
    cache = written(folder, part.embedding, ids=ids, views=views, resolution=resolution, classes=tuple(classes))
    rows = np.load(folder / "shard-00000" / "rows.npy")
    rows["label"] = np.repeat(part.label, views)
    np.save(folder / "shard-00000" / "rows.npy", rows)
    write_loss(cache.paths, np.arange(len(rows), dtype=np.float32), {"target": "labels"})
    return open_cache(folder)


def test_a_cache_is_split_and_keeps_what_belongs_together(tmp_path: Path) -> None:
    cache = labelled(tmp_path / "cache")
    upstream = upstream_of(Sources.from_caches(cache), held_out=0.4)
    assert len(upstream.label) + len(upstream.held_out[0].label) == 120
    assert (upstream.classes, upstream.size) == (4, 12)
    for place in range(len(upstream.label)):
        first, second = upstream.task_loss[place].int().tolist()
        assert (second, first % 2) == (first + 1, 0)
        assert int(upstream.label[place]) == cache.labels[first // 2]
        assert np.array_equal(upstream.views[place, 0].numpy(), cache.clean[first // 2])
        assert upstream.group[place].tolist() == [first % 3, second % 3]


def test_several_caches_share_classes_by_name_and_pair_within_themselves(tmp_path: Path) -> None:
    first, second = labelled(tmp_path / "a"), labelled(tmp_path / "b", seed=5, classes="cdef")
    upstream = upstream_of(Sources((first, second)), held_out=0.4)
    assert upstream.classes == 6
    assert len(upstream.held_out) == 2
    is_second = (upstream.group[:, 0] >> 8) == 1
    assert set(upstream.label[~is_second].tolist()) == {0, 1, 2, 3}
    assert set(upstream.label[is_second].tolist()) == {2, 3, 4, 5}
    assert len(upstream.label) + sum(len(part.label) for part in upstream.held_out) == 240
    taken = batch_at(upstream, np.array([0, 1, 100]), np.random.default_rng(0))
    assert taken.place.tolist() == [0, 1, 100]
    assert all(
        one in upstream.group[place].tolist() for one, place in zip(taken.group.tolist(), taken.place, strict=True)
    )


def test_a_batch_has_two_different_views() -> None:
    upstream = made_upstream()
    found = batch_at(upstream, np.arange(50), np.random.default_rng(0))
    assert found.first.shape == found.second.shape == (50, 12)
    assert not torch.equal(found.first, found.second)
    assert torch.equal(found.label, upstream.label[:50])


def test_what_a_cache_lacks_is_said(tmp_path: Path) -> None:
    with pytest.raises(CacheError, match="views 2"):
        upstream_of(Sources.from_caches(labelled(tmp_path / "one", views=1)), held_out=0.4)
    cache = labelled(tmp_path / "two")
    write_loss(cache.paths, np.zeros(len(cache), np.float32), {"target": "instance"})
    with pytest.raises(CacheError, match="target labels"):
        upstream_of(Sources.from_caches(cache), held_out=0.4)
    with pytest.raises(CacheError, match="too few"):
        upstream_of(Sources.from_caches(labelled(tmp_path / "few")), held_out=0.0001)


def test_ours_learns_an_order_that_can_be_learnt() -> None:
    upstream = made_upstream()
    setting = APPROACHES[OURS].settings[2]
    approach = fitted(OURS, upstream, setting=setting, seed=0, epochs=20, batch=64)
    (held_out,) = upstream.held_out
    assert r_auroc(uncertainty_of(approach, held_out.embedding, seed=0), held_out.is_correct) > 0.7


@pytest.mark.slow
def test_figures_by_hand_and_the_best_setting_is_chosen() -> None:
    sets = [set_of(3), set_of(4)]
    every = [runs_of(name, made_upstream(), sets, CONFIG) for name in (OURS, "InfoNCE norm")]
    for runs in every:
        assert len(runs.tried) == 3
        assert runs.chosen.held_out_r_auroc == max(one.held_out_r_auroc for one in runs.tried)
    figures = {one.name: one for one in figures_of(every, sets)}
    for runs in every:
        one = figures[runs.name]
        by_hand = [[r_auroc(u, part.is_correct) for u in runs.uncertainty[i]] for i, part in enumerate(sets)]
        assert [list(part.seeds) for part in one.sets] == by_hand
        assert one.mean == pytest.approx(np.mean(by_hand))
        assert (one.least, one.most) == pytest.approx(sorted(np.mean(by_hand, axis=0)))
        assert one.sets[0].r_auroc.interval.low <= one.sets[0].r_auroc.value <= one.sets[0].r_auroc.interval.high
    beside = figures["InfoNCE norm"].sets[0].beside_ours
    ours = figures[OURS].sets[0]
    assert beside.value == pytest.approx(figures["InfoNCE norm"].sets[0].r_auroc.value - ours.r_auroc.value)
    assert np.isnan(ours.beside_ours.value)
    assert np.isnan(ours.own_recall_at_1)
    assert 0 <= figures["InfoNCE norm"].own_recall_at_1 <= 1


@pytest.mark.slow
def test_runs_are_kept_and_only_of_the_same(tmp_path: Path) -> None:
    runs = runs_of(OURS, made_upstream(), [set_of(3)], replace(CONFIG, epochs=1))
    assert read_runs(OURS, tmp_path / "a.npz", about="this") is None
    write_runs(runs, tmp_path / "a.npz", about="this")
    found = read_runs(OURS, tmp_path / "a.npz", about="this")
    assert found is not None
    assert (found.tried, found.chosen, found.direction) == (runs.tried, runs.chosen, runs.direction)
    assert np.array_equal(found.uncertainty[0], runs.uncertainty[0])
    assert read_runs(OURS, tmp_path / "a.npz", about="that") is None


def test_verdicts_beside_ours_are_told_together() -> None:
    """Leads of .1 over ten classes: by t of nine degrees of freedom p is .03 at a half width of .0879, .02 at .0802."""

    def told(*halves: float) -> list[list[str]]:
        about, none = SetAbout("a", 100, 10, 0.5), Figure(math.nan, Interval(math.nan, math.nan))
        leads = [none, *(Figure(0.1, Interval(0.1 - half, 0.1 + half)) for half in halves)]
        tried = Tried(1, 1, 0.5)
        lines = [
            ApproachFigures(f"{i}", "", (tried,), tried, (OnSet("a", none, (), lead, 0.0),), 0.5, 0.5, 0.5, 0.5, 0.5)
            for i, lead in enumerate(leads)
        ]
        found = verdicts(ApproachComparison("m", "fast", 1, 2, 1, 3, 4, about, (about,), tuple(lines)))
        return [found[f"{i}"] for i in range(1, len(leads))]

    assert told(0.0879) == [["ahead"]]
    assert told(0.0879, 0.0879) == [["level"], ["level"]]
    assert told(0.0879, 0.0802) == [["ahead"], ["ahead"]], "the smaller within half of 5 %, then the other within 5 %"


def test_words_of_the_table() -> None:
    assert (short("folder:/a/b/"), short("cub:/x"), short("c")) == ("b", "x", "c")


@pytest.mark.slow
def test_the_command_writes_json_table_and_drawing_and_goes_on(
    tmp_path: Path, prepared: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(prepared))
    for start, name in enumerate(("learn", "blind")):
        draw_folder(tmp_path / name, 60, ("class-0", "class-1", "class-2"), start=100 * start, blur_px=range(5))
    cache = CacheConfig(
        str(tmp_path / "learn"),
        tmp_path / "cache",
        target="labels",
        augmentation=Augmentation(views=2),
        precision="exact",
        device="cpu",
    )
    write_cache(cache, load_model(precision="exact", device="cpu", workspace=prepared), silent)
    words = ["--cache", str(tmp_path / "cache"), "--data", str(tmp_path / "blind"), "--out", str(tmp_path / "out")]
    words += ["--epochs", "1", "--batch", "16", "--seeds", "2", "--held-out", "0.5", "--device", "cpu"]
    words += ["--approach", OURS, "--approach", "cross-entropy"]
    assert command(ApproachesConfig, main, words) == 0
    printed = capsys.readouterr().out
    comparison = read_comparison(tmp_path / "out" / "approaches.json")
    assert {one.name for one in comparison.approaches} == {OURS, "cross-entropy"}
    assert table(comparison) in printed
    assert (tmp_path / "out" / "table.md").read_text() == table(comparison) + "\n"
    drawn = (tmp_path / "out" / "scatter.svg").read_text()
    assert drawn == figure(comparison)
    assert drawn.count("<circle") == 2
    assert recall_of(comparison.approaches[0], comparison) >= 0
    assert comparison.recall_at_1 == comparison.sets[0].recall_at_1

    made = runs_path(tmp_path / "out", OURS).stat().st_mtime_ns
    (tmp_path / "out" / "approaches.json").unlink()
    assert command(ApproachesConfig, main, words) == 0
    assert runs_path(tmp_path / "out", OURS).stat().st_mtime_ns == made
    assert json.loads((tmp_path / "out" / "approaches.json").read_text())["seeds"] == 2

    (tmp_path / "blind").rename(tmp_path / "other")  # as a spoilt copy of a set: the same names, other pictures
    words[3] = str(tmp_path / "other")
    assert command(ApproachesConfig, main, words[:-2]) == 0
    assert runs_path(tmp_path / "out", OURS).stat().st_mtime_ns > made


def test_an_unknown_approach_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--cache", str(tmp_path), "--data", "x", "--out", str(tmp_path / "out"), "--approach", "magic"]
    assert command(ApproachesConfig, main, words) == 2
    assert "There are: cross-entropy, MC-Dropout" in capsys.readouterr().err


def test_the_documents_have_the_kept_figures() -> None:
    comparison = read_comparison(ROOT / "experiments" / "approaches.json")
    assert {one.name for one in comparison.approaches} == set(APPROACHES)
    assert table(comparison) in (ROOT / "experiments" / "approaches.md").read_text("utf-8")
    assert figure(comparison) == (ROOT / "experiments" / "approaches.svg").read_text("utf-8")
