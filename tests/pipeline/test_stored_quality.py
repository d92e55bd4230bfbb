"""Every distinct content is measured once, as it is decoded or by whichever run finds it missing."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from tests.imaging.pictures import encoded, noise, write_folder
from url_viz.base.progress import Progress
from url_viz.image_set import ImageSet, open_image_set
from url_viz.imaging.decode import resized
from url_viz.imaging.quality import QUALITIES, Quality, quality_of_image
from url_viz.models.model import Model
from url_viz.pipeline import postprocess as stage
from url_viz.reading import embed_folder
from url_viz.store.tables.reader import HASH_TABLE, QUALITY_TABLE, Store
from url_viz.store.tables.tables import connect


def quality_of(image_set: ImageSet) -> dict[int, Quality]:
    rows = Store(image_set.core.store.paths).quality().to_pylist()
    found = {row["content"]: Quality(*(row[name] for name in QUALITIES)) for row in rows}
    assert len(found) == len(rows), "a content is measured twice"
    return found


def hashes_of(image_set: ImageSet) -> list[list[int]]:
    store = Store(image_set.core.store.paths)
    return store.hashes(np.sort(image_set.core.contents)).tolist()


def forget_assessments(image_set: ImageSet) -> None:
    for name in (QUALITY_TABLE, HASH_TABLE):
        shutil.rmtree(image_set.core.store.paths.tables / f"{name}.lance")


def embed(folder: Path, workspace: Path, model: Model) -> tuple[ImageSet, list[int]]:
    """Read the folder; also tell how far the stage that measures stored thumbnails said it was."""
    said: list[Progress] = []
    image_set = embed_folder(folder, model=model, workspace=workspace, progress=said.append)
    return image_set, [p.done for p in said if p.stage == "measure"]


def test_each_content_is_measured_once_and_new_ones_later(folder: Path, workspace: Path, model: Model) -> None:
    shutil.copy(folder / "cat" / "0000.jpg", folder / "dog" / "copy.jpg")
    image_set, said = embed(folder, workspace, model)
    assert said == []
    assert set(quality_of(image_set)) == set(image_set.core.contents.tolist())
    write_folder(folder, 2, start=6)
    version = image_set.version
    image_set, said = embed(folder, workspace, model)
    assert said == []
    assert image_set.version != version
    assert len(quality_of(image_set)) == 8
    assert embed(folder, workspace, model)[1] == []


def test_what_is_measured_as_it_is_decoded_is_what_the_stored_thumbnail_measures(
    tmp_path: Path, workspace: Path, model: Model
) -> None:
    folder = tmp_path / "all"
    folder.mkdir()
    sizes = [(500, 375), (320, 256), (200, 300), (90, 64), (40, 17), (16, 16), (9, 5), (1, 1), (2000, 120), (60, 900)]
    for number, (width, height) in enumerate(sizes):
        picture = noise(number, width=width, height=height)
        (folder / f"{number}.jpg").write_bytes(encoded(picture, quality=88))
        (folder / f"{number}.png").write_bytes(encoded(picture.convert(["L", "CMYK", "RGBA"][number % 3]), "TIFF"))
        (folder / f"{number}-flat.png").write_bytes(encoded(Image.new("RGB", (width, height), "grey"), "PNG"))
    image_set, said = embed(folder, workspace, model)
    assert said == []
    before = sorted(quality_of(image_set).items()), hashes_of(image_set)
    assert len(before[0]) == 3 * len(sizes)
    forget_assessments(image_set)
    image_set, said = embed(folder, workspace, model)
    assert said == [0, 3 * len(sizes)]
    after = sorted(quality_of(image_set).items()), hashes_of(image_set)
    assert repr(after) == repr(before), "nan is the same as nan"


def test_only_what_is_missing_is_stored(folder: Path, workspace: Path, model: Model) -> None:
    image_set, _ = embed(folder, workspace, model)
    shutil.rmtree(image_set.core.store.paths.tables / f"{HASH_TABLE}.lance")
    write_folder(folder, 2, start=6)
    image_set, said = embed(folder, workspace, model)
    assert said == [0, 6], "two were hashed as they were decoded"
    assert len(quality_of(image_set)) == 8
    assert sorted(Store(image_set.core.store.paths).hashed()) == sorted(image_set.core.contents)


def test_a_set_measured_by_an_older_version_opens_and_is_measured_anew(
    folder: Path, workspace: Path, model: Model
) -> None:
    image_set, _ = embed(folder, workspace, model)
    before, tables = quality_of(image_set), image_set.core.store.paths.tables
    shutil.rmtree(tables / f"{QUALITY_TABLE}.lance")
    older = pa.table({"content": image_set.core.contents, "sharpness": np.full(6, 0.1, np.float32)})
    connect(tables).create_table("measures-1", data=older)
    opened = open_image_set(folder, model=model.name, workspace=workspace)
    table = opened.table()
    assert table[list(QUALITIES)].isna().all(axis=None)
    assert not table["reasons"].str.contains("blur").any(), "by the formula of before all of them are blurred"
    image_set, said = embed(folder, workspace, model)
    assert said == [0, 6]
    assert quality_of(image_set) == before
    assert not list(tables.glob("measures-1*"))


def test_a_stopped_run_goes_on_where_it_was(
    folder: Path, workspace: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "BATCH", 2)
    forget_assessments(embed(folder, workspace, model)[0])

    def stop(progress: Progress) -> None:
        if progress.stage == "measure" and progress.done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embed_folder(folder, model=model, workspace=workspace, progress=stop)
    image_set, said = embed(folder, workspace, model)
    assert said == [0, 2]
    assert set(quality_of(image_set)) == set(image_set.core.contents.tolist())


def test_what_is_stored_is_what_the_picture_measures(tmp_path: Path, workspace: Path, model: Model) -> None:
    (tmp_path / "one").mkdir()
    picture = noise(4, width=320, height=256)
    (tmp_path / "one" / "a.png").write_bytes(encoded(picture, "PNG"))
    image_set, _ = embed(tmp_path / "one", workspace, model)
    (stored,) = quality_of(image_set).values()
    own = quality_of_image(resized(picture, model.space.preprocessing))
    for name in QUALITIES:
        assert getattr(stored, name) == pytest.approx(getattr(own, name), abs=0.03), name
    assert np.isfinite(stored.least_sharpness)
