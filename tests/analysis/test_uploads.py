"""Uploads are scored as a store would score them, and compared with an image set as its own pictures are."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.imaging.pictures import encoded, noise, write_folder
from url_viz.analysis.confusability import confusability
from url_viz.analysis.ranking import percentile
from url_viz.analysis.uploads import (
    Reference,
    Refused,
    Scored,
    confusability_in,
    nearest_in,
    percentile_among,
    rank,
    reference_of,
    score,
)
from url_viz.image_set import ImageSet, embed_folder
from url_viz.imaging.digest import content_key
from url_viz.imaging.uploads import IncomingFile
from url_viz.models.model import Model
from url_viz.pipeline.neighbours import K, build_graph
from url_viz.store.tables import Embeddings


@pytest.fixture
def image_set(tmp_path: Path, workspace: Path, model: Model) -> ImageSet:
    folder = write_folder(tmp_path / "pictures", 40, classes=("cat", "dog"))
    (folder / "cat" / "copy.jpg").write_bytes((folder / "cat" / "0000.jpg").read_bytes())
    return embed_folder(folder, model=model, workspace=workspace)


def uploads_of(image_set: ImageSet) -> list[IncomingFile]:
    table = image_set.table()
    return [IncomingFile(str(row.path), image_set.file_of(int(row.id)).read_bytes()) for row in table.itertuples()]


def contents_of(image_set: ImageSet) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    return np.array([content_key(file.data) for file in uploads_of(image_set)])


def scored(files: list[IncomingFile], model: Model) -> list[Scored]:
    found = score(files, model)
    assert all(isinstance(one, Scored) for one in found)
    return [one for one in found if isinstance(one, Scored)]


def test_a_picture_of_the_set_has_its_own_values_as_an_upload(image_set: ImageSet, model: Model) -> None:
    table = image_set.table()
    found = rank(
        scored(uploads_of(image_set), model), reference_of(table, image_set.embeddings(), contents_of(image_set))
    )
    for measure in ("uncertainty", "confusability", "entropy", "inverse_norm"):
        np.testing.assert_allclose(found[measure], table[measure], rtol=1e-6)
    np.testing.assert_allclose(found["confusability_percentile"], table["confusability_percentile"], atol=3)
    np.testing.assert_allclose(found[["x", "y"]], table[["x", "y"]], atol=1e-5)
    assert (found["nearest_similarity"] > 0.999).all()
    content_of = dict(zip(table["id"], contents_of(image_set), strict=True))
    assert [content_of[twin] for twin in found["twin_of"]] == list(contents_of(image_set))


def test_a_score_agrees_with_the_store_though_batches_differ(image_set: ImageSet, model: Model) -> None:
    outcomes = scored(uploads_of(image_set), model)
    table = image_set.table()
    np.testing.assert_allclose([one.uncertainty for one in outcomes], table["uncertainty"], rtol=5e-3)
    np.testing.assert_allclose([one.entropy for one in outcomes], table["entropy"], rtol=2e-2)
    cosine = np.sum(np.stack([one.embedding for one in outcomes]).astype(np.float32) * image_set.embeddings(), axis=1)
    norms = np.linalg.norm(image_set.embeddings(), axis=1)
    np.testing.assert_allclose(cosine / norms**2, 1, atol=0.01)


def test_a_new_picture_lies_among_its_neighbours(image_set: ImageSet, model: Model) -> None:
    table = image_set.table()
    path = image_set.file_of(int(table["id"].iloc[3]))
    with Image.open(path) as image:
        changed = encoded(image.rotate(4), quality=60)
    reference = reference_of(table, image_set.embeddings(), contents_of(image_set))
    [upload] = scored([IncomingFile("new.jpg", changed)], model)
    row = rank([upload], reference).iloc[0]
    position, _ = nearest_in(upload.embedding[None], reference.embedding, k=5)
    near = reference.xy[position[0]]
    assert (near.min(axis=0) - 1e-4 <= [row.x, row.y]).all()
    assert ([row.x, row.y] <= near.max(axis=0) + 1e-4).all()
    assert 0 <= row.confusability < 1


def test_without_a_set_uploads_are_compared_with_each_other(model: Model) -> None:
    files = [IncomingFile(f"{seed}.png", encoded(noise(seed), "PNG")) for seed in range(6)]
    found = rank(scored([*files, IncomingFile("again.png", files[0].data)], model), None)
    assert found["x"].isna().all()
    assert (found["twin_of"] == -1).all()
    assert found["uncertainty_percentile"].max() == pytest.approx(100, abs=10)
    assert found["confusability"].iloc[0] == found["confusability"].iloc[6]
    assert found["id"].tolist() == list(range(7))


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_uploads_have_no_confusability_among_themselves(count: int, model: Model) -> None:
    found = rank(scored([IncomingFile(f"{i}.png", encoded(noise(i), "PNG")) for i in range(count)], model), None)
    assert len(found) == count
    assert found["confusability"].isna().all()
    assert np.isfinite(found["uncertainty"]).all()


def broken(data: bytes) -> bytes:
    return data[: len(data) // 2]


def empty(data: bytes) -> bytes:
    return b""


def page(data: bytes) -> bytes:
    return b"<!doctype html><script>alert(1)</script>"


@pytest.mark.parametrize(
    ("damage", "reason"), [(broken, "truncated"), (empty, "0 bytes"), (page, "an HTML page, not a picture")]
)
def test_a_bad_file_is_refused_with_its_reason_and_the_others_are_scored(
    damage: Callable[[bytes], bytes], reason: str, model: Model
) -> None:
    good = encoded(noise(1, width=400, height=300))
    first, bad, last = score([IncomingFile(n, d) for n, d in (("a", good), ("b", damage(good)), ("c", good))], model)
    assert isinstance(bad, Refused)
    assert bad.name == "b"
    assert reason in bad.reason
    assert isinstance(first, Scored)
    assert isinstance(last, Scored)
    assert first.content == last.content


def test_a_thumbnail_is_small_and_carries_no_metadata(model: Model) -> None:
    exif = Image.Exif()
    exif[0x010E] = "secret place"
    [upload] = scored([IncomingFile("a.jpg", encoded(noise(1, width=900, height=600), exif=exif))], model)
    assert (upload.width, upload.height) == (900, 600)
    assert max(Image.open(io.BytesIO(upload.thumbnail)).size) <= 256
    assert b"secret place" not in upload.thumbnail


def test_percentiles_by_hand() -> None:
    """Among 1, 2, 2, 4 at 0, 50, 50, 100: 3 lies between the third and the fourth, at 2.5 of 3 steps; ends are cut."""
    found = percentile_among(np.array([1, 2, 3, 4, 9, 0, np.nan]), np.array([2.0, 4, 1, 2, np.nan]))
    np.testing.assert_allclose(found, [0, 50, 250 / 3, 100, 100, 0, np.nan], rtol=1e-6)
    assert percentile_among(np.array([1.0, 7.0]), np.array([1.0])).tolist() == [50, 50]
    assert np.isnan(percentile_among(np.array([1.0]), np.array([np.nan]))).all()


def test_a_member_has_the_percentile_that_the_set_gives_it() -> None:
    members = np.random.default_rng(0).integers(0, 30, 200).astype(float)
    np.testing.assert_allclose(percentile_among(members, members), percentile(members), rtol=1e-5)


def test_confusability_by_hand() -> None:
    """Two rivals as near: the largest share is a half. A twin does not count; one rival alone compares with nothing."""
    place = np.array([[0, 1, 2], [0, 1, 2], [0, 1, -1]])
    cosines = np.array([[0.5, 0.5, -1], [0.99, 0.4, 0.4], [0.99, 0.4, -1]])
    twins = np.array([[False] * 3, [True, False, False], [True, False, False]])
    found = confusability_in(place, cosines, twins)
    np.testing.assert_allclose(found, [0.5, 0.5, np.nan], atol=1e-6)


def test_a_picture_outside_has_the_confusability_that_it_would_have_inside() -> None:
    rows = np.random.default_rng(3).normal(size=(60, 12)).astype(np.float16)
    graph = build_graph(Embeddings(np.arange(60), rows, np.zeros(60, np.float32)))
    inside = confusability(graph.position, graph.similarity, np.arange(60))
    for number in (0, 17, 59):
        position, similarity = nearest_in(rows[number][None], np.delete(rows, number, axis=0), k=K)
        outside = confusability_in(position, similarity, np.zeros(position.shape, bool))
        assert outside[0] == pytest.approx(inside[number], abs=1e-5)


def test_nearest_agrees_with_a_loop_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("url_viz.analysis.uploads.ROWS_AT_ONCE", 7)
    rng = np.random.default_rng(0)
    rows, queries = rng.normal(size=(30, 5)), rng.normal(size=(4, 5))
    position, similarity = nearest_in(queries, rows, k=6)
    for query, near, cosines in zip(queries, position, similarity, strict=True):
        exact = [float(query @ row / np.linalg.norm(query) / np.linalg.norm(row)) for row in rows]
        assert near.tolist() == sorted(range(30), key=lambda row: -exact[row])[:6]
        np.testing.assert_allclose(cosines, sorted(exact, reverse=True)[:6], rtol=1e-5)
    assert nearest_in(queries, rows[:2], k=3)[0][:, 2].tolist() == [-1] * 4


def test_a_set_without_a_map_places_nothing(model: Model) -> None:
    files = [IncomingFile(f"{seed}.png", encoded(noise(seed), "PNG")) for seed in range(4)]
    found = scored(files, model)
    reference = Reference(
        ids=np.arange(4),
        content=np.array([one.content for one in found]),
        embedding=np.stack([one.embedding for one in found]),
        xy=np.full((4, 2), np.nan, np.float32),
        values={m: np.arange(4.0) for m in ("uncertainty", "confusability", "entropy", "inverse_norm")},
    )
    assert rank(found, reference)[["x", "y"]].isna().all().all()
