"""Pictures in object storage are listed and fetched as files in a folder are; the store's own faults are told apart."""

import datetime
import os
import socket
import time
from pathlib import Path

import pytest
from obstore.store import LocalStore

from tests.imaging.pictures import encoded, noise, write_folder
from url_viz.base.errors import BucketError, FolderError, ImageError
from url_viz.base.workspace import root_of
from url_viz.imaging import bucket as of_bucket
from url_viz.imaging.bucket import Bucket
from url_viz.imaging.decode import MOST_BYTES, read_file
from url_viz.imaging.scan import ScannedFile, scan
from url_viz.imaging.source import Folder, source_of

ROOT = root_of("s3://pics/photos")


def local(folder: Path) -> Bucket:
    return Bucket(ROOT, store=LocalStore(folder))


def fill(folder: Path) -> None:
    write_folder(folder, 4, classes=("cat", "dog"))
    (folder / "cat" / "ü 100%25 #1.png").write_bytes(encoded(noise(9), "PNG"))
    (folder / "UPPER.PNG").write_bytes(b"no picture")
    (folder / "empty.png").touch()
    (folder / "notes.txt").write_text("hello")
    (folder / "README").write_text("hello")
    for hidden in (".hidden/a.png", "__MACOSX/a.png", "cat/.b.png"):
        (folder / hidden).parent.mkdir(exist_ok=True)
        (folder / hidden).write_bytes(b"x")


def test_the_list_is_that_of_a_folder(tmp_path: Path) -> None:
    fill(tmp_path)
    ours, theirs = local(tmp_path).list(), scan(tmp_path)
    assert [(f.path, f.id, f.size_bytes) for f in ours.files] == [(f.path, f.id, f.size_bytes) for f in theirs.files]
    assert len(ours.files) == 7
    for here, there in zip(ours.files, theirs.files, strict=True):
        assert abs(here.mtime_ns - there.mtime_ns) < 1_000_000_000
    assert dict(ours.other) == dict(theirs.other) == {".txt": 1, "no extension": 1}
    assert (ours.root, ours.unreadable_folders) == (ROOT, ())


def test_the_time_is_exact_to_the_microsecond(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    os.utime(tmp_path / "a.png", ns=(0, 1_700_000_000_123_456_000))
    assert local(tmp_path).list().files[0].mtime_ns == 1_700_000_000_123_456_000
    summer = datetime.datetime(1970, 1, 1, 2, tzinfo=datetime.timezone(datetime.timedelta(hours=2)))
    assert of_bucket._nanoseconds(summer) == 0


def test_bytes_are_those_of_the_file(tmp_path: Path) -> None:
    fill(tmp_path)
    bucket, folder = local(tmp_path), Folder(tmp_path)
    for file in bucket.list().files:
        if file.size_bytes:
            assert bucket.read(file) == folder.read(file) == read_file(bytes(tmp_path) + b"/" + file.path)


WRONG = {b"empty.png": 0, b"gone.png": 5, b"odd \xff.png": 5, b"huge.png": MOST_BYTES + 1}


@pytest.mark.parametrize(
    "file",
    [ScannedFile(name, size, 0) for name, size in WRONG.items()],
    ids=list(map(repr, WRONG)),
)
def test_a_picture_s_own_fault_has_the_words_of_a_folder(tmp_path: Path, file: ScannedFile) -> None:
    (tmp_path / "empty.png").touch()
    with (tmp_path / "huge.png").open("wb") as huge:
        huge.truncate(file.size_bytes)
    told = []
    for source in (Folder(tmp_path), local(tmp_path)):
        with pytest.raises(ImageError) as error:
            source.read(file)
        told.append(str(error.value))
    assert told[0] == told[1]


class Unasked:
    """A store that must not be asked for an object."""

    def get(self, key: str) -> None:
        raise AssertionError(key)


def test_what_is_too_large_is_not_fetched(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="1,025 MiB"):
        Bucket(ROOT, store=Unasked()).read(ScannedFile(b"bomb.png", 1025 << 20, 0))
    with (tmp_path / "grown.png").open("wb") as grown:
        grown.truncate(MOST_BYTES + 1)
    with pytest.raises(ImageError, match="are not read"):
        local(tmp_path).read(ScannedFile(b"grown.png", 5, 0))


def test_nothing_outside_the_buckets_that_may_be_read_is_opened() -> None:
    for within in ([], [Path("/")], [root_of("s3://pic")], [root_of("gs://pics")], [root_of("s3://pics/photos/more")]):
        with pytest.raises(FolderError, match="outside the buckets"):
            source_of(ROOT, within=within)


def test_without_the_extra_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of_bucket, "find_spec", lambda _: None)
    with pytest.raises(BucketError, match=r"pip install 'url-viz\[bucket\]'"):
        source_of(ROOT)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Server returned non-2xx status code: 503 Slow Down: SESAME", "does not answer as it should (503"),
        ("Server returned non-2xx status code: 403 Forbidden: <AWSAccessKeyId>SESAME", "refuses the credentials"),
        ("Server returned non-2xx status code: 404 Not Found: SESAME", "knows no such bucket"),
        ("Error performing PUT http://169.254.169.254/latest/api/token SESAME", "the environment has none"),
        ("Generic MicrosoftAzure error: Account must be specified SESAME", "the environment has none"),
        ("Received redirect without LOCATION, incorrectly configured region SESAME", "another region"),
        ("operation timed out SESAME", "in time"),
        ("HTTP error: error sending request SESAME", "cannot be reached"),
    ],
)
def test_what_a_store_says_is_told_in_our_words(text: str, told: str) -> None:
    said = str(of_bucket._bucket_error(ROOT, RuntimeError(text)))
    assert told in said
    assert "SESAME" not in said
    assert "No picture is at fault" in said


@pytest.mark.slow
def test_a_store_that_never_answers_is_waited_for_no_longer_than_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "SESAME")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "SESAME")
        monkeypatch.setattr(of_bucket, "RETRIES", 0)
        began = time.monotonic()
        with pytest.raises(BucketError, match="does not answer in time"):
            Bucket(ROOT, fetch_s=0.5, retry_s=0.5).read(ScannedFile(b"a.png", 5, 0))
        assert time.monotonic() - began < 5
