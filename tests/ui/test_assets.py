"""A component's modules become one text that does what they do apart."""

import json
import re
from pathlib import Path

import pytest

from tests.frontend.node import needs_node, run_node
from url_viz.drawing.assets import FOLDER, script_of
from url_viz.notebook import notebook_script

COMPONENTS = sorted(path.parent.name for path in FOLDER.glob("*/index.js"))
SHOW = "export default function show() {\n  return told;\n}\n"


def component(folder: Path, **modules: str) -> Path:
    """A folder with a component `c` of these modules, and with `shared/words.js`."""
    for name in ("c", "shared"):
        (folder / name).mkdir()
    for name, text in modules.items():
        (folder / "c" / f"{name}.js").write_text(text, encoding="utf-8")
    (folder / "shared" / "words.js").write_text('export const word = "shared";\n', encoding="utf-8")
    return folder


def told_by(script: str) -> object:
    """What the default of a module returns."""
    return json.loads(run_node("--input-type=module", text=f"{script}\nconsole.log(JSON.stringify(show()));\n"))


@needs_node
def test_modules_keep_their_private_names_and_are_carried_out_once(tmp_path: Path) -> None:
    folder = component(
        tmp_path,
        index='import { add, list } from "./list.js";\nimport {\n  one,\n  two,\n} from "./numbers.js";\n'
        'import { word } from "../shared/words.js";\nimport facts from "./facts.json" with { type: "json" };\n\n'
        f'const size = 1;\nconst told = [...list, one, two(), word, facts.n, size];\nadd("late");\n{SHOW}',
        list="export const list = [];\nexport const add = (one) => list.push(one);\nconst size = 2;\nadd(size);\n",
        numbers='import { add } from "./list.js";\n\nconst size = 3;\nadd(size);\nexport const one = `\n${size}`;\n'
        "export function two() {\n  return size + 1;\n}\nexport class Three {}\n",
    )
    (folder / "c" / "facts.json").write_text('{"n": 254}\n', encoding="utf-8")
    assert told_by(script_of("c", folder=folder)) == [2, 3, "\n3", 4, "shared", 254, 1]


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_component_is_one_module_that_imports_nothing(name: str) -> None:
    script = script_of(name)
    assert re.findall(r"^(?:import|export)\b.*\(", script, re.MULTILINE) in (
        ["export default function show("],
        ["export default function listen("],
    )
    for elsewhere in (r"\bimport\(", r"\bimport\.meta\b", r"\brequire\("):
        assert not re.search(elsewhere, script), "this is another file, which Streamlit does not serve"


def test_every_module_is_part_of_a_component() -> None:
    scripts = "\n".join([*map(script_of, COMPONENTS), notebook_script("report")])
    for path in FOLDER.rglob("*.js"):
        first = path.read_text(encoding="utf-8").splitlines()[0]
        assert first.startswith("// "), f"{path}: the first line says what the module is for"
        assert first in scripts, f"no component imports {path}"
