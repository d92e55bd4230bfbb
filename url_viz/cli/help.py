"""The help of the command line, and what a first word means; nothing slow is imported for it."""

import difflib
import os
import shutil
from collections.abc import Sequence
from textwrap import fill
from typing import NoReturn

from url_viz.base.errors import UsageError
from url_viz.capabilities import places

SUBJECTS = {
    "": "Read, look, decide",
    "labels": "What labels are taken from, which look wrong, corrections, and what these were worth",
    "twins": "Copies and views of one thing",
    "splits": "Training and test pictures, and what leaks between them",
    "subsets": "Pictures chosen to train on or to label",
    "answers": "Whether pictures and their nearest are the same kind of thing",
    "columns": "Your own columns",
    "runs": "Your own model's predictions",
    "versions": "What a set was at its readings, and what changed",
    "export": "Take pictures and their values away",
    "models": "Models, and how well their orders hold",
    "train": "Train uncertainty heads and models",
    "sets": "The image sets of the workspace",
}
ORDER = (
    *("open", "demo", "embed", "rank", "explain", "search", "sort-new", "findings", "shortcuts", "check"),
    *("review", "decide", "undo", "redo", "decisions", "completion"),
)
"""Commands without a subject, as one comes to use them."""
CLOSING = "Every command and subject has --help. In place of a command, a folder is opened: {prog} photos/"


def main_help(prog: str, description: str | None) -> str:
    """The help of the whole: a line a command, a line a subject."""
    width = min(shutil.get_terminal_size().columns, 120)
    known = places()
    lines = [f"usage: {prog} COMMAND …", *([] if description is None else ["", fill(description, width)]), ""]
    alone = sorted((words[0] for words in known if len(words) == 1), key=lambda word: (*ORDER, word).index(word))
    lines += [_line(word, known[(word,)].summary, width) for word in alone]
    lines += ["", fill(f"Subjects ({prog} SUBJECT COMMAND …):", width)]
    for subject in sorted({words[0] for words in known if len(words) > 1}, key=list(SUBJECTS).index):
        lines.append(
            _line(subject, " · ".join(words[1] for words in known if words[0] == subject and words[1:]), width)
        )
    return "\n".join([*lines, "", fill(CLOSING.format(prog=prog), width)])


def subject_help(subject: str, prog: str) -> str:
    """The help of one subject: a line a command."""
    width = min(shutil.get_terminal_size().columns, 120)
    known = [(words[1], place) for words, place in places().items() if words[0] == subject and words[1:]]
    lines = [_line(name, place.summary, width) for name, place in known]
    usage = [fill(f"usage: {prog} {subject} COMMAND …", width), "", fill(f"{SUBJECTS[subject]}:", width)]
    return "\n".join([*usage, *lines])


def _line(name: str, text: str, width: int) -> str:
    return fill(f"{name:12} {text}", width, initial_indent="  ", subsequent_indent=" " * 15)


def find_words(arguments: Sequence[str]) -> tuple[str, ...] | None:
    """The words of the capability that the arguments begin with; None for none."""
    return next((words for n in (2, 1) if (words := tuple(arguments[:n])) in places()), None)


def refuse_unknown(arguments: Sequence[str], *, prog: str) -> NoReturn:
    """Raise UsageError for a first word, or a second one, that names nothing, with what is spelled like it."""
    first, subjects = arguments[0], {words[0] for words in places() if len(words) > 1}
    if first in subjects:
        commands = [words[1] for words in places() if words[0] == first and words[1:]]
        near = difflib.get_close_matches(arguments[1], commands, n=1) or commands
        raise UsageError(f"{first!r} has no command {arguments[1]!r}. There are: {', '.join(near)}.")
    known = sorted({words[0] for words in places()})
    longer = [" ".join(words) for words in places() if words[1:] == (first,)]
    near = longer or difflib.get_close_matches(first, known, n=2)
    also = f" Did you mean {' or '.join(near)}?" if near else f" `{prog} --help` lists them."
    raise UsageError(f"There is no command {first!r}.{also}")


def is_source(word: str) -> bool:
    """Whether a first word is no command but a path or an address: what it names is opened."""
    is_word = any(words[0] == word for words in places())
    return not is_word and not word.startswith("-") and ("/" in word or os.path.exists(word))
