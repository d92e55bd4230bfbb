"""Uploads are scored as a store would score them, compared as a set's own pictures are, and told where unlike these."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.conftest import held
from tests.imaging.pictures import encoded, noise, write_folder
from url_viz.image_set import ImageSet
from url_viz.imaging.places import content_key
from url_viz.imaging.uploaded_files import IncomingFile, RefusedFile
from url_viz.models.model import Model
from url_viz.outside.new_pictures import NewPictures, Reference, compare_to_reference, nearest_without_twins
from url_viz.outside.uploads import (
    FEWEST_TO_COMPARE,
    MEASURED,
    NewPicture,
    arrays_of,
    judge_pictures,
    score,
    unlike,
    unlike_in_words,
)
from url_viz.pipeline.confusability import confusability
from url_viz.pipeline.graph import build_graph
from url_viz.pipeline.twins import twin_representatives
from url_viz.pipeline.whitening import whitened_rows
from url_viz.reading import embed_folder


@pytest.fixture(scope="module")
def image_set(module_workspace: Path, model: Model) -> ImageSet:
    folder = write_folder(module_workspace.parent / "pictures", 60, classes=("cat", "dog"))
    (folder / "cat" / "copy.jpg").write_bytes((folder / "cat" / "0000.jpg").read_bytes())
    return embed_folder(folder, model=model, workspace=module_workspace)


def uploads_of(image_set: ImageSet) -> list[IncomingFile]:
    rows = image_set.table()[["id", "path"]].to_numpy()
    return [IncomingFile(path, image_set.files.path(picture).read_bytes()) for picture, path in rows]


def scored(files: list[IncomingFile], model: Model) -> list[NewPicture]:
    found = score(files, held(model))
    assert all(isinstance(one, NewPicture) for one in found)
    return [one for one in found if isinstance(one, NewPicture)]


@pytest.fixture(scope="module")
def own(image_set: ImageSet, model: Model) -> list[NewPicture]:
    """The pictures of the set as uploads."""
    return scored(uploads_of(image_set), model)


def test_a_picture_of_the_set_has_its_own_values_as_an_upload(image_set: ImageSet, own: list[NewPicture]) -> None:
    table = image_set.table()
    found = judge_pictures(own, image_set.core.reference())
    for measure in MEASURED:
        np.testing.assert_allclose(found[measure], table[measure], rtol=1e-6)
    assert found[["first_share", "second_share"]].isna().all(axis=None), "the model knows no classes by dice"
    assert found["first_class"].tolist() == table["first_class"].tolist()
    np.testing.assert_allclose(found["confusability_percentile"], table["confusability_percentile"], atol=3)
    np.testing.assert_allclose(found[["x", "y"]], table[["x", "y"]], atol=1e-5)
    np.testing.assert_allclose(found["nearest_similarity"], table["nearest_similarity"], atol=0.02)
    contents = [content_key(file.data) for file in uploads_of(image_set)]
    content_of = dict(zip(table["id"], contents, strict=True))
    assert [content_of[twin] for twin in found["twin_of"]] == contents


def test_a_score_agrees_with_the_store_though_batches_differ(image_set: ImageSet, own: list[NewPicture]) -> None:
    table = image_set.table()
    np.testing.assert_allclose([one.uncertainty for one in own], table["uncertainty"], rtol=5e-3)
    np.testing.assert_allclose([one.entropy for one in own], table["entropy"], rtol=2e-2)
    cosine = np.sum(np.stack([one.embedding for one in own]).astype(np.float32) * image_set.embeddings(), axis=1)
    norms = np.linalg.norm(image_set.embeddings(), axis=1)
    np.testing.assert_allclose(cosine / norms**2, 1, atol=0.01)


def test_a_new_picture_lies_among_its_neighbours(image_set: ImageSet, model: Model) -> None:
    table = image_set.table()
    path = image_set.files.path(int(table["id"].iloc[3]))
    with Image.open(path) as image:
        changed = encoded(image.rotate(4), quality=60)
    reference = image_set.core.reference()
    [upload] = scored([IncomingFile("new.jpg", changed)], model)
    row = judge_pictures([upload], reference).iloc[0]
    put = compare_to_reference(arrays_of([upload]), reference)
    listed = [*put.twin[put.twin >= 0], *put.nearest.position[0]][:5]
    near = reference.xy[listed]
    assert (near.min(axis=0) - 1e-4 <= [row.x, row.y]).all()
    assert ([row.x, row.y] <= near.max(axis=0) + 1e-4).all()
    assert 0 < row.confusability < 1
    assert 0 <= row.ambiguity <= 1
    assert {row.first_class, row.second_class} == {"cat", "dog"}


def test_a_picture_that_nothing_in_the_set_is_like_has_no_value_wherever_it_is_asked_for(image_set: ImageSet) -> None:
    strange = -image_set.embeddings().mean(axis=0)
    row = judge_pictures([NewPicture.of_embedding(strange, None)], image_set.core.reference()).iloc[0]
    assert row.is_unlike
    assert row[[*MEASURED, "confusability_percentile", "first_share", "second_share"]].isna().all()
    assert (row.first_class, row.second_class) == (None, None)
    found = image_set.safe_search(strange, by="ambiguity")
    assert np.isnan([found.query_value, found.query_percentile]).all()
    assert len(found.hits) == 24, "what is nearest is still found"
    assert found.is_unlike
    assert found.printout().words == [unlike_in_words()]
    assert not image_set.safe_search(int(image_set.table()["id"][0])).is_unlike


def test_without_a_set_uploads_are_compared_with_each_other(model: Model) -> None:
    files = [IncomingFile(f"{seed}.png", encoded(noise(seed), "PNG")) for seed in range(6)]
    found = judge_pictures(scored([*files, IncomingFile("again.png", files[0].data)], model), None)
    assert found["x"].isna().all()
    assert (found["twin_of"] == -1).all()
    assert found["uncertainty_percentile"].max() == pytest.approx(100, abs=10)
    assert found["confusability"].iloc[0] == found["confusability"].iloc[6]
    assert found["id"].tolist() == list(range(7))


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_uploads_are_ranked_by_their_nearest_and_one_alone_is_not(count: int, model: Model) -> None:
    files = [IncomingFile(f"{i}.png", encoded(noise(i), "PNG")) for i in range(count)]
    found = judge_pictures(scored(files, model), None)
    assert len(found) == count
    assert found["confusability"].notna().all() == (count > 1 or count == 0)
    assert np.isfinite(found["uncertainty"]).all()


@pytest.mark.parametrize(("share", "reason"), [(0.5, "truncated"), (0, "0 bytes")])
def test_a_bad_file_is_refused_with_its_reason_and_the_others_are_scored(
    share: float, reason: str, model: Model
) -> None:
    good = encoded(noise(1, width=400, height=300))
    files = {"a": good, "b": good[: int(share * len(good))], "c": good}
    first, bad, last = score([IncomingFile(name, data) for name, data in files.items()], held(model))
    assert isinstance(bad, RefusedFile)
    assert bad.name == "b"
    assert reason in bad.reason
    assert isinstance(first, NewPicture)
    assert isinstance(last, NewPicture)
    assert first.content == last.content


def test_a_thumbnail_is_small_and_carries_no_metadata(model: Model) -> None:
    exif = Image.Exif()
    exif[0x010E] = "secret place"
    [upload] = scored([IncomingFile("a.jpg", encoded(noise(1, width=900, height=600), exif=exif))], model)
    assert (upload.width, upload.height) == (900, 600)
    assert max(Image.open(io.BytesIO(upload.thumbnail)).size) <= 256
    assert b"secret place" not in upload.thumbnail


def reference_of(rows: np.ndarray) -> Reference:
    """A set of these embeddings, with its confusability."""
    content = np.arange(len(rows), dtype=np.int64)
    whitened = whitened_rows(content, rows)
    graph = build_graph(whitened, rows)
    representative = twin_representatives(graph.twins)
    values, among = confusability(graph.position, graph.similarity, representative=representative)
    table = pd.DataFrame({"id": content + 500, "x": np.nan, "y": np.nan, "confusability": values})
    return Reference(table, table, whitened, rows, representative == np.arange(len(rows)), among)


def test_the_nearest_are_those_of_a_loop_however_many_are_twins() -> None:
    """Of 400 pictures 100 are a burst; the query is one more frame of it, and one a copy of a picture by content."""
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(400, 64))
    rows[300:] = rows[0] + 0.01 * rng.normal(size=(100, 64))
    reference = reference_of(rows.astype(np.float16))
    queries = np.stack([rows[0], rows[7] + 1.5 * rng.normal(size=64)]).astype(np.float16)
    content = np.array([-1, 7])
    white = reference.whitened.whitening.transform(queries)
    new = replace(NewPictures.of_embeddings(queries), content=content)
    nearest, twin = nearest_without_twins(new, reference)
    burst = [0, *range(300, 400)]
    assert twin[0] in burst
    assert twin[1] == 7
    for number, twins in enumerate((burst, [7])):
        others = [row for row in range(400) if row not in twins and reference.counts[row]]
        near = reference.whitened.rows.astype(float) @ white[number].astype(float)
        expected = sorted(others, key=lambda row: -near[row])[:64]
        assert np.sort(near[nearest.position[number]]) == pytest.approx(np.sort(near[expected]), abs=1e-3)
        assert not np.isin(nearest.position[number], np.setdiff1d(np.arange(400), others)).any()


def test_a_copy_has_the_confusability_of_what_it_is_a_copy_of() -> None:
    rows = np.random.default_rng(3).normal(size=(60, 40)).astype(np.float16)
    reference = reference_of(rows)
    same = replace(NewPictures.of_embeddings(rows), content=np.arange(60))
    put = compare_to_reference(same, reference)  # as many as were whitened there: else the last bit may differ
    assert put.confusability == pytest.approx(reference.table["confusability"].to_numpy(), abs=1e-6)
    assert put.twin.tolist() == list(range(60))


def test_an_upload_that_is_near_in_the_whitened_space_alone_is_no_twin() -> None:
    rows = np.random.default_rng(4).normal(size=(300, 64)) * np.where(np.arange(64) == 0, 8, 1)
    new = rows[:2] * np.where(np.arange(64) == 0, [[-1], [1]], 1)
    put = compare_to_reference(NewPictures.of_embeddings(new.astype(np.float16)), reference_of(rows.astype(np.float16)))
    assert put.twin.tolist() == [-1, 1]


def test_a_set_without_a_map_places_nothing(model: Model) -> None:
    files = [IncomingFile(f"{seed}.png", encoded(noise(seed), "PNG")) for seed in range(4)]
    found = scored(files, model)
    embeddings = np.stack([one.embedding for one in found])
    whitened = whitened_rows(np.array([one.content for one in found]), embeddings)
    nothing = {"x": np.nan, "y": np.nan, "first_class": None, "second_class": None}
    nothing |= {"first_share": np.nan, "second_share": np.nan}
    table = pd.DataFrame({"id": np.arange(4), **{m: np.arange(4.0) for m in MEASURED}}).assign(**nothing)
    reference = Reference(table, table, whitened, embeddings, np.ones(4, bool))
    assert judge_pictures(found, reference)[["x", "y"]].isna().all().all()


def cloud(count: int, *, seed: int, axis: int) -> np.ndarray:
    """Unit-like vectors about one axis of 32."""
    vectors = 0.2 * np.random.default_rng(seed).standard_normal((count, 32))
    vectors[:, axis] += 1
    return vectors.astype(np.float16)


def test_pictures_of_the_same_kind_are_like_the_set_and_those_of_another_are_not() -> None:
    own, counts = cloud(400, seed=1, axis=0), np.ones(400, bool)
    assert unlike(cloud(200, seed=2, axis=0), own, counts=counts).mean() < 0.05
    assert unlike(cloud(200, seed=3, axis=5), own, counts=counts).all()


def test_length_says_nothing_and_what_does_not_count_is_no_neighbour() -> None:
    own, strange = cloud(400, seed=1, axis=0), cloud(10, seed=3, axis=5)
    counts = np.r_[np.ones(400, bool), np.zeros(10, bool)]
    assert unlike(40 * strange, np.r_[own, strange], counts=counts).all()
    assert not unlike(40 * own[:50], own, counts=counts[:400]).any(), "the pictures of the set themselves"


def test_a_few_pictures_and_none_say_nothing() -> None:
    few = cloud(FEWEST_TO_COMPARE - 1, seed=1, axis=0)
    assert not unlike(cloud(5, seed=3, axis=5), few, counts=np.ones(len(few), bool)).any()
    assert len(unlike(few[:0], cloud(100, seed=1, axis=0), counts=np.ones(100, bool))) == 0


def test_a_large_set_is_compared_by_a_sample() -> None:
    own = cloud(12_000, seed=1, axis=0)
    both = np.r_[cloud(20, seed=2, axis=0), cloud(20, seed=3, axis=5)]
    found = unlike(both, own, counts=np.ones(len(own), bool))
    assert found[20:].all()
    assert found[:20].sum() <= 1
