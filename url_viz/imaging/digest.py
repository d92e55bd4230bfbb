"""Names for pictures that survive a restart: an id made from a path, a content key made from a file's bytes."""

import hashlib


def _positive_int64(data: bytes) -> int:
    """A number of 63 bits, so that it fits the store's int64, pandas and URLs without a sign."""
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big") >> 1


def image_id(relative_path: bytes) -> int:
    """The id of the picture at this root-relative path (bytes, as the file system has them)."""
    return _positive_int64(relative_path)


def content_key(data: bytes) -> int:
    """The key of a file's content: equal bytes have equal keys, wherever the file lies."""
    return _positive_int64(data)
