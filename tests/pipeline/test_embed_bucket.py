"""A bucket is read as a folder with the same files would be; what its store does wrong is no picture's fault."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.imaging.pictures import encoded, noise, write_folder
from tests.object_store import BUCKET, KEY, SECRET, ObjectStore, environment, let_in, object_store
from tests.pipeline.reader import Reader, names
from tests.processes import await_stored, reading, stored_files
from url_viz.base.errors import BucketError, FolderError, NoImagesError
from url_viz.base.workspace import root_of
from url_viz.cli.main import main
from url_viz.export.data_sets import DATA_SETS
from url_viz.image_set import ImageSet, open_image_set
from url_viz.imaging import bucket as of_bucket
from url_viz.imaging.bucket import Bucket
from url_viz.imaging.source import SAMPLED_OBJECTS, source_of
from url_viz.models.model import Model
from url_viz.pipeline import embedded as of_embedded
from url_viz.store.sets import list_sets, move
from url_viz.store.tables.tables import IMAGES


@pytest.fixture(scope="module")
def running() -> Iterator[ObjectStore]:
    with object_store() as store:
        yield store


@pytest.fixture
def store(running: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    running.failing = lambda path: None
    running.asked.clear()
    let_in(running, monkeypatch)
    monkeypatch.setattr(of_bucket, "RETRIES", 0)
    return running


@pytest.fixture
def of(tmp_path: Path, workspace: Path, model: Model, request: pytest.FixtureRequest) -> Reader:
    """A reader of a part of the bucket that no other test uses."""
    return Reader(root_of(f"s3://{BUCKET}/{request.node.name}"), workspace, model)


def prefix(of: Reader) -> str:
    return of.folder.name


def png(seed: int) -> bytes:
    return encoded(noise(seed), "PNG")


def rows(image_set: ImageSet) -> list[dict[str, object]]:
    """All that is kept of the files, but for their times."""
    columns = [name for name in IMAGES.names if name != "mtime_ns"]
    return sorted(image_set.core.store.images(columns).to_pylist(), key=lambda row: row["path"])


def test_rows_are_those_of_a_folder_with_the_same_files(
    store: ObjectStore, of: Reader, tmp_path: Path, model: Model
) -> None:
    folder = write_folder(tmp_path / "files", 6, classes=("cat", "dog"))
    (folder / "cat" / "copy.jpg").write_bytes((folder / "dog" / "0001.jpg").read_bytes())
    (folder / "ü 100%.png").write_bytes(png(9))
    (folder / "cut.png").write_bytes(png(10)[:300])
    (folder / "empty.png").touch()
    (folder / "page.png").write_text("<!doctype html>")
    (folder / "notes.txt").write_text("no picture")
    store.fill(folder, prefix(of))
    there, here = of(), Reader(folder, tmp_path / "home", model)()
    assert rows(there) == rows(here)
    assert len(there) == 8
    assert there.failures()["reason"].tolist() == here.failures()["reason"].tolist()
    assert len(there.failures()) == 3
    assert np.array_equal(there.embeddings(), here.embeddings())
    shown = there.table()
    assert shown["label"].tolist() == here.table()["label"].tolist()
    assert shown["uncertainty"].tolist() == here.table()["uncertainty"].tolist()
    assert there.core.store.about().skipped == here.core.store.about().skipped == ((".txt", 1),)
    keeps_no_secret(of.workspace)


def test_only_new_changed_and_deleted_objects_are_found(store: ObjectStore, of: Reader) -> None:
    for number in range(5):
        store.put(f"{prefix(of)}/{number}.png", png(number))
    of()
    of()
    assert (of.opened, of.embedded) == (0, 0)
    store.delete(f"{prefix(of)}/0.png")
    store.put(f"{prefix(of)}/1.png", png(11))
    store.put(f"{prefix(of)}/new.png", png(12))
    store.asked.clear()
    image_set = of()
    assert sorted(path.rpartition("/")[2] for path in store.asked) == ["1.png", "new.png"]
    assert (of.opened, of.embedded) == (2, 2)
    assert names(image_set) == ["1.png", "2.png", "3.png", "4.png", "new.png"]


def test_a_touched_object_is_not_embedded_again(store: ObjectStore, of: Reader) -> None:
    store.put(f"{prefix(of)}/a.png", png(1))
    of()
    time.sleep(1.1)  # S3 tells times in seconds
    store.put(f"{prefix(of)}/a.png", png(1))
    of()
    assert (of.opened, of.embedded) == (1, 0)


def test_what_the_store_does_not_give_stays_to_be_read(store: ObjectStore, of: Reader) -> None:
    for number in range(8):
        store.put(f"{prefix(of)}/{number:02}.png", png(number))
    store.failing = lambda path: 503 if path.endswith(("03.png", "05.png")) else None
    with pytest.raises(BucketError, match=r"\(503, .*No picture is at fault.*Left to be read: 2 of 8"):
        of()
    image_set = open_image_set(of.folder, workspace=of.workspace)
    assert len(image_set) == 6
    assert len(image_set.failures()) == 0
    assert image_set.table()[["x", "y"]].notna().all(axis=None), "the map is made of what is there"
    assert list_sets(of.workspace)["state"].tolist() == ["6 of 8 pictures: reading was stopped"]
    store.failing = lambda path: None
    assert len(of()) == 8
    assert (of.opened, of.embedded) == (2, 2)
    assert list_sets(of.workspace)["state"].tolist() == [""]


def test_a_store_that_goes_down_ends_the_run(store: ObjectStore, of: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of_embedded, "MOST_UNFETCHED", 8)
    for number in range(36):
        store.put(f"{prefix(of)}/{number:02}.png", png(number))
    store.failing = lambda path: 500 if len(store.asked) > SAMPLED_OBJECTS + 20 and path.endswith(".png") else None
    with pytest.raises(BucketError, match="Left to be read: at least"):
        of()
    assert len(store.asked) <= SAMPLED_OBJECTS + 36
    kept = len(open_image_set(of.folder, workspace=of.workspace))
    assert 0 < kept <= 20
    store.failing = lambda path: None
    assert len(of()) == 36
    assert of.embedded == 36 - kept


def test_a_store_that_gives_nothing_leaves_nothing(store: ObjectStore, of: Reader) -> None:
    store.put(f"{prefix(of)}/a.png", png(1))
    store.failing = lambda path: 403 if path.endswith(".png") else None
    with pytest.raises(BucketError, match="refuses the credentials of the environment"):
        of()
    assert len(list_sets(of.workspace)) == 0


def test_a_store_that_does_not_answer_drops_no_row(store: ObjectStore, of: Reader) -> None:
    store.put(f"{prefix(of)}/a.png", png(1))
    of()
    for status, told in ((503, "does not answer as it should"), (403, "refuses the credentials")):
        store.failing = lambda path, status=status: status
        with pytest.raises(BucketError, match=told):
            of()
    store.failing = lambda path: None
    store.delete(f"{prefix(of)}/a.png")
    with pytest.raises(NoImagesError, match="no pictures in 's3://"):
        of()
    assert len(open_image_set(of.folder, workspace=of.workspace)) == 1


def test_what_is_not_there_is_said(store: ObjectStore, of: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    of.folder = root_of("s3://no-such-bucket/photos")
    with pytest.raises(BucketError, match="no such bucket"):
        of()
    of.folder = root_of(f"s3://{BUCKET}/nothing")
    with pytest.raises(NoImagesError):
        of()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(BucketError, match="cannot be reached"):
        of()
    assert len(list_sets(of.workspace)) == 0


def test_a_picture_that_went_meanwhile_is_one_failure(store: ObjectStore, of: Reader) -> None:
    for number in range(3):
        store.put(f"{prefix(of)}/{number}.png", png(number))
    store.failing = lambda path: 404 if path.endswith("/1.png") else None
    assert of().failures()["reason"].tolist() == ["no longer exists"]


def test_a_bucket_that_goes_meanwhile_is_no_picture_s_fault(store: ObjectStore, of: Reader) -> None:
    store.put(f"{prefix(of)}/a.png", png(1))
    listed = iter([None])
    store.failing = lambda path: next(listed, 404)
    with pytest.raises(BucketError, match="no such bucket"):
        of()


def test_a_moved_set_keeps_its_embeddings(store: ObjectStore, of: Reader, tmp_path: Path, model: Model) -> None:
    folder = write_folder(tmp_path / "files", 5)
    Reader(folder, of.workspace, model)()
    store.fill(folder, prefix(of))
    assert move(folder, of.folder, workspace=of.workspace).equal == 5
    assert len(of()) == 5
    assert of.embedded == 0
    store.put(f"{prefix(of)}-other/0000.jpg", png(1))
    with pytest.raises(FolderError, match="other pictures"):
        move(of.folder, f"{of.folder}-other", workspace=of.workspace)
    move(of.folder, folder, workspace=of.workspace)
    assert list_sets(of.workspace)["folder"].tolist() == [str(folder.resolve())]


def test_a_bucket_of_google_is_listed_and_read_alike(
    store: ObjectStore, of: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its requests are S3's here: the same server answers."""
    key = {"private_key": "x", "private_key_id": "x", "client_email": "x", "disable_oauth": True}
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT_KEY", json.dumps(key | {"gcs_base_url": store.endpoint}))
    monkeypatch.setenv("GOOGLE_BASE_URL", store.endpoint)
    store.put(f"{prefix(of)}/cat/a.png", png(1))
    there, here = (Bucket(root_of(f"{kind}://{BUCKET}/{prefix(of)}")) for kind in ("gs", "s3"))
    assert there.list().files == here.list().files
    [file] = there.list().files
    assert there.read(file) == here.read(file) == png(1)
    store.failing = lambda path: 503
    with pytest.raises(BucketError, match=r"'gs://.*\(503"):
        there.read(file)


class TestTheCommandLine:
    """`embed s3://…` and the commands on what it read."""

    def test_a_set_is_found_by_its_address(
        self, store: ObjectStore, of: Reader, capsys: pytest.CaptureFixture[str]
    ) -> None:
        store.put(f"{prefix(of)}/a.png", png(1))
        store.put(f"{prefix(of)}/b.png", png(2))
        of()
        where = ["--workspace", str(of.workspace)]
        for command in (
            ["rank", f"{of.folder}"],
            ["sets", "list", f"{of.folder}/"],
            ["sets", "list"],
            ["decide", f"{of.folder}", "keep", "a.png"],
        ):
            assert main([*command, *where]) == 0, capsys.readouterr().err
        assert str(of.folder) in capsys.readouterr().out
        assert main(["export", "folders", f"{of.folder}", str(of.workspace / "out"), *where]) == 1
        assert "lie in object storage" in capsys.readouterr().err

    @pytest.mark.parametrize("command", ["embed", "rank", "sets forget", "sets pack", "nonsense"])
    def test_a_secret_in_an_address_is_not_repeated(
        self, workspace: Path, capsys: pytest.CaptureFixture[str], command: str
    ) -> None:
        assert main([*command.split(), "s3://KEY:opensesame@pics/a", "more", "--workspace", str(workspace)]) == 1
        out, err = capsys.readouterr()
        assert "opensesame" not in out + err
        assert "credentials in the environment" in err
        assert not [path for path in (workspace / "sets").rglob("*") if path.is_file()]


@pytest.mark.torture
def test_a_killed_run_goes_on_and_keeps_no_secret(store: ObjectStore, of: Reader, bare_model: Model) -> None:
    for number in range(120):
        store.put(f"{prefix(of)}/{number:03}.png", png(number))
    with reading(of.folder, of.workspace, env={**os.environ, **environment(store)}, text=False) as run:
        await_stored(of.workspace, run)
        stored = stored_files(of.workspace)
        os.killpg(run.pid, signal.SIGKILL)
        said = run.communicate()[1]
    rest = Reader(of.folder, of.workspace, bare_model)
    assert len(rest()) == 120
    assert 64 <= stored <= 120 - rest.opened
    keeps_no_secret(of.workspace, said)


def keeps_no_secret(workspace: Path, *said: bytes) -> None:
    kept = b"".join([*said, *(path.read_bytes() for path in workspace.rglob("*") if path.is_file())])
    for secret in (KEY, SECRET):
        assert secret.encode() not in kept


def test_a_bucket_is_written_anew_as_shards(store: ObjectStore, of: Reader, tmp_path: Path) -> None:
    for number in range(3):
        store.put(f"{prefix(of)}/{number}.png", png(number))
    DATA_SETS["webdataset"].write(of(), tmp_path / "out")
    source = source_of(tmp_path / "out")
    assert [source.read(file) for file in source.list().files] == [png(number) for number in range(3)]


def test_a_list_of_keys_reads_these_alone(store: ObjectStore, of: Reader, tmp_path: Path, model: Model) -> None:
    for number, name in enumerate(("a/0.png", "a/1.png", "b/2.png", "b/3.png")):
        store.put(f"{prefix(of)}/{name}", png(number))
    listed = tmp_path / "list.csv"
    lines = [f"s3://{BUCKET}/{prefix(of)}/{name},{name[0]}" for name in ("a/1.png", "b/2.png", "b/gone.png")]
    listed.write_text("\n".join(["key,label", *lines]))
    image_set = Reader(listed, of.workspace, model)()
    assert image_set.table()["label"].tolist() == ["a", "b"]
    assert image_set.failures()["reason"].tolist() == ["no longer exists"]
    assert image_set.files.data(int(image_set.core.ids[0])) == png(1)
    with image_set.files.open(image_set.core.paths_of(image_set.core.ids[:1])[0]) as copied:
        assert copied.read() == png(1)


def test_values_of_more_than_eight_bits_have_the_range_of_a_sample(store: ObjectStore, of: Reader) -> None:
    for number in range(3):
        values = np.asarray(noise(number).convert("L")).astype(np.uint16) * 16
        store.put(f"{prefix(of)}/{number}.png", encoded(Image.fromarray(values), "PNG"))
    of()
    rendering = open_image_set(of.folder, workspace=of.workspace).core.rendering
    assert rendering is not None
    assert rendering.range == (0, 4095)
