"""Stable ids of pictures from their paths, and content keys from their bytes (BLAKE2b digests)."""

import hashlib


def _positive_int64(data: bytes) -> int:
    """63 bits of a digest: a non-negative int64 for the store, pandas and URLs."""
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big") >> 1


def image_id(relative_path: bytes) -> int:
    """The id of the picture at this root-relative path (bytes, as the file system has them)."""
    return _positive_int64(relative_path)


def content_key(data: bytes) -> int:
    """The key of a file's content: equal bytes have equal keys in any folder."""
    return _positive_int64(data)
