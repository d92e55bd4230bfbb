"""Sets that were read before there was a whitened space: they open, say so, and are raised by the next reading."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tests.imaging.pictures import write_folder
from tests.pipeline.reader import Reader
from url_viz.analysis.review import ready_reviews
from url_viz.analysis.review_spec import ReviewSpec
from url_viz.analysis.twin_groups import group_codes
from url_viz.errors import ImageSetError
from url_viz.image_set import ImageSet, open_image_set
from url_viz.models.model import Model
from url_viz.rows import l2_normalize
from url_viz.store.lance import connect
from url_viz.store.tables import fixed_lists

COUNT, K = 60, 32
NEW = ("whitening", "whitened", "graph")


def raw_lists(embeddings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The graph of before: the 32 nearest by raw cosine, twins among them."""
    unit = l2_normalize(embeddings)
    cosine = unit @ unit.T
    np.fill_diagonal(cosine, -2)
    position = np.argsort(-cosine, axis=1, kind="stable")[:, :K]
    return position.astype(np.int32), np.take_along_axis(cosine, position, 1).astype(np.float32)


def made_old(image_set: ImageSet) -> None:
    """Take a set's whitened space and graph away, and write the graph of before, as its version wrote it."""
    paths, key = image_set.store.paths, image_set.space.key
    for kind in NEW:
        shutil.rmtree(paths.tables / f"{kind}-{key}.lance")
    shutil.rmtree(paths.derived, ignore_errors=True)
    stored = image_set.store.embeddings(key)
    position, similarity = raw_lists(stored.embedding)
    fields = [
        pa.field("content", pa.int64(), nullable=False),
        pa.field("position", pa.list_(pa.int32(), K), nullable=False),
        pa.field("similarity", pa.list_(pa.float32(), K), nullable=False),
        pa.field("is_approximate", pa.bool_(), nullable=False),
    ]
    approximate = pa.array(np.zeros(len(stored), bool))
    columns = [pa.array(stored.content), fixed_lists(position), fixed_lists(similarity), approximate]
    connect(paths.tables).create_table(f"neighbours-{key}", data=pa.table(columns, schema=pa.schema(fields)))


@pytest.fixture(scope="module")
def reader(module_workspace: Path, model: Model) -> Reader:
    return Reader(write_folder(module_workspace.parent / "old", COUNT, classes=("cat", "dog")), module_workspace, model)


@pytest.fixture(scope="module")
def old(reader: Reader) -> ImageSet:
    """Sixty pictures in two classes and a copy with another name, as an older version left them."""
    shutil.copy(reader.folder / "cat" / "0000.jpg", reader.folder / "cat" / "copy.jpg")
    made_old(reader())
    return open_image_set(reader.folder, model=reader.model.source.name, workspace=reader.workspace)


def tables_of(image_set: ImageSet) -> set[str]:
    return {folder.name.partition("-")[0] for folder in image_set.store.paths.tables.glob("*.lance")}


@pytest.mark.slow
def test_it_opens_by_the_nearest_and_says_why(old: ImageSet) -> None:
    table = old.table()
    assert old.graph is None
    order = old.order()
    assert order.measure == "confusability"
    assert "read by an older version" in order.reason
    assert "no picture is embedded again" in order.reason
    stored = old.store.embeddings(old.space.key, np.unique(old.contents))
    position, cosine = raw_lists(stored.embedding)
    nearest = np.array([row[row < 0.96][0] for row in cosine])[np.searchsorted(stored.content, old.contents)]
    assert (position >= 0).all()
    assert table["nearest_similarity"].to_numpy() == pytest.approx(nearest, abs=1e-5)
    assert np.array_equal(np.argsort(table["confusability"], kind="stable"), np.argsort(-nearest, kind="stable"))
    assert table["confusability"].between(0, 1).all()
    assert table["ambiguity"].isna().all()
    group = dict(zip(table["path"], group_codes(table), strict=True))
    assert group["cat/0000.jpg"] == group["cat/copy.jpg"]
    assert group["cat/0000.jpg"] != group["cat/0002.jpg"]


@pytest.mark.slow
def test_everything_that_a_page_asks_of_it_works(old: ImageSet) -> None:
    """With nothing of a whitened space on disk it is made for the moment; nothing is written."""
    first = int(old.table()["id"].iloc[0])
    assert len(old.search(first, k=5)) == 5
    assert len(old.neighbours(first, k=5)) == 5
    assert first not in set(old.neighbours(first, k=5)["id"])
    assert len(old.maps.representatives()) > 0
    assert old.labels.check() is None
    assert len(old.reference()) == COUNT
    assert tables_of(old).isdisjoint(NEW)


@pytest.mark.slow
def test_no_pair_and_no_name_is_asked_for_before_it_is_read_again(old: ImageSet) -> None:
    assert not old.has_graph
    for ask in (old.answers.ask, old.names.ask, lambda: old.reviews.open(ReviewSpec("pairs"))):
        with pytest.raises(ImageSetError, match="has no neighbour graph yet"):
            ask()
    first, second = (int(one) for one in old.ids[:2])
    old.names.give({first: "kiwi"})
    old.answers.give({(first, second): False})
    assert old.names.suggestions().empty
    assert old.answers.tuned() is None
    offered = ready_reviews(old.table(), old.order().measure, has_suspects=False, has_graph=old.has_graph)
    assert not {"pairs", "names"} & {spec.by for spec in offered}
    old.decisions.undo()
    old.decisions.undo()


@pytest.mark.slow
def test_the_next_reading_raises_it_without_embedding_and_drops_the_old_graph(old: ImageSet, reader: Reader) -> None:
    assert "neighbours" in tables_of(old)
    coordinates = old.table().set_index("path")[["x", "y"]]
    raised = reader()
    assert (reader.embedded, reader.opened) == (0, 0)
    assert tables_of(raised) >= set(NEW)
    assert "neighbours" not in tables_of(raised)
    assert raised.graph is not None
    assert raised.graph.whitening == raised.whitened.whitening.key
    assert "older version" not in raised.order().reason
    assert raised.table()["ambiguity"].notna().all()
    assert raised.table()["confusability"].notna().all()
    assert raised.table().set_index("path")[["x", "y"]].equals(coordinates), "nobody moves on the map"
    again = reader()
    assert reader.embedded == 0
    assert again.table()["confusability"].equals(raised.table()["confusability"])
