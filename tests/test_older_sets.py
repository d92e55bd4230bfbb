"""Sets that were read before there was a whitened space: they open, say so, and are raised by the next reading."""

import shutil
from pathlib import Path

import pytest

from tests.imaging.pictures import write_folder
from tests.pipeline.reader import Reader
from url_viz.analysis.review.review import ready_reviews
from url_viz.analysis.scope import ReviewSpec
from url_viz.errors import ImageSetError
from url_viz.image_set import ImageSet, open_image_set
from url_viz.models.model import Model

COUNT = 60
NEW = ("whitening", "whitened", "graph")


def made_old(image_set: ImageSet) -> None:
    """Take a set's whitened space and graph away."""
    paths, key = image_set.core.store.paths, image_set.space.key
    for kind in NEW:
        shutil.rmtree(paths.tables / f"{kind}-{key}.lance")
    shutil.rmtree(paths.derived, ignore_errors=True)


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
    return {folder.name.partition("-")[0] for folder in image_set.core.store.paths.tables.glob("*.lance")}


@pytest.mark.slow
def test_it_opens_by_name_and_says_what_to_do(old: ImageSet) -> None:
    table = old.table()
    assert (old.core.graph, old.order().measure) == (None, None)
    assert "Read the folder again to order them: no picture is embedded again." in old.order().reason
    assert table[["confusability", "ambiguity", "nearest_similarity"]].isna().all(axis=None)


@pytest.mark.slow
def test_everything_that_a_page_asks_of_it_works(old: ImageSet) -> None:
    """With nothing of a whitened space on disk it is made for the moment; nothing is written."""
    first = int(old.table()["id"].iloc[0])
    assert len(old.search(first, k=5)) == 5
    assert len(old.neighbours(first, k=5)) == 5
    assert first not in set(old.neighbours(first, k=5)["id"])
    assert len(old.maps.representatives()) > 0
    assert old.labels.check() is None
    assert len(old.core.reference()) == COUNT
    assert tables_of(old).isdisjoint(NEW)


@pytest.mark.slow
def test_no_pair_and_no_name_is_asked_for_before_it_is_read_again(old: ImageSet) -> None:
    assert not old.core.has_graph
    for ask in (old.answers.ask, old.names.ask, lambda: old.reviews.open(ReviewSpec("pairs"))):
        with pytest.raises(ImageSetError, match="has no neighbour graph yet"):
            ask()
    first, second = (int(one) for one in old.ids[:2])
    old.names.give({first: "kiwi"})
    old.answers.give({(first, second): False})
    assert old.names.suggestions().empty
    assert old.answers.tuned() is None
    offered = ready_reviews(old.table(), old.order().measure, has_graph=old.core.has_graph)
    assert not {"pairs", "names"} & {spec.by for spec in offered}
    old.decisions.undo()
    old.decisions.undo()


@pytest.mark.slow
def test_the_next_reading_raises_it_without_embedding(old: ImageSet, reader: Reader) -> None:
    coordinates = old.table().set_index("path")[["x", "y"]]
    raised = reader()
    assert (reader.embedded, reader.opened) == (0, 0)
    assert tables_of(raised) >= set(NEW)
    assert raised.core.graph is not None
    assert raised.core.graph.whitening == raised.core.whitened.whitening.key
    assert raised.table()["ambiguity"].notna().all()
    assert raised.table()["confusability"].notna().all()
    assert raised.table().set_index("path")[["x", "y"]].equals(coordinates), "nobody moves on the map"
    again = reader()
    assert reader.embedded == 0
    assert again.table()["confusability"].equals(raised.table()["confusability"])
