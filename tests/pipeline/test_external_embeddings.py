"""Embeddings of the user's own: checked, fitted into float16, stored by picture, and honest about what they cannot."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.imaging.pictures import noise, write_folder
from url_viz.base.errors import FolderError, ImageSetError, ModelError
from url_viz.cli.main import main
from url_viz.image_set import open_image_set
from url_viz.imaging.scan import scan
from url_viz.models.model import load_model, model_title
from url_viz.pipeline.embedded import given_embeddings, in_float16
from url_viz.reading import embed_folder

COUNT = 8


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "zoo", COUNT)


def saved(path: Path, values: np.ndarray, names: list[str] | None = None) -> Path:
    np.savez(path, paths=np.array(names or [f"{i:04d}.jpg" for i in range(len(values))]), embedding=values)
    return path


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class TestInFloat16:
    """What float16 cannot hold is scaled, and no cosine changes."""

    def test_by_hand(self) -> None:
        rows, scaled = in_float16(np.array([[3.0, 4.0], [3e5, 4e5], [3e-9, 4e-9], [0.0, 0.0]]))
        assert scaled == 2
        assert rows.astype(float).ravel() == pytest.approx([3, 4, 19.2, 25.6, 19.2, 25.6, 0, 0], rel=1e-3)

    @pytest.mark.parametrize("seed", range(10))
    def test_cosines_stay_whatever_the_scale(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        rows = rng.normal(size=(20, 16)) * 10.0 ** rng.integers(-30, 30, (20, 1))
        kept, _ = in_float16(rows)
        assert np.isfinite(kept).all()
        found, exact = unit(kept.astype(float)), unit(rows)
        assert np.abs(found @ found.T - exact @ exact.T).max() < 2e-3


class TestReading:
    """A folder under them is an image set like any other."""

    def test_everything_but_a_model(self, folder: Path, tmp_path: Path) -> None:
        values = np.random.default_rng(0).normal(size=(COUNT, 8))
        image_set = embed_folder(folder, embeddings=saved(tmp_path / "clip.npz", values), workspace=tmp_path / "home")
        table = image_set.table()
        assert (len(image_set), image_set.source.name) == (COUNT, "own:clip")
        assert table["path"].tolist() == [f"{i:04d}.jpg" for i in range(COUNT)]
        assert image_set.embeddings() == pytest.approx(values, rel=1e-3)
        assert table["uncertainty"].isna().all()
        assert table["entropy"].isna().all()
        assert np.isfinite(table[["confusability", "x", "y"]].to_numpy()).all()
        assert len(image_set.core.store.thumbnails(table["id"])) == COUNT
        cosine = unit(values) @ unit(values)[0]
        hits = image_set.search(int(table["id"].iloc[0]), k=COUNT)
        assert hits["path"].tolist() == [f"{i:04d}.jpg" for i in np.argsort(-cosine)[1:]]

    @pytest.mark.slow
    def test_it_is_opened_by_its_name_and_a_second_reading_reads_nothing(self, folder: Path, tmp_path: Path) -> None:
        file = saved(tmp_path / "clip.npz", np.eye(COUNT))
        first = embed_folder(folder, embeddings=file, workspace=tmp_path / "home")
        again = embed_folder(folder, embeddings=file, workspace=tmp_path / "home")
        assert again.version == first.version
        assert open_image_set(folder, model="own:clip", workspace=tmp_path / "home").version == first.version
        with pytest.raises(ImageSetError, match="own:clip"):
            open_image_set(folder, model="own:other", workspace=tmp_path / "home")

    @pytest.mark.slow
    def test_other_values_of_the_same_name_take_their_place(self, folder: Path, tmp_path: Path) -> None:
        embed_folder(folder, embeddings=saved(tmp_path / "clip.npz", np.eye(COUNT)), workspace=tmp_path / "home")
        file = saved(tmp_path / "clip.npz", 2 * np.eye(COUNT))
        image_set = embed_folder(folder, embeddings=file, workspace=tmp_path / "home")
        assert image_set.embeddings().max() == 2

    def test_pictures_without_one_are_left_out_and_more_come_later(self, folder: Path, tmp_path: Path) -> None:
        file = saved(tmp_path / "some.npz", np.eye(3), ["0001.jpg", "0002.jpg", "gone.jpg"])
        given = given_embeddings(file, scan(folder))
        assert "2 of 3 rows" in given.words[0]
        assert "'gone.jpg'" in given.words[1]
        assert "6 pictures have no embedding" in given.words[2]
        image_set = embed_folder(folder, embeddings=given, workspace=tmp_path / "home")
        assert image_set.table()["path"].tolist() == ["0001.jpg", "0002.jpg"]
        assert image_set.failures().empty

    def test_a_broken_picture_is_a_failure(self, folder: Path, tmp_path: Path) -> None:
        (folder / "0003.jpg").write_bytes(b"<html>")
        file = saved(tmp_path / "clip.npz", np.eye(COUNT))
        image_set = embed_folder(folder, embeddings=file, workspace=tmp_path / "home")
        assert (len(image_set), len(image_set.failures())) == (COUNT - 1, 1)

    def test_a_new_picture_cannot_be_embedded_and_is_told_so(self, folder: Path, tmp_path: Path) -> None:
        file = saved(tmp_path / "clip.npz", np.eye(COUNT))
        image_set = embed_folder(folder, embeddings=file, workspace=tmp_path / "home")
        with pytest.raises(ModelError, match="no model to embed a new picture"):
            image_set.search(noise(3))
        with pytest.raises(ModelError, match="embeddings from a file"):
            load_model("own:clip", workspace=tmp_path / "home")
        assert model_title("own:clip") == "clip (your embeddings)"


class TestFiles:
    """Kinds of files, and what is refused."""

    def test_rows_of_different_lengths_are_named(self, folder: Path, tmp_path: Path) -> None:
        paths = [file.path.decode() for file in scan(folder).files]
        ragged = [[0.0] * (2 + n) for n in range(len(paths))]
        pq.write_table(pa.table({"path": paths, "embedding": ragged}), tmp_path / "e.parquet")
        with pytest.raises(FolderError, match=r"holds none \('embedding': its cells hold lists of different lengths\)"):
            given_embeddings(tmp_path / "e.parquet", scan(folder), name="own:mine")

    def test_parquet_with_other_columns_beside(self, folder: Path, tmp_path: Path) -> None:
        columns = {"file": ["0000.jpg", "0001.jpg"], "embedding": [[1.0, 2.0], [3.0, 4.0]], "probs": [[1.0], [1.0]]}
        pq.write_table(pa.table(columns), tmp_path / "e.parquet")
        given = given_embeddings(tmp_path / "e.parquet", scan(folder), name="own:mine")
        assert (given.space.backbone, given.embedding.tolist()) == ("own:mine", [[1, 2], [3, 4]])

    def test_other_paths_beside_the_same_values_are_another_space(self, folder: Path, tmp_path: Path) -> None:
        np.save(tmp_path / "e.npy", np.eye(2))
        keys = set()
        for names in (["0000.jpg", "0001.jpg"], ["0001.jpg", "0000.jpg"]):
            (tmp_path / "p.txt").write_text("\n".join(names))
            keys.add(given_embeddings(tmp_path / "e.npy", scan(folder), paths=tmp_path / "p.txt").space.key)
        assert len(keys) == 2

    def test_what_is_refused(self, folder: Path, tmp_path: Path) -> None:
        bad = np.eye(COUNT)
        bad[2, 0] = np.nan
        for values, said in ((bad, r"1 embeddings .*'0002\.jpg'"), (np.ones((COUNT, 1)), "have 1 numbers")):
            with pytest.raises(FolderError, match=said):
                given_embeddings(saved(tmp_path / "e.npz", values), scan(folder))
        (tmp_path / "t.csv").write_text("path,v\n0000.jpg,1\n")
        with pytest.raises(FolderError, match="one column of lists"):
            given_embeddings(tmp_path / "t.csv", scan(folder))
        with pytest.raises(FolderError, match="None of the 2 paths"):
            given_embeddings(saved(tmp_path / "e.npz", np.eye(2), ["x", "y"]), scan(folder))


@pytest.mark.slow
def test_the_command_line(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Embeddings, columns, labels: each told, each with status 1 and a sentence where it cannot be done."""
    file = str(saved(tmp_path / "clip.npz", np.eye(COUNT)))
    at = ["--workspace", str(tmp_path / "home")]
    assert main(["embed", str(folder), "--embeddings", file, *at]) == 0
    said = capsys.readouterr().out
    assert "8 of 8 rows of 'clip.npz' are of a picture" in said
    assert "8 pictures in" in said
    assert "under 'own:clip'" in said
    (tmp_path / "mine.csv").write_text("path,kind,risk\n" + "".join(f"{i:04d}.jpg,k{i % 2},{i}\n" for i in range(5)))
    add = ["columns", "add", str(folder), str(tmp_path / "mine.csv"), "--uncertainty", "risk", "--label", "kind", *at]
    assert main(add) == 0
    assert "Added as 'mine': kind, risk." in capsys.readouterr().out
    assert main(["columns", "list", str(folder), *at]) == 0
    said = capsys.readouterr().out
    assert "risk: uncertainty, 5 of 8 pictures, from 'mine'" in said
    assert "The label is the column 'kind'." in said
    assert main(["labels", "use", str(folder), "none", *at]) == 0
    assert "The label is nothing from now on: 0 classes." in capsys.readouterr().out
    assert main(["columns", "remove", str(folder), "mine", *at]) == 0
    assert main(["columns", "remove", str(folder), "mine", *at]) == 1
    capsys.readouterr()
    with pytest.raises(SystemExit, match="2"):
        main(["columns", "add", str(folder), *at])
    assert "the file to add" in capsys.readouterr().err
    assert main(["labels", "use", str(folder), "kind", *at]) == 1
    assert "There is no column 'kind' of your own" in capsys.readouterr().err
