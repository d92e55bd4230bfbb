"""The commands `answers` and `labels`, and `ImageSet.labels.worth` below one: what to ask, what was said, its worth."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.cli.conftest import Run
from tests.given import by_turns, dice, given_set
from tests.read_sets import copied
from url_viz.evidence.worth import DECIDED, LOSS
from url_viz.image_set import ImageSet
from url_viz.jobs.kinds import worth_file

pytestmark = pytest.mark.slow

COUNT = 60


@pytest.fixture(scope="module")
def read_once(tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    """Sixty pictures without classes, of twelve kinds."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(12, 24))[np.arange(COUNT) % 12] + rng.normal(size=(COUNT, 24))
    return given_set(tmp_path_factory.mktemp("read"), [f"{number:04d}.jpg" for number in range(COUNT)], rows)


@pytest.fixture
def image_set(read_once: ImageSet, tmp_path: Path) -> ImageSet:
    return copied(read_once, tmp_path / "photos", home=tmp_path / "home")


def filled(file: Path) -> pd.DataFrame:
    table = pd.read_csv(file, dtype=str, keep_default_na=False)
    kinds = [table[name].str.slice(0, 4).astype(int) % 12 for name in ("path", "neighbour_path")]
    table["same"] = np.where(kinds[0] == kinds[1], "yes", "no")
    table.to_csv(file, index=False)
    return table


def test_asked_filled_in_imported_and_told(run: Run, image_set: ImageSet, tmp_path: Path) -> None:
    assert run("answers list") == (
        "0 answers, 0 the same kind. The order adapts to 10 answers or more, of both kinds: 10 to go.\n"
    )
    assert run("answers ask") == run("answers ask") != run("answers ask", "--seed", "1")
    file = tmp_path / "ask.csv"
    assert run("answers ask", "--out", file, "--top", "24") == f"24 pairs to ask about in {file}.\n"
    table = filled(file)
    assert set(table["same"]) == {"yes", "no"}
    assert run("answers give", file).startswith("Said of ")
    assert image_set.order().measure == "tuned"
    told = run("answers list")
    assert told.startswith(f"24 answers, {(table['same'] == 'yes').sum()} the same kind. They replaced ")
    assert told.splitlines()[1].split() == ["same", "path", "neighbour_path"]
    assert len(told.splitlines()) == 1 + 1 + 20 + 1
    assert told.endswith("… and 4 more (--top, --out)\n")
    written = run("answers list", "--out", tmp_path / "all.csv")
    assert written.splitlines() == [told.splitlines()[0], f"24 answers in {tmp_path / 'all.csv'}."]
    assert len(pd.read_csv(tmp_path / "all.csv")) == 24
    assert run("rank").startswith("Most ambiguous by tuned:")
    first = image_set.table().nlargest(1, "tuned")["path"].iloc[0]
    assert re.match(rf"{re.escape(first)}: tuned .+, above 100 % of this set", run("explain", first))
    assert run("undo").startswith("Undone: said of ")
    assert image_set.order().measure == "confusability"


def test_the_review_of_pairs_is_listed_with_both_pictures(run: Run, image_set: ImageSet) -> None:
    pairs = image_set.answers.ask(3)
    _, header, *lines, more = run("review", "--by", "pairs", "--top", "3").splitlines()
    assert header.split() == ["path", "question", "beside"], "there are no labels"
    assert [line.split() for line in lines] == [
        [row.path, *["The", "same", "kind:", "would", "you", "put", "both", "in", "one", "class?"], row.neighbour_path]
        for row in pairs.itertuples()
    ]
    assert more.endswith(" more (--top)")


def test_names_are_asked_suggested_and_accepted(run: Run, image_set: ImageSet) -> None:
    header, *first = run("labels names", "--top", "40").split()
    assert (header, len(first)) == ("path", 40)
    assert all((image_set.root / path).exists() for path in first)
    assert run("labels names", "--suggested") == "0 suggestions from share 0.90 on, about 0 of them wrong.\n"
    ids = image_set.table().set_index("path")["id"]
    image_set.names.give({int(ids[path]): f"kind {int(path[:4]) % 12:02d}" for path in first})
    said = run("labels names", "--suggested", "--share", "0", "--top", "3").splitlines()
    assert said[0].startswith("20 suggestions from share 0.00 on, about ")
    assert len(said) == 6
    assert said[-1] == "… and 17 more (--top)"
    assert run("labels names", "--accept", "--share", "0").startswith("Named 20 pictures")
    assert run("labels names") == "Every picture has a name.\n"


class TestChoice:
    """`labels list`, `use` and `keep-apart`: levels of the folders, tags, or nothing."""

    @pytest.fixture
    def image_set(self, tmp_path: Path) -> ImageSet:
        return given_set(tmp_path, by_turns(6, ("train/cat", "train/dog", "test/cat")))

    def test_what_the_folders_offer_is_told_and_each_choice_is_kept(self, run: Run) -> None:
        assert run("labels list").splitlines() == [
            "2 classes; test and train as split.",
            "level:1: 2 folders (test, train)",
            "level:2: 2 folders (cat, dog), the class folder, the label",
        ]
        assert run("labels use", "level:1") == "The label is level 1 of the folders from now on: 2 classes.\n"
        assert run("labels list").splitlines()[:2] == [
            "2 classes from level 1 of the folders.",
            "level:1: 2 folders (test, train), the label",
        ]
        assert run("labels use", "tags") == "The label is the first tag from now on: 0 classes.\n"
        assert run("labels use", "none") == "The label is nothing from now on: 0 classes.\n"
        assert run("labels use", "folders") == "The label is the class folder from now on: 2 classes.\n"
        told = run("labels keep-apart", "level:1")
        assert told.startswith("Pictures are apart by level 1 of the folders (2 groups) from now on.\n")
        told = run("labels list")
        assert told.startswith("2 classes; test and train as split; apart by level 1 of the folders (2 groups).\n")
        told = run("labels keep-apart", "none")
        assert told.startswith("Pictures are apart as near copies only from now on.\n")
        for command, wrong, said in (
            ("labels use", "level:3", r"no level 3.*level:2 \(cat, dog\)"),
            ("labels keep-apart", "patient", "no 'patient'.*name:1"),
        ):
            assert re.search(said, run(command, wrong, status=1))


class TestWorth:
    """What was decided is what is measured."""

    @pytest.fixture
    def image_set(self, tmp_path: Path) -> ImageSet:
        """Cats and dogs far apart, but for the first six cats, which look like dogs."""
        number = np.arange(24)
        rows = 0.5 * dice(24, 12)
        rows[:, 0] += np.where((number % 2 == 1) | (number < 12), 3, -3)
        return given_set(tmp_path, by_turns(24), rows)

    def test_python_measures_it_and_the_command_says_it_and_writes_the_classes(
        self, image_set: ImageSet, run: Run, tmp_path: Path
    ) -> None:
        assert not image_set.labels.is_reviewed()
        assert "nothing to compare" in image_set.labels.worth(seeds=2).words
        table = image_set.table()
        wrong = table.loc[table["path"].isin([f"cat/{i:04d}.jpg" for i in range(0, 12, 2)]), "id"].tolist()
        image_set.decisions.decide(wrong, "keep")
        assert not image_set.labels.is_reviewed(), "kept is not dropped"
        image_set.decisions.decide(wrong, "drop")
        found = image_set.labels.worth(seeds=2)
        assert (found.pictures, found.classes, found.dropped, found.corrected) == (24, 2, 6, 0)
        assert found.asked == 18, "dropped ones do not tell whether dropping them was right"
        assert found.figure(DECIDED).value == pytest.approx(1, abs=0.05)
        told = run("labels worth", "--seeds", 2).splitlines()
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
