"""The page of every capability, as a command and from Python, made of the signatures (docs/commands.md)."""

import inspect
import shlex
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from url_viz.capabilities import places
from url_viz.capability import Argument, Capability
from url_viz.cli.completion import kind_of
from url_viz.cli.doors import for_commands, parse
from url_viz.cli.help import SUBJECTS
from url_viz.jobs.calls import MODEL, WITHIN, WORKSPACE, Call, reach

FOLDER = "photos/"
EXAMPLES: dict[str, str] = {
    "completion": "bash",
    "labels use": "level:1",
    "labels doubtful": "--top 5",
    "labels worth": "--seeds 2",
    "train adapt": "--epochs 5",
    "train pretrain": "--seeds 1",
}
"""What an example gives to a command besides its folder; nothing for those that are not listed."""
COMMON = (MODEL, WITHIN, WORKSPACE)
HEADER = """\
# Commands and Python

Everything that URL-Viz does is a function: of the image set that `url_viz.open_image_set("photos/")` gives, of one of
its subjects (`image_set.labels`), or of a module. Each is a command, too, with the same words and arguments. `url-viz`
and `python -m url_viz` are the same; `url-viz` alone opens the app, and a folder (archive, list, annotation file,
address) in place of a command is opened as by `url-viz open`.
"""
CLOSING_OPTIONS = """\
Of every command that lists rows: `--top N` prints more of them, `--out FILE` writes all to a .csv, .parquet or .json
file. `--json` prints JSON.
"""


def page(head: str = HEADER, foot: str = "") -> str:
    """The whole page, as Markdown."""
    loaded = {words: entry.load() for words, entry in places().items()}
    common = "\n".join(f"- `--{each.word}`: {each.text}" for each in COMMON)
    parts = [head, "## Options of many commands", f"{common}\n", CLOSING_OPTIONS]
    for subject, text in SUBJECTS.items():
        below = [what for words, what in loaded.items() if (words[0] if len(words) > 1 else "") == subject]
        parts.append(f"## {subject.capitalize() or 'Look, decide, train'}\n\n{text}.\n" if subject else f"## {text}\n")
        parts += [_entry(what) for what in below]
    return "\n".join([*parts, foot]).rstrip() + "\n"


def example_of(what: Capability) -> list[str]:
    """The words of its example, after `url-viz`."""
    words = " ".join(what.words)
    positional = [FOLDER] if what.is_on_set else []
    return [*what.words, *positional, *shlex.split(EXAMPLES.get(words, ""))]


def _entry(what: Capability) -> str:
    """One capability: what it does, an example as a command and in Python, and its arguments."""
    words = example_of(what)
    lines = [f"### {' '.join(what.words)}", "", for_commands(inspect.getdoc(what.function) or ""), ""]
    lines += ["```sh", f"url-viz {shlex.join(words)}", "```"]
    call, _ = parse(what, words[len(what.words) :], prog="url-viz")
    lines += ["```python", *as_python(call), "```"] if not what.is_plain else []
    lines += ["", *_described(what.parameters)] if what.parameters else []
    return "\n".join([*lines, ""])


def as_python(call: Call) -> list[str]:
    """A call as lines of Python."""
    what = call.what
    opening = {each.name for each in reach(what)}
    usual = {each.name: each.default for each in what.parameters}
    given = [
        (each, call.given[each.name])
        for each in what.parameters
        if each.name not in opening and call.given[each.name] != usual[each.name]
    ]
    values = ", ".join(
        repr(_plain(value)) if each.is_positional else f"{each.name}={_plain(value)!r}" for each, value in given
    )
    owner, _, name = what.function.__qualname__.rpartition(".")
    if "self" in what.takes:
        subject = owner.removeprefix("Set").lower()
        on = "image_set" if owner in ("ImageSet", "SearchableSet") else f"image_set.{subject}"
        return [f"{on}.{name}({values})"]
    first = ["image_set"] if what.is_on_set else []
    return [
        f"from {what.function.__module__} import {name}",
        "",
        f"{name}({', '.join(filter(None, [*first, values]))})",
    ]


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value


def _described(arguments: tuple[Argument, ...]) -> list[str]:
    """A line for each argument: its name, what it may be, and what it is by default."""
    lines = []
    for each in arguments:
        kind = kind_of(each.hint)
        if is_dataclass(kind):
            lines.append(f"- {each.text.rstrip('.')}: {_options_of(kind)}")
            continue
        name = each.name.upper() if each.is_positional else f"--{each.word}"
        choices = f" ({', '.join(map(str, get_args(kind)))})" if get_origin(kind) is Literal else ""
        is_said = each.is_required or each.default in (None, False, (), "") or "default" in each.text
        default = "" if is_said else f" (default: {each.default})"
        lines.append(f"- `{name}`: {each.text.rstrip('.')}{choices}{default}")
    return lines


def _options_of(kind: Any) -> str:
    """The names of the options of a group, and of the groups in it."""
    hints = get_type_hints(kind, include_extras=True)
    named = []
    for entry in fields(kind):
        inner = kind_of(hints[entry.name])
        named.append(_options_of(inner) if is_dataclass(inner) else f"`--{entry.name.replace('_', '-')}`")
    return ", ".join(named)
