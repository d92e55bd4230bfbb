"""Names in older logs, which had no column for them: tells what actions gave as names from what was tagged."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from url_viz.store.decision_rows import ABSENT

BETWEEN_TAGS = "; "
_GAVE_NAMES = re.compile(r"(^|, and )(named|took the name of) \d")
_ONE_NAME = re.compile(r"(^|, and )named [\d,]+ pictures? “([^”]*)”")
_TOOK_NAMES = re.compile(r"took the name of \d")

Key = tuple[int, int]


@dataclass(frozen=True)
class NameChange:
    """One change of a file in an older log, whose tags begin with the name where there is one; `did` of its action."""

    row: int
    did: str
    batch: int
    id: int
    content: int
    code_before: int
    tags_before: str
    code_after: int
    tags_after: str

    @property
    def key(self) -> Key:
        return self.id, self.content


NewChange = tuple[str, str, str, str, int]
"""Tags and name of a change before, then after, and its row."""
NewDecision = tuple[str, str, int]
"""Tags and name of a decision, and its row."""


def names_of_older(
    changes: Sequence[NameChange], decided: Sequence[tuple[int, int, int, str]]
) -> tuple[list[NewChange], list[NewDecision]]:
    """What becomes of the changes of an older log, oldest first, and of its decisions (row, id, content, tags).

    An action that gave names says so in its words; what it put first among the tags is a name, until it is taken
    from them. All else, also what lay in the place of a name by the alphabet alone, is a tag.
    """
    if not any(_GAVE_NAMES.search(change.did) for change in changes):
        return [], []
    known: dict[tuple[Key, str], str] = {}
    new: list[NewChange] = []
    for _, of in groupby(changes, lambda change: change.batch):
        batch = list(of)
        for change in batch:
            origin = _origin(change, batch)
            name = known.get((origin.key, origin.tags_before), "")
            after = "" if change.code_after == ABSENT else _name_after(change, origin.tags_before, name)
            known[change.key, change.tags_after] = after
            before = "" if change.code_before == ABSENT else name
            texts = (without(change.tags_before, before), before, without(change.tags_after, after), after)
            new.append((*texts, change.row))
    names = [(row, tags, known.get(((image_id, content), tags), "")) for row, image_id, content, tags in decided]
    return new, [(without(tags, name), name, row) for row, tags, name in names]


def _origin(change: NameChange, batch: Sequence[NameChange]) -> NameChange:
    """The change of the row that a file's decision came from: another one of the action if the file was moved."""
    if change.code_before != ABSENT:
        return change
    gone = [other for other in batch if other.code_after == ABSENT]
    moved = [other for other in gone if other.content == change.content]
    edited = [other for other in gone if other.id == change.id]
    return next(iter([*moved, *edited]), change)


def _name_after(change: NameChange, before: str, name: str) -> str:
    """The name that a change leaves; `before` are the tags before it, with the `name`."""
    tags, rest = change.tags_after.split(BETWEEN_TAGS), before.split(BETWEEN_TAGS)[1:]
    if before == change.tags_after or not _GAVE_NAMES.search(change.did):
        return name if name in tags else ""
    added = [tag for tag in tags if tag and tag not in rest]
    if added:
        return added[0]
    said = _ONE_NAME.search(change.did)  # the name was among the other tags, or it was taken away
    return said[2] if said and said[2] in tags and not _TOOK_NAMES.search(change.did) else ""


def without(tags: str, name: str) -> str:
    """Tags without one of them."""
    return BETWEEN_TAGS.join(tag for tag in tags.split(BETWEEN_TAGS) if tag != name) if name else tags
