"""Text that a spreadsheet would run as a formula: made harmless by an apostrophe, and as it was before."""

import re

_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
"""With any apostrophes in front, so that added ones can be distinguished from original ones."""


def with_apostrophe(text: str) -> str:
    """`text`, with an apostrophe before what a spreadsheet would run."""
    return f"'{text}" if _FORMULA.match(text) else text


def without_apostrophe(text: str) -> str:
    """What `with_apostrophe` was given."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text
