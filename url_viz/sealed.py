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
    """The record in a JSON text, without its digest.

    Raises ValueError if the text is not a JSON object, or has no digest that matches.
    """
    record = record_in(text)
    if record.pop(SEAL, None) != _digest(record):
        raise ValueError("it is not as it was written")
    return record


def record_in(text: str | bytes) -> dict[str, Any]:
    """The object in an untrusted JSON text. Raises ValueError for any other text, and if it is nested too deeply."""
    try:
        record = json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(record, dict):
        raise ValueError(f"{text[:40]!s} instead of a record")
    return record


def _digest(record: Mapping[str, Any]) -> str:
    try:
        text = json.dumps(record, sort_keys=True)
    except RecursionError as error:  # it could be read, by a little
        raise ValueError("it is nested too deeply") from error
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
