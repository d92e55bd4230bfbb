"""Commands of training read folders: an address in object storage is refused, and a secret in one is not repeated."""

import pytest

from training.command import command
from training.config import FinetuneConfig
from training.data.spec import pictures_of
from url_viz.errors import FolderError


@pytest.mark.parametrize("spec", ["s3://pics/a", "folder:s3://pics/a", "folder:gs://pics/a"])
def test_pictures_in_object_storage_are_refused(spec: str) -> None:
    with pytest.raises(FolderError, match=r"//pics/a' lie in object storage"):
        pictures_of(spec)


def test_a_secret_in_an_address_is_not_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--data", "folder:s3://KEY:opensesame@pics/a", "--out", "head", "--nonsense"]
    assert command(FinetuneConfig, lambda config: None, words) == 1
    out, err = capsys.readouterr()
    assert "opensesame" not in out + err
    assert "credentials in the environment" in err
