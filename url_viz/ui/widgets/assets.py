"""HTML, CSS and JavaScript of the Streamlit components, as text.

Streamlit takes one text of JavaScript for a component. It serves modules that import each other only from the
`asset_dir` of an installed distribution, which `streamlit run app.py` in a checkout is not; so `script_of` puts a
component's modules into one.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import streamlit as st

FOLDER = Path(__file__).parents[2] / "frontend"

_IMPORT = re.compile(
    r'^import (?:\{\s*(?P<names>\w+(?:,\s*\w+)*),?\s*\} from "(?P<module>\.\.?/(?:\w+/)*\w+\.js)"'
    r'|(?P<constant>\w+) from "(?P<json>\.\.?/(?:\w+/)*\w+\.json)" with \{ type: "json" \});$',
    re.MULTILINE,
)
"""`import { a, b } from "./c.js";`, over several lines too, and `import a from "./b.json" with { type: "json" };`."""
_EXPORT = re.compile(r"^export (?=(?:async )?(?:const|function|class) (\w+))", re.MULTILINE)
_OTHER = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)


def text_of(component: str, suffix: str) -> str:
    """All files of a component with this suffix (".html", ".css"), joined in the order of their names."""
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted((FOLDER / component).glob(f"*{suffix}")))


def component_of(name: str, *, styled_as: str = "") -> Callable[..., Any]:
    """The Streamlit component of a folder, to be mounted on pages; with the styles of another one before its own."""
    css = (text_of(styled_as, ".css") if styled_as else "") + text_of(name, ".css")
    return st.components.v2.component(f"url_viz_{name}", html=text_of(name, ".html"), css=css, js=script_of(name))


def script_of(component: str, *, folder: Path = FOLDER) -> str:
    """One module in place of a component's `index.js` and all that it imports, each after what it imports itself.

    Each but `index.js` gets a function of its own, so that names of one module mean nothing in another, as they do
    apart. Raises ValueError for modules that import each other in a circle, imports of what is not exported, and forms
    of `import` and `export` that are not understood here.
    """
    entry = (folder / component / "index.js").resolve()
    exported: dict[Path, list[str]] = {}
    parts = []
    for path in dict.fromkeys(_in_order(entry, ())):
        text = path.read_text(encoding="utf-8")
        names = exported[path] = _EXPORT.findall(text)
        text = _EXPORT.sub("", _IMPORT.sub(partial(_constant, path, exported), text))
        _check_forms(path, text, is_entry=path == entry)
        if path != entry:
            text = f"const {_variable(path)} = (() => {{\n{text}return {_list(names)};\n}})();\n"
        parts.append(text)
    return "\n".join(parts)


def _in_order(path: Path, importers: tuple[Path, ...]) -> Iterator[Path]:
    """The modules that a module needs, depth first, some more than once, and itself at last."""
    if path in importers:
        circle = " → ".join(map(_name, (*importers[importers.index(path) :], path)))
        raise ValueError(f"These modules import each other: {circle}. Move what they share to a module of its own.")
    for match in _IMPORT.finditer(path.read_text(encoding="utf-8")):
        if match["module"]:
            yield from _in_order((path.parent / match["module"]).resolve(), (*importers, path))
    yield path


def _constant(path: Path, exported: Mapping[Path, list[str]], match: re.Match[str]) -> str:
    """What stands in place of an import by the module `path`."""
    if match["json"]:
        return f"const {match['constant']} = {(path.parent / match['json']).read_text(encoding='utf-8').strip()};"
    module = (path.parent / match["module"]).resolve()
    names = re.findall(r"\w+", match["names"])
    if missing := [name for name in names if name not in exported[module]]:
        raise ValueError(f"{_name(path)} imports {', '.join(missing)}, which {_name(module)} does not export.")
    return f"const {_list(names)} = {_variable(module)};"


def _check_forms(path: Path, text: str, *, is_entry: bool) -> None:
    """Raise ValueError if the text of a module still imports or exports, but for the default of `index.js`."""
    for line in _OTHER.findall(text):
        if not is_entry or not line.startswith("export default function "):
            raise ValueError(f"{_name(path)} has {line!r}. Import {{ names }} of a file, export what is declared.")


def _list(names: list[str]) -> str:
    return f"{{ {', '.join(names)} }}"


def _name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _variable(path: Path) -> str:
    """The variable of a module's exports, by a name that is none of its own: `map$colours`."""
    return f"{path.parent.name}${path.stem}"
