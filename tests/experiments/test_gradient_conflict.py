"""The gradient-conflict script compares like with like, and claims an effect only where the curves show one."""

import csv
import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from experiments.conflict_data import (
    ConflictConfig,
    authors_curves,
    noisy_digits,
    parted,
    photographs,
    source_of,
    varied,
)
from experiments.gradient_conflict import (
    Effect,
    Point,
    conflict,
    figure_of,
    fresh_model,
    main,
    run,
    summary_of,
    summary_text,
)
from tests.imaging.pictures import write_folder
from training.data.spec import list_labelled
from training.full.joint import JointBatch
from url_viz.base.errors import FolderError
from url_viz.base.progress import silent

SMALL = {"runs": 1, "epochs": 2, "batch": 128}


def curves(with_stop: list[list[float]], without: list[list[float]]) -> list[Point]:
    """Accuracy curves, a list a seed; the AUROC is half of the accuracy."""
    return [
        Point(stop, seed, epoch, value, value / 2)
        for stop, runs in ((True, with_stop), (False, without))
        for seed, values in enumerate(runs)
        for epoch, value in enumerate(values, 1)
    ]


def test_the_summary_by_hand() -> None:
    # Five epochs: the last alone is late. Differences .31 and .29: mean .3, standard error .01, t of one degree 12.706.
    points = curves([[0, 0, 0, 0, 0.81], [0, 0, 0, 0, 0.89]], [[0, 0.7, 0, 0, 0.5], [0, 0.9, 0, 0, 0.6]])
    found = summary_of(points)
    assert found.accuracy.mean == pytest.approx(0.3)
    assert (found.accuracy.low, found.accuracy.high) == pytest.approx((0.3 - 0.12706, 0.3 + 0.12706), abs=1e-4)
    assert found.auroc.mean == pytest.approx(0.15)
    assert found.best_accuracy["without"] == pytest.approx(0.8)
    assert found.late_accuracy["without"] == pytest.approx(0.55)
    assert summary_text(found).count("the effect shows") == 2


def test_no_effect_is_claimed_within_the_spread_or_from_one_seed() -> None:
    assert not Effect(0.3, -0.1, 0.7).shows
    assert not Effect(0.3, float("nan"), float("nan")).shows
    assert not Effect(-0.3, -0.4, -0.2).shows
    assert "no effect" in summary_text(summary_of(curves([[0.9], [0.5]], [[0.5], [0.9]])))
    assert "no effect" in summary_text(summary_of(curves([[0.9]], [[0.5]])))


def test_both_settings_start_from_the_same_weights() -> None:
    one, two = (fresh_model("test_resnet", 10, stop_gradient=stop, seed=3) for stop in (True, False))
    assert (one.head.stop_gradient, two.head.stop_gradient) == (True, False)
    for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.slow
def test_without_weight_both_settings_are_the_same_run_and_with_it_they_part() -> None:
    # What is left between the settings is the head's gradient in the backbone, and nothing else.
    whole = noisy_digits(1.0, 0)
    training, test = (JointBatch(part.pixels[:256], part.labels[:256]) for part in (whole.training, whole.test))
    digits = replace(whole, training=training, test=test)
    for weight, are_alike in ((0.0, True), (20.0, False)):
        config = ConflictConfig(Path("unused"), uncertainty_weight=weight, runs=1, epochs=1, batch=16)
        one, two = ([p.accuracy for p in run(digits, config, stop_gradient=s, seed=0)] for s in (True, False))
        assert (one == two) is are_alike


def test_digits_are_parted_and_noisy_by_the_seed() -> None:
    clean, again = noisy_digits(0.0, 1), noisy_digits(0.0, 1)
    noisy = source_of(ConflictConfig(Path("unused"), noise=1.0))(1)
    assert torch.equal(clean.training.pixels, again.training.pixels)
    assert clean.training.pixels.shape == (900, 3, 32, 32)
    assert len(clean.test.labels) == 1797 - 900
    assert torch.equal(clean.test.labels, noisy.test.labels)
    strength = (noisy.test.pixels - clean.test.pixels).std(dim=(1, 2, 3)).numpy()
    assert strength.min() < 0.1
    assert 0.8 < strength.max() < 1.3
    assert float(clean.test.pixels.abs().max()) == 1.0


def test_the_figure_shows_every_seed_and_the_mean() -> None:
    figure = figure_of(curves([[0.1, 0.3], [0.2, 0.5]], [[0.1, 0.2], [0.2, 0.2]]), {})
    assert len(figure.data) == 2 * 2 * 3
    thick = [trace for trace in figure.data if trace.line.width == 3]
    assert np.allclose(thick[0].y, [0.15, 0.4])
    assert [trace.name for trace in figure.data if trace.showlegend] == ["with stop-gradient", "without"]


@pytest.fixture
def photos(tmp_path: Path) -> ConflictConfig:
    folder = write_folder(tmp_path / "photos", 24, classes=("cat", "dog", "emu"))
    return ConflictConfig(tmp_path / "out", data=f"folder:{folder}", classes=2, size_px=32, **SMALL)  # type: ignore[arg-type]


def test_photographs_are_of_the_first_classes_and_each_class_is_parted(photos: ConflictConfig) -> None:
    assert photos.data is not None
    every = photographs(list_labelled(photos.data), photos)
    assert every.pixels.shape == (16, 3, 32, 32)
    assert np.bincount(every.labels.numpy()).tolist() == [8, 8]
    one, again, other = parted(every, 1), parted(every, 1), parted(every, 2)
    for picked in (one, other):
        assert np.bincount(picked.training.labels.numpy()).tolist() == [6, 6]
        both = torch.cat([picked.training.pixels, picked.test.pixels])
        assert torch.equal(both.sum((1, 2, 3)).sort().values, every.pixels.sum((1, 2, 3)).sort().values)
    assert torch.equal(one.training.pixels, again.training.pixels)
    assert not torch.equal(one.training.pixels, other.training.pixels)


def test_more_classes_than_there_are_is_an_error_that_says_so(photos: ConflictConfig) -> None:
    with pytest.raises(FolderError, match="3 class folders, and 5 are asked for"):
        source_of(replace(photos, classes=5))


def test_a_varied_picture_is_flipped_or_not_and_moved_with_mirrored_edges() -> None:
    pixels = torch.arange(2 * 3 * 8 * 8, dtype=torch.float32).reshape(2, 3, 8, 8)
    assert varied(pixels, shift_px=0, generator=torch.Generator()) is pixels
    seen = set()
    for seed in range(200):
        one = varied(pixels, shift_px=1, generator=torch.Generator().manual_seed(seed))[0, 0].numpy()
        places = {
            (flip, y, x)
            for flip in (False, True)
            for y in range(3)
            for x in range(3)
            if np.array_equal(
                one,
                np.pad(pixels[0, 0].numpy()[:, :: -1 if flip else 1], 1, mode="reflect")[y : y + 8, x : x + 8],
            )
        }
        assert len(places) == 1
        seen |= places
    assert len(seen) == 18, "every flip and move comes about"


@pytest.mark.slow
def test_the_command_leaves_figure_summary_and_curves_that_its_seed_gives_again(
    photos: ConflictConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    config = replace(photos, batch=8)
    main(config)
    assert "accuracy late" in capsys.readouterr().out
    with (config.out / "curves.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [(line["stop_gradient"], line["epoch"]) for line in lines] == [
        (stop, epoch) for stop in ("True", "False") for epoch in ("1", "2")
    ]
    assert lines == [{name: str(value) for name, value in asdict(p).items()} for p in conflict(config, silent)]
    assert "with stop-gradient" in (config.out / "figure.html").read_text()
    assert json.loads((config.out / "summary.json").read_text())["accuracy"]["mean"] == pytest.approx(
        float(lines[1]["accuracy"]) - float(lines[3]["accuracy"])
    )


def test_the_authors_curves_are_drawn_below_and_a_missing_one_is_named(tmp_path: Path) -> None:
    for stop in ("", "_stopgrad"):
        for end, value in (("r1", "79.5"), ("auroc", "0.8236")):
            path = tmp_path / f"authors-gradient_conflict_losspred{stop}_1k_{end}.csv"
            path.write_text(f"Step,run,run__MIN,run__MAX\n0,{value},{value},{value}\n")
    curves_of_authors = authors_curves(tmp_path)
    assert curves_of_authors["accuracy", True].values == [pytest.approx(0.795)]
    assert curves_of_authors["auroc", False].epochs == [1]
    assert len(figure_of(curves([[0.1]], [[0.1]]), curves_of_authors).data) == 2 * 2 * 2 + 4
    path.write_text("Step,run\n0,none\n")
    with pytest.raises(FolderError, match="is no curve"):
        authors_curves(tmp_path)
    path.unlink()
    with pytest.raises(FolderError, match=r"_stopgrad_1k_auroc\.csv"):
        authors_curves(tmp_path)
