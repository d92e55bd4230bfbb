"""Where the pictures of an image set lie: a folder, or an address in object storage."""

import errno
import os
import re
from collections.abc import Iterable
from pathlib import Path, PosixPath
from typing import Any

from url_viz.errors import BucketError

SCHEMES = ("s3", "gs", "az")
_ADDRESS = re.compile(rf"({'|'.join(SCHEMES)}):/+(.*)", re.DOTALL | re.IGNORECASE)
"""One slash is enough: a Path has taken the other."""
_BUCKET = re.compile(r"[A-Za-z0-9$][A-Za-z0-9._-]{0,221}")


class BucketAddress(PosixPath):
    """An address in object storage, "s3://bucket/photos", where the path of a folder may stand.

    It has the name, parents and text of a path; on this machine nothing lies at it. Made by `root_of`.
    """

    def __str__(self) -> str:
        scheme, *rest = self.parts or (".",)  # the last of its parents is empty, as of every relative path
        return f"{scheme}//{'/'.join(rest)}" if rest else scheme

    def __fspath__(self) -> str:
        return str(self)

    def resolve(self, strict: bool = False) -> "BucketAddress":  # noqa: FBT001, FBT002 - as in Path
        return self

    def absolute(self) -> "BucketAddress":
        return self

    def is_dir(self, **_: Any) -> bool:
        return False

    def stat(self, **_: Any) -> os.stat_result:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self))


def root_of(named: str | Path) -> Path:
    """The folder `named`, with its links resolved, or the address in object storage, as a `BucketAddress`.

    Raises BucketError for an address that cannot be one, or that holds credentials.
    """
    address = address_in(named)
    # unlike Path.resolve, it raises nothing for loops and endless names
    return Path(os.path.realpath(Path(named).expanduser())) if address is None else address


def address_in(named: str | Path) -> BucketAddress | None:
    """The address in object storage that `named` is; None for the path of a folder. Raises BucketError as `root_of`."""
    if isinstance(named, BucketAddress):
        return named
    found = _ADDRESS.fullmatch(str(named))
    if found is None:
        return None
    scheme, rest = found[1].lower(), found[2]
    bucket, *keys = [part for part in rest.split("/") if part] or [""]
    _refuse_credentials(scheme, bucket, rest)
    if not _BUCKET.fullmatch(bucket) or {".", ".."} & set(keys):
        raise BucketError(f"What follows {scheme}:// is no bucket with a folder. Give {scheme}://bucket/folder.")
    return BucketAddress(f"{scheme}:", bucket, *keys)


def _refuse_credentials(scheme: str, bucket: str, rest: str) -> None:
    """Raise BucketError for an address that may hold a secret, without showing it."""
    if ":" in bucket or "@" in rest or "?" in rest:
        raise BucketError(
            f"An address {scheme}://… with '@', '?' or a ':' is not read, because credentials stand in these; it is "
            f"not shown for the same reason. Give {scheme}://bucket/folder alone, and the credentials in the "
            "environment (docs/scale.md)."
        )


def refuse_credentials(words: Iterable[str]) -> None:
    """Raise BucketError if a word of a command is, or ends with, an address with credentials; before any is printed."""
    for word in words:
        start = re.search(rf"(?:^|[=:])({'|'.join(SCHEMES)}):/", word, re.IGNORECASE)
        if start is not None:
            address_in(word[start.start(1) :])


def is_in_bucket(root: Path) -> bool:
    """Whether pictures lie in object storage and not in a folder of this machine."""
    return isinstance(root, BucketAddress)
