"""Answers as a file: written, filled in, read back by content or by path, and refused if they cannot be read."""

from pathlib import Path

import pandas as pd
import pytest

from tests.read_sets import undecided
from tests.wrong_labels import set_with_wrong_labels
from url_viz.base.errors import DecisionError, FolderError
from url_viz.export.result_files import COLUMNS, answers_table, import_answers, questions_table
from url_viz.export.table_files import write_table
from url_viz.image_set import ImageSet
from url_viz.imaging.uploaded_files import IncomingFile

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    return set_with_wrong_labels(tmp_path_factory.mktemp("answers"))


@pytest.fixture
def image_set(read: ImageSet) -> ImageSet:
    """Nothing answered."""
    return undecided(read)


def answered(image_set: ImageSet, count: int = 6) -> pd.DataFrame:
    """Every second pair is said to be the same kind."""
    pairs = image_set.answers.ask(count)
    ids = zip(pairs["id"], pairs["neighbour_id"], strict=True)
    image_set.answers.give({pair: number % 2 == 0 for number, pair in enumerate(ids)})
    return pairs


def known(image_set: ImageSet) -> dict[tuple[int, int], bool]:
    return image_set.answers.log.now().as_dict()


def csv(text: str) -> IncomingFile:
    return IncomingFile("answers.csv", text.encode())


@pytest.mark.parametrize("keep", [COLUMNS, COLUMNS[:3]])
def test_what_is_written_is_read_back(image_set: ImageSet, tmp_path: Path, keep: list[str]) -> None:
    pairs = answered(image_set)
    table = answers_table(image_set)
    assert table.columns.tolist() == COLUMNS
    assert table["same"].tolist() == ["yes", "no"] * 3
    sides = zip(table["path"], table["neighbour_path"], strict=True)
    asked = zip(pairs["path"], pairs["neighbour_path"], strict=True)
    assert [set(pair) for pair in sides] == [set(pair) for pair in asked]
    before, file = known(image_set), write_table(table[keep], tmp_path / "answers.csv")
    image_set.decisions.undo()
    assert known(image_set) == {}
    done = import_answers(image_set, file, who="anna")
    assert known(image_set) == before
    assert (done.action.count, done.unanswered, done.unknown) == (6, 0, 0)
    assert image_set.decisions.history(1)["who"].tolist() == ["anna"]


def test_questions_are_filled_in(image_set: ImageSet, tmp_path: Path) -> None:
    table = questions_table(image_set, top=4, seed=1)
    assert table["same"].tolist() == [""] * 4
    table["same"] = ["Yes", " n ", "", "SAME"]
    done = import_answers(image_set, write_table(table, tmp_path / "q.csv"))
    assert sorted(known(image_set).values()) == [False, True, True]
    assert done.words == (
        "Said of 2 pairs that both are the same kind and said of 1 pair that they are not the same kind; "
        "passed over 1 row without an answer."
    )


def test_of_another_machine_by_content_whatever_the_paths(image_set: ImageSet) -> None:
    answered(image_set)
    table = answers_table(image_set).assign(path="elsewhere.jpg", neighbour_path="=other.jpg")
    before = known(image_set)
    image_set.decisions.undo()
    import_answers(image_set, csv(table.to_csv(index=False)))
    assert known(image_set) == before


def test_those_of_other_pictures_are_passed_over(image_set: ImageSet) -> None:
    table = image_set.table()
    one, two, copy, original = (*table["path"][1:3], "cat/copy.jpg", "cat/0000.jpg")
    text = f"path,neighbour_path,same\n{one},{two},yes\nnowhere.jpg,{two},no\n{copy},{original},no\n"
    done = import_answers(image_set, csv(text))
    assert (done.action.count, done.unknown) == (1, 2)
    assert done.words.endswith("; passed over 2 of pictures that are not in this set.")
    with pytest.raises(DecisionError, match="None of the 1 answers"):
        import_answers(image_set, csv("path,neighbour_path,same\nx.jpg,y.jpg,no\n"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("path,same\na,yes\n", "has no column 'neighbour_path'"),
        ("path,neighbour_path,same\na,b,yes\na,c,perhaps\n", "'perhaps' in the column same, line 3"),
        ("\0", "holds zero bytes"),
        ("", "cannot be read as a table"),
    ],
)
def test_a_file_that_says_something_else_stores_nothing(image_set: ImageSet, text: str, says: str) -> None:
    with pytest.raises(FolderError, match=says):
        import_answers(image_set, csv(text))
    assert known(image_set) == {}
