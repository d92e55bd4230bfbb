"""Text that came from elsewhere as a terminal may show it: control characters and the like stand as escapes."""


def printable(text: str, *, allowed: str = "") -> str:
    """Text with what is not printable as its escape (`\\x1b`, `\\u202e`, `\\udcff`), but for the characters `kept`."""
    if text.isprintable():  # nearly every name: a million are told in half a second
        return text
    return "".join(c if c.isprintable() or c in allowed else c.encode("unicode_escape").decode() for c in text)
