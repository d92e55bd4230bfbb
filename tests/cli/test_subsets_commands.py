"""The commands `subsets` and about the map, and `ImageSet` below them: chosen, pinned, tagged, written, measured."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.cli.conftest import Run
from tests.given import given_set
from tests.pipeline.whitened_examples import classes
from tests.read_sets import undecided
from url_viz.base.errors import ImageSetError
from url_viz.image_set import ImageSet

pytestmark = pytest.mark.slow

ROWS, KIND = classes(120, of=3, spread=0.9)


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    """Forty pictures of each of three classes, under embeddings about three centres."""
    paths = [f"{'abc'[kind]}/{number:03d}.jpg" for number, kind in enumerate(KIND)]
    return given_set(tmp_path_factory.mktemp("choose"), paths, ROWS)


@pytest.fixture
def image_set(read: ImageSet) -> ImageSet:
    return undecided(read)


def test_the_paths_of_what_covers_most_are_printed_and_a_longer_choice_goes_on(image_set: ImageSet, run: Run) -> None:
    nine = run("subsets choose", 9, "--per", "none").splitlines()
    assert len(set(nine)) == 9
    assert nine == image_set.subsets.choose(9, per=None)["path"].tolist()
    assert nine == image_set.names.ask(9)["path"].tolist(), "the same function chooses which to name"
    assert image_set.subsets.choose(30, per=None)["path"].tolist()[:9] == nine


def test_quotas_bounds_pins_and_what_was_dropped(image_set: ImageSet, run: Run, tmp_path: Path) -> None:
    table = image_set.table()
    image_set.decisions.decide(table.loc[table["label"] == "c", "id"].tolist()[:35], "drop")
    told = run("subsets choose", 40, "--most", "a=12", "--tag", "first", "--no-worth").splitlines()
    assert told == ["40 pictures chosen, 5 to 23 of each of 3 classes.", "Tagged 40 pictures “first”."]
    first = set(image_set.subsets.tagged("first"))
    other = next(picture for picture in table["id"][table["label"] == "a"] if picture not in first)
    (tmp_path / "one.txt").write_text(f"{image_set.row(other)['path']}\n")
    out = tmp_path / "list.csv"
    run("subsets choose", 50, "--pin", "first", "--pin", tmp_path / "one.txt", "--out", out)
    again = pd.read_csv(out)
    assert set(again.loc[again["pinned"], "id"]) == first | {other}
    assert again["label"].value_counts().to_dict() == {"a": 22, "b": 23, "c": 5}
    more = tmp_path / "more.csv"
    run("subsets choose", 52, "--pin", out, "--out", more)
    assert set(again["id"]) < set(pd.read_csv(more)["id"])


def test_only_what_has_the_decision_is_chosen_and_a_list_of_paths_is_written(
    image_set: ImageSet, run: Run, tmp_path: Path
) -> None:
    out = tmp_path / "list.txt"
    kept = image_set.core.ids[::2]
    image_set.decisions.decide(kept.tolist(), "keep")
    told = run("subsets choose", 12, "--decision", "keep", "--out", out)
    chosen = [Path(line) for line in out.read_text().splitlines()]
    assert all(path.is_file() for path in chosen)
    assert told.splitlines()[0] == "12 pictures chosen, 4 of each of 3 classes."
    ids = image_set.table().set_index("path").loc[[p.relative_to(image_set.root).as_posix() for p in chosen], "id"]
    assert set(ids) <= set(kept.tolist())
    assert told.splitlines()[1] == image_set.subsets.worth(ids.tolist()).words
    assert image_set.subsets.worth(ids.tolist()).pictures == 12


def test_what_cannot_be_done_is_said(image_set: ImageSet, run: Run) -> None:
    assert "no column 'colour'" in run("subsets choose", 5, "--per", "colour", status=1)
    assert "give a value and a whole number" in run("subsets choose", 5, "--most", "a", status=2)
    assert "No picture has the tag 'mine'. Tags: none yet." in run("subsets choose", 5, "--pin", "mine", status=1)
    with pytest.raises(ImageSetError, match="need a column"):
        image_set.subsets.choose(5, per=None, most={"a": 1})
    image_set.labels.use(None)
    assert image_set.subsets.choose(6).columns.tolist() == ["id", "path", "label", "pinned"]
    with pytest.raises(ImageSetError, match="two classes or more"):
        image_set.subsets.worth(image_set.core.ids[:5])
    assert np.array_equal(image_set.subsets.choose(200)["id"].sort_values(), np.sort(image_set.core.ids))


def test_representatives(image_set: ImageSet, tmp_path: Path, run: Run) -> None:
    table = image_set.subsets.regions(count=2)
    shown = run("subsets regions", "--count", 2)
    assert all(path in shown for path in table["path"])
    assert "share" in shown
    out = tmp_path / "them.csv"
    run("subsets regions", "--out", out)
    assert pd.read_csv(out)["size"].sum() <= 120


def test_project_and_refit(image_set: ImageSet, tmp_path: Path, run: Run) -> None:
    ids = image_set.table()["id"].tolist()[:4]
    (tmp_path / "ids.txt").write_text("\n".join(map(str, ids)))
    assert "4 pictures by PCA" in run("export map", tmp_path / "ids.txt", tmp_path / "map.csv")
    written = pd.read_csv(tmp_path / "map.csv")
    own = image_set.maps.project(ids)
    assert written["id"].tolist() == own.ids.tolist()
    assert written[["x", "y"]].to_numpy() == pytest.approx(own.xy, abs=1e-4)
    assert "The map of 120 pictures" in run("sets refit")


def test_what_are_no_ids_is_told(tmp_path: Path, run: Run) -> None:
    assert "Cannot read ids" in run("export map", tmp_path / "ids.txt", tmp_path / "map.csv", status=1)
    for text in ("cat.jpg", "9" * 30):
        (tmp_path / "ids.txt").write_text(text)
        assert "more than ids" in run("export map", tmp_path / "ids.txt", tmp_path / "map.csv", status=1)
