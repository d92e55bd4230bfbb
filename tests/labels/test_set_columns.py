"""A user's columns stand in the table beside ours, follow their pictures, and may be the label."""

import io
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.imaging.pictures import write_folder
from tests.read_sets import copied, opened_again
from url_viz.base.errors import DecisionError, FolderError, ImageSetError, WorkspaceError
from url_viz.image_set import ImageSet
from url_viz.imaging.uploaded_files import IncomingFile
from url_viz.reading import embed_folder
from url_viz.store.columns.imported_columns import Import, columns_version, import_name, imported_names
from url_viz.store.columns.user_files import Values
from url_viz.store.decisions.decisions import Decisions

pytestmark = pytest.mark.slow

NAMES = [f"{'cat' if i % 2 == 0 else 'dog'}/{i:04d}.jpg" for i in range(6)]


def given(folder: Path, *, names: list[str] = NAMES, seed: int = 0, home: Path) -> ImageSet:
    """An image set without a model: embeddings by dice, brought as a user brings them."""
    file = io.BytesIO()
    np.savez(file, paths=np.array(names), values=np.random.default_rng(seed).normal(size=(len(names), 8)))
    return embed_folder(folder, embeddings=IncomingFile("dice.npz", file.getvalue()), workspace=home)


@pytest.fixture(scope="module")
def read_once(tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    here = tmp_path_factory.mktemp("read")
    return given(write_folder(here / "zoo", 6, classes=("cat", "dog")), home=here / "home")


@pytest.fixture
def image_set(read_once: ImageSet, tmp_path: Path) -> ImageSet:
    return copied(read_once, tmp_path / "zoo", home=tmp_path / "home")


def table_of(**columns: list[object]) -> IncomingFile:
    return IncomingFile("mine.csv", pd.DataFrame({"path": NAMES, **columns}).to_csv(index=False).encode())


class TestTheTable:
    """`image_set.table()` has what was brought, at once."""

    def test_columns_stand_at_the_end_by_picture(self, image_set: ImageSet, tmp_path: Path) -> None:
        file = tmp_path / "mine.csv"
        file.write_text("path,score,who\ndog/0001.jpg,2,b\ncat/0000.jpg,1.5,\nnone.jpg,9,z\n")
        before, version = list(image_set.table().columns), image_set.version
        told = image_set.columns.add(file)
        table = image_set.table().set_index("path")
        assert [c for c in table.columns if c not in before] == ["score", "who"]
        assert (table.at["cat/0000.jpg", "score"], table.at["dog/0001.jpg", "score"]) == (1.5, 2)
        assert table["score"].isna().sum() == 4
        assert (table.at["dog/0001.jpg", "who"], table.at["cat/0000.jpg", "who"]) == ("b", None)
        assert (told.matched, told.matches.examples) == (2, ("none.jpg",))
        assert "2 of 3 rows" in told.words[0]
        assert "'none.jpg'" in told.words[1]
        assert told.words[2] == "4 pictures have no row."
        assert image_set.version != version
        assert image_set.is_current()

    def test_they_are_told_with_kind_and_count(self, image_set: ImageSet) -> None:
        image_set.columns.add(table_of(a=[1, 2, 3, 4, 5, None], b=list("xyxyxy")), name="run 1", uncertainty=("a",))
        told = [(c.name, c.kind, c.known, c.source, c.is_uncertainty) for c in image_set.columns.list()]
        assert told == [("a", "numeric", 5, "run 1", True), ("b", "categorical", 6, "run 1", False)]

    def test_a_name_that_is_taken_gets_the_imports_in_front(self, image_set: ImageSet) -> None:
        image_set.columns.add(table_of(similarity=[1.0] * 6, width=[2] * 6, new=[3] * 6), name="one")
        image_set.columns.add(table_of(new=[4] * 6), name="two")
        names = [column.name for column in image_set.columns.list()]
        assert names == ["one_similarity", "one_width", "new", "two_new"]
        assert image_set.table()["width"].unique().tolist() == [64]
        assert len(image_set.search(int(image_set.table()["id"].iloc[0]))) == 5  # has a `similarity` of its own

    def test_a_column_named_as_one_that_is_worked_out_is_not_lost(self, image_set: ImageSet) -> None:
        mine: list[object] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
        names = ("ambiguity", "confidence", "tuned", "first_like", "second_like")
        image_set.columns.add(table_of(**dict.fromkeys(names, mine)), name="mine")
        for name in (f"mine_{name}" for name in names):
            assert sorted(image_set.table()[name]) == mine

    def test_an_import_replaces_the_one_of_its_name_and_goes_when_it_is_removed(self, image_set: ImageSet) -> None:
        before = image_set.table()
        image_set.columns.add(table_of(a=[1] * 6, b=[2] * 6))
        image_set.columns.add(table_of(a=[3] * 6))
        assert image_set.table()["a"].unique().tolist() == [3]
        assert "b" not in image_set.table()
        image_set.columns.remove("mine")
        pd.testing.assert_frame_equal(image_set.table(), before)
        with pytest.raises(ImageSetError, match="There are: none"):
            image_set.columns.remove("mine")

    def test_a_damaged_import_says_how_to_get_rid_of_it(self, image_set: ImageSet, tmp_path: Path) -> None:
        image_set.columns.add(table_of(a=[1] * 6))
        [path] = (tmp_path / "home").rglob("mine.parquet")
        path.write_bytes(b"PAR1")
        with pytest.raises(WorkspaceError, match="columns remove FOLDER mine"):
            image_set.table()
        image_set.columns.remove("mine")
        assert "a" not in image_set.table()

    def test_a_flipped_bit_in_an_import_is_told(self, image_set: ImageSet, tmp_path: Path) -> None:
        """Wherever it is: a value, its page's header, or how the file is laid out."""
        image_set.columns.add(table_of(a=[1.5, 2, 3, 4, 5, 6], kind=["red", "blue", "red", "", "blue", "red"]))
        before = image_set.table()
        [path] = (tmp_path / "home").rglob("mine.parquet")
        whole = path.read_bytes()
        for bit in range(5, 8 * len(whole), 997):
            data = bytearray(whole)
            data[bit // 8] ^= 1 << bit % 8
            path.write_bytes(bytes(data))
            try:
                pd.testing.assert_frame_equal(image_set.table(), before)
            except WorkspaceError as error:
                assert "columns remove FOLDER mine" in str(error)  # noqa: PT017 (some bits say nothing)


class TestMovedFiles:
    """A value belongs to a picture, not to a row."""

    def test_a_moved_file_keeps_its_values_and_a_copy_gets_none(self, image_set: ImageSet, tmp_path: Path) -> None:
        image_set.columns.add(table_of(a=[0, 1, 2, 3, 4, 5]))
        root = tmp_path / "zoo"
        (root / "cat" / "0000.jpg").rename(root / "cat" / "moved.jpg")
        shutil.copy(root / "dog" / "0001.jpg", root / "dog" / "copy.jpg")
        names = ["cat/moved.jpg", "dog/copy.jpg", *NAMES[1:]]
        table = given(root, names=names, home=tmp_path / "home").table().set_index("path")
        assert table.at["cat/moved.jpg", "a"] == 0
        assert np.isnan(table["a"]["dog/copy.jpg"])
        assert table.loc[NAMES[1:], "a"].tolist() == [1, 2, 3, 4, 5]

    def test_against_a_naive_loop(self) -> None:
        rng = np.random.default_rng(0)
        for _ in range(10):
            ids, contents = rng.permutation(30)[:12], rng.integers(0, 8, 12)
            known, of_known = rng.permutation(30)[:12], rng.integers(0, 8, 12)
            present = np.union1d(ids, rng.permutation(30)[:5])
            one = Import("x", "x.csv", known, of_known, {"v": Values("numeric", np.arange(12.0))})
            expected = []
            for image_id, content in zip(ids, contents, strict=True):
                same = [row for row in range(12) if known[row] == image_id]
                moved = [row for row in range(12) if of_known[row] == content and known[row] not in present]
                expected.append((same or moved or [-1])[0])
            assert one.rows_of(ids, contents, present=present).tolist() == expected


class TestLogits:
    """Logits become three measures, each higher = more ambiguous."""

    def test_by_hand(self, image_set: ImageSet) -> None:
        logits = np.log([[0.7, 0.2, 0.1], [1 / 3, 1 / 3, 1 / 3], *[[0.5, 0.5, 1e-9]] * 4])
        told = image_set.columns.add(table_of(**{f"logit_{i}": logits[:, i].tolist() for i in range(3)}))
        assert list(told.names) == ["own_entropy", "own_max_probability", "own_margin"]
        table = image_set.table().set_index("path").loc[NAMES[:2]]
        assert table["own_entropy"].to_numpy() == pytest.approx([0.8018, np.log(3)], abs=1e-4)
        assert table["own_max_probability"].to_numpy() == pytest.approx([0.3, 2 / 3])
        assert table["own_margin"].to_numpy() == pytest.approx([0.5, 1])
        assert all(column.is_uncertainty for column in image_set.columns.list())

    def test_a_row_with_a_logit_missing_has_no_value(self, image_set: ImageSet) -> None:
        image_set.columns.add(table_of(logit_0=[1, None, 1, 1, 1, 1], logit_1=[2] * 6))
        table = image_set.table().set_index("path")
        assert np.isnan(table["own_margin"][NAMES[1]])
        assert table["own_margin"].notna().sum() == 5


class TestLabels:
    """What the label is can be chosen, and is remembered with the set."""

    def test_a_column_the_folders_or_nothing(self, image_set: ImageSet, tmp_path: Path) -> None:
        image_set.columns.add(table_of(kind=["a", "b", "a", "b", "a", ""], number=[1, 2, 3, 1, 2, 2.5]))
        image_set.labels.use("kind")
        assert image_set.table().set_index("path")["label"].loc[NAMES].tolist() == ["a", "b", "a", "b", "a", None]
        image_set.labels.use("number")
        assert image_set.table().set_index("path")["label"].loc[NAMES].tolist() == ["1", "2", "3", "1", "2", "2.5"]
        again = given(tmp_path / "zoo", home=tmp_path / "home")
        assert again.labels.chosen == "number"
        again.labels.use(None)
        assert again.table()["label"].isna().all()
        again.labels.use("folders")
        assert image_set.table()["label"].tolist() == ["cat"] * 3 + ["dog"] * 3  # another snapshot sees it too

    def test_a_merge_that_comes_second_says_so(self, image_set: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
        other, decisions_by = opened_again(image_set), image_set.core.decisions_by

        def after_the_other(who: str | None) -> Decisions:
            other.labels.merge("cat", "fox")
            return decisions_by(who)

        monkeypatch.setattr(image_set.core, "decisions_by", after_the_other)
        with pytest.raises(DecisionError, match="No picture is labelled 'cat' any more: another"):
            image_set.labels.merge("cat", "dog")
        assert image_set.table()["label"].tolist() == ["fox"] * 3 + ["dog"] * 3
        assert len(image_set.decisions.history()) == 1

    def test_folders_are_the_label_again_when_its_column_goes_or_is_replaced(self, image_set: ImageSet) -> None:
        image_set.columns.add(table_of(kind=list("ababab")))
        image_set.labels.use("kind")
        image_set.columns.remove("mine")
        assert image_set.labels.chosen == "folders"
        assert image_set.table()["label"].nunique() == 2
        image_set.columns.add(table_of(kind=list("ababab")))
        image_set.labels.use("kind")
        assert image_set.columns.keep(image_set.columns.match(table_of(other=list("ababab"))))
        assert image_set.labels.chosen == "folders"

    def test_a_column_that_was_lost_is_told(self, image_set: ImageSet) -> None:
        image_set.columns.add(table_of(kind=list("ababab")))
        image_set.labels.use("kind")
        [path] = image_set.workspace.set_paths(image_set.set_id).columns.glob("*.parquet")
        path.unlink()
        with pytest.raises(ImageSetError, match=r"'kind', which is gone.*url-viz labels use FOLDER folders"):
            image_set.table()
        image_set.labels.use("folders")
        assert image_set.table()["label"].nunique() == 2

    def test_a_damaged_choice_is_made_again_as_its_error_says_and_keeps_no_import(self, image_set: ImageSet) -> None:
        image_set.columns.add(table_of(kind=list("ababab")))
        for chosen in ("folders", None, "kind"):
            image_set.workspace.set_paths(image_set.set_id).labels.write_text("{")
            with pytest.raises(WorkspaceError, match="labels use FOLDER folders"):
                image_set.table()
            with pytest.raises(ImageSetError, match="There are: 'kind'"):
                image_set.labels.use("other")
            image_set.labels.use(chosen)
            assert image_set.labels.chosen == chosen
        image_set.workspace.set_paths(image_set.set_id).labels.write_text("{")
        image_set.columns.remove("mine")
        image_set.labels.use("folders")
        assert image_set.columns.list() == ()


class TestRefused:
    """What cannot be told is refused, with the value."""

    def test_nothing_matches(self, image_set: ImageSet) -> None:
        with pytest.raises(FolderError, match=r"such as 'x\.jpg'.*such as 'cat/0000\.jpg'"):
            image_set.columns.add(IncomingFile("m.csv", b"path,v\nx.jpg,1\n"))

    def test_no_values_or_a_wrong_uncertainty(self, image_set: ImageSet) -> None:
        with pytest.raises(FolderError, match="no column of values"):
            image_set.columns.add(table_of())
        with pytest.raises(FolderError, match="'who' is not a column of numbers"):
            image_set.columns.add(table_of(who=list("ababab")), uncertainty=("who",))

    def test_names_of_imports_are_names_of_files(self) -> None:
        assert import_name("../../etc/passwd") == "_.._etc_passwd"
        assert import_name("\x00 ") == "columns"
        assert import_name("Läufe 2.1") == "Läufe 2.1"


def test_without_columns_and_a_choice_there_is_no_version_and_no_import(image_set: ImageSet) -> None:
    paths = image_set.workspace.set_paths(image_set.set_id)
    assert columns_version(paths) == ""
    assert imported_names(paths) == []


def test_an_own_uncertainty_stands_in_where_embeddings_are_the_users(image_set: ImageSet) -> None:
    assert image_set.table()["uncertainty"].isna().all()
    image_set.columns.add(table_of(risk=[5, 4, 3, 2, 1, 0]), uncertainty=("risk",))
    table = image_set.table().set_index("path").loc[NAMES]
    assert table["uncertainty"].tolist() == [5, 4, 3, 2, 1, 0]
    assert table["percentile"].tolist() == [100, 80, 60, 40, 20, 0]
    found = image_set.safe_search(int(table["id"].iloc[0]), by="uncertainty", max_percentile=45)
    assert (found.by, found.query_value, found.query_percentile) == ("uncertainty", 5, 100)
    assert set(found.hits["path"]) == set(NAMES[3:])
