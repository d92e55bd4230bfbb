"""JSON records with a digest of their own content, which detects a flipped bit when they are read."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

SEAL = "seal"


def sealed(record: Mapping[str, Any]) -> str:
    """The record as JSON text, with the digest of its other fields under `seal`."""
    assert SEAL not in record
    return json.dumps({**record, SEAL: _digest(record)})


def unsealed(text: str | bytes) -> dict[str, Any]:
    """The record in a JSON text, without its digest; a record from before digests existed is accepted.

    Raises ValueError if the text is not a JSON object, or its digest does not match.
    """
    record = json.loads(text)
    if not isinstance(record, dict):
        raise ValueError("no record")
    if SEAL in record and record.pop(SEAL) != _digest(record):
        raise ValueError("it is not as it was written")
    return record


def _digest(record: Mapping[str, Any]) -> str:
    return hashlib.blake2b(json.dumps(record, sort_keys=True).encode(), digest_size=8).hexdigest()
