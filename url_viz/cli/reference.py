"""The page of every capability, as a command and from Python, made of the signatures (docs/commands.md)."""

import inspect
import json
import shlex
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from url_viz.capabilities import places
from url_viz.capability import Argument, Capability, kind_of
from url_viz.cli.doors import parse_words
from url_viz.cli.help import ORDER, SUBJECTS
from url_viz.export.selection import Selected
from url_viz.jobs.calls import MODEL, WITHIN, WORKSPACE, Call, reach

FOLDER = "photos/"
EXAMPLES: dict[str, str] = {
    "open": "photos/",
    "embed": "photos/ --one-model",
    "rank": "--top 5",
    "explain": "cat/0000.jpg",
    "search": "query.jpg --k 12 --max-percentile 90",
    "check": "photos/ --policy policy.toml",
    "review": "--by suspects",
    "decide": "drop --above 95",
    "completion": "bash",
    "sort-new": "new-photos/",
    "splits leaks": "--test '*1.jpg'",
    "labels use": "level:1",
    "labels keep-apart": "name:1",
    "labels correct": "dog cat/0000.jpg",
    "labels either": "cat/0000.jpg --classes cat dog",
    "labels merge": "dog wolf",
    "labels worth": "--seeds 2",
    "subsets choose": "10 --out chosen.txt",
    "subsets worth": "ids.txt",
    "answers ask": "--out pairs.csv",
    "answers give": "answers.csv",
    "columns add": "scores.csv --uncertainty risk",
    "columns remove": "scores",
    "runs add": "predictions.csv --run mine",
    "runs use": "mine",
    "runs remove": "mine",
    "runs detections": "results.json",
    "versions diff": "--since 1",
    **{f"export {name}": f"out/{name}" for name in ("fiftyone", "huggingface", "webdataset", "parquet")},
    **{f"export {name}": f"out/{name}" for name in ("annotations", "cvat", "labelstudio")},
    "export folders": "out/sorted --by label",
    "export figure": "out/figure.svg --method map",
    "export report": "out/report.html",
    "export table": "out/table.parquet",
    "export map": "ids.txt out/map.csv",
    "models compare": "tf_efficientnet_lite1",
    "train adapt": "--epochs 5",
    "train finetune": "--joint-epochs 3",
    "train pretrain": "cats/ dogs/ --report birds/",
    "sets rename": "photos/ pets",
    "sets move": "photos/ pictures/",
    "sets drop-model": "photos/ tf_efficientnet_lite1",
    "sets compact": "photos/",
    "sets repair": "photos/",
    "sets pack": "photos/ out/photos.tar",
    "sets unpack": "photos.tar --root pictures/",
    "sets forget": "photos/ --yes",
}
"""What an example gives to a command besides the folder of an open set; nothing for those that are not listed."""
BEGIN, END = "<!-- made by python -m url_viz.cli.reference -->", "<!-- end -->"
PAGE = Path("docs", "commands.md")
COMMON = (MODEL, WITHIN, WORKSPACE)
OF_LISTS = """\
Of every command that lists rows: `--top N` prints more of them, `--out FILE` writes all to a .csv, .parquet or .json
file. `--json` prints JSON.
"""
OF_SELECTIONS = "Of every command that exports a selection; without any of them all pictures leave:\n"


def page_with(text: str) -> str:
    """The page with what stands between its marks made anew."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{capabilities_page()}\n{END}{rest.partition(END)[2]}"


def capabilities_page() -> str:
    """Every capability, by subject, as Markdown."""
    loaded = {words: entry.load() for words, entry in places().items()}
    common = "\n".join(f"- `--{each.word}`: {each.text}" for each in COMMON)
    which = "\n".join(_described(Argument("selection", Selected).group))
    parts = [f"## Options of many commands\n\n{common}\n", OF_LISTS, f"{OF_SELECTIONS}\n{which}\n"]
    for subject, text in SUBJECTS.items():
        below = [what for words, what in loaded.items() if (words[0] if len(words) > 1 else "") == subject]
        below = below if subject else sorted(below, key=lambda what: (*ORDER, what.words[0]).index(what.words[0]))
        parts.append(f"## {subject.capitalize()}\n\n{text}.\n" if subject else f"## {text}\n")
        parts += [_entry(what) for what in below]
    return "\n".join(parts)


def example_of(what: Capability) -> list[str]:
    """The words of its example, after `url-viz`."""
    folder = [FOLDER] if what.is_on_set else []
    return [*what.words, *folder, *shlex.split(EXAMPLES.get(" ".join(what.words), ""))]


def _entry(what: Capability) -> str:
    """One capability: what it does, an example as a command and in Python, and its arguments."""
    words = example_of(what)
    lines = [f"### {' '.join(what.words)}", "", inspect.getdoc(what.function) or "", ""]
    lines += ["```sh", f"url-viz {shlex.join(words)}", "```"]
    if not what.is_plain:
        lines += ["```python", *as_python(parse_words(what, words[len(what.words) :])), "```"]
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
        if each.name not in opening and call.given.get(each.name, each.default) != usual[each.name]
    ]
    values = ", ".join(
        _literal(value) if each.is_positional else f"{each.name}={_literal(value)}" for each, value in given
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


def _literal(value: Any) -> str:
    """A value as it is written in Python, with double quotes."""
    if is_dataclass(value) and not isinstance(value, type):
        usual = type(value)()
        changed = [each.name for each in fields(value) if getattr(value, each.name) != getattr(usual, each.name)]
        inner = ", ".join(f"{name}={_literal(getattr(value, name))}" for name in changed)
        return f"{type(value).__name__}({inner})"
    if isinstance(value, tuple):
        return f"({', '.join(map(_literal, value))}{',' if len(value) == 1 else ''})"
    return json.dumps(str(value), ensure_ascii=False) if isinstance(value, str | Path) else repr(value)


def _described(arguments: tuple[Argument, ...]) -> list[str]:
    """A line for each argument: its name, what it may be, and what it is by default."""
    lines = []
    for each in arguments:
        if each.name in {common.name for common in COMMON}:
            continue
        if each.group:
            lines.append(f"- {each.text.rstrip('.')}: {_options_of(each.group)}")
            continue
        kind = kind_of(each.hint)
        name = each.name.upper() if each.is_positional else f"--{each.word}"
        choices = f" ({', '.join(map(str, get_args(kind)))})" if get_origin(kind) is Literal else ""
        is_said = each.is_required or each.default in (None, False, (), "") or "default" in each.text
        default = "" if is_said else f" (default: {each.default})"
        lines.append(f"- `{name}`: {each.text.rstrip('.')}{choices}{default}")
    return lines


def _options_of(group: Sequence[Argument]) -> str:
    """The names of the options of a group, and of the groups in it."""
    return ", ".join(_options_of(each.group) if each.group else f"`--{each.word}`" for each in group)


if __name__ == "__main__":
    PAGE.write_text(page_with(PAGE.read_text("utf-8")), "utf-8")
