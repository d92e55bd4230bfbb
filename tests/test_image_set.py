"""What a caller holds: rows in one order, search by anything, gates that count, and errors that say what to run."""

import io
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from PIL import ExifTags, Image

from tests.conftest import dice_head
from tests.imaging.pictures import encoded, noise, write_folder
from url_viz.base.errors import FolderError, ImageError, ImageSetError, UsageError, WorkspaceError
from url_viz.columns.ranking import percentile
from url_viz.columns.twin_groups import group_codes
from url_viz.export.table_files import write_table
from url_viz.image_set import ImageSet, open_image_set
from url_viz.imaging.quality import QUALITIES
from url_viz.models.head import save_head
from url_viz.models.model import Model
from url_viz.models.model_names import DEFAULT
from url_viz.pipeline.twins import twin_representatives
from url_viz.pipeline.whitening import fit_whitening
from url_viz.reading import embed_folder
from url_viz.store.sets import forget, list_sets

COLUMNS = ["id", "path", "label", "label_given", "label_checked", "width", "height", "uncertainty", "percentile"]
COLUMNS += ["ambiguity", "ambiguity_percentile"]
COLUMNS += ["first_class", "second_class", "first_share", "second_share", "confusability", "confusability_percentile"]
COLUMNS += ["nearest_similarity", "copy_group", "twin_group", "tuned", "entropy", "inverse_norm", *QUALITIES]
COLUMNS += ["x", "y", "reasons", "first_like", "second_like", "decision", "tags", "name"]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight pictures in two classes; the last is a copy of the first under another name, one file is bad."""
    root = write_folder(tmp_path_factory.mktemp("set") / "pictures", 7, classes=("cat", "dog"))
    shutil.copy(root / "cat" / "0000.jpg", root / "dog" / "copy.jpg")
    (root / "dog" / "bad.jpg").touch()
    return root


@pytest.fixture(scope="module")
def image_set(pictures: Path, module_workspace: Path, model: Model) -> ImageSet:
    return embed_folder(pictures, model=model, workspace=module_workspace)


def test_an_open_set_stays_as_it_was_opened_also_in_what_is_read_later(
    tmp_path: Path, workspace: Path, model: Model
) -> None:
    folder = write_folder(tmp_path / "pictures", 6)
    embed_folder(folder, model=model, workspace=workspace)
    before = open_image_set(folder, model=model.name, workspace=workspace)
    table = before.table()
    assert before.is_current()
    (folder / "0000.jpg").unlink()
    after = embed_folder(write_folder(folder, 5, start=6), model=model, workspace=workspace)
    assert (before.is_current(), after.is_current()) == (False, True)
    assert before.table().equals(table)
    for image_set, count in ((before, 6), (after, 10)):
        graph = image_set.core.graph
        assert graph is not None
        assert len(graph) == len(image_set) == len(image_set.embeddings()) == len(image_set.core.whitened) == count
        assert len(image_set.core.store.thumbnails(image_set.core.ids.tolist())) == count
        assert len(image_set.core.reference()) == count


def id_of(image_set: ImageSet, path: str) -> int:
    return int(image_set.table().set_index("path")["id"][path])


class TestTable:
    """One row a picture, by path, and everything else in the same order."""

    def test_what_hangs_on_the_table_is_made_anew_once_it_has_changed(self, image_set: ImageSet) -> None:
        made: list[str] = []

        def first(table: pd.DataFrame, column: str, *, place: int = 0) -> object:
            made.append(column)
            return table[column].iloc[place]

        one = int(image_set.core.ids[1])
        for _ in range(3):
            assert image_set.cached_of_table(first, "decision", place=1) is None
            assert image_set.cached_of_table(first, "id") == image_set.core.ids[0]
        assert made == ["decision", "id"]
        image_set.decisions.decide([one], "drop")
        assert image_set.cached_of_table(first, "decision", place=1) == "drop"
        image_set.decisions.undo()
        assert image_set.cached_of_table(first, "decision", place=1) is None
        assert made == ["decision", "id", "decision", "decision"]

    def test_who_makes_something_of_the_table_cannot_change_it(self, image_set: ImageSet) -> None:
        def spoil(table: pd.DataFrame) -> None:
            table["path"] = "spoilt"
            table.loc[table.index[0], "width"] = -1

        before = image_set.table()
        image_set.cached_of_table(spoil)
        assert image_set.table().equals(before)

    def test_whoever_reads_arrow_is_given_the_table(self, image_set: ImageSet) -> None:
        taken = pa.table(image_set)
        assert taken.schema.names == image_set.table().columns.tolist()
        assert taken["path"].to_pylist() == image_set.table()["path"].tolist()
        np.testing.assert_array_equal(taken["uncertainty"].to_numpy(), image_set.table()["uncertainty"])

    def test_columns_and_rows(self, image_set: ImageSet) -> None:
        table = image_set.table()
        assert list(table.columns) == COLUMNS
        assert table["path"].tolist() == sorted(table["path"])
        assert len(table) == len(image_set) == 8
        assert table["label"].tolist() == table["label_given"].tolist() == ["cat"] * 4 + ["dog"] * 4
        assert table["label_checked"].isna().all()
        assert (table["width"].tolist(), table["height"].tolist()) == ([64] * 8, [48] * 8)

    def test_embeddings_are_in_the_order_of_the_table(self, image_set: ImageSet, model: Model) -> None:
        table, embeddings = image_set.table(), image_set.embeddings()
        assert (embeddings.shape, embeddings.dtype) == ((8, 1280), np.float32)
        assert table["uncertainty"].to_numpy() == pytest.approx(model.uncertainty(embeddings), rel=1e-4)
        assert table["inverse_norm"].to_numpy() == pytest.approx(1 / np.linalg.norm(embeddings, axis=1), rel=1e-3)

    def test_percentiles_are_those_of_their_values(self, image_set: ImageSet) -> None:
        table = image_set.table()
        for column, name in (("uncertainty", "percentile"), ("confusability", "confusability_percentile")):
            assert table[name].to_numpy() == pytest.approx(percentile(table[column].to_numpy()), nan_ok=True)
        assert table["percentile"].max() > 90

    def test_copies_are_twins_and_no_others_have_a_group(self, image_set: ImageSet, tmp_path: Path) -> None:
        table = image_set.table()
        first, copy = (table["path"].tolist().index(p) for p in ("cat/0000.jpg", "dog/copy.jpg"))
        group = table["twin_group"]
        assert group.dtype == "Int64"
        assert group[first] == group[copy] == first
        assert group.value_counts().to_dict() == dict(image_set.twins.groups()[["group", "size"]].to_numpy())
        written = pd.read_csv(write_table(table, tmp_path / "out.csv"), dtype={"twin_group": str})["twin_group"]
        assert written.dropna().tolist() == [str(one) for one in group.dropna()]
        assert pd.read_parquet(write_table(table, tmp_path / "out.parquet"))["twin_group"].equals(group)
        assert (
            table.loc[[first], COLUMNS[5:]]
            .reset_index(drop=True)
            .equals(table.loc[[copy], COLUMNS[5:]].reset_index(drop=True))
        )

    def test_failures(self, image_set: ImageSet) -> None:
        assert image_set.failures().to_numpy().tolist() == [["dog/bad.jpg", "is empty (0 bytes)"]]

    def test_one_row(self, image_set: ImageSet) -> None:
        row = image_set.row(id_of(image_set, "cat/0002.jpg"))
        assert list(row) == COLUMNS
        assert row["path"] == "cat/0002.jpg"

    def test_the_map_has_a_point_a_picture(self, image_set: ImageSet) -> None:
        for colour in ("uncertainty", "confusability", "label"):
            assert sum(len(layer.x) for layer in image_set.map(colour=colour).data) == 8

    def test_thumbnails_are_jpegs(self, image_set: ImageSet) -> None:
        ids = image_set.table()["id"]
        found = image_set.core.store.thumbnails(ids)
        assert set(found) == set(ids)
        with Image.open(io.BytesIO(found[ids[0]])) as image:
            assert image.format == "JPEG"
            assert image.width * 3 == pytest.approx(image.height * 4, abs=4)
            assert image.height == image_set.space.preprocessing.resize_px, "no larger than it was read"

    def test_file_of_is_the_file_or_says_that_it_is_gone(self, image_set: ImageSet, pictures: Path) -> None:
        image = id_of(image_set, "cat/0002.jpg")
        path = image_set.files.path(image)
        assert path == pictures / "cat" / "0002.jpg"
        away = path.rename(path.with_suffix(".away"))
        with pytest.raises(ImageSetError, match=r"cat/0002\.jpg.*url-viz embed"):
            image_set.files.path(image)
        away.rename(path)
        with pytest.raises(ImageSetError, match="no picture with id 1 "):
            image_set.files.path(1)


class TestSearch:
    """By id, path or picture; the nearest first, gates that withhold and count."""

    def test_dropped_pictures_are_left_out_where_asked(self, image_set: ImageSet) -> None:
        own = id_of(image_set, "cat/0000.jpg")
        nearest = int(image_set.search(own)["id"].iloc[0])
        image_set.decisions.decide([nearest], "drop")
        assert nearest in image_set.safe_search(own).hits["id"].tolist()
        gated = image_set.safe_search(own, without_dropped=True)
        assert nearest not in gated.hits["id"].tolist()
        assert gated.withheld["id"].tolist() == [nearest]
        image_set.decisions.undo()

    def test_by_id_leaves_itself_out_and_orders_by_cosine(self, image_set: ImageSet) -> None:
        own = id_of(image_set, "cat/0000.jpg")
        hits = image_set.search(own)
        z = (
            fit_whitening(np.unique(image_set.embeddings(), axis=0))
            .transform(image_set.embeddings())
            .astype(np.float32)
        )
        row = image_set.core.row_of(own)
        order = [i for i in np.argsort(-(z @ z[row]), kind="stable") if i != row]
        assert hits["id"].tolist() == image_set.table()["id"].iloc[order].tolist()
        assert hits["similarity"].to_numpy() == pytest.approx((z @ z[row])[order], abs=1e-3)
        assert hits["path"].iloc[0] == "dog/copy.jpg"
        assert list(hits.columns) == ["id", "path", "similarity", *COLUMNS[2:]]
        assert [len(image_set.search(own, k=k)) for k in (1, 7, 100)] == [1, 7, 7]

    @pytest.mark.parametrize("k", [1, 3, 12])
    def test_neighbours_are_an_ungated_search_without_twins(self, image_set: ImageSet, k: int) -> None:
        table = image_set.table()
        group = pd.Series(group_codes(table), index=table["id"])
        graph = image_set.core.graph
        assert graph is not None
        counting = graph.content[np.unique(twin_representatives(graph.twins))]
        counts = image_set.table().loc[np.isin(image_set.core.contents, counting), "id"]
        for image in image_set.table()["id"]:
            found, every = image_set.neighbours(image, k), image_set.search(image, 100)
            expected = every[(group[every["id"]] != group[image]).to_numpy() & every["id"].isin(counts)].head(k)
            assert not (group[found["id"]] == group[image]).any()
            assert found["similarity"].to_numpy() == pytest.approx(expected["similarity"].to_numpy(), abs=1e-5)
            assert image not in found["id"].tolist()
            assert found["id"].is_unique

    @pytest.mark.parametrize("kind", ["path", "text", "picture"])
    def test_by_a_file_or_a_picture_of_the_set_finds_it_first(
        self, image_set: ImageSet, pictures: Path, kind: str
    ) -> None:
        path = pictures / "dog" / "0003.jpg"
        with Image.open(path) as picture:
            query: dict[str, Any] = {"path": path, "text": str(path), "picture": picture}
            hits = image_set.search(query[kind], k=2)
        assert hits["path"].iloc[0] == "dog/0003.jpg"
        assert hits["similarity"].iloc[0] > 0.99

    @pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "1", "CMYK", "I;16", "HSV"])
    def test_a_picture_in_memory_is_read_as_its_file_is(self, image_set: ImageSet, tmp_path: Path, mode: str) -> None:
        source = noise(5).convert("RGB" if mode == "I;16" else mode)
        if mode in ("RGBA", "LA"):
            source.putalpha(noise(6).convert("L"))
        if mode == "I;16":
            source = Image.fromarray(np.asarray(source.convert("L")).astype(np.uint16) * 200)
        in_file = source.convert("RGB") if mode == "HSV" else source  # no file keeps HSV
        in_file.save(tmp_path / "query.tiff")
        by_file = image_set.search(tmp_path / "query.tiff", k=8)["similarity"]
        assert image_set.search(source, k=8)["similarity"].to_numpy() == pytest.approx(by_file.to_numpy(), abs=0.02)

    def test_a_picture_that_lies_on_its_side_is_turned_upright(self, image_set: ImageSet, tmp_path: Path) -> None:
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = 6
        (tmp_path / "side.jpg").write_bytes(encoded(noise(3), exif=exif))
        with Image.open(tmp_path / "side.jpg") as image:
            by_picture = image_set.search(image, k=8)["similarity"].to_numpy()
        assert by_picture == pytest.approx(
            image_set.search(tmp_path / "side.jpg", k=8)["similarity"].to_numpy(), abs=0.01
        )

    def test_gates_withhold_what_is_nearer_and_count_it(self, image_set: ImageSet) -> None:
        table = image_set.table()
        for column in ("uncertainty", "confusability", "entropy"):
            bound = float(np.sort(table[column].to_numpy())[4])
            own = id_of(image_set, "cat/0000.jpg")
            rank = float(percentile(table[column].to_numpy())[table[column] == bound][0])
            found = image_set.safe_search(own, k=2, by=column, max_percentile=rank)
            assert len(found.hits) == 2
            assert (found.hits[column] <= bound).all()
            assert (found.withheld[column] > bound).all()
            every = image_set.search(own, k=100)
            nearer = every[(every["similarity"] >= found.hits["similarity"].min()) & (every[column] > bound)]
            assert found.withheld["id"].tolist() == nearer["id"].tolist()

    def test_a_gate_that_nothing_passes_withholds_everything(self, image_set: ImageSet) -> None:
        lowest = int(image_set.table().nsmallest(1, "uncertainty")["id"].iloc[0])
        found = image_set.safe_search(lowest, k=3, by="uncertainty", max_percentile=0)
        assert (len(found.hits), len(found.withheld)) == (0, 7)

    def test_a_gate_by_a_measure_that_the_set_has_not_is_an_error(self, image_set: ImageSet, bare_model: Model) -> None:
        bare = ImageSet(image_set.core.store, image_set.space, bare_model.source, image_set.workspace)
        with pytest.raises(
            ImageSetError, match=r"'uncertainty' is not a measure of this set\. It has: ambiguity, confusability"
        ):
            bare.safe_search(id_of(bare, "cat/0000.jpg"), by="uncertainty", max_percentile=100)
        with pytest.raises(UsageError, match="max_percentile is -1; give a number from 0 to 100"):
            image_set.safe_search(id_of(image_set, "cat/0000.jpg"), max_percentile=-1)

    def test_the_querys_own_values(self, image_set: ImageSet, pictures: Path) -> None:
        for row in image_set.table().itertuples():
            by_id = image_set.safe_search(int(str(row.id)), by="uncertainty")
            assert by_id.query_value == pytest.approx(row.uncertainty)
            assert by_id.query_percentile == pytest.approx(row.percentile)
        for measure in ("ambiguity", "confusability", "uncertainty", "entropy", "inverse_norm"):
            by_file = image_set.safe_search(pictures / "dog" / "0003.jpg", by=measure)
            assert by_file.query_value == image_set.row(by_file.hits["id"][0])[measure]
            with Image.open(pictures / "dog" / "0003.jpg") as picture:
                of_picture = image_set.safe_search(picture, by=measure)
            assert np.isfinite(of_picture.query_value)
            assert 0 <= of_picture.query_percentile <= 100
            if measure in ("uncertainty", "entropy", "inverse_norm"):
                assert of_picture.query_value == pytest.approx(by_file.query_value, rel=0.05), measure

    def test_without_a_measure_the_leading_one_gates(self, image_set: ImageSet) -> None:
        order = image_set.order()
        assert order.measure == "confusability"
        assert image_set.safe_search(id_of(image_set, "cat/0000.jpg")).by == "confusability"

    @pytest.mark.parametrize(("name", "says"), [("none.jpg", "There is no file"), ("empty.jpg", "0 bytes")])
    def test_a_query_that_cannot_be_read_is_named(
        self, image_set: ImageSet, tmp_path: Path, name: str, says: str
    ) -> None:
        (tmp_path / "empty.jpg").touch()
        with pytest.raises(ImageError) as caught:
            image_set.search(tmp_path / name)
        assert name in str(caught.value)
        assert says in str(caught.value)

    def test_an_id_that_is_none(self, image_set: ImageSet) -> None:
        with pytest.raises(ImageSetError, match="no picture with id 12"):
            image_set.search(12)


class TestOpening:
    """An image set is opened by its folder, without reading it and without the model."""

    def test_opened_is_what_embedding_gave(self, image_set: ImageSet, pictures: Path, module_workspace: Path) -> None:
        opened = open_image_set(pictures, model=image_set.source.name, workspace=module_workspace)
        assert opened.table().equals(image_set.table())
        assert np.array_equal(opened.embeddings(), image_set.embeddings())
        assert opened.is_current()
        assert "8 pictures" in repr(opened)

    def test_under_a_head_that_has_not_scored_it_yet(self, image_set: ImageSet, tmp_path: Path) -> None:
        save_head(dice_head(7), tmp_path / "new.safetensors")
        opened = open_image_set(
            image_set.root, model=str(tmp_path / "new.safetensors"), workspace=image_set.workspace.root
        )
        expected = dice_head(7)(image_set.embeddings())
        assert opened.table()["uncertainty"].to_numpy() == pytest.approx(expected, rel=1e-4)
        assert not np.allclose(expected, image_set.table()["uncertainty"])

    def test_under_a_head_for_other_weights(self, image_set: ImageSet, tmp_path: Path) -> None:
        from dataclasses import replace

        from url_viz.models.head import HeadProvenance

        other = replace(dice_head(), provenance=HeadProvenance(DEFAULT, "f" * 16))
        save_head(other, tmp_path / "other.safetensors")
        with pytest.raises(ImageSetError, match="was not read with"):
            open_image_set(
                image_set.root, model=str(tmp_path / "other.safetensors"), workspace=image_set.workspace.root
            )

    def test_a_folder_that_was_never_read_is_named_with_what_to_run(self, tmp_path: Path, workspace: Path) -> None:
        folder = tmp_path / "my holiday"
        folder.mkdir()
        for act in (open_image_set, forget):
            with pytest.raises(ImageSetError, match=rf"my holiday' was not read yet .*url-viz embed '{folder}'"):
                act(folder, workspace=workspace)
        assert not (workspace / "sets").exists()

    def test_a_model_it_was_not_read_with_is_named_with_what_to_run(self, image_set: ImageSet) -> None:
        with pytest.raises(ImageSetError, match=f"not read with 'resnet18'.*{DEFAULT}.*--model resnet18"):
            open_image_set(image_set.root, model="resnet18", workspace=image_set.workspace.root)

    def test_a_folder_that_is_none(self, tmp_path: Path, workspace: Path, model: Model) -> None:
        with pytest.raises(FolderError, match="does not exist"):
            embed_folder(tmp_path / "none", model=model, workspace=workspace)

    def test_by_another_way_to_the_same_folder(
        self, folder: Path, workspace: Path, model: Model, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        embed_folder(folder, model=model, workspace=workspace)
        (folder.parent / "link").symlink_to(folder)
        monkeypatch.chdir(folder)
        for way in (Path("."), folder.parent / "link", os.fspath(folder) + "/"):
            assert len(open_image_set(way, model=model.name, workspace=workspace)) == 6
        assert len(list_sets(workspace)) == 1
        monkeypatch.setenv("URL_VIZ_HOME", str(workspace))
        assert len(open_image_set(folder, model=model.name)) == 6


class TestForgetting:
    """What is kept of a folder can be listed and removed; the pictures stay."""

    def test_listed_and_forgotten(self, folder: Path, workspace: Path, model: Model) -> None:
        (folder / "bad.jpg").touch()
        embed_folder(folder, model=model, workspace=workspace)
        listed = list_sets(workspace)
        row = listed.iloc[0].to_dict()
        assert (row["folder"], row["pictures"], row["failures"], row["models"]) == (str(folder), 6, 1, DEFAULT)
        assert row["megabytes"] >= 0
        assert forget(folder, workspace=workspace) == folder
        assert len(list_sets(workspace)) == 0
        assert list(listed.columns) == list(list_sets(workspace).columns)
        assert len(list(folder.rglob("*.jpg"))) == 7

    def test_a_damaged_set_is_told_and_can_be_forgotten_too(self, folder: Path, workspace: Path, model: Model) -> None:
        embed_folder(folder, model=model, workspace=workspace)
        for about in (workspace / "sets").glob("*/set*.json"):
            about.write_text("{")
        for act in (open_image_set, lambda *_, **__: embed_folder(folder, model=model, workspace=workspace)):
            with pytest.raises(WorkspaceError, match="url-viz sets repair FOLDER"):
                act(folder, workspace=workspace)
        forget(folder, workspace=workspace)
        assert len(embed_folder(folder, model=model, workspace=workspace)) == 6
        shutil.rmtree(folder)
        forget(folder, workspace=workspace)
        assert len(list_sets(workspace)) == 0, "one whose folder is gone, too"


def test_a_set_of_one_and_of_none_of_the_models_values(tmp_path: Path, workspace: Path, bare_model: Model) -> None:
    write_folder(tmp_path / "one", 1)
    image_set = embed_folder(tmp_path / "one", model=bare_model, workspace=workspace)
    row = image_set.table().iloc[0]
    assert row[["uncertainty", "percentile", "confusability", "nearest_similarity"]].isna().all()
    assert np.isfinite(row[["entropy", "inverse_norm", "x", "y"]].to_numpy(float)).all()
    assert row["label"] is None
    assert len(image_set.search(int(row["id"]))) == len(image_set.neighbours(int(row["id"]))) == 0
