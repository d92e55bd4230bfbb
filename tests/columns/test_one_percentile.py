"""One picture has one percentile: in the table, by search, as an upload, on a card, in reports and in folders."""

import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from tests.conftest import held
from tests.imaging.pictures import write_folder
from url_viz.columns.ranking import percentile, with_percentile
from url_viz.drawing.points import map_points
from url_viz.drawing.tiles import card_of
from url_viz.export.folders import sort_into_folders
from url_viz.export.report import measure_of, ranked_pictures
from url_viz.image_set import ImageSet
from url_viz.imaging.uploaded_files import IncomingFile
from url_viz.models.model import Model
from url_viz.outside.uploads import NewPicture, judge_pictures, score
from url_viz.pictures.map_figure import map_figure
from url_viz.pictures.set_selection import chosen_ids
from url_viz.reading import embed_folder

COPIES = 9
MEASURES = ("uncertainty", "entropy")
"""The one has a column of percentiles, the other has not."""


@pytest.fixture(scope="module")
def image_set(tmp_path_factory: pytest.TempPathFactory, module_workspace: Path, model: Model) -> ImageSet:
    """Nine copies of one file, and another one."""
    folder = write_folder(tmp_path_factory.mktemp("copies") / "pictures", 2, classes=("pear",))
    for number in range(1, COPIES):
        shutil.copy(folder / "pear" / "0000.jpg", folder / "pear" / f"copy-{number}.jpg")
    return embed_folder(folder, model=model, workspace=module_workspace)


def by_hand(image_set: ImageSet, measure: str) -> NDArray[np.float64]:
    """The copies share the places 1 to 9 of 10, or 2 to 10: their middle is 4, or 5, of nine steps above the first."""
    value = image_set.table().set_index("path")[measure]
    is_ahead = np.sign(value["pear/0001.jpg"] - value["pear/0000.jpg"])
    return np.where(value.index == "pear/0001.jpg", 50 + 50 * is_ahead, 50 - 50 / 9 * is_ahead)


def uploads_of(image_set: ImageSet, model: Model) -> list[NewPicture]:
    files = [IncomingFile(str(i), image_set.files.path(int(i)).read_bytes()) for i in image_set.core.ids]
    return [one for one in score(files, held(model)) if isinstance(one, NewPicture)]


def on_card(image_set: ImageSet, image_id: int, measure: str) -> float:
    [found] = {"measures": [], **card_of(image_set, image_id, measure=measure)}["measures"][:1]
    return float(found["percentile"])


@pytest.mark.parametrize("measure", MEASURES)
def test_it_is_the_same_through_every_door(image_set: ImageSet, model: Model, measure: str, tmp_path: Path) -> None:
    expected, ids = by_hand(image_set, measure), image_set.core.ids.tolist()
    uploads = uploads_of(image_set, model)
    doors: dict[str, Iterable[float]] = {
        "table": with_percentile(image_set.table(), measure)["rank_percentile"].tolist(),
        "find by id": [image_set.safe_search(i, by=measure).query_percentile for i in ids],
        "find by file": [image_set.safe_search(image_set.files.path(i), by=measure).query_percentile for i in ids],
        "uploads with the set": judge_pictures(uploads, image_set.core.reference())[f"{measure}_percentile"],
        "uploads alone": judge_pictures(uploads, None)[f"{measure}_percentile"],
        "card": [on_card(image_set, i, measure) for i in ids],
    }
    if measure == "uncertainty":
        doors["column"] = image_set.table()["percentile"].tolist()
    for door, found in doors.items():
        assert list(found) == pytest.approx(expected, abs=1e-4), door
    above = set(chosen_ids(image_set, above=50, by=measure).tolist())
    assert above == {i for i, at in zip(ids, expected, strict=True) if at >= 50}
    sorted_to = sort_into_folders(image_set, tmp_path / "out", by=measure, how="link", threshold=50)
    assert sorted_to.created["ambiguous"] == len(above)


def test_a_report_has_that_of_its_measure(image_set: ImageSet) -> None:
    found = ranked_pictures(image_set)["rank_percentile"].to_numpy()
    assert found == pytest.approx(by_hand(image_set, measure_of(image_set)), abs=1e-4)


def test_a_query_from_outside_stands_on_the_steps_of_the_set(image_set: ImageSet) -> None:
    """Below, between and beyond its values, by the ruler of its table: ten pictures are nine steps, not ten."""
    values = image_set.table()["uncertainty"].to_numpy(float)
    for scale in (0.25, 0.5, 1, 2, 4, -1):
        found = image_set.safe_search(image_set.embeddings()[0] * np.float32(scale), by="uncertainty")
        assert found.query_percentile == percentile(np.array([found.query_value]), among=values)[0]
        assert found.query_percentile * 9 / 100 % 0.5 == pytest.approx(0, abs=1e-5)


def test_an_upload_with_a_value_of_the_set_stands_where_that_stands(image_set: ImageSet, model: Model) -> None:
    [upload] = uploads_of(image_set, model)[:1]
    outside = NewPicture(**(vars(upload) | {"content": upload.content + 1}))
    found = judge_pictures([outside], image_set.core.reference())
    assert found["uncertainty_percentile"].iloc[0] == image_set.table()["percentile"].iloc[0]


def test_on_a_map_of_its_own_a_part_has_the_percentiles_of_the_whole(image_set: ImageSet) -> None:
    """A column of numbers has no percentiles of its own in the table; of a part they are still those of the set."""
    table = image_set.table()
    part = table[table["path"] == "pear/0000.jpg"]
    [at] = map_points(part.assign(x=np.float32(0), y=np.float32(0)), measure="entropy", within=table).value
    assert at == pytest.approx(by_hand(image_set, "entropy")[0], abs=1e-4)


def test_a_figure_tells_the_percentiles_of_the_set_also_of_pictures_without_a_place(image_set: ImageSet) -> None:
    table = image_set.table()
    is_first: pd.Series[bool] = table["path"] == "pear/0000.jpg"
    figure = map_figure(table.assign(x=np.where(is_first, 1, np.nan), y=0.0), by="entropy", colour="entropy")
    assert [*figure.data[0].marker.color] == pytest.approx([by_hand(image_set, "entropy")[0]], abs=1e-4)
