"""Small JSON records that carry a digest of themselves, so that a flipped bit in one is found when it is read."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

SEAL = "seal"


def sealed(record: Mapping[str, Any]) -> str:
    """The record as JSON text, with the digest of all else in it under `seal`."""
    assert SEAL not in record
    return json.dumps({**record, SEAL: _digest(record)})


def unsealed(text: str | bytes) -> dict[str, Any]:
    """The record in a JSON text, without its digest; one that was written before there were digests is taken as it is.

    Raises ValueError where the text is no JSON object, or its digest is of something else.
    """
    record = json.loads(text)
    if not isinstance(record, dict):
        raise ValueError("no record")
    if SEAL in record and record.pop(SEAL) != _digest(record):
        raise ValueError("it is not as it was written")
    return record


def _digest(record: Mapping[str, Any]) -> str:
    return hashlib.blake2b(json.dumps(record, sort_keys=True).encode(), digest_size=8).hexdigest()
