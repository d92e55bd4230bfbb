"""Where pictures lie: addresses in object storage beside folders, and none with a secret in it."""

import os
import pickle
from pathlib import Path

import pytest

from url_viz.base.errors import BucketError
from url_viz.base.workspace import BucketAddress, address_in, is_in_bucket, refuse_credentials, root_of
from url_viz.imaging.scan import absolute, scan


@pytest.mark.parametrize("named", ["s3://pics/a/b", "s3://pics/a/b/", "S3://pics//a/b", Path("s3://pics/a/b")])
def test_an_address_is_the_same_however_it_is_written(named: str | Path) -> None:
    root = root_of(named)
    assert isinstance(root, BucketAddress)
    assert str(root) == os.fspath(root) == f"{root}" == "s3://pics/a/b"
    assert (root.name, root.parent.name, str(root.parent)) == ("b", "a", "s3://pics/a")


def test_an_address_stands_where_a_path_may() -> None:
    root = root_of("gs://pics/a")
    assert root == root_of("gs://pics/a/") == pickle.loads(pickle.dumps(root))  # noqa: S301 - our own
    assert root.resolve() is root
    assert root.expanduser() == root.absolute() == root
    assert not root.exists()
    assert not root.is_dir()
    assert root.is_relative_to(root_of("gs://pics"))
    assert not root.is_relative_to(root_of("gs://pic"))
    assert not root.is_relative_to(root_of("s3://pics"))
    assert str(root_of("az://pics")) == "az://pics"
    assert [str(path) for path in root.parents] == ["gs://pics", "gs:", "."]
    assert root not in Path("/gs:/pics/a/b").parents
    assert str(root / "b.png") == "gs://pics/a/b.png"


@pytest.mark.parametrize("named", ["photos", "/s3/photos", "~/x", "s3", "https://pics.example/a", "./gs"])
def test_a_folder_is_a_folder(named: str) -> None:
    assert address_in(named) is None
    assert root_of(named) == Path(named).expanduser().resolve()
    assert not is_in_bucket(root_of(named))


SECRETS = [
    "s3://KEY:sesame@pics/a",
    "s3://KEY:ses/ame@pics/a",
    "s3://sesame@pics",
    "s3://KEY:sesame/a",
    "S3://KEY%3Asesame%40pics/a",
    "az://pics/a?sv=1&sig=sesame",
]


@pytest.mark.parametrize("named", SECRETS)
def test_an_address_with_a_secret_is_refused_without_showing_it(named: str) -> None:
    for call in (lambda: root_of(named), lambda: address_in(Path(named)), lambda: refuse_credentials(["--x=" + named])):
        with pytest.raises(BucketError) as refused:
            call()
        assert "ses" not in str(refused.value)
        assert "KEY" not in str(refused.value)


@pytest.mark.parametrize("named", ["s3://", "s3:///", "s3://pi cs/a", "s3://pics/../other", "s3://.pics"])
def test_what_is_no_address_is_refused(named: str) -> None:
    with pytest.raises(BucketError, match="s3://bucket/folder"):
        root_of(named)


def test_what_works_on_files_says_so_of_an_address() -> None:
    for call in (lambda: absolute(root_of("s3://pics/a"), b"1.png"), lambda: scan(Path("s3://pics/a"))):
        with pytest.raises(Exception, match="'s3://pics/a' lie in object storage, and this works on files"):
            call()
