"""HTML, CSS and JavaScript of the components, as text.

Streamlit takes one text of JavaScript for a component. It serves modules that import each other only from the
`asset_dir` of an installed distribution, which `streamlit run app.py` in a checkout is not; so `script_of` puts a
component's modules into one.
"""

import json
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "frontend"
WIRE: dict[str, Any] = json.loads((FOLDER / "shared" / "wire.json").read_text(encoding="utf-8"))
"""What server and browser have to agree on: the constants of the bytes between them, styles, decisions and their keys.

Python reads the file here, and the browser's modules import it.
"""

_IMPORT = re.compile(
    r'^import (?:\{\s*(?P<names>\w+(?:,\s*\w+)*),?\s*\} from "(?P<module>\.\.?/(?:\w+/)*\w+\.js)"'
    r'|(?P<constant>\w+) from "(?P<json>\.\.?/(?:\w+/)*\w+\.json)" with \{ type: "json" \});$',
    re.MULTILINE,
)
"""`import { a, b } from "./c.js";`, over several lines too, and `import a from "./b.json" with { type: "json" };`."""
_EXPORT = re.compile(r"^export (?=(?:async )?(?:const|function|class) (\w+))", re.MULTILINE)


def asset_text(component: str, suffix: str) -> str:
    """All files of a component with this suffix (".html", ".css"), joined in the order of their names."""
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted((FOLDER / component).glob(f"*{suffix}")))


def script_of(component: str, *, folder: Path = FOLDER, entry: str = "index") -> str:
    """One module in place of a component's `entry`.js and all that it imports, each after what it imports itself.

    Each but the entry gets a function of its own, so that names of one module mean nothing in another, as they do
    apart. Imports and exports that have another form stay as they are, and no browser takes them there.
    """
    first = (folder / component / f"{entry}.js").resolve()
    parts = []
    for path in dict.fromkeys(_in_order(first)):
        text = path.read_text(encoding="utf-8")
        names = _EXPORT.findall(text)
        text = _EXPORT.sub("", _IMPORT.sub(partial(_constant, path), text))
        if path != first:
            text = f"const {_variable(path)} = (() => {{\n{text}return {_list(names)};\n}})();\n"
        parts.append(text)
    return "\n".join(parts)


def notebook_script(
    entry: str = "widget", start: str = "export default { render: (context) => draw(context, parts) };"
) -> str:
    """One module without a server: map and grid, each with its HTML and CSS, below the module `entry` of notebooks.

    The last line is `start`, which has `parts`: what `draw` there takes.
    """
    styles = {"map": asset_text("map", ".css"), "grid": asset_text("gallery", ".css") + asset_text("grid", ".css")}
    parts = []
    for name, css in styles.items():
        script = script_of(name).replace("export default function show", "return function show")
        assets = f"html: {json.dumps(asset_text(name, '.html'))}, css: {json.dumps(css)}"
        parts.append(f"{name}: {{ {assets}, make: (fetch) => {{\n{script}\n}} }}")
    joined = ",\n".join(parts)
    return f"{script_of('notebook', entry=entry)}\nconst parts = {{\n{joined}\n}};\n{start}\n"


def _in_order(path: Path) -> Iterator[Path]:
    """The modules that a module needs, depth first, some more than once, and itself at last."""
    for match in _IMPORT.finditer(path.read_text(encoding="utf-8")):
        if match["module"]:
            yield from _in_order((path.parent / match["module"]).resolve())
    yield path


def _constant(path: Path, match: re.Match[str]) -> str:
    """What stands in place of an import by the module `path`."""
    if match["json"]:
        return f"const {match['constant']} = {(path.parent / match['json']).read_text(encoding='utf-8').strip()};"
    names = re.findall(r"\w+", match["names"])
    return f"const {_list(names)} = {_variable((path.parent / match['module']).resolve())};"


def _list(names: list[str]) -> str:
    return f"{{ {', '.join(names)} }}"


def _variable(path: Path) -> str:
    """The variable of a module's exports, by a name that is none of its own: `map$colours`."""
    return f"{path.parent.name}${path.stem}"
