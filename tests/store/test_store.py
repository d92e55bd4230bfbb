"""The store gives back what was put in, to many readers at once, from one writer alone."""

import dataclasses
import json
import shutil
import subprocess
import sys
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.pipeline.examples import as_whitened, dice, graph_of
from tests.pipeline.whitened_examples import graph_of as whitened_graph_of
from tests.pipeline.whitened_examples import with_burst
from tests.processes import run_python
from tests.sealing import with_seal
from url_viz.base.errors import DamageError, ImageSetError, WorkspaceError
from url_viz.base.workspace import SetPaths, Workspace
from url_viz.imaging.decode import Preprocessing
from url_viz.models.model import EmbeddingSpace
from url_viz.pipeline import twins
from url_viz.pipeline.postprocess import columns_of
from url_viz.pipeline.projection import pca_coordinates
from url_viz.pipeline.whitening import whitened_rows
from url_viz.store.about import About, find_set, known_sets, read_about
from url_viz.store.repair import repair_set
from url_viz.store.tables import versions
from url_viz.store.tables.reader import Store
from url_viz.store.tables.tables import (
    FEW_WANTED,
    IMAGES,
    Embeddings,
    Graph,
    connect,
    fixed_lists,
    matrix,
    positions_of,
)
from url_viz.store.tables.writer import Writer

ROOT = Path(__file__).parents[2]
SPACE = EmbeddingSpace("a_backbone", "0" * 16, Preprocessing(), "bf16")
KEY = SPACE.key


def files(ids: list[int], *, content: int = 0, thumbnail: bytes | None = b"jpeg") -> pa.Table:
    rows = [(i, b"%d.jpg" % i, 10, 20, content + i, 64, 48, thumbnail, None) for i in ids]
    columns = [pa.array(c, f.type) for c, f in zip(zip(*rows, strict=True), IMAGES, strict=True)]
    return pa.table(columns, schema=IMAGES)


def put_graph(writer: Writer, graph: Graph) -> None:
    writer.put_graph(KEY, graph, columns_of(graph))


def ids_of(store: Store) -> list[int]:
    return sorted(store.images(["id"])["id"].to_pylist())


def assert_same(ours: Any, theirs: Any, *names: str) -> None:
    """Both have these fields, or all of them, of the same values and types."""
    assert ours is not None
    for name in names or [field.name for field in dataclasses.fields(theirs)]:
        one, other = getattr(ours, name), getattr(theirs, name)
        np.testing.assert_array_equal(one, other)
        assert getattr(one, "dtype", None) == getattr(other, "dtype", None)


class TestRoundTrips:
    """What is written is read, by another handle too."""

    def test_nothing_written_reads_as_nothing(self, writer: Writer) -> None:
        assert len(writer.images(["id", "path", "failure"])) == 0
        assert len(writer.embeddings(KEY)) == len(writer.embedded(KEY).content) == len(writer.scores(KEY, "h")[0]) == 0
        assert writer.graph(KEY) is None
        assert writer.coordinates(KEY) is None
        assert writer.thumbnails([1]) == {}

    def test_files(self, writer: Writer) -> None:
        rows = files([3, 1, 2**63 - 1])
        writer.add_images(rows)
        assert Store(writer.paths).images(IMAGES.names).sort_by("id").to_pylist() == rows.sort_by("id").to_pylist()

    def test_embeddings_in_several_pieces(self, writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("url_viz.store.tables.embedding_rows.ROWS_AT_ONCE", 7)
        whole = dice(30, size=8)
        for rows in np.split(np.arange(30), [7, 20]):
            writer.add_embeddings(KEY, whole.rows_at(rows))
        assert_same(Store(writer.paths).embeddings(KEY), whole)
        assert whole.embedding.dtype == np.float16
        embedded = writer.embedded(KEY)
        assert np.array_equal(embedded.content, whole.content)
        lengths = np.linalg.norm(whole.embedding.astype(np.float64), axis=1)
        assert embedded.norm == pytest.approx(lengths, rel=1e-5)

    def test_scores_belong_to_one_head_and_one_space(self, writer: Writer) -> None:
        writer.add_scores(KEY, "a", np.array([1, 2]), np.array([0.5, 0.25], np.float32))
        writer.add_scores(KEY, "a", np.array([3]), np.array([1], np.float32))
        content, uncertainty = writer.scores(KEY, "a")
        assert (content.tolist(), uncertainty.tolist()) == ([1, 2, 3], [0.5, 0.25, 1.0])
        assert len(writer.scores(KEY, "b")[0]) == len(writer.scores("1" * 16, "a")[0]) == 0

    @pytest.mark.parametrize("count", [0, 50])
    def test_graph_and_map_take_the_place_of_the_last(self, writer: Writer, count: int) -> None:
        for embeddings in (dice(7), dice(count)):
            graph, coordinates = graph_of(embeddings), pca_coordinates(as_whitened(embeddings))
            writer.put_graph(KEY, graph, columns_of(graph))
            writer.put_coordinates(KEY, coordinates)
            writer.compact()
        stored = Store(writer.paths).graph(KEY)
        assert stored is not None
        assert_same(stored, graph, "content", "position", "similarity", "is_approximate")
        assert_same(stored.twins, graph.twins, "pair")
        assert_same(Store(writer.paths).coordinates(KEY), coordinates, "content", "xy", "method")

    @pytest.mark.parametrize("count", [1, 40])
    def test_the_whitened_space_and_its_rows(self, writer: Writer, count: int) -> None:
        for embeddings in (dice(7), dice(count)):
            whitened = whitened_rows(embeddings.content, embeddings.embedding)
            writer.put_whitened(KEY, whitened)
            writer.compact()
        back = Store(writer.paths).whitened(KEY)
        assert back is not None
        assert back.whitening.key == whitened.whitening.key
        assert_same(back.whitening, whitened.whitening)
        assert_same(back, whitened, *(field.name for field in dataclasses.fields(back) if field.name != "whitening"))
        raw = embeddings.embedding[::-1].astype(np.float32)
        assert np.array_equal(back.whitening.transform(raw), whitened.whitening.transform(raw))

    def test_rows_of_another_space_than_the_kept_one_are_none(self, writer: Writer) -> None:
        """As a reader finds it between a writer's two writes."""
        spaces = [whitened_rows(part.content, part.embedding) for part in (dice(30), dice(30, seed=1))]
        tables = writer.paths.tables
        writer.put_whitened(KEY, spaces[0])
        shutil.copytree(tables / f"whitened-{KEY}.lance", tables.parent / "rows")
        writer.put_whitened(KEY, spaces[1])
        assert Store(writer.paths).whitened(KEY) is not None
        shutil.rmtree(tables / f"whitened-{KEY}.lance")
        assert Store(writer.paths).whitened(KEY) is None
        shutil.copytree(tables.parent / "rows", tables / f"whitened-{KEY}.lance")
        assert Store(writer.paths).whitened(KEY) is None

    @pytest.mark.parametrize("kind", ["none", "pairs", "thinned"])
    def test_twins_come_back(self, writer: Writer, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
        if kind == "thinned":
            monkeypatch.setattr(twins, "MOST_PAIRS", 50)
        embeddings = with_burst(60, 1 if kind == "none" else 30)
        which = np.append(np.arange(60), [0] * 3 + [-1 - row for row in range(len(embeddings) - 63)])[: len(embeddings)]
        graph = whitened_graph_of(embeddings, k=8, which=which)[0]
        put_graph(writer, graph)
        back = Store(writer.paths).graph(KEY)
        assert back is not None
        assert (len(back.twins) > 0, back.twins.is_thinned) == (kind != "none", kind == "thinned")
        order = np.lexsort((graph.twins.pair[:, 1], graph.twins.pair[:, 0]))
        for name in ("pair", "cosine", "is_copy"):
            assert np.array_equal(getattr(back.twins, name), getattr(graph.twins, name)[order])
        assert set(back.twins.is_copy.tolist()) == (set() if kind == "none" else {True, False})
        assert back.twins.pair.dtype == np.int32

    def test_columns_of_a_graph_are_read_without_its_lists(self, writer: Writer) -> None:
        graph = whitened_graph_of(with_burst(60, 20), k=8)[0]
        told = columns_of(graph)
        writer.put_graph(KEY, graph, told)
        assert_same(Store(writer.paths).graph_columns(KEY), told)
        assert Store(writer.paths).graph_columns("1" * 16) is None

    def test_thumbnails_by_id(self, writer: Writer) -> None:
        writer.add_images(files([1, 2], thumbnail=b"a"))
        writer.add_images(files([3], thumbnail=None))
        assert writer.thumbnails([2, 3, 99]) == {2: b"a"}
        assert writer.thumbnails(np.array([1])) == {1: b"a"}


class TestRows:
    """A file has one row, however often it is written."""

    def test_adding_again_takes_the_place_of_the_row(self, writer: Writer) -> None:
        writer.add_images(files(list(range(20))))
        writer.add_images(files(list(range(10, 30)), content=1000))
        assert ids_of(writer) == list(range(30))
        contents = dict(zip(*(writer.images(["id", "content"])[c].to_pylist() for c in ("id", "content")), strict=True))
        assert (contents[9], contents[10]) == (9, 1010)

    def test_many_more_than_one_condition_holds_can_be_dropped(self, writer: Writer) -> None:
        writer.add_images(files(list(range(2500))))
        writer.drop_images(list(range(5, 2500)))
        writer.drop_images([])
        assert ids_of(writer) == [0, 1, 2, 3, 4]

    @pytest.mark.slow
    def test_compaction_changes_nothing_that_is_read(self, writer: Writer) -> None:
        for part in range(12):
            writer.add_images(files([part]))
            writer.add_embeddings(KEY, dice(40).rows_at(np.arange(3 * part, 3 * part + 3)))
        put_graph(writer, graph_of(dice(36)))
        embeddings, graph = writer.embeddings(KEY), writer.graph(KEY)
        writer.compact()
        assert_same(Store(writer.paths).embeddings(KEY), embeddings)
        assert_same(Store(writer.paths).graph(KEY), graph, "position")
        assert ids_of(Store(writer.paths)) == list(range(12))

    def test_compaction_merges_many_files_and_leaves_one_alone(self, writer: Writer) -> None:
        def parts(name: str) -> list[str]:
            return sorted(str(file) for file in (writer.paths.tables / f"{name}.lance").rglob("*"))

        writer.add_images(files([1, 2]))
        writer.put_coordinates(KEY, pca_coordinates(as_whitened(dice(5))))
        names = ("images", f"coordinates-{KEY}")
        before = {name: parts(name) for name in names}
        writer.compact()
        assert {name: parts(name) for name in names} == before
        writer.add_images(files([3]))
        writer.compact()
        database = connect(writer.paths.tables)
        assert database.open_table("images").stats()["fragment_stats"]["num_fragments"] == 1
        assert ids_of(Store(writer.paths)) == [1, 2, 3]


class TestOneWriter:
    """Two writers would double rows silently, so there is one."""

    def test_another_handle_is_refused_until_the_first_is_done(self, paths: SetPaths, tmp_path: Path) -> None:
        with Writer(paths, tmp_path):
            with pytest.raises(WorkspaceError, match="Wait until it is done"), Writer(paths, tmp_path):
                pass
            assert ids_of(Store(paths)) == []
        with pytest.raises(ZeroDivisionError), Writer(paths, tmp_path):
            _ = 1 / 0
        with Writer(paths, tmp_path) as second:
            second.add_images(files([1]))

    @pytest.mark.slow
    def test_another_process_is_refused_and_a_killed_one_leaves_no_lock(self, paths: SetPaths, tmp_path: Path) -> None:
        script = """
import sys
from pathlib import Path
from url_viz.store.tables.writer import Writer
from url_viz.base.workspace import SetPaths
with Writer(SetPaths(Path(sys.argv[1])), Path(sys.argv[2])):
    print("held", flush=True)
    sys.stdin.read()
"""
        command = [sys.executable, "-c", script, str(paths.folder), str(tmp_path)]
        with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == "held\n"
            with pytest.raises(WorkspaceError, match=str(tmp_path)), Writer(paths, tmp_path):
                pass
            other.kill()
        with Writer(paths, tmp_path) as writer:
            writer.add_images(files([1]))


class TestReaders:
    """A reader sees the latest whole state, and nothing half-done."""

    def test_a_reader_opened_before_sees_what_is_written_after(self, writer: Writer) -> None:
        reader = Store(writer.paths)
        assert ids_of(reader) == []
        for count in (1, 2, 3):
            writer.add_images(files([count]))
            assert ids_of(reader) == list(range(1, count + 1))
        writer.put_coordinates(KEY, pca_coordinates(as_whitened(dice(3))))
        assert len(reader.coordinates(KEY) or ()) == 3
        writer.put_coordinates(KEY, pca_coordinates(as_whitened(dice(5))))
        writer.compact()
        assert len(reader.coordinates(KEY) or ()) == 5

    def test_a_table_is_opened_again_only_where_there_is_a_newer_version(self, writer: Writer) -> None:
        reader, opened = Store(writer.paths), []
        for count in (1, 2, 3):
            writer.add_images(files([count]))
            for _ in range(3):
                assert ids_of(reader) == list(range(1, count + 1))
                opened.append(reader._open("images"))
        assert [opened.index(one) for one in opened] == [0, 0, 0, 3, 3, 3, 6, 6, 6]

    def test_the_version_changes_with_everything_that_is_shown(self, writer: Writer) -> None:
        reader, seen = Store(writer.paths), []
        steps = [
            lambda: None,
            lambda: writer.add_images(files([1])),
            lambda: writer.drop_images([1]),
            lambda: writer.add_embeddings(KEY, dice(3)),
            lambda: writer.add_scores(KEY, "h", np.array([1]), np.array([1], np.float32)),
            lambda: put_graph(writer, graph_of(dice(3))),
            lambda: writer.put_coordinates(KEY, pca_coordinates(as_whitened(dice(3)))),
            lambda: writer.put_coordinates(KEY, pca_coordinates(as_whitened(dice(4)))),
        ]
        for step in steps:
            step()
            seen.append(reader.version(KEY, "h"))
            assert reader.version(KEY, "h") == seen[-1]
        assert len(set(seen)) == len(steps)
        before = reader.version(KEY, None)
        writer.add_embeddings("1" * 16, dice(3))
        assert reader.version(KEY, None) == before, "another space is not this one"


class TestAbout:
    """A set's label: its folder, and the spaces it was read in."""

    def test_spaces_come_back_and_the_latest_is_last(self, writer: Writer, tmp_path: Path) -> None:
        other = EmbeddingSpace("a_backbone", "1" * 16, Preprocessing(160, 0.9, "bilinear"), "float32")
        for space in (SPACE, other, SPACE):
            writer.add_space(space)
        about = Store(writer.paths).about()
        assert about == About(tmp_path, (other, SPACE))
        assert about.space("a_backbone") == SPACE
        assert about.space("a_backbone", weights_digest="1" * 16) == other
        assert about.space("a_backbone", weights_digest="2" * 16) is None
        assert about.space("b") is None
        assert json.loads(writer.paths.about.read_text())["spaces"][0]["backbone"] == "a_backbone", "plain JSON"

    def test_a_folder_with_odd_bytes_in_its_name(self, paths: SetPaths, tmp_path: Path) -> None:
        odd = tmp_path / "\udcff ü\n'"
        odd.mkdir()
        with Writer(paths, odd):
            assert Store(paths).about().root == odd

    def test_a_set_is_found_by_its_folder_however_it_is_written(self, paths: SetPaths, tmp_path: Path) -> None:
        pictures = tmp_path / "pictures"
        pictures.mkdir()
        (tmp_path / "link").symlink_to(pictures)
        workspace = Workspace(paths.folder.parent.parent)
        new = find_set(pictures, workspace)
        with Writer(workspace.set_paths(new), pictures):
            pass
        assert find_set(tmp_path / "link", workspace) == find_set(pictures / ".." / "pictures", workspace) == new
        assert find_set(tmp_path, workspace) != new
        assert [set_id for set_id, _ in known_sets(workspace)] == [new]

    @pytest.mark.parametrize(
        "text",
        [
            *("", "{", "[]", "null", '{"root": 3, "spaces": []}', '{"root": "/a"}', '{"root": "/a", "spaces": [{}]}'),
            *("[" * 200_000, '{"root": "/x", "spaces": ' + "[" * 100_000, "1" * 5000, '{"root": 5}', "\x00"),
        ],
        ids=lambda text: text[:20],
    )
    def test_a_damaged_label_says_so_and_hides_no_other_set(self, paths: SetPaths, text: str) -> None:
        with pytest.raises(ImageSetError, match="url-viz sets"):
            read_about(paths)
        paths.folder.mkdir(parents=True)
        paths.about.write_bytes(with_seal(text.encode()))
        with pytest.raises(WorkspaceError, match="damaged"):
            read_about(paths)
        workspace = Workspace(paths.folder.parent.parent)
        with Writer(workspace.set_paths("1" * 16), Path("/b")):
            pass
        assert [set_id for set_id, _ in known_sets(workspace)] == ["1" * 16]


class TestDamage:
    """What says which rows there are is verified as a table is opened, its data by `mend` and before merging."""

    @pytest.fixture
    def filled(self, writer: Writer) -> Writer:
        writer.add_images(files([1, 2, 3]))
        writer.drop_images([3])
        writer.add_embeddings(KEY, dice(40))
        put_graph(writer, graph_of(dice(40)))
        return writer

    @pytest.mark.parametrize(("before", "after"), [(b"2.jpg", b"6.jpg"), (b"jpeg", b"jpdg")])
    def test_a_flipped_bit_in_the_rows_is_found_by_mend(self, filled: Writer, before: bytes, after: bytes) -> None:
        [file] = (filled.paths.tables / "images.lance" / "data").iterdir()
        assert before in file.read_bytes()
        file.write_bytes(file.read_bytes().replace(before, after))
        store = Store(filled.paths)
        assert (len(store.images(["path"])), len(store.thumbnails([1, 2]))) == (2, 2), "not as they are read"
        assert [one.part for one in repair_set(filled, filled.paths.folder)] == ["images"]
        assert ids_of(Store(filled.paths)) == []

    def test_what_was_made_of_damaged_embeddings_goes_with_them(self, filled: Writer) -> None:
        """Not scores of another space; the graph lies there whole, but may have been made after the damage."""
        filled.add_scores(KEY, "head", np.array([1]), np.array([0.5], np.float32))
        filled.add_scores("1" * 16, "head", np.array([1]), np.array([0.5], np.float32))
        [file] = (filled.paths.tables / f"embeddings-{KEY}.lance" / "data").iterdir()
        data = bytearray(file.read_bytes())
        data[100] ^= 1
        file.write_bytes(data)
        mended = {one.part for one in repair_set(filled, filled.paths.folder)}
        assert mended == {f"embeddings-{KEY}", f"graph-{KEY}", f"scores-{KEY}-head"}
        assert repair_set(filled, filled.paths.folder) == ()

    def test_a_position_of_no_row(self, writer: Writer) -> None:
        graph = graph_of(dice(5))
        told = columns_of(graph)
        graph.position[2, 0] = 1 << 20
        writer.put_graph(KEY, graph, told)
        with pytest.raises(DamageError, match="positions that are of no row"):
            Store(writer.paths).graph(KEY)
        assert [one.done for one in repair_set(writer, writer.paths.folder)] == ["was laid aside"]

    @pytest.mark.parametrize("place", ["_versions/*.manifest", "_deletions/*"])
    def test_a_flipped_bit_in_what_says_which_rows_there_are(self, filled: Writer, place: str) -> None:
        folder = filled.paths.tables / "images.lance"
        file = min(folder.glob(place))
        data = bytearray(file.read_bytes())
        data[-9] ^= 1
        file.write_bytes(bytes(data))
        with pytest.raises(DamageError, match="sets repair FOLDER"):
            Store(filled.paths).images(["id"])

    def test_a_lost_version(self, filled: Writer) -> None:
        min((filled.paths.tables / "images.lance" / "_versions").glob("*.manifest")).unlink()
        with pytest.raises(DamageError, match="version 3 is lost"):
            Store(filled.paths).images(["id"])
        assert [(one.part, one.done) for one in repair_set(filled, filled.paths.folder)] == [
            ("images", "went back 1 version")
        ]
        assert ids_of(Store(filled.paths)) == [1, 2, 3]
        filled.add_images(files([4]))
        assert ids_of(Store(filled.paths)) == [1, 2, 3, 4]

    def test_files_without_digests_are_read_and_get_them_by_mend(self, filled: Writer) -> None:
        record = filled.paths.tables / "images.lance" / versions.RECORD
        names = record.read_text()
        for damaged in (None, "{"):
            record.unlink() if damaged is None else record.write_text(damaged)
            assert ids_of(Store(filled.paths)) == [1, 2]
            assert repair_set(filled, filled.paths.folder) == ()
            assert record.read_text() == names

    def test_compacting_carries_damage_to_nobody_as_whole(self, filled: Writer) -> None:
        filled.add_images(files([5]))
        for file in (filled.paths.tables / "images.lance" / "data").iterdir():
            file.write_bytes(file.read_bytes().replace(b"2.jpg", b"6.jpg"))
        with pytest.raises(DamageError, match=r"images\.lance cannot be read \(data/.* is not as it was written"):
            filled.compact()
        assert [one.part for one in repair_set(filled, filled.paths.folder)] == ["images"]
        assert ids_of(Store(filled.paths)) == []


ASKED = """
import sys
from url_viz.store.tables import versions
from url_viz.store.tables.tables import connect
CLIENT = "lance_namespace_urllib3_client"
assert "lancedb" not in sys.modules, "nothing was opened yet"
assert connect(sys.argv[1]).table_names() == []
assert f"{CLIENT}.api" not in sys.modules, "what was put off was imported"
import lance_namespace_urllib3_client as client
assert not hasattr(client, "__nothing__")
assert client.ApiClient.__module__ == f"{CLIENT}.api_client"
assert f"{CLIENT}.api" in sys.modules
assert client.__file__.endswith("__init__.py")
from lance_namespace_urllib3_client import ApiClient, models
assert client.models is models
try:
    client.nothing
except AttributeError as error:
    assert "nothing" in str(error)
else:
    raise AssertionError("a name that is not there")
"""


@pytest.mark.slow
def test_the_client_is_imported_once_it_is_asked_for(tmp_path: Path) -> None:
    done = run_python("-c", ASKED, tmp_path)
    assert done.returncode == 0, done.stderr


def test_one_that_is_imported_already_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(tmp_path)  # which imports LanceDB, and what that imports of its client
    client = module_from_spec(ModuleSpec("lance_namespace_urllib3_client", None))
    monkeypatch.setitem(sys.modules, client.__name__, client)
    connect(tmp_path)
    assert sys.modules[client.__name__] is client


@pytest.fixture
def stored(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> tuple[Store, Embeddings]:
    """Forty embeddings, written in two goes and read seven at a time."""
    monkeypatch.setattr("url_viz.store.tables.embedding_rows.ROWS_AT_ONCE", 7)
    embeddings = dice(40)
    for rows in (np.arange(25), np.arange(25, 40)):
        writer.add_embeddings(KEY, embeddings.rows_at(rows))
    return Store(writer.paths), embeddings


@pytest.mark.parametrize("seed", range(2))
def test_some_in_any_order_and_more_than_once(stored: tuple[Store, Embeddings], seed: int) -> None:
    store, embeddings = stored
    row = np.random.default_rng(seed).integers(0, 40, 60)
    read = store.embeddings(KEY, embeddings.content[row])
    assert_same(read, embeddings.rows_at(row))


def test_what_is_not_stored_is_left_out(stored: tuple[Store, Embeddings]) -> None:
    store, embeddings = stored
    wanted = np.array([-1, embeddings.content[3], -2, embeddings.content[30]])
    read = store.embeddings(KEY, wanted)
    assert_same(read, embeddings.rows_at(np.array([3, 30])))
    assert len(store.embeddings(KEY, np.zeros(0, np.int64))) == len(store.embeddings("none", np.arange(3))) == 0


@given(st.lists(st.integers(-5, 20), max_size=2 * FEW_WANTED), st.lists(st.integers(-5, 20)))
def test_positions_are_those_of_a_naive_search(wanted: list[int], among: list[int]) -> None:
    positions = positions_of(np.array(wanted, np.int64), np.array(among, np.int64))
    assert positions.tolist() == [among.index(w) if w in among else -1 for w in wanted]


def test_positions_of_keys_of_63_bits() -> None:
    among = np.array([2**63 - 1, 0, 2**62 + 1, 2**62], np.int64)
    assert positions_of(among[::-1].copy(), among).tolist() == [3, 2, 1, 0]


@pytest.mark.parametrize("shape", [(0, 4), (1, 1), (5, 3)])
@pytest.mark.parametrize("kind", [np.float16, np.float32, np.int32])
def test_lists_survive_arrow_in_one_and_in_several_chunks(shape: tuple[int, int], kind: type[np.generic]) -> None:
    array = np.arange(np.prod(shape)).reshape(shape).astype(kind)
    single = pa.chunked_array([fixed_lists(array)])
    assert np.array_equal(matrix(single), array)
    assert matrix(single).shape == shape
    parts = pa.chunked_array([fixed_lists(array[:1]), fixed_lists(array[1:])])
    assert np.array_equal(matrix(parts), array)


def test_lists_of_a_sliced_column_are_the_slice() -> None:
    array = np.arange(12, dtype=np.float32).reshape(4, 3)
    assert np.array_equal(matrix(pa.chunked_array([fixed_lists(array)]).slice(1, 2)), array[1:3])
