"""The browser's modules: what the bundler makes of them, and under node, where it is found, their own tests."""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.frontend.node import needs_node, run_node
from url_viz.drawing.assets import FOLDER, script_of
from url_viz.drawing.points import Points, encode_mask, encode_points
from url_viz.notebook import notebook_script

TESTS = sorted(Path(__file__).parent.glob("*.test.js"))
COMPONENTS = sorted(path.parent.name for path in FOLDER.glob("*/index.js"))


def written(n: int) -> dict[str, object]:
    """N points and a mask of them, as bytes of Python and as plain numbers."""
    random = np.random.default_rng(n)
    value = np.where(random.random(n) < 0.2, np.nan, random.uniform(0, 100, n)).astype(np.float32)
    points = Points(
        ids=random.integers(-(2**63), 2**63 - 1, size=n, dtype=np.int64),
        x=random.normal(3, 5, n).astype(np.float32),
        y=random.normal(-70, 0.1, n).astype(np.float32),
        value=value,
        category=random.integers(-1, 400, n).astype(np.int32),
        size=value[::-1],
    )
    is_kept = random.random(n) < 0.4
    return {
        "ids": [str(one) for one in points.ids],
        "x": points.x.tolist(),
        "y": points.y.tolist(),
        "value": [None if np.isnan(one) else one for one in points.value.tolist()],
        "category": points.category.tolist(),
        "kept": is_kept.astype(int).tolist(),
        "points": base64.b64encode(encode_points(points)).decode(),
        "mask": base64.b64encode(encode_mask(points.ids, points.ids[is_kept])).decode(),
    }


@pytest.fixture(scope="module")
def _written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What decode.test.js reads."""
    path = tmp_path_factory.mktemp("written") / "written.json"
    path.write_text(json.dumps({"sets": [written(n) for n in (0, 1, 2, 7, 8, 9, 1000)]}), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("URL_VIZ_WRITTEN", str(path))
        yield


@needs_node
@pytest.mark.usefixtures("_written")
@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_node_passes(path: Path) -> None:
    told = run_node("--test", "--test-reporter=tap", str(path))
    assert "\n# fail 0\n" in told
    assert "\n# skipped 0\n" in told
    assert "\n# tests 0\n" not in told


@needs_node
def test_by_hand_the_decoder_is_skipped_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("URL_VIZ_WRITTEN", raising=False)
    told = run_node("--test", "--test-reporter=tap", str(Path(__file__).parent / "decode.test.js"))
    assert "# SKIP Python has written nothing to read: run `pytest tests/frontend`" in told


@needs_node
def test_components_load_from_their_files_and_as_one_text(tmp_path: Path) -> None:
    """Nothing of a module needs a page before it is called; node refuses syntax and imports that do not fit."""
    paths = [FOLDER / name / "index.js" for name in COMPONENTS]
    for name in COMPONENTS:
        paths.append(tmp_path / f"{name}.mjs")
        paths[-1].write_text(script_of(name), encoding="utf-8")
    uris = json.dumps([path.as_uri() for path in paths])
    asked = f"for (const uri of {uris}) console.log(uri, typeof (await import(uri)).default);"
    told = run_node("--input-type=module", "--eval", asked).split("\n")[:-1]
    assert told == [f"{path.as_uri()} function" for path in paths]


@needs_node
def test_modules_keep_their_private_names_and_are_carried_out_once(tmp_path: Path) -> None:
    modules = {
        "index": 'import { add, list } from "./list.js";\nimport {\n  one,\n  two,\n} from "./numbers.js";\n'
        'import { word } from "../shared/words.js";\nimport facts from "./facts.json" with { type: "json" };\n\n'
        'const size = 1;\nconst told = [...list, one, two(), word, facts.n, size];\nadd("late");\n'
        "export default function show() {\n  return told;\n}\n",
        "list": "export const list = [];\nexport const add = (one) => list.push(one);\nconst size = 2;\nadd(size);\n",
        "numbers": 'import { add } from "./list.js";\n\nconst size = 3;\nadd(size);\nexport const one = `\n${size}`;\n'
        "export function two() {\n  return size + 1;\n}\nexport class Three {}\n",
    }
    for folder in ("c", "shared"):
        (tmp_path / folder).mkdir()
    for name, text in modules.items():
        (tmp_path / "c" / f"{name}.js").write_text(text, encoding="utf-8")
    (tmp_path / "c" / "facts.json").write_text('{"n": 254}\n', encoding="utf-8")
    (tmp_path / "shared" / "words.js").write_text('export const word = "shared";\n', encoding="utf-8")
    script = f"{script_of('c', folder=tmp_path)}\nconsole.log(JSON.stringify(show()));\n"
    told = json.loads(run_node("--input-type=module", text=script))
    assert told == [2, 3, "\n3", 4, "shared", 254, 1]


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
