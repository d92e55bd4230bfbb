"""Sets whose reading was stopped before there was a whitened space: they open, say so, and the next reading goes on."""

import shutil
from pathlib import Path

import pytest

from tests.imaging.pictures import write_folder
from tests.pipeline.reader import Reader
from url_viz.base.errors import ImageSetError
from url_viz.columns.filters import ReviewSpec
from url_viz.image_set import ImageSet, open_image_set
from url_viz.models.model import Model
from url_viz.review.review import ready_reviews

COUNT = 60
NEW = ("whitening", "whitened", "graph")


def without_graph(image_set: ImageSet) -> None:
    """Take a set's whitened space and graph away."""
    paths, key = image_set.core.store.paths, image_set.space.key
    for kind in NEW:
        shutil.rmtree(paths.tables / f"{kind}-{key}.lance")
    shutil.rmtree(paths.derived, ignore_errors=True)


@pytest.fixture(scope="module")
def reader(module_workspace: Path, model: Model) -> Reader:
    return Reader(
        write_folder(module_workspace.parent / "stopped", COUNT, classes=("cat", "dog")), module_workspace, model
    )


@pytest.fixture(scope="module")
def stopped(reader: Reader) -> ImageSet:
    """Sixty pictures in two classes and a copy with another name, embedded and no more."""
    shutil.copy(reader.folder / "cat" / "0000.jpg", reader.folder / "cat" / "copy.jpg")
    without_graph(reader())
    return open_image_set(reader.folder, model=reader.model.source.name, workspace=reader.workspace)


def tables_of(image_set: ImageSet) -> set[str]:
    return {folder.name.partition("-")[0] for folder in image_set.core.store.paths.tables.glob("*.lance")}


@pytest.mark.slow
def test_it_opens_by_name_and_says_what_to_do(stopped: ImageSet) -> None:
    table = stopped.table()
    assert (stopped.core.graph, stopped.order().measure) == (None, None)
    assert "Read the folder again to order them: no picture is embedded again." in stopped.order().reason
    assert table[["confusability", "ambiguity", "nearest_similarity"]].isna().all(axis=None)


@pytest.mark.slow
def test_everything_that_a_page_asks_of_it_works(stopped: ImageSet) -> None:
    """With nothing of a whitened space on disk it is made for the moment; nothing is written."""
    first = int(stopped.table()["id"].iloc[0])
    assert len(stopped.search(first, k=5)) == 5
    assert len(stopped.neighbours(first, k=5)) == 5
    assert first not in set(stopped.neighbours(first, k=5)["id"])
    assert len(stopped.subsets.regions()) > 0
    assert stopped.labels.check() is None
    assert len(stopped.core.reference()) == COUNT
    assert tables_of(stopped).isdisjoint(NEW)


@pytest.mark.slow
def test_no_pair_and_no_name_is_asked_for_before_it_is_read_again(stopped: ImageSet) -> None:
    assert not stopped.core.has_graph
    for ask in (stopped.answers.ask, stopped.names.ask, lambda: stopped.reviews.open(ReviewSpec("pairs"))):
        with pytest.raises(ImageSetError, match="has no neighbour graph yet"):
            ask()
    first, second = (int(one) for one in stopped.core.ids[:2])
    stopped.names.give({first: "kiwi"})
    stopped.answers.give({(first, second): False})
    assert stopped.names.suggestions().empty
    assert stopped.answers.tuned() is None
    offered = ready_reviews(stopped.table(), stopped.order().measure, has_graph=stopped.core.has_graph)
    assert not {"pairs", "names"} & {spec.by for spec in offered}
    stopped.decisions.undo()
    stopped.decisions.undo()


@pytest.mark.slow
def test_the_next_reading_goes_on_without_embedding(stopped: ImageSet, reader: Reader) -> None:
    coordinates = stopped.table().set_index("path")[["x", "y"]]
    whole = reader()
    assert (reader.embedded, reader.opened) == (0, 0)
    assert tables_of(whole) >= set(NEW)
    assert whole.core.graph is not None
    assert whole.core.graph.whitening == whole.core.whitened.whitening.key
    assert whole.table()["ambiguity"].notna().all()
    assert whole.table()["confusability"].notna().all()
    assert whole.table().set_index("path")[["x", "y"]].equals(coordinates), "nobody moves on the map"
    again = reader()
    assert reader.embedded == 0
    assert again.table()["confusability"].equals(whole.table()["confusability"])
