"""The command `labels worth`, and `ImageSet.labels.worth` below it: what was decided is what is measured."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.cli.conftest import Run
from tests.given import by_turns, dice, given_set
from url_viz.evidence.worth import DECIDED, LOSS
from url_viz.image_set import ImageSet
from url_viz.jobs.kinds import worth_file

pytestmark = pytest.mark.slow

COUNT = 24


@pytest.fixture
def image_set(tmp_path: Path) -> ImageSet:
    """Cats and dogs as given embeddings, far apart; the first six files of the cats look like dogs, by the numbers."""
    number = np.arange(COUNT)
    looks_like_dog = (number % 2 == 1) | (number < 12)
    rows = 0.5 * dice(COUNT, 12)
    rows[:, 0] += np.where(looks_like_dog, 3, -3)
    return given_set(tmp_path, by_turns(COUNT), rows)


def wrong_cats(image_set: ImageSet) -> list[int]:
    table = image_set.table()
    return table.loc[table["path"].isin([f"cat/{i:04d}.jpg" for i in range(0, 12, 2)]), "id"].tolist()


def test_python_measures_what_was_decided(image_set: ImageSet) -> None:
    assert not image_set.labels.is_reviewed()
    assert "nothing to compare" in image_set.labels.worth(seeds=2).words
    image_set.decisions.decide(wrong_cats(image_set), "drop")
    found = image_set.labels.worth(seeds=2)
    assert (found.pictures, found.classes, found.dropped, found.corrected) == (COUNT, 2, 6, 0)
    assert found.asked == COUNT - 6, "dropped ones do not tell whether dropping them was right"
    assert found.figure(DECIDED).value == pytest.approx(1, abs=0.05)
    image_set.decisions.decide(wrong_cats(image_set), "keep")
    assert not image_set.labels.is_reviewed(), "kept is not dropped"


def test_the_command_says_it_and_writes_the_classes(image_set: ImageSet, run: Run, tmp_path: Path) -> None:
    image_set.decisions.decide(wrong_cats(image_set), "drop")
    told = run("labels worth", "--seeds", 2).splitlines()
    found = image_set.labels.worth(seeds=2)
    assert told[0] == found.words
    assert re.match(r"\d+\.\d % → \d+\.\d % right, \+\d+\.\d \[", told[0]), "its figure comes first"
    assert "Of 24 labelled pictures 6 were dropped." in told[0]
    assert told[1].split() == ["trained", "on", "accuracy", "log", "loss"]
    for line, arm in zip(told[2:6], found.arms, strict=True):
        assert line.strip().startswith(arm)
        for figure in (found.figure(arm), found.figure(arm, LOSS)):
            assert figure.text(digits=3) in line
    printed = run("labels worth", "--seeds", 2, "--out", tmp_path / "classes.csv")
    assert printed.splitlines() == [found.words, f"2 classes in {tmp_path / 'classes.csv'}."]
    written = pd.read_csv(tmp_path / "classes.csv")
    assert written["label"].tolist() == found.by_class["label"].tolist()
    assert written["decided"].to_numpy() == pytest.approx(found.by_class["decided"].to_numpy(dtype=float))
    assert "All of it is in" in run("labels worth", "--seeds", 2, "--out", tmp_path / "worth.json")
    stored = worth_file(tmp_path / "worth.json").read()
    pd.testing.assert_frame_equal(stored.figures, found.figures, check_exact=True)
    assert stored.words == found.words
