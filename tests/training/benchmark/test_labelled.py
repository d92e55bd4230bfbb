"""Sets are drawn by whole classes, read by both models with people's votes, and refused where nothing is measured."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import order_baselines
from tests.training.benchmark.made import small_set
from tests.training.conftest import draw
from training.benchmark.__main__ import main
from training.benchmark.labelled import (
    FOLDINGS,
    LabelledSet,
    draw_classes,
    embed_set,
    make_case,
    read_votes,
    share_files,
)
from training.benchmark.orders import write_arrays
from training.config import BenchmarkConfig
from training.data.pictures import PictureList
from training.data.spec import list_labelled
from url_viz.base.errors import FolderError
from url_viz.base.progress import silent
from url_viz.evidence.order_metrics import auroc
from url_viz.evidence.probe import probe_folds
from url_viz.models.model import Model


def listed(*sizes: int) -> PictureList:
    """A list with classes of these sizes."""
    label = np.repeat(np.arange(len(sizes)), sizes).astype(np.int32)
    paths = tuple(f"{code}/{row}.png".encode() for row, code in enumerate(label))
    return PictureList(Path("set"), paths, np.arange(len(label)), label, tuple(map(str, range(len(sizes)))))


def test_a_larger_set_is_drawn_by_whole_classes() -> None:
    pictures = listed(*[5] * 20)
    first, again = (draw_classes(pictures, limit=33, seed=0) for _ in range(2))
    assert len(first) == 30
    assert first.paths == again.paths
    assert (np.unique(np.bincount(first.labels)[np.unique(first.labels)]) == 5).all()
    assert first.paths != draw_classes(pictures, limit=33, seed=1).paths
    for limit in (None, 100, 1000):
        assert draw_classes(pictures, limit=limit, seed=0) is pictures


def test_a_limit_below_two_whole_classes_is_an_error() -> None:
    with pytest.raises(FolderError, match=r"--limit 1500 holds no two whole classes of 'set', .* 2000 pictures"):
        draw_classes(listed(1000, 1000, 1000), limit=1500, seed=0)


def test_sets_that_nothing_can_be_measured_on_are_errors(folder: Path, tmp_path: Path) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    for i in range(4):
        draw(i).save(flat / f"{i}.png")
    with pytest.raises(FolderError, match="no class folders"):
        main(BenchmarkConfig((str(folder), str(flat)), "tf_efficientnet_lite0"))
    one = tmp_path / "one"
    for i in range(5):
        (one / f"{i % 2}").mkdir(parents=True, exist_ok=True)
        draw(i).save(one / f"{i % 2}" / f"{i}.png")
    with pytest.raises(FolderError, match=r"one' has 1 of these"):
        main(BenchmarkConfig((str(one),), "tf_efficientnet_lite0"))
    with pytest.raises(FolderError, match="Give --data"):
        main(BenchmarkConfig((), "tf_efficientnet_lite0"))


def test_sets_share_files_wherever_their_roots_begin(tmp_path: Path) -> None:
    pictures = listed(3, 3)
    whole = replace(small_set(0), pictures=replace(pictures, root=tmp_path / "set"))
    inner = replace(pictures.subset(np.array([0])), root=tmp_path / "set" / "0", paths=(b"0.png",))
    assert share_files(whole, replace(whole, pictures=inner))
    assert not share_files(whole, replace(whole, pictures=replace(pictures, root=tmp_path / "other")))
    assert not share_files(whole, replace(whole, pictures=None))


@pytest.mark.slow
def test_both_models_read_the_same_pictures(folder: Path, model: Model) -> None:
    (folder / "round" / "00.png").write_bytes(b"no")
    pictures = list_labelled(str(folder))
    people = pd.DataFrame({"human_entropy": np.arange(24.0), "authors_uncertainty": -np.arange(24.0)})
    labelled = embed_set("here", pictures, model, model, people, report=silent)
    assert labelled.unreadable == 1
    assert labelled.people is not None
    assert labelled.people["human_entropy"].tolist() == list(range(1, 24))
    assert labelled.people["authors_uncertainty"].tolist() == list(range(-1, -24, -1))
    assert labelled.pictures is not None
    assert labelled.pictures.paths == pictures.paths[1:]
    assert labelled.probe_embedding is not None
    assert (labelled.probe_embedding == labelled.embedding).all()
    assert labelled.label.tolist() == [0] * 11 + [1] * 12


def test_no_baseline_gains_by_the_folds_of_p(tmp_path: Path) -> None:
    # Pairs of well separated classes: what is called wrong is what lies in one fold with all of its class. Which that
    # is no picture tells, so that a fair outcome leaves an order at chance.
    label = np.repeat(np.arange(30), 2).astype(np.int32)
    noise = np.random.default_rng(0).normal(size=(2, len(label), 30))
    embedding, other = (np.eye(30)[label] + 0.1 * noise).astype(np.float16)
    case = make_case(LabelledSet("pairs", embedding, np.zeros((len(label), 2), np.float32), label, other))
    write_arrays(case, {}, tmp_path / "pairs.npz")
    read = order_baselines.read(tmp_path / "pairs.npz")
    is_wrong = case.outcomes.is_probe_wrong
    assert is_wrong is not None
    assert is_wrong.any()
    assert auroc(1 - read.predicted[np.arange(len(label)), label], is_wrong) < 0.75  # 1 where both share their folds


def test_p_is_of_foldings_that_no_single_seed_deals() -> None:
    group = np.arange(100)
    dealt = {probe_folds(group, seed=seed).tobytes() for seed in (*FOLDINGS, *range(1000))}
    assert len(dealt) == len(FOLDINGS) + 1000
    assert len(FOLDINGS) % 2 == 1  # most are right or most are wrong


def test_counts_belong_to_pictures_by_their_path(folder: Path, tmp_path: Path) -> None:
    pictures = list_labelled(str(folder))
    counts, order = tmp_path / "counts.npy", tmp_path / "order.txt"
    np.save(counts, np.array([[5, 0], [1, 1], [2, 6]], np.int16))
    order.write_text("round/02.png\nsquare/01.png\nround/none.png\n")
    other = replace(pictures, paths=tuple(b"x/" + path for path in pictures.paths))
    first, second = read_votes([pictures, other], [counts], order)
    assert second is None
    assert first is not None
    assert first["human_entropy"].to_numpy()[pictures.paths.index(b"round/02.png")] == 0
    assert first["human_entropy"].to_numpy()[pictures.paths.index(b"square/01.png")] == pytest.approx(math.log(2))
    assert np.isnan(first["human_entropy"].to_numpy()).sum() == 22
    assert list(first) == ["human_entropy"]

    with pytest.raises(FolderError, match="--votes-order"):
        read_votes([pictures], [counts], None)
    with pytest.raises(FolderError, match=r"No picture of the sets .*round/02\.png"):
        read_votes([other], [counts], order)
    with pytest.raises(FolderError, match="cannot be read"):
        read_votes([pictures], [tmp_path / "gone.npy"], order)
    order.write_text("round/02.png\n")
    with pytest.raises(FolderError, match=r"shape \(3, 2\), and .* 1 lines"):
        read_votes([pictures], [counts], order)


def test_entropies_belong_to_pictures_by_their_name(folder: Path, tmp_path: Path) -> None:
    pictures = list_labelled(str(folder))
    file = tmp_path / "votes.json"
    rows = {"02": (0.5, 0.1, 1.0), "01": (None, 0.2, 2.0), "nobody": (0.0, 0.3, 3.0)}
    keys = ("human_entropy", "authors_uncertainty", "authors_class_entropy")
    file.write_text(json.dumps({name: dict(zip(keys, row, strict=True)) for name, row in rows.items()}))
    (found,) = read_votes([pictures], [file], None)
    assert found is not None
    place = pictures.paths.index(b"round/02.png")
    assert found["human_entropy"].to_numpy()[place] == 0.5
    assert np.isnan(found["human_entropy"].to_numpy()).sum() == 23
    assert found["authors_uncertainty"][place] == 0.1
    assert found["authors_class_entropy"][pictures.paths.index(b"square/01.png")] == 2
    for text in ("[]", '{"02": {}}', "no", '{"02": 1}'):
        file.write_text(text)
        with pytest.raises(FolderError, match="cannot be read"):
            read_votes([pictures], [file], None)
