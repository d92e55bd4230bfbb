"""Escaping of control characters in text that a terminal shows."""


def printable(text: str, *, allowed: str = "") -> str:
    """Text with unprintable characters as escapes (`\\x1b`, `\\u202e`, `\\udcff`), except those in `allowed`."""
    if text.isprintable():  # nearly every name: a million are checked in half a second
        return text
    return "".join(c if c.isprintable() or c in allowed else c.encode("unicode_escape").decode() for c in text)
