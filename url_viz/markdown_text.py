"""Escaping of text that we did not write, where it becomes part of Markdown."""

import re

_SPACE = re.compile(r"\s+")
_SIGN = re.compile(r"[\\`*_\[\]#~$<>!&|]")
_BLOCK_START = re.compile(r"^(\d*)([-+.=])")
_WORD_JOINER = "\N{WORD JOINER}"
_LINK_PART = re.compile(r"(:)(?=[^\s\d])|(www)(?=\.)|(@)(?=\S)", re.IGNORECASE)
"""Text that becomes a link, an emoji or an icon even if escaped; a word joiner (zero width) is inserted after it."""


def escaped(text: str) -> str:
    """Text on one line, as Markdown that shows it literally, also in a cell of a table."""
    line = _SPACE.sub(" ", text).strip()
    parted = _LINK_PART.sub(rf"\g<0>{_WORD_JOINER}", line)
    return _BLOCK_START.sub(r"\1\\\2", _SIGN.sub(r"\\\g<0>", parted))
