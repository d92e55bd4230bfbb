"""Packed image sets of an attacker: nothing outside is touched, and a sentence says what is wrong."""

import json
import shutil
import sqlite3
import tarfile
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from tests.hostile.packed import Member, deleting_journal, members_of, with_rows, write_packed
from tests.imaging.pictures import write_folder
from tests.processes import run_python
from tests.read_sets import moved, paths_of
from tests.sealing import with_seal
from url_viz.base.errors import DamageError, FolderError, WorkspaceError
from url_viz.image_set import ImageSet, open_image_set
from url_viz.models.model import Model
from url_viz.reading import embed_folder
from url_viz.review.review import ReviewSpec
from url_viz.store.bundle import pack, unpack
from url_viz.store.decisions.answers import review_key
from url_viz.store.sets import move, repair
from url_viz.store.tables import versions

COUNT = 9


@pytest.fixture(scope="module")
def read_once(tmp_path_factory: pytest.TempPathFactory, bare_model: Model) -> Path:
    """The folder `pictures` with classes and three decisions, its workspace, and `set.tar`."""
    here = tmp_path_factory.mktemp("packed")
    folder = write_folder(here / "pictures", COUNT, classes=("cat", "dog"))
    image_set = embed_folder(folder, model=bare_model, workspace=here / "workspace")
    image_set.decisions.decide(image_set.table()["id"].head(3), "keep")
    image_set.order()
    pack(folder, here / "set.tar", workspace=here / "workspace")
    return here


@pytest.fixture
def here(read_once: Path, tmp_path: Path) -> Path:
    """A copy of it, with a file `thesis.tex` in the working directory that is nobody's business."""
    return moved(read_once, tmp_path / "here")


@pytest.fixture
def thesis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of the user's in the working directory."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    (tmp_path / "work" / "thesis.tex").write_text("years")
    return tmp_path / "work" / "thesis.tex"


def opened(here: Path) -> ImageSet:
    return open_image_set(here / "pictures", model="tf_efficientnet_lite0", workspace=here / "workspace")


def kept_count(here: Path) -> int:
    return int(opened(here).table()["decision"].eq("keep").sum())


def refused(here: Path, packed: list[Member] | Path, *, match: str) -> None:
    """Unpacking these members, or this archive, raises a FolderError, and leaves nothing."""
    archive = packed if isinstance(packed, Path) else write_packed(here / "hostile.tar", packed)
    with pytest.raises(FolderError, match=match):
        unpack(archive, root=here / "pictures", workspace=here / "other")
    assert not list((here / "other" / "sets").iterdir())
    assert not (here / "other" / "unpacking").exists()


def test_changed_decisions_are_refused_with_the_place_where_they_can_be_mended(here: Path) -> None:
    members = dict(members_of(here / "set.tar"))
    database = members["decisions.db"]
    for changed in (database[: len(database) // 2], b"SQLite format 3\0" + bytes(4096), b"x"):
        packed = [*(members | {"decisions.db": changed}).items()]
        refused(here, packed, match=r"is damaged \(decisions\.db\)\. Nothing was taken in: where it was packed")


class TestJournals:
    """A rollback journal may name a file that SQLite deletes when it opens the database beside it."""

    def test_none_is_taken_in(self, here: Path, thesis: Path) -> None:
        members = members_of(here / "set.tar")
        database = dict(members)["decisions.db"]
        for of in ("decisions.db", "decisions.copy.db"):
            for victim in (str(thesis), "thesis.tex", "/proc/self/cwd/thesis.tex"):
                others = [member for member in members if member[0] != of]
                journal = deleting_journal(database, victim)
                refused(here, [*others, (of, database), (f"{of}-journal", journal)], match="do not trust")
                assert thesis.read_text() == "years"

    @pytest.mark.parametrize("victim", ["{}/thesis.tex", "thesis.tex"])
    def test_one_in_a_workspace_deletes_nothing_and_mend_lays_it_aside(
        self, here: Path, thesis: Path, victim: str
    ) -> None:
        paths = paths_of(here)
        journal = deleting_journal(paths.decisions.read_bytes(), victim.format(thesis.parent))
        paths.decisions.with_name("decisions.db-journal").write_bytes(journal)
        with pytest.raises(WorkspaceError, match=r"decisions\.db-journal.*not ours.*sets repair FOLDER"):
            opened(here).table()
        with pytest.raises(WorkspaceError, match="not ours"):
            pack(here / "pictures", here / "again.tar", workspace=here / "workspace")
        assert [one.part for one in repair(here / "pictures", workspace=here / "workspace")] == ["decisions.db-journal"]
        assert kept_count(here) == 3
        assert thesis.read_text() == "years"

    def test_one_beside_the_copy_deletes_nothing_when_that_is_put_back(self, here: Path, thesis: Path) -> None:
        paths = paths_of(here)
        copy = paths.decisions.with_name("decisions.copy.db")
        copy.with_name("decisions.copy.db-journal").write_bytes(deleting_journal(copy.read_bytes(), str(thesis)))
        paths.decisions.write_bytes(b"")
        (mended,) = repair(here / "pictures", workspace=here / "workspace")
        assert mended.done == "was put back from its copy"
        assert kept_count(here) == 3
        assert thesis.read_text() == "years"

    def test_a_journal_of_ours_is_rolled_back(self, here: Path) -> None:
        """What a killed action leaves: pages as they were before it."""
        paths = paths_of(here)
        with closing(sqlite3.connect(paths.decisions, isolation_level=None)) as connection:
            connection.execute("PRAGMA cache_spill = 1")
            connection.execute("PRAGMA cache_size = 1")
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("UPDATE state SET value = 'drop'")
            many = [(number, number) for number in range(3000)]
            connection.executemany("INSERT INTO state (what, first, second, value) VALUES (1, ?, ?, '1')", many)
            for name in ("decisions.db", "decisions.db-journal"):
                shutil.copy(paths.folder / name, here / name)
            connection.execute("ROLLBACK")
        assert paths.decisions.read_bytes() != (here / "decisions.db").read_bytes()
        for name in ("decisions.db", "decisions.db-journal"):
            shutil.copy(here / name, paths.folder / name)
        assert kept_count(here) == 3

    @pytest.mark.parametrize("ending", ["-wal", "-shm"])
    def test_a_write_ahead_log_is_never_ours(self, here: Path, ending: str) -> None:
        log = paths_of(here).decisions.with_name(f"decisions.db{ending}")
        log.write_bytes(b"")
        with pytest.raises(WorkspaceError, match=f"decisions.db{ending}.*not ours"):
            opened(here).table()
        repair(here / "pictures", workspace=here / "workspace")
        assert kept_count(here) == 3
        assert not log.exists()

    def test_a_database_that_would_get_one_is_refused(self, here: Path) -> None:
        paths = paths_of(here)
        with closing(sqlite3.connect(paths.decisions)) as connection:
            connection.execute("PRAGMA journal_mode = wal")
        with pytest.raises(WorkspaceError, match="write-ahead log"):
            opened(here).table()
        assert not paths.decisions.with_name("decisions.db-wal").exists()


class TestNames:
    """Only names that an image set has are taken in."""

    NAMES = (
        *("notes.exe", ".hidden/x", "decisions.db-wal", "set.json/x", "tables/x", "x" * 300, "columns/.x.parquet"),
        *("columns/" + "x" * 300 + ".parquet", "reviews/../set.json", "reviews/ABC.json", "set.json\n"),
        *("tables/images.lance/data/x.exe", "tables/a/b.lance/data/x.lance", "tables/images.lance", "SET.JSON"),
        *("../outside", "/tmp/outside", "tables/../../outside", "..\\outside", "a/" * 9 + "deep"),
        *("derived/rows/x.arrow", "damaged/y", "decisions.json", "decisions.copy.db"),
    )

    def test_others_refuse_the_whole(self, here: Path) -> None:
        members = members_of(here / "set.tar")
        for name in self.NAMES:
            refused(here, [*members, (name, b"x")], match="do not trust")
            assert not (here / "outside").exists()

    def test_so_do_links_pipes_and_devices(self, here: Path) -> None:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE):
            member = tarfile.TarInfo("tables/images.lance/checksums.json")
            member.type, member.linkname = kind, "set.json"
            shutil.copy(here / "set.tar", here / "linked.tar")
            with tarfile.open(here / "linked.tar", "a") as archive:
                archive.addfile(member)
            refused(here, here / "linked.tar", match="do not trust")

    def test_one_name_twice_is_told(self, here: Path) -> None:
        members = members_of(here / "set.tar")
        refused(here, [*members, ("set.json", dict(members)["set.json"])], match="one name twice")

    def test_all_is_packed_but_what_is_made_again_or_not_ours(self, here: Path) -> None:
        paths = paths_of(here)
        names = {path.relative_to(paths.folder).as_posix() for path in paths.folder.rglob("*") if path.is_file()}
        assert list(paths.derived.iterdir())
        (paths.folder / "notes.txt").write_text("mine")
        pack(here / "pictures", here / "again.tar", workspace=here / "workspace")
        left_out = {name for name in names if name.startswith("derived/")}
        left_out |= {"writer.lock", "records.lock", "decisions.json", "decisions.copy.db"}
        assert {name for name, _ in members_of(here / "again.tar")} - {"url-viz-image-set.json"} == names - left_out

    def test_what_cannot_be_read_is_told(self, here: Path) -> None:
        for place in (here, here / "nowhere"):
            with pytest.raises(FolderError, match="Cannot read"):
                unpack(place, root=here / "pictures", workspace=here / "other")


NESTED = b"[" * 200_000


class TestRecords:
    """JSON of a packed set that no reader of ours expects."""

    def unpacked(self, here: Path, name: str, data: bytes) -> ImageSet:
        others = [member for member in members_of(here / "set.tar") if member[0] != name]
        shutil.rmtree(here / "workspace")
        archive = write_packed(here / "hostile.tar", [*others, (name, with_seal(data))])
        unpack(archive, root=here / "pictures", workspace=here / "workspace")
        return opened(here)

    def test_a_nested_choice_of_the_second_model_is_none(self, here: Path) -> None:
        assert len(self.unpacked(here, "second.json", NESTED).table()) == COUNT

    @pytest.mark.parametrize("data", [NESTED, b'{"label": 1e999}', b'{"label": ["x"]}', b'{"label": ' + b"[" * 990])
    def test_a_nested_choice_of_labels_is_told(self, here: Path, data: bytes) -> None:
        with pytest.raises(WorkspaceError, match=r"labels\.json is damaged.*labels use FOLDER folders"):
            self.unpacked(here, "labels.json", data).table()

    def test_a_nested_label_of_the_set_is_told(self, here: Path) -> None:
        for data in (NESTED, b"{}", b'{"root": "/x", "spaces": ' + b"[" * 990):
            members = [
                (name, with_seal(data) if name.startswith("set.") else one)
                for name, one in members_of(here / "set.tar")
            ]
            with pytest.raises(WorkspaceError, match=r"set\.json is damaged"):
                unpack(write_packed(here / "hostile.tar", members), root=here / "pictures", workspace=here / "other")
            assert not list((here / "other" / "sets").iterdir())

    def test_digests_of_a_table_lead_to_no_other_file(self, here: Path) -> None:
        table = "tables/images.lance"
        data = json.dumps({"files": {f"_deletions/../{versions.RECORD}": ""}}).encode()
        others = [member for member in members_of(here / "set.tar") if member[0] != f"{table}/{versions.RECORD}"]
        added = [(f"{table}/{versions.RECORD}", data), (f"{table}/_deletions/1-1-1.arrow", b"")]
        archive = write_packed(here / "hostile.tar", [*others, *added])
        unpack(archive, root=here / "pictures", workspace=here / "other")

    def test_a_review_that_cannot_be_read_is_left_out(self, here: Path) -> None:
        query = {"review": ["confusability"]}
        record = {"query": query, "ids": [], "begun": "2026-11-25T10:00:00+00:00", "skipped": [], "answered": []}
        for said in ({}, {"begun": "yesterday"}, {"begun": 5}, {"ids": [1e999]}, {"query": "x"}):
            data = json.dumps(record | said).encode() if said else NESTED
            assert self.unpacked(here, f"reviews/{review_key(query)}.json", data).reviews.kept() == []


def test_class_shares_that_state_other_rows_than_they_have_are_made_again(here: Path) -> None:
    """They once crashed the process; see also `test_a_file_that_states_other_rows_than_it_has_is_none`."""
    order, shown = repr(opened(here).order()), opened(here).table()["ambiguity"].tolist()
    # Beside that of the first reading, whose labels were others.
    file = max((paths_of(here).derived / "class_shares").glob("*.arrow"), key=lambda path: path.stat().st_mtime_ns)
    whole = file.read_bytes()
    for count in (2**26, 2**40, -1, COUNT + 1):
        file.write_bytes(with_rows(whole, COUNT, count))
        assert (repr(opened(here).order()), opened(here).table()["ambiguity"].tolist()) == (order, shown)
        assert file.read_bytes() == whole


@pytest.mark.parametrize("table", ["images", "graph"])
def test_a_manifest_at_which_native_code_panics_is_told_and_mended(here: Path, table: str) -> None:
    (folder,) = paths_of(here).tables.glob(f"{table}*.lance")
    newest = min((folder / "_versions").glob("*.manifest"))
    newest.write_bytes(newest.read_bytes()[7:])  # its end names a place past it
    with pytest.raises(DamageError, match="sets repair FOLDER"):
        opened(here).table()
    (mended,) = repair(here / "pictures", workspace=here / "workspace")
    assert mended.part == folder.stem
    opened(here).table()


FIRST, FEW, MANY, AT_ONCE = 34, 8, 3000, 200


@pytest.fixture(scope="module")
def rich(read_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The set with columns, a choice of labels and a review that was begun, packed."""
    here = tmp_path_factory.mktemp("rich")
    shutil.copytree(read_once, here, dirs_exist_ok=True)
    move(read_once / "pictures", here / "pictures", workspace=here / "workspace")
    image_set = opened(here)
    image_set.table()[["path"]].assign(score=1.5).to_csv(here / "own.csv", index=False)
    image_set.columns.add(here / "own.csv")
    image_set.labels.use("folders")
    image_set.reviews.open(ReviewSpec("confusability")).skip(int(image_set.core.ids[0]))
    (here / "set.tar").unlink()
    pack(here / "pictures", here / "set.tar", workspace=here / "workspace")
    shutil.rmtree(here / "workspace")
    return here


def tried(here: Path, first: int, count: int) -> Counter[str]:
    """How many mutants were refused, told of, or shown, from a process that none of them may end."""
    done = run_python("-m", "tests.hostile.packed_mutants", here, first, count, timeout=3000)
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, (said[-1], done.stderr[-2000:])
    ends = [one for one in said if len(one) > 1]
    bad = [one for one in ends if "raw" in one or one["touched"]]
    assert (len(ends), bad) == (count, [])
    return Counter(
        "shown" if not one["found"] else "refused" if one["found"] == ["refused"] else "told" for one in ends
    )


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_few_mutants_are_refused_told_of_or_shown(rich: Path) -> None:
    counts = tried(rich, FIRST, FEW)
    assert set(counts) == {"refused", "told", "shown"}


@pytest.mark.torture
@pytest.mark.timeout(7200)
def test_many_mutants(rich: Path) -> None:
    counts: Counter[str] = Counter()
    for first in range(0, MANY, AT_ONCE):
        counts += tried(rich, first, AT_ONCE)
    print(f"\n{MANY} mutants of a packed set: {dict(counts)}")
    assert min(counts.values()) > MANY / 50
