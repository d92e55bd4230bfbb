"""The commands `answers` and `labels names`: what to ask, what was said, and what follows from it."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.cli.conftest import Run
from tests.given import given_set
from tests.read_sets import copied
from url_viz.base.errors import UsageError
from url_viz.export.result_files import questions_table
from url_viz.image_set import ImageSet

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


def test_pairs_are_printed_and_another_seed_draws_others(run: Run) -> None:
    first, again, other = run("answers ask"), run("answers ask"), run("answers ask", "--seed", "1")
    assert first == again != other
    assert first.splitlines()[0].split() == ["path", "neighbour_path"]
    assert len(first.splitlines()) == 21


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


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("answers give", "nowhere.csv"), "Cannot read 'nowhere.csv'"),
        (("answers list", "--out", "a.txt"), "ends neither in .csv nor in .parquet"),
    ],
)
def test_what_cannot_be_done_is_told(run: Run, arguments: tuple[str, ...], says: str) -> None:
    assert says in run(*arguments, status=1)


def test_a_number_out_of_bounds_is_refused_in_python_as_by_a_command(run: Run, image_set: ImageSet) -> None:
    assert "--top is 0; give a whole number" in run("answers ask", "--top", "0", status=2)
    with pytest.raises(UsageError, match="top is 0; give a whole number"):
        questions_table(image_set, top=0)
