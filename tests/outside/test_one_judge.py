"""A picture from outside has one value: as an upload, in a search on Explore, by the command, and in Python."""

import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.conftest import SECOND, held
from tests.imaging.pictures import encoded
from tests.pipeline.test_near_copies_of_sets import COSINE, photographs, resized
from tests.ui.pages import opened, words
from url_viz.base.wording import standing
from url_viz.cli.main import main
from url_viz.image_set import ImageSet
from url_viz.imaging.uploaded_files import IncomingFile
from url_viz.labels.ambiguity import classify
from url_viz.models.model import Model
from url_viz.outside.new_pictures import NewPictures, Reference, compare_to_reference
from url_viz.outside.uploads import NewPicture, judge_pictures, score
from url_viz.pipeline.whitening import whitened_rows
from url_viz.reading import embed_folder

COPIES, PAGES = 6, 2


@pytest.fixture(scope="module")
def image_set(tmp_path_factory: pytest.TempPathFactory, prepared: Path, model: Model, second_model: Model) -> ImageSet:
    """Photographs of two classes that two models have read."""
    home = tmp_path_factory.mktemp("judged")
    (home / "workspace").mkdir()
    (home / "workspace" / "models").symlink_to(prepared / "models")
    for number, (name, image) in enumerate(photographs().items()):
        path = home / "pictures" / ("even", "odd")[number % 2] / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(image, quality=90))
    return embed_folder(home / "pictures", model=model, also=second_model, workspace=home / "workspace")


@pytest.fixture(scope="module")
def copies(image_set: ImageSet, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Worn copies of some of them, without loss once they are worn."""
    folder = tmp_path_factory.mktemp("copies")
    paths = [folder / f"{name}.png" for name in list(photographs())[:COPIES]]
    for path in paths:
        with Image.open(image_set.root / next(image_set.root.glob(f"*/{path.stem}.jpg"))) as image:
            worn = encoded(resized(0.25)(image.convert("RGB")), quality=30)
        Image.open(io.BytesIO(worn)).save(path)
    return paths


def scored(path: Path, model: Model, second: Model, *, looks_twice: bool) -> NewPicture:
    file = IncomingFile(path.name, path.read_bytes())
    [outcome] = score([file], held(model), second=held(second), looks_twice=looks_twice)
    assert isinstance(outcome, NewPicture)
    return outcome


def by_command(image_set: ImageSet, path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The percentile of a query, as the command tells it."""
    command = ["search", str(image_set.root), str(path), "--model", image_set.source.name, "--by", "confusability"]
    assert main([*command, "--max-percentile", "0"]) == 0
    found = re.search(r"at percentile (\d+) of", capsys.readouterr().err)
    return found[1] if found else "0"


@pytest.mark.slow
def test_a_near_copy_has_the_same_value_through_every_door(
    image_set: ImageSet,
    copies: list[Path],
    model: Model,
    second_model: Model,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("URL_VIZ_HOME", str(image_set.workspace.root))
    unseen = 0
    assert image_set.core.second.active is not None
    for path in copies:
        picture = scored(path, model, second_model, looks_twice=image_set.core.second.looks_twice)
        row = judge_pictures([picture], image_set.core.reference()).iloc[0]
        twin = image_set.row(int(row["twin_of"]))
        assert Path(str(twin["path"])).stem == path.stem
        raw = image_set.embeddings()[image_set.core.row_of(twin["id"])], picture.embedding.astype(np.float32)
        is_unseen = bool(raw[0] @ raw[1] < COSINE * np.linalg.norm(raw[0]) * np.linalg.norm(raw[1]))
        for measure in ("confusability", "ambiguity", "uncertainty"):
            wanted = pytest.approx((row[measure], row[f"{measure}_percentile"]), rel=1e-6)
            with Image.open(path) as opened_picture:
                doors: dict[str, Any] = {
                    "Python, file": path,
                    "Python, PIL": opened_picture.copy(),
                    "Explore": picture,
                }
            for door, query in doors.items():
                found = image_set.safe_search(query, by=measure)
                assert (found.query_value, found.query_percentile) == wanted, (door, measure)
        unseen += is_unseen
        if not is_unseen or unseen > PAGES:
            continue
        assert by_command(image_set, path, capsys) == f"{row['confusability_percentile']:.0f}"
        at = opened(image_set, "search")
        at.file_uploader[0].set_value((path.name, path.read_bytes(), "image/png")).run()
        assert f"Easily mistaken: {standing(row['confusability_percentile'], of=' of the others')}" in words(at)
    assert unseen >= PAGES, "of which the embedding alone does not know that they are copies"
    assert f"also {SECOND}" in image_set.order().reason


def reference_by_both(rows: list[np.ndarray], label: np.ndarray) -> Reference:
    """A set that two models have read, all of whose pictures stand in lists, without a graph."""
    keys = np.arange(len(label), dtype=np.int64)
    table = pd.DataFrame({"id": keys})
    first, second = (
        Reference(table, table, whitened_rows(keys, each), each, np.ones(len(keys), bool)) for each in rows
    )
    both = np.hstack([first.whitened.rows, second.whitened.rows]) / np.sqrt(2)
    none = np.full((len(keys), 1), -1)
    classified = classify(none, none.astype(np.float32), both, label, keys)
    assert classified is not None
    return replace(first, others=(second,), model=classified.model, class_names=("a", "b"), groups=keys)


def test_a_twin_by_the_first_model_has_no_vote_by_the_second_and_its_source_group_neither() -> None:
    rng = np.random.default_rng(0)
    rows = [rng.normal(size=(80, 48)).astype(np.float16) for _ in range(2)]
    label = rng.integers(0, 2, 80)
    reference = reference_by_both(rows, label)
    near = rows[1][[7]] + np.float16(0.5) * rng.normal(size=(1, 48)).astype(np.float16)
    new = replace(NewPictures.of_embeddings(rows[0][[7]] * np.float16(1.01)), others=(near,))
    found = compare_to_reference(new, reference)
    assert found.twin.tolist() == [7]
    without = replace(reference, others=(replace(reference.others[0], counts=np.arange(80) != 7),))
    alone = compare_to_reference(new, without)
    assert found.shares is not None
    assert alone.shares is not None
    assert found.shares.first_share == alone.shares.first_share
    joined = replace(reference, groups=np.where(np.arange(80) < 20, 0, np.arange(80)))
    kept_apart = compare_to_reference(new, joined).shares
    assert kept_apart is not None
    assert kept_apart.first_share != found.shares.first_share, "those of its patient voted"


def test_copies_are_judged_by_what_has_not_seen_their_twins_as_these_are_in_the_set() -> None:
    rng = np.random.default_rng(0)
    rows, label = rng.normal(size=(80, 16)).astype(np.float16), rng.integers(0, 2, 80)
    keys = np.arange(80, dtype=np.int64)
    table = pd.DataFrame({"id": keys})
    known = Reference(table, table, whitened_rows(keys, rows), rows, np.ones(80, bool))
    copies = replace(NewPictures.of_embeddings(rows), content=keys)
    nearest = compare_to_reference(copies, known).nearest
    of_set = classify(nearest.position, nearest.similarity, known.whitened.rows, label, keys)
    assert of_set is not None
    found = compare_to_reference(copies, replace(known, model=of_set.model, class_names=("a", "b"), groups=keys))
    assert found.twin.tolist() == keys.tolist()
    assert found.shares is not None
    assert found.shares.ambiguity == pytest.approx(of_set.shares.ambiguity, abs=1e-3)
    assert found.shares.first_class.tolist() == of_set.shares.first_class.tolist()
