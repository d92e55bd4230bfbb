"""On real photographs, in float16, the orders are those of the definitions in float64."""

import tarfile
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.labels.test_ambiguity import naive_fit, naive_shares, naive_votes
from tests.pipeline.test_confusability import naive
from tests.pipeline.test_whitening import by_definition
from tests.pipeline.whitened_examples import cosines, graph_of
from url_viz.evidence.order_metrics import auroc
from url_viz.labels.ambiguity import classify
from url_viz.models.model import Model
from url_viz.pipeline.confusability import confusability
from url_viz.pipeline.twins import twin_groups
from url_viz.store.tables.tables import Graph, no_twins

PHOTOS = Path(__file__).parents[3] / "shared" / "photos" / "scenes.tar"
PICTURES = 300


def read(folder: Path, model: Model) -> tuple[NDArray[np.float16], NDArray[np.int32]]:
    """Embeddings and classes of every other picture of a tar of class folders, at most PICTURES."""
    with tarfile.open(PHOTOS) as archive:
        archive.extractall(folder, filter="data")
    paths = sorted(path for path in folder.rglob("*") if path.is_file())[::2][:PICTURES]
    label = np.unique([path.parent.name for path in paths], return_inverse=True)[1]
    return model.predict(paths).embedding.astype(np.float16), label.astype(np.int32)


def defined_graph(embeddings: NDArray[np.float16]) -> tuple[Graph, NDArray[np.float64]]:
    whitened = by_definition(embeddings, 256, 0.5)
    near = np.where((cosines(embeddings) >= 0.96) | np.eye(len(embeddings), dtype=bool), -np.inf, cosines(whitened))
    position = np.argsort(-near, axis=1, kind="stable")[:, :64]
    similarity = np.take_along_axis(near, position, 1).astype(np.float32)
    return Graph(np.arange(len(near)), position.astype(np.int32), similarity, no_twins(len(near))), whitened


@pytest.mark.slow
@pytest.mark.skipif(not PHOTOS.exists(), reason="the photographs are not on this machine")
def test_float16_changes_no_order(tmp_path: Path, bare_model: Model) -> None:
    embeddings, label = read(tmp_path, bare_model)
    classes = int(label.max()) + 1
    graph, whitened = graph_of(embeddings)
    defined, exact = defined_graph(embeddings)
    group = twin_groups(graph.twins)
    is_wrong = label[defined.position[:, 0]] != label
    assert np.mean(graph.position[:, 0] == defined.position[:, 0]) > 0.99
    ours, theirs = confusability(graph.position, graph.similarity)[0], naive(defined.position, defined.similarity)
    assert np.abs(ours - theirs).mean() < 0.005
    assert auroc(ours, is_wrong) == pytest.approx(auroc(theirs, is_wrong), abs=0.003)
    assert auroc(ours, is_wrong) > 0.55
    found = classify(graph.position, graph.similarity, whitened, label, group)
    assert found is not None
    prior = np.bincount(label) / len(label)
    witnesses = naive_votes(defined, label, classes), naive_fit(exact, label, group, classes)
    share = naive_shares(*witnesses, prior, found.model.calibration)[2]
    two = np.sort(share, axis=1)[:, ::-1]
    assert np.mean(found.shares.first_class == share.argmax(axis=1)) > 0.99
    assert auroc(found.shares.ambiguity, is_wrong) == pytest.approx(
        auroc(1 - two[:, 0] + two[:, 1], is_wrong), abs=0.003
    )
    assert auroc(found.shares.ambiguity, is_wrong) > auroc(ours, is_wrong)
