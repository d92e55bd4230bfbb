"""Pictures in object storage (S3, Google Cloud Storage, Azure), listed and fetched by obstore, an extra.

Credentials come from the environment alone. The texts of obstore's errors are not passed on: they hold a server's
answer, which may name the key.
"""

import datetime
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from url_viz.base.errors import BucketError, FolderError, ImageError
from url_viz.base.workspace import BucketAddress, is_in_bucket
from url_viz.imaging.decode import EMPTY, VANISHED, refuse_large
from url_viz.imaging.scan import Scan, ScannedFile, is_hidden, other_kind

AT_A_TIME = 64
FETCH_S = 300.0
CONNECT_S = 10.0
RETRIES = 4
RETRY_S = 30.0
"""How long a failing request is retried; the file is then left for the next run."""
LIST_CHUNK = 1_000
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT", "GOOGLE_BASE_URL", "AZURE_STORAGE_ENDPOINT")
_ALLOW_HTTP = ("AWS_ALLOW_HTTP", "AZURE_ALLOW_HTTP")
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MICROSECOND = datetime.timedelta(microseconds=1)


class Bucket:
    """The objects whose keys begin with an address, as if they were files in a folder. Thread-safe.

    If the store itself fails (no answer, no access, no such bucket, no obstore), it is a BucketError, not the fault of
    a picture.
    """

    within = None
    at_a_time = AT_A_TIME  # many, as each read waits for the network

    def __init__(self, root: Path, *, store: Any = None, fetch_s: float = FETCH_S, retry_s: float = RETRY_S) -> None:
        """`store`, if it is given, is the obstore store to read; `fetch_s` and `retry_s` bound one request."""
        self.root = root
        self._store = store if store is not None else _open_store(root, fetch_s=fetch_s, retry_s=retry_s)

    def list(self) -> Scan:
        """Every picture by its key, with size and last change. Raises BucketError if the store does not list them."""
        files: list[ScannedFile] = []
        other: Counter[str] = Counter()
        for key, size, changed in self._objects():
            *folders, name = key.split(b"/")
            if any(map(is_hidden, (*folders, name))) or (size == 0 and b"." not in name):  # a folder, as some tools do
                continue
            kind = other_kind(name)
            if kind is not None:
                other[kind] += 1
            else:
                files.append(ScannedFile(key, size, _nanoseconds(changed)))
        files.sort(key=lambda file: file.path)
        return Scan(self.root, tuple(files), tuple(other.most_common()))

    @property
    def base(self) -> Path:
        return self.root

    def read(self, file: ScannedFile) -> bytes:
        """The bytes of an object. Raises ImageError if it is empty, too large or gone, BucketError if the store fails.

        An object that is too large is not fetched.
        """
        refuse_large(file.size_bytes)
        try:
            data = self._fetched(file.path.decode())
        except UnicodeDecodeError:  # not a key: the set was moved here from a folder
            raise ImageError(VANISHED) from None
        if not data:
            raise ImageError(EMPTY)
        return data

    def _fetched(self, key: str) -> bytes:
        try:
            answer = self._store.get(key)
            refuse_large(answer.meta["size"])  # it may have changed since it was listed
            return bytes(answer.bytes())
        except FileNotFoundError:
            next(self._objects(), None)  # raises BucketError if it is the bucket itself that is missing
            raise ImageError(VANISHED) from None
        except _errors() as error:
            raise _bucket_error(self.root, error) from None

    def _objects(self) -> Iterator[tuple[bytes, int, datetime.datetime]]:
        """The key below the address, size and last change of every object."""
        try:
            for chunk in self._store.list(chunk_size=LIST_CHUNK):
                yield from ((meta["path"].encode(), meta["size"], meta["last_modified"]) for meta in chunk)
        except _errors() as error:  # FileNotFoundError is an OSError
            raise _bucket_error(self.root, error) from None


def refuse_outside(root: Path, within: Sequence[Path]) -> None:
    """Raise FolderError if an address lies outside all of `within`."""
    buckets = [address for address in within if is_in_bucket(address)]
    if not any(map(root.is_relative_to, buckets)):
        named = ", ".join(map(str, buckets)) or "none"
        raise FolderError(f"{str(root)!r} is outside the buckets that may be read ({named}). Give an address in them.")


def require_obstore() -> None:
    """Raise BucketError if obstore, an optional dependency, is not installed."""
    if find_spec("obstore") is None:
        raise BucketError(
            f"Pictures in object storage take obstore, which {sys.executable} lacks. Run `pip install "
            "'url-viz[bucket]'`, or `pip install obstore`."
        )


def _open_store(root: Path, *, fetch_s: float, retry_s: float) -> Any:
    """obstore's store for an address, with endpoint and credentials from the environment."""
    require_obstore()
    from obstore.store import from_url

    assert isinstance(root, BucketAddress)
    # An endpoint without TLS, such as a server in the local network, may be named or allowed in general.
    is_plain_named = any(os.environ.get(name, "").startswith("http://") for name in _ENDPOINTS)
    is_plain_allowed = any(os.environ.get(name, "").lower() in ("1", "true") for name in _ALLOW_HTTP)
    limits = {
        "timeout": datetime.timedelta(seconds=fetch_s),
        "connect_timeout": datetime.timedelta(seconds=CONNECT_S),
        "allow_http": is_plain_named or is_plain_allowed,
    }
    retries = {"max_retries": RETRIES, "retry_timeout": datetime.timedelta(seconds=retry_s)}
    try:
        return from_url(str(root), client_options=limits, retry_config=retries)
    except _errors() as error:
        raise _bucket_error(root, error) from None


def _errors() -> tuple[type[Exception], ...]:
    from obstore.exceptions import BaseError

    return (BaseError, OSError, ValueError, NotImplementedError)


def _nanoseconds(moment: datetime.datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND * 1_000


_RESUMES = "No picture is at fault: what was read is kept, and the same command continues from here."


def _bucket_error(root: Path, error: Exception) -> BucketError:
    """A readable error in place of obstore's, whose text may name the key."""
    why, step = _diagnosis(str(error))
    return BucketError(f"{str(root)!r} {why}. {step} {_RESUMES}")


def _diagnosis(text: str) -> tuple[str, str]:
    status = re.search(r"status code: (\d{3})", text)
    code = int(status[1]) if status else 0
    if "invalid path" in text:
        why = "holds a key with '//' or a part that is '.' or '..', which obstore does not read"
        return why, "Rename it, or give a folder beside it."
    if "169.254.169.254" in text or "oken request" in text or "Account must be specified" in text:
        return "cannot be read without credentials, and the environment has none", _SET_THEM
    if "Received redirect" in text:
        return "lies in another region than the environment says", "Set $AWS_REGION."
    if code in (400, 401, 403) or "Unauthenticated" in text or "PermissionDenied" in text:
        return "refuses the credentials of the environment" + (f" ({code})" if code else ""), _SET_THEM
    if code == 404:
        return "is not there: the store knows no such bucket (404)", "Check its name, region and endpoint."
    if code:
        return f"does not answer as it should ({code}, after {RETRIES} more tries)", "Try again later."
    if "timed out" in text or "TimedOut" in text or "deadline" in text:
        return "does not answer in time", "Check the network, and the endpoint in the environment."
    return "cannot be reached", "Check the network, and the endpoint in the environment."


_SET_THEM = "Set them, and the region, as the store's own tools have them, such as $AWS_ACCESS_KEY_ID (docs/scale.md)."
