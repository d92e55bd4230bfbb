"""The benchmark of the review: faults are planted as said, and what a queue finds of them is counted as by hand."""

import xml.etree.ElementTree as ET
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmarks.remembered import Remembered
from benchmarks.review import (
    ARMS,
    NOISES,
    TOLD,
    Curve,
    Findings,
    WorthOfReview,
    accuracies,
    curves_of,
    found,
    found_table,
    found_with_twins,
    mean_and_half_width,
    mean_worth,
    read_findings,
    table_by_set,
    worth_table,
)
from benchmarks.review import LOOKED as LOOKED_AT
from benchmarks.review_figure import figure
from benchmarks.review_planting import BLANK, BLURRED, FOREIGN, NEAR, USELESS, WRONG, Photos, lay_out, wrong_labels
from experiments.figure_files import write_figures
from tests.experiments.benchmarks.test_naming import cells
from tests.imaging.pictures import write_folder
from tests.twin_groups import twin_column
from url_viz.base.rows import l2_normalize
from url_viz.columns.twin_groups import group_codes
from url_viz.models.runtime import Outputs, Wait

LOOKED = np.array([0, 1, 2, 4, 10])


def test_found_is_the_share_of_the_planted_among_the_first_and_level_beyond_the_end() -> None:
    queue, planted = np.array([5, 3, 9, 1]), np.array([3, 1, 7])
    assert found(queue, planted, LOOKED).tolist() == pytest.approx([0, 0, 1 / 3, 2 / 3, 2 / 3])


def test_a_twin_that_was_looked_at_counts_for_the_planted_ones_of_its_group() -> None:
    table = pd.DataFrame({"id": [1, 3, 5, 7, 9, 11], "twin_group": twin_column([0, 1, 2, 1, 3, 1])})
    queue, planted = np.array([5, 3, 9, 1]), np.array([1, 7, 11])  # 3 stands for 7 and 11
    assert found(queue, planted, LOOKED).tolist() == pytest.approx([0, 0, 0, 1 / 3, 1 / 3])
    assert found_with_twins(queue, planted, LOOKED, table).tolist() == pytest.approx([0, 0, 2 / 3, 1, 1])


@pytest.mark.parametrize("seed", range(5))
def test_found_agrees_with_a_plain_count(seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"id": np.arange(40), "twin_group": twin_column(rng.integers(0, 25, 40))})
    queue, planted = rng.permutation(40)[:30], rng.permutation(40)[:8]
    group = dict(zip(table["id"], group_codes(table), strict=True))
    looked = np.arange(41)
    alone = [sum(one in queue[:k] for one in planted) / 8 for k in looked]
    twins = [sum(group[one] in {group[seen] for seen in queue[:k]} for one in planted) / 8 for k in looked]
    assert found(queue, planted, looked).tolist() == alone
    assert found_with_twins(queue, planted, looked, table).tolist() == twins


def test_a_wrong_label_is_the_class_of_one_of_the_nearest_of_other_classes() -> None:
    label = np.repeat(np.arange(20, dtype=np.int32), 5)
    rows = l2_normalize(np.random.default_rng(0).normal(size=(100, 8)).astype(np.float32))
    planted = wrong_labels(label, rows, share=0.3, rng=np.random.default_rng(1))
    changed = np.flatnonzero(planted != label)
    assert len(changed) == 30
    for row in changed:
        others = [other for other in range(100) if label[other] != label[row]]
        nearest = sorted(others, key=lambda other: -float(rows[other] @ rows[row]))[:NEAR]
        assert planted[row] in {label[other] for other in nearest}
    assert (wrong_labels(label, rows, share=0.3, rng=np.random.default_rng(1)) == planted).all()
    assert (wrong_labels(label, rows, share=0, rng=np.random.default_rng(1)) == label).all()


def test_half_of_the_wrong_labels_may_be_any_other_class() -> None:
    """Two classes lie apart from a hundred small ones: near classes alone never give one that lies far."""
    rng = np.random.default_rng(0)
    label = np.concatenate([np.repeat([0, 1], 40), np.arange(2, 102)]).astype(np.int32)
    middle = np.where((label < 2)[:, None], [1.0, 0.0], [0.0, 1.0])
    rows = l2_normalize((middle + rng.normal(scale=0.01, size=(180, 2))).astype(np.float32))
    for random_share, reaches_far in ((0.0, False), (0.5, True)):
        planted = wrong_labels(label, rows, share=1, random_share=random_share, rng=np.random.default_rng(0))
        assert (planted != label).all()
        assert bool((planted[label < 2] >= 2).any()) == reaches_far


@pytest.fixture
def photos(tmp_path: Path) -> Photos:
    folder = write_folder(tmp_path / "photos", 20, classes=("cat", "dog"))
    files = tuple(sorted(folder.glob("*/*.jpg")))
    label = np.array([("cat", "dog").index(file.parent.name) for file in files], np.int32)
    return Photos("photos", files, label, ("cat", "dog"), np.eye(20, dtype=np.float32))


def test_the_folder_holds_links_under_the_planted_labels_and_a_third_each_of_useless_pictures(
    photos: Photos, tmp_path: Path
) -> None:
    strangers = tuple(sorted(write_folder(tmp_path / "others", 3, start=100).glob("*.jpg")))
    label = photos.label.copy()
    label[4] = 1 - label[4]
    planted = lay_out(tmp_path / "laid", photos, label, useless=6, strangers=strangers, rng=np.random.default_rng(0))
    counts = planted["fault"].value_counts()
    assert counts.to_dict() == {"": 19, WRONG: 1, BLANK: 2, BLURRED: 2, FOREIGN: 2}
    at = [tmp_path / "laid" / path for path in planted["path"]]
    assert sorted(at) == sorted((tmp_path / "laid").glob("*/*"))
    assert tuple(path.resolve() for path in at[:20]) == photos.files
    assert [path.parent.name for path in at[:20]] == [photos.names[code] for code in label]
    assert planted["truth"][:20].tolist() == [photos.names[code] for code in photos.label]
    assert planted["truth"][20:].isna().all()
    stranger_bytes = {path.read_bytes() for path in strangers}
    for path, kind in zip(at[20:], planted["fault"][20:], strict=True):
        spread = np.asarray(Image.open(path).convert("L"), float).std()
        assert {BLANK: spread < 4, BLURRED: spread > 4, FOREIGN: path.read_bytes() in stranger_bytes}[kind]


def test_a_blurred_picture_is_smoother_than_its_photograph_and_of_its_class(photos: Photos, tmp_path: Path) -> None:
    names = tuple(f"class {number:02}" for number in range(20))
    alone = replace(photos, label=np.arange(20, dtype=np.int32), names=names)  # the class tells the photograph
    planted = lay_out(
        tmp_path / "laid", alone, alone.label, useless=30, strangers=photos.files, rng=np.random.default_rng(0)
    )
    for path in planted.loc[planted["fault"] == BLURRED, "path"]:
        photo = photos.files[names.index(path.split("/")[0])]
        of_photo, blurred = (
            np.asarray(Image.open(one).convert("L"), float) for one in (photo, tmp_path / "laid" / path)
        )
        assert np.corrcoef(of_photo.ravel(), blurred.ravel())[0, 1] > 0.7
        assert np.abs(np.diff(blurred)).mean() < 0.9 * np.abs(np.diff(of_photo)).mean()


def test_the_interval_is_students() -> None:
    mean, half = mean_and_half_width(np.array([[0.0], [1.0]]))
    assert mean.tolist() == [0.5]
    assert half[0] == pytest.approx(12.7062 * 0.5, rel=1e-4)  # t of one degree of freedom; .7071 / √2


def test_probes_are_asked_for_the_true_labels_whatever_they_were_taught() -> None:
    true = np.tile(np.array([0, 1], np.int32), 10)
    rows = np.eye(2, dtype=np.float32)[true]
    half = np.where(np.arange(20) < 10, true, -1)
    taught = {"true": true, "swapped": 1 - true, "half": half, "one class": np.zeros(20, np.int32)}
    found_by = accuracies(rows, taught, true, np.arange(20) % 5)
    assert found_by == {"true": 1.0, "swapped": 0.0, "half": 1.0, "one class": 0.5}


def two_draws() -> tuple[Curve, ...]:
    """Of two sets: .2 and .6 found in the end, evenly on the way."""
    drawn = [(0.2, 0.5), (0.6, 1.0)]
    way = np.array(LOOKED_AT) / LOOKED_AT[-1]
    rows = [
        {"photos": name, "noise": noise, "queue": queue, "fault": fault}
        | {"found": most * way, "with_twins": most * way, "length": length}
        for noise in NOISES
        for queue in ("suspects", "entropy")
        for fault in (WRONG, *USELESS)
        for name, (most, length) in zip("ab", drawn, strict=True)
    ]
    return curves_of(pd.DataFrame(rows))


def test_a_curve_is_the_mean_over_sets_and_draws() -> None:
    curve = two_draws()[0]
    assert (curve.queue, curve.fault, curve.length) == ("suspects", WRONG, 0.75)
    assert (curve.found[0], curve.found[-1]) == pytest.approx((0, 0.4))
    assert curve.half[-1] == pytest.approx(12.7062 * 0.2, rel=1e-4)
    at_ten = TOLD.index(0.1)
    assert {name: values[at_ten] for name, values in curve.by_set.items()} == pytest.approx({"a": 0.2 / 3, "b": 0.2})


def test_the_figure_has_a_panel_a_fault_and_a_line_a_queue() -> None:
    root = ET.fromstring(figure(two_draws(), LOOKED_AT))
    named = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {*(fault.capitalize() for fault in (WRONG, *USELESS)), "suspects", "entropy"} <= set(named)
    lines = [line.get("points", "") for line in root.iter("{http://www.w3.org/2000/svg}polyline")]
    assert len(lines) == 4 * 2 * 2  # panels, queues, alone and with twins
    places = lines[0].split()  # from 0 at the left end to .4 at the right end of the first panel
    assert (places[0], places[-1]) == ("60.0,302.0", "360.0,226.0")


def test_what_is_kept_is_told_again_in_tables(tmp_path: Path) -> None:
    arms = dict.fromkeys(ARMS, 0.8)
    drawn = [WorthOfReview("a", arms, 0.5, 0.08), WorthOfReview("a", arms | {"mended": 0.9}, 0.7, 0.08)]
    findings = Findings(two_draws(), mean_worth(drawn))
    write_figures({"config": {"seeds": [0, 1]}, **asdict(findings)}, tmp_path / "review.json", digits=4)
    config, read = read_findings(tmp_path / "review.json")
    assert config == {"seeds": [0, 1]}
    told = cells(found_table(read))
    assert told[2][:4] == ["**suspects**", "3 ± 17", "7 ± 42", "11 ± 68"]
    assert told[3][0] == "entropy"
    assert told[2][-1] == "3 / 7 / 13 / 27"
    assert cells(table_by_set(read))[2] == ["suspects", "75%", "3 / 10", "7", "3 / 10", "3 / 10", "3 / 10"]
    assert "| 0.800    | 0.850  | 0.800   |" in worth_table(read)


class Doubling:
    """A runtime whose outputs are the first level of a crop, twice; it counts what it ran."""

    device, batch, ahead = "made", 4, 0
    ran = 0

    def start(self, crops: np.ndarray) -> Wait:
        self.ran += len(crops)
        first = 2.0 * crops[:, 0, 0, :1].astype(np.float32)
        return lambda: Outputs(first, first + 1)

    def run_pixels(self, pixels: np.ndarray) -> Outputs:
        raise NotImplementedError


def test_a_picture_is_run_once() -> None:
    runtime = Doubling()
    remembered = Remembered(runtime)
    crops = np.arange(5, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    remembered.start(crops[[0, 1]])()
    outputs = remembered.start(crops[[3, 1, 0, 2]])()
    assert runtime.ran == 4
    assert outputs.logits[:, 0].tolist() == [6, 2, 0, 4]
    assert outputs.embedding[:, 0].tolist() == [7, 3, 1, 5]
