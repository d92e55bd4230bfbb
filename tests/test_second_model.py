"""A second model reads a set from the same files, and has its say in confusability, ambiguity, answers and uploads."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.conftest import SECOND, held
from tests.imaging.pictures import SHAPES, drawing, encoded, noise, write_folder
from tests.pipeline.reader import Reader
from tests.read_sets import opened_again
from url_viz import column_list as columns
from url_viz.base.errors import ModelError
from url_viz.columns.filters import Between
from url_viz.columns.measures import DISAGREEMENT, title_of_column
from url_viz.columns.second_model import SecondModelChoice, graph_columns
from url_viz.image_set import ImageSet, open_image_set
from url_viz.imaging import workers
from url_viz.imaging.quality import QUALITIES
from url_viz.imaging.uploaded_files import IncomingFile
from url_viz.imaging.workers import picture_of
from url_viz.models.model import EmbeddingSpace, Model, with_head
from url_viz.models.model_names import DEFAULT, default_second_model
from url_viz.outside.uploads import MEASURED, NewPicture, judge_pictures, score
from url_viz.pipeline.embedded import Given
from url_viz.reading import embed_folder
from url_viz.review.tuned import PAIR_MEASURES, SPACE_MEASURES, pair_measures
from url_viz.store.bundle import pack, unpack
from url_viz.store.sets import drop_model

COUNT = 120


@pytest.fixture(scope="module")
def read_by_both(tmp_path_factory: pytest.TempPathFactory, prepared: Path, model: Model, second_model: Model) -> Path:
    """A workspace with a set of drawings that two models have read, of which nothing is changed."""
    home = tmp_path_factory.mktemp("both")
    folder = home / "pictures"
    for number in range(COUNT):
        path = folder / SHAPES[number % 3] / f"{number:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        drawing(SHAPES[number % 3], number).save(path)
    (folder / "line" / "copy.png").write_bytes((folder / "line" / "0002.png").read_bytes())
    (home / "workspace").mkdir()
    (home / "workspace" / "models").symlink_to(prepared / "models")
    embed_folder(folder, model=model, also=second_model, workspace=home / "workspace")
    return home


@pytest.fixture
def image_set(read_by_both: Path, head_file: Path, tmp_path: Path) -> ImageSet:
    """The set of `read_by_both`, in a workspace of the test's own."""
    workspace = tmp_path / "own"
    shutil.copytree(read_by_both / "workspace", workspace, symlinks=True)
    return open_image_set(read_by_both / "pictures", model=str(head_file), workspace=workspace)


@pytest.fixture
def second(tmp_path: Path, workspace: Path, second_model: Model) -> Callable[[Path], ImageSet]:
    """Reads a folder with the second model alone, into a workspace of its own."""

    def reads(folder: Path) -> ImageSet:
        other = tmp_path / "by the second"
        other.mkdir(exist_ok=True)
        if not (other / "models").exists():
            (other / "models").symlink_to(workspace / "models")
        return embed_folder(folder, model=second_model, workspace=other)

    return reads


def space_of_second(image_set: ImageSet) -> EmbeddingSpace | None:
    return None if image_set.core.second.active is None else image_set.core.second.active.space


class TestReading:
    """One reading of a file serves both models, and each has what it would have alone."""

    def test_each_has_what_it_would_have_alone(
        self, read: Reader, second_model: Model, second: Callable[[Path], ImageSet], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Two readings one after the other, too, are as good as one by both."""
        write_folder(read.folder, 12, classes=("cat", "dog"))
        first = read()
        by_second = second(read.folder)
        alone = [(each.embeddings(), each.table()) for each in (first, by_second)]
        embed_folder(read.folder, model=second_model, workspace=read.workspace)
        one_after_the_other = read(also=second_model).table()  # only the other look of the first was to be taken
        shutil.rmtree(read.workspace / "sets")
        asked = []
        ask = workers.Decoders.read
        monkeypatch.setattr(workers.Decoders, "read", lambda *a, **k: asked.append(a) or ask(*a, **k))
        both = read(also=second_model)
        assert len(asked) == 12
        other = open_image_set(read.folder, model=SECOND, workspace=read.workspace)
        of_thumbnail = [*QUALITIES, "reasons"]  # which is made of what the first model sees
        for now, (embeddings, table), apart in zip((both, other), alone, ([], of_thumbnail), strict=True):
            assert np.array_equal(now.embeddings(), embeddings)
            pd.testing.assert_frame_equal(now.single_model.table().drop(columns=apart), table.drop(columns=apart))
        assert (space_of_second(both), space_of_second(other)) == (other.space, both.space)
        pd.testing.assert_frame_equal(both.table(), one_after_the_other)

    def test_a_second_one_later_reads_alone_and_new_pictures_are_read_by_both(
        self, read: Reader, second_model: Model
    ) -> None:
        write_folder(read.folder, 8)
        first = read()
        assert (first.core.second.active, first.core.second.available, first.core.second.incomplete) == (
            None,
            None,
            None,
        )
        both = read(also=second_model)
        assert (read.opened, read.embedded) == (8, 8), "the first model looks once more, squeezed"
        assert np.array_equal(both.embeddings(), first.embeddings())
        write_folder(read.folder, 3, start=8)
        assert space_of_second(read(also=second_model)) == second_model.space
        assert (read.opened, read.embedded) == (3, 6)
        read(also=second_model)
        assert (read.opened, read.embedded) == (0, 0)

    def test_one_that_has_not_read_all_has_no_say(self, read: Reader, second_model: Model) -> None:
        write_folder(read.folder, 6)
        read(also=second_model)
        write_folder(read.folder, 2, start=6)
        behind = read()
        assert (behind.core.second.active, behind.core.second.available, behind.core.second.incomplete) == (
            None,
            None,
            second_model.space,
        )
        assert f"{SECOND} has not read all" in behind.core.second.in_words(behind.source)
        pd.testing.assert_frame_equal(behind.table(), behind.single_model.table())
        assert opened_again(read(also=second_model)).core.second.incomplete is None

    def test_the_other_look_of_the_first_is_read_too_and_is_no_model_of_the_set(
        self, read: Reader, second_model: Model
    ) -> None:
        write_folder(read.folder, 6)
        both = read(also=second_model)
        store, look = both.core.store, read.model.squeezed
        crops = [
            picture_of(both.files.path(i).read_bytes(), look.space.preprocessing, content=0).crop for i in both.core.ids
        ]
        held = store.embeddings(look.space.key, both.core.contents)
        np.testing.assert_array_equal(held.embedding, look.as_stored(look.run(np.stack(crops)).embedding))
        [columns, own] = [store.graph_columns(key) for key in (look.space.key, both.space.key)]
        assert columns is not None
        assert own is not None
        assert np.array_equal(columns.content, own.content)
        assert store.about().spaces == (second_model.space, both.space)
        assert list(store.about().other_spaces(both.space)) == [second_model.space]
        tables = {path.stem.partition("-")[0] for path in store.paths.tables.glob(f"*-{look.space.key}*.lance")}
        assert tables == {"embeddings", "whitening", "whitened", "graph"}, "neither scores nor a map"
        pack(read.folder, read.folder.parent / "set.tar", workspace=read.workspace)
        drop_model(read.folder, both.space.backbone, workspace=read.workspace)
        assert not list(store.paths.tables.glob(f"*-{look.space.key}*.lance"))
        other = read.folder.parent / "other"
        unpack(read.folder.parent / "set.tar", root=read.folder, workspace=other)
        copy = open_image_set(read.folder, model=read.model.name, workspace=other)
        assert copy.core.store.graph_columns(look.space.key) is not None

    def test_a_limit_holds_for_both(self, read: Reader, second_model: Model) -> None:
        write_folder(read.folder, 9)
        both = read(also=second_model, limit=5)
        assert len(both) == len(open_image_set(read.folder, model=SECOND, workspace=read.workspace)) == 5

    def test_the_same_model_is_no_second_one(self, read: Reader, bare_model: Model, model: Model) -> None:
        write_folder(read.folder, 2)
        with pytest.raises(ModelError, match="first model already"):
            read(also=with_head(model, bare_model.source))
        given = Given(read.model.space, {}, np.zeros((0, 4), np.float16))
        with pytest.raises(ModelError, match="Leave one of them out"):
            embed_folder(read.folder, embeddings=given, also=model, workspace=read.workspace)


class TestJudgement:
    """What the second model changes, and what it leaves."""

    def test_two_columns_change_and_nothing_else(self, image_set: ImageSet, second_model: Model) -> None:
        assert space_of_second(image_set) == second_model.space
        both, alone = image_set.table(), image_set.single_model.table()
        changed = [name for name in both if not both[name].equals(alone[name])]
        assert {"confusability", "ambiguity"} <= set(changed)
        assert set(changed) <= {
            *("confusability", "confusability_percentile", "ambiguity", "ambiguity_percentile"),
            *("first_class", "second_class", "first_share", "second_share", "reasons"),
        }
        assert both["confusability"].between(0, 1).all()
        row = both.set_index("path")
        assert row.at["line/copy.png", "confusability"] == row.at["line/0002.png", "confusability"]
        assert image_set.single_model.core.second.active is None
        assert image_set.single_model.single_model is image_set.single_model

    @pytest.mark.parametrize("of", ["both", "one"])
    def test_all_classes_shares_of_a_picture_hold_those_of_the_table(self, image_set: ImageSet, of: str) -> None:
        judged = image_set if of == "both" else image_set.single_model
        for row in judged.table().iloc[::7].to_dict("records"):
            shares = judged.labels.shares(row["id"])
            assert list(shares)[:2] == [row["first_class"], row["second_class"]]
            assert list(shares.values())[:2] == pytest.approx([row["first_share"], row["second_share"]], abs=1e-5)
            assert (set(shares), sum(shares.values())) == (set(SHAPES), pytest.approx(1))
        judged.labels.use(None)
        assert opened_again(judged).labels.shares(int(judged.core.ids[0])) == {}, "without classes there are none"

    def test_is_kept_and_the_same_when_made_again(self, image_set: ImageSet) -> None:
        before = image_set.table()
        [kept] = (image_set.workspace.root / "sets" / image_set.set_id / "derived" / "confusability_by_both").glob(
            "*.arrow"
        )
        kept.write_bytes(b"no table")
        pd.testing.assert_frame_equal(opened_again(image_set).table(), before)

    def test_can_be_left_out_and_taken_in_again(self, image_set: ImageSet) -> None:
        version, before = image_set.version, image_set.table()
        image_set.core.second.enable(is_enabled=False)
        assert image_set.is_current()
        assert image_set.version != version
        for one in (image_set, opened_again(image_set)):  # in what is open, too
            assert one.core.second.active is None
            assert one.core.second.available is not None
            assert one.core.second_model is None
            assert "alone" in one.core.second.in_words(one.source)
            pd.testing.assert_frame_equal(one.table(), image_set.single_model.table())
        image_set.core.second.enable()
        for two in (image_set, opened_again(image_set)):
            assert two.version == version
            pd.testing.assert_frame_equal(two.table(), before)
        (two.workspace.root / "sets" / two.set_id / "second.json").write_text("{")
        assert opened_again(two).core.second.active is not None, "a damaged choice is as none"

    def test_the_first_models_other_look_has_a_say_in_confusability_alone(self, image_set: ImageSet) -> None:
        second, look = image_set.core.second, image_set.space.squeezed
        assert [opinion.space for opinion in second.opinions] == [second.opinions[0].space, look]
        assert ", which looks twice, and" in second.in_words(image_set.source)
        by_three, version = image_set.table(), image_set.version
        for table in image_set.core.store.paths.tables.glob(f"*-{look.key}*.lance"):
            shutil.rmtree(table)
        by_two = opened_again(image_set)
        assert by_two.version != version
        assert [opinion.space for opinion in by_two.core.second.opinions] == [second.opinions[0].space]
        assert "looks twice" not in by_two.core.second.in_words(image_set.source)
        values = [table["confusability"] for table in (by_three, by_two.table(), by_two.single_model.table())]
        near, far = (np.corrcoef(values[1], other)[0, 1] for other in (values[0], values[2]))
        assert far < near < 1
        for name in ("ambiguity", "first_class", "first_share"):
            pd.testing.assert_series_equal(by_three[name], by_two.table()[name])

    def test_the_line_says_so(self, image_set: ImageSet) -> None:
        by_both = f"by two models (also {SECOND})"
        assert by_both in image_set.order().reason
        assert by_both not in image_set.single_model.order().reason
        image_set.labels.use(None)
        assert image_set.order().reason.startswith(
            f"Ordered by how easily a picture is mistaken for another here, {by_both}"
        )

    @pytest.mark.parametrize(("part", "kept_from"), [("data", 1), ("_versions", columns.CACHED_FROM)])
    def test_damage_to_its_tables_costs_its_say_alone(
        self, image_set: ImageSet, part: str, kept_from: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(columns, "CACHED_FROM", kept_from)
        assert opened_again(image_set).table()["confusability"].notna().all()  # rows by both are kept now
        assert image_set.core.second.active is not None
        before, folder = image_set.single_model.table(), image_set.workspace.root / "sets" / image_set.set_id
        for kind in ("graph", "whitened", "whitening", "embeddings"):
            shutil.rmtree(folder / "derived")
            table = folder / "tables" / f"{kind}-{image_set.core.second.active.space.key}.lance"
            whole = shutil.copytree(table, folder / "whole")
            for file in (table / part).iterdir():
                file.write_bytes(bytes(file.stat().st_size))
            hurt = opened_again(image_set)
            assert (hurt.core.second.active is None) == (kind != "embeddings")
            if hurt.core.second.active is None:
                assert f"also {SECOND}" not in hurt.order().reason
                pd.testing.assert_frame_equal(hurt.table(), before)
            shutil.rmtree(table)
            whole.rename(table)

    def test_goes_with_its_embeddings(self, image_set: ImageSet) -> None:
        drop_model(image_set.root, SECOND, workspace=image_set.workspace.root)
        assert not image_set.is_current()
        assert opened_again(image_set).core.second.active is None

    def test_compare_is_of_each_alone(self, image_set: ImageSet) -> None:
        other = open_image_set(image_set.root, model=SECOND, workspace=image_set.workspace.root)
        found = image_set.compare(other).measures["confusability"]
        alone = image_set.single_model.compare(other.single_model).measures["confusability"]
        pd.testing.assert_frame_equal(found.table, alone.table)
        assert found.rank_correlation < 1

    def test_how_far_the_leading_order_is_from_the_seconds_is_a_column_that_filters_give(
        self, image_set: ImageSet
    ) -> None:
        core, column = image_set.core, f"{DISAGREEMENT}{SECOND}"
        other = open_image_set(image_set.root, model=SECOND, workspace=image_set.workspace.root)
        assert core.filter_kinds()[column] == "numeric"
        assert core.disagreement_with(other.space) == column
        assert core.disagreement_with(image_set.space) is None
        assert title_of_column(column) == f"Disagreement with {SECOND}"
        assert column not in image_set.table()
        table = core.for_filters(image_set.table(), [Between(column, 10)])
        leading = str(image_set.order().measure)
        told = image_set.compare(other).measures[leading].table.set_index("id")["change"].abs()
        assert table[column].tolist() == pytest.approx(told.reindex(table["id"]).tolist(), nan_ok=True)
        assert table[column].max() > 0
        drop_model(image_set.root, SECOND, workspace=image_set.workspace.root)
        assert column not in opened_again(image_set).core.filter_kinds()

    def test_answers_are_taken_in_beside_both(self, image_set: ImageSet) -> None:
        image_set.labels.use(None)
        measures = image_set.core.derived.get(pair_measures)
        by = range(2, 2 + len(image_set.core.second.opinions))
        assert measures.names == (*PAIR_MEASURES, *(f"{name}_by_{n}" for n in by for name in SPACE_MEASURES))
        asked = image_set.answers.ask(20)
        pairs = asked[["id", "neighbour_id"]].itertuples(index=False)
        image_set.answers.give({tuple(pair): number % 2 == 0 for number, pair in enumerate(pairs)})
        assert image_set.order().measure == "tuned"
        assert (
            f"Ordered by confusability, by two models (also {SECOND}), adjusted to 20 answers"
            in image_set.order().reason
        )
        prior = measures.ranks @ measures.prior
        assert image_set.core.derived.get(graph_columns) is not None
        known = image_set.core.derived.get(graph_columns).confusability[measures.rows]
        assert np.corrcoef(np.argsort(np.argsort(prior)), np.argsort(np.argsort(known)))[0, 1] > 0.99


class TestOutside:
    """Uploads and queries are judged by both models too."""

    def test_a_picture_of_the_set_has_its_own_values(
        self, image_set: ImageSet, model: Model, second_model: Model
    ) -> None:
        table = image_set.table()
        files = [IncomingFile(str(i), image_set.files.path(i).read_bytes()) for i in table["id"].head(30)]
        looks_twice = image_set.core.second.looks_twice
        read = score(files, held(model), second=held(second_model), looks_twice=looks_twice)
        outcomes = [one for one in read if isinstance(one, NewPicture)]
        known = judge_pictures(outcomes, image_set.core.reference())
        for measure in MEASURED:
            np.testing.assert_allclose(known[measure], table[measure].head(30), rtol=1e-6)
        unknown = [NewPicture(**{**vars(one), "content": -1 - number}) for number, one in enumerate(outcomes)]
        new = judge_pictures(unknown, image_set.core.reference())
        assert np.abs(new["confusability"] - known["confusability"]).max() < 0.05, "by twins in all three"
        assert (new["first_class"] == known["first_class"]).mean() > 0.7

    def test_a_bad_upload_is_one_outcome(self, model: Model, second_model: Model) -> None:
        files = [IncomingFile("a.png", encoded(noise(1), "PNG")), IncomingFile("b.png", b"no picture")]
        good, bad = score(files, held(model), second=held(second_model))
        assert isinstance(good, NewPicture)
        assert len(good.others) == 1
        assert not isinstance(bad, NewPicture)

    def test_a_query_stands_where_it_would_as_an_upload(
        self, image_set: ImageSet, tmp_path: Path, model: Model, second_model: Model
    ) -> None:
        path = tmp_path / "new.png"
        drawing(SHAPES[0], COUNT).save(path)
        found = image_set.safe_search(path, by="confusability")
        file, looks_twice = IncomingFile("new.png", path.read_bytes()), image_set.core.second.looks_twice
        [outcome] = score([file], held(model), second=held(second_model), looks_twice=looks_twice)
        assert isinstance(outcome, NewPicture)
        row = judge_pictures([outcome], image_set.core.reference()).iloc[0]
        assert found.query_value == pytest.approx(row["confusability"], abs=0.03)
        by_first = image_set.safe_search(outcome.embedding, by="confusability")  # nobody has the second one's embedding
        assert (
            by_first.query_value
            == image_set.single_model.safe_search(outcome.embedding, by="confusability").query_value
        )

    def test_without_the_weights_new_pictures_are_judged_by_the_first(
        self, image_set: ImageSet, monkeypatch: pytest.MonkeyPatch, model: Model
    ) -> None:
        monkeypatch.setattr(SecondModelChoice, "name", None)
        [outcome] = score([IncomingFile("new.png", encoded(drawing(SHAPES[0], COUNT), "PNG"))], held(model))
        assert isinstance(outcome, NewPicture)
        assert np.isfinite(judge_pictures([outcome], image_set.core.reference()).iloc[0]["confusability"])
        assert image_set.core.second_model is None


def test_which_model_is_asked_beside_another() -> None:
    for name, wanted in ((DEFAULT, SECOND), (SECOND, DEFAULT), ("resnet18", SECOND)):
        found = default_second_model(name)
        assert found is not None
        assert found.name == wanted
