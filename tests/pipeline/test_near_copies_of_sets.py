"""Copies that the embedding takes for other pictures are twins wherever pairs are read, and blank ones are not."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from tests.conftest import held
from tests.imaging.pictures import encoded
from tests.pipeline.reader import Reader
from tests.pipeline.whitened_examples import cosines
from url_viz.demo import LONG_SIDE_PX
from url_viz.demo import photographs as photograph_paths
from url_viz.image_set import ImageSet, open_image_set
from url_viz.imaging.decode import decode, read_file
from url_viz.imaging.uploaded_files import IncomingFile
from url_viz.models.model import Model
from url_viz.outside.uploads import NewPicture, judge_pictures, score
from url_viz.pipeline.graph import build_graph
from url_viz.pipeline.postprocess import columns_of
from url_viz.pipeline.whitening import whitened_rows
from url_viz.reading import embed_folder
from url_viz.store.tables.reader import HASH_TABLE
from url_viz.store.tables.tables import Graph, Twins

pytestmark = pytest.mark.slow
COSINE = 0.96
"""Copies that are less alike are not told by their embeddings."""
Change = Callable[[Image.Image], Image.Image]


def resized(share: float) -> Change:
    return lambda image: image.resize((round(share * image.width), round(share * image.height)))


def cropped(image: Image.Image) -> Image.Image:
    return image.crop((0, 0, round(0.95 * image.width), round(0.95 * image.height)))


CHANGES: dict[str, tuple[Change, int]] = {
    "half": (resized(1 / 2), 90),
    "third": (resized(1 / 3), 90),
    "saved": (lambda image: image, 30),
    "brighter": (lambda image: ImageEnhance.Brightness(image).enhance(1.15), 90),
    "cropped": (cropped, 90),
    "mirrored": (lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), 90),
}


def photographs() -> dict[str, Image.Image]:
    """No two of which are alike."""
    opened = {path.stem: decode(read_file(bytes(path)))[0] for path in photograph_paths()}
    for image in opened.values():
        image.thumbnail((LONG_SIDE_PX, LONG_SIDE_PX))
    return dict(sorted(opened.items()))


@pytest.fixture(scope="module")
def copied(module_workspace: Path, model: Model) -> ImageSet:
    """Photographs in train/, a copy of each kind of some of them in test/, and blank pictures in both."""
    folder = module_workspace.parent / "pictures"
    for part in ("train", "test"):
        (folder / part).mkdir(parents=True)
    for number, (name, image) in enumerate(photographs().items()):
        (folder / "train" / f"{name}.jpg").write_bytes(encoded(image, quality=90))
        kind = list(CHANGES)[number % len(CHANGES)]
        change, quality = CHANGES[kind]
        (folder / "test" / f"{name}-{kind}.jpg").write_bytes(encoded(change(image), quality=quality))
    return embed_folder(folder, model=model, workspace=module_workspace)


def pairs(image_set: ImageSet) -> dict[frozenset[str], float]:
    """The names of twins, and their raw cosines."""
    graph, path = (
        image_set.core.graph,
        dict(zip(image_set.core.contents.tolist(), image_set.table()["path"], strict=True)),
    )
    assert graph is not None
    names = [path[content] for content in graph.content.tolist()]
    both = zip(graph.twins.pair.tolist(), graph.twins.cosine.tolist(), strict=True)
    return {frozenset((names[one], names[other])): cosine for (one, other), cosine in both}


def planted(image_set: ImageSet) -> set[frozenset[str]]:
    copies = [path for path in image_set.table()["path"] if path.startswith("test/")]
    return {frozenset((path, f"train/{path[5:].rpartition('-')[0]}.jpg")) for path in copies}


def test_each_planted_copy_is_a_pair_with_its_original_and_nothing_else_is(copied: ImageSet) -> None:
    found = pairs(copied)
    assert found.keys() == planted(copied)
    assert sum(cosine < COSINE for cosine in found.values()) >= 4, "which the embedding alone does not see"
    table = copied.table().set_index("path")
    for group in (table["copy_group"], table["twin_group"]):
        assert all(group[one] == group[other] for one, other in found)
        assert group.nunique() == len(found)


def test_what_reads_pairs_follows(copied: ImageSet) -> None:
    """Leaks, the first of each, neighbours and confusability."""
    leaks, expected = copied.splits.leaks(), planted(copied)
    assert {frozenset(row) for row in leaks[["path", "twin_path"]].itertuples(index=False)} == expected
    assert (leaks["kind"] == "copy").all()
    assert len(copied.twins.groups()) == len(expected)
    table = copied.table().set_index("path")
    for one, other in expected:
        assert table["confusability"][one] == table["confusability"][other]
        assert int(table["id"][other]) not in set(copied.neighbours(int(table["id"][one]), k=64)["id"])


def test_two_sets_are_compared_by_both_witnesses(
    copied: ImageSet, tmp_path: Path, workspace: Path, model: Model
) -> None:
    for part in ("train", "test"):
        shutil.copytree(copied.root / part, tmp_path / part)
    train, test = (embed_folder(tmp_path / part, model=model, workspace=workspace) for part in ("train", "test"))
    leaks = test.splits.leaks(train)
    found = {frozenset((f"test/{a}", f"train/{b}")) for a, b in leaks[["path", "twin_path"]].itertuples(index=False)}
    assert found == planted(copied)


def test_an_upload_is_known_as_a_copy(copied: ImageSet, model: Model) -> None:
    """Of the reference, and of one upload among others."""
    table, name = copied.table().set_index("path"), next(iter(photographs()))
    worn = [encoded(resized(share)(photographs()[name]), quality=12) for share in (0.5, 0.25)]
    scored = score([IncomingFile(f"{number}.jpg", data) for number, data in enumerate(worn)], held(model))
    uploads = [one for one in scored if isinstance(one, NewPicture)]
    original = int(table["id"][f"train/{name}.jpg"])
    copies = {original, *table["id"][table["twin_group"] == table["twin_group"][f"train/{name}.jpg"]].tolist()}
    reference = copied.core.reference()
    assert set(judge_pictures(uploads, reference)["twin_of"]) <= copies
    assert set(judge_pictures(uploads, reference)["twin_kind"]) == {"copy"}
    alone = judge_pictures(uploads, replace(reference, pixels=None))
    assert (alone["twin_of"] == -1).all(), "of few pictures nothing is a view"
    assert alone["twin_kind"].isna().all()
    among = judge_pictures(uploads, None)
    assert among["nearest_similarity"].isna().all(), "both are one, and have nobody beside"


def test_blank_pictures_are_no_group(tmp_path: Path, workspace: Path) -> None:
    """Nor are plain ramps: with embeddings that say nothing of them, none is a twin of another."""
    folder = tmp_path / "blank"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(20):
        level = np.full((96, 128), 40 + 9 * number) + rng.integers(-1, 2, (96, 128))
        ramp = np.linspace(0, 10 * number, 128)[None] + np.zeros((96, 1))
        Image.fromarray((level if number % 2 else ramp).clip(0, 255).astype(np.uint8)).save(folder / f"{number}.png")
    paths = np.array([f"{number}.png" for number in range(20)])
    np.savez(tmp_path / "given.npz", paths=paths, values=rng.normal(size=(20, 32)) + 1)
    image_set = embed_folder(folder, embeddings=tmp_path / "given.npz", workspace=workspace)
    assert not pairs(image_set)
    assert image_set.table()["twin_group"].isna().all()


def by_another_formula(reader: Reader, image_set: ImageSet) -> None:
    """Make the set as another formula left it: no hashes of this version, twins by cosine alone."""
    key = image_set.space.key
    with reader.writer(image_set) as writer:
        content = np.unique(image_set.core.contents)
        raw = writer.embeddings(key, content).embedding
        new = whitened_rows(content, raw)
        old = replace(new, whitening=replace(new.whitening, version=1))
        graph = build_graph(old, raw)
        pair = np.argwhere(np.triu(cosines(raw) >= COSINE, 1)).astype(np.int32)
        alike = Twins(len(content), pair, np.full(len(pair), COSINE, np.float32), np.zeros(len(pair), bool))
        graph = replace(graph, twins=alike)
        writer.put_whitened(key, old)
        writer.put_graph(key, graph, columns_of(graph))
    shutil.rmtree(image_set.core.store.paths.tables / f"{HASH_TABLE}.lance")


def test_a_set_of_another_formula_opens_and_is_made_anew_without_embedding(copied: ImageSet, read: Reader) -> None:
    shutil.copytree(copied.root, read.folder, dirs_exist_ok=True)
    now = read()
    expected, quality = pairs(now), now.table()["sharpness"]
    by_another_formula(read, now)
    opened = open_image_set(read.folder, model=read.model.source.name, workspace=read.workspace)
    seen = pairs(opened)
    assert seen.keys() == {pair for pair, cosine in expected.items() if cosine >= COSINE}
    assert len(seen) < len(expected)
    leaks = opened.splits.leaks()
    assert leaks is not None
    assert len(leaks) == len(seen)
    raised = read()
    assert (read.embedded, read.opened) == (0, 0)
    assert pairs(raised).keys() == expected.keys()
    assert raised.table()["sharpness"].equals(quality)
    graph: Graph | None = raised.core.graph
    assert graph is not None
    assert graph.whitening == raised.core.whitened.whitening.key
    read()
    assert "neighbours" not in {progress.stage for progress in read.progress}, "once is enough"


def test_a_picture_that_comes_later_is_matched_against_all(copied: ImageSet, read: Reader) -> None:
    shutil.copytree(copied.root, read.folder, dirs_exist_ok=True)
    late = read.folder / "test" / "late"
    first = min(pairs(copied).items(), key=lambda item: item[1])[0]
    (copy,) = (path for path in first if path.startswith("test/"))
    shutil.move(read.folder / copy, late)
    assert first not in pairs(read())
    shutil.move(late, read.folder / copy)
    assert pairs(read()).keys() == planted(copied)
